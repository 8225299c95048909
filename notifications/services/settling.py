"""Settling: writing down what the provider answered, and what became of calls without an answer."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Q

from customers.crash_points import reach
from notifications import hot
from notifications.choices import DeliveryStatus, GatewayKind, HeldFor, SubmissionStatus
from notifications.models import Delivery, Message, ProviderAccount, Submission
from notifications.providers.base import Answer, Outcome, unknown_code
from notifications.services import (
    budgets,
    clearance,
    deliveries,
    preparing,
    reconciling,
    rests,
    slots,
    submissions,
    write_back,
)
from notifications.services.authorizing import Authorized
from notifications.services.preparing import Prepared
from notifications.services.submissions import LEASE, Leased

ATTEMPTS = 5
BACK_OFF = [timedelta(seconds=seconds) for seconds in (10, 60, 300, 900)]
LONGEST_PROVIDER_ID = Delivery._meta.get_field("provider_id").max_length
NOT_TAKEN = {Outcome.REFUSED_NUMBER, Outcome.REFUSED_CONTENT}
PUT_OFF = {Outcome.REFUSED_LATER, Outcome.REFUSED_ACCOUNT, Outcome.WITHHELD}
FINAL = {
    Outcome.TAKEN: (DeliveryStatus.SENT.value, ""),
    Outcome.REFUSED_NUMBER: (DeliveryStatus.FAILED.value, "refused_number"),
    Outcome.REFUSED_CONTENT: (DeliveryStatus.FAILED.value, "refused_content"),
    Outcome.UNKNOWN: (DeliveryStatus.UNKNOWN.value, "ambiguous"),
}
ARRIVED = {Outcome.TAKEN: (DeliveryStatus.DELIVERED.value, "")}
_quoted = json.encoder.encode_basestring


@dataclass(frozen=True)
class Call:
    """One call that was made: what it carried and what came back, in the same order."""

    submission: Leased
    rows: Sequence[Prepared]
    answers: Sequence[Answer]


def settle(message: Message, calls: Sequence[Call], authorized: Authorized, *, now: datetime) -> Counter:
    """
    Write down the answers to some calls of one message; answers the number of rows by outcome.

    Only rows of submissions that still carry our token are touched, also when the lease ran out
    meanwhile: a late answer is better than none. Slots go back for definite refusals alone.
    """
    found: Counter = Counter()
    # First, and by itself: shutting the consent gate with rows in hand would wait for whoever wants them.
    _close_numbers(message, calls, authorized, now)
    with transaction.atomic(), hot.cursor() as cursor:
        _hold_still(cursor, message, calls)
        ours = _settle_submissions(cursor, calls, now)
        finals, refused = [], []
        for call in calls:
            if call.submission.id not in ours:
                continue
            is_text_taken = any(answer.outcome == Outcome.TAKEN for answer in call.answers)
            for row, answer in zip(call.rows, call.answers, strict=True):
                found[answer.outcome] += 1
                is_put_off = _is_put_off(answer, is_text_taken=is_text_taken)
                (refused if is_put_off else finals).append((row, answer))
        moved = _write_finals(cursor, finals, authorized, now)
        if refused:
            moved |= _put_off(cursor, message, refused, authorized, now)
        not_taken = [*refused, *((row, answer) for row, answer in finals if answer.outcome in NOT_TAKEN)]
        # What a receipt has meanwhile shown to be taken keeps its slot.
        if given_back := [row for row, _ in not_taken if row.id in moved]:
            slots.give_back(cursor, message, given_back, called_at=authorized.called_at)
            budgets.give_back(cursor, authorized.account, given_back, called_at=authorized.called_at)
        reach("before_settle_commit")
    reach("after_settle")
    if again_at := rests.begin(authorized.account, (answer for _, answer in refused), now=now):
        submissions.hold_back(message, until=again_at, held_for=HeldFor.RETRY)
    return Counter({outcome.value: count for outcome, count in found.items()})


def _hold_still(cursor, message: Message, calls: Sequence[Call]) -> None:
    """
    Let nobody send a message again by hand while rows of it are put back, or both would go out.

    Whoever is going to pause it takes the stronger lock at once: two that hold the weaker one would
    wait for each other.
    """
    outcomes = {answer.outcome for call in calls for answer in call.answers}
    if Outcome.REFUSED_CONTENT in outcomes:
        cursor.execute("SELECT FROM notifications_message WHERE id = %s FOR NO KEY UPDATE", [message.pk])
    elif outcomes & PUT_OFF:
        cursor.execute("SELECT FROM notifications_message WHERE id = %s FOR SHARE", [message.pk])


def _close_numbers(message: Message, calls: Sequence[Call], authorized: Authorized, now: datetime) -> None:
    """Note at the customer what a refusal says of the number itself."""
    told = [(row.address, answer) for call in calls for row, answer in zip(call.rows, call.answers, strict=True)]
    if refusals := write_back.refusals(told):
        write_back.close(message.channel, refusals, write_back.codes_of(authorized.account), now=now)


def _is_put_off(answer: Answer, *, is_text_taken: bool) -> bool:
    """Whether a refusal is not the row's own: a text that others in its call could have is refused for its values."""
    if answer.outcome == Outcome.REFUSED_CONTENT:
        return not is_text_taken
    return answer.outcome in PUT_OFF


def _settle_submissions(cursor, calls: Sequence[Call], now: datetime) -> set[int]:
    cursor.execute(
        """
        UPDATE notifications_submission s
        SET status = 'settled', settled_at = %s, lease_until = NULL, ask_at = s.called_at + mine.ask_after,
            has_failed = mine.has_failed
        FROM unnest(%s::bigint[], %s::uuid[], %s::interval[], %s::boolean[]) AS mine(id, token, ask_after, has_failed)
        WHERE s.id = mine.id AND s.token = mine.token AND s.status IN ('called', 'lost')
        RETURNING s.id
        """,
        [
            now,
            [call.submission.id for call in calls],
            [call.submission.token for call in calls],
            [reconciling.first_ask_after(call.answers) for call in calls],
            [_has_failed(call.answers) for call in calls],
        ],
    )
    return {row[0] for row in cursor.fetchall()}


def _has_failed(answers: Sequence[Answer]) -> bool:
    """Whether a call was taken by nobody, or nobody knows; what its account's health is measured by."""
    told = [answer for answer in answers if answer.outcome != Outcome.WITHHELD]
    return bool(told) and all(
        answer.outcome == Outcome.UNKNOWN or (answer.outcome == Outcome.REFUSED_LATER and answer.is_for_all)
        for answer in told
    )


def _write_finals(
    cursor,
    finals: Sequence[tuple[Prepared, Answer]],
    authorized: Authorized,
    now: datetime,
) -> set[int]:
    """Write what is over; answers the rows that moved, where any of them was refused."""
    if not finals:
        return set()
    is_refused = any(answer.outcome in NOT_TAKEN for _, answer in finals)
    # What stands in an inbox has arrived, and no receipt will say so.
    final = FINAL | ARRIVED if authorized.account.gateway == GatewayKind.INBOX else FINAL
    fates = [final[answer.outcome] for _, answer in finals]
    cursor.execute(
        f"""
        UPDATE notifications_delivery d SET
            status = told.status, reason = coalesce(told.reason, ''), provider_id = coalesce(told.provider_id, ''),
            attempts = d.attempts + 1, values = nullif(told.values, '')::jsonb,
            segments = told.segments, cost = told.segments * %s::numeric,
            sent_at = CASE WHEN told.status IN ('sent', 'delivered') THEN %s::timestamptz END,
            finished_at = CASE WHEN told.status IN ('failed', 'delivered') THEN %s::timestamptz END
        FROM unnest(%s::bigint[], {hot.WORDS}, {hot.WORDS}, {hot.WORDS}, %s::int[], {hot.WORDS})
            AS told(id, status, reason, provider_id, segments, values)
        WHERE d.id = told.id AND d.status IN ('queued', 'unknown')
        {"RETURNING d.id" if is_refused else ""}
        """,
        [
            # What it was planned with is an estimate: another account may carry it.
            authorized.account.price,
            authorized.called_at,
            now,
            hot.integers([row.id for row, _ in finals]),
            hot.words([status for status, _ in fates]),
            hot.words([reason for _, reason in fates]),
            hot.words([_bounded(answer.provider_id) for _, answer in finals]),
            hot.integers([row.segments if answer.outcome not in NOT_TAKEN else 0 for row, answer in finals]),
            hot.words([_as_json(row.values) if row.values else "" for row, _ in finals]),
        ],
    )
    return {row[0] for row in cursor.fetchall()} if is_refused else set()


def _as_json(values: dict[str, str]) -> str:
    """An object of texts, in a third of the time that an encoder of everything takes."""
    return "{" + ",".join([f"{_quoted(name)}:{_quoted(value)}" for name, value in values.items()]) + "}"


def _bounded(provider_id: str) -> str:
    return provider_id[:LONGEST_PROVIDER_ID].replace(hot.SEPARATOR, "").replace("\x00", "")


def _put_off(
    cursor,
    message: Message,
    refused: Sequence[tuple[Prepared, Answer]],
    authorized: Authorized,
    now: datetime,
) -> set[int]:
    """
    Rows that were certainly not taken wait for another try; the fifth refusal of one is its last.

    A whole call that was put off counts for none of them: an outage ends, or the message's window does.
    Whoever opted out before their call began is skipped. Answers the rows that moved.
    """
    stop = next((a for _, a in refused if a.outcome == Outcome.REFUSED_CONTENT), None)
    if stop is not None:
        Message.objects.filter(pk=message.pk).pause(now, reason=stop.words[:200])
    broke = next((a for _, a in refused if a.outcome == Outcome.REFUSED_ACCOUNT), None)
    if broke is not None:
        ProviderAccount.objects.filter(pk=authorized.account.pk, paused_for="").update(
            # Without words the account would not be paused, and be called again and again.
            paused_for=(broke.words or unknown_code(broke.code))[:200]
        )
    answers = {row.id: answer for row, answer in refused}
    blames_all = bool(stop or broke)
    tries = [int(not (blames_all or answer.is_for_all or _is_withheld(answer))) for answer in answers.values()]
    reasons = [answer.code if clearance.is_late(answer) else "" for answer in answers.values()]
    cursor.execute(
        f"""
        UPDATE notifications_delivery d
        SET status = CASE WHEN tried.reason = '' THEN 'queued' ELSE 'skipped' END, reason = tried.reason,
            finished_at = CASE WHEN tried.reason = '' THEN NULL ELSE %s::timestamptz END,
            segments = 0, cost = 0, attempts = d.attempts + tried.times
        FROM unnest(%s::bigint[], %s::int[], %s::text[]) AS tried(id, times, reason)
        WHERE d.id = tried.id AND (d.status = 'queued' OR d.status = 'unknown' AND NOT {deliveries.SENT_AGAIN})
        RETURNING d.id, d.status, d.attempts
        """,
        [now, list(answers), tries, reasons],
    )
    rows = cursor.fetchall()
    moved = {row[0] for row in rows}
    if len(moved) < len(answers):
        # The answer came so late that somebody has sent it again by hand: once is enough.
        cursor.execute(
            "UPDATE notifications_delivery SET status = 'failed', reason = 'not_taken', segments = 0, cost = 0,"
            " finished_at = %s WHERE id = ANY(%s) AND status = 'unknown' RETURNING id",
            [now, list(answers)],
        )
        moved |= {row[0] for row in cursor.fetchall()}
    spent = [id for id, status, tried in rows if status == DeliveryStatus.QUEUED and tried >= ATTEMPTS]
    cursor.execute(
        "UPDATE notifications_delivery SET status = 'failed', reason = 'gave_up', finished_at = %s WHERE id = ANY(%s)",
        [now, spent],
    )
    again = {id: tried for id, status, tried in rows if status == DeliveryStatus.QUEUED and tried < ATTEMPTS}
    _resubmit(cursor, message, [(row, answer) for row, answer in refused if row.id in again], again, now)
    return moved


def _resubmit(
    cursor, message: Message, refused: Sequence[tuple[Prepared, Answer]], tried: dict[int, int], now: datetime
) -> None:
    """Let rows wait for their next call: by how often they were tried, and what belongs together with each other."""
    waiting: dict[tuple, list[int]] = {}
    for row, answer in refused:
        apart = (row.submission_id, answer.part) if answer.part else ()
        waiting.setdefault((tried[row.id], _is_withheld(answer), apart), []).append(row.id)
    for (times, is_withheld, _apart), ids in sorted(waiting.items()):
        # What we kept back ourselves goes out as soon as nothing keeps it back.
        pause = timedelta(0) if is_withheld else BACK_OFF[min(max(times, 1), len(BACK_OFF)) - 1]
        held_for = "" if is_withheld else HeldFor.RETRY
        deliveries.resubmit(cursor, message, sorted(ids), send_after=now + pause, held_for=held_for)


def _is_withheld(answer: Answer) -> bool:
    return answer.outcome == Outcome.WITHHELD


def recover_lost(*, now: datetime) -> dict[str, int]:
    """
    Deal with submissions whose worker has gone quiet.

    Not called: queued again, nothing had left the house. Called: lost, and its deliveries unknown;
    the provider may have them, so they are never sent again blindly.
    """
    # No lease of this minute is as long: the clock was set back since, and its worker may be long dead.
    too_long = now + 2 * LEASE
    over = Q(lease_until__lt=now) | Q(lease_until__gt=too_long)
    requeued = Submission.objects.filter(over, status=SubmissionStatus.LEASED).update(
        status=SubmissionStatus.QUEUED, token=None, lease_until=None
    )
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE notifications_submission
            SET status = 'lost', has_failed = true, lease_until = NULL, ask_at = called_at + %s
            WHERE id IN (
                SELECT id FROM notifications_submission
                WHERE status = 'called' AND (lease_until < %s OR lease_until > %s)
                ORDER BY id FOR UPDATE SKIP LOCKED
            ) RETURNING message_id, id
            """,
            [reconciling.DOUBTFUL_AFTER, now, too_long],
        )
        lost: dict[int, list[int]] = {}
        for message_id, submission_id in cursor.fetchall():
            lost.setdefault(message_id, []).append(submission_id)
        unknown = sum(
            _write_unknown(cursor, message, lost[message.pk]) for message in Message.objects.filter(pk__in=lost)
        )
        reach("before_recovery_commit")
    return {"requeued": requeued, "lost": sum(map(len, lost.values())), "unknown": unknown}


def _write_unknown(cursor, message: Message, submission_ids: Sequence[int]) -> int:
    """Mark what lost submissions carried as unknown, with what it costs if it went out."""
    try:
        prepared, _unsendable = preparing.prepare(message, submission_ids)
    except preparing.Unrenderable:
        # What it cost cannot be told any more; that nobody knows what became of it must be.
        prepared = []
    told = [{"id": row.id, "segments": row.segments, "values": row.values} for row in prepared]
    cursor.execute(
        """
        UPDATE notifications_delivery d SET
            status = 'unknown', reason = 'no_answer', attempts = d.attempts + 1,
            -- What was frozen when it was planned stays where its text can no longer be told.
            values = coalesce(told.values, d.values), segments = coalesce(told.segments, 0),
            cost = coalesce(told.segments, 0) * a.price
        FROM notifications_delivery carried
        JOIN notifications_submission s ON s.id = carried.submission_id
        JOIN notifications_provideraccount a ON a.id = s.account_id
        LEFT JOIN json_to_recordset(%s::json) AS told(id bigint, segments int, values jsonb)
            ON told.id = carried.id
        WHERE d.id = carried.id AND carried.submission_id = ANY(%s) AND d.status = 'queued'
        """,
        [json.dumps(told), list(submission_ids)],
    )
    return cursor.rowcount
