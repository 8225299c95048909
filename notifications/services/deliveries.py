"""Deliveries: planning them, regrouping those that waited, and closing those whose time is over."""

from collections.abc import Sequence
from datetime import datetime

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import QuerySet

from customers import clock
from customers.choices import Purpose
from customers.crash_points import reach
from customers.models import Customer
from customers.services import removals
from notifications import caps, quiet, rendering, screening
from notifications.choices import CapPolicy, DeliveryStatus, GatewayKind, HeldFor, SubmissionStatus
from notifications.models import Delivery, DeliveryTally, Hold, Message, ProviderAccount, Submission
from notifications.services import submissions

DEFAULT_BATCH = 100
# There every person's text is a call of its own. All calls of a submission are allowed at one moment, and whoever
# stops or opts out during the first has to wait for the last: two hundred of 0.1 s were 20 s.
ONE_TEXT_PER_CALL = {GatewayKind.TENCENT_SMS}
CALLS_AT_MOST = 10
# What has a handful of values makes a handful of calls.
SHARED_BY_MANY = {"shop", "tier", "title"}
REGROUPED_AT_ONCE = 5_000
# SQL: whether delivery `d` still waits after its own hour.
IS_LATE = "d.finished_at IS NULL AND d.reason = '' AND d.status = 'queued' AND d.send_until <= %(now)s"
# SQL: whether a person has sent delivery `d` again meanwhile.
SENT_AGAIN = """EXISTS (
    SELECT FROM notifications_message again
    JOIN notifications_delivery other ON other.message_id = again.id
    WHERE again.again_of_id = d.message_id AND other.customer_id = d.customer_id
        AND other.status NOT IN ('skipped', 'canceled')
)"""


def plan(message: Message, audience: QuerySet[Customer], *, occasion: str, now: datetime) -> dict[str, int]:
    """
    Write one delivery per customer, queued or skipped for a reason, in one statement.

    1. Lock the message; one that has deliveries already is left as it is.
    2. Reserve a submission id for every batch the audience can need.
    3. INSERT … SELECT: screened, numbered, grouped into submissions.
    4. Write the submissions that were needed, more of them if people joined since they were counted.

    Answers the number of deliveries by status or reason. One occasion holds one delivery per
    customer and per address, whatever variants it has.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        Message.objects.select_for_update().get(pk=message.pk)
        # A delivery and its customer may come and go only one after the other.
        removals.hold_off()
        if not DeliveryTally.objects.filter(message=message).exists():
            # Sorting and hashing a million rows in 4 MB spills to disk and doubles the time.
            cursor.execute("SET LOCAL work_mem = '256MB'")
            batch = batch_size(message)
            reserved = _reserve_submissions(cursor, audience, batch)
            _insert_deliveries(cursor, message, audience, occasion, now, batch, reserved)
            queued = counts(message).get(DeliveryStatus.QUEUED, 0)
            room = batch * len(reserved)
            _insert_submissions(cursor, message, batch, reserved, min(queued, room))
            if queued > room:
                _submit_latecomers(cursor, message)
        reach("before_plan_commit")
    return counts(message)


def counts(message: Message) -> dict[str, int]:
    """The number of a message's deliveries by status, or by reason where they were skipped."""
    found: dict[str, int] = {}
    for status, reason, count in DeliveryTally.objects.filter(message=message).values_list(
        "status", "reason", "count"
    ):
        key = reason or status
        found[key] = found.get(key, 0) + count
    return {key: count for key, count in found.items() if count}


def batch_size(message: Message) -> int:
    """How many deliveries one submission can carry, within a second of the fastest pace of the channel's accounts."""
    accounts = ProviderAccount.objects.filter(channel=message.channel, is_active=True)
    found = list(accounts.values_list("batch_size", "pace", "gateway"))
    size = min((size for size, _, _ in found), default=DEFAULT_BATCH)
    if found and all(gateway in ONE_TEXT_PER_CALL for _, _, gateway in found) and is_personal(message):
        size = min(size, CALLS_AT_MOST)
    paces = [pace for _, pace, _ in found]
    return min(size, max(paces)) if paces and all(paces) else size


def is_personal(message: Message) -> bool:
    """Whether nearly everybody may get a text of their own."""
    try:
        return bool(set(rendering.parse(message.body).variables) - SHARED_BY_MANY)
    except rendering.Refused:
        # Nothing of it is sent, whatever its size.
        return False


def customer_ids(audience: QuerySet[Customer]) -> tuple[str, Sequence]:
    """The SQL, with parameters, that selects an audience's ids."""
    try:
        return audience.order_by().values("pk").query.sql_with_params()
    except EmptyResultSet:
        return "SELECT id FROM customers_customer WHERE false", []


def _reserve_submissions(cursor, audience: QuerySet[Customer], batch: int) -> list[int]:
    cursor.execute(
        "SELECT array_agg(nextval(pg_get_serial_sequence('notifications_submission', 'id')))"
        " FROM generate_series(1, %s)",
        [-(-audience.count() // batch) + 1],
    )
    return cursor.fetchone()[0]


def _insert_deliveries(cursor, message, audience, occasion, now, batch, reserved) -> None:
    rules = caps.rules_for(channel=message.channel, purpose=message.purpose)
    skips = rules if message.cap_policy == CapPolicy.SKIP else []
    sql, parameters = screening.audience(
        customer_ids(audience),
        channel=message.channel,
        purpose=message.purpose,
        rules=skips,
        now=_first_moment(message, now),
        zone=clock.shop_zone(),
        occasion=occasion,
    )
    cursor.execute(
        f"""
        INSERT INTO notifications_delivery
            (message_id, customer_id, occasion, address, submission_id, status, reason, created_at)
        SELECT %s, customer_id, %s,
            CASE WHEN verdict IN ('', 'over_cap') THEN address ELSE '' END,
            CASE WHEN verdict = '' THEN (%s::bigint[])[(place - 1) / %s + 1] END,
            CASE WHEN verdict = '' THEN 'queued' ELSE 'skipped' END,
            verdict, %s
        FROM (
            SELECT customer_id, address, verdict,
                count(*) FILTER (WHERE verdict = '') OVER (ROWS UNBOUNDED PRECEDING) AS place
            FROM (
                SELECT customer_id, address,
                    CASE WHEN first_reason = '' AND frees_at IS NOT NULL THEN 'over_cap'
                        ELSE first_reason END AS verdict
                FROM ({sql}) AS screened
            ) AS judged
        ) AS numbered
        """,
        [message.pk, occasion, reserved, batch, now, *parameters],
    )


def _first_moment(message: Message, now: datetime) -> datetime:
    """When the first of a message's deliveries can go out: the moment its caps are asked about."""
    begins = max(now, message.send_after)
    hours = quiet.quiet_of(message, zone=clock.shop_zone())
    return hours.opens_at(begins) if hours else begins


def _insert_submissions(cursor, message: Message, batch: int, reserved: list[int], queued: int) -> None:
    purpose = Purpose(message.purpose)
    cursor.execute(
        """
        INSERT INTO notifications_submission
            (id, message_id, queue, status, priority, send_after, held_for, size, words)
        SELECT id, %s, %s, %s, %s, %s, '', least(%s, %s - (place - 1) * %s), ''
        FROM unnest(%s::bigint[]) WITH ORDINALITY AS needed(id, place)
        """,
        [
            message.pk,
            purpose.queue,
            SubmissionStatus.QUEUED,
            purpose.priority,
            message.send_after,
            batch,
            queued,
            batch,
            reserved[: -(-queued // batch)],
        ],
    )


def _submit_latecomers(cursor, message: Message) -> None:
    """Submit those for whom no submission was reserved: an import went on between counting and writing."""
    late = Delivery.objects.not_finished().filter(message=message, submission=None, status=DeliveryStatus.QUEUED)
    resubmit(cursor, message, list(late.order_by("id").values_list("id", flat=True)), send_after=message.send_after)


def analyze() -> None:
    """Tell PostgreSQL about a big plan; without it a step was seen to take 234 s instead of 8."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE notifications_delivery, notifications_submission")


def regroup(*, now: datetime) -> int:
    """Put deliveries whose wait is over into new submissions; answers how many."""
    with transaction.atomic(), connection.cursor() as cursor:
        # A message that somebody is canceling at this moment is left to them: they want the same rows.
        cursor.execute(
            """
            SELECT m.id FROM notifications_message m
            WHERE EXISTS (SELECT FROM notifications_hold h WHERE h.message_id = m.id AND h.send_after <= %s)
            ORDER BY m.id FOR SHARE SKIP LOCKED
            """,
            [now],
        )
        messages = Message.objects.in_bulk([row[0] for row in cursor.fetchall()])
        cursor.execute(
            """
            DELETE FROM notifications_hold WHERE delivery_id IN (
                SELECT delivery_id FROM notifications_hold WHERE send_after <= %s AND message_id = ANY(%s)
                ORDER BY send_after, delivery_id LIMIT %s FOR UPDATE SKIP LOCKED
            ) RETURNING delivery_id, message_id
            """,
            [now, list(messages), REGROUPED_AT_ONCE],
        )
        waiting: dict[int, list[int]] = {}
        for delivery_id, message_id in cursor.fetchall():
            waiting.setdefault(message_id, []).append(delivery_id)
        for message_id, ids in waiting.items():
            resubmit(cursor, messages[message_id], sorted(ids), send_after=now)
    return sum(len(ids) for ids in waiting.values())


def reconsider_holds(*, now: datetime) -> int:
    """Ask again about everybody whom caps or a provider's limit hold, because a rule has changed; answers how many."""
    return Hold.objects.filter(held_for__in=[HeldFor.CAP, HeldFor.NUMBER], send_after__gt=now).update(send_after=now)


def resubmit(cursor, message: Message, ids: Sequence[int], *, send_after: datetime, held_for: str = "") -> None:
    """Move queued deliveries into new submissions that wait until a moment."""
    batch = batch_size(message)
    purpose = Purpose(message.purpose)
    for start in range(0, len(ids), batch):
        part = ids[start : start + batch]
        submission = Submission.objects.create(
            message=message,
            queue=purpose.queue,
            priority=purpose.priority,
            send_after=send_after,
            held_for=held_for,
            size=len(part),
        )
        cursor.execute(
            "UPDATE notifications_delivery SET submission_id = %s WHERE id = ANY(%s) AND status = 'queued'",
            [submission.pk, list(part)],
        )


def close_overdue(*, now: datetime) -> dict[str, int]:
    """
    End what can no longer go out: deliveries of messages past their window, and of canceled ones.

    Rows in a worker's hands are left to it; whatever comes back from there is closed next time.
    """
    late = _close_late(now)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH closed AS (
                SELECT m.id, m.canceled_at IS NOT NULL AS is_canceled FROM notifications_message m
                WHERE (m.canceled_at IS NOT NULL OR m.send_until <= %s) AND 0 < (
                    SELECT sum(t.count) FROM notifications_deliverytally t
                    WHERE t.message_id = m.id AND t.status = 'queued'
                )
            ), ended AS (
                SELECT s.id FROM notifications_submission s JOIN closed ON closed.id = s.message_id
                WHERE s.status IN ('empty', 'settled', 'lost')
            ), gone AS (
                DELETE FROM notifications_hold h USING closed WHERE h.message_id = closed.id
            ), emptied AS (
                UPDATE notifications_submission s SET status = 'empty' FROM closed
                WHERE s.message_id = closed.id AND s.status = 'queued' RETURNING s.id
            )
            UPDATE notifications_delivery d
            SET status = CASE WHEN closed.is_canceled THEN 'canceled' ELSE 'skipped' END,
                reason = CASE WHEN closed.is_canceled THEN 'staff' ELSE 'too_late' END,
                finished_at = %s
            FROM closed
            WHERE d.message_id = closed.id AND d.finished_at IS NULL AND d.reason = '' AND d.status = 'queued' AND (
                d.submission_id IS NULL OR d.submission_id IN (SELECT id FROM emptied UNION ALL SELECT id FROM ended)
            )
            """,
            [now, now],
        )
        return {"closed": cursor.rowcount + late}


def _close_late(now: datetime) -> int:
    """
    Skip what waits in messages that stay open, each delivery at its own hour; answers how many.

    What waits is reached through its submission, or has none: all that such a message has ever sent without a
    receipt lies in the same index (300,000 rows took 0.14 s, and they only grow).
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH open AS MATERIALIZED (
                SELECT m.id FROM notifications_message m
                WHERE {submissions.KEEPS_HOURS} AND 0 < (
                    SELECT sum(t.count) FROM notifications_deliverytally t
                    WHERE t.message_id = m.id AND t.status = 'queued'
                )
            ), waiting AS MATERIALIZED (
                SELECT late.id, s.id AS submission_id
                FROM open JOIN notifications_submission s ON s.message_id = open.id AND s.status = 'queued'
                CROSS JOIN LATERAL (
                    SELECT d.id FROM notifications_delivery d WHERE d.submission_id = s.id AND {IS_LATE} OFFSET 0
                ) late
                UNION ALL
                SELECT late.id, NULL
                FROM open CROSS JOIN LATERAL (
                    SELECT d.id FROM notifications_delivery d
                    WHERE d.message_id = open.id AND d.submission_id IS NULL AND {IS_LATE} OFFSET 0
                ) late
            ), untouched AS MATERIALIZED (
                SELECT s.id FROM notifications_submission s
                WHERE s.id IN (SELECT submission_id FROM waiting) AND s.status = 'queued'
                ORDER BY s.id FOR UPDATE SKIP LOCKED
            ), ended AS (
                SELECT waiting.id FROM waiting
                WHERE waiting.submission_id IS NULL OR waiting.submission_id IN (SELECT id FROM untouched)
            ), gone AS (
                DELETE FROM notifications_hold h USING ended WHERE h.delivery_id = ended.id
            )
            UPDATE notifications_delivery d SET status = 'skipped', reason = 'too_late', finished_at = %(now)s
            FROM ended WHERE d.id = ended.id AND d.status = 'queued'
            """,
            {"now": now},
        )
        return cursor.rowcount
