"""Canaries: a small first part of a message goes out, and the rest waits for what its receipts say."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from customers.choices import Purpose
from notifications.choices import HeldFor, SubmissionStatus
from notifications.models import BrakeRule, Message, Submission
from notifications.services import brake_rules

# With fewer answers than this share of the first part nobody can tell how it fares.
ANSWERED_AT_LEAST = 0.5


@dataclass(frozen=True)
class Verdict:
    """How the first part of a message fared; `is_over` when its waiting time is."""

    message_id: int
    sent: int
    answered: int
    bad: int
    is_over: bool

    def is_good(self, rule: BrakeRule) -> bool:
        """Whether enough of the first part arrived for the rest to follow."""
        is_known = self.answered >= self.sent * ANSWERED_AT_LEAST
        return is_known and 100 * self.bad <= rule.canary_undelivered_percent * self.sent

    @property
    def is_complete(self) -> bool:
        """Whether every answer is in."""
        return self.answered >= self.sent


def begin(message: Message) -> int:
    """
    Let only the first part of a planned message go, in whole calls; answers how many people wait behind it.

    Those wait until the message's window ends: if nobody judges the first part, the rest is never sent.
    """
    if message.purpose == Purpose.TRANSACTIONAL or message.is_test:
        return 0
    rule = brake_rules.current()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH placed AS (
                SELECT id, sum(size) OVER (ORDER BY id) - size AS before, sum(size) OVER () AS total
                FROM notifications_submission WHERE message_id = %s AND status = 'queued'
            )
            UPDATE notifications_submission s SET held_for = %s, send_after = %s
            FROM placed
            WHERE s.id = placed.id AND placed.before >= greatest(%s, ceil(placed.total * %s / 100))
            RETURNING s.size
            """,
            [message.pk, HeldFor.CANARY, message.send_until, rule.canary_minimum, rule.canary_percent],
        )
        return sum(row[0] for row in cursor.fetchall())


def release(message_id: int, *, now: datetime) -> int:
    """Let the rest of a message follow; answers how many calls."""
    held = Submission.objects.filter(message_id=message_id, status=SubmissionStatus.QUEUED, held_for=HeldFor.CANARY)
    return held.update(held_for="", send_after=now)


def verdicts(rule: BrakeRule, *, now: datetime) -> list[Verdict]:
    """How the first parts fare of which every call is made; nobody waits for those of paused messages."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            -- Materialized, so that no plan ever counts the deliveries of messages without a first part.
            WITH waiting AS MATERIALIZED (
                SELECT m.id FROM notifications_message m
                WHERE m.paused_at IS NULL AND m.canceled_at IS NULL AND m.send_until > %s AND EXISTS (
                    SELECT FROM notifications_submission w
                    WHERE w.message_id = m.id AND w.status = 'queued' AND w.held_for = 'canary'
                )
            )
            SELECT waiting.id,
                count(*) FILTER (WHERE d.status NOT IN ('skipped', 'canceled', 'queued')),
                count(*) FILTER (WHERE d.status IN ('delivered', 'undelivered', 'failed')),
                count(*) FILTER (WHERE d.status IN ('undelivered', 'failed')),
                coalesce(max(s.called_at) <= %s, true)
            FROM waiting
            JOIN notifications_submission s ON s.message_id = waiting.id AND s.held_for <> 'canary'
            LEFT JOIN notifications_delivery d ON d.submission_id = s.id
            GROUP BY waiting.id
            HAVING count(*) FILTER (WHERE s.status IN ('queued', 'leased', 'called')) = 0
            """,
            [now, now - timedelta(minutes=rule.canary_minutes)],
        )
        return [Verdict(*row) for row in cursor.fetchall()]
