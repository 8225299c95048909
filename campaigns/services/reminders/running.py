"""Running the reminders: each looks down for what came due, in a transaction of its own."""

import logging
from collections import Counter
from datetime import datetime

from django.db import DatabaseError, connection, transaction
from django.utils.translation import gettext as _

from campaigns import segmentation
from campaigns.models import Reminder, ReminderOccasion
from campaigns.services.reminders import finding, open_messages, planning
from customers.services import removals
from notifications import stops
from notifications.choices import DeliveryStatus
from notifications.services import messages, switch

logger = logging.getLogger(__name__)

_TURN = 0x52656D696E64  # "Remind"
# So often one customer's merged notice is planned anew, because one of its orders no longer belongs in it.
TRIES = 3


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
    for reminder in Reminder.objects.active().select_related("segment", "activated_by"):
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
    for step in reminder.steps.order_by("position"):
        step.reminder = reminder
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [_TURN & 0x7FFFFFFF, reminder.pk])
            if not cursor.fetchone()[0]:
                # Another worker has its turn.
                return found
            open_messages.renew(reminder, now=now)
            _meet_again(cursor, step)
            finding.begin(cursor)
            span = finding.Span(now - reminder.valid_for, now, reminder.activated_at)
            if finding.find(cursor, step, span):
                removals.hold_off()
                found += planning.plan(cursor, step, now=now)
    return found


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
        [step.pk, DeliveryStatus.SKIPPED, [stop.reason for stop in stops.STOPS]],
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


def occasions_of(reminder: Reminder) -> Counter:
    """The occasions of a reminder by outcome."""
    rows = ReminderOccasion.objects.filter(reminder=reminder).values_list("outcome", flat=True)
    return Counter(rows)
