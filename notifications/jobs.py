"""What RQ runs for notifications: each job asks the database what is due and reports counts."""

from collections.abc import Callable

from django.db import close_old_connections

from customers import clock
from notifications.services import deliveries, receipts, sending, settling, tallies

DRAIN_SECONDS = 15.0


def send_due(*, queue: str) -> dict[str, int]:
    """Send what is due on a queue; rings again when time ran out before the work did."""
    close_old_connections()
    found = sending.drain(queue, seconds=DRAIN_SECONDS, clock=clock.now)
    return dict(found)


def recover_lost() -> dict[str, int]:
    """Take up what workers left behind, end what is overdue, and regroup what waited."""
    close_old_connections()
    now = clock.now()
    found = settling.recover_lost(now=now)
    found["regrouped"] = _until_empty(lambda: deliveries.regroup(now=now))
    return found | deliveries.close_overdue(now=now)


def apply_receipts() -> dict[str, int]:
    """Work out what stored callbacks mean."""
    close_old_connections()
    sending.beat("default", now=clock.now())
    return dict(receipts.apply(now=clock.now()))


def housekeeping() -> dict[str, int]:
    """Fold tallies."""
    close_old_connections()
    return {"squashed": tallies.squash()}


def _until_empty(step: Callable[[], int]) -> int:
    total = 0
    while found := step():
        total += found
    return total
