"""Sending: the path of a batch from its lease to its answer, with several calls in flight."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from customers.choices import Purpose
from customers.crash_points import reach
from customers.msgid import _
from notifications.choices import HeldFor
from notifications.models import Message
from notifications.providers.base import Answer, Outcome, Outgoing
from notifications.providers.verdicts import for_all
from notifications.rendering import LETTER_CHANNELS
from notifications.services import (
    authorizing,
    budgets,
    clearance,
    first_calls,
    pacing,
    preparing,
    routing,
    settling,
    submissions,
)
from notifications.services.authorizing import Authorized
from notifications.services.clearance import Clearance, Desk
from notifications.services.preparing import Prepared
from notifications.services.routing import Route
from notifications.services.submissions import Leased

logger = logging.getLogger(__name__)

# Seconds between two tries to write answers down: a restart of PostgreSQL is over by then, and the lease is not.
PAUSES = (0.1, 1, 3, 6, 10)
NO_ACCOUNT_PAUSE = timedelta(seconds=30)
OTHER_ACCOUNT_PAUSE = timedelta(seconds=1)
NOT_APPROVED = _(
    "No account that works has approved this text. Open its template, hand the text in or wait for the approval,"
    " then resume."
)
CALL_FAILED = _("Something went wrong here during the call; the gateway may have taken the message.")
UNRENDERABLE = _("The text of this message cannot be rendered. Cancel it, correct the template and start again.")


@dataclass
class Batch:
    """Leased submissions of one message, rendered for an account and waiting for the last check."""

    message: Message
    leased: list[Leased]
    route: Route
    prepared: list[Prepared]
    unsendable: dict[int, str]


def drain(queue: str, *, seconds: float, clock: Callable[[], datetime]) -> Counter:
    """
    Send what is due on a queue until nothing is, or the seconds are over.

    While the calls of one batch are in the air the next batch is leased and rendered; only the
    last check and `called_at` wait until the moment before the call.
    """
    total: Counter = Counter()
    ends = time.monotonic() + seconds
    with (
        clearance.Desk() as desk,
        ThreadPoolExecutor(settings.CALLS_IN_FLIGHT, thread_name_prefix="gateway") as threads,
    ):
        now = clock()
        batches = _next_batches(queue, now)
        while batches:
            withheld = total[Outcome.WITHHELD]
            # Whatever stops this worker here, nothing of what was handed over is forgotten.
            with ExitStack() as in_the_air:
                for batch in batches:
                    for flight in _flights(threads, desk, batch, clock):
                        in_the_air.callback(flight.land, total, clock)
                is_time_left = time.monotonic() < ends
                now = clock()
                batches = _next_batches(queue, now) if is_time_left else []
            if total[Outcome.WITHHELD] > withheld and not batches and is_time_left:
                # What this round put back at once is due by now.
                batches = _next_batches(queue, clock())
    return total


def _next_batches(queue: str, now: datetime) -> list[Batch]:
    leased = submissions.lease(queue, limit=settings.CALLS_IN_FLIGHT, now=now)
    if not leased:
        return []
    reach("after_lease")
    messages = Message.objects.in_bulk({taken.message_id for taken in leased})
    batches = []
    for message in messages.values():
        mine = [taken for taken in leased if taken.message_id == message.pk]
        opens_at = submissions.quiet_until(message, now=now)
        if opens_at is not None:
            submissions.hold_for_quiet_hours(message, opens_at=opens_at)
            continue
        try:
            route = routing.route_for(message, now=now)
        except routing.Waits as wait:
            submissions.hold_back(message, until=wait.until, held_for=wait.held_for)
            continue
        except routing.NotApproved:
            _pause(message, mine, NOT_APPROVED, now)
            continue
        if route is None:
            # Before the texts are rendered: nobody knows how long the account stays paused.
            submissions.hold_back(message, until=now + NO_ACCOUNT_PAUSE, held_for=HeldFor.RETRY)
            continue
        mine = pacing.trim(mine, route.account, now=now)
        try:
            prepared, unsendable = preparing.prepare(
                message, [taken.id for taken in mine], registered=route.registered
            )
        except preparing.Unrenderable as trouble:
            logger.warning("Message %d is paused: %s", message.pk, trouble)
            _pause(message, mine, UNRENDERABLE, now)
            continue
        reach("after_prepare")
        batches.append(Batch(message, mine, route, prepared, unsendable))
    # All that was leased may have gone behind quiet hours or been paused while other messages still wait.
    return batches or _next_batches(queue, now)


def _pause(message: Message, leased: list[Leased], reason: str, now: datetime) -> None:
    Message.objects.filter(pk=message.pk).pause(now, reason=reason)
    submissions.give_back(leased, send_after=now)


@dataclass
class Flight:
    """Calls of one batch that are in the air."""

    message: Message
    authorized: Authorized
    calls: list[tuple[Leased, list[Prepared], Future]]

    def land(self, total: Counter, clock: Callable[[], datetime]) -> None:
        """Settle, and add the outcomes to a total."""
        total.update(self.settle(clock))

    def settle(self, clock: Callable[[], datetime]) -> Counter:
        """Wait for the answers and write them down, also when PostgreSQL is away for a moment."""
        landed = []
        for submission, rows, future in self.calls:
            landed.append(settling.Call(submission, rows, _answers(future, submission, rows)))
            reach("between_answers")
        reach("before_settle")
        for pause in PAUSES:
            try:
                return settling.settle(self.message, landed, self.authorized, now=clock())
            except (OperationalError, InterfaceError) as trouble:
                logger.warning("The answers to %d calls wait for PostgreSQL: %s", len(landed), trouble)
                connection.close()
                time.sleep(pause)
        return settling.settle(self.message, landed, self.authorized, now=clock())


def _answers(future: Future, submission: Leased, rows: list[Prepared]) -> list[Answer]:
    """What a call brought; of one that went wrong in our own code nobody knows what it did."""
    trouble = future.exception()
    if trouble is None:
        return future.result()
    logger.error("A call of submission %d went wrong", submission.id, exc_info=trouble)
    return for_all([str(row.id) for row in rows], (Outcome.UNKNOWN, "call_failed", CALL_FAILED))


def _flights(threads: ThreadPoolExecutor, desk: Desk, batch: Batch, clock: Callable[[], datetime]) -> Iterator[Flight]:
    """Launch a batch, by turns where its account has a pace."""
    parts = [batch]
    if batch.route.account.pace:
        is_urgent = not Purpose(batch.message.purpose).needs_consent
        turns = pacing.turns(batch.leased, batch.route.account, is_urgent=is_urgent, now=clock())
        parts = (replace(batch, leased=turn.leased) for turn in turns)
    for part in parts:
        try:
            flight = _launch(threads, desk, part)
        except budgets.DoesNotFit:
            _look_for_money(part, clock())
            continue
        if flight:
            yield flight


def _outgoing(token: str, row: Prepared) -> Outgoing:
    """A letter as its adapter takes it."""
    return Outgoing(
        f"{token}-{row.id}", row.address, row.text, None, row.subject, row.html, unsubscribe_url=row.unsubscribe_url
    )


def _look_for_money(batch: Batch, now: datetime) -> None:
    """Leave a call to another account, or its message to the next day."""
    account = batch.route.account
    budgets.note_exhausted(account, now=now)
    try:
        other = routing.route_for(batch.message, now=now, without=account)
    except (routing.Waits, routing.NotApproved):
        other = None
    if other is None:
        submissions.hold_back(batch.message, until=budgets.renewed_at(now), held_for=HeldFor.BUDGET)
    else:
        submissions.give_back(batch.leased, send_after=now + OTHER_ACCOUNT_PAUSE)


def _launch(threads: ThreadPoolExecutor, desk: Desk, batch: Batch) -> Flight | None:
    authorized = authorizing.authorize(
        batch.message, batch.leased, batch.prepared, unsendable=batch.unsendable, account=batch.route.account
    )
    if authorized is None:
        return None
    reach("after_authorize")
    carried: dict[int, list[Prepared]] = {taken.id: [] for taken in batch.leased}
    for row in batch.prepared:
        if row.id in authorized.ids:
            carried[row.submission_id].append(row)
    calls, is_letter = [], batch.message.channel in LETTER_CHANNELS
    for submission in batch.leased:
        if rows := carried[submission.id]:
            token = submission.token.hex
            outgoing = (
                [_outgoing(token, row) for row in rows]
                if is_letter
                else [Outgoing(f"{token}-{row.id}", row.address, row.text, row.parameters) for row in rows]
            )
            call = threads.submit(
                first_calls.send,
                batch.route.provider,
                outgoing,
                call_reference=token,
                registered=batch.route.registered,
                clearance=Clearance(desk, batch.message, submission, authorized),
            )
            calls.append((submission, rows, call))
    return Flight(batch.message, authorized, calls)
