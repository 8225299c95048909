"""The switch that stops everything: moving it, and what it stopped."""

import logging
from dataclasses import dataclass
from datetime import datetime

from django.db import OperationalError, connection, transaction

from customers.services import gate
from notifications.choices import StopReason
from notifications.models import SendingSwitch

logger = logging.getLogger(__name__)

# A worker needs a few milliseconds between its last check and the call; one that is frozen there loses its lock.
WAIT_FOR_WORKERS = "5s"


@dataclass(frozen=True)
class Standing:
    """Where one message stands: who waits, who has it, of whom nobody knows, and who is in a call just now."""

    message_id: int
    name: str
    is_paused: bool
    waiting: int
    handed_over: int
    unknown: int
    in_the_air: int


def stopped() -> SendingSwitch | None:
    """The switch while it is off, else None."""
    return SendingSwitch.objects.stopped().select_related("stopped_by").first()


def stop(*, by=None, now: datetime, reason: StopReason = StopReason.STAFF, found: dict | None = None) -> bool:
    """
    Hand over nothing more, of any message; answers whether this call did it.

    1. Move the switch: from that commit on no lease and no last check lets anything through.
    2. Wait for the last checks under way, so that what is counted afterwards is all that went out.
    """
    SendingSwitch.objects.bulk_create([SendingSwitch(id=1)], ignore_conflicts=True)
    is_moved = bool(SendingSwitch.objects.stop(now, reason=reason, by=by, found=found))
    _wait_for_last_checks()
    return is_moved


def start() -> bool:
    """Let everything go on; answers whether it was stopped."""
    return bool(SendingSwitch.objects.start())


def _wait_for_last_checks() -> None:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [WAIT_FOR_WORKERS])
            gate.shut()
    except OperationalError as trouble:
        # Whoever holds the gate that long is an import, behind which nothing is handed over, or a frozen worker.
        logger.warning("Sending is stopped; a last check under way could not be waited for: %s", trouble)


def standings(*, since: datetime) -> list[Standing]:
    """The messages that were going out at a moment or later; the biggest first. What was over by then is left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT m.id, m.name, m.paused_at IS NOT NULL,
                counted.queued - calls.size, counted.handed_over, counted.unknown, calls.size
            FROM notifications_message m
            CROSS JOIN LATERAL (
                SELECT coalesce(sum(count) FILTER (WHERE status = 'queued'), 0) AS queued,
                    coalesce(sum(count) FILTER (WHERE status IN ('sent', 'delivered', 'undelivered')), 0)
                        AS handed_over,
                    coalesce(sum(count) FILTER (WHERE status = 'unknown'), 0) AS unknown
                FROM notifications_deliverytally t WHERE t.message_id = m.id
            ) AS counted
            CROSS JOIN LATERAL (
                SELECT coalesce(sum(size), 0) AS size
                FROM notifications_submission s WHERE s.message_id = m.id AND s.status = 'called'
            ) AS calls
            WHERE m.send_until > %s AND m.canceled_at IS NULL AND NOT m.is_test
                AND (counted.queued > 0 OR calls.size > 0 OR EXISTS (
                    SELECT FROM notifications_submission s WHERE s.message_id = m.id AND s.settled_at >= %s
                ))
            ORDER BY counted.queued DESC, m.id DESC
            """,
            [since, since],
        )
        return [Standing(*row[:3], *map(int, row[3:])) for row in cursor.fetchall()]
