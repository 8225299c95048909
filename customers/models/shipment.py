"""Shipment and ShipmentEvent: a parcel, and what its carrier told of it."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from customers.choices import ShipmentStatus
from customers.models.order import Order


class Shipment(models.Model):
    """One parcel of an order; `moved_at` is the latest moment at which anything was told of it."""

    order = models.ForeignKey(
        Order, models.CASCADE, related_name="shipments", db_constraint=False, db_index=False, verbose_name=_("order")
    )
    carrier = models.CharField(_("carrier"), max_length=60, blank=True, default="")
    number = models.CharField(_("tracking number"), max_length=100)
    status = models.CharField(
        _("status"), max_length=16, choices=ShipmentStatus, default=ShipmentStatus.SHIPPED, db_default="shipped"
    )
    shipped_at = models.DateTimeField(_("shipped at"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("arrived at"), null=True, blank=True)
    moved_at = models.DateTimeField(_("last moved at"))
    recorded_at = models.DateTimeField(_("recorded at"), db_default=Now())
    updated_at = models.DateTimeField(_("updated at"), db_default=Now())

    class Meta:
        verbose_name = _("parcel")
        verbose_name_plural = _("parcels")
        constraints = [
            models.UniqueConstraint(fields=["order", "number"], name="shipment_is_listed_once_per_order"),
            models.CheckConstraint(name="shipment_has_a_number", condition=~Q(number="")),
            models.CheckConstraint(name="shipment_has_a_known_status", condition=Q(status__in=ShipmentStatus.values)),
        ]
        indexes = [
            # Reminders look for parcels that have not moved for a day, among those still on their way.
            models.Index(
                fields=["moved_at"],
                name="shipment_without_movement",
                condition=Q(status__in=["shipped", "in_transit", "out_for_delivery"]),
            ),
            # Search by the number that a customer reads out.
            models.Index(fields=["number"], name="shipment_number"),
        ]

    def __str__(self):
        return f"{self.carrier} {self.number}".strip()


class ShipmentEvent(models.Model):
    """One thing that a carrier told of a parcel; told twice it is one event."""

    shipment = models.ForeignKey(
        Shipment, models.CASCADE, related_name="events", db_constraint=False, db_index=False, verbose_name=_("parcel")
    )
    status = models.CharField(_("status"), max_length=16, choices=ShipmentStatus, blank=True, default="")
    text = models.CharField(_("what the carrier says"), max_length=200, blank=True, default="")
    place = models.CharField(_("place"), max_length=60, blank=True, default="")
    happened_at = models.DateTimeField(_("happened at"))
    recorded_at = models.DateTimeField(_("recorded at"), db_default=Now())

    class Meta:
        verbose_name = _("news of a parcel")
        verbose_name_plural = _("news of parcels")
        constraints = [
            models.UniqueConstraint(
                fields=["shipment", "happened_at", "status", "text"], name="shipment_event_is_told_once"
            ),
        ]

    def __str__(self):
        return self.text or self.get_status_display()
