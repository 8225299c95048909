"""What the customer list shows of a customer, and the columns that upper apps add to it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Prefetch, QuerySet
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext, pgettext_lazy

from customers.choices import Channel, ConsentStatus
from customers.models import Consent, ContactPoint, Customer
from customers.models.contact_point import masked

NOTHING = "–"
TAGS_SHOWN = 3
LABEL = "inline-block font-semibold rounded-default text-[11px] whitespace-nowrap h-6 leading-6 px-2"
COLORS = {
    "good": "bg-green-100 text-green-700 dark:bg-green-500/20 dark:text-green-400",
    "bad": "bg-red-100 text-red-700 dark:bg-red-500/20 dark:text-red-400",
    "plain": "bg-base-500/8 text-base-700 dark:bg-base-500/20 dark:text-base-200",
}
CONSENT_COLORS = {ConsentStatus.GRANTED: "good", ConsentStatus.WITHDRAWN: "bad"}


@dataclass(frozen=True)
class AddedColumn:
    """
    A column that an upper app adds to the customer list.

    `fetch` answers for the customers of one page at once: their ids → what to show.
    """

    name: str
    label: str
    fetch: Callable[[Sequence[int]], Mapping[int, object]]

    def as_column(self) -> Callable[[Customer], object]:
        """The function that Django's list shows."""

        def column(customer: Customer) -> object:
            return customer.added.get(self.name, NOTHING)

        column.__name__ = self.name
        column.short_description = self.label
        return column


def label(text: object, color: str = "plain") -> SafeString:
    """A small colored label."""
    return format_html('<span class="{} {}">{}</span>', LABEL, COLORS[color], text)


def with_columns(customers: QuerySet[Customer]) -> QuerySet[Customer]:
    """The customers with everything their columns show, in four queries however many there are."""
    primary = ContactPoint.objects.filter(is_primary=True, channel__in=[Channel.SMS, Channel.EMAIL])
    return customers.select_related("tier").prefetch_related(
        Prefetch("contact_points", primary, to_attr="primary_points"),
        Prefetch("tags", to_attr="shown_tags"),
        Prefetch("consents", Consent.objects.order_by("channel", "purpose"), to_attr="shown_consents"),
    )


class CustomerColumns:
    """The list's columns, for a ModelAdmin."""

    def display_name(self, customer: Customer) -> str:
        """The name, or a word in its place."""
        return customer.name or _("No name")

    display_name.short_description = pgettext_lazy("of a person", "name")

    def display_address(self, customer: Customer) -> SafeString | str:
        """The masked number, or the masked e-mail where there is none."""
        points = sorted(customer.primary_points, key=lambda point: point.channel != Channel.SMS)
        if not points:
            return NOTHING
        shown = masked(points[0].address)
        if not customer.is_revealable:
            return shown
        address = reverse("admin:customers_customer_reveal", args=[customer.pk])
        # A form of its own would stand inside the list's form; htmx takes the token from there.
        return format_html(
            '<button type="button" class="cursor-pointer underline decoration-dotted" title="{}" '
            'hx-post="{}" hx-vals=\'{{"point": "{}"}}\' hx-include="#changelist-form [name=csrfmiddlewaretoken]" '
            'hx-swap="outerHTML">{}</button>',
            _("Show the whole address; this is recorded"),
            address,
            points[0].pk,
            shown,
        )

    display_address.short_description = gettext_lazy("phone or e-mail")

    def display_tags(self, customer: Customer) -> SafeString | str:
        """The first tags, and how many more there are."""
        tags = customer.shown_tags
        shown = [(label(tag.name),) for tag in tags[:TAGS_SHOWN]]
        if len(tags) > TAGS_SHOWN:
            shown.append((label(f"+{len(tags) - TAGS_SHOWN}"),))
        return format_html_join(" ", "{}", shown) or NOTHING

    display_tags.short_description = gettext_lazy("tags")

    def display_consents(self, customer: Customer) -> SafeString:
        """One label for each channel and answer, or the word that nobody asked."""
        purposes: dict[tuple[str, str], list[str]] = {}
        for consent in customer.shown_consents:
            standing = (consent.get_channel_display(), consent.status)
            purposes.setdefault(standing, []).append(consent.get_purpose_display())
        labels = []
        for (channel, status), names in purposes.items():
            words = _("%(channel)s: %(purposes)s") % {"channel": channel, "purposes": ", ".join(names)}
            if status == ConsentStatus.WITHDRAWN:
                words = _("%(answer)s (opted out)") % {"answer": words}
            labels.append((label(words, CONSENT_COLORS[status]),))
        return format_html_join(" ", "{}", labels) or label(_("Never asked"))

    display_consents.short_description = gettext_lazy("consent")

    def display_birthday(self, customer: Customer) -> SafeString:
        """Day and month, with the year where the customer told it."""
        return format_html('<span class="whitespace-nowrap">{}</span>', birthday_of(customer) or NOTHING)

    display_birthday.short_description = gettext_lazy("birthday")


def birthday_of(customer: Customer) -> str:
    """The birthday as one writes it, or an empty text."""
    if not customer.birth_month:
        return ""
    parts = {"year": customer.birth_year, "month": customer.birth_month, "day": customer.birth_day}
    if customer.birth_year:
        written = pgettext("birthday with year", "%(year)s-%(month)02d-%(day)02d") % parts
    else:
        written = pgettext("birthday without year", "%(month)02d-%(day)02d") % parts
    return f"{written} ({customer.get_birth_calendar_display()})" if customer.birth_calendar else written
