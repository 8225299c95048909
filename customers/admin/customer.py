"""The customer list and the customer page."""

from collections.abc import Sequence
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.admin.views.main import PAGE_VAR
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from customers import clock
from customers.admin import audit, customer_card
from customers.admin.customer_columns import AddedColumn, CustomerColumns, with_columns
from customers.admin.customer_export import CustomerExport
from customers.admin.customer_filters import CUSTOMER_FILTERS
from customers.admin.customer_form import CustomerForm
from customers.admin.customer_pages import CustomerPages
from customers.admin.large_list import LargeListMixin
from customers.choices import Channel
from customers.models import Customer
from customers.services import customers, tiers

PARTS_OF_A_NUMBER = (3, *range(5, 11))
FACTS = [("name", "gender"), ("tier", "external_id"), ("city", "province")]
BIRTHDAY = [("birth_year", "birth_month", "birth_day", "birth_calendar")]


@admin.register(Customer)
class CustomerAdmin(CustomerColumns, CustomerPages, CustomerExport, LargeListMixin, ModelAdmin):
    """
    Customers: found at once among a million, with what may be sent to them and why not.

    Upper apps add filters and columns by `CustomerAdmin.added_filters.append(...)` and
    `CustomerAdmin.added_columns.append(AddedColumn(...))`.
    """

    added_filters: list = []
    added_columns: list[AddedColumn] = []

    form = CustomerForm
    list_display = ["display_name", "display_address", "tier", "display_tags", "city"]
    list_display += ["display_consents", "display_birthday"]
    list_display_links = ["display_name"]
    list_filter_submit = True
    list_fullwidth = True
    search_fields = ["name"]
    search_help_text = _("Name, whole number, last four digits, e-mail")
    actions = None
    actions_detail = ["record_consent", "record_opt_out", "erase"]
    change_form_outer_before_template = "admin/customers/customer/card.html"
    change_form_outer_after_template = "admin/customers/customer/history.html"
    compressed_fields = True
    warn_unsaved_form = True

    # The list ------------------------------------------------------------------------------------

    def get_list_display(self, request: HttpRequest) -> list:
        """Our columns, then those of upper apps."""
        return [*super().get_list_display(request), *(column.as_column() for column in self.added_columns)]

    def get_list_filter(self, request: HttpRequest) -> list:
        """Our filters, then those of upper apps."""
        return [*CUSTOMER_FILTERS, *self.added_filters]

    def rows_of_page(self, request: HttpRequest, keys: Sequence[int]) -> list[Customer]:
        """The customers of one page with all that their columns show."""
        rows = list(with_columns(Customer.objects.filter(pk__in=keys)).order_by("-pk"))
        added = {column.name: column.fetch(keys) for column in self.added_columns}
        is_revealable = request.user.has_perm("customers.view_full_address")
        for customer in rows:
            customer.is_revealable = is_revealable
            customer.added = {name: values[customer.pk] for name, values in added.items() if customer.pk in values}
        return rows

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """Customers a term means, erased ones left out; their pages stay reachable from the evidence."""
        queryset = queryset.present()
        term = search_term.strip()
        if not term:
            return queryset, False
        if term.isascii() and term.isdigit() and len(term) in PARTS_OF_A_NUMBER:
            messages.info(request, _("A phone number is found by all its eleven digits or by the last four."))
        return queryset.found_by(term), False

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None) -> TemplateResponse:
        """The list, with the way to keep the present filter as a segment."""
        extra = {"segment_url": _segment_url(request)}
        return super().changelist_view(request, extra | (extra_context or {}))

    # The customer's page -------------------------------------------------------------------------

    def get_fieldsets(self, request: HttpRequest, obj: Customer | None = None) -> list:
        """Facts, reachability, note; removing an address is offered where there is one."""
        addresses: list = [("phone", "email")]
        if obj and self.has_change_permission(request, obj):
            held = set(obj.contact_points.filter(is_primary=True).values_list("channel", flat=True))
            removals = [
                field
                for field, channel in (("remove_phone", Channel.SMS), ("remove_email", Channel.EMAIL))
                if channel in held
            ]
            addresses += [tuple(removals)] if removals else []
            addresses.append("seen")
        facts = list(FACTS)
        if obj and obj.has_own_tier and self.has_change_permission(request, obj):
            facts.insert(2, "computed_again")
        return [
            (_("Who it is"), {"fields": [*facts, *BIRTHDAY, "carried_tags", "note"]}),
            (_("How to reach them"), {"fields": addresses}),
        ]

    def has_change_permission(self, request: HttpRequest, obj: Customer | None = None) -> bool:
        """An erased customer is changed by nobody."""
        return super().has_change_permission(request, obj) and not (obj and obj.erased_at)

    def has_delete_permission(self, request: HttpRequest, obj: Customer | None = None) -> bool:
        """A customer is erased, not deleted: the evidence stays."""
        return False

    def save_model(self, request: HttpRequest, obj: Customer, form: CustomerForm, change: bool) -> None:
        """Store the customer."""
        is_computed = form.settle_tier()
        customers.save(
            obj,
            addresses=form.changed_addresses(),
            tags=form.cleaned_data.get("carried_tags"),
            now=clock.now(),
        )
        if is_computed:
            tiers.recompute(now=clock.now(), only=obj)

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context=None):
        """The page, with consents, evidence and what became of every message."""
        customer = self.get_object(request, object_id)
        extra = customer_card.context(customer, request.user) if customer else {}
        return super().change_view(request, object_id, form_url, extra | (extra_context or {}))

    def log_addition(self, request: HttpRequest, obj: Customer, message: object) -> LogEntry:
        """Write down the addition without the customer's name."""
        return audit.record(request, obj, audit.sentence_of(message), flag=ADDITION)

    def log_change(self, request: HttpRequest, obj: Customer, message: object) -> LogEntry:
        """Write down the change without the customer's name."""
        return audit.record(request, obj, audit.sentence_of(message))

    # Shown to those who may look but not change.
    def phone(self, customer: Customer) -> str:
        """The masked number."""
        return customer_card.masked_primary(customer, Channel.SMS)

    phone.short_description = _("mobile number")

    def email(self, customer: Customer) -> str:
        """The masked e-mail address."""
        return customer_card.masked_primary(customer, Channel.EMAIL)

    email.short_description = _("e-mail")

    def carried_tags(self, customer: Customer) -> str:
        """The tags."""
        return ", ".join(customer.tags.values_list("name", flat=True))

    carried_tags.short_description = _("tags")


def _segment_url(request: HttpRequest) -> str:
    """Where the present filter becomes a segment, for those who may make one; empty without a filter."""
    question = request.GET.copy()
    question.pop(PAGE_VAR, None)
    if not question or not request.user.has_perm("campaigns.add_segment"):
        return ""
    try:
        return f"{reverse('admin:campaigns_segment_add')}?{urlencode({'from': question.urlencode()})}"
    except NoReverseMatch:
        return ""
