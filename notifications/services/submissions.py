"""Submissions: leasing them, giving them back, and holding them for a later hour."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from customers import clock
from notifications import hot, quiet
from notifications.choices import HeldFor, SubmissionStatus
from notifications.models import Message, Submission

LEASE = timedelta(seconds=60)
# After opening, held submissions are spread over this span: no spike at 09:00:00.
RAMP = timedelta(minutes=30)


@dataclass(frozen=True)
class Leased:
    """A submission in a worker's hands, for as long as its token is the row's token."""

    id: int
    message_id: int
    token: uuid.UUID
    size: int


def lease(queue: str, *, limit: int, now: datetime) -> list[Leased]:
    """Take the next submissions of a queue: highest class first, then the earliest."""
    with hot.cursor() as cursor:
        cursor.execute(
            """
            UPDATE notifications_submission s
            SET status = 'leased', token = gen_random_uuid(), lease_until = %s, held_for = ''
            FROM (
                SELECT q.id FROM notifications_submission q
                JOIN notifications_message m ON m.id = q.message_id
                WHERE q.status = 'queued' AND q.queue = %s AND q.send_after <= %s
                    AND m.paused_at IS NULL AND m.canceled_at IS NULL AND m.send_until > %s
                    AND NOT EXISTS (SELECT FROM notifications_sendingswitch WHERE stopped_at IS NOT NULL)
                ORDER BY q.priority, q.send_after, q.id LIMIT %s
                FOR UPDATE OF q SKIP LOCKED
            ) AS next
            WHERE s.id = next.id
            RETURNING s.id, s.message_id, s.token, s.size
            """,
            [now + LEASE, queue, now, now, limit],
        )
        return sorted((Leased(*row) for row in cursor.fetchall()), key=lambda taken: taken.id)


def give_back(leased: Sequence[Leased], *, send_after: datetime, held_for: str = "") -> int:
    """Leased → queued, for a later moment; nothing had left the house."""
    return Submission.objects.filter(
        id__in=[taken.id for taken in leased],
        token__in=[taken.token for taken in leased],
        status=SubmissionStatus.LEASED,
    ).update(
        status=SubmissionStatus.QUEUED,
        token=None,
        lease_until=None,
        send_after=send_after,
        held_for=held_for,
    )


def hold_for_quiet_hours(message: Message, *, opens_at: datetime) -> int:
    """Move all that waits of a message behind its quiet hours, spread over the ramp."""
    # What is spread beyond the message's window would not go out at all.
    ramp = max(timedelta(0), min(RAMP, (message.send_until - opens_at) / 2))
    return hold_back(message, until=opens_at, held_for=HeldFor.QUIET_HOURS, ramp=ramp)


def hold_back(message: Message, *, until: datetime, held_for: HeldFor, ramp: timedelta = timedelta(0)) -> int:
    """Move all that waits of a message to a later moment, also out of the hands of workers that did not call yet."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH waiting AS MATERIALIZED (
                SELECT id FROM notifications_submission
                -- What waits for the first part's receipts stays known as that, and is let go by them alone.
                WHERE message_id = %s AND status IN ('queued', 'leased') AND send_after < %s AND held_for <> 'canary'
                ORDER BY id FOR UPDATE
            ), spread AS (
                SELECT id, row_number() OVER (ORDER BY id) - 1 AS place, count(*) OVER () AS total FROM waiting
            )
            UPDATE notifications_submission s
            SET status = 'queued', token = NULL, lease_until = NULL, held_for = %s,
                send_after = %s::timestamptz + %s * (spread.place::float / spread.total)
            FROM spread WHERE s.id = spread.id
            """,
            [message.pk, until, held_for, until, ramp],
        )
        return cursor.rowcount


def quiet_until(message: Message, *, now: datetime) -> datetime | None:
    """When a message's quiet hours end, if it is quiet now."""
    if message.is_test:
        return None
    hours = quiet.quiet_of(message, zone=clock.shop_zone())
    if hours is None or not hours.holds_at(now):
        return None
    return hours.opens_at(now)
