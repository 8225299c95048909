"""The automatic brake: pauses a message that goes wrong, with the reason; staff decide what then."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils.translation import gettext

from customers.msgid import _
from notifications.choices import BrakeKind
from notifications.models import BrakePull, BrakeRule, Message
from notifications.services import brake_rules, canaries
from notifications.services.words import in_every_language

# So many of the latest calls, and of the messages in them, are looked at: enough to judge by, quick to read.
LATEST_CALLS = 200
LATEST_DELIVERIES = 1_000
# Whoever opts out later than that after a message does so for another reason.
ANSWERS_WITHIN = timedelta(hours=24)
PAUSED_FOR = {
    BrakeKind.ERRORS: _("Stopped by the brake: too many messages were refused, or nobody knows what became of them."),
    BrakeKind.OPT_OUTS: _("Stopped by the brake: too many people opted out after it."),
    BrakeKind.COMPLAINTS: _("Stopped by the brake: too many people complained about it."),
    BrakeKind.CANARY: _("Stopped by the brake: too little of the first part arrived."),
}


@dataclass(frozen=True)
class Active:
    """A message that is going out; what went before `since` is not held against it."""

    id: int
    since: datetime | None
    sent: int


@dataclass(frozen=True)
class Trip:
    """A message that has to stop, and the sentence that says why."""

    message_id: int
    kind: BrakeKind
    sentence: Callable[[], str]


def check(*, now: datetime) -> Counter:
    """
    Pause what goes wrong, and let the rest of a good first part follow; answers counts by kind.

    Transactional messages are left alone: a code or a notice of payment that some numbers refuse
    must still reach the others.
    """
    rule = brake_rules.current()
    done: Counter = Counter()
    for verdict in canaries.verdicts(rule, now=now):
        is_judged = verdict.is_complete or verdict.is_over
        if is_judged and verdict.is_good(rule):
            done["released"] += bool(canaries.release(verdict.message_id, now=now))
        elif is_judged:
            done[BrakeKind.CANARY] += pull(_canary_trip(verdict), now=now)
    active = _active(now)
    if active:
        for trip in (*_errors(active, rule, now), *_opt_outs(active, rule, now), *_complaints(active, rule, now)):
            done[trip.kind] += pull(trip, now=now)
    return +done


def pull(trip: Trip, *, now: datetime) -> int:
    """
    Pause a message for a reason; 0 where it was paused or canceled already.

    What waited behind its first part waits for staff alone from now on: to resume means to go on.
    """
    with transaction.atomic():
        if not Message.objects.filter(pk=trip.message_id).pause(now, reason=PAUSED_FOR[trip.kind]):
            return 0
        BrakePull.objects.create(
            message_id=trip.message_id,
            kind=trip.kind,
            words=in_every_language(trip.sentence),
            sent_count=_handed_over([trip.message_id]).get(trip.message_id, 0),
            pulled_at=now,
        )
        canaries.release(trip.message_id, now=now)
    return 1


def latest_pull(message_ids: list[int]) -> BrakePull | None:
    """Why the brake stopped one of these messages the last time, if it is still stopped for that."""
    pulled = BrakePull.objects.filter(message_id__in=message_ids, message__paused_at__isnull=False)
    return next((one for one in pulled.select_related("message") if one.message.paused_at <= one.pulled_at), None)


def _active(now: datetime) -> dict[int, Active]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT m.id, pulled.pulled_at, coalesce(pulled.sent_count, 0) FROM notifications_message m
            LEFT JOIN LATERAL (
                SELECT p.pulled_at, p.sent_count FROM notifications_brakepull p
                WHERE p.message_id = m.id ORDER BY p.id DESC LIMIT 1
            ) AS pulled ON true
            WHERE m.paused_at IS NULL AND m.canceled_at IS NULL AND NOT m.is_test AND m.purpose <> 'transactional'
                AND m.send_after <= %s AND m.send_until > %s
                AND EXISTS (
                    SELECT FROM notifications_submission s
                    WHERE s.message_id = m.id AND s.status IN ('queued', 'leased', 'called')
                )
            """,
            [now, now],
        )
        rows = cursor.fetchall()
    handed_over = _handed_over([row[0] for row in rows])
    return {id: Active(id, since, handed_over.get(id, 0) - before) for id, since, before in rows}


def _handed_over(message_ids: list[int]) -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT message_id, sum(count) FROM notifications_deliverytally WHERE message_id = ANY(%s)"
            " AND status IN ('sent', 'delivered', 'undelivered', 'unknown') GROUP BY message_id",
            [message_ids],
        )
        return {message_id: int(count) for message_id, count in cursor.fetchall()}


def _errors(active: dict[int, Active], rule: BrakeRule, now: datetime) -> Iterator[Trip]:
    """Messages of whose latest calls too many failed."""
    if rule.error_percent is None:
        return
    since = now - timedelta(minutes=rule.error_minutes)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT m.id, count(*), count(*) FILTER (WHERE latest.status IN ('failed', 'unknown'))
            FROM unnest(%s::bigint[], %s::timestamptz[]) AS m(id, since)
            CROSS JOIN LATERAL (
                SELECT d.status FROM (
                    (SELECT s.id FROM notifications_submission s
                    WHERE s.message_id = m.id AND s.status = 'settled' AND s.called_at > m.since
                    ORDER BY s.id DESC LIMIT %s)
                    UNION ALL
                    (SELECT s.id FROM notifications_submission s
                    WHERE s.message_id = m.id AND s.status = 'lost' AND s.called_at > m.since
                    ORDER BY s.id DESC LIMIT %s)
                ) AS calls JOIN notifications_delivery d ON d.submission_id = calls.id
                WHERE d.status IN ('sent', 'delivered', 'undelivered', 'failed', 'unknown') LIMIT %s
            ) AS latest
            GROUP BY m.id
            """,
            [
                list(active),
                [max(since, one.since or since) for one in active.values()],
                LATEST_CALLS,
                LATEST_CALLS,
                LATEST_DELIVERIES,
            ],
        )
        rows = cursor.fetchall()
    for message_id, total, bad in rows:
        if total >= rule.error_minimum and 100 * bad > rule.error_percent * total:
            yield Trip(message_id, BrakeKind.ERRORS, lambda total=total, bad=bad: _error_words(total, bad))


def _opt_outs(active: dict[int, Active], rule: BrakeRule, now: datetime) -> Iterator[Trip]:
    """Messages after which too many people withdrew their consent."""
    if rule.opt_out_percent is None:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT d.message_id, count(DISTINCT d.customer_id)
            FROM (
                SELECT customer_id, max(recorded_at) AS at FROM customers_consentchange
                WHERE status = 'withdrawn' AND NOT source = 'import' AND recorded_at > %s GROUP BY customer_id
            ) AS withdrawn
            JOIN notifications_delivery d ON d.customer_id = withdrawn.customer_id
            JOIN unnest(%s::bigint[], %s::timestamptz[]) AS m(id, since) ON m.id = d.message_id
            WHERE d.sent_at BETWEEN withdrawn.at - %s::interval AND withdrawn.at
                AND d.sent_at > coalesce(m.since, '-infinity')
            GROUP BY d.message_id
            """,
            [now - ANSWERS_WITHIN, list(active), [one.since for one in active.values()], ANSWERS_WITHIN],
        )
        rows = cursor.fetchall()
    for message_id, count in rows:
        sent = active[message_id].sent
        if sent >= rule.answer_minimum and 100 * count > rule.opt_out_percent * sent:
            yield Trip(message_id, BrakeKind.OPT_OUTS, lambda count=count, sent=sent: _opt_out_words(count, sent))


def _complaints(active: dict[int, Active], rule: BrakeRule, now: datetime) -> Iterator[Trip]:
    """Messages after which too many people complained."""
    if rule.complaint_percent is None:
        return
    with connection.cursor() as cursor:
        # Closed addresses carry PostgreSQL's own time, whatever the shop's clock says.
        cursor.execute(
            """
            SELECT d.message_id, count(DISTINCT d.customer_id)
            FROM customers_suppression closed
            JOIN customers_contactpoint p ON p.channel = closed.channel AND p.address = closed.address
            JOIN notifications_delivery d ON d.customer_id = p.customer_id
            JOIN unnest(%s::bigint[], %s::timestamptz[]) AS m(id, since) ON m.id = d.message_id
            WHERE closed.reason = 'complained' AND closed.created_at > now() - %s::interval
                AND d.sent_at > greatest(%s, coalesce(m.since, '-infinity'))
            GROUP BY d.message_id
            """,
            [list(active), [one.since for one in active.values()], ANSWERS_WITHIN, now - ANSWERS_WITHIN],
        )
        rows = cursor.fetchall()
    for message_id, count in rows:
        sent = active[message_id].sent
        if sent >= rule.answer_minimum and 100 * count > rule.complaint_percent * sent:
            yield Trip(message_id, BrakeKind.COMPLAINTS, lambda count=count, sent=sent: _complaint_words(count, sent))


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "0"


def _error_words(total: int, bad: int) -> str:
    return gettext("Of the latest %(total)s messages %(bad)s failed or have no known outcome (%(percent)s %%).") % {
        "total": f"{total:,}", "bad": f"{bad:,}", "percent": _percent(bad, total),
    }  # fmt: skip


def _opt_out_words(count: int, sent: int) -> str:
    return gettext("Of %(sent)s people %(count)s opted out within 24 hours (%(percent)s %%).") % {
        "sent": f"{sent:,}", "count": f"{count:,}", "percent": _percent(count, sent),
    }  # fmt: skip


def _complaint_words(count: int, sent: int) -> str:
    return gettext("Of %(sent)s people %(count)s complained within 24 hours (%(percent)s %%).") % {
        "sent": f"{sent:,}", "count": f"{count:,}", "percent": _percent(count, sent),
    }  # fmt: skip


def _canary_trip(verdict: canaries.Verdict) -> Trip:
    def sentence() -> str:
        numbers = {"sent": f"{verdict.sent:,}", "answered": f"{verdict.answered:,}", "bad": f"{verdict.bad:,}"}
        if verdict.answered < verdict.sent * canaries.ANSWERED_AT_LEAST:
            words = gettext(
                "Of the first %(sent)s messages only %(answered)s have a receipt, so nobody knows whether they arrive."
            )
        else:
            words = gettext("Of the first %(sent)s messages %(bad)s did not arrive.")
        return words % numbers

    return Trip(verdict.message_id, BrakeKind.CANARY, sentence)
