"""Kept backtests: what a reminder would have done is counted by a worker where a page would wait too long."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

from campaigns import segmentation
from campaigns.choices import CountStatus
from campaigns.models import KeptBacktest, Reminder
from campaigns.services.reminders import backtest
from campaigns.services.reminders.backtest import Backtest, Example
from notifications import rendering
from notifications.services import gateways

LOOKS_BACK = timedelta(days=30)
# Orders come in all the time; and no customer's text is kept longer.
FRESH = timedelta(minutes=10)
# Up to here a page counts by itself.
QUICK_MILLISECONDS = 2_000
PATIENCE_MILLISECONDS = 60_000
# Longer than that, so what still counts then was killed.
LOST = timedelta(seconds=90)
# A worker answers a ring within a second unless it is busy or not there.
PATIENCE_FOR_A_WORKER = timedelta(seconds=4)


def quick(reminder: Reminder, *, now: datetime) -> Backtest | None:
    """
    What the reminder would have done, if that is told within two seconds.

    Raises segmentation.BadConditions and rendering.Refused.
    """
    return _within(QUICK_MILLISECONDS, reminder, now)


def _within(patience: int, reminder: Reminder, now: datetime) -> Backtest | None:
    try:
        return segmentation.within(
            patience, lambda: backtest.backtest(reminder, since=now - LOOKS_BACK, until=now, now=now)
        )
    except segmentation.TooSlow:
        return None


def fingerprint(reminder: Reminder) -> str:
    """A text that changes with everything that staff can change of what is counted."""
    texts = reminder.steps.values_list(
        *("position", "delay", "texts__receiver", "texts__channel", "texts__position"),
        *("texts__template_id", "texts__template__version", "texts__merged_template__version"),
    )
    channels = set(reminder.steps.values_list("texts__channel", flat=True)) - {None}
    prices = [account.price for channel in sorted(channels) if (account := gateways.account_for(channel))]
    conditions = reminder.segment.conditions if reminder.segment else None
    counted_from = [reminder.version, list(texts.order_by("position", "texts__id")), prices, conditions]
    return sha256(json.dumps(counted_from, default=str, sort_keys=True).encode()).hexdigest()


def fresh(reminder: Reminder, *, now: datetime) -> KeptBacktest | None:
    """What was counted within the last minutes, from what the reminder still is."""
    return KeptBacktest.objects.filter(
        reminder=reminder,
        status=CountStatus.COUNTED,
        fingerprint=fingerprint(reminder),
        counted_at__gt=now - FRESH,
    ).first()


def is_asked_for(reminder: Reminder) -> bool:
    """Whether somebody has it counted, or had so lately."""
    return KeptBacktest.objects.filter(reminder=reminder).exists()


def ask(reminder: Reminder, *, now: datetime) -> bool:
    """Have the backtest counted, unless that is under way or was done lately; whether somebody has to begin."""
    wanted = fingerprint(reminder)
    waiting = {"fingerprint": wanted, "status": CountStatus.WAITING, "asked_at": now}
    kept, is_new = KeptBacktest.objects.get_or_create(reminder=reminder, defaults=waiting)
    if is_new:
        return True
    itself = KeptBacktest.objects.filter(
        pk=kept.pk, status=kept.status, begun_at=kept.begun_at, asked_at=kept.asked_at
    )
    is_done = kept.status in (CountStatus.COUNTED, CountStatus.FAILED)
    is_lost = kept.status == CountStatus.COUNTING and kept.begun_at < now - LOST
    is_stale = is_done and kept.counted_at <= now - FRESH
    is_other = kept.fingerprint != wanted and kept.status != CountStatus.WAITING
    if not (is_lost or is_stale or is_other):
        return False
    return bool(itself.update(**waiting))


def has_failed(reminder: Reminder) -> bool:
    """Whether even a worker could not count it."""
    return KeptBacktest.objects.filter(reminder=reminder, status=CountStatus.FAILED).exists()


def is_overdue(reminder: Reminder, *, now: datetime) -> bool:
    """Whether no worker has begun for so long that the page has to count by itself."""
    waiting = KeptBacktest.objects.filter(reminder=reminder, status=CountStatus.WAITING)
    return waiting.filter(asked_at__lte=now - PATIENCE_FOR_A_WORKER).exists()


def count(reminder_id: int, *, now: datetime, ends: Callable[[], datetime]) -> bool:
    """
    Count one reminder that waits for it, and keep the numbers; False where somebody else does or it took too long.

    `ends` tells the time once it is done.
    """
    reminder = Reminder.objects.select_related("segment").get(pk=reminder_id)
    itself = KeptBacktest.objects.filter(pk=reminder_id)
    if not itself.claim(now, fingerprint=fingerprint(reminder)):
        return False
    try:
        found = _within(PATIENCE_MILLISECONDS, reminder, now)
    except (segmentation.BadConditions, rendering.Refused):
        found = None
    if found is None:
        itself.fail(now, now=ends())
        return False
    return bool(itself.keep(now, now=ends(), result=as_json(found)))


def count_waiting(*, now: datetime, ends: Callable[[], datetime]) -> int:
    """Count what waits, oldest first, and delete what is no longer fresh; answers how many were counted."""
    KeptBacktest.objects.filter(
        status__in=[CountStatus.COUNTED, CountStatus.FAILED], counted_at__lte=now - FRESH
    ).delete()
    KeptBacktest.objects.filter(status=CountStatus.COUNTING, begun_at__lt=now - LOST).update(
        status=CountStatus.WAITING, asked_at=now
    )
    # Nobody looks any more at what was asked for so long ago.
    KeptBacktest.objects.filter(status=CountStatus.WAITING, asked_at__lte=now - FRESH).delete()
    waiting = KeptBacktest.objects.filter(status=CountStatus.WAITING)
    ids = list(waiting.order_by("asked_at").values_list("pk", flat=True))
    return sum(count(reminder_id, now=ends(), ends=ends) for reminder_id in ids)


def as_json(found: Backtest) -> dict[str, Any]:
    """A backtest as it is kept."""
    return json.loads(json.dumps(asdict(found), default=str))


def backtest_of(kept: KeptBacktest) -> Backtest:
    """The kept numbers and examples."""
    found = dict(kept.result)
    found["days"] = [(date.fromisoformat(day), number) for day, number in found["days"]]
    found["cost"] = Decimal(found["cost"])
    found["examples"] = [
        Example(**(example | {"when": datetime.fromisoformat(example["when"])})) for example in found["examples"]
    ]
    return Backtest(**found)
