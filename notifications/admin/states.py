"""How states, reasons and addresses of deliveries are shown."""

import re

from django.contrib.auth.models import AbstractBaseUser
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from customers import phone
from customers.choices import Channel
from notifications import screening
from notifications.choices import DeliveryStatus, HeldFor
from notifications.models import Delivery

HELD = "held"
SENDING = "sending"
NO_RECEIPT = "no_receipt"
MOBILE_WITHIN = re.compile(r"(?<![0-9])1[3-9][0-9]{9}(?![0-9])")
# Marks, embeddings, overrides and isolates of the direction: a reply with one can show a number backwards.
DIRECTION = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# In the order of a message's life; the names are those of the CSS classes too.
STATES: dict[str, Promise | str] = {
    DeliveryStatus.QUEUED.value: DeliveryStatus.QUEUED.label,
    HELD: gettext_lazy("Held"),
    SENDING: gettext_lazy("Being sent"),
    DeliveryStatus.SENT.value: DeliveryStatus.SENT.label,
    NO_RECEIPT: gettext_lazy("No receipt"),
    DeliveryStatus.DELIVERED.value: DeliveryStatus.DELIVERED.label,
    DeliveryStatus.UNDELIVERED.value: DeliveryStatus.UNDELIVERED.label,
    DeliveryStatus.FAILED.value: DeliveryStatus.FAILED.label,
    DeliveryStatus.UNKNOWN.value: DeliveryStatus.UNKNOWN.label,
    DeliveryStatus.SKIPPED.value: DeliveryStatus.SKIPPED.label,
    DeliveryStatus.CANCELED.value: DeliveryStatus.CANCELED.label,
}
MEANINGS = {
    DeliveryStatus.QUEUED.value: gettext_lazy("Waits for its turn."),
    HELD: gettext_lazy("Waits on purpose, for the moment named beside it."),
    SENDING: gettext_lazy("A worker is handing it to the provider."),
    DeliveryStatus.SENT.value: gettext_lazy("The provider took it; whether it arrived is not reported yet."),
    NO_RECEIPT: gettext_lazy(
        "The provider took it more than three days ago, and nobody ever reported whether it arrived. It counts "
        "as sent."
    ),
    DeliveryStatus.DELIVERED.value: gettext_lazy("The carrier reports that it arrived."),
    DeliveryStatus.UNDELIVERED.value: gettext_lazy("The carrier reports that it did not arrive."),
    DeliveryStatus.FAILED.value: gettext_lazy("The provider refused it."),
    DeliveryStatus.UNKNOWN.value: gettext_lazy(
        "Whether the provider took it is not known. It is asked; nothing is sent twice on a guess."
    ),
    DeliveryStatus.SKIPPED.value: gettext_lazy("We did not send it, for the reason given."),
    DeliveryStatus.CANCELED.value: gettext_lazy("Staff canceled it before it left."),
}


def state_of(delivery: Delivery) -> str:
    """
    The state that is shown: `state` of with_state(), with waiting on purpose told apart.

    Expects `submission` and `hold` to be loaded with the delivery.
    """
    if delivery.state == DeliveryStatus.QUEUED and held_for(delivery):
        return HELD
    return delivery.state


def held_for(delivery: Delivery) -> str:
    """Why a queued delivery waits beyond its hour; '' if it does not."""
    if hold := getattr(delivery, "hold", None):
        return hold.held_for
    return delivery.submission.held_for if delivery.submission else ""


def held_until(delivery: Delivery):
    """When a held delivery is looked at again."""
    hold = getattr(delivery, "hold", None)
    return hold.send_after if hold else delivery.submission and delivery.submission.send_after


def pill(state: str) -> SafeString:
    """A state as a word with its color."""
    return format_html(
        '<span class="hy-nowrap"><span class="hy-dot hy-state-{}" aria-hidden="true"></span> {}</span>',
        state,
        STATES.get(state, state),
    )


def explanation(delivery: Delivery) -> str:
    """Why the delivery is where it is, in words."""
    state = state_of(delivery)
    if state == HELD:
        return _("%(reason)s; released %(moment)s") % {
            "reason": HeldFor(held_for(delivery)).label,
            "moment": moment(held_until(delivery)),
        }
    if delivery.reason:
        return str(screening.label_of(delivery.reason))
    return ""


def moment(when) -> str:
    """A moment in the shop's zone, to the minute; a dash for none."""
    return localtime(when).strftime("%Y-%m-%d %H:%M") if when else "–"


def masked(address: str, channel: str) -> str:
    """An address with its middle hidden; the customer's page shows the whole one, and who asked for it."""
    if not address:
        return "–"
    if channel in (Channel.SMS, Channel.VOICE):
        return phone.mask(address)
    name, at, host = address.partition("@")
    return f"{name[:1]}***{at}{host}" if at else f"{address[:2]}***"


def shown_address(address: str, channel: str, *, user: AbstractBaseUser) -> str:
    """An address as this reader may see it: whole with the permission for that, else masked."""
    return address if address and user.has_perm("customers.view_full_address") else masked(address, channel)


def without_direction(text: str) -> str:
    """A foreign text without the marks that turn the direction of writing, also of what the page says after it."""
    return DIRECTION.sub("", text)


def shown_text(text: str, *, user: AbstractBaseUser) -> str:
    """What a customer wrote as this reader may see it: the numbers within it masked like any other."""
    text = without_direction(text)
    if user.has_perm("customers.view_full_address"):
        return text
    return MOBILE_WITHIN.sub(lambda found: phone.mask(found[0]), text)
