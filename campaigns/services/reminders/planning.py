"""Planning what a step of a reminder found due: who gets which text, who gets none and why, who is called."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.backends.utils import CursorWrapper

from campaigns.choices import FollowUpFor, FollowUpUse, Receiver, ReminderTrigger
from campaigns.models import Reminder, ReminderStep, ReminderText
from campaigns.services.reminders import facts, open_messages, telling_staff
from customers import clock
from customers.choices import Channel, FollowUpReason
from customers.services import follow_ups
from customers.services.follow_ups import NewFollowUp
from notifications.models import Template
from notifications.services import gateways, messages, notices

# The same share of customers in every step of a reminder, dealt anew for each reminder: Knuth's multiplication
# spreads neighboring numbers evenly.
_DEALT = "mod(%(reminder)s::bigint * 40503173, 4294967296)"
BUCKET = f"mod(mod(f.customer_id, 4294967296) * 2654435761 + {_DEALT}, 4294967296) / 42949673"
IS_VIP = """EXISTS (
    SELECT FROM customers_customer c JOIN customers_tier t ON t.id = c.tier_id
    WHERE c.id = f.customer_id AND t.is_vip
)"""
IS_VALUABLE = """EXISTS (
    SELECT FROM customers_order o WHERE o.id = f.order_id AND coalesce(o.total, o.paid) >= %(valuable)s
)"""
CALLED = {
    FollowUpFor.VIP: IS_VIP,
    FollowUpFor.VIP_OR_VALUABLE: f"({IS_VIP} OR {IS_VALUABLE})",
    FollowUpFor.EVERYBODY: "true",
}
OUTCOMES = f"""
UPDATE found_due f SET outcome = CASE
    WHEN NOT EXISTS (
        SELECT FROM customers_customer c
        WHERE c.id = f.customer_id AND c.erased_at IS NULL AND c.merged_into_id IS NULL
    ) THEN 'no_customer'
    WHEN f.due_at <= %(since)s THEN 'too_late'
    WHEN %(held_out)s > 0 AND {BUCKET} < %(held_out)s THEN 'held_out'
    WHEN %(instead)s AND {{called}} THEN 'called'
    ELSE 'planned' END
"""
# Which text: the first whose channel works and on which the customer has an address.
CHOOSE = """
UPDATE found_due f SET text_id = %s WHERE f.outcome = 'planned' AND f.text_id IS NULL AND (%s OR EXISTS (
    SELECT FROM customers_contactpoint p WHERE p.customer_id = f.customer_id AND p.channel = %s AND p.is_primary
))
"""
# What is due beside it goes with the first, once that has waited for others.
WAITS_FOR_OTHERS = """
DELETE FROM found_due f WHERE f.outcome = 'planned' AND f.text_id = %(text)s AND NOT EXISTS (
    SELECT FROM found_due first WHERE first.customer_id = f.customer_id AND first.text_id = f.text_id
      AND first.outcome = 'planned' AND first.due_at + %(merge)s <= %(now)s
)
"""
SINGLE = """
INSERT INTO planned_notice (message_id, customer_id, is_second, occasion, send_until, facts, orders, event_id,
    event_due_at)
SELECT %(message)s, f.customer_id, false, left(%(prefix)s || f.key || ':' || %(message)s, 80), f.due_at + %(valid)s,
    f.facts, CASE WHEN f.order_id IS NULL THEN '{}' ELSE ARRAY[f.order_id] END, f.event_id, f.event_due_at
FROM found_due f WHERE f.outcome = 'planned' AND f.text_id = %(text)s AND f.occasion IS NULL ORDER BY f.place
"""
NAME_SINGLE = """
UPDATE found_due f SET occasion = left(%(prefix)s || f.key || ':' || %(message)s, 80)
WHERE f.outcome = 'planned' AND f.text_id = %(text)s AND f.occasion IS NULL
"""
SEVERAL = """
SELECT f.*, f.due_at + %(valid)s AS valid_until FROM found_due f
WHERE f.outcome = 'planned' AND f.text_id = %(text)s AND f.order_id IS NOT NULL AND EXISTS (
    SELECT FROM found_due other WHERE other.customer_id = f.customer_id AND other.text_id = f.text_id
      AND other.outcome = 'planned' AND other.order_id <> f.order_id
)
"""
MERGED = f"""
WITH several AS MATERIALIZED ({SEVERAL}),
together AS MATERIALIZED ({facts.TOGETHER.format(table="several")}),
named AS (
    UPDATE found_due f SET occasion = %(prefix)s || together.keys || ':' || %(message)s
    FROM together WHERE f.place IN (SELECT place FROM several) AND f.customer_id = together.customer_id
)
INSERT INTO planned_notice (message_id, customer_id, is_second, occasion, send_until, facts, orders)
SELECT %(message)s, customer_id, false, %(prefix)s || keys || ':' || %(message)s, valid_until, facts, orders
FROM together
"""
# Beside the first address; nobody's occasion hangs on it.
SECOND = """
INSERT INTO planned_notice (message_id, customer_id, is_second, occasion, send_until, facts, orders, event_id,
    event_due_at)
SELECT %(message)s, f.customer_id, true, left(%(prefix)s || f.key || ':2:' || %(message)s, 80), f.due_at + %(valid)s,
    f.facts, CASE WHEN f.order_id IS NULL THEN '{}' ELSE ARRAY[f.order_id] END, f.event_id, f.event_due_at
FROM found_due f WHERE f.outcome = 'planned' AND EXISTS (
    SELECT FROM customers_contactpoint p
    WHERE p.customer_id = f.customer_id AND p.channel = %(channel)s AND NOT p.is_primary
) AND NOT EXISTS (
    -- The reminder was edited after they had it.
    SELECT FROM notifications_delivery had
    WHERE had.customer_id = f.customer_id AND had.status NOT IN ('skipped', 'canceled')
      AND starts_with(had.occasion, %(prefix)s || f.key || ':2:')
) ORDER BY f.place
"""
MEET = """
INSERT INTO campaigns_reminderoccasion (
    reminder_id, step_id, key, customer_id, order_id, event_id, happened_at, due_at, outcome, reason, delivery_id,
    created_at
)
SELECT %(reminder)s, %(step)s, f.key, f.customer_id, f.order_id, f.event_id, f.happened_at, f.due_at, f.outcome, '',
    notice.delivery_id, %(now)s
FROM found_due f
LEFT JOIN planned_notice notice
    ON notice.customer_id = f.customer_id AND notice.occasion = f.occasion AND NOT notice.is_second
WHERE f.outcome <> 'planned' OR notice.delivery_id IS NOT NULL
ORDER BY f.place
ON CONFLICT (step_id, key) DO NOTHING
RETURNING outcome
"""
TO_CALL = """
SELECT f.key, f.customer_id, f.order_id, f.due_at, coalesce(nullif(f.detail, ''), o.number, e."values" ->> 'title', '')
FROM found_due f
LEFT JOIN customers_order o ON o.id = f.order_id
LEFT JOIN customers_customerevent e ON e.id = f.event_id
WHERE f.outcome IN ('planned', 'called') AND {called}
"""


def plan(cursor: CursorWrapper, step: ReminderStep, *, now: datetime) -> Counter:
    """
    Write what follows from what was found due of a step; answers the occasions by outcome.

    In the caller's transaction. Raises messages.CannotFreeze where a text may not be sent: then nothing is written,
    and what is due waits as long as it is of use.
    """
    reminder = step.reminder
    values = {
        "reminder": reminder.pk,
        "step": step.pk,
        "zone": str(clock.shop_zone()),
        "held_out": reminder.held_out_percent,
        "instead": reminder.follow_up == FollowUpUse.INSTEAD,
        "valuable": reminder.valuable_from if reminder.valuable_from is not None else 10**12,
        "valid": reminder.valid_for,
        "merge": reminder.merge_within,
        "prefix": f"reminder-{step.pk}:",
        "since": now - reminder.valid_for,
        "now": now,
    }
    called = CALLED[FollowUpFor(reminder.follow_up_for)]
    cursor.execute(OUTCOMES.format(called=called), values)
    texts = working_texts(step)
    _choose(cursor, step, texts)
    cursor.execute(facts.FACTS, values)
    notices.begin(cursor)
    for text in texts:
        if text.receiver == Receiver.BUYER:
            _note(cursor, text, values, now)
    for text in texts:
        if text.receiver == Receiver.SECOND:
            message = open_messages.message_for(text, is_merged=False, now=now)
            cursor.execute(SECOND, values | {"message": message.pk, "channel": text.channel})
            notices.plan(cursor, message, now=now)
    cursor.execute(MEET, values)
    counts = Counter(row[0] for row in cursor.fetchall())
    if counts:
        to_staff = step.texts.filter(receiver=Receiver.STAFF).select_related("step__reminder", "alert_channel")
        telling_staff.tell(cursor, list(to_staff), now=now)
    if reminder.follow_up:
        _open_follow_ups(cursor, step, called, values, now)
    return counts


def working_texts(step: ReminderStep) -> list[ReminderText]:
    """
    The texts of a step that can be sent, in their order: their channel has an account, their template may go out.

    One that cannot holds up no other. Raises messages.CannotFreeze where nothing is left to say to the customer.
    """
    texts = step.texts.select_related("step__reminder", "template__signature", "merged_template__signature")
    usable, refused = [], None
    for text in texts.exclude(receiver=Receiver.STAFF).order_by("position", "id"):
        if not gateways.account_for(text.channel):
            continue
        try:
            messages.check(text.template)
        except messages.CannotFreeze as refusal:
            refused = refused or refusal
            continue
        if text.merged_template and not _may_go_out(text.merged_template):
            text.merged_template = None
        usable.append(text)
    if refused and not any(text.receiver == Receiver.BUYER for text in usable):
        raise refused
    return usable


def _may_go_out(template: Template) -> bool:
    try:
        messages.check(template)
    except messages.CannotFreeze:
        return False
    return True


def _choose(cursor: CursorWrapper, step: ReminderStep, texts: Sequence[ReminderText]) -> None:
    """Choose each customer's text; whoever has no address on any channel gets the first, and its reason."""
    to_buyer = [text for text in texts if text.receiver == Receiver.BUYER]
    for text in to_buyer:
        # Everybody has an inbox.
        cursor.execute(CHOOSE, [text.pk, text.channel == Channel.INBOX, text.channel])
    if to_buyer:
        cursor.execute(CHOOSE, [to_buyer[0].pk, True, ""])
    elif not step.texts.filter(receiver=Receiver.BUYER).exists():
        cursor.execute("UPDATE found_due SET outcome = 'not_called' WHERE outcome = 'planned'")
    else:
        # Nothing is met: as soon as an account works, what is still of use goes out.
        cursor.execute("DELETE FROM found_due WHERE outcome = 'planned'")


def _note(cursor: CursorWrapper, text: ReminderText, values: dict, now: datetime) -> None:
    """Put the notices of a text into the table and plan them, several to one customer together."""
    values = values | {"text": text.pk}
    merges = text.merged_template_id and text.step.reminder.merge_within > timedelta(0)
    if merges:
        cursor.execute(WAITS_FOR_OTHERS, values)
        cursor.execute(f"SELECT EXISTS ({SEVERAL})", values)
    if merges and cursor.fetchone()[0]:
        merged = open_messages.message_for(text, is_merged=True, now=now)
        cursor.execute(MERGED, values | {"message": merged.pk})
        notices.plan(cursor, merged, now=now)
    cursor.execute("SELECT EXISTS (SELECT FROM found_due WHERE text_id = %s AND occasion IS NULL)", [text.pk])
    if cursor.fetchone()[0]:
        message = open_messages.message_for(text, is_merged=False, now=now)
        for statement in (SINGLE, NAME_SINGLE):
            cursor.execute(statement, values | {"message": message.pk})
        notices.plan(cursor, message, now=now)


def _open_follow_ups(cursor: CursorWrapper, step: ReminderStep, called: str, values: dict, now: datetime) -> None:
    reminder = step.reminder
    cursor.execute(TO_CALL.format(called=called), values)
    rows = [
        NewFollowUp(
            customer_id=customer_id,
            occasion=f"reminder-{step.pk}:{key}",
            reason=_reason(reminder),
            due_at=follow_ups.call_by(now, reminder.call_within),
            order_id=order_id,
            detail=f"{reminder.name}: {detail}" if detail else reminder.name,
            script=reminder.call_script,
        )
        for key, customer_id, order_id, _due_at, detail in cursor.fetchall()
        if customer_id
    ]
    follow_ups.open_for(rows, now)


def _reason(reminder: Reminder) -> str:
    if reminder.trigger != ReminderTrigger.EXCEPTION:
        return FollowUpReason.REMINDER
    return (
        FollowUpReason.HIGH_VALUE if reminder.exception_kind == "canceled_by_shop" else FollowUpReason.ORDER_EXCEPTION
    )
