"""OrderException: something that went wrong with an order."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from customers.choices import OrderExceptionKind
from customers.models.order import Order


class OrderExceptionQuerySet(models.QuerySet):
    """Questions about exceptions that have a name, and the verb that closes them."""

    def standing(self):
        """Exceptions that nobody has settled yet."""
        return self.filter(resolved_at=None)

    def resolve(self, now):
        """Standing → resolved; answers how many."""
        return self.standing().update(resolved_at=now)


class OrderException(models.Model):
    """
    Something that went wrong with an order: standing until it is resolved, then history.

    `happened_at` is what the shop's system says, `recorded_at` when we learned of it; `note` is the
    reason in words that a customer may read, such as why a payment failed.
    """

    order = models.ForeignKey(
        Order, models.CASCADE, related_name="exceptions", db_constraint=False, db_index=False, verbose_name=_("order")
    )
    kind = models.CharField(_("what went wrong"), max_length=24, choices=OrderExceptionKind)
    note = models.CharField(_("reason"), max_length=100, blank=True, default="")
    happened_at = models.DateTimeField(_("happened at"))
    recorded_at = models.DateTimeField(_("recorded at"), db_default=Now())
    resolved_at = models.DateTimeField(_("resolved at"), null=True, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("person"),
    )

    objects = OrderExceptionQuerySet.as_manager()

    class Meta:
        verbose_name = _("exception of an order")
        verbose_name_plural = _("exceptions of orders")
        constraints = [
            models.UniqueConstraint(
                fields=["order", "kind"], condition=Q(resolved_at=None), name="order_exception_stands_once_per_kind"
            ),
            models.CheckConstraint(
                name="order_exception_is_of_a_known_kind", condition=Q(kind__in=OrderExceptionKind.values)
            ),
            models.CheckConstraint(
                name="order_exception_is_resolved_after_it_was_recorded",
                condition=Q(resolved_at=None) | Q(resolved_at__gte=F("recorded_at")),
            ),
        ]
        indexes = [
            # The order's page; reminders that speak of a standing exception.
            models.Index(fields=["order", "id"], name="order_exception_of_order"),
            # Reminders look for what went wrong since they last looked.
            models.Index(fields=["kind", "recorded_at"], name="order_exception_recorded"),
        ]

    def __str__(self):
        return f"{self.get_kind_display()} #{self.pk}"
