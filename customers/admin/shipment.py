"""The parcels: the list with those that stand still, and the page of one with its news."""

from collections.abc import Sequence
from datetime import timedelta

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display

from customers import clock
from customers.admin import order_card, parcels
from customers.admin.large_list import LargeListMixin
from customers.choices import ShipmentStatus
from customers.models import Order, Shipment

LONGEST_SEARCH = 100
MOVING = (ShipmentStatus.SHIPPED, ShipmentStatus.IN_TRANSIT, ShipmentStatus.OUT_FOR_DELIVERY)
STILL = {"1": (_("for a day"), 1), "3": (_("for 3 days"), 3), "7": (_("for 7 days"), 7)}
NEWS_SHOWN = 100


class WhereFilter(SimpleListFilter):
    """Where the parcel is."""

    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        """The statuses."""
        return list(ShipmentStatus.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """The parcels in one of them."""
        return queryset.filter(status=self.value()) if self.value() in ShipmentStatus.values else queryset


class StillFilter(SimpleListFilter):
    """Parcels on their way of which nothing was told for days."""

    title = _("without movement")
    parameter_name = "still"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        """Spans that end now."""
        return [(value, label) for value, (label, _days) in STILL.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """Those that have not moved for so long; the index of the reminders answers."""
        if self.value() not in STILL:
            return queryset
        before = clock.now() - timedelta(days=STILL[self.value()][1])
        return queryset.filter(status__in=MOVING, moved_at__lt=before)


@admin.register(Shipment)
class ShipmentAdmin(LargeListMixin, ModelAdmin):
    """Parcels as orders, files and carriers told of them; nobody writes them by hand."""

    list_display = ["display_number", "pill", "order_link", "buyer", "moved", "arrived"]
    list_display_links = ["display_number"]
    list_filter = [WhereFilter, StillFilter]
    list_filter_sheet = True
    search_fields = ["number"]
    search_help_text = _("Whole tracking number or order number")
    change_form_template = "admin/customers/order/page.html"
    fields = ["story"]
    readonly_fields = ["story"]
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Parcels come with orders, and from carriers."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Shipment | None = None) -> bool:
        """Carriers tell of parcels."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Shipment | None = None) -> bool:
        """A parcel stays as long as its order."""
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """What the filters ask; other columns would read the whole table."""
        return lookup in [one.parameter_name for one in self.list_filter]

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """Parcels with this number, or of the orders with it."""
        term = search_term[:LONGEST_SEARCH].replace("\0", "").strip()
        if not term:
            return queryset, False
        orders = list(Order.objects.filter(number__in=[term, f"#{term}"]).values_list("id", flat=True))
        return queryset.filter(Q(number=term) | Q(order_id__in=orders)), False

    def rows_of_page(self, request: HttpRequest, keys: Sequence[int]) -> list[Shipment]:
        """The parcels of one page with their orders and buyers."""
        return list(Shipment.objects.filter(pk__in=keys).select_related("order__customer").order_by("-pk"))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Shipment | None:
        """One parcel with its order."""
        if not (object_id.isascii() and object_id.isdigit() and len(object_id) < 19):
            return None
        return Shipment.objects.select_related("order__customer").filter(pk=object_id).first()

    @display(description=_("tracking number"))
    def display_number(self, parcel: Shipment) -> SafeString:
        """The carrier and its number."""
        return format_html('{} <span class="hy-number">{}</span>', parcel.carrier, parcel.number)

    @display(description=_("status"))
    def pill(self, parcel: Shipment) -> SafeString:
        """Where it is, in its color."""
        return parcels.pill(parcel)

    @display(description=_("order"))
    def order_link(self, parcel: Shipment) -> SafeString:
        """The way to its order."""
        address = reverse("admin:customers_order_change", args=[parcel.order_id])
        return format_html('<a class="hy-link hy-number" href="{}">{}</a>', address, parcel.order.number)

    @display(description=_("customer"))
    def buyer(self, parcel: Shipment) -> SafeString | str:
        """Who waits for it."""
        if parcel.order.customer is None:
            return parcel.order.receiver_name or "–"
        address = reverse("admin:customers_customer_change", args=[parcel.order.customer_id])
        return format_html('<a class="hy-link" href="{}">{}</a>', address, parcel.order.customer)

    @display(description=_("last moved at"))
    def moved(self, parcel: Shipment) -> str:
        """When anything was told of it last."""
        return order_card.moment(parcel.moved_at)

    @display(description=_("arrived at"))
    def arrived(self, parcel: Shipment) -> str:
        """When it arrived."""
        return order_card.moment(parcel.delivered_at)

    @display(description="")
    def story(self, parcel: Shipment) -> SafeString:
        """The whole story of one parcel."""
        news = parcel.events.order_by("-happened_at", "-id")[:NEWS_SHOWN]
        context = {"parcel": parcel, "pill": parcels.pill(parcel), "news": news}
        return render_to_string("admin/customers/shipment/story.html", context)
