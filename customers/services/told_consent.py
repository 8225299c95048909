"""Consent and opt-outs that the shop's own system tells of, many at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from customers.choices import Channel, ConsentSource
from customers.services import consent, told_customers
from customers.services.order_facts import CannotRecord
from customers.services.told_customers import CustomerKeys


@dataclass(frozen=True)
class ConsentFacts:
    """What one customer agreed to or refused, and the evidence of it."""

    keys: CustomerKeys
    is_granted: bool
    channels: tuple[str, ...]
    purposes: tuple[str, ...]
    wording: str
    happened_at: datetime | None

    @property
    def evidence(self) -> tuple:
        """What changes of several customers must have in common to be written together."""
        return self.is_granted, self.channels, self.purposes, self.wording, self.happened_at


@transaction.atomic
def record(facts: Sequence[ConsentFacts], *, now: datetime) -> list[dict[str, Any]]:
    """
    Record the changes in the order in which they are told; answers what became of each.

    An opt-out of an address that nobody has closes it. Raises CannotRecord for consent of somebody unknown.
    """
    owners = told_customers.find([fact.keys for fact in facts])
    for place, (fact, owner) in enumerate(zip(facts, owners, strict=True)):
        if owner is None and (fact.is_granted or not (fact.keys.phone or fact.keys.email)):
            raise CannotRecord(_("There is no such customer yet. Send the customer first."), place=place)
    outcomes: list[dict[str, Any]] = []
    for places in _alike(facts):
        known = [owners[place] for place in places if owners[place] is not None]
        _write(facts[places[0]], known, now=now)
        for place in places:
            if owners[place] is None:
                _close(facts[place], now=now)
            outcomes.append({"outcome": "recorded", "customer_id": owners[place]})
    return outcomes


def _alike(facts: Sequence[ConsentFacts]) -> list[list[int]]:
    """The places of neighbors that have the same evidence: they are written together, the order is kept."""
    groups: list[list[int]] = []
    for place, fact in enumerate(facts):
        if groups and facts[groups[-1][0]].evidence == fact.evidence:
            groups[-1].append(place)
        else:
            groups.append([place])
    return groups


def _write(fact: ConsentFacts, customer_ids: Sequence[int], *, now: datetime) -> None:
    if not customer_ids:
        return
    change = consent.grant if fact.is_granted else consent.withdraw
    change(
        customer_ids,
        channels=fact.channels,
        purposes=fact.purposes,
        source=ConsentSource.API,
        wording=fact.wording,
        happened_at=fact.happened_at,
        now=now,
    )


def _close(fact: ConsentFacts, *, now: datetime) -> None:
    addresses = {Channel.SMS: fact.keys.phone, Channel.EMAIL: fact.keys.email}
    for channel, address in addresses.items():
        if address and channel in fact.channels:
            consent.withdraw_everywhere(
                address,
                channel=channel,
                source=ConsentSource.API,
                wording=fact.wording,
                happened_at=fact.happened_at,
                now=now,
            )
