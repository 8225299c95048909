"""Appointments, coupons, bills, carts and the like: the list, the page of one, adding one by hand, settling it."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.decorators import display

from customers import clock, phone
from customers.admin import audit, order_card
from customers.admin.large_list import LargeListMixin
from customers.choices import EventKind
from customers.models import Customer, CustomerEvent
from customers.services import events
from customers.services.events import EventFacts

LONGEST_SEARCH = 100
FOUND_AT_MOST = 1_000
DUE = {"1": (_("within a day"), 1), "7": (_("within 7 days"), 7), "30": (_("within 30 days"), 30)}
MOMENT = "%Y-%m-%dT%H:%M"
# As the starter texts call them.
VALUES = ("title", "place", "amount", "code")


class KindFilter(SimpleListFilter):
    """What it is."""

    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        """The kinds."""
        return list(EventKind.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """The events of one kind."""
        return queryset.filter(kind=self.value()) if self.value() in EventKind.values else queryset


class DueFilter(SimpleListFilter):
    """What stands and is due soon."""

    title = _("due at")
    parameter_name = "due"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        """Spans that begin now."""
        return [(value, label) for value, (label, _days) in DUE.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """Those due in the span; the index of the reminders answers, kind by kind."""
        if self.value() not in DUE:
            return queryset
        now = clock.now()
        until = now + timedelta(days=DUE[self.value()][1])
        return queryset.filter(closed_at=None, kind__in=EventKind.values, due_at__gte=now, due_at__lt=until)


class EventForm(forms.Form):
    """An event that staff write down."""

    kind = forms.ChoiceField(label=_("Kind"), choices=EventKind.choices, widget=forms.Select({"class": "hy-input"}))
    customer = forms.CharField(
        label=_("Customer: phone number, e-mail address, or number in the shop's own system"),
        max_length=254,
        widget=forms.TextInput({"class": "hy-input", "autocomplete": "off"}),
    )
    due_at = forms.DateTimeField(
        label=_("Takes place, or runs out, at"),
        required=False,
        input_formats=[MOMENT],
        widget=forms.DateTimeInput({"class": "hy-input", "type": "datetime-local"}, format=MOMENT),
        error_messages={"invalid": _("Write the moment like 2026-05-31 14:30.")},
    )
    title = forms.CharField(label=_("What it is about"), max_length=100, required=False)
    place = forms.CharField(label=_("Place"), max_length=100, required=False)
    amount = forms.CharField(label=_("Amount, or how many"), max_length=40, required=False)
    code = forms.CharField(label=_("Code"), max_length=40, required=False)
    key = forms.CharField(
        label=_("Number in the shop's own system, if it has one"), max_length=events.LONGEST_KEY, required=False
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for name in (*VALUES, "key"):
            self.fields[name].widget.attrs["class"] = "hy-input"

    def clean_customer(self) -> str:
        """Somebody who is known, and one person."""
        term = self.cleaned_data["customer"]
        found = list(_named(term)[:2])
        if not found:
            raise forms.ValidationError(_("Nobody is known by this. Look the customer up in the list of customers."))
        self.found = found[0]
        return term

    def clean(self) -> dict:
        """A number that is taken is another event."""
        cleaned = super().clean()
        key = (cleaned.get("key") or "").strip()
        if key and CustomerEvent.objects.filter(kind=cleaned.get("kind", ""), key=key).exists():
            self.add_error("key", _("There is such an event already. Search the list for its number."))
        return cleaned

    def facts(self, now: datetime) -> EventFacts:
        """The event as it is recorded."""
        said = self.cleaned_data
        return EventFacts(
            said["kind"],
            said["key"].strip() or f"staff-{uuid.uuid4().hex[:12]}",
            happened_at=now,
            due_at=said["due_at"],
            values={name: said[name] for name in VALUES if said[name]},
            customer_id=self.found.pk,
        )


@admin.register(CustomerEvent)
class CustomerEventAdmin(LargeListMixin, ModelAdmin):
    """What is due, or happened, to customers beside orders."""

    list_display = ["display_key", "kind", "person", "due", "about", "state"]
    list_display_links = ["display_key"]
    list_filter = [KindFilter, DueFilter]
    list_filter_sheet = True
    search_fields = ["key"]
    search_help_text = _("Whole number of the event, phone number or name of the customer")
    change_form_template = "admin/customers/order/page.html"
    change_form_outer_after_template = "admin/customers/customerevent/settle.html"
    fields = ["story"]
    readonly_fields = ["story"]
    actions = None

    def has_change_permission(self, request: HttpRequest, obj: CustomerEvent | None = None) -> bool:
        """An event is told again or settled; it is not rewritten."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: CustomerEvent | None = None) -> bool:
        """What was told stays; it is settled."""
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """One customer's events, and what the filters ask."""
        return lookup in ("customer", "customer__id__exact", *(one.parameter_name for one in self.list_filter))

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """The event with this number, and those of the people whom the term means."""
        term = search_term[:LONGEST_SEARCH].replace("\0", "").strip()
        if not term:
            return queryset, False
        people = list(Customer.objects.found_by(term).order_by().values_list("id", flat=True)[:FOUND_AT_MOST])
        told = CustomerEvent.objects.filter(kind__in=EventKind.values, key=term).values_list("id", flat=True)
        theirs = CustomerEvent.objects.filter(customer_id__in=people).values_list("id", flat=True)[:FOUND_AT_MOST]
        return queryset.filter(id__in=[*told, *theirs]), False

    def rows_of_page(self, request: HttpRequest, keys: Sequence[int]) -> list[CustomerEvent]:
        """The events of one page with their customers."""
        return list(CustomerEvent.objects.filter(pk__in=keys).select_related("customer").order_by("-pk"))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> CustomerEvent | None:
        """One event with its customer."""
        if not (object_id.isascii() and object_id.isdigit() and len(object_id) < 19):
            return None
        return CustomerEvent.objects.select_related("customer").filter(pk=object_id).first()

    def get_urls(self) -> list[URLPattern]:
        """The click that settles, beside the usual pages."""
        settle = path(
            "<int:event_id>/settle/",
            self.admin_site.admin_view(require_POST(self.settle)),
            name="customers_customerevent_settle",
        )
        return [settle, *super().get_urls()]

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context=None):
        """The page, with the button that settles where there is something to settle."""
        extra = {"may_settle": request.user.has_perm("customers.change_customerevent")}
        return super().change_view(request, object_id, form_url, extra | (extra_context or {}))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context=None) -> HttpResponse:
        """Write an event down by hand."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = EventForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            facts = form.facts(clock.now())
            events.record([facts], now=clock.now())
            written = CustomerEvent.objects.filter(kind=facts.kind, key=facts.key).first()
            if written:
                messages.success(request, _("Written down. Reminders that speak of it will see it."))
                return HttpResponseRedirect(reverse("admin:customers_customerevent_change", args=[written.pk]))
            form.add_error("customer", _("The customer was erased meanwhile."))
        context = self.admin_site.each_context(request) | {"form": form, "title": _("Write down an event")}
        return render(request, "admin/customers/customerevent/add.html", context)

    def settle(self, request: HttpRequest, event_id: int) -> HttpResponse:
        """Settle one event: nobody is reminded of it any more."""
        if not request.user.has_perm("customers.change_customerevent"):
            raise PermissionDenied
        event = CustomerEvent.objects.filter(pk=event_id).first()
        if event is None:
            raise Http404
        if events.close(event.kind, event.key, now=clock.now()):
            audit.record_for_all(request, str(_("Settled an event.")), model=CustomerEvent, key=event.pk)
            messages.success(request, _("Settled. Nobody is written to because of it any more."))
        else:
            messages.error(request, _("It is settled already: somebody was faster."))
        return HttpResponseRedirect(reverse("admin:customers_customerevent_change", args=[event.pk]))

    @display(description=_("number"))
    def display_key(self, event: CustomerEvent) -> SafeString:
        """The number in the shop's own system."""
        return format_html('<span class="hy-number">{}</span>', event.key)

    @display(description=_("customer"))
    def person(self, event: CustomerEvent) -> SafeString:
        """The way to the customer."""
        address = reverse("admin:customers_customer_change", args=[event.customer_id])
        return format_html('<a class="hy-link" href="{}">{}</a>', address, event.customer)

    @display(description=_("due at"))
    def due(self, event: CustomerEvent) -> str:
        """When it takes place or runs out."""
        return order_card.moment(event.due_at)

    @display(description=_("about"))
    def about(self, event: CustomerEvent) -> str:
        """The words that a text may use."""
        return " · ".join(str(value) for value in event.values.values() if value)[:100] or "–"

    @display(description=_("state"))
    def state(self, event: CustomerEvent) -> SafeString:
        """Whether it still counts."""
        return pill(event)

    @display(description="")
    def story(self, event: CustomerEvent) -> SafeString:
        """All that is known of one event."""
        context = {"event": event, "pill": pill(event)}
        return render_to_string("admin/customers/customerevent/story.html", context)


def pill(event: CustomerEvent) -> SafeString:
    """Whether an event still counts, in its color."""
    tone, words = ("good", _("Settled")) if event.closed_at else ("accent", _("Standing"))
    return format_html('<span class="hy-pill hy-pill-{}">{}</span>', tone, words)


def _named(term: str) -> QuerySet[Customer]:
    """Who is known by a phone number, an e-mail address or the number in the shop's own system."""
    term = term.replace("\0", "").strip()
    present = Customer.objects.present()
    number = phone.normalize(term).number
    if number:
        return present.reached_at("sms", number).order_by("-contact_points__is_primary", "id")
    if "@" in term:
        return present.reached_at("email", term.lower()).order_by("-contact_points__is_primary", "id")
    return present.filter(external_id=term).exclude(external_id="").order_by("id")
