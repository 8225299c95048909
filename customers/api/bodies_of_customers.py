"""What can be told of customers: who they are, what they allow, and what is due to them."""

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from django.utils.translation import gettext_lazy as _
from pydantic import AfterValidator, BeforeValidator, Field, WrapValidator, model_validator

from customers.api.batches import AT_ONCE, tolerant
from customers.api.faults import Told, refuse
from customers.api.fields import Email, Moment, Phone, words
from customers.choices import CONSENT_PURPOSES, Channel, EventKind
from customers.services.events import EventFacts, plain
from customers.services.told_consent import ConsentFacts
from customers.services.told_customers import CustomerFacts, CustomerKeys

MOST_TAGS, MOST_VALUES = 20, 20
LONGEST_VALUE = 200
BIRTHDAY = re.compile(r"(?:([0-9]{4})-)?([0-9]{2})-([0-9]{2})")
DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
LUNAR_DAYS = 30
Kind = Literal[tuple(EventKind.values)]


def _birthday(told: str) -> str:
    if told and not BIRTHDAY.fullmatch(told):
        raise refuse(_("Write the birthday as 1990-10-03, or 10-03 where the year is not known."))
    return told


class Keys(Told):
    """Whom something is told of: by the first of these that leads to somebody."""

    id: Annotated[int, Field(ge=1, le=2**63 - 1, strict=True)] | None = None
    external_id: words(100) = ""
    phone: Phone = ""
    email: Email = ""

    @model_validator(mode="after")
    def _at_least_one(self) -> "Keys":
        if not self.keys().told():
            raise refuse(_("Name the customer by id, external_id, phone or email."))
        return self

    def keys(self) -> CustomerKeys:
        """The keys as services take them."""
        return CustomerKeys(self.id, self.external_id, self.phone, self.email)


class Customer(Told):
    """A customer as the shop's own system knows them; what is left out or empty stays as it is."""

    external_id: words(100) = ""
    phone: Phone = ""
    email: Email = ""
    name: words(60) = ""
    gender: Literal["female", "male", ""] = ""
    city: words(60) = ""
    province: words(60) = ""
    birthday: Annotated[words(10), AfterValidator(_birthday)] = ""
    birth_calendar: Literal["solar", "lunar"] = "solar"
    tags: Annotated[list[words(60, shortest=1)], Field(max_length=MOST_TAGS)] = []

    @model_validator(mode="after")
    def _known_by_something(self) -> "Customer":
        if not (self.external_id or self.phone or self.email):
            raise refuse(_("Give the customer an external_id, a phone or an email."))
        if match := BIRTHDAY.fullmatch(self.birthday):
            year, month, day = (int(part) if part else None for part in match.groups())
            longest = LUNAR_DAYS if self.birth_calendar == "lunar" else DAYS[(month - 1) % 12]
            if not (1 <= month <= 12 and 1 <= day <= longest and (year is None or 1900 <= year <= 2100)):
                raise refuse(_("There is no such day: write the birthday as 1990-10-03 or 10-03."))
        return self

    def facts(self) -> CustomerFacts:
        """The customer as services take them."""
        told: dict[str, Any] = {name: getattr(self, name) for name in COPIED} | {
            "tags": tuple(dict.fromkeys(self.tags))
        }
        if match := BIRTHDAY.fullmatch(self.birthday):
            year, month, day = (int(part) if part else None for part in match.groups())
            told |= {"birth_year": year, "birth_month": month, "birth_day": day}
            told |= {"birth_calendar": "lunar" if self.birth_calendar == "lunar" else ""}
        return CustomerFacts(**told)


COPIED = ("external_id", "phone", "email", "name", "gender", "city", "province")


class Customers(Told):
    """Customers to be added or changed."""

    customers: Annotated[list[Annotated[Customer, WrapValidator(tolerant)]], Field(min_length=1, max_length=AT_ONCE)]


class ConsentChange(Told):
    """What a customer agreed to, or no longer wants, and in what words."""

    customer: Keys
    action: Literal["grant", "withdraw"]
    channels: Annotated[list[Literal[tuple(Channel.values)]], Field(min_length=1)]
    purposes: Annotated[list[Literal[tuple(purpose.value for purpose in CONSENT_PURPOSES)]], Field(min_length=1)] = [
        purpose.value for purpose in CONSENT_PURPOSES
    ]
    wording: words(2000) = ""
    happened_at: Moment | None = None

    @model_validator(mode="after")
    def _with_evidence(self) -> "ConsentChange":
        if self.action == "grant" and not self.wording:
            raise refuse(_("Write under “wording” where and in what words the customer agreed."))
        return self

    def facts(self) -> ConsentFacts:
        """The change as services take it."""
        return ConsentFacts(
            keys=self.customer.keys(),
            is_granted=self.action == "grant",
            channels=tuple(dict.fromkeys(self.channels)),
            purposes=tuple(dict.fromkeys(self.purposes)),
            wording=self.wording,
            happened_at=self.happened_at,
        )


class ConsentChanges(Told):
    """Consent that was given or withdrawn elsewhere."""

    changes: Annotated[
        list[Annotated[ConsentChange, WrapValidator(tolerant)]], Field(min_length=1, max_length=AT_ONCE)
    ]


def _plain(told: Any) -> str:
    """A value as the customer reads it."""
    text = plain(told)
    if text is None:
        raise refuse(_("Write this as text, a number, true or false, not as a list or an object."))
    if len(text) > LONGEST_VALUE:
        raise refuse(_("Write at most %(max_length)s characters.") % {"max_length": LONGEST_VALUE})
    return text


Value = Annotated[str | int | Decimal | bool, BeforeValidator(_plain)]


class Event(Told):
    """What is due, or happened, to a customer: an appointment, a membership, a coupon, a bill, a cart …"""

    customer: Keys
    kind: Kind
    key: words(64, shortest=1)
    happened_at: Moment | None = None
    due_at: Moment | None = None
    values: Annotated[dict[words(40, shortest=1), Value], Field(max_length=MOST_VALUES)] = {}

    def facts(self) -> EventFacts:
        """The event as services take it."""
        return EventFacts(
            kind=self.kind,
            key=self.key,
            happened_at=self.happened_at,
            due_at=self.due_at,
            values=self.values,
            customer_id=self.customer.id,
            external_id=self.customer.external_id,
            phone=self.customer.phone,
            email=self.customer.email,
        )


class Events(Told):
    """Events to be recorded."""

    events: Annotated[list[Annotated[Event, WrapValidator(tolerant)]], Field(min_length=1, max_length=AT_ONCE)]


class ClosedEvent(Told):
    """An event that is settled: attended, renewed, used, paid, bought or called off."""

    kind: Kind
    key: words(64, shortest=1)


class ClosedEvents(Told):
    """Events to be closed."""

    events: Annotated[list[Annotated[ClosedEvent, WrapValidator(tolerant)]], Field(min_length=1, max_length=AT_ONCE)]
