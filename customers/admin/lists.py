"""Tags, closed addresses, and the evidence of consent."""

from collections.abc import Sequence

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from customers import clock, phone
from customers.admin.large_list import LargeListMixin
from customers.choices import Channel, SuppressionReason
from customers.models import ConsentChange, Suppression, Tag, Tier
from customers.models.contact_point import masked
from customers.services import gate

NUMBERED = (Channel.SMS, Channel.VOICE)


class GroupingAdmin(ModelAdmin):
    """What customers are grouped by; deleting asks with their number, without listing them."""

    actions = None
    question = ""

    @display(description=_("customers"))
    def people(self, group: Tag | Tier) -> SafeString:
        """The way to the customers of the group."""
        address = f"{reverse('admin:customers_customer_changelist')}?{self.question}={group.pk}"
        return format_html('<a class="text-primary-600" href="{}">{}</a>', address, _("Show"))

    def get_deleted_objects(self, groups: Sequence[Tag | Tier], request: HttpRequest) -> tuple:
        """What goes: a stock page would list every customer of a tag, a hundred thousand of them."""
        words = _("%(group)s (%(count)s customers lose it)")
        listed = [words % {"group": group, "count": f"{group.customers.count():,}"} for group in groups]
        return listed, {self.opts.verbose_name_plural: len(listed)}, set(), []


@admin.register(Tag)
class TagAdmin(GroupingAdmin):
    """The shop's tags."""

    list_display = ["name", "people"]
    search_fields = ["name"]
    ordering = ["name"]
    question = "tag"


class SuppressionForm(forms.ModelForm):
    """Closing an address by hand."""

    class Meta:
        model = Suppression
        fields = ["channel", "address", "scope", "note"]

    def clean(self) -> dict:
        """Store the address as messages find it."""
        cleaned = super().clean()
        channel, address = cleaned.get("channel"), cleaned.get("address")
        if not (channel and address):
            return cleaned
        try:
            cleaned["address"] = as_stored(channel, address)
        except ValidationError as refusal:
            self.add_error("address", refusal)
            return cleaned
        if Suppression.objects.filter(channel=channel, address=cleaned["address"]).exists():
            self.add_error("address", _("This address is closed already. Search the list for it."))
        return cleaned


def as_stored(channel: str, address: str) -> str:
    """An address in the one way of writing that is stored; raises ValidationError with a remedy."""
    if channel in NUMBERED:
        number, reason = phone.normalize(address)
        if not number:
            problem, remedy = phone.REMEDIES[reason]
            raise ValidationError(_("%(problem)s. %(remedy)s"), params={"problem": _(problem), "remedy": _(remedy)})
        return number
    address = address.strip()
    if channel == Channel.EMAIL:
        address = address.lower()
        try:
            validate_email(address)
        except ValidationError as refusal:
            raise ValidationError(_("This is no e-mail address. Write it like name@example.com.")) from refusal
    return address


@admin.register(Suppression)
class SuppressionAdmin(LargeListMixin, ModelAdmin):
    """Addresses nobody may write to; taking one off the list is written down."""

    form = SuppressionForm
    list_display = ["display_address", "channel", "scope", "reason", "note", "created_at", "actor"]
    list_display_links = ["display_address"]
    list_filter = [(name, ChoicesDropdownFilter) for name in ("channel", "scope", "reason")]
    list_filter_submit = True
    list_select_related = ["actor"]
    search_fields = ["address"]
    search_help_text = _("Whole number or e-mail")
    actions = None

    @display(description=_("address"))
    def display_address(self, closure: Suppression) -> str:
        """The masked address."""
        return masked(closure.address)

    def rows_of_page(self, request: HttpRequest, keys: Sequence[int]) -> list[Suppression]:
        """The closed addresses with the person who closed them."""
        return list(Suppression.objects.filter(pk__in=keys).select_related("actor").order_by("-pk"))

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """A whole address in any way of writing."""
        term = search_term.strip()[:254].replace("\0", "")
        if not term:
            return queryset, False
        number = phone.normalize(term).number
        return queryset.filter(address__in={term, term.lower(), number or term}), False

    def get_fields(self, request: HttpRequest, obj: Suppression | None = None) -> list[str]:
        """The form to add one, or the facts of one."""
        if obj is None:
            return ["channel", "address", "scope", "note"]
        return ["display_address", "channel", "scope", "reason", "note", "created_at", "actor"]

    def has_change_permission(self, request: HttpRequest, obj: Suppression | None = None) -> bool:
        """A closed address is opened or stays; it is not rewritten."""
        return False

    def save_model(self, request: HttpRequest, obj: Suppression, form: SuppressionForm, change: bool) -> None:
        """Close the address in the name of the person."""
        obj.reason = SuppressionReason.STAFF
        obj.actor = request.user
        obj.created_at = clock.now()
        gate.shut()
        obj.save()

    def delete_model(self, request: HttpRequest, obj: Suppression) -> None:
        """Open the address again; consent is asked for separately."""
        obj.delete()
        messages.info(request, _("The address is open again. Consent stands where it stood."))


@admin.register(ConsentChange)
class ConsentChangeAdmin(LargeListMixin, ModelAdmin):
    """The evidence of every change of consent; read by everybody who may, changed by nobody."""

    list_display = ["recorded_at", "customer_link", "channel", "purpose", "status", "source", "wording", "actor"]
    list_display_links = ["recorded_at"]
    list_filter = [(name, ChoicesDropdownFilter) for name in ("channel", "purpose", "status", "source")]
    list_filter_submit = True
    fields = ["customer_link", "channel", "purpose", "status", "source", "wording"]
    fields += ["happened_at", "recorded_at", "actor", "spreadsheet_import"]
    readonly_fields = fields
    actions = None

    @display(description=_("customer"))
    def customer_link(self, evidence: ConsentChange) -> SafeString:
        """The way to the customer's page, by number: the person may have been erased."""
        address = reverse("admin:customers_customer_change", args=[evidence.customer_id])
        return format_html('<a class="text-primary-600" href="{}">{}</a>', address, evidence.customer_id)

    def rows_of_page(self, request: HttpRequest, keys: Sequence[int]) -> list[ConsentChange]:
        """The evidence with the person who recorded it."""
        return list(ConsentChange.objects.filter(pk__in=keys).select_related("actor").order_by("-pk"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Evidence is written by what happens."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: ConsentChange | None = None) -> bool:
        """Evidence is not changed."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ConsentChange | None = None) -> bool:
        """Evidence is not deleted."""
        return False
