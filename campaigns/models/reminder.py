"""Reminder: a rule that writes to customers by itself when a fact about them comes due."""

from datetime import timedelta

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from campaigns.choices import (
    FirstOrder,
    FollowUpFor,
    FollowUpUse,
    Goal,
    OrderDate,
    Receiver,
    ReminderTrigger,
)
from campaigns.models.segment import Segment
from customers.choices import Channel, EventKind, OrderExceptionKind, OrderStatus, Platform, Purpose
from notifications.choices import CapPolicy, NightPolicy
from notifications.models import AlertChannel, Message, Template


class ReminderQuerySet(models.QuerySet):
    """Questions about reminders that have a name, and the verbs that move them."""

    def active(self):
        """Reminders that look for work."""
        return self.filter(activated_at__isnull=False)

    def activate(self, now, *, by):
        """Off → on: from now on it looks for what comes due; what came due before is left alone."""
        return self.filter(activated_at=None).update(activated_at=now, activated_by=by, version=F("version") + 1)

    def deactivate(self):
        """On → off."""
        return self.active().update(activated_at=None, activated_by=None, version=F("version") + 1)


class Reminder(models.Model):
    """
    A rule: what to look for, for whom, when to stop, and what may be said how late.

    It is switched on while it has `activated_at`; what came due before that moment is left alone. It looks down for
    work: nobody who writes an order has to know of it.
    """

    name = models.CharField(_("name"), max_length=60, unique=True)
    # The entry of the gallery it was taken from.
    kind = models.CharField(max_length=40, blank=True, default="", editable=False)
    purpose = models.CharField(_("class"), max_length=13, choices=Purpose, default=Purpose.SERVICE)

    trigger = models.CharField(_("looks for"), max_length=14, choices=ReminderTrigger)
    order_status = models.CharField(_("status"), max_length=16, choices=OrderStatus, blank=True, default="")
    exception_kind = models.CharField(
        _("what went wrong"), max_length=24, choices=OrderExceptionKind, blank=True, default=""
    )
    event_kind = models.CharField(_("kind of event"), max_length=12, choices=EventKind, blank=True, default="")
    order_date = models.CharField(_("date"), max_length=12, choices=OrderDate, blank=True, default="")
    at_hour = models.TimeField(
        _("at"), null=True, blank=True, help_text=_("In the shop's time; empty: at the very minute of the date.")
    )

    segment = models.ForeignKey(
        Segment,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="reminders",
        verbose_name=_("only for customers in"),
    )
    minimum_amount = models.DecimalField(_("amount from"), max_digits=12, decimal_places=2, null=True, blank=True)
    maximum_amount = models.DecimalField(_("amount up to"), max_digits=12, decimal_places=2, null=True, blank=True)
    platforms = ArrayField(
        models.CharField(max_length=10, choices=Platform), default=list, blank=True, verbose_name=_("only from")
    )
    categories = ArrayField(
        models.CharField(max_length=60), default=list, blank=True, verbose_name=_("only with goods of")
    )
    first_order = models.CharField(_("first order"), max_length=4, choices=FirstOrder, blank=True, default="")

    stop_when = ArrayField(
        models.CharField(max_length=20), default=list, blank=True, verbose_name=_("is not sent once")
    )
    valid_for = models.DurationField(
        _("of use for"), default=timedelta(hours=24), help_text=_("What could not go out by then is left out.")
    )
    night = models.CharField(_("at night"), max_length=4, choices=NightPolicy, blank=True, default=NightPolicy.WAIT)
    cap_policy = models.CharField(_("over the cap"), max_length=4, choices=CapPolicy, default=CapPolicy.HOLD)
    merge_within = models.DurationField(
        _("several within"),
        default=timedelta(0),
        help_text=_("So long a first notice waits for others to the same customer; they become one message."),
    )
    compensation = models.CharField(
        _("compensation"), max_length=30, blank=True, default="", help_text=_("Said where the text uses it.")
    )
    is_compensation_for_new = models.BooleanField(_("compensation for new customers only"), default=False)

    goal = models.CharField(_("goal"), max_length=8, choices=Goal, blank=True, default="")
    goal_within = models.DurationField(_("counted within"), default=timedelta(hours=24))
    held_out_percent = models.PositiveSmallIntegerField(
        _("without a message, for comparison, in percent"), default=0, validators=[MaxValueValidator(50)]
    )

    follow_up = models.CharField(_("call"), max_length=7, choices=FollowUpUse, blank=True, default="")
    follow_up_for = models.CharField(_("call for"), max_length=9, choices=FollowUpFor, default=FollowUpFor.VIP)
    valuable_from = models.DecimalField(
        _("an order is valuable from"), max_digits=12, decimal_places=2, null=True, blank=True
    )
    call_within = models.DurationField(_("call within"), default=timedelta(hours=4))
    call_script = models.TextField(_("what to say"), max_length=2000, blank=True, default="")

    activated_at = models.DateTimeField(_("on since"), null=True, blank=True)
    activated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("switched on by"),
    )
    version = models.PositiveIntegerField(_("version"), default=1)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created at"), db_default=models.functions.Now())
    updated_at = models.DateTimeField(_("updated at"), db_default=models.functions.Now())

    objects = ReminderQuerySet.as_manager()

    class Meta:
        verbose_name = _("reminder")
        verbose_name_plural = _("reminders")
        ordering = ["name"]
        permissions = [("activate_reminder", _("Can switch reminders on and off"))]
        constraints = [
            models.CheckConstraint(
                name="reminder_looks_for_something",
                condition=Q(trigger__in=["status_lasts", "status_reached"]) & ~Q(order_status="")
                | Q(trigger="exception") & ~Q(exception_kind="")
                | Q(trigger="order_date") & ~Q(order_date="")
                | Q(trigger__in=["event", "event_date"]) & ~Q(event_kind="")
                | Q(trigger__in=["parcel_still", "not_bought"]),
            ),
            models.CheckConstraint(
                name="reminder_is_of_use_for_a_minute_to_60_days",
                condition=Q(valid_for__range=(timedelta(minutes=1), timedelta(days=60))),
            ),
            models.CheckConstraint(
                name="reminder_merges_within_an_hour",
                condition=Q(merge_within__range=(timedelta(0), timedelta(hours=1))),
            ),
            models.CheckConstraint(
                name="reminder_holds_out_at_most_half", condition=Q(held_out_percent__range=(0, 50))
            ),
        ]

    def __str__(self):
        return self.name

    @property
    def is_active(self) -> bool:
        """Whether it is switched on."""
        return self.activated_at is not None


class ReminderStep(models.Model):
    """One message of a reminder, and how long after the fact, or how many days from the date, it goes out."""

    reminder = models.ForeignKey(Reminder, models.CASCADE, related_name="steps", verbose_name=_("reminder"))
    position = models.PositiveSmallIntegerField(_("position"), default=1)
    delay = models.DurationField(
        _("after"), default=timedelta(0), help_text=_("Before a date: a negative time, such as -3 days.")
    )
    # A step that is added to a reminder which is on leaves alone what came due before it was there.
    created_at = models.DateTimeField(
        _("created at"), db_default=models.Func(function="hongyan_now", output_field=models.DateTimeField())
    )

    class Meta:
        verbose_name = _("step of a reminder")
        verbose_name_plural = _("steps of a reminder")
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["reminder", "position"], name="reminder_step_has_its_own_position"),
            models.CheckConstraint(
                name="reminder_step_is_within_two_years",
                condition=Q(delay__range=(timedelta(days=-730), timedelta(days=730))),
            ),
        ]

    def __str__(self):
        return f"{self.reminder} · {self.position}"


class ReminderText(models.Model):
    """What a step says to one kind of receiver on one channel; the first whose channel works is used."""

    step = models.ForeignKey(ReminderStep, models.CASCADE, related_name="texts", verbose_name=_("step"))
    position = models.PositiveSmallIntegerField(_("position"), default=1)
    receiver = models.CharField(_("goes to"), max_length=6, choices=Receiver, default=Receiver.BUYER)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel, default=Channel.SMS)
    template = models.ForeignKey(
        Template, models.PROTECT, null=True, blank=True, related_name="reminder_texts", verbose_name=_("template")
    )
    merged_template = models.ForeignKey(
        Template,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("template for several at once"),
    )
    alert_channel = models.ForeignKey(
        AlertChannel, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("bot")
    )
    staff_text = models.CharField(_("text to staff"), max_length=500, blank=True, default="")

    class Meta:
        verbose_name = _("text of a reminder")
        verbose_name_plural = _("texts of a reminder")
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(
                fields=["step", "receiver", "channel"], name="reminder_text_is_one_per_receiver_and_channel"
            ),
            models.CheckConstraint(
                name="reminder_text_has_a_template_or_a_bot",
                condition=~Q(receiver="staff") & Q(template__isnull=False)
                | Q(receiver="staff", alert_channel__isnull=False) & ~Q(staff_text=""),
            ),
        ]

    def __str__(self):
        return f"{self.step} · {self.get_channel_display()}"


class ReminderMessage(models.Model):
    """
    The open message of a text, as long as its template, its reminder's stops and its price stay what they were.

    A change opens another one, and what was sent under the old one stays as it was.
    """

    text = models.ForeignKey(ReminderText, models.SET_NULL, null=True, related_name="messages", verbose_name=_("text"))
    reminder = models.ForeignKey(Reminder, models.PROTECT, related_name="messages", verbose_name=_("reminder"))
    message = models.OneToOneField(Message, models.PROTECT, related_name="reminder_message", verbose_name=_("message"))
    # Any edit of the reminder: what waits is looked at again under the new one.
    reminder_version = models.PositiveIntegerField(_("version of the reminder"), default=1, db_default=1)
    is_merged = models.BooleanField(_("for several at once"), default=False)
    is_open = models.BooleanField(_("open"), default=True)
    created_at = models.DateTimeField(_("created at"), db_default=models.functions.Now())

    class Meta:
        verbose_name = _("message of a reminder")
        verbose_name_plural = _("messages of reminders")
        constraints = [
            models.UniqueConstraint(
                fields=["text", "is_merged"], condition=Q(is_open=True), name="reminder_text_has_one_open_message"
            ),
        ]

    def __str__(self):
        return str(self.message)
