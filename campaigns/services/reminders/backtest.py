"""The backtest: what a reminder would have done to past orders, by the same rules; nothing is sent."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from campaigns import segmentation
from campaigns.choices import Receiver
from campaigns.models import Reminder, ReminderStep, ReminderText
from campaigns.services.reminders import facts, finding, past
from customers import clock
from customers.models import Customer
from customers.models.contact_point import masked
from notifications import caps, personal, quiet, rendering
from notifications.choices import CapWindow
from notifications.models import FrequencyCap, Message
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

    `at_night` came due at night, whatever became of them then; `settled_on_their_own` were paid, shipped or settled
    before their message; `too_late` could not go out in the morning any more. Caps are asked about the reminder's
    own messages alone.
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


TABLE = """
CREATE TEMPORARY TABLE IF NOT EXISTS past_due (
    step_id bigint, key text, customer_id bigint, order_id bigint, event_id bigint, event_due_at timestamptz,
    detail text, happened_at timestamptz, due_at timestamptz, ended_at timestamptz, sent_at timestamptz,
    is_at_night boolean, is_anybody boolean, verdict text
) ON COMMIT DELETE ROWS;
TRUNCATE past_due;
"""
# Asleep between two hours of the shop's day; where they are equal the rule knows no night.
ASLEEP = """CASE WHEN %(night)s::time = %(morning)s::time THEN false
    WHEN %(night)s::time < %(morning)s::time THEN local.hour >= %(night)s AND local.hour < %(morning)s
    ELSE local.hour >= %(night)s OR local.hour < %(morning)s END"""
FIND = f"""
INSERT INTO past_due
SELECT %(step)s, found.key, found.customer_id, found.order_id, found.event_id, found.event_due_at, found.detail,
    found.happened_at, counted.due_at, {{ended_at}}, CASE WHEN asleep.is_so THEN (
        local.day + %(morning)s::time + CASE WHEN local.hour >= %(morning)s THEN interval '1 day' ELSE '0' END
    ) AT TIME ZONE %(zone)s ELSE counted.due_at END,
    asleep.is_so, EXISTS (
        SELECT FROM customers_customer c
        WHERE c.id = found.customer_id AND c.erased_at IS NULL AND c.merged_into_id IS NULL
    ), ''
FROM ({{source}}) found
CROSS JOIN LATERAL (SELECT {{due_at}} AS due_at) counted
CROSS JOIN LATERAL (
    SELECT (counted.due_at AT TIME ZONE %(zone)s)::date AS day, (counted.due_at AT TIME ZONE %(zone)s)::time AS hour
) local
CROSS JOIN LATERAL (SELECT {ASLEEP} AS is_so) asleep
LEFT JOIN customers_order o ON o.id = found.order_id
LEFT JOIN customers_customerevent e ON e.id = found.event_id
WHERE counted.due_at > %(since)s AND counted.due_at <= %(until)s {{conditions}}
"""
JUDGE = """
UPDATE past_due SET verdict = CASE
    WHEN ended_at <= sent_at THEN 'settled'
    WHEN NOT is_anybody THEN 'nobody'
    WHEN sent_at >= due_at + %(valid)s THEN 'too_late'
    ELSE 'sent' END
"""
CAPPED = """
UPDATE past_due p SET verdict = 'capped' FROM (
    SELECT ctid AS row, count(*) OVER ({window}) AS place FROM past_due WHERE verdict = 'sent'
) counted
WHERE p.ctid = counted.row AND counted.place > %(limit)s
"""
ROLLING = "PARTITION BY customer_id ORDER BY sent_at RANGE BETWEEN %(length)s PRECEDING AND CURRENT ROW"
BY_CALENDAR = "PARTITION BY customer_id, date_trunc(%(unit)s, sent_at AT TIME ZONE %(zone)s) ORDER BY sent_at, key"
COUNTED = """
SELECT count(*) FILTER (WHERE verdict = 'sent'), count(*) FILTER (WHERE is_at_night AND verdict <> 'settled'),
    count(*) FILTER (WHERE verdict = 'capped'), count(*) FILTER (WHERE verdict = 'settled'),
    count(*) FILTER (WHERE verdict = 'nobody'), count(*) FILTER (WHERE verdict = 'too_late')
FROM past_due
"""
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
        cursor.execute(JUDGE, {"valid": reminder.valid_for})
        _cap(cursor, reminder, steps)
        found = _counted(cursor)
        examples, segments = _examples(cursor, steps, now)
    price = _price(steps)
    cost = (Decimal(found.total) * segments * price).quantize(Decimal("0.01"))
    return Backtest(**(vars(found) | {"cost": cost, "examples": examples}))


def _find(cursor: CursorWrapper, step: ReminderStep, since: datetime, until: datetime) -> None:
    reminder = step.reminder
    hours = _night_of(reminder, _text_of(step))
    spare = timedelta(days=1) if finding.is_by_hour(reminder) else timedelta(0)
    values = finding.values_of(reminder, step) | {
        "since": since,
        "until": until,
        "low": since - step.delay - spare,
        "high": until - step.delay + spare,
        "night": hours.begins if hours else "00:00",
        "morning": hours.ends if hours else "00:00",
    }
    sql = FIND.format(
        ended_at=past.ended_at(reminder),
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
    texts = step.texts.filter(receiver=Receiver.BUYER).select_related("template__signature").order_by("position", "id")
    found = list(texts)
    return next((text for text in found if gateways.account_for(text.channel)), found[0] if found else None)


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


def _cap(cursor: CursorWrapper, reminder: Reminder, steps: Sequence[ReminderStep]) -> None:
    """Ask each rule about the reminder's own messages, the earliest first."""
    text = next(filter(None, map(_text_of, steps)), None)
    for rule in caps.rules_for(channel=text.channel if text else "sms", purpose=reminder.purpose):
        window, values = _window(rule)
        cursor.execute(CAPPED.format(window=window), values | {"limit": rule.limit, "zone": str(clock.shop_zone())})


def _window(rule: FrequencyCap) -> tuple[str, dict]:
    if rule.window == CapWindow.HOURS:
        return ROLLING, {"length": timedelta(hours=rule.window_length)}
    if rule.window == CapWindow.DAYS:
        return ROLLING, {"length": timedelta(days=rule.window_length)}
    return BY_CALENDAR, {"unit": "week" if rule.window == CapWindow.CALENDAR_WEEK else "day"}


def _counted(cursor: CursorWrapper) -> Backtest:
    cursor.execute(COUNTED)
    total, at_night, capped, settled, nobody, too_late = cursor.fetchone()
    days: dict[date, int] = {}
    hours = [0] * 24
    cursor.execute(BY_TIME, {"zone": str(clock.shop_zone())})
    for day, hour, count in cursor.fetchall():
        days[day] = days.get(day, 0) + count
        hours[hour] += count
    return Backtest(
        days=list(days.items()),
        hours=hours,
        total=total,
        at_night=at_night,
        capped=capped,
        settled_on_their_own=settled,
        without_customer=nobody,
        too_late=too_late,
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
            values = known[customer_id] | json.loads(told)
            values = {name: personal.cleaned_value(name, value) for name, value in values.items()}
            values["shop"] = text.template.signature.name
            seen = rendering.preview(compiled, values, signature=values["shop"], opt_out="")
            units.append(1 if text.channel in rendering.LETTER_CHANNELS else seen.segments)
            found.append(Example(number, when, masked(address) if address else "", seen.text))
    average = Decimal(sum(units)) / len(units) if units else Decimal(1)
    return sorted(found, key=lambda example: example.when)[:EXAMPLES], average
