"""Finds the one number, or the one person's values, for which Aliyun refuses a whole call."""

import time
from collections.abc import Sequence

from customers.msgid import _
from notifications.providers.aliyun_codes import ONE_NUMBERS_FAULT, ONE_PERSONS_VALUES
from notifications.providers.base import Answer, Outcome, Outgoing, Withheld, nobody
from notifications.providers.verdicts import OUT_OF_TIME, Verdict, for_all

EQUAL_AT_ONCE, PERSONAL_AT_ONCE = 1000, 100
# Finds three bad numbers among a hundred, at seven halvings and a few neighbors each.
MOST_CALLS = 40
# So many people's values are refused one by one before the registered text itself is to blame.
SINGLE_REFUSALS = 3

NOT_TRIED = _("Not tried: an earlier part of the call did not go through.")


class Search:
    """
    The calls that one batch needs: usually one, more where one number spoils it for the others.

    What is not answered when the time is over names its part: tried again part by part, the search
    goes on where it stopped, and comes to an end however slow Aliyun is.
    """

    def __init__(self, batch: Sequence[Outgoing], *, ends: float, withheld: Withheld = nobody):
        is_equal = all(outgoing.parameters == batch[0].parameters for outgoing in batch)
        size = EQUAL_AT_ONCE if is_equal else PERSONAL_AT_ONCE
        self._parts = [batch[start : start + size] for start in range(0, len(batch), size)]
        self._batch = batch
        self._ends = ends
        self._withheld = withheld
        self._calls = self._single_refusals = self._put_aside = 0
        self._is_text_taken = False
        self._answers: dict[str, Answer] = {}

    @property
    def answers(self) -> list[Answer]:
        """What became of each message, in the order of the batch."""
        return [self._answers[outgoing.reference] for outgoing in self._batch]

    def next(self) -> Sequence[Outgoing] | None:
        """The messages of the next call; None when all are answered for."""
        if self._calls and (self._calls >= MOST_CALLS or time.monotonic() >= self._ends):
            self._end(OUT_OF_TIME)
        while self._parts:
            part = self._parts.pop(0)
            if self._calls and (stopped := self._withheld(part)):
                self._note(stopped, is_apart=True)
                part = [outgoing for outgoing in part if outgoing.reference not in self._answers]
            if part:
                self._calls += 1
                return part
        return None

    def note(self, part: Sequence[Outgoing], verdict: Verdict, provider_id: str) -> None:
        """Take down what a call was answered, and plan what follows from it."""
        outcome, code, _words = verdict
        is_certain = outcome not in (Outcome.TAKEN, Outcome.UNKNOWN)
        is_ones_values = code in ONE_PERSONS_VALUES and len({str(one.parameters) for one in part}) > 1
        if is_certain and len(part) > 1 and (code in ONE_NUMBERS_FAULT or is_ones_values):
            middle = (len(part) + 1) // 2
            self._parts[:0] = [part[:middle], part[middle:]]
            return
        answers = for_all([outgoing.reference for outgoing in part], verdict, provider_id)
        self._note(answers)
        if outcome is Outcome.TAKEN:
            self._is_text_taken = True
        elif is_certain and len(part) == 1 and code in ONE_NUMBERS_FAULT | ONE_PERSONS_VALUES:
            answers[0].is_for_all = False
            self._single_refusals += outcome is Outcome.REFUSED_CONTENT
            if self._single_refusals >= SINGLE_REFUSALS and not self._is_text_taken:
                self._end(verdict)
        elif outcome in (Outcome.REFUSED_CONTENT, Outcome.REFUSED_ACCOUNT):
            self._end(verdict)
        else:
            self._end((Outcome.REFUSED_LATER, "not_tried", NOT_TRIED))

    def _end(self, verdict: Verdict) -> None:
        for part in self._parts:
            self._note(for_all([outgoing.reference for outgoing in part], verdict), is_apart=True)
        self._parts = []

    def _note(self, answers: Sequence[Answer], *, is_apart: bool = False) -> None:
        self._put_aside += is_apart
        for answer in answers:
            answer.part = self._put_aside if is_apart else 0
            self._answers[answer.reference] = answer
