"""What the pages of an order and of its customer show: status, timeline, goods, history."""

from datetime import datetime
from decimal import Decimal

from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from customers.admin import follow_up_card, order_clicks, parcels
from customers.choices import OrderStatus
from customers.models import Customer, Order, OrderChange
from customers.services import order_merge

SYMBOLS = {"CNY": "¥", "USD": "$", "EUR": "€", "GBP": "£", "BRL": "R$"}
TONES = {
    OrderStatus.UNPAID: "warn",
    OrderStatus.PAID: "accent",
    OrderStatus.SHIPPED: "accent",
    OrderStatus.OUT_FOR_DELIVERY: "accent",
    OrderStatus.DELIVERED: "good",
    OrderStatus.COMPLETED: "good",
    OrderStatus.AFTER_SALE: "warn",
    OrderStatus.LOCKED: "warn",
    OrderStatus.UNKNOWN: "bad",
}
STEPS = (
    ("ordered_at", _("Ordered")),
    ("paid_at", OrderStatus.PAID.label),
    ("ship_by_at", _("To be shipped by")),
    ("shipped_at", _("Shipped")),
    ("promised_at", _("Promised by")),
    ("delivered_at", _("Arrived")),
    ("completed_at", _("Completed")),
    ("closed_at", _("Closed")),
)
PROMISED = ("ship_by_at", "promised_at")
SHOWN_CHANGES = 50
ORDERS_OF_CUSTOMER = 10


def pill(order: Order) -> SafeString:
    """The status in its color."""
    return format_html(
        '<span class="hy-pill hy-pill-{}">{}</span>', TONES.get(order.status, "plain"), order.get_status_display()
    )


def money(amount: Decimal | None, currency: str) -> str:
    """An amount with its currency."""
    if amount is None:
        return "–"
    return f"{SYMBOLS[currency]}{amount:,.2f}" if currency in SYMBOLS else f"{amount:,.2f} {currency}"


def moment(at: datetime | None) -> str:
    """A moment in the shop's zone."""
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M}" if at else "–"


def context(order: Order) -> dict[str, object]:
    """Everything on the page of one order."""
    changes = list(
        OrderChange.objects.filter(order=order)
        .select_related("spreadsheet_import", "actor")
        .order_by("-id")[:SHOWN_CHANGES]
    )
    return {
        "order": order,
        "pill": pill(order),
        "steps": steps(order),
        "amounts": [
            (label, money(getattr(order, name), order.currency))
            for name, label in (
                ("total", _("Amount")),
                ("paid", _("Amount paid")),
                ("refund", _("Amount refunded")),
                ("freight", _("Shipping fee")),
            )
            if getattr(order, name) is not None
        ],
        "lines": [(line, money(line.price, order.currency)) for line in order.lines.order_by("id")],
        "changes": [(change, facts(change)) for change in changes],
        "teach_url": _teach_url(order) if not order.status else "",
    }


def beside(order: Order, request: HttpRequest) -> dict[str, object]:
    """What stands around the story of an order: troubles and their forms, parcels, follow-ups, messages."""
    may_see = request.user.has_perm
    return {
        **order_clicks.forms_for(request, order),
        "parcels": parcels.of_order(order) if may_see("customers.view_shipment") else [],
        **follow_up_card.of_order(order, request.user),
        "deliveries_url": _deliveries_url(order) if may_see("notifications.view_delivery") else "",
    }


def steps(order: Order) -> list[dict[str, object]]:
    """The times of an order in the order of its way; those that run backwards are marked."""
    found, last = [], None
    for name, label in STEPS:
        at = getattr(order, name)
        if at is None:
            continue
        is_early = name not in PROMISED and last is not None and at < last
        found.append({"label": label, "at": moment(at), "is_promise": name in PROMISED, "is_early": is_early})
        if name not in PROMISED:
            last = max(at, last) if last else at
    return found


def facts(change: OrderChange) -> list[tuple[str, str, str]]:
    """What else changed than the status: name, before, after."""
    named = {field.name: field.verbose_name for field in Order._meta.get_fields() if hasattr(field, "verbose_name")}
    shown = []
    for name in order_merge.FACTS:
        if name in change.after:
            values = (change.before.get(name), change.after.get(name))
            shown.append((str(named[name]), *(_value(name, value) for value in values)))
    return shown


def of_customer(customer: Customer, user: AbstractBaseUser) -> dict[str, object]:
    """The newest orders of a customer, for their page."""
    if not user.has_perm("customers.view_order"):
        return {"orders": None}
    newest = list(Order.objects.filter(customer=customer).order_by("-id")[: ORDERS_OF_CUSTOMER + 1])
    newest_first = sorted(newest[:ORDERS_OF_CUSTOMER], key=lambda order: order.status_at, reverse=True)
    address = reverse("admin:customers_order_changelist")
    return {
        "orders": [
            {
                "order": order,
                "pill": pill(order),
                "total": money(order.total, order.currency),
                "at": moment(order.ordered_at),
            }
            for order in newest_first
        ],
        "accounts": list(customer.accounts.order_by("id")),
        "all_orders_url": f"{address}?customer__id__exact={customer.pk}" if len(newest) > ORDERS_OF_CUSTOMER else "",
    }


def _value(name: str, value: object) -> str:
    if value in (None, ""):
        return "–"
    return moment(datetime.fromisoformat(str(value))) if name.endswith("_at") else str(value)


def _deliveries_url(order: Order) -> str:
    """Where the messages about an order are listed, if the deployment sends any."""
    try:
        return reverse("admin:notifications_order_deliveries", args=[order.pk])
    except NoReverseMatch:
        return ""


def _teach_url(order: Order) -> str:
    return reverse("admin:customers_orderstatusword_changelist")
