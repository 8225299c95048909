"""
The filters of the customer list.

Each is one word in the address: tag=5, tier=2, city=杭州市, consent=sms.marketing.granted (or withdrawn, or
never), birth_month=5, import=12; a segment made from the list reads the same words.
"""

from collections.abc import Iterable, Iterator

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.dates import MONTHS
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import DropdownFilter
from unfold.contrib.filters.forms import SearchForm
from unfold.widgets import UnfoldAdminTextInputWidget

from customers.choices import CONSENT_PURPOSES, Channel, ConsentStatus
from customers.models import ImportedRow, SpreadsheetImport, Tag, Tier

NEVER_ASKED = "never"
LISTED_AT_MOST = 500
LONGEST_VALUE = 100


class CustomerFilter(DropdownFilter):
    """One question about customers; a value it cannot read shows nobody, and says so."""

    def has_output(self) -> bool:
        """Stay, so that a value in the address is never passed over in silence."""
        return True

    def lookups(self, request: HttpRequest, model_admin) -> Iterable[tuple]:
        """The answers to choose from."""
        raise NotImplementedError

    def ask(self, customers: QuerySet, value: str) -> QuerySet:
        """The customers for a value; raises ValueError where it has no meaning."""
        raise NotImplementedError

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """Narrow the list."""
        value = (self.value() or "").strip()
        if not value:
            return queryset
        try:
            if len(value) > LONGEST_VALUE or "\0" in value:
                raise ValueError
            return self.ask(queryset, value)
        except ValueError:
            sentence = gettext("The filter “%(title)s” does not know this value, so nobody is shown. Choose another.")
            messages.warning(request, sentence % {"title": self.title})
            return queryset.none()


def key(value: str) -> int:
    """The number of a row as it stands in the address; raises ValueError."""
    if not (value.isascii() and value.isdigit() and len(value) <= 18):
        raise ValueError(value)
    return int(value)


class TagFilter(CustomerFilter):
    """Customers who carry a tag."""

    title = _("tag")
    parameter_name = "tag"

    def lookups(self, request: HttpRequest, model_admin) -> Iterable[tuple]:
        """Every tag."""
        return Tag.objects.values_list("pk", "name")[:LISTED_AT_MOST]

    def ask(self, customers: QuerySet, value: str) -> QuerySet:
        """The members of the tag."""
        return customers.tagged(key(value))


class TierFilter(CustomerFilter):
    """Customers of a tier."""

    title = _("tier")
    parameter_name = "tier"

    def lookups(self, request: HttpRequest, model_admin) -> Iterable[tuple]:
        """Every tier."""
        return Tier.objects.values_list("pk", "name")[:LISTED_AT_MOST]

    def ask(self, customers: QuerySet, value: str) -> QuerySet:
        """The members of the tier."""
        return customers.filter(tier=key(value))


class CityWidget(UnfoldAdminTextInputWidget):
    """A field that suggests cities; 300 options of a select took a fifth of the page's time."""

    def __init__(self, cities: Iterable[str]):
        super().__init__({"list": "cities", "autocomplete": "off"})
        self.cities = cities

    def render(self, name: str, value: str | None, attrs: dict | None = None, renderer=None) -> SafeString:
        """The field and its suggestions."""
        suggestions = format_html_join("", '<option value="{}"></option>', ((city,) for city in self.cities))
        return format_html(
            '{}<datalist id="cities">{}</datalist>', super().render(name, value, attrs, renderer), suggestions
        )


class CityFilter(CustomerFilter):
    """Customers of a city."""

    title = _("city")
    parameter_name = "city"

    def lookups(self, request: HttpRequest, model_admin) -> Iterable[tuple]:
        """Nothing to choose from: the field suggests."""
        return ()

    def choices(self, changelist) -> Iterator[dict]:
        """The field."""
        cities = changelist.model.objects.cities(at_most=LISTED_AT_MOST)
        label = gettext(" By %(filter_title)s ") % {"filter_title": self.title}
        form = SearchForm(name=self.parameter_name, label=label, data={self.parameter_name: self.value()})
        form.fields[self.parameter_name].widget = CityWidget(cities)
        yield {"form": form}

    def ask(self, customers: QuerySet, value: str) -> QuerySet:
        """The people of the city, suggested or not."""
        return customers.filter(city=value)


class ConsentFilter(CustomerFilter):
    """Customers whose consent for a channel and a purpose stands so, or who were never asked."""

    title = _("consent")
    parameter_name = "consent"

    def lookups(self, request: HttpRequest, model_admin) -> Iterable[tuple]:
        """Every channel and purpose, with the three answers below each."""
        answers = [*ConsentStatus.choices, (NEVER_ASKED, _("Never asked"))]
        return [
            (
                f"{channel.label} · {purpose.label}",
                [
                    (f"{channel}.{purpose}.{status}", f"{channel.label} · {purpose.label}: {label}")
                    for status, label in answers
                ],
            )
            for channel in Channel
            for purpose in CONSENT_PURPOSES
        ]

    def ask(self, customers: QuerySet, value: str) -> QuerySet:
        """The customers with this answer, or with none."""
        channel, purpose, status = value.split(".")
        if channel not in Channel or purpose not in CONSENT_PURPOSES:
            raise ValueError(value)
        if status == NEVER_ASKED:
            return customers.never_asked(channel, purpose)
        return customers.answered(channel, purpose, ConsentStatus(status))


class BirthMonthFilter(CustomerFilter):
    """Customers whose birthday is in a month."""

    title = _("birthday in")
    parameter_name = "birth_month"

    def lookups(self, request: HttpRequest, model_admin) -> Iterable[tuple]:
        """The months, and those whose birthday is unknown."""
        return [*MONTHS.items(), ("unknown", pgettext_lazy("birthday", "Unknown"))]

    def ask(self, customers: QuerySet, value: str) -> QuerySet:
        """The customers born in the month."""
        if value == "unknown":
            return customers.filter(birth_month=None)
        if key(value) not in MONTHS:
            raise ValueError(value)
        return customers.filter(birth_month=key(value))


class ImportFilter(CustomerFilter):
    """Customers whom a file created or updated."""

    title = _("imported file")
    parameter_name = "import"

    def lookups(self, request: HttpRequest, model_admin) -> Iterable[tuple]:
        """The latest files."""
        latest = SpreadsheetImport.objects.exclude(finished_at=None).only("file_name", "finished_at").order_by("-pk")
        return [
            (each.pk, f"{date_format(localtime(each.finished_at), 'SHORT_DATE_FORMAT')} {each.file_name}")
            for each in latest[:30]
        ]

    def ask(self, customers: QuerySet, value: str) -> QuerySet:
        """The customers behind the rows of the file."""
        rows = ImportedRow.objects.filter(spreadsheet_import=key(value), customer_id__isnull=False)
        return customers.filter(pk__in=rows.values("customer_id"))


CUSTOMER_FILTERS = [TagFilter, TierFilter, CityFilter, ConsentFilter, BirthMonthFilter, ImportFilter]
