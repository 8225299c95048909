"""What the customer's page shows around the form: addresses, consents, closed addresses, evidence."""

from django.contrib.auth.models import AbstractBaseUser
from django.urls import NoReverseMatch, reverse

from customers.admin import follow_up_card, order_card
from customers.choices import CONSENT_PURPOSES, Channel
from customers.models import Consent, ConsentChange, ContactPoint, Customer, Suppression
from customers.models.contact_point import masked

EVIDENCE_SHOWN = 30
# Every shop writes by these; other channels are shown once a customer is on them.
USUAL_CHANNELS = [Channel.SMS, Channel.EMAIL]


def context(customer: Customer, user: AbstractBaseUser) -> dict[str, object]:
    """Everything the templates around the form need."""
    points = list(ContactPoint.objects.filter(customer=customer).order_by("-is_primary", "id"))
    points.sort(key=lambda point: Channel.values.index(point.channel))
    evidence = ConsentChange.objects.filter(customer=customer).select_related("actor", "spreadsheet_import")
    newest = list(evidence.order_by("-recorded_at", "-id")[: EVIDENCE_SHOWN + 1])
    return {
        "customer": customer,
        "points": _with_closures(points),
        "answers": _answers(customer, points),
        "evidence": newest[:EVIDENCE_SHOWN],
        "has_more_evidence": len(newest) > EVIDENCE_SHOWN,
        "may_reveal": user.has_perm("customers.view_full_address"),
        **order_card.of_customer(customer, user),
        **follow_up_card.of_customer(customer, user),
        "deliveries_url": _deliveries_url(customer) if user.has_perm("notifications.view_delivery") else "",
    }


def masked_primary(customer: Customer, channel: Channel) -> str:
    """The masked address that messages of a channel go to, or an empty text."""
    point = customer.contact_points.filter(channel=channel, is_primary=True).first()
    return masked(point.address) if point else ""


def _with_closures(points: list[ContactPoint]) -> list[tuple[ContactPoint, Suppression | None]]:
    """Each address with the row that closes it, if one does."""
    closed = Suppression.objects.filter(address__in=[point.address for point in points]).select_related("actor")
    by_address = {(closure.channel, closure.address): closure for closure in closed}
    return [(point, by_address.get((point.channel, point.address))) for point in points]


def _answers(customer: Customer, points: list[ContactPoint]) -> list[tuple[str, list[tuple[str, Consent | None]]]]:
    """For each channel that matters to this customer: its purposes, each with the standing answer."""
    standing = {(answer.channel, answer.purpose): answer for answer in customer.consents.all()}
    known = {point.channel for point in points} | {channel for channel, _purpose in standing}
    return [
        (channel.label, [(purpose.label, standing.get((channel, purpose))) for purpose in CONSENT_PURPOSES])
        for channel in Channel
        if channel in known or channel in USUAL_CHANNELS
    ]


def _deliveries_url(customer: Customer) -> str:
    """Where the customer's messages are listed, if the deployment sends any."""
    try:
        return reverse("admin:notifications_customer_deliveries", args=[customer.pk])
    except NoReverseMatch:
        return ""
