"""Erases one customer's personal fields on request, and keeps what the law wants kept."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.db.models import CharField, Q, Value
from django.db.models.functions import Cast, Concat
from django.utils.translation import gettext_lazy as _

from customers.choices import Channel, ConsentSource, ConsentStatus, SuppressionReason, SuppressionScope
from customers.models import (
    Consent,
    ConsentChange,
    ContactPoint,
    Customer,
    CustomerAccount,
    CustomerEvent,
    CustomerTag,
    FollowUp,
    ImportedChange,
    ImportedOrder,
    ImportedRow,
    Order,
    OrderException,
    Shipment,
    ShipmentEvent,
    UndoFinding,
)
from customers.services import consent

# Closing keeps a stronger word that already stands: a dead number stays closed for everything.
CLOSE = """
INSERT INTO customers_suppression (channel, address, scope, reason, note, created_at, actor_id)
SELECT channel, address, %s, %s, '', %s, %s FROM customers_contactpoint WHERE customer_id = %s
ON CONFLICT (channel, address) DO NOTHING
"""


class CannotErase(Exception):
    """A customer that is not erased; the text is a sentence for staff."""


@dataclass(frozen=True)
class Belongings:
    """What erasing a customer takes away, and what it leaves."""

    addresses: int
    tags: int
    consents: int
    imported_rows: int
    evidence: int


def belongings(customer: Customer) -> Belongings:
    """Count what is kept about a customer."""
    return Belongings(
        addresses=ContactPoint.objects.filter(customer=customer).count(),
        tags=CustomerTag.objects.filter(customer=customer).count(),
        consents=Consent.objects.filter(customer=customer, status=ConsentStatus.GRANTED).count(),
        imported_rows=ImportedRow.objects.filter(customer_id=customer.pk).count(),
        evidence=ConsentChange.objects.filter(customer=customer).count(),
    )


@transaction.atomic
def erase(customer_id: int, *, by: AbstractBaseUser, now: datetime) -> None:
    """
    Erase a customer's personal fields.

    1. Every consent is withdrawn, with evidence; the evidence itself stays, it names a number and no person.
    2. The addresses are closed for marketing and care, so that no later file can bring them back.
    3. Addresses, tags, names at platforms, the copies in imported rows and what imports changed go, and the fields of
       the customer are blanked. Orders stay, for the books, without their receiver.
    4. What is due to the customer is settled and said to be nothing; what is to be done for them is dropped.

    The deliveries are blanked by the layer that owns them, which looks for erased customers.
    Raises CannotErase when the customer is unknown or already erased.
    """
    if not Customer.objects.present().select_for_update().filter(pk=customer_id).exists():
        raise CannotErase(_("This customer has been erased already."))
    channels = list(
        Consent.objects.filter(customer=customer_id, status=ConsentStatus.GRANTED)
        .values_list("channel", flat=True)
        .distinct()
    )
    if channels:
        _withdraw(customer_id, channels, by=by, now=now)
    with connection.cursor() as cursor:
        cursor.execute(CLOSE, [SuppressionScope.MARKETING, SuppressionReason.ERASED, now, by.pk, customer_id])
    _blank_imported_rows(customer_id)
    ImportedChange.objects.filter(customer=customer_id).delete()
    ImportedOrder.objects.filter(order__in=Order.objects.filter(customer=customer_id)).delete()
    UndoFinding.objects.filter(customer=customer_id).update(ours="", before="", present="")
    _blank_orders(customer_id)
    _blank_events(customer_id, by=by, now=now)
    ContactPoint.objects.filter(customer=customer_id).delete()
    CustomerTag.objects.filter(customer=customer_id).delete()
    Customer.objects.filter(pk=customer_id).update(
        name="",
        gender="",
        birth_year=None,
        birth_month=None,
        birth_day=None,
        birth_calendar="",
        tier=None,
        city="",
        province="",
        external_id="",
        note="",
        updated_at=now,
        erased_at=now,
    )


def _withdraw(customer_id: int, channels: list[str], *, by: AbstractBaseUser, now: datetime) -> None:
    consent.withdraw(
        [customer_id],
        channels=[Channel(channel) for channel in channels],
        source=ConsentSource.STAFF,
        wording=str(_("The customer asked for their personal data to be erased.")),
        by=by,
        now=now,
    )


def _blank_orders(customer_id: int) -> None:
    """Keep what was bought and paid; forget who received it, where, and what they asked for."""
    blank = {"receiver_name": "", "province": "", "city": "", "note": "", "tracking_number": "", "account": None}
    Order.objects.filter(customer=customer_id).update(**blank)
    CustomerAccount.objects.filter(customer=customer_id).delete()


def _blank_events(customer_id: int, *, by: AbstractBaseUser, now: datetime) -> None:
    """Forget what the values of events, the notes of calls and the news of parcels say; that they were stays."""
    events = CustomerEvent.objects.filter(customer=customer_id)
    events.close(now)
    # The shop's own numbers may be read for a person, such as a card's.
    events.update(values={}, key=Concat(Value("erased-"), Cast("pk", CharField())), updated_at=now)
    follow_ups = FollowUp.objects.filter(customer=customer_id)
    follow_ups.drop(now, by=by)
    follow_ups.update(detail="", script="", note="")
    orders = Order.objects.filter(customer=customer_id)
    OrderException.objects.filter(order__in=orders).update(note="")
    parcels = Shipment.objects.filter(order__in=orders)
    ShipmentEvent.objects.filter(shipment__in=parcels).delete()
    parcels.delete()


def _blank_imported_rows(customer_id: int) -> None:
    """Blank the copies in rows of files, those that were rejected or double included."""
    addresses = ContactPoint.objects.filter(customer=customer_id)
    phones = list(addresses.filter(channel=Channel.SMS).values_list("address", flat=True))
    emails = list(addresses.filter(channel=Channel.EMAIL).values_list("address", flat=True))
    of_the_customer = Q(customer_id=customer_id) | Q(phone__in=phones) | Q(email__in=emails)
    ImportedRow.objects.filter(of_the_customer).update(name="", phone="", email="", external_id="", problems=[])
