"""Reconciling: asking the provider what became of calls whose answer, or whose receipts, never came."""

from collections.abc import Sequence
from datetime import timedelta

from notifications.providers.base import Answer, Outcome

# After a call: when what is unknown, and what was taken without a receipt, is first asked for.
DOUBTFUL_AFTER = timedelta(minutes=2)
SILENT_AFTER = timedelta(minutes=10)


def first_ask_after(answers: Sequence[Answer]) -> timedelta:
    """How long after a call its messages are first asked for."""
    is_doubtful = any(answer.outcome == Outcome.UNKNOWN for answer in answers)
    return DOUBTFUL_AFTER if is_doubtful else SILENT_AFTER
