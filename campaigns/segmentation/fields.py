"""Every question a segment may ask, with its operators, its words and its predicate."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.db.models import Q
from django.utils.dates import MONTHS
from django.utils.translation import gettext_lazy as _

from campaigns.models import Campaign
from campaigns.segmentation import predicates as p
from campaigns.segmentation.values import Choice, Choices, Nothing, Number, Text, Texts, Value
from customers.choices import CONSENT_PURPOSES, Channel, Gender
from customers.models import SpreadsheetImport, Tag, Tier

# More choices than a person scrolls through; older ones are still read, but not offered.
OFFERED = 1000


@dataclass(frozen=True)
class Operator:
    """One way to ask: its word in the menu, its sentence, what it takes, and what it asks of the database."""

    key: str
    label: str
    sentence: str
    value: Value
    where: Callable[[object, datetime], Q]
    negated: bool = False

    def predicate(self, value: object, now: datetime) -> Q:
        """The predicate on Customer for a value."""
        wanted = self.where(value, now)
        return ~wanted if self.negated else wanted


@dataclass(frozen=True)
class Field:
    """One question about a customer; `in_customer` says that it reads the customer's own columns alone."""

    key: str
    label: str
    group: str
    operators: dict[str, Operator]
    in_customer: bool = False


def _field(key: str, label: str, group: str, *operators: Operator, in_customer: bool = False) -> Field:
    return Field(key, label, group, {operator.key: operator for operator in operators}, in_customer)


def tags() -> list[tuple[int, str]]:
    """The shop's tags."""
    return list(Tag.objects.values_list("id", "name"))


def tiers() -> list[tuple[int, str]]:
    """The shop's tiers, highest first."""
    return list(Tier.objects.values_list("id", "name"))


def imports() -> list[tuple[int, str]]:
    """The shop's imports, newest first."""
    return [(key, f"{name} (#{key})") for key, name in SpreadsheetImport.objects.values_list("id", "file_name")]


def launched_campaigns() -> list[tuple[int, str]]:
    """Campaigns that have gone out, newest first."""
    return list(Campaign.objects.filter(launched_at__isnull=False).values_list("id", "name"))


def genders() -> list[tuple[str, str]]:
    """The genders; unknown has a word of its own here, because an empty choice means none."""
    return [(gender.value or "unknown", gender.label) for gender in Gender]


def months() -> list[tuple[int, str]]:
    """The months of the year."""
    return list(MONTHS.items())


def channels() -> list[tuple[str, str]]:
    """The ways to reach a customer by an address."""
    return list(Channel.choices)


def permissions() -> list[tuple[str, str]]:
    """Every channel and class a customer can agree to."""
    return [
        (f"{channel.value}:{purpose.value}", f"{channel.label} · {purpose.label}")
        for channel in Channel
        for purpose in CONSENT_PURPOSES
    ]


PERSON = _("About the person")
REACH = _("Reach and consent")
HISTORY = _("History")
DAYS = Number(1, 3650)
BIRTHDAY_DAYS = Number(0, 366)

# Every pair of operators is a question and its opposite.
ask = Operator
deny = partial(Operator, negated=True)

FIELDS = {
    field.key: field
    for field in [
        _field(
            "tag",
            _("Tag"),
            PERSON,
            ask("any", _("has any of"), _("has any of the tags %(value)s"), Choices(tags), p.has_any_tag),
            ask("all", _("has all of"), _("has all of the tags %(value)s"), Choices(tags), p.has_all_tags),
            deny("none", _("has none of"), _("has none of the tags %(value)s"), Choices(tags), p.has_any_tag),
        ),
        _field(
            "tier",
            _("Tier"),
            PERSON,
            ask("any", _("is one of"), _("is in tier %(value)s"), Choices(tiers), p.is_in_tier),
            deny("none", _("is none of"), _("is not in tier %(value)s"), Choices(tiers), p.is_in_tier),
            ask(
                "at_least", _("is at least"), _("is in tier %(value)s or higher"), Choice(tiers), p.is_in_tier_or_above
            ),
            deny("below", _("is below"), _("is below tier %(value)s"), Choice(tiers), p.is_in_tier_or_above),
            ask("unset", _("has none"), _("has no tier"), Nothing(), p.has_no_tier),
            in_customer=True,
        ),
        _field(
            "name",
            _("Name"),
            PERSON,
            ask("starts_with", _("starts with"), _("name starts with %(value)s"), Text(), p.name_starts_with),
            deny(
                "not_starts_with",
                _("does not start with"),
                _("name does not start with %(value)s"),
                Text(),
                p.name_starts_with,
            ),
            in_customer=True,
        ),
        _field(
            "city",
            _("City"),
            PERSON,
            ask("any", _("is one of"), _("lives in %(value)s"), Texts(), p.lives_in_city),
            deny("none", _("is none of"), _("does not live in %(value)s"), Texts(), p.lives_in_city),
            in_customer=True,
        ),
        _field(
            "province",
            _("Province"),
            PERSON,
            ask("any", _("is one of"), _("lives in the province %(value)s"), Texts(), p.lives_in_province),
            deny("none", _("is none of"), _("does not live in the province %(value)s"), Texts(), p.lives_in_province),
            in_customer=True,
        ),
        _field(
            "gender",
            _("Gender"),
            PERSON,
            ask("any", _("is one of"), _("gender is %(value)s"), Choices(genders), p.is_of_gender),
            deny("none", _("is none of"), _("gender is not %(value)s"), Choices(genders), p.is_of_gender),
            in_customer=True,
        ),
        _field(
            "birthday",
            _("Birthday"),
            PERSON,
            ask("month", _("is in"), _("has a birthday in %(value)s"), Choices(months), p.has_birthday_in_month),
            ask(
                "within_days",
                _("is within the next days"),
                _("has a birthday within the next %(value)s days"),
                BIRTHDAY_DAYS,
                p.has_birthday_within,
            ),
            ask("known", _("is known"), _("has told the birthday"), Nothing(), p.has_known_birthday),
            deny("unknown", _("is not known"), _("has not told the birthday"), Nothing(), p.has_known_birthday),
            in_customer=True,
        ),
        _field(
            "created",
            _("Customer since"),
            PERSON,
            ask(
                "within_days",
                _("is within the last days"),
                _("became a customer within the last %(value)s days"),
                DAYS,
                p.was_created_within,
            ),
            deny(
                "before_days",
                _("is longer ago than days"),
                _("became a customer more than %(value)s days ago"),
                DAYS,
                p.was_created_within,
            ),
            in_customer=True,
        ),
        _field(
            "consent",
            _("Consent"),
            REACH,
            ask("granted", _("has agreed"), _("has agreed to %(value)s"), Choice(permissions), p.has_granted),
            ask(
                "withdrawn", _("has opted out"), _("has opted out of %(value)s"), Choice(permissions), p.has_withdrawn
            ),
            ask(
                "never",
                _("was never asked"),
                _("was never asked about %(value)s"),
                Choice(permissions),
                p.was_never_asked,
            ),
        ),
        _field(
            "address",
            _("Contact address"),
            REACH,
            ask("has", _("is known"), _("has an address for %(value)s"), Choice(channels), p.has_address_on),
            deny("has_not", _("is not known"), _("has no address for %(value)s"), Choice(channels), p.has_address_on),
        ),
        _field(
            "contacted",
            _("Last contacted"),
            HISTORY,
            ask(
                "within_days",
                _("is within the last days"),
                _("was contacted within the last %(value)s days"),
                DAYS,
                p.was_contacted_within,
            ),
            deny(
                "not_for_days",
                _("is not within the last days"),
                _("was not contacted for %(value)s days"),
                DAYS,
                p.was_contacted_within,
            ),
            deny("never", _("never"), _("was never contacted"), Nothing(), p.was_ever_contacted),
        ),
        _field(
            "campaign",
            _("Campaign"),
            HISTORY,
            ask(
                "got", _("was sent"), _("was sent the campaign %(value)s"), Choice(launched_campaigns), p.got_campaign
            ),
            deny(
                "not_got",
                _("was not sent"),
                _("was not sent the campaign %(value)s"),
                Choice(launched_campaigns),
                p.got_campaign,
            ),
            ask(
                "delivered",
                _("arrived"),
                _("received the campaign %(value)s"),
                Choice(launched_campaigns),
                p.received_campaign,
            ),
            ask(
                "failed",
                _("did not arrive"),
                _("could not be reached by the campaign %(value)s"),
                Choice(launched_campaigns),
                p.missed_campaign,
            ),
        ),
        _field(
            "import",
            _("Import"),
            HISTORY,
            ask("in", _("contains the customer"), _("was in the import %(value)s"), Choice(imports), p.is_in_import),
            deny(
                "not_in",
                _("does not contain the customer"),
                _("was not in the import %(value)s"),
                Choice(imports),
                p.is_in_import,
            ),
        ),
    ]
}
