"""What RQ runs for notifications: each job asks the database what is due and reports counts."""

import time
from collections import Counter
from collections.abc import Callable

from django.db import close_old_connections

from customers import clock
from notifications.services import (
    account_health,
    brakes,
    callbacks,
    deliveries,
    inbox,
    receipts,
    reconciling,
    registrations,
    replies,
    sending,
    settling,
    tallies,
)

# Whatever else is on the queue waits so long; the next tick goes on with the work.
DRAIN_SECONDS = 15.0
CALLBACK_SECONDS = 2.0
RECONCILE_SECONDS = 5.0


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


def check_brakes() -> dict[str, int]:
    """Stop what goes wrong, and let the rest of a good first part follow."""
    close_old_connections()
    return {str(kind): count for kind, count in brakes.check(now=clock.now()).items()}


def review_accounts() -> dict[str, int]:
    """Shift calls from accounts that fail or are slow to others, and back."""
    close_old_connections()
    return dict(account_health.review(now=clock.now()))


def apply_receipts() -> dict[str, int]:
    """Work out what stored callbacks mean, until none waits or the next tick is due."""
    return _worked_off(lambda: receipts.apply(now=clock.now()))


def apply_replies() -> dict[str, int]:
    """Let opt-outs that customers sent back take effect, and keep what else they say."""
    return _worked_off(lambda: replies.apply(now=clock.now()))


def reconcile() -> dict[str, int]:
    """Ask the providers what became of messages whose answer or receipt never came."""
    close_old_connections()
    return dict(reconciling.reconcile(now=clock.now(), seconds=RECONCILE_SECONDS))


def sync_registrations() -> dict[str, int]:
    """Ask the providers how far texts and signatures are."""
    close_old_connections()
    return registrations.sync(now=clock.now())


def housekeeping() -> dict[str, int]:
    """Fold tallies, blank the replies of erased customers, and let old callbacks go."""
    close_old_connections()
    return {
        "squashed": tallies.squash(),
        "blanked": replies.blank_erased() + inbox.blank_erased(),
        "purged": callbacks.purge(now=clock.now()),
    }


def _until_empty(step: Callable[[], int]) -> int:
    total = 0
    while found := step():
        total += found
    return total


def _worked_off(step: Callable[[], Counter]) -> dict[str, int]:
    """What some steps found, until one finds nothing or the time is over."""
    close_old_connections()
    total: Counter = Counter()
    ends = time.monotonic() + CALLBACK_SECONDS
    while found := step():
        total += found
        if time.monotonic() > ends:
            break
    return dict(total)
