"""Integrations: whose a push is, whether it was signed, and keeping it as it came."""

import hashlib
import hmac
import secrets as random
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import F, Q

from customers import clock, secrets
from customers.models import Integration
from customers.msgid import _
from customers.webhooks import mappings, signatures
from customers.webhooks.forms import FORMS, Form

OVERLAP = timedelta(days=7)
TOKEN_BYTES = 32
NO_SECRET = _("No signing secret is entered. Enter the one that the shop system shows.")
SECRET_UNREADABLE = _("The secret was stored under another key of this deployment. Enter it again.")
SWITCHED_OFF = _("The integration is switched off.")

KEEP = """
INSERT INTO customers_webhookcall (integration_id, topic, body, fingerprint, received_at, look_after, tries, problem)
VALUES (%s, %s, %s, %s, %s, %s, 0, '') ON CONFLICT (integration_id, fingerprint) DO NOTHING
"""


class Refused(Exception):
    """A push that is not believed; the text is a msgid for staff."""


def new_token() -> str:
    """A token that nobody guesses: 256 bits."""
    return random.token_urlsafe(TOKEN_BYTES)


def owner(token: str, *, now: datetime) -> Integration | None:
    """The integration that a secret address stands for; every token is compared, each in the same time."""
    guess = token.encode("utf-8", "replace")
    found = None
    for integration in Integration.objects.order_by("id"):
        is_current = hmac.compare_digest(guess, integration.token.encode())
        is_previous = hmac.compare_digest(guess, integration.previous_token.encode()) and _holds(integration, now)
        if is_current or is_previous:
            found = integration
    return found


def rotate(integration_id: int, *, now: datetime) -> datetime:
    """Give an integration a new address; answers until when the old one is believed as well."""
    until = now + OVERLAP
    Integration.objects.filter(pk=integration_id).update(
        previous_token=F("token"), previous_token_until=until, token=new_token()
    )
    return until


def store(integration: Integration, body: bytes, headers: Mapping[str, str], *, now: datetime) -> bool:
    """
    Keep a push that was signed as it should be; False when it has come before.

    Raises Refused, and notes why, for one that was not.
    """
    form = FORMS[integration.kind]
    try:
        _verify(integration, form, body, headers)
    except Refused as refusal:
        Integration.objects.filter(pk=integration.pk).update(refused_at=now, refused_for=str(refusal))
        raise
    topic, event_id = headers.get(form.topic_header, ""), headers.get(form.id_header, "") if form.id_header else ""
    if not topic or not event_id:
        told_topic, told_id = mappings.topic_of(mapping_of(integration), body)
        topic, event_id = topic or told_topic, event_id or told_id
    named = b"id:" + event_id.encode("utf-8", "replace") if event_id else b"body:" + body
    # Repeated under a number of its own, what was pushed decides.
    fingerprint = hashlib.sha256(named).digest()
    with connection.cursor() as cursor:
        cursor.execute(KEEP, [integration.pk, _clean(topic)[:60], body, fingerprint, now, now])
        is_new = cursor.rowcount == 1
    # Written at most once a minute: it is for people.
    lately = Q(last_received_at__gt=now - timedelta(minutes=1), last_received_at__lte=now)
    Integration.objects.filter(pk=integration.pk).exclude(lately).update(last_received_at=now)
    return is_new


def mapping_of(integration: Integration) -> Mapping:
    """Where the facts stand in the pushes of an integration."""
    return integration.mapping or FORMS[integration.kind].mapping


def _verify(integration: Integration, form: Form, body: bytes, headers: Mapping[str, str]) -> None:
    if not integration.is_active:
        raise Refused(SWITCHED_OFF)
    if not integration.encrypted_secret:
        raise Refused(NO_SECRET)
    try:
        secret = secrets.decrypt(integration.encrypted_secret)
        # The shop system knows nothing of a clock that is shifted for a rehearsal.
        signatures.check(
            form.signing, body, headers, secret=secret, client_id=integration.client_id, real_now=clock.real_now()
        )
    except secrets.Unreadable:
        raise Refused(SECRET_UNREADABLE) from None
    except signatures.BadSignature as refusal:
        raise Refused(str(refusal)) from None


def _holds(integration: Integration, now: datetime) -> bool:
    until = integration.previous_token_until
    return bool(integration.previous_token) and until is not None and now < until


def _clean(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())
