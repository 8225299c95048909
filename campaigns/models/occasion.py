"""ReminderOccasion: one fact that a reminder found due, and what became of it."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from campaigns.choices import OccasionOutcome
from campaigns.models.reminder import Reminder, ReminderStep
from customers.models import Customer, CustomerEvent, Order
from notifications.models import Delivery


class ReminderOccasion(models.Model):
    """
    One fact that a step of a reminder found due, and what became of it.

    `key` names the fact, such as order-12 or event-7: a step meets each once, however often it is told of and in
    whatever order. `happened_at` is the moment from which the step counts, `due_at` when it was to go out.
    """

    reminder = models.ForeignKey(
        Reminder,
        models.DO_NOTHING,
        related_name="occasions",
        db_constraint=False,
        db_index=False,
        verbose_name=_("reminder"),
    )
    step = models.ForeignKey(
        ReminderStep,
        models.DO_NOTHING,
        related_name="occasions",
        db_constraint=False,
        db_index=False,
        verbose_name=_("step"),
    )
    key = models.CharField(_("occasion"), max_length=60)
    customer = models.ForeignKey(
        Customer,
        models.DO_NOTHING,
        null=True,
        related_name="reminder_occasions",
        db_constraint=False,
        db_index=False,
        verbose_name=_("customer"),
    )
    order = models.ForeignKey(
        Order,
        models.DO_NOTHING,
        null=True,
        related_name="reminder_occasions",
        db_constraint=False,
        db_index=False,
        verbose_name=_("order"),
    )
    event = models.ForeignKey(
        CustomerEvent,
        models.DO_NOTHING,
        null=True,
        related_name="reminder_occasions",
        db_constraint=False,
        db_index=False,
        verbose_name=_("event"),
    )
    happened_at = models.DateTimeField(_("counted from"))
    due_at = models.DateTimeField(_("due at"))
    outcome = models.CharField(_("outcome"), max_length=11, choices=OccasionOutcome)
    reason = models.CharField(_("reason"), max_length=40, blank=True, default="")
    # Several occasions share one where their notices were merged.
    delivery = models.ForeignKey(
        Delivery,
        models.DO_NOTHING,
        null=True,
        related_name="reminder_occasions",
        db_constraint=False,
        db_index=False,
        verbose_name=_("delivery"),
    )
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=1, db_default=1)
    created_at = models.DateTimeField(_("found at"), db_default=Now())

    class Meta:
        verbose_name = _("occasion of a reminder")
        verbose_name_plural = _("occasions of reminders")
        constraints = [
            models.UniqueConstraint(fields=["step", "key"], name="reminder_step_meets_an_occasion_once"),
            models.CheckConstraint(
                name="reminder_occasion_planned_has_a_delivery",
                condition=Q(outcome="planned", delivery__isnull=False) | ~Q(outcome="planned") & Q(delivery=None),
            ),
        ]
        indexes = [
            # The reminder's page, newest first, and its report.
            models.Index(fields=["reminder", "-id"], name="reminder_occasion_of_reminder"),
            # From a delivery back to what it stands for.
            models.Index(
                fields=["delivery"], name="reminder_occasion_of_delivery", condition=Q(delivery__isnull=False)
            ),
            # The order's page, and what its earlier steps did.
            models.Index(fields=["order"], name="reminder_occasion_of_order", condition=Q(order__isnull=False)),
        ]

    def __str__(self):
        return self.key
