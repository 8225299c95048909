"""Clearance: asking again, before a further call of a batch, who of it may still be written to."""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from django.db import DatabaseError, InterfaceError, connection

from customers.msgid import _
from notifications import hot, screening, stops
from notifications.models import Message
from notifications.providers.base import Answer, Outcome, Outgoing
from notifications.providers.verdicts import OUT_OF_TIME, Verdict, for_all
from notifications.services.authorizing import WANTED, Authorized
from notifications.services.submissions import Leased

logger = logging.getLogger(__name__)

# What a frozen or overloaded machine did not begin by then, counted from `called_at`, is not called any more.
BEGIN_WITHIN = 15.0
STOPPED: Verdict = (
    Outcome.WITHHELD,
    "stopped",
    _("Sending was stopped before the call that would have carried this message."),
)
# The code is the reason for which the row is skipped.
REASONS = {reason.code for reason in screening.PREDICATES} | set(stops.LABELS)
NOT_ALLOWED = _("Not allowed any more when its call was to begin.")


class Desk:
    """
    Where the calls of one worker ask: a connection of its own, on which one asks at a time.

    The worker's own is in the middle of a transaction while its calls are in the air; one for each
    call would be thirty, and PostgreSQL has a hundred for everybody.
    """

    def __init__(self) -> None:
        self._link = connection.copy()
        self._link.inc_thread_sharing()
        self._turn = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _trouble: BaseException | None, _trace: TracebackType | None
    ) -> None:
        with self._turn:
            self._link.close()

    def ask(self, statement: str, parameters: Sequence) -> list[tuple] | None:
        """The rows of a statement, committed as they are; None where PostgreSQL does not answer."""
        with self._turn:
            try:
                with hot.cursor(self._link) as cursor:
                    cursor.execute(statement, parameters)
                    return cursor.fetchall()
            except (DatabaseError, InterfaceError) as trouble:
                logger.warning("Further calls wait, because PostgreSQL cannot be asked: %s", trouble)
                self._link.close()
                return None


@dataclass(frozen=True)
class Clearance:
    """What one call's batch may still do; asked from the thread that makes its calls."""

    desk: Desk
    message: Message
    submission: Leased
    authorized: Authorized

    @property
    def since(self) -> float:
        """The moment, of the monotonic clock, at which the batch was allowed."""
        return self.authorized.since

    def withheld(self, batch: Sequence[Outgoing]) -> list[Answer]:
        """
        Answers for those of a batch that may not be handed over any more.

        A stop, a pause or a cancel holds back all; an opt-out or a closed address its own. So does
        a lease that was given away, and a database that cannot be asked: nobody is written to on a guess.
        """
        if time.monotonic() >= self.since + BEGIN_WITHIN:
            return for_all([outgoing.reference for outgoing in batch], OUT_OF_TIME)
        ids = {outgoing.reference: int(outgoing.reference.rpartition("-")[2]) for outgoing in batch}
        reasons = self._reasons(list(ids.values()))
        told = []
        for reference, id in ids.items():
            if (reason := reasons.get(id)) is None:
                told += for_all([reference], STOPPED)
            elif reason:
                told.append(Answer(reference, Outcome.WITHHELD, "", reason, NOT_ALLOWED))
        return told

    def _reasons(self, ids: Sequence[int]) -> dict[int, str]:
        """The first reason against each delivery, '' for none; nothing of those that are stopped."""
        message, submission = self.message, self.submission
        screens = "" if message.is_test else screening.delivery_joins(message.channel)
        reason = "''" if message.is_test else screening.first_reason(message.purpose)
        found = self.desk.ask(
            f"""
            SELECT d.id, {reason}
            FROM notifications_submission called
            JOIN notifications_message m ON m.id = called.message_id
            CROSS JOIN (SELECT hongyan_now() AS at) AS now
            JOIN notifications_delivery d ON d.submission_id = called.id {screens}
            WHERE called.id = %s AND called.token = %s AND called.status = 'called' AND {WANTED}
                AND d.id = ANY(%s::bigint[]) AND d.status = 'queued'
            """,
            [
                *([] if message.is_test else [message.channel, message.channel, message.purpose, message.channel]),
                submission.id,
                submission.token,
                self.authorized.account.pk,
                hot.integers(ids),
            ],
        )
        reasons = dict(found or ())
        if reasons and message.stop_when:
            pointless = self.desk.ask(stops.stopped(message.stop_when), [hot.integers(ids)])
            if pointless is None:
                return {}
            for id, reason in pointless:
                reasons[id] = reasons.get(id) or reason
        return reasons


def is_late(answer: Answer) -> bool:
    """Whether a message was kept back for a reason of its own."""
    return answer.outcome is Outcome.WITHHELD and answer.code in REASONS
