"""Submissions: leasing them, giving them back, and holding them for a later hour."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection

from customers import clock
from notifications import hot, quiet
from notifications.choices import HeldFor, SubmissionStatus
from notifications.models import Message, Submission

LEASE = timedelta(seconds=60)
# After opening, held submissions are spread over this span: no spike at 09:00:00.
RAMP = timedelta(minutes=30)
# The window of a message that stays open, as those of reminders do: each of its deliveries has an hour of its own.
FOR_GOOD = datetime(2999, 1, 1, tzinfo=UTC)
# SQL: messages `m` whose deliveries have hours of their own: the open ones, and reminders that are sent again.
KEEPS_HOURS = "(m.stop_when <> '{}' OR m.send_until = '2999-01-01 00:00:00+00')"
# What is planned by and by is held by and by, and the place of a submission among those of its moment says nothing:
# it goes where its number falls, within half of the time that the most urgent of its deliveries has left.
BY_NUMBER = """(hashint8(spread.id) & 1023) / 1024.0 * greatest(interval '0', least(%(ramp)s, (
    SELECT (min(d.send_until) - %(until)s::timestamptz) / 2 FROM notifications_delivery d
    WHERE d.submission_id = spread.id AND d.finished_at IS NULL AND d.reason = '' AND d.status = 'queued'
)))"""
# What waits at once is shared out evenly, the first at the opening.
BY_PLACE = "%(ramp)s * (spread.place::float / spread.total)"


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
    keeps_hours = bool(message.stop_when) or message.send_until == FOR_GOOD
    offset = BY_NUMBER if ramp and keeps_hours else BY_PLACE
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH waiting AS MATERIALIZED (
                SELECT id FROM notifications_submission
                -- What waits for the first part's receipts stays known as that, and is let go by them alone.
                WHERE message_id = %(message)s AND status IN ('queued', 'leased') AND send_after < %(until)s
                    AND held_for <> 'canary'
                ORDER BY id FOR UPDATE
            ), spread AS (
                SELECT id, row_number() OVER (ORDER BY id) - 1 AS place, count(*) OVER () AS total FROM waiting
            )
            UPDATE notifications_submission s
            SET status = 'queued', token = NULL, lease_until = NULL, held_for = %(held_for)s,
                send_after = %(until)s::timestamptz + {offset}
            FROM spread WHERE s.id = spread.id
            """,
            {"message": message.pk, "until": until, "held_for": held_for, "ramp": ramp},
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
