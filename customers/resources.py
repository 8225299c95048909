"""What an export of customers holds, and how it is read from the database."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from types import SimpleNamespace
from typing import BinaryIO

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from import_export import resources
from import_export.fields import Field
from import_export.formats import base_formats

from customers import clock
from customers.choices import CONSENT_PURPOSES, Channel, ConsentStatus, Gender
from customers.models import Consent, ContactPoint, Customer, CustomerTag
from customers.models.contact_point import masked
from customers.spreadsheets import writing

# 2,000 customers with all that belongs to them: 5 MB, and 50 trips to the database for 100,000.
CUSTOMERS_AT_ONCE = 2000
EXPORTED_CHANNELS = [Channel.SMS, Channel.EMAIL]
OWN_COLUMNS = ("name", "gender", "birth_year", "birth_month", "birth_day", "tier__name", "city", "province")
OWN_COLUMNS += ("external_id", "note", "created_at")


class CustomerResource(resources.ModelResource):
    """
    One line per customer, addresses and answers included; for export alone.

    Addresses are masked for those who may not see them whole.
    """

    name = Field("name", _("Name"))
    phone = Field("phone", _("Mobile number"))
    email = Field("email", _("E-mail"))
    gender = Field("gender", _("Gender"))
    birthday = Field("birthday", _("Birthday"))
    tier = Field("tier", _("Tier"))
    tags = Field("tags", _("Tags"))
    city = Field("city", _("City"))
    province = Field("province", _("Province"))
    external_id = Field("external_id", _("Member number"))
    sms_marketing = Field("sms_marketing", _("SMS marketing"))
    sms_care = Field("sms_care", _("SMS care"))
    email_marketing = Field("email_marketing", _("E-mail marketing"))
    email_care = Field("email_care", _("E-mail care"))
    note = Field("note", _("Note"))
    created_at = Field("created_at", _("Customer since"))

    class Meta:
        model = Customer
        fields = ("name", "phone", "email", "gender", "birthday", "tier", "tags", "city", "province", "external_id")
        fields += ("sms_marketing", "sms_care", "email_marketing", "email_care", "note", "created_at")

    def __init__(self, *, shows_addresses: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.shows_addresses = shows_addresses

    def iter_queryset(self, queryset: QuerySet[Customer]) -> Iterator[SimpleNamespace]:
        """The customers as plain records, read in pieces, so that memory stays flat."""
        keys = queryset.values_list("pk", flat=True).iterator(chunk_size=CUSTOMERS_AT_ONCE)
        while piece := list(islice(keys, CUSTOMERS_AT_ONCE)):
            yield from self._records(piece)

    def rows(self, queryset: QuerySet[Customer]) -> Iterator[list[str]]:
        """The header, then one line per customer."""
        fields = self.get_export_fields()
        yield [str(field.column_name) for field in fields]
        names = [field.attribute for field in fields]
        for record in self.iter_queryset(queryset):
            yield [getattr(record, name) for name in names]

    def _records(self, keys: list[int]) -> Iterator[SimpleNamespace]:
        addresses = self._addresses(keys)
        tags = _tags(keys)
        answers = _answers(keys)
        genders = dict(Gender.choices)
        zone = clock.shop_zone()
        own = Customer.objects.filter(pk__in=keys).order_by("-pk").values("pk", *OWN_COLUMNS)
        for customer in own.iterator(chunk_size=CUSTOMERS_AT_ONCE):
            key = customer["pk"]
            yield SimpleNamespace(
                name=customer["name"],
                phone=addresses.get((key, Channel.SMS), ""),
                email=addresses.get((key, Channel.EMAIL), ""),
                gender=str(genders[customer["gender"]]) if customer["gender"] else "",
                birthday=_birthday(customer),
                tier=customer["tier__name"] or "",
                tags="、".join(tags[key]),
                city=customer["city"],
                province=customer["province"],
                external_id=customer["external_id"],
                note=customer["note"],
                created_at=customer["created_at"].astimezone(zone).strftime("%Y-%m-%d"),
                **answers[key],
            )

    def _addresses(self, keys: list[int]) -> dict[tuple[int, str], str]:
        points = ContactPoint.objects.filter(customer__in=keys, is_primary=True, channel__in=EXPORTED_CHANNELS)
        return {
            (customer, channel): address if self.shows_addresses else masked(address)
            for customer, channel, address in points.values_list("customer_id", "channel", "address")
        }


def _tags(keys: list[int]) -> dict[int, list[str]]:
    tags: dict[int, list[str]] = defaultdict(list)
    carried = CustomerTag.objects.filter(customer__in=keys).order_by("tag__name")
    for customer, tag in carried.values_list("customer_id", "tag__name"):
        tags[customer].append(tag)
    return tags


def _answers(keys: list[int]) -> dict[int, dict[str, str]]:
    """For each customer the words in the consent columns; empty where nobody asked."""
    blank = {f"{channel}_{purpose}": "" for channel in EXPORTED_CHANNELS for purpose in CONSENT_PURPOSES}
    answers: dict[int, dict[str, str]] = defaultdict(blank.copy)
    words = {status: str(label) for status, label in ConsentStatus.choices}
    standing = Consent.objects.filter(customer__in=keys, channel__in=EXPORTED_CHANNELS)
    for customer, channel, purpose, status in standing.values_list("customer_id", "channel", "purpose", "status"):
        answers[customer][f"{channel}_{purpose}"] = words[status]
    return answers


def _birthday(customer: dict) -> str:
    if not customer["birth_month"]:
        return ""
    day = f"{customer['birth_month']:02d}-{customer['birth_day']:02d}"
    return f"{customer['birth_year']:04d}-{day}" if customer["birth_year"] else day


class SafeCSV(base_formats.CSV):
    """CSV that opens in Excel with Chinese intact and calculates nothing."""

    def write(self, file: BinaryIO, rows: Iterator[list[str]]) -> int:
        """Write the rows; returns how many."""
        return writing.write_csv(file, rows)


class SafeXLSX(base_formats.XLSX):
    """A workbook of text cells: numbers keep their zeros, formulas stay words."""

    def write(self, file: BinaryIO, rows: Iterator[list[str]]) -> int:
        """Write the rows; returns how many."""
        return writing.write_workbook(file, rows)
