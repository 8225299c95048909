"""CustomerEvent: what is due, or happened, to a customer beside orders."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from customers.choices import EventKind
from customers.models.customer import Customer


class CustomerEventQuerySet(models.QuerySet):
    """Questions about events that have a name, and the verb that closes them."""

    def standing(self):
        """Events that are still to come, or still count."""
        return self.filter(closed_at=None)

    def close(self, now):
        """Standing → closed: attended, renewed, used, paid, bought or called off; answers how many."""
        return self.standing().update(closed_at=now, updated_at=now)


class CustomerEvent(models.Model):
    """
    An appointment, a membership that ends, a coupon, points, a bill, a security notice or a cart left behind.

    `key` is the number in the shop's own system: told again it is the same event, and the newer
    `happened_at` wins. `due_at` is when it takes place or runs out. `values` are words that a text may
    use: title, place, amount, code.
    """

    customer = models.ForeignKey(
        Customer,
        models.DO_NOTHING,
        related_name="events",
        db_constraint=False,
        db_index=False,
        verbose_name=_("customer"),
    )
    kind = models.CharField(_("kind"), max_length=12, choices=EventKind)
    key = models.CharField(_("number"), max_length=64)
    happened_at = models.DateTimeField(_("happened at"))
    due_at = models.DateTimeField(_("due at"), null=True, blank=True)
    values = models.JSONField(_("values"), default=dict, blank=True)
    closed_at = models.DateTimeField(_("settled at"), null=True, blank=True)
    recorded_at = models.DateTimeField(_("recorded at"), db_default=Now())
    updated_at = models.DateTimeField(_("updated at"), db_default=Now())

    objects = CustomerEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("event of a customer")
        verbose_name_plural = _("events of customers")
        constraints = [
            models.UniqueConstraint(fields=["kind", "key"], name="customer_event_is_told_once"),
            models.CheckConstraint(name="customer_event_has_a_key", condition=~Q(key="")),
            models.CheckConstraint(name="customer_event_is_of_a_known_kind", condition=Q(kind__in=EventKind.values)),
        ]
        indexes = [
            # The customer's page.
            models.Index(fields=["customer", "-id"], name="customer_event_of_customer"),
            # Reminders: what is due in some days, and what was told since they last looked.
            models.Index(fields=["kind", "due_at"], name="customer_event_due", condition=Q(closed_at=None)),
            models.Index(fields=["kind", "recorded_at"], name="customer_event_recorded"),
        ]

    def __str__(self):
        return f"{self.get_kind_display()} {self.key}"
