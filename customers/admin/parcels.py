"""How parcels are shown wherever they stand."""

from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.choices import ShipmentStatus
from customers.models import Order, Shipment, ShipmentEvent

TONES = {
    ShipmentStatus.SHIPPED: "accent",
    ShipmentStatus.IN_TRANSIT: "accent",
    ShipmentStatus.OUT_FOR_DELIVERY: "accent",
    ShipmentStatus.DELIVERED: "good",
    ShipmentStatus.FAILED: "bad",
    ShipmentStatus.RETURNED: "warn",
}
PARCELS_SHOWN = 20
NEWS_SHOWN = 5


def pill(parcel: Shipment) -> SafeString:
    """Where a parcel is, in its color."""
    return format_html('<span class="hy-pill hy-pill-{}">{}</span>', TONES[parcel.status], parcel.get_status_display())


def of_order(order: Order) -> list[tuple[Shipment, SafeString, list[ShipmentEvent]]]:
    """The parcels of an order with the newest of what was told of each."""
    return [
        (parcel, pill(parcel), list(parcel.events.order_by("-happened_at", "-id")[:NEWS_SHOWN]))
        for parcel in order.shipments.order_by("id")[:PARCELS_SHOWN]
    ]
