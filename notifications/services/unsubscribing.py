"""Unsubscribing by the link in a letter: who holds the link is the one it was written to, and needs no password."""

from datetime import datetime

from django.conf import settings
from django.core import signing
from django.urls import reverse

from customers.choices import CONSENT_PURPOSES, Channel, ConsentSource, ConsentStatus, Purpose
from customers.models import Consent, ContactPoint, Suppression
from customers.services import consent
from notifications.models import Delivery, Message

# The signature alone makes a link: nothing of it is stored, so that it works for as long as the key of the deployment.
_SIGNER = signing.Signer(salt="notifications.unsubscribe", sep=".")
LONGEST_TOKEN = 100
# Evidence, in the words of the channel: the header is RFC 8058, the page is ours.
WORDING = "List-Unsubscribe, delivery #{id}: {message}"


def is_offered(message: Message) -> bool:
    """Whether the letters of a message carry the link: those by e-mail of a class that needs consent."""
    return message.channel == Channel.EMAIL and Purpose(message.purpose).needs_consent


def link(delivery_id: int) -> str:
    """The address that opts the receiver of a delivery out."""
    token = _SIGNER.sign(f"{delivery_id:x}")
    return settings.PUBLIC_URL.rstrip("/") + reverse("notifications:unsubscribe", args=[token])


def delivery_of(token: str) -> Delivery | None:
    """The delivery whose letter held this link; None for a link that we never made."""
    if len(token) > LONGEST_TOKEN:
        return None
    try:
        number = int(_SIGNER.unsign(token), 16)
    except (signing.BadSignature, ValueError):
        return None
    return Delivery.objects.select_related("message").filter(pk=number, message__channel=Channel.EMAIL).first()


def is_out(delivery: Delivery) -> bool:
    """Whether nothing is left to withdraw: asked first, because withdrawing holds up the sending for a moment."""
    if delivery.message.is_test:
        return True
    owners = set(_owners(delivery))
    if not owners:
        return Suppression.objects.filter(channel=Channel.EMAIL, address=delivery.address).exists()
    withdrawn = Consent.objects.filter(
        customer__in=owners, channel=Channel.EMAIL, purpose__in=CONSENT_PURPOSES, status=ConsentStatus.WITHDRAWN
    )
    return withdrawn.count() == len(owners) * len(CONSENT_PURPOSES)


def unsubscribe(delivery: Delivery, *, now: datetime) -> int:
    """
    Withdraw the consent to care and marketing by e-mail; answers how many permissions changed.

    Holds for the customer, for the address that was written to, and for every record that shares it. A test
    that staff sent to themselves opts nobody out.
    """
    if is_out(delivery):
        return 0
    wording = WORDING.format(id=delivery.pk, message=delivery.message.name)
    said = {"source": ConsentSource.LINK, "wording": wording, "now": now}
    changed = 0
    if delivery.customer_id is not None:
        changed += consent.withdraw([delivery.customer_id], channels=[Channel.EMAIL], **said)
    if delivery.address:
        changed += consent.withdraw_everywhere(delivery.address, channel=Channel.EMAIL, **said)
    return changed


def _owners(delivery: Delivery) -> list[int]:
    owners = ContactPoint.objects.filter(channel=Channel.EMAIL, address=delivery.address)
    found = list(owners.values_list("customer_id", flat=True)) if delivery.address else []
    return [*found, delivery.customer_id] if delivery.customer_id is not None else found
