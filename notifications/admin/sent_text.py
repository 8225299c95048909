"""The text of a delivery as its reader got it, rendered from what was frozen."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from notifications import rendering
from notifications.choices import DeliveryStatus
from notifications.models import Delivery

NEVER_SENT = (DeliveryStatus.SKIPPED, DeliveryStatus.CANCELED)


@dataclass(frozen=True)
class SentText:
    """What was sent, or why there is no text to show."""

    words: str
    note: str = ""
    subject: str = ""


def of(delivery: Delivery) -> SentText:
    """The text with the values that were kept when it was handed over."""
    message = delivery.message
    if delivery.status in NEVER_SENT:
        return SentText("", _("Nothing was sent. This is the text with its variables:"))
    if delivery.status == DeliveryStatus.QUEUED:
        return SentText("", _("Not sent yet. This is the text with its variables:"))
    if delivery.customer and delivery.customer.erased_at:
        return SentText("", _("The customer was erased, and the personal values with them."))
    try:
        compiled = rendering.compiled(message)
        if compiled.variables and delivery.values is None:
            return SentText("", _("The personal values are no longer kept. This is the text with its variables:"))
        values = {key: str(value) for key, value in (delivery.values or {}).items()}
        if isinstance(compiled, rendering.Letter):
            said = compiled.compose(values)
            return SentText(said.text, subject=said.subject)
        return SentText(compiled.compose(values, signature=message.signature, opt_out=message.opt_out_wording))
    except (rendering.Refused, rendering.MissingValue, rendering.TooLong):
        return SentText(
            "", _("The text cannot be shown with the values that were kept. This is it with its variables:")
        )
