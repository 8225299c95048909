"""Findings: writing down what a provider said, later, about deliveries that were in doubt."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection, transaction
from psycopg.types.json import Jsonb

from customers.choices import Purpose
from notifications import caps
from notifications.models import Message
from notifications.providers.base import Answer
from notifications.services import budgets, deliveries

# After a call: when what is unknown, and what was taken without a receipt, is first asked for.
DOUBTFUL_AFTER = timedelta(minutes=2)
SILENT_AFTER = timedelta(minutes=10)
# When it is asked for again.
STEPS = (DOUBTFUL_AFTER, SILENT_AFTER, timedelta(hours=1), timedelta(hours=24), timedelta(hours=72))
# A provider's own search lags behind its sending: two times "not found" within this time are one.
SECOND_LOOK = timedelta(minutes=2)
# A gateway that does not answer is tried again, more and more rarely.
TRIED_AGAIN_AFTER = timedelta(minutes=1)
# After this time nobody expects an answer any more, though a late one still counts.
HOPELESS_AFTER = timedelta(hours=24)
# No provider tells about older messages.
FORGOTTEN_AFTER = timedelta(days=7)
# Handed over at most so often, because twice "not found" can be wrong each time.
ATTEMPTS = 3
LONGEST_REASON = 40
LONGEST_PROVIDER_ID = 80


@dataclass
class Finding:
    """What is known now of the deliveries of one call: taken, not found for the first time, not found again."""

    submission_id: int
    can_tell: bool = True
    is_unanswered: bool = False
    taken: dict[int, Answer] = field(default_factory=dict)
    missed: list[int] = field(default_factory=list)
    missed_again: list[int] = field(default_factory=list)

    def note_not_found(self, delivery_id: int, *, earlier_reason: str) -> None:
        """The provider does not know a delivery; the reason it had when it was asked for tells how often."""
        (self.missed_again if earlier_reason == "not_found" else self.missed).append(delivery_id)


@dataclass
class _Call:
    """A submission while its findings are written, locked."""

    id: int
    message_id: int
    account_id: int
    called_at: datetime
    finding: Finding
    not_taken: list[int] = field(default_factory=list)
    cost: Decimal = Decimal(0)


def write(found: Sequence[Finding], *, now: datetime) -> Counter:
    """
    Write down findings, and when each call is asked about next; answers the number by what became of them.

    Everything is compare-and-set in one transaction: whatever a receipt or a late answer said
    meanwhile stays. What was definitely not taken gives its slot back; transactional and service
    messages are queued again while they are valid, and all others are failed.
    """
    if not found:
        return Counter()
    total: Counter = Counter()
    with transaction.atomic(), connection.cursor() as cursor:
        calls = _lock(cursor, found)
        _write_taken(cursor, calls, total, now)
        _write_missed(cursor, calls, total)
        _write_missed_again(cursor, calls, total, now)
        _write_hopeless(cursor, calls, now)
        _schedule(cursor, calls, now)
    return total


def _lock(cursor, found: Sequence[Finding]) -> list[_Call]:
    """Lock messages, submissions and deliveries, in the order of everybody else."""
    findings = {finding.submission_id: finding for finding in found}
    cursor.execute(
        "SELECT id FROM notifications_message WHERE id IN"
        " (SELECT message_id FROM notifications_submission WHERE id = ANY(%s)) ORDER BY id FOR SHARE",
        [list(findings)],
    )
    cursor.execute(
        "SELECT id, message_id, account_id, called_at FROM notifications_submission"
        " WHERE id = ANY(%s) AND ask_at IS NOT NULL ORDER BY id FOR UPDATE",
        [list(findings)],
    )
    calls = [_Call(*row, findings[row[0]]) for row in cursor.fetchall()]
    touched = [id for call in calls for id in (*call.finding.taken, *call.finding.missed, *call.finding.missed_again)]
    cursor.execute("SELECT id FROM notifications_delivery WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [touched])
    return calls


def _write_taken(cursor, calls: Sequence[_Call], total: Counter, now: datetime) -> None:
    told = [
        {
            "id": id,
            "submission_id": call.id,
            "called_at": call.called_at.isoformat(),
            "delivered": answer.delivered if isinstance(answer.delivered, bool) else None,
            "code": _storable(answer.code)[:LONGEST_REASON],
            "provider_id": _storable(answer.provider_id)[:LONGEST_PROVIDER_ID],
        }
        for call in calls
        for id, answer in call.finding.taken.items()
    ]
    cursor.execute(
        """
        UPDATE notifications_delivery d SET
            status = CASE WHEN told.delivered THEN 'delivered' WHEN told.delivered IS NULL THEN 'sent'
                ELSE 'undelivered' END,
            reason = CASE WHEN told.delivered IS FALSE THEN coalesce(nullif(told.code, ''), 'undelivered') ELSE '' END,
            provider_id = coalesce(nullif(told.provider_id, ''), d.provider_id),
            sent_at = coalesce(d.sent_at, told.called_at),
            -- A failure without a moment is as old as its call, so that a carrier's own report still counts.
            finished_at = CASE WHEN told.delivered THEN %s::timestamptz WHEN NOT told.delivered THEN told.called_at END
        FROM jsonb_to_recordset(%s) AS told(
            id bigint, submission_id bigint, called_at timestamptz, delivered boolean, code text, provider_id text
        )
        WHERE d.id = told.id AND d.submission_id = told.submission_id
            AND (
                d.status = 'unknown' OR d.status = 'sent' AND told.delivered IS NOT NULL
                OR d.status = 'undelivered' AND told.delivered
            )
        RETURNING d.status
        """,
        [now, Jsonb(told)],
    )
    total.update(status for (status,) in cursor.fetchall())


def _storable(words: object) -> str:
    """Foreign words as PostgreSQL takes them."""
    return str(words).encode("utf-8", "replace").decode().replace("\x00", "")


def _write_missed(cursor, calls: Sequence[_Call], total: Counter) -> None:
    """Note the first definite "not found"."""
    for call in calls:
        if call.finding.missed:
            cursor.execute(
                "UPDATE notifications_delivery SET reason = 'not_found'"
                " WHERE id = ANY(%s) AND submission_id = %s AND status = 'unknown' AND reason <> 'not_found'",
                [call.finding.missed, call.id],
            )
            total["not_found"] += cursor.rowcount


def _write_missed_again(cursor, calls: Sequence[_Call], total: Counter, now: datetime) -> None:
    """The second definite "not found": queue again what still matters and may go twice, fail the rest."""
    sure = [call for call in calls if call.finding.missed_again and now >= call.called_at + SILENT_AFTER]
    messages = Message.objects.in_bulk({call.message_id for call in sure})
    for call in sure:
        message = messages[call.message_id]
        call.cost = _cost(cursor, call)
        again = _queue_again(cursor, call) if _may_go_again(message, now) else []
        failed = _fail(cursor, call, now)
        total.update(queued_again=len(again), not_taken=len(failed))
        call.not_taken = again + failed
        call.cost -= _cost(cursor, call)
        if again:
            deliveries.resubmit(cursor, message, again, send_after=now)
    _give_slots_back(cursor, [(call, messages[call.message_id]) for call in sure if call.not_taken])
    # Budgets after slots, as in the last check: whoever holds one of both waits for nobody who holds the other.
    for call in sorted(sure, key=lambda call: call.account_id):
        if call.cost:
            budgets.release_cost(cursor, call.account_id, call.cost, called_at=call.called_at)


def _cost(cursor, call: _Call) -> Decimal:
    """What the deliveries cost that were not found again."""
    cursor.execute(
        "SELECT coalesce(sum(cost), 0) FROM notifications_delivery WHERE id = ANY(%s) AND submission_id = %s",
        [call.finding.missed_again, call.id],
    )
    return cursor.fetchone()[0]


def _may_go_again(message: Message, now: datetime) -> bool:
    """Whether a message that was not taken is still worth sending, and a small risk of sending it twice."""
    is_valid = message.canceled_at is None and message.send_until > now
    return is_valid and not Purpose(message.purpose).needs_consent


def _queue_again(cursor, call: _Call) -> list[int]:
    """Unknown → queued, unless somebody has sent it again by hand meanwhile."""
    cursor.execute(
        f"""
        UPDATE notifications_delivery d
        SET status = 'queued', reason = '', provider_id = '', segments = 0, cost = 0
        WHERE d.id = ANY(%s) AND d.submission_id = %s AND d.status = 'unknown' AND d.reason = 'not_found'
            AND d.attempts < %s AND NOT {deliveries.SENT_AGAIN}
        RETURNING d.id
        """,
        [call.finding.missed_again, call.id, ATTEMPTS],
    )
    return sorted(row[0] for row in cursor.fetchall())


def _fail(cursor, call: _Call, now: datetime) -> list[int]:
    cursor.execute(
        """
        UPDATE notifications_delivery
        SET status = 'failed', reason = 'not_taken', segments = 0, cost = 0, finished_at = %s
        WHERE id = ANY(%s) AND submission_id = %s AND status = 'unknown' AND reason = 'not_found'
        RETURNING id
        """,
        [now, call.finding.missed_again, call.id],
    )
    return [row[0] for row in cursor.fetchall()]


def _give_slots_back(cursor, calls: Sequence[tuple[_Call, Message]]) -> None:
    """Take back what authorize() counted for deliveries that were definitely not taken; of codes it may be nothing."""
    subjects = {call.id: _subjects(cursor, call, message) for call, message in calls}
    # All locks first, in one order for all workers.
    cursor.execute(
        "SELECT subject FROM notifications_recentsends WHERE subject = ANY(%s) ORDER BY subject FOR UPDATE",
        [sorted({subject for found in subjects.values() for subject in found})],
    )
    for call, message in calls:
        packed = caps.pack(call.called_at, channel=message.channel, purpose=message.purpose)
        cursor.execute(
            "UPDATE notifications_recentsends SET sends = array_remove(sends, %s::bigint) WHERE subject = ANY(%s)",
            [packed, subjects[call.id]],
        )


def _subjects(cursor, call: _Call, message: Message) -> list[int]:
    address = caps.ADDRESS_SUBJECT.format(channel="%s::text", address="address")
    cursor.execute(
        f"SELECT customer_id, {address} FROM notifications_delivery WHERE id = ANY(%s)",
        [str(message.channel), call.not_taken],
    )
    return [subject for row in cursor.fetchall() for subject in row if subject is not None]


def _write_hopeless(cursor, calls: Sequence[_Call], now: datetime) -> None:
    """Say so where nobody will be able to tell any more."""
    untold = [
        call.id
        for call in calls
        if now >= call.called_at + (HOPELESS_AFTER if call.finding.can_tell else SILENT_AFTER)
    ]
    cursor.execute(
        "UPDATE notifications_delivery SET reason = 'cannot_tell'"
        " WHERE submission_id = ANY(%s) AND status = 'unknown' AND reason NOT IN ('not_found', 'cannot_tell')",
        [untold],
    )


def _schedule(cursor, calls: Sequence[_Call], now: datetime) -> None:
    """Set when each call is asked about next; one without anything in doubt is settled."""
    cursor.execute(
        """
        SELECT s.id, count(*) FILTER (WHERE d.status = 'unknown'),
            count(*) FILTER (WHERE d.status = 'unknown' AND d.reason = 'not_found'),
            count(*) FILTER (WHERE d.status = 'sent')
        FROM unnest(%s::bigint[]) AS s(id) JOIN notifications_delivery d ON d.submission_id = s.id
        GROUP BY s.id
        """,
        [[call.id for call in calls]],
    )
    open_rows = {id: counts for id, *counts in cursor.fetchall()}
    moments, settled = [], []
    for call in calls:
        unknown, missed_once, sent = open_rows.get(call.id, (0, 0, 0))
        moments.append(_next_ask(call, now, unknown=unknown, missed_once=missed_once, sent=sent))
        # Its worker may still wake up: whatever it brings must not touch what was queued again.
        settled.append(not unknown or bool(call.not_taken))
    cursor.execute(
        """
        UPDATE notifications_submission s SET
            ask_at = next.at, status = CASE WHEN s.status = 'lost' AND next.is_settled THEN 'settled' ELSE s.status END
        FROM unnest(%s::bigint[], %s::timestamptz[], %s::boolean[]) AS next(id, at, is_settled)
        WHERE s.id = next.id
        """,
        [[call.id for call in calls], moments, settled],
    )


def _next_ask(call: _Call, now: datetime, *, unknown: int, missed_once: int, sent: int) -> datetime | None:
    if not unknown and not sent:
        return None
    elapsed = now - call.called_at
    first = DOUBTFUL_AFTER if unknown else SILENT_AFTER
    moments = [call.called_at + step for step in STEPS if step > elapsed and step >= first]
    if elapsed < FORGOTTEN_AFTER and missed_once:
        moments.append(max(call.called_at + SILENT_AFTER, now + max(SECOND_LOOK, elapsed / 8)))
    if elapsed < FORGOTTEN_AFTER and call.finding.is_unanswered:
        moments.append(now + max(TRIED_AGAIN_AFTER, elapsed / 4))
    return min(moments, default=None)
