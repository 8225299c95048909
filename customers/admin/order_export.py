"""What an export of orders holds: each good of each order, as the importer reads it back."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from customers.admin.list_export import rows_asked
from customers.choices import Channel
from customers.models import ContactPoint, Order, OrderLine, OrderStatusWord
from customers.models.contact_point import masked
from customers.services import exports

# What joins the word of the order and that of its shipping where a platform has both.
BESIDE = " / "


class OrderResource:
    """One line per good, with its order; addresses are masked for those who may not see them whole."""

    def __init__(self, *, shows_addresses: bool = False):
        self.shows_addresses = shows_addresses
        self._words: dict[tuple[str, str], str] = {}
        for platform, text, meaning in OrderStatusWord.objects.order_by("-pk").values_list(
            "platform", "text", "meaning"
        ):
            self._words[platform, meaning] = text

    def header(self) -> list[str]:
        """The heads of the columns; the layout “hongyan_orders” knows them in both languages."""
        return [
            *(_("Order number"), _("Line number"), _("Platform"), _("Shop"), _("Platform name"), _("Receiver")),
            *(_("Mobile number"), _("E-mail"), _("Province"), _("City"), _("Order status"), _("Shipping status")),
            *(_("After-sale status"), _("Product"), _("Product number"), _("Variant"), _("Category"), _("Quantity")),
            *(_("Unit price"), _("Currency"), _("Order total"), _("Paid"), _("Refunded"), _("Shipping fee")),
            *(_("Ordered at"), _("Paid at"), _("Shipped at"), _("Delivered at"), _("Completed at"), _("Closed at")),
            *(
                _("Ship by"),
                pgettext("head of a column", "Promised by"),
                _("Closed because"),
                _("Carrier"),
                _("Tracking number"),
                _("Note"),
            ),
        ]

    def lines(self, keys: Sequence[int]) -> Iterator[list[object]]:
        """The goods of the orders with these keys; an order without goods has one line."""
        orders = Order.objects.select_related("account").in_bulk(keys)
        goods: dict[int, list[OrderLine]] = defaultdict(list)
        for good in OrderLine.objects.filter(order__in=keys).order_by("order_id", "pk"):
            goods[good.order_id].append(good)
        addresses = self._addresses({order.customer_id for order in orders.values() if order.customer_id})
        for key in keys:
            if key in orders:
                theirs = goods.get(key, [])
                # One good that came back does not make the others come back too.
                case = "" if any(good.after_sale_status for good in theirs) else orders[key].after_sale_status
                for good in theirs or [None]:
                    yield self._line(orders[key], good, addresses, case=case)

    def _line(
        self, order: Order, good: OrderLine | None, addresses: dict[tuple[int, str], str], *, case: str
    ) -> list[object]:
        status, beside = self._status(order)
        return [
            *(order.number, good.key if good else "", order.get_platform_display(), order.shop_name),
            *(order.account.name if order.account else "", order.receiver_name),
            addresses.get((order.customer_id, Channel.SMS), ""),
            addresses.get((order.customer_id, Channel.EMAIL), ""),
            *(order.province, order.city, status, beside),
            (good.after_sale_status if good else "") or case,
            *((good.product, good.product_id, good.sku, good.category) if good else ("", "", "", "")),
            *((good.quantity, good.price) if good else (None, None)),
            *(order.currency, order.total, order.paid, order.refund, order.freight),
            *(_moment(getattr(order, name)) for name in MOMENTS),
            *(order.closed_reason, order.carrier, order.tracking_number, order.note),
        ]

    def _status(self, order: Order) -> tuple[str, str]:
        """The platform's words; where a file had none, a word that means the same there."""
        if order.platform_status:
            status, _divider, beside = order.platform_status.partition(BESIDE)
            return status, beside
        return self._words.get((order.platform, order.status), ""), ""

    def _addresses(self, customers: set[int]) -> dict[tuple[int, str], str]:
        points = ContactPoint.objects.filter(
            customer__in=customers, is_primary=True, channel__in=[Channel.SMS, Channel.EMAIL]
        )
        return {
            (customer, channel): address if self.shows_addresses else masked(address)
            for customer, channel, address in points.values_list("customer_id", "channel", "address")
        }


MOMENTS = ("ordered_at", "paid_at", "shipped_at", "delivered_at", "completed_at", "closed_at")
MOMENTS += ("ship_by_at", "promised_at")


def _moment(when: datetime | None) -> datetime | None:
    """A moment as spreadsheets know it: the shop's own time, without a zone."""
    return localtime(when).replace(tzinfo=None) if when else None


def _asked(question: str, person: AbstractBaseUser) -> QuerySet[Order]:
    return rows_asked(Order, question, person)


ORDERS = exports.KINDS.add(
    exports.Kind(
        key="orders",
        label=gettext_lazy("Orders"),
        permission="customers.export_order",
        asked=_asked,
        resource=OrderResource,
    )
)
