"""Whether the workers are alive, and what waits for them."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Min, Q, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from config.health import QUIET_AFTER
from notifications.choices import SubmissionStatus
from notifications.models import Heartbeat, Submission

QUEUES = {
    "urgent": _("Urgent: transaction notices, service reminders, receipts"),
    "bulk": _("Bulk: marketing and customer care"),
    "default": _("Everything else: imports, housekeeping"),
}


@dataclass(frozen=True)
class Queue:
    """One queue: when it last did work, and how many deliveries wait in it."""

    name: str
    label: str
    last_seen: datetime | None
    is_alive: bool
    due: int = 0
    waiting: int = 0
    in_hand: int = 0
    oldest_due: datetime | None = None


def queues(now: datetime) -> list[Queue]:
    """The queues with the time of their last sign of life."""
    seen = dict(Heartbeat.objects.values_list("name", "at"))
    return [
        Queue(name, label, seen.get(name), name in seen and abs(now - seen[name]) <= QUIET_AFTER)
        for name, label in QUEUES.items()
    ]


def silent_since(now: datetime) -> tuple[bool, datetime | None]:
    """Whether any queue has no worker, and since when; None if there never was one."""
    silent = [queue for queue in queues(now) if not queue.is_alive]
    if not silent:
        return False, None
    times = [queue.last_seen for queue in silent]
    return True, None if None in times else min(times)


def workload(now: datetime) -> list[Queue]:
    """The queues with what waits in them; read from the submissions, a hundredth of the deliveries."""
    waiting = Q(status=SubmissionStatus.QUEUED)
    due = waiting & Q(send_after__lte=now, message__paused_at=None)
    in_hand = Q(status__in=[SubmissionStatus.LEASED, SubmissionStatus.CALLED])
    rows = (
        Submission.objects.filter(waiting | in_hand)
        .values("queue")
        .annotate(
            due=Coalesce(Sum("size", filter=due), 0),
            waiting=Coalesce(Sum("size", filter=waiting), 0),
            in_hand=Coalesce(Sum("size", filter=in_hand), 0),
            oldest_due=Min("send_after", filter=due),
        )
    )
    found = {row.pop("queue"): row for row in rows}
    return [Queue(**{**vars(queue), **found.get(queue.name, {})}) for queue in queues(now)]
