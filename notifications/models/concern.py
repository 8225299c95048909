"""Concern: an order or an event that a delivery speaks of."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from customers.models import CustomerEvent, Order
from notifications.models.delivery import Delivery


class Concern(models.Model):
    """
    An order or an event that a delivery speaks of; several where one message stands for several notices.

    Whoever authorizes the delivery locks the orders and asks them whether it is still wanted. `due_at` is the moment
    that the text names: an appointment that was moved since makes the text wrong.
    """

    delivery = models.ForeignKey(
        Delivery,
        models.DO_NOTHING,
        related_name="concerns",
        db_constraint=False,
        db_index=False,
        verbose_name=_("delivery"),
    )
    order = models.ForeignKey(
        Order,
        models.DO_NOTHING,
        null=True,
        related_name="concerns",
        db_constraint=False,
        db_index=False,
        verbose_name=_("order"),
    )
    event = models.ForeignKey(
        CustomerEvent,
        models.DO_NOTHING,
        null=True,
        related_name="concerns",
        db_constraint=False,
        db_index=False,
        verbose_name=_("event"),
    )
    due_at = models.DateTimeField(_("moment named"), null=True, blank=True)

    class Meta:
        verbose_name = _("subject of a delivery")
        verbose_name_plural = _("subjects of deliveries")
        constraints = [
            models.CheckConstraint(
                name="concern_is_about_an_order_or_an_event",
                condition=Q(order__isnull=False, event=None) | Q(order=None, event__isnull=False),
            ),
        ]
        indexes = [
            # authorize(): what the deliveries of one call speak of.
            models.Index(fields=["delivery"], name="concern_of_delivery"),
            # The pages of an order and of an event: what was written about it.
            models.Index(fields=["order"], name="concern_about_order", condition=Q(order__isnull=False)),
            models.Index(fields=["event"], name="concern_about_event", condition=Q(event__isnull=False)),
        ]

    def __str__(self):
        return str(self.order or self.event)
