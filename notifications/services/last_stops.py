"""The last look at what reminders speak of: is it still so, is it still of use, and does somebody get two at once?"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from notifications import hot, screening, stops
from notifications.models import Message
from notifications.services import submissions
from notifications.services.preparing import Prepared


@dataclass
class LastLook:
    """What speaks against deliveries beside the screening: reasons by id, until when each is of use, and who waits."""

    reasons: dict[int, str] = field(default_factory=dict)
    deadlines: dict[int, datetime] = field(default_factory=dict)
    # Their customer or address gets another one in the same moment, which the caps have to know first.
    second: set[int] = field(default_factory=set)


NOTHING = LastLook()


def look(cursor, message: Message, rows: Sequence[Prepared], *, now: datetime) -> LastLook:
    """
    Lock the orders that some deliveries speak of, in id order, and ask the message's stops about them.

    Nothing is asked of a campaign's message: it has neither stops nor deliveries with an hour of their own. Whoever
    changes an order writes the moment down after holding its row, so that a payment is either seen here or later than
    this call.
    """
    if not message.stop_when and message.send_until < submissions.FOR_GOOD:
        return NOTHING
    ids = hot.integers(row.id for row in rows)
    found = LastLook()
    if message.stop_when:
        cursor.execute(stops.LOCK_ORDERS, [ids])
        cursor.execute(stops.stopped(message.stop_when), [ids])
        found.reasons = dict(cursor.fetchall())
    cursor.execute(
        "SELECT id, send_until FROM notifications_delivery WHERE id = ANY(%s::bigint[]) AND send_until IS NOT NULL",
        [ids],
    )
    found.deadlines = dict(cursor.fetchall())
    for id, until in found.deadlines.items():
        if until <= now:
            found.reasons.setdefault(id, screening.TOO_LATE.code)
    return found


def note_seconds(found: LastLook, rows: Sequence[Prepared], passing: set[int]) -> None:
    """Note whose customer or address another of the passing rows has before them."""
    taken: set[int] = set()
    for row in rows:
        if row.id not in passing:
            continue
        subjects = {row.cap_subject, row.customer_id} - {None}
        if subjects & taken:
            found.second.add(row.id)
        else:
            taken |= subjects
