"""The backtest: what a reminder would have done to past orders, by the same rules; nothing is sent."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from campaigns import segmentation
from campaigns.choices import FollowUpFor, FollowUpUse, Receiver
from campaigns.models import Reminder, ReminderStep, ReminderText
from campaigns.services.reminders import facts, finding, past, past_sends, planning
from customers import clock
from customers.choices import Channel
from customers.models import Customer
from customers.models.contact_point import masked
from notifications import caps, personal, quiet, rendering, screening
from notifications.models import Message
from notifications.services import gateways

EXAMPLES = 20


@dataclass(frozen=True)
class Example:
    """One message that would have gone out."""

    order_number: str
    when: datetime
    receiver: str
    text: str


@dataclass(frozen=True)
class Backtest:
    """
    What a reminder would have done in a span, in messages.

    `at_night` came due at night, be it that they went out later or not any more; `settled_on_their_own` were paid,
    shipped or settled before their message; `too_late` could not go out in the morning any more. `unreachable` may not
    be written to or have no address, as consent and addresses are now; `held_out` and `called` get no message by the
    reminder's own choice. Caps are asked about the reminder's own messages alone.
    """

    days: list[tuple[date, int]] = field(default_factory=list)
    hours: list[int] = field(default_factory=lambda: [0] * 24)
    total: int = 0
    at_night: int = 0
    capped: int = 0
    settled_on_their_own: int = 0
    without_customer: int = 0
    too_late: int = 0
    cost: Decimal = Decimal(0)
    examples: list[Example] = field(default_factory=list)
    unreachable: int = 0
    held_out: int = 0
    called: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing was found at all, not even what came to nothing."""
        counts = [self.total, self.at_night, self.capped, self.settled_on_their_own, self.without_customer]
        return not any([*counts, self.too_late, self.unreachable, self.held_out, self.called])


TABLE = """
CREATE TEMPORARY TABLE IF NOT EXISTS past_due (
    place bigint GENERATED ALWAYS AS IDENTITY, step_id bigint, key text, customer_id bigint, order_id bigint,
    event_id bigint, event_due_at timestamptz, detail text, happened_at timestamptz, due_at timestamptz,
    ended_at timestamptz, sent_at timestamptz, is_at_night boolean, is_anybody boolean, channel text, verdict text
) ON COMMIT DELETE ROWS;
TRUNCATE past_due;
"""
# Asleep between two hours of the shop's day; where they are equal the rule knows no night.
ASLEEP = """CASE WHEN %(night)s::time = %(morning)s::time THEN false
    WHEN %(night)s::time < %(morning)s::time THEN local.hour >= %(night)s AND local.hour < %(morning)s
    ELSE local.hour >= %(night)s OR local.hour < %(morning)s END"""
FIND = f"""
INSERT INTO past_due (step_id, key, customer_id, order_id, event_id, event_due_at, detail, happened_at, due_at,
    ended_at, sent_at, is_at_night, is_anybody, channel, verdict)
SELECT %(step)s, found.key, found.customer_id, found.order_id, found.event_id, found.event_due_at, found.detail,
    found.happened_at, counted.due_at, {{ended_at}}, CASE WHEN asleep.is_so THEN (
        local.day + %(morning)s::time + CASE WHEN local.hour >= %(morning)s THEN interval '1 day' ELSE '0' END
    ) AT TIME ZONE %(zone)s ELSE counted.due_at + %(wait)s END,
    asleep.is_so, EXISTS (
        SELECT FROM customers_customer c
        WHERE c.id = found.customer_id AND c.erased_at IS NULL AND c.merged_into_id IS NULL
    ), {{channel}}, ''
FROM ({{source}}) found
CROSS JOIN LATERAL (SELECT {{due_at}} AS due_at) counted
CROSS JOIN LATERAL (
    SELECT ready.at::date AS day, ready.at::time AS hour
    FROM (SELECT (counted.due_at + %(wait)s) AT TIME ZONE %(zone)s AS at) ready
) local
CROSS JOIN LATERAL (SELECT {ASLEEP} AS is_so) asleep
LEFT JOIN customers_order o ON o.id = found.order_id
LEFT JOIN customers_customerevent e ON e.id = found.event_id
WHERE counted.due_at > %(since)s AND counted.due_at <= %(until)s {{conditions}}
"""
# As planning.CHOOSE chooses among a step's texts.
HAS_ADDRESS = """EXISTS (
    SELECT FROM customers_contactpoint p
    WHERE p.customer_id = found.customer_id AND p.channel = '{channel}' AND p.is_primary
)"""
# In the order of planning: who is found at all, who gets a message, and what ends it on its way.
JUDGE = f"""
UPDATE past_due f SET verdict = CASE
    WHEN f.ended_at <= f.due_at THEN 'settled'
    WHEN NOT f.is_anybody THEN 'nobody'
    WHEN %(held_out)s > 0 AND {planning.BUCKET} < %(held_out)s THEN 'held_out'
    WHEN %(instead)s AND {{called}} THEN 'called'
    WHEN f.channel IS NULL THEN 'silent'
    WHEN f.channel <> '' AND screened.reason <> '' THEN 'unreachable'
    WHEN f.ended_at <= f.sent_at THEN 'settled'
    WHEN f.sent_at >= f.due_at + %(valid)s THEN 'too_late'
    ELSE 'sent' END
FROM (
    SELECT due.place, {{reason}} AS reason
    FROM past_due due
    LEFT JOIN customers_customer c ON c.id = due.customer_id
    LEFT JOIN customers_contactpoint p ON p.customer_id = c.id AND p.channel = due.channel AND p.is_primary
    CROSS JOIN LATERAL (
        SELECT CASE due.channel WHEN 'inbox' THEN {{inbox}} ELSE {{address}} END AS address
    ) a
    LEFT JOIN customers_consent k
        ON k.customer_id = c.id AND k.channel = due.channel AND k.purpose = %(purpose)s
    LEFT JOIN customers_suppression s ON s.channel = due.channel AND s.address = a.address
) screened
WHERE screened.place = f.place
"""
COUNTED = """
SELECT verdict, count(*), count(*) FILTER (WHERE is_at_night) FROM past_due GROUP BY verdict
"""
# What would have been a message but for the hour or the caps.
COUNTED_AT_NIGHT = ("sent", "capped", "too_late", "nobody")
BY_TIME = """
SELECT (sent_at AT TIME ZONE %(zone)s)::date, extract(hour FROM sent_at AT TIME ZONE %(zone)s)::int, count(*)
FROM past_due WHERE verdict = 'sent' GROUP BY 1, 2 ORDER BY 1, 2
"""
# Spread over the whole span, and the same at every look.
CHOSEN = """
INSERT INTO found_due (key, customer_id, order_id, event_id, event_due_at, detail, happened_at, due_at, outcome)
SELECT key, customer_id, order_id, event_id, event_due_at, detail, happened_at, sent_at, 'planned'
FROM past_due WHERE verdict = 'sent' AND step_id = %(step)s ORDER BY md5(key) LIMIT %(limit)s
"""
READ = """
SELECT f.customer_id, coalesce(o.number, e.key, ''), f.due_at, f.facts,
    coalesce((SELECT p.address FROM customers_contactpoint p
        WHERE p.customer_id = f.customer_id AND p.channel = %(channel)s AND p.is_primary), '')
FROM found_due f LEFT JOIN customers_order o ON o.id = f.order_id
LEFT JOIN customers_customerevent e ON e.id = f.event_id ORDER BY f.due_at
"""


def backtest(reminder: Reminder, *, since: datetime, until: datetime, now: datetime) -> Backtest:
    """
    What a reminder would have done in a span, as its conditions, stops, night and validity are now.

    Raises segmentation.BadConditions where its segment cannot be asked.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '128MB'")
        cursor.execute(TABLE)
        steps = list(reminder.steps.order_by("position"))
        for step in steps:
            step.reminder = reminder
            _find(cursor, step, since, until)
        if reminder.segment_id:
            _keep_segment(cursor, reminder, now)
        _judge(cursor, reminder)
        ways = _ways(reminder, steps)
        if ways.is_needed:
            past_sends.walk(cursor, ways)
        found = _counted(cursor)
        examples, segments = _examples(cursor, steps, now)
    price = _price(steps)
    cost = (Decimal(found.total) * segments * price).quantize(Decimal("0.01"))
    return Backtest(**(vars(found) | {"cost": cost, "examples": examples}))


def _find(cursor: CursorWrapper, step: ReminderStep, since: datetime, until: datetime) -> None:
    reminder = step.reminder
    text = _text_of(step)
    hours = _night_of(reminder, text)
    spare = timedelta(days=1) if finding.is_by_hour(reminder) else timedelta(0)
    values = finding.values_of(reminder, step) | {
        "since": since,
        "until": until,
        "low": since - step.delay - spare,
        "high": until - step.delay + spare,
        "night": hours.begins if hours else "00:00",
        "morning": hours.ends if hours else "00:00",
        "wait": _wait_of(reminder, text),
    }
    sql = FIND.format(
        ended_at=past.ended_at(reminder),
        channel=_channel_sql(step),
        source=past.source(reminder),
        due_at=finding.due_at_sql(reminder, "found.happened_at"),
        conditions=finding.conditions(reminder, in_status=past.in_status(reminder)),
    )
    cursor.execute(sql, values)


def _night_of(reminder: Reminder, text: ReminderText | None) -> quiet.Quiet | None:
    channel = text.channel if text else "sms"
    message = Message(channel=channel, purpose=reminder.purpose, night=reminder.night)
    return quiet.quiet_of(message, zone=clock.shop_zone())


def _text_of(step: ReminderStep) -> ReminderText | None:
    """What a step says to the customer: by the first channel that works, otherwise by the first."""
    return next(iter(_texts_of(step)), None)


def _texts_of(step: ReminderStep) -> list[ReminderText]:
    texts = step.texts.filter(receiver=Receiver.BUYER).select_related("template__signature").order_by("position", "id")
    found = list(texts)
    return [text for text in found if gateways.account_for(text.channel)] or found[:1]


def _channel_sql(step: ReminderStep) -> str:
    """SQL for the channel of the first text with an address for it; '' where staff alone are told, NULL for nobody."""
    channels = [Channel(text.channel).value for text in _texts_of(step)]
    if not channels:
        return "''" if step.texts.exists() else "NULL"
    if len(channels) == 1:
        return f"'{channels[0]}'"
    cases = [
        f"WHEN {'true' if channel == Channel.INBOX else HAS_ADDRESS.format(channel=channel)} THEN '{channel}'"
        for channel in channels
    ]
    return f"CASE {' '.join(cases)} ELSE '{channels[0]}' END"


def _wait_of(reminder: Reminder, text: ReminderText | None) -> timedelta:
    """How long a message waits for others to the same customer."""
    return reminder.merge_within if text and text.merged_template_id else timedelta(0)


def _price(steps: Sequence[ReminderStep]) -> Decimal:
    text = next(filter(None, map(_text_of, steps)), None)
    account = gateways.account_for(text.channel) if text else None
    return account.price if account else Decimal(0)


def _keep_segment(cursor: CursorWrapper, reminder: Reminder, now: datetime) -> None:
    cursor.execute("SELECT DISTINCT customer_id FROM past_due WHERE customer_id IS NOT NULL")
    ids = [row[0] for row in cursor.fetchall()]
    people = segmentation.people(reminder.segment.conditions, now=now).filter(pk__in=ids)
    kept = list(Customer.objects.filter(pk__in=people.order_by().values("pk")).values_list("pk", flat=True))
    cursor.execute("DELETE FROM past_due WHERE customer_id IS NULL OR customer_id <> ALL(%s)", [kept])


def _judge(cursor: CursorWrapper, reminder: Reminder) -> None:
    # Of a temporary table the planner knows nothing by itself.
    cursor.execute("ANALYZE past_due")
    sql = JUDGE.format(
        called=planning.CALLED[FollowUpFor(reminder.follow_up_for)],
        reason=screening.first_reason(reminder.purpose),
        inbox=screening.address_on(Channel.INBOX),
        address=screening.address_on(Channel.SMS),
    )
    values = {
        "reminder": reminder.pk,
        "purpose": reminder.purpose,
        "valid": reminder.valid_for,
        "held_out": reminder.held_out_percent,
        "instead": reminder.follow_up == FollowUpUse.INSTEAD,
        "valuable": reminder.valuable_from if reminder.valuable_from is not None else 10**12,
    }
    cursor.execute(sql, values)


def _ways(reminder: Reminder, steps: Sequence[ReminderStep]) -> past_sends.Ways:
    texts = {step.pk: _text_of(step) for step in steps}
    channels = {text.channel for step in steps for text in _texts_of(step)}
    return past_sends.Ways(
        waits={pk: _wait_of(reminder, text) for pk, text in texts.items()},
        rules={channel: caps.rules_for(channel=channel, purpose=reminder.purpose) for channel in channels},
        nights={pk: _night_of(reminder, text) for pk, text in texts.items()},
        cap_policy=reminder.cap_policy,
        valid_for=reminder.valid_for,
        zone=clock.shop_zone(),
    )


def _counted(cursor: CursorWrapper) -> Backtest:
    cursor.execute(COUNTED)
    by_verdict = {verdict: (count, at_night) for verdict, count, at_night in cursor.fetchall()}
    counts = {verdict: count for verdict, (count, _) in by_verdict.items()}
    days: dict[date, int] = {}
    hours = [0] * 24
    cursor.execute(BY_TIME, {"zone": str(clock.shop_zone())})
    for day, hour, count in cursor.fetchall():
        days[day] = days.get(day, 0) + count
        hours[hour] += count
    return Backtest(
        days=list(days.items()),
        hours=hours,
        total=counts.get("sent", 0),
        at_night=sum(at_night for verdict, (_, at_night) in by_verdict.items() if verdict in COUNTED_AT_NIGHT),
        capped=counts.get("capped", 0),
        settled_on_their_own=counts.get("settled", 0),
        without_customer=counts.get("nobody", 0),
        too_late=counts.get("too_late", 0),
        unreachable=counts.get("unreachable", 0),
        held_out=counts.get("held_out", 0),
        called=counts.get("called", 0),
    )


def _examples(cursor: CursorWrapper, steps: Sequence[ReminderStep], now: datetime) -> tuple[list[Example], Decimal]:
    """Messages as they would have read, and how many units one of them has on average."""
    found: list[Example] = []
    units: list[int] = []
    for step in steps:
        text = _text_of(step)
        if text is None:
            continue
        finding.begin(cursor)
        cursor.execute(CHOSEN, {"step": step.pk, "limit": -(-EXAMPLES // len(steps))})
        values = {"zone": str(clock.shop_zone()), "now": now, "reminder": step.reminder.pk}
        cursor.execute(facts.FACTS, values)
        cursor.execute(READ, {"channel": text.channel})
        rows = cursor.fetchall()
        known = personal.values_for(
            {row[0] for row in rows}, channel=text.channel, variables=sorted(rendering.OF_CUSTOMER)
        )
        compiled = rendering.compiled(text.template)
        for customer_id, number, when, told, address in rows:
            values = known[customer_id] | _said_on(json.loads(told), when)
            values = {name: personal.cleaned_value(name, value) for name, value in values.items()}
            values["shop"] = text.template.signature.name
            seen = rendering.preview(compiled, values, signature=values["shop"], opt_out="")
            units.append(1 if text.channel in rendering.LETTER_CHANNELS else seen.segments)
            found.append(Example(number, when, masked(address) if address else "", seen.text))
    average = Decimal(sum(units)) / len(units) if units else Decimal(1)
    return sorted(found, key=lambda example: example.when)[:EXAMPLES], average


def _said_on(told: dict[str, str], when: datetime) -> dict[str, str]:
    """What is said of an order or event, with the days left as they were on the day of the message."""
    if due_on := told.pop("due_on", ""):
        told["days_left"] = str((date.fromisoformat(due_on) - clock.shop_date(when)).days)
    return told
