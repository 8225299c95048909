"""A page of people: who they are, and how far their address may be shown to this reader."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import prefetch_related_objects

from customers.choices import Channel
from customers.models import Customer
from notifications.admin.states import shown_address

SHOWN_CHANNELS = (Channel.SMS, Channel.EMAIL)


@dataclass(frozen=True)
class Row:
    """One person as the page shows it."""

    customer: Customer
    addresses: list[str]


def rows(people: Iterable[Customer], *, user: AbstractBaseUser) -> list[Row]:
    """The people with their addresses, masked for readers who may not see them whole."""
    found = list(people)
    prefetch_related_objects(found, "contact_points", "tier")
    return [Row(customer, _addresses(customer, user)) for customer in found]


def _addresses(customer: Customer, user: AbstractBaseUser) -> list[str]:
    return [
        shown_address(point.address, point.channel, user=user)
        for point in customer.contact_points.all()
        if point.is_primary and point.channel in SHOWN_CHANNELS
    ]
