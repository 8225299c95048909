"""Reconciling: asking the provider what became of calls whose answer, or whose receipts, never came."""

import logging
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection

from customers.crash_points import reach
from notifications import secrets
from notifications.choices import DeliveryStatus
from notifications.models import ProviderAccount
from notifications.providers.base import Answer, Asked, NotFound, Outcome, Provider
from notifications.providers.mapping import BadMapping
from notifications.services import findings, gateways
from notifications.services.findings import DOUBTFUL_AFTER, SILENT_AFTER, Finding

logger = logging.getLogger(__name__)

# A worker that dies while it asks leaves its calls to the others after this time.
LEASE = timedelta(minutes=5)
TAKEN_AT_ONCE = 50
# A gateway that is asked number by number answers so many within seconds.
ASKED_AT_ONCE = 100
MOST_ACCOUNTS = 8
# So long the other calls of an account wait that did not answer one.
BREATH = timedelta(minutes=1)
NO_QUERY = "no_query"


@dataclass(slots=True)
class Doubtful:
    """A delivery in question; its reason tells whether the provider has already not found it once."""

    id: int
    status: str
    reason: str
    address: str
    provider_id: str


@dataclass(slots=True)
class Call:
    """One submission whose deliveries are asked for."""

    id: int
    message_id: int
    account_id: int
    token: uuid.UUID
    called_at: datetime
    rows: list[Doubtful] = field(default_factory=list)

    def reference(self, row: Doubtful) -> str:
        """The name under which the provider was given a delivery."""
        return f"{self.token.hex}-{row.id}"

    def asked(self) -> list[Asked]:
        """The deliveries in question, as an adapter wants them."""
        return [
            Asked(self.reference(row), self.token.hex, row.address, row.provider_id, self.called_at)
            for row in self.rows
        ]


@dataclass
class Line:
    """What is asked of one account, one question after the other."""

    provider: Provider
    questions: Iterator[list[Call]]


def first_ask_after(answers: Sequence[Answer]) -> timedelta | None:
    """How long after a call its messages are first asked for; None where all is known already."""
    if all(answer.delivered for answer in answers):
        return None
    is_doubtful = any(answer.outcome == Outcome.UNKNOWN for answer in answers)
    return DOUBTFUL_AFTER if is_doubtful else SILENT_AFTER


def reconcile(*, now: datetime, seconds: float) -> Counter:
    """
    Ask the providers about what is due; answers the number of deliveries by what became of them.

    1. Take due calls by moving `ask_at` forward: a crash from here on costs the lease, nothing else.
    2. Ask without a transaction, the accounts side by side, so that a dead gateway stalls no other.
    3. Write down each answer as it comes.

    An account that does not answer is left alone for the rest of this run.
    """
    total: Counter = Counter()
    ends = time.monotonic() + seconds
    silent: set[int] = set()
    while time.monotonic() < ends:
        calls = _take(silent, now)
        if not calls:
            break
        _load(calls, now)
        findings.write([Finding(call.id) for call in calls if not call.rows], now=now)
        _ask([call for call in calls if call.rows], total, silent, now=now, ends=ends)
    return total


def _take(silent: set[int], now: datetime) -> list[Call]:
    """Due calls of every account, its most urgent first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH due AS MATERIALIZED (
                SELECT next.id FROM notifications_provideraccount a
                CROSS JOIN LATERAL (
                    SELECT s.id FROM notifications_submission s
                    WHERE s.account_id = a.id AND s.ask_at <= %s
                    ORDER BY s.priority, s.ask_at LIMIT %s
                    FOR UPDATE SKIP LOCKED
                ) AS next
                WHERE a.id <> ALL(%s)
            )
            UPDATE notifications_submission s SET ask_at = %s, asks = s.asks + 1
            FROM due WHERE s.id = due.id
            RETURNING s.id, s.message_id, s.account_id, s.token, s.called_at
            """,
            [now, TAKEN_AT_ONCE, list(silent), now + LEASE],
        )
        return sorted((Call(*row) for row in cursor.fetchall()), key=lambda call: call.id)


def _load(calls: Sequence[Call], now: datetime) -> None:
    """Fill in what is still open of each call."""
    by_id = {call.id: call for call in calls}
    silent = [call.id for call in calls if call.called_at <= now - SILENT_AFTER]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT submission_id, id, status, reason, address, provider_id FROM notifications_delivery
            WHERE submission_id = ANY(%s) AND (
                status = %s OR status = %s AND submission_id = ANY(%s)
            )
            ORDER BY id
            """,
            [list(by_id), DeliveryStatus.UNKNOWN, DeliveryStatus.SENT, silent],
        )
        for submission_id, *row in cursor.fetchall():
            by_id[submission_id].rows.append(Doubtful(*row))


def _ask(calls: Sequence[Call], total: Counter, silent: set[int], *, now: datetime, ends: float) -> None:
    lines = _lines(calls, silent, now)
    with ThreadPoolExecutor(MOST_ACCOUNTS, thread_name_prefix="asking") as threads:
        in_the_air: dict[Future, tuple[Line, list[Call]]] = {}

        def ask_next(line: Line) -> None:
            if question := next(line.questions, None):
                asked = [message for call in question for message in call.asked()]
                in_the_air[threads.submit(line.provider.query, asked)] = line, question

        for line in lines:
            ask_next(line)
        while in_the_air:
            landed, _pending = wait(in_the_air, return_when=FIRST_COMPLETED)
            for future in landed:
                line, question = in_the_air.pop(future)
                answers = _answers(future, question[0].account_id)
                found, is_silent = _understood(question, answers, line.provider)
                reach("before_findings")
                total.update(findings.write(found, now=now))
                if is_silent:
                    silent.add(question[0].account_id)
                    _let_go([call for rest in line.questions for call in rest], until=now + BREATH)
                elif time.monotonic() >= ends:
                    _let_go([call for rest in line.questions for call in rest], until=now)
                else:
                    ask_next(line)


def _lines(calls: Sequence[Call], silent: set[int], now: datetime) -> list[Line]:
    """The accounts' questions; what cannot be asked at all waits."""
    by_account: dict[int, list[Call]] = {}
    for call in calls:
        by_account.setdefault(call.account_id, []).append(call)
    lines = []
    for account in ProviderAccount.objects.filter(pk__in=by_account):
        mine = by_account[account.pk]
        try:
            lines.append(Line(gateways.provider_for(account), iter(_questions(mine))))
        except (secrets.Unreadable, BadMapping, ValueError) as trouble:
            logger.warning("Account %d cannot be asked: %s", account.pk, trouble)
            silent.add(account.pk)
            findings.write([Finding(call.id, is_unanswered=True) for call in mine], now=now)
    return lines


def _questions(calls: Sequence[Call]) -> list[list[Call]]:
    """Whole calls, as many as one question can hold."""
    questions: list[list[Call]] = []
    room = 0
    for call in calls:
        if len(call.rows) > room:
            questions.append([])
            room = ASKED_AT_ONCE
        questions[-1].append(call)
        room -= len(call.rows)
    return questions


def _answers(future: Future, account_id: int) -> list[Answer | NotFound]:
    trouble = future.exception()
    if trouble is not None:
        logger.warning("Account %d could not be asked", account_id, exc_info=trouble)
        return []
    return [answer for answer in future.result() if isinstance(answer, Answer | NotFound)]


def _understood(
    question: Sequence[Call], answers: Sequence[Answer | NotFound], provider: Provider
) -> tuple[list[Finding], bool]:
    """What the answers say about each call, and whether the account answered nothing at all."""
    by_reference: dict[str, Answer | NotFound | None] = {}
    for answer in answers:
        earlier = by_reference.setdefault(answer.reference, answer)
        if earlier != answer:
            # Two answers that differ about one message say nothing.
            by_reference[answer.reference] = None
    is_silent = not any(map(_is_an_answer, answers))
    found = []
    for call in question:
        finding = Finding(call.id, can_tell=provider.can_tell_not_found, is_unanswered=is_silent)
        for row in call.rows:
            match by_reference.get(call.reference(row)):
                case Answer(outcome=Outcome.TAKEN) as answer:
                    finding.taken[row.id] = answer
                case NotFound() if provider.can_tell_not_found and row.status == DeliveryStatus.UNKNOWN:
                    finding.note_not_found(row.id, earlier_reason=row.reason)
        found.append(finding)
    return found, is_silent


def _is_an_answer(answer: Answer | NotFound) -> bool:
    """Whether a gateway said anything: also that it cannot be asked, which no second try would change."""
    if isinstance(answer, NotFound):
        return True
    return answer.outcome != Outcome.UNKNOWN or not answer.is_for_all or answer.code == NO_QUERY


def _let_go(calls: Sequence[Call], *, until: datetime) -> None:
    """Give back calls that were taken and not asked for."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE notifications_submission SET ask_at = %s, asks = greatest(asks - 1, 0)"
            " WHERE id = ANY(%s) AND ask_at IS NOT NULL",
            [until, [call.id for call in calls]],
        )
