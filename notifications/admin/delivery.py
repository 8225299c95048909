"""The sending records: every message to every customer, sent or not, with the reason."""

from collections.abc import Sequence

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from customers.admin.large_list import (
    COUNTED_AT_MOST,
    BoundedPaginator,
    LargeChangeList,
    LargeListMixin,
    PartsPaginator,
)
from customers.admin.list_export import ListExport
from customers.models import Customer
from notifications import screening
from notifications.admin import customer_deliveries, delivery_parts, resending, sent_text, states
from notifications.admin.delivery_export import DELIVERIES
from notifications.admin.dialogs import number_in
from notifications.admin.filters import MessageFilter, ReasonFilter, StateFilter, numbers
from notifications.models import Delivery, FrequencyCap
from notifications.services.resending import STATUSES

# A longer name is no name; a shop of a million customers has fewer than this of one surname and a letter.
LONGEST_SEARCH = 60
FOUND_AT_MOST = 1_000
# The filters that the parts answer; with any other, the rows of a customer are few.
PARTED = {StateFilter.parameter_name, ReasonFilter.parameter_name, MessageFilter.parameter_name}


class DeliveryChangeList(LargeChangeList):
    """Newest first; where it is filtered by state, and so in many ways to be found, newest messages first."""

    def get_paginator(self, request: HttpRequest) -> BoundedPaginator:
        """The pages: of the few rows of some customers, or of the parts in which states are found."""
        asked = {key: values[-1] for key, values in self.get_filters_params().items() if values}
        if self.query or not asked or asked.keys() - PARTED:
            return super().get_paginator(request)
        states = asked.get(StateFilter.parameter_name)
        messages = asked.get(MessageFilter.parameter_name)
        found = delivery_parts.parts(
            states=None if states is None else states.split(","),
            messages=None if messages is None else numbers(messages),
            reason=asked.get(ReasonFilter.parameter_name),
            wanted=COUNTED_AT_MOST + 1,
        )
        return PartsPaginator(self.queryset, self.list_per_page, parts=found)


@admin.register(Delivery)
class DeliveryAdmin(ListExport, LargeListMixin, ModelAdmin):
    """Sending records, to be read only."""

    export_kind = DELIVERIES.key
    list_display = ["when", "recipient", "message_name", "shown_state", "why", "segment_count", "cost_in_yuan"]
    list_display_links = ["when"]
    list_filter = [StateFilter, ReasonFilter, MessageFilter]
    list_filter_sheet = True
    search_fields = ["address"]
    search_help_text = gettext_lazy("Whole phone number, its last four digits, or a name")
    change_form_template = "admin/notifications/story_form.html"
    fields = ["evidence"]
    readonly_fields = ["evidence"]
    actions = None
    actions_detail = ["send_again"]

    def has_add_permission(self, request):
        """The engine writes deliveries."""
        return False

    def has_change_permission(self, request, obj=None):
        """The engine writes deliveries."""
        return False

    def has_delete_permission(self, request, obj=None):
        """Evidence stays."""
        return False

    def has_resend_permission(self, request: HttpRequest, object_id=None) -> bool:
        """Whether this person may send again what did not arrive."""
        return request.user.has_perm(resending.RESEND)

    def get_actions_detail(self, request, object_id):
        """Send again what did not arrive."""
        delivery = self.get_object(request, str(object_id))
        if delivery is None or delivery.status not in STATUSES or delivery.customer_id is None:
            return []
        return super().get_actions_detail(request, object_id)

    @action(description=gettext_lazy("Send again …"), icon="replay", permissions=["resend"])
    def send_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Go to the page that shows what that would do."""
        return redirect(resending.address_of(delivery=number_in(object_id)))

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Deliveries; the state that is shown is worked out for the rows of the page alone."""
        return Delivery.objects.order_by()

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """One customer's deliveries; other columns in the address would read the whole table."""
        return lookup in ("customer", "customer__id__exact", *(one.parameter_name for one in self.list_filter))

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str):
        """Deliveries of the customers whom the term means."""
        term = search_term[:LONGEST_SEARCH].strip()
        if not term:
            return queryset, False
        people = list(Customer.objects.found_by(term).order_by().values_list("id", flat=True)[:FOUND_AT_MOST])
        if len(people) == FOUND_AT_MOST:
            self.message_user(
                request,
                _("More than %(count)s customers match. Write more of the name, or the whole number.")
                % {"count": f"{FOUND_AT_MOST:,}"},
                "warning",
            )
        return queryset.filter(customer_id__in=people), False

    def get_changelist(self, request: HttpRequest, **options) -> type[DeliveryChangeList]:
        """The list class."""
        return DeliveryChangeList

    def rows_of_page(self, request: HttpRequest, keys: Sequence[int]) -> list[Delivery]:
        """The rows of a page, in its order, with all that the columns show."""
        rows = Delivery.objects.with_state().select_related("message", "customer", "submission", "hold")
        found = rows.in_bulk(keys)
        return [found[key] for key in keys if key in found]

    def get_object(self, request, object_id, from_field=None):
        """One delivery with all that its page shows."""
        if not (object_id.isascii() and object_id.isdigit() and len(object_id) < 19):
            return None
        rows = Delivery.objects.with_state().select_related("message", "customer", "submission__account", "hold")
        return rows.filter(pk=object_id).first()

    def get_urls(self) -> list[URLPattern]:
        """The panel of one customer's messages, beside the usual pages."""
        panel = path(
            "of-customer/<int:customer_id>/",
            self.admin_site.admin_view(self.of_customer),
            name="notifications_customer_deliveries",
        )
        about = path(
            "about-order/<int:order_id>/",
            self.admin_site.admin_view(self.about_order),
            name="notifications_order_deliveries",
        )
        again = path("resend/", self.admin_site.admin_view(self.resend), name="notifications_delivery_resend")
        return [panel, about, again, *super().get_urls()]

    def resend(self, request: HttpRequest) -> HttpResponse:
        """What sending again would do, and the act."""
        return resending.view(request, self)

    def of_customer(self, request: HttpRequest, customer_id: int) -> HttpResponse:
        """Every message of one customer, for a place in the customer's page."""
        return customer_deliveries.panel(request, customer_id, is_allowed=self.has_view_permission(request))

    def about_order(self, request: HttpRequest, order_id: int) -> HttpResponse:
        """Every message about one order, for a place in the order's page."""
        return customer_deliveries.about_order(request, order_id, is_allowed=self.has_view_permission(request))

    @display(description=gettext_lazy("Time"))
    def when(self, delivery: Delivery) -> str:
        """When it was sent, or planned."""
        return states.moment(delivery.sent_at or delivery.finished_at or delivery.created_at)

    @display(description=gettext_lazy("Customer"))
    def recipient(self, delivery: Delivery) -> SafeString:
        """Who, and at which address."""
        name = delivery.customer or _("Test")
        address = states.masked(delivery.address, delivery.message.channel)
        return format_html('{}<br><span class="hy-soft hy-small hy-number">{}</span>', name, address)

    @display(description=gettext_lazy("Message"))
    def message_name(self, delivery: Delivery) -> SafeString:
        """Which message."""
        link = reverse("admin:notifications_message_change", args=[delivery.message_id])
        return format_html('<a href="{}" class="hy-link">{}</a>', link, delivery.message)

    @display(description=gettext_lazy("State"))
    def shown_state(self, delivery: Delivery) -> SafeString:
        """The state with its color."""
        return states.pill(states.state_of(delivery))

    @display(description=gettext_lazy("Reason"))
    def why(self, delivery: Delivery) -> str:
        """Why it was not sent, or waits."""
        return states.explanation(delivery) or "–"

    @display(description=gettext_lazy("Billed SMS"))
    def segment_count(self, delivery: Delivery) -> str:
        """How many SMS it was billed as."""
        return str(delivery.segments or "–")

    @display(description=gettext_lazy("Cost"))
    def cost_in_yuan(self, delivery: Delivery) -> str:
        """What it cost."""
        return f"¥{delivery.cost:.3f}" if delivery.cost else "–"

    @display(description="")
    def evidence(self, delivery: Delivery) -> SafeString:
        """The whole story of one delivery."""
        state = states.state_of(delivery)
        rule_id = delivery.hold.rule_id if hasattr(delivery, "hold") else None
        return render_to_string(
            "admin/notifications/delivery/evidence.html",
            {
                "delivery": delivery,
                "state": states.pill(state),
                "meaning": states.MEANINGS.get(state, ""),
                "explanation": states.explanation(delivery),
                "remedy": screening.REMEDIES.get(delivery.reason, ""),
                "rule": FrequencyCap.objects.filter(pk=rule_id).first(),
                "address": states.masked(delivery.address, delivery.message.channel),
                "text": sent_text.of(delivery),
                "earlier": Delivery.objects.filter(
                    message__agains=delivery.message_id, customer_id=delivery.customer_id
                ).first(),
                "later": Delivery.objects.filter(
                    message__again_of=delivery.message_id, customer_id=delivery.customer_id
                ),
            },
        )
