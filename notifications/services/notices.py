"""Notices: deliveries that each speak of an order or an event of their own, planned into a message that stays open."""

from collections.abc import Sequence
from datetime import datetime

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from customers.services import removals
from notifications import screening
from notifications.models import Message
from notifications.services import deliveries

# Whoever plans fills this table and finds the deliveries in it. `is_second`: to the newest address that is not the
# main one. A notice whose occasion has a delivery already keeps that one.
TABLE = """
CREATE TEMPORARY TABLE IF NOT EXISTS planned_notice (
    place bigint GENERATED ALWAYS AS IDENTITY, message_id bigint, customer_id bigint, is_second boolean,
    occasion text, send_until timestamptz, facts jsonb, orders bigint[], event_id bigint, event_due_at timestamptz,
    delivery_id bigint
) ON COMMIT DELETE ROWS;
TRUNCATE planned_notice;
"""

WRITE = """
WITH judged AS (
    SELECT notice.*, a.address, {first_reason} AS verdict
    FROM planned_notice notice
    JOIN customers_customer c ON c.id = notice.customer_id
    LEFT JOIN LATERAL (
        SELECT address FROM customers_contactpoint held
        WHERE held.customer_id = c.id AND held.channel = %(channel)s AND held.is_primary <> notice.is_second
        ORDER BY held.id DESC LIMIT 1
    ) p ON true
    CROSS JOIN LATERAL (SELECT {address} AS address) a
    LEFT JOIN customers_consent k
        ON k.customer_id = c.id AND k.channel = %(channel)s AND k.purpose = %(purpose)s
    LEFT JOIN customers_suppression s ON s.channel = %(channel)s AND s.address = a.address
    WHERE notice.message_id = %(message)s
), written AS (
    INSERT INTO notifications_delivery
        (message_id, customer_id, occasion, address, status, reason, "values", send_until, created_at, finished_at)
    SELECT %(message)s, customer_id, occasion, CASE WHEN verdict = '' THEN address ELSE '' END,
        CASE WHEN verdict = '' THEN 'queued' ELSE 'skipped' END, verdict, facts, send_until, %(now)s,
        CASE WHEN verdict <> '' THEN %(now)s::timestamptz END
    FROM judged ORDER BY place
    ON CONFLICT (customer_id, occasion) DO NOTHING
    RETURNING id, customer_id, occasion
)
UPDATE planned_notice notice SET delivery_id = written.id
FROM written WHERE written.customer_id = notice.customer_id AND written.occasion = notice.occasion
    AND notice.message_id = %(message)s
"""
CONCERNS = """
INSERT INTO notifications_concern (delivery_id, order_id, due_at)
SELECT delivery_id, spoken.order_id, CASE WHEN event_id IS NULL THEN event_due_at END
FROM planned_notice CROSS JOIN LATERAL unnest(orders) AS spoken(order_id)
WHERE message_id = %(message)s AND delivery_id IS NOT NULL
"""
EVENTS = """
INSERT INTO notifications_concern (delivery_id, event_id, due_at)
SELECT delivery_id, event_id, event_due_at FROM planned_notice
WHERE message_id = %(message)s AND delivery_id IS NOT NULL AND event_id IS NOT NULL
"""
KNOWN = """
UPDATE planned_notice notice SET delivery_id = known.id
FROM notifications_delivery known
WHERE notice.message_id = %(message)s AND notice.delivery_id IS NULL
    AND known.customer_id = notice.customer_id AND known.occasion = notice.occasion
    AND known.status NOT IN ('skipped', 'canceled')
"""
QUEUED = """
SELECT d.id FROM planned_notice notice JOIN notifications_delivery d ON d.id = notice.delivery_id
WHERE notice.message_id = %(message)s AND d.status = 'queued' AND d.submission_id IS NULL
    AND NOT EXISTS (SELECT FROM notifications_hold h WHERE h.delivery_id = d.id)
ORDER BY d.id
"""


def begin(cursor: CursorWrapper) -> None:
    """Make the table of this transaction's notices, empty."""
    cursor.execute(TABLE)


def plan(cursor: CursorWrapper, message: Message, *, now: datetime) -> int:
    """
    Write a delivery for each of a message's notices in the table, queued or skipped; answers how many wait.

    A customer gets one delivery per occasion, however often it is planned. In the caller's transaction, which has
    filled `planned_notice` and reads the deliveries there afterwards.
    """
    Message.objects.select_for_update(no_key=True).get(pk=message.pk)
    removals.hold_off()
    values = {"message": message.pk, "channel": message.channel, "purpose": message.purpose, "now": now}
    address, reason = screening.address_on(message.channel), screening.first_reason(message.purpose)
    cursor.execute(WRITE.format(address=address, first_reason=reason), values)
    for statement in (CONCERNS, EVENTS, KNOWN, QUEUED):
        cursor.execute(statement, values)
    waiting = [row[0] for row in cursor.fetchall()]
    deliveries.resubmit(cursor, message, waiting, send_after=now)
    return len(waiting)


def cancel_waiting(message_ids: Sequence[int], *, reason: str, now: datetime) -> int:
    """
    End what waits of some messages that no call carries yet, for a reason; answers how many.

    Waits for whoever plans, regroups or authorizes at this moment, all of whom hold the message.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT FROM notifications_message WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", [list(message_ids)]
        )
        cursor.execute(
            """
            WITH untouched AS MATERIALIZED (
                SELECT id FROM notifications_submission
                WHERE message_id = ANY(%s) AND status IN ('queued', 'leased') ORDER BY id FOR UPDATE
            ), emptied AS (
                UPDATE notifications_submission s SET status = 'empty', token = NULL, lease_until = NULL
                FROM untouched WHERE s.id = untouched.id RETURNING s.id
            ), gone AS (
                DELETE FROM notifications_hold WHERE message_id = ANY(%s)
            )
            UPDATE notifications_delivery d SET status = 'canceled', reason = %s, finished_at = %s
            WHERE d.message_id = ANY(%s) AND d.finished_at IS NULL AND d.reason = '' AND d.status = 'queued'
                AND (d.submission_id IS NULL OR d.submission_id IN (SELECT id FROM emptied))
            """,
            [list(message_ids), list(message_ids), reason, now, list(message_ids)],
        )
        return cursor.rowcount
