"""The open messages of reminders: one for each text as it stands, another one when it changes."""

from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Sum

from campaigns.models import Reminder, ReminderMessage, ReminderOccasion, ReminderText
from campaigns.services.reminders import finding
from notifications.choices import DeliveryStatus
from notifications.models import DeliveryTally, Message, Template
from notifications.services import gateways, messages, notices, submissions


def message_for(text: ReminderText, *, is_merged: bool, now: datetime) -> Message:
    """
    The message that says what a text says now, under the reminder's stops.

    Raises messages.CannotFreeze where the template may not be sent.
    """
    reminder = text.step.reminder
    template = text.merged_template if is_merged else text.template
    standing = ReminderMessage.objects.filter(text=text, is_merged=is_merged, is_open=True)
    known = standing.select_related("message").first()
    messages.check(template)
    if known and _says_the_same(known, template, reminder):
        return known.message
    account = gateways.account_for(template.channel)
    with transaction.atomic():
        standing.update(is_open=False)
        message = messages.freeze(
            template,
            name=str(reminder),
            price=account.price if account else 0,
            cap_policy=reminder.cap_policy,
            send_after=now,
            send_until=submissions.FOR_GOOD,
            stop_when=finding.stops_of(reminder),
            night=reminder.night,
            by=reminder.activated_by,
            now=now,
        )
        ReminderMessage.objects.create(
            text=text,
            reminder=reminder,
            reminder_version=reminder.version,
            message=message,
            is_merged=is_merged,
            created_at=now,
        )
    return message


def _says_the_same(known: ReminderMessage, template: Template | None, reminder: Reminder) -> bool:
    message = known.message
    return (
        template is not None
        and message.canceled_at is None
        and known.reminder_version == reminder.version
        and (message.template_id, message.template_version) == (template.pk, template.version)
        and message.signature == template.signature.name
        and message.stop_when == finding.stops_of(reminder)
    )


def renew(reminder: Reminder, *, now: datetime) -> int:
    """
    Close the messages of a reminder that no longer say what it says, and take back what waits in them.

    Whoever waited is looked at again under the reminder as it is now. Answers how many deliveries.
    """
    return _take_back(_stale(reminder), reason="rule_changed", now=now)


def has_changed(reminder: Reminder) -> bool:
    """Whether an open message of a reminder no longer says what it says."""
    return bool(_stale(reminder))


def _stale(reminder: Reminder) -> list[ReminderMessage]:
    standing = ReminderMessage.objects.filter(reminder=reminder, is_open=True)
    known = standing.select_related("message", "text__template__signature", "text__merged_template__signature")
    return [opened for opened in known if not _stands(opened, reminder)]


def _stands(opened: ReminderMessage, reminder: Reminder) -> bool:
    if opened.text is None:
        return False
    template = opened.text.merged_template if opened.is_merged else opened.text.template
    return _says_the_same(opened, template, reminder)


def close(reminder: Reminder, *, now: datetime) -> int:
    """Close the messages of a reminder that was switched off, and end what waits; answers how many deliveries."""
    return _take_back(ReminderMessage.objects.filter(reminder=reminder, is_open=True), reason="switched_off", now=now)


def sweep(*, now: datetime) -> int:
    """
    End what came back into closed messages: put off by a provider, or found not to be taken. Answers how many.

    Under what they say now, whoever still needs it is met again.
    """
    ended = 0
    closed = ReminderMessage.objects.filter(is_open=False).select_related("reminder")
    waiting = DeliveryTally.objects.filter(message=OuterRef("message"), status=DeliveryStatus.QUEUED)
    waiting = waiting.order_by().values("message").annotate(total=Sum("count")).filter(total__gt=0)
    for found in closed.filter(Exists(waiting)):
        reason = "rule_changed" if found.reminder.is_active else "switched_off"
        ended += _take_back([found], reason=reason, now=now)
    return ended


@transaction.atomic
def _take_back(opened, *, reason: str, now: datetime) -> int:
    """End what no call carries yet and forget its occasions, so that a reminder may meet them again."""
    ids = [found.message_id for found in opened]
    ReminderMessage.objects.filter(message_id__in=ids).update(is_open=False)
    taken = notices.cancel_waiting(ids, reason=reason, now=now)
    if taken:
        ended = {"delivery__message_id__in": ids, "delivery__status": DeliveryStatus.CANCELED}
        ReminderOccasion.objects.filter(**ended, delivery__reason=reason, delivery__finished_at=now).delete()
    return taken
