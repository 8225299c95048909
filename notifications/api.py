"""What programs can send and read: one message to one customer, what became of it, and a customer's inbox."""

import uuid
from datetime import timedelta
from typing import Annotated, Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from ninja import Query, Router
from pydantic import BaseModel, Field

from customers import doorbell
from customers.api import faults
from customers.api.answers import ANSWERS
from customers.api.batches import AT_ONCE
from customers.api.bodies import escaped
from customers.api.bodies_of_customers import Keys
from customers.api.bodies_of_orders import Number, PlatformName
from customers.api.door import ApiKeyAuth, answered, may_read
from customers.api.faults import Told
from customers.api.fields import words
from customers.api.problems import Fault, Problem
from customers.choices import ApiScope, Channel
from customers.models import Customer, Order
from customers.models.contact_point import masked
from customers.services import told_customers
from customers.services.told_customers import CustomerKeys
from notifications.models import Delivery, InboxItem
from notifications.services import inbox, single_messages
from notifications.services.single_messages import CannotSend, Wish

router = Router()
LONGEST_VALIDITY = 7 * 24 * 60
USUAL_VALIDITY = 24 * 60
MOST_VALUES = 20
UNKNOWN_CUSTOMER = _("There is no such customer yet. Send the customer first.")
ROW_ID = Annotated[int, Field(ge=1, le=2**63 - 1, strict=True)]


class OfOrder(Told):
    """The order that a message speaks of: it is not sent once the order is somebody else's, or gone."""

    platform: PlatformName
    number: Number


class Wanted(Told):
    """One message to one customer."""

    template: words(60, shortest=1)
    customer: Keys
    values: Annotated[dict[words(40, shortest=1), words(200)], Field(max_length=MOST_VALUES)] = {}
    order: OfOrder | None = None
    reference: words(single_messages.LONGEST_REFERENCE) = ""
    valid_for_minutes: Annotated[int, Field(ge=1, le=LONGEST_VALIDITY, strict=True)] = USUAL_VALIDITY


class MessageAnswer(BaseModel):
    """What became of a message; `state` is queued, held, sending, sent, delivered, undelivered, failed, skipped …"""

    id: int
    template: str
    channel: str
    to: str
    state: str
    reason: str
    reason_in_words: str
    created_at: str
    sent_at: str | None = None
    finished_at: str | None = None


class ItemAnswer(BaseModel):
    """One item of an inbox."""

    id: int
    subject: str
    body: str
    created_at: str
    read_at: str | None = None


class InboxAnswer(BaseModel):
    """The newest items of an inbox; `next` is what to give as `after` for the page behind."""

    unread: int
    items: list[ItemAnswer]
    next: int | None = None


class Items(Told):
    """Items of one customer's inbox."""

    customer: Keys
    items: Annotated[list[ROW_ID], Field(min_length=1, max_length=AT_ONCE)]


class ChangedAnswer(BaseModel):
    """How many items changed."""

    changed: int


@router.post(
    "/messages", auth=ApiKeyAuth(ApiScope.MESSAGES), response={202: MessageAnswer, **ANSWERS}, tags=["messages"]
)
@answered
def send_message(request: HttpRequest, body: Wanted):
    """
    Send one transaction notice or service reminder to one customer, by the name of a template and its values.

    The same `reference` to the same customer is sent once, however often it is asked for. The answer is what the
    engine made of it so far; ask for it by its id later.
    """
    owner = _customer(body.customer.keys(), pointer="#/customer")
    orders = _orders(body.order)
    wish = Wish(
        template=body.template,
        customer_id=owner.pk,
        values=body.values,
        occasion=_own(request) + (body.reference or uuid.uuid4().hex),
        send_until=request.auth.now + timedelta(minutes=body.valid_for_minutes),
        order_ids=orders,
    )
    try:
        delivery = single_messages.send(wish, now=request.auth.now)
    except CannotSend as refusal:
        pointer = "#/" + "/".join(escaped(part) for part in refusal.field.split(".", 1))
        raise faults.problem([Fault(pointer, str(refusal))]) from None
    doorbell.ring("notifications.jobs.send_due", queue="urgent", names_queue=True)
    return 202, _shown(delivery, is_whole=may_read(request))


@router.get(
    "/messages/{int:message_id}",
    auth=ApiKeyAuth(ApiScope.MESSAGES),
    response={200: MessageAnswer, **ANSWERS},
    tags=["messages"],
)
@answered
def show_message(request: HttpRequest, message_id: int):
    """What became of a message that this key has sent."""
    delivery = message_id < 2**63 and single_messages.state_of(message_id, occasion_begins=_own(request))
    if not delivery:
        raise Problem(404, "not-found", _("This key has sent no message with this number."))
    return 200, _shown(delivery, is_whole=may_read(request))


@router.get("/inbox", auth=ApiKeyAuth(ApiScope.INBOX), response={200: InboxAnswer, **ANSWERS}, tags=["inbox"])
@answered
def show_inbox(
    request: HttpRequest,
    external_id: Annotated[words(100), Query()] = "",
    customer_id: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
    unread: bool = False,
    after: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=inbox.MOST_ITEMS)] = 20,
):
    """The newest items in the inbox of a customer, named by external_id or customer_id."""
    owner = _customer(CustomerKeys(customer_id, external_id.replace("\0", "")), pointer="")
    found = inbox.items(owner, unread_only=unread, after=after, limit=limit)
    return 200, {
        "unread": inbox.unread_count(owner),
        "items": [_item(item) for item in found],
        "next": found[-1].pk if len(found) == limit else None,
    }


@router.post("/inbox/read", auth=ApiKeyAuth(ApiScope.INBOX), response={200: ChangedAnswer, **ANSWERS}, tags=["inbox"])
@answered
def mark_read(request: HttpRequest, body: Items):
    """Note that a customer has read items; items of other customers stay as they are."""
    owner = _customer(body.customer.keys(), pointer="#/customer")
    return 200, {"changed": inbox.mark_read(owner, body.items, now=request.auth.now)}


@router.post(
    "/inbox/remove", auth=ApiKeyAuth(ApiScope.INBOX), response={200: ChangedAnswer, **ANSWERS}, tags=["inbox"]
)
@answered
def remove_items(request: HttpRequest, body: Items):
    """Take items out of a customer's inbox."""
    owner = _customer(body.customer.keys(), pointer="#/customer")
    return 200, {"changed": inbox.hide(owner, body.items, now=request.auth.now)}


def _own(request: HttpRequest) -> str:
    """How the occasions of this key's messages begin: no key sees what another one sent."""
    return f"api-{request.auth.key_id}:"


def _customer(keys: CustomerKeys, *, pointer: str) -> Customer:
    """Whom the keys lead to. Raises Problem for nobody."""
    (owner,) = told_customers.find([keys])
    if owner is None and pointer:
        raise faults.problem([Fault(pointer, UNKNOWN_CUSTOMER)])
    if owner is None:
        raise Problem(404, "not-found", UNKNOWN_CUSTOMER)
    return Customer.objects.get(pk=owner)


def _orders(named: OfOrder | None) -> list[int]:
    """The order that a message speaks of. Raises Problem for one that is not known."""
    if named is None:
        return []
    found = Order.objects.filter(number=named.number, platform=named.platform).values_list("pk", flat=True)
    if not found:
        raise faults.problem([Fault("#/order", _("There is no such order yet. Send the order first."))])
    return list(found)


def _shown(delivery: Delivery, *, is_whole: bool) -> dict[str, Any]:
    """A message as programs see it."""
    state, reason, in_words = single_messages.in_words(delivery)
    address = delivery.address
    hides = address and not is_whole and delivery.message.channel != Channel.INBOX
    return {
        "id": delivery.pk,
        "template": delivery.message.name.removeprefix("API: "),
        "channel": delivery.message.channel,
        "to": masked(address) if hides else address,
        "state": state,
        "reason": reason,
        "reason_in_words": in_words,
        "created_at": _moment(delivery.created_at),
        "sent_at": _moment(delivery.sent_at),
        "finished_at": _moment(delivery.finished_at),
    }


def _item(item: InboxItem) -> dict[str, Any]:
    return {
        "id": item.pk,
        "subject": item.subject,
        "body": item.body,
        "created_at": _moment(item.created_at),
        "read_at": _moment(item.read_at),
    }


def _moment(at) -> str | None:
    return at.isoformat() if at else None
