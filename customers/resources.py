"""What an export of customers holds, and how it is read from the database."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date

from django.db.models import Exists, OuterRef
from django.utils.translation import gettext_lazy as _
from import_export import resources
from import_export.fields import Field

from customers import clock
from customers.choices import CONSENT_PURPOSES, BirthCalendar, Channel, ConsentStatus, Gender, SuppressionReason
from customers.models import Consent, ContactPoint, Customer, CustomerTag, Suppression
from customers.models.contact_point import masked

EXPORTED_CHANNELS = [Channel.SMS, Channel.EMAIL]
OWN_COLUMNS = ("name", "gender", "birth_year", "birth_month", "birth_day", "tier__name", "city", "province")
OWN_COLUMNS += ("external_id", "note", "created_at", "birth_calendar")
# What the importer divides the tags of a cell by.
DIVIDER = re.compile(r"[,，、;；|｜\n\t\"]")
QUOTE = '"'


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

    def header(self) -> list[str]:
        """The heads of the columns."""
        return [str(field.column_name) for field in self.get_export_fields()]

    def lines(self, keys: Sequence[int]) -> Iterator[list[object]]:
        """The customers with these keys, in their order; those erased meanwhile are left out."""
        names = [field.attribute for field in self.get_export_fields()]
        records = self._records(keys)
        for key in keys:
            if key in records:
                record = records[key]
                yield [record[name] for name in names]

    def _records(self, keys: Sequence[int]) -> dict[int, dict[str, object]]:
        addresses = self._addresses(keys)
        tags = _tags(keys)
        answers = _answers(keys)
        genders = {value: str(label) for value, label in Gender.choices if value}
        zone = clock.shop_zone()
        own = Customer.objects.present().filter(pk__in=keys).values("pk", *OWN_COLUMNS)
        return {
            customer["pk"]: {
                "name": customer["name"],
                "phone": addresses.get((customer["pk"], Channel.SMS), ""),
                "email": addresses.get((customer["pk"], Channel.EMAIL), ""),
                "gender": genders.get(customer["gender"], ""),
                "birthday": _birthday(customer),
                "tier": customer["tier__name"] or "",
                "tags": _joined(tags[customer["pk"]]) if customer["pk"] in tags else "",
                "city": customer["city"],
                "province": customer["province"],
                "external_id": customer["external_id"],
                "note": customer["note"],
                "created_at": customer["created_at"].astimezone(zone).date(),
                **answers[customer["pk"]],
            }
            for customer in own
        }

    def _addresses(self, keys: Sequence[int]) -> dict[tuple[int, str], str]:
        points = ContactPoint.objects.filter(customer__in=keys, is_primary=True, channel__in=EXPORTED_CHANNELS)
        return {
            (customer, channel): address if self.shows_addresses else masked(address)
            for customer, channel, address in points.values_list("customer_id", "channel", "address")
        }


def _tags(keys: Sequence[int]) -> dict[int, list[str]]:
    tags: dict[int, list[str]] = defaultdict(list)
    carried = CustomerTag.objects.filter(customer__in=keys).order_by("tag__name")
    for customer, tag in carried.values_list("customer_id", "tag__name"):
        tags[customer].append(tag)
    return tags


def _answers(keys: Sequence[int]) -> dict[int, dict[str, str]]:
    """For each customer the words in the consent columns; empty where nobody asked."""
    blank = {f"{channel}_{purpose}": "" for channel in EXPORTED_CHANNELS for purpose in CONSENT_PURPOSES}
    answers: dict[int, dict[str, str]] = defaultdict(blank.copy)
    words = {status: str(label) for status, label in ConsentStatus.choices}
    standing = Consent.objects.filter(customer__in=keys, channel__in=EXPORTED_CHANNELS)
    for customer, channel, purpose, status in standing.values_list("customer_id", "channel", "purpose", "status"):
        answers[customer][f"{channel}_{purpose}"] = words[status]
    for customer, channel in _closed(keys):
        for column in (f"{channel}_{purpose}" for purpose in CONSENT_PURPOSES):
            if answers[customer][column] == words[ConsentStatus.GRANTED]:
                answers[customer][column] = words[ConsentStatus.WITHDRAWN]
    return answers


def _closed(keys: Sequence[int]) -> Iterator[tuple[int, str]]:
    """
    Whose main address is closed on which channel, though they once agreed.

    The list of closed addresses is not in the file: in another shop their old consent would open them again. A dead
    number is nobody's wish, and that shop finds it dead as well.
    """
    shut = Suppression.objects.filter(channel=OuterRef("channel"), address=OuterRef("address"))
    points = ContactPoint.objects.filter(customer__in=keys, is_primary=True, channel__in=EXPORTED_CHANNELS)
    closed = points.filter(Exists(shut.exclude(reason=SuppressionReason.DEAD)))
    yield from closed.values_list("customer_id", "channel")


def _birthday(customer: dict) -> date | str:
    """A date; in words that the importer reads where the year is unknown or the calendar is the lunar one."""
    month, day, year = customer["birth_month"], customer["birth_day"], customer["birth_year"]
    if not month:
        return ""
    year_first = f"{year:04d}-" if year else ""
    if customer["birth_calendar"]:
        leap = "闰" if customer["birth_calendar"] == BirthCalendar.LEAP else ""
        return f"农历{year_first}{leap}{month:02d}-{day:02d}"
    with suppress(ValueError):
        if year:
            return date(year, month, day)
    return f"{year_first}{month:02d}-{day:02d}"


def _joined(tags: Sequence[str]) -> str:
    """The tags in one cell; one that would be taken for two stands in quotes."""
    return "、".join(f'"{tag.replace(QUOTE, QUOTE * 2)}"' if DIVIDER.search(tag) else tag for tag in tags)
