"""Adds and changes customers by hand, one at a time, without writing over anybody else's change."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from customers import phone
from customers.choices import Channel
from customers.models import ContactPoint, Customer, CustomerTag, Tag
from customers.services import consent


class CannotSave(Exception):
    """A customer that is not saved; the text is a sentence for staff."""


def hold(customer: Customer, *, seen: datetime) -> None:
    """
    Keep the customer for this transaction, if it is still as it was when the page was opened.

    Raises CannotSave when somebody, or an import, has changed or erased it since.
    """
    current = Customer.objects.select_for_update().filter(pk=customer.pk).values("updated_at", "erased_at").first()
    if not current or current["erased_at"]:
        raise CannotSave(_("This customer has been erased meanwhile. Nothing was saved."))
    if current["updated_at"] != seen:
        raise CannotSave(
            _(
                "This customer was changed while your page was open, by a colleague or an import. Nothing was "
                "overwritten: note what you typed, reload the page, and enter it again."
            )
        )


def owner_of(channel: Channel, address: str, *, other_than: Customer | None = None) -> Customer | None:
    """The customer who already has an address, or None."""
    owners = Customer.objects.reached_at(channel, address)
    return (owners.exclude(pk=other_than.pk) if other_than and other_than.pk else owners).first()


@transaction.atomic
def save(
    customer: Customer,
    *,
    addresses: Mapping[Channel, str],
    tags: Iterable[Tag] | None,
    now: datetime,
) -> Customer:
    """
    Store the customer's facts, primary addresses and tags.

    `addresses` names only what changes: an address to put in place of the present one, or an empty text to
    remove it. None for `tags` leaves them as they are.
    """
    customer.updated_at = now
    if customer.pk is None:
        customer.created_at = now
    customer.save()
    for channel, address in addresses.items():
        _set_primary(customer, channel, address, now=now)
    if tags is not None:
        _set_tags(customer, tags)
    return customer


@transaction.atomic
def correct_number(customer: Customer, number: str, *, now: datetime) -> str:
    """
    Put the number that a customer told in the place of the wrong one; answers it as it is stored.

    Raises CannotSave with a remedy where it is no mobile number, somebody else's, or the customer was erased.
    """
    stored, reason = phone.normalize(number)
    if not stored:
        problem, remedy = phone.REMEDIES[reason]
        raise CannotSave(_("%(problem)s. %(remedy)s") % {"problem": _(problem), "remedy": _(remedy)})
    if not Customer.objects.present().select_for_update().filter(pk=customer.pk).exists():
        raise CannotSave(_("This customer has been erased meanwhile. Nothing was saved."))
    owner = owner_of(Channel.SMS, stored, other_than=customer)
    if owner:
        words = _("Customer %(number)s already has this address. Search the list for it and change that customer.")
        raise CannotSave(words % {"number": owner.pk})
    _set_primary(customer, Channel.SMS, stored, now=now)
    Customer.objects.filter(pk=customer.pk).update(updated_at=now)
    return stored


def _set_primary(customer: Customer, channel: Channel, address: str, *, now: datetime) -> None:
    points = ContactPoint.objects.filter(customer=customer, channel=channel)
    replaced = points.filter(is_primary=True).exclude(address=address)
    consent.keep_closed(
        customer.pk, channel=channel, addresses=list(replaced.values_list("address", flat=True)), now=now
    )
    replaced.delete()
    if address:
        ContactPoint.objects.update_or_create(
            customer=customer,
            channel=channel,
            address=address,
            defaults={"is_primary": True},
            create_defaults={"is_primary": True, "created_at": now},
        )


def _set_tags(customer: Customer, tags: Iterable[Tag]) -> None:
    wanted = {tag.pk for tag in tags}
    CustomerTag.objects.filter(customer=customer).exclude(tag__in=wanted).delete()
    CustomerTag.objects.bulk_create(
        [CustomerTag(customer=customer, tag_id=tag) for tag in sorted(wanted)], ignore_conflicts=True
    )
