"""The orders: the list, the page of one with its story, and what staff teach about the words of platforms."""

from collections.abc import Sequence

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from customers import clock
from customers.admin import order_card
from customers.admin.large_list import LargeListMixin
from customers.admin.list_export import ListExport
from customers.admin.order_clicks import OrderClicks
from customers.admin.order_export import ORDERS
from customers.admin.order_filters import OrderedFilter, PlatformFilter, StatusFilter
from customers.models import Customer, CustomerAccount, Order, OrderStatusWord
from customers.services import order_words
from customers.spreadsheets import order_statuses

LONGEST_SEARCH = 100
FOUND_AT_MOST = 1_000


@admin.register(Order)
class OrderAdmin(OrderClicks, ListExport, LargeListMixin, ModelAdmin):
    """Orders as files and platforms told them; staff add what they know of their status, and what went wrong."""

    export_kind = ORDERS.key
    list_display = ["display_number", "shown_status", "buyer", "amount", "ordered", "display_platform"]
    list_display_links = ["display_number"]
    list_filter = [StatusFilter, PlatformFilter, OrderedFilter]
    list_filter_sheet = True
    search_fields = ["number"]
    search_help_text = _("Order number, whole phone number or its last four digits, name, or name at the platform")
    change_form_template = "admin/customers/order/page.html"
    change_form_outer_before_template = "admin/customers/order/troubles.html"
    change_form_outer_after_template = "admin/customers/order/beside.html"
    fields = ["story"]
    readonly_fields = ["story"]
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Orders come from files."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:
        """Orders are told by their platform."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:
        """An order stays; an import can be taken back as a whole."""
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """One customer's orders, or those that a file brought; other columns would read the whole table."""
        return lookup in ("customer", "customer__id__exact", *(one.parameter_name for one in self.list_filter))

    def rows_of_page(self, request: HttpRequest, keys: Sequence[int]) -> list[Order]:
        """The orders of one page with their buyers."""
        return list(Order.objects.filter(pk__in=keys).select_related("customer", "account").order_by("-pk"))

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """The orders."""
        return Order.objects.order_by()

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """Orders with this number, or of the people whom the term means."""
        term = search_term[:LONGEST_SEARCH].replace("\0", "").strip()
        if not term:
            return queryset, False
        people = list(Customer.objects.found_by(term).order_by().values_list("id", flat=True)[:FOUND_AT_MOST])
        if len(people) == FOUND_AT_MOST:
            words = _("More than %(count)s customers match. Write more of the name, or the whole number.")
            self.message_user(request, words % {"count": f"{FOUND_AT_MOST:,}"}, "warning")
        accounts = list(CustomerAccount.objects.filter(name=term).values_list("id", flat=True))
        found = Q(number__in=[term, f"#{term}"]) | Q(customer_id__in=people) | Q(account_id__in=accounts)
        return queryset.filter(found), False

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Order | None:
        """One order with all that its page shows."""
        if not (object_id.isascii() and object_id.isdigit() and len(object_id) < 19):
            return None
        rows = Order.objects.select_related("customer", "account", "spreadsheet_import")
        return rows.filter(pk=object_id).first()

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context=None):
        """The page, with what went wrong, the parcels, the follow-ups and what was written about the order."""
        order = self.get_object(request, object_id)
        extra = order_card.beside(order, request) if order else {}
        return super().change_view(request, object_id, form_url, extra | (extra_context or {}))

    @display(description=_("order number"))
    def display_number(self, order: Order) -> SafeString:
        """The number with the shop."""
        return format_html('<span class="hy-number">{}</span>', order.number)

    @display(description=_("status"))
    def shown_status(self, order: Order) -> SafeString:
        """The status in its color; the platform's own words where we do not understand them."""
        if order.status:
            return order_card.pill(order)
        return format_html(
            '{}<br><span class="hy-soft hy-small">{}</span>', order_card.pill(order), order.platform_status
        )

    @display(description=_("buyer"))
    def buyer(self, order: Order) -> SafeString | str:
        """The customer, as far as the buyer is known."""
        if order.customer is None:
            return order.receiver_name or "–"
        address = reverse("admin:customers_customer_change", args=[order.customer_id])
        return format_html('<a class="hy-link" href="{}">{}</a>', address, order.customer)

    @display(description=_("amount"))
    def amount(self, order: Order) -> str:
        """What it cost."""
        return order_card.money(order.total, order.currency)

    @display(description=_("ordered at"))
    def ordered(self, order: Order) -> str:
        """When it was placed."""
        return order_card.moment(order.ordered_at)

    @display(description=_("platform"))
    def display_platform(self, order: Order) -> str:
        """Where it was placed."""
        return " · ".join(filter(None, (order.get_platform_display(), order.shop_name)))

    @display(description="")
    def story(self, order: Order) -> SafeString:
        """The whole story of one order."""
        return render_to_string("admin/customers/order/story.html", order_card.context(order))


class OrderStatusWordForm(forms.ModelForm):
    """Teaching one word, in the one way of writing that is compared."""

    class Meta:
        model = OrderStatusWord
        fields = ["platform", "text", "meaning"]

    def clean_text(self) -> str:
        """The word as the table compares it: both commas alike, without white space."""
        text = order_statuses.normal(self.cleaned_data["text"].replace("\0", ""))
        if not text:
            raise forms.ValidationError(_("Write the word as it stands in the file."))
        return text


@admin.register(OrderStatusWord)
class OrderStatusWordAdmin(ModelAdmin):
    """What the words of platforms mean; teaching one gives their status to the orders that waited for it."""

    list_display = ["text", "platform", "meaning"]
    list_filter = [("platform", ChoicesDropdownFilter), ("meaning", ChoicesDropdownFilter)]
    list_filter_submit = True
    search_fields = ["text"]
    form = OrderStatusWordForm
    fields = ["platform", "text", "meaning"]
    list_before_template = "admin/customers/orderstatusword/unknown.html"
    list_per_page = 100
    show_full_result_count = False
    actions = None

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None) -> TemplateResponse:
        """The words, with those that are not understood yet on top."""
        extra = {"unknown_words": order_words.unknown_words(), "may_teach": self.has_add_permission(request)}
        return super().changelist_view(request, extra | (extra_context or {}))

    def save_model(self, request: HttpRequest, obj: OrderStatusWord, form: forms.ModelForm, change: bool) -> None:
        """Teach the word, and say how many orders it made clear."""
        told = order_words.teach(obj, by=request.user, now=clock.now())
        if told:
            words = ngettext("%(count)s order is understood now.", "%(count)s orders are understood now.", told) % {
                "count": f"{told:,}"
            }
            messages.success(request, words)
        elif change:
            messages.info(request, gettext("Orders that have a status already keep it until the next file."))
