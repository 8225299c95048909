"""The usual way with RQ: a job for every message."""

from functools import cache

from django.db.models.functions import Now
from jinja2 import Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tests.benchmarks.rivals import gateway_call
from tests.benchmarks.rivals.models import Recipient
from tests.benchmarks.texts import WHOLE_TEXT


@cache
def _template() -> Template:
    return ImmutableSandboxedEnvironment().from_string(WHOLE_TEXT)


def send_one(*, recipient_id: int, reference: str) -> None:
    """Load the recipient, render the text, call the gateway, and store what it said."""
    recipient = Recipient.objects.get(pk=recipient_id)
    text = _template().render(name=recipient.name)
    recipient.provider_id = gateway_call.send(reference, recipient.number, text)
    recipient.status = "sent"
    recipient.sent_at = Now()
    recipient.save(update_fields=["status", "provider_id", "sent_at"])
