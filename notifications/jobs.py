"""What RQ runs for notifications: each job asks the database what is due and reports counts."""

import time
from collections import Counter
from collections.abc import Callable

from django.db import close_old_connections

from customers import clock
from notifications.services import deliveries, receipts, sending, settling, tallies

# Whatever else is on the queue waits so long; the next tick goes on with the work.
DRAIN_SECONDS = 15.0
RECEIPT_SECONDS = 2.0


def send_due(*, queue: str) -> dict[str, int]:
    """Send what is due on a queue."""
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
    """Work out what stored callbacks mean, for as long as some of them move a delivery."""
    close_old_connections()
    total: Counter = Counter()
    ends = time.monotonic() + RECEIPT_SECONDS
    while True:
        found = receipts.apply(now=clock.now())
        total += found
        if not found["delivered"] + found["undelivered"] or time.monotonic() > ends:
            return dict(total)


def housekeeping() -> dict[str, int]:
    """Fold tallies."""
    close_old_connections()
    return {"squashed": tallies.squash()}


def _until_empty(step: Callable[[], int]) -> int:
    total = 0
    while found := step():
        total += found
    return total
