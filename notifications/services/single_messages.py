"""One message to one customer, asked for by a program of the shop: planned into a message that stays open."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from customers.choices import Purpose
from notifications import personal, screening
from notifications.choices import DeliveryStatus, HeldFor
from notifications.models import Delivery, Message, Template
from notifications.rendering import OF_OCCASION, VARIABLES
from notifications.services import gateways, messages, notices
from notifications.services.submissions import FOR_GOOD

NAMED = "API: %s"
LONGEST_REFERENCE = 40
PURPOSES = (Purpose.TRANSACTIONAL, Purpose.SERVICE)
MEANT = {alias: variable.key for variable in VARIABLES.values() for alias in (variable.key, *variable.aliases)}

NOTICE = """
INSERT INTO planned_notice (message_id, customer_id, is_second, occasion, send_until, facts, orders)
VALUES (%s, %s, false, %s, %s, %s, %s)
"""


class CannotSend(Exception):
    """A message that is not sent; the text is a sentence for the caller, `field` what of the request it is about."""

    def __init__(self, words, *, field: str = ""):
        super().__init__(words)
        self.field = field


@dataclass(frozen=True)
class Wish:
    """What a program wants to be sent: which text with which values to whom, and of use until when."""

    template: str
    customer_id: int
    values: Mapping[str, str]
    occasion: str
    send_until: datetime
    order_ids: Sequence[int] = ()


@transaction.atomic
def send(wish: Wish, *, now: datetime) -> Delivery:
    """
    Plan the message; answers its delivery, which is skipped where nobody may be written to.

    The same occasion again answers the delivery that there is. Raises CannotSend.
    """
    known = Delivery.objects.filter(occasion=wish.occasion).exclude(address="").first()
    if known and known.customer_id != wish.customer_id:
        raise CannotSend(_("This reference was used for another customer."), field="reference")
    message = _open_message(wish.template, now=now)
    values = [message.pk, wish.customer_id, wish.occasion, wish.send_until, json.dumps(_facts(wish.values))]
    with connection.cursor() as cursor:
        notices.begin(cursor)
        cursor.execute(NOTICE, [*values, list(wish.order_ids)])
        notices.plan(cursor, message, now=now)
        cursor.execute("SELECT delivery_id FROM planned_notice")
        found = cursor.fetchone()
    if not found or not found[0]:
        raise CannotSend(_("There is no such customer."), field="customer")
    return state_of(found[0])


def state_of(delivery_id: int, *, occasion_begins: str = "") -> Delivery | None:
    """A delivery with its state, its submission and its message; None where its occasion begins with other words."""
    found = Delivery.objects.with_state().select_related("submission", "message", "hold")
    return found.filter(pk=delivery_id, occasion__startswith=occasion_begins).first()


def in_words(delivery: Delivery) -> tuple[str, str, str]:
    """The state of a delivery, the code of its reason, and the reason in words."""
    if delivery.state != DeliveryStatus.QUEUED:
        return delivery.state, delivery.reason, str(screening.label_of(delivery.reason))
    hold = getattr(delivery, "hold", None)
    held_for = hold.held_for if hold else delivery.submission.held_for if delivery.submission else ""
    if held_for:
        return "held", held_for, str(HeldFor(held_for).label)
    return delivery.state, "", str(_("Paused by the shop")) if delivery.message.paused_at else ""


def _open_message(name: str, *, now: datetime) -> Message:
    """The open message that says what a template says now."""
    template = Template.objects.select_related("signature").filter(name=name).first()
    if template is None:
        raise CannotSend(_("There is no template with this name."), field="template")
    if template.purpose not in PURPOSES:
        words = _("This template is for marketing or care. Choose a transaction notice or a service reminder.")
        raise CannotSend(words, field="template")
    known = _known(template)
    if known is None:
        # Of two requests at once the second finds what the first has made.
        Template.objects.select_for_update().get(pk=template.pk)
        known = _known(template)
    if known is None:
        return _freeze(template, now=now)
    if known.canceled_at is not None:
        words = _("The shop has canceled the messages of this template. Change its text to send it again.")
        raise CannotSend(words, field="template")
    return known


def _known(template: Template) -> Message | None:
    same = Message.objects.filter(template=template, template_version=template.version, send_until=FOR_GOOD)
    return same.filter(name=_name(template), signature=template.signature.name).order_by("-id").first()


def _freeze(template: Template, *, now: datetime) -> Message:
    account = gateways.account_for(template.channel)
    try:
        return messages.freeze(
            template,
            name=_name(template),
            price=account.price if account else 0,
            send_after=now,
            send_until=FOR_GOOD,
            by=None,
            now=now,
        )
    except messages.CannotFreeze as refusal:
        raise CannotSend(str(refusal), field="template") from refusal


def _name(template: Template) -> str:
    return (NAMED % template.name)[:120]


def _facts(values: Mapping[str, str]) -> dict[str, str]:
    """The values by their keys, as texts may carry them. Raises CannotSend for one that no text has."""
    facts = {}
    for name, value in values.items():
        key = MEANT.get(name)
        if key not in OF_OCCASION:
            words = _("No text uses the value “%(name)s”. There are: %(known)s.")
            known = ", ".join(sorted(OF_OCCASION))
            raise CannotSend(words % {"name": name, "known": known}, field=f"values.{name}")
        facts[key] = personal.cleaned_value(key, value)
    return facts
