"""Running the reminders: each looks down for what came due, in a transaction of its own."""

import logging
from collections import Counter
from datetime import datetime

from django.db import DatabaseError, connection, transaction
from django.utils.translation import gettext as _

from campaigns import segmentation
from campaigns.models import Reminder, ReminderStep
from campaigns.services.reminders import finding, open_messages, planning
from customers.crash_points import reach
from customers.services import removals
from notifications import stops
from notifications.choices import DeliveryStatus
from notifications.services import messages, switch

logger = logging.getLogger(__name__)

_TURN = 0x52656D64  # "Remd"


class CannotSwitch(Exception):
    """A reminder that is not switched on or off; the text is a sentence for staff."""


def run(*, now: datetime) -> Counter:
    """
    Plan what came due of every reminder that is on; answers the occasions by outcome.

    A reminder that cannot be planned now holds up no other, and is tried again: nothing of it is met.
    """
    total: Counter = Counter()
    if switch.stopped():
        # What comes due in safe mode may have gone out before the backup was restored.
        return total
    open_messages.sweep(now=now)
    reminders = Reminder.objects.active().select_related("segment", "activated_by").prefetch_related("steps")
    for reminder in reminders:
        try:
            total += _run_one(reminder, now)
        except (messages.CannotFreeze, segmentation.BadConditions, segmentation.TooSlow) as refusal:
            logger.info("Reminder %d waits: %s", reminder.pk, refusal)
            total["waiting"] += 1
        except DatabaseError:
            logger.exception("Reminder %d could not be planned; it is tried again.", reminder.pk)
            total["failed"] += 1
    return total


def _run_one(reminder: Reminder, now: datetime) -> Counter:
    found: Counter = Counter()
    span = finding.Span(now - reminder.valid_for, now, reminder.activated_at)
    _renew(reminder, now)
    for step in reminder.steps.all():
        step.reminder = reminder
        with connection.cursor() as cursor:
            if reminder.merge_within:
                _meet_again(cursor, step)
            if finding.is_anything_due(cursor, step, span):
                found += _plan(cursor, step, span)
    return found


def _has_its_turn(reminder: Reminder) -> bool:
    """
    Whether this transaction may act for a reminder as it was read: nobody else does, and nobody edited it since.

    Whoever switches it off, or edits it, waits for the end of the transaction and then finds all of its work.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [_TURN, reminder.pk])
        if not cursor.fetchone()[0]:
            return False
    as_read = Reminder.objects.active().filter(pk=reminder.pk, version=reminder.version)
    return as_read.select_for_update(no_key=True).exists()


@transaction.atomic
def _renew(reminder: Reminder, now: datetime) -> None:
    if open_messages.has_changed(reminder) and _has_its_turn(reminder):
        open_messages.renew(reminder, now=now)


@transaction.atomic
def _plan(cursor, step: ReminderStep, span: finding.Span) -> Counter:
    if not _has_its_turn(step.reminder):
        return Counter()
    finding.begin(cursor)
    if not finding.find(cursor, step, span):
        return Counter()
    removals.hold_off()
    counts = planning.plan(cursor, step, now=span.until)
    reach("before_reminders_commit")
    return counts


def _meet_again(cursor, step) -> None:
    """Forget the occasions of merged notices that were stopped for one order alone: the others still wait."""
    cursor.execute(
        """
        DELETE FROM campaigns_reminderoccasion met USING (
            SELECT d.id FROM campaigns_reminderoccasion other
            JOIN notifications_delivery d ON d.id = other.delivery_id
            WHERE other.step_id = %s AND d.status = %s AND d.reason = ANY(%s) AND d.send_until > hongyan_now()
            GROUP BY d.id HAVING count(*) > 1
        ) stopped
        WHERE met.delivery_id = stopped.id
        """,
        [step.pk, DeliveryStatus.SKIPPED, [f"stop_{code}" for code in stops.OF_ONE_ORDER]],
    )


def activate(reminder: Reminder, *, version: int, by, now: datetime) -> None:
    """
    Switch a reminder on; what came due before is left alone.

    Raises CannotSwitch when it is on already, or was changed since the page was opened.
    """
    if Reminder.objects.filter(pk=reminder.pk, version=version).activate(now, by=by):
        return
    current = Reminder.objects.get(pk=reminder.pk)
    if current.is_active:
        raise CannotSwitch(_("The reminder is on already."))
    raise CannotSwitch(_("Somebody changed the reminder since you opened the page. Look again."))


@transaction.atomic
def deactivate(reminder: Reminder, *, now: datetime) -> int:
    """Switch a reminder off and end what waits; answers how many deliveries. Raises CannotSwitch."""
    if not Reminder.objects.filter(pk=reminder.pk).deactivate():
        raise CannotSwitch(_("The reminder is off already."))
    return open_messages.close(reminder, now=now)
