"""What programs can tell of customers and their orders."""

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from ninja import Router

from customers.api.answers import ANSWERS, BatchAnswer, CustomerAnswer
from customers.api.batches import Record, Step, record_each
from customers.api.bodies_of_customers import (
    ClosedEvent,
    ClosedEvents,
    ConsentChange,
    ConsentChanges,
    Customer,
    Customers,
    Event,
    Events,
)
from customers.api.bodies_of_orders import Order, OrderEvents, Orders, Parcel, Payment, StatusChange, Trouble
from customers.api.door import ApiKeyAuth, answered, may_read
from customers.api.problems import Problem
from customers.choices import ApiScope
from customers.services import events, orders, shipments, told_consent, told_customers, told_exceptions

router = Router()
BATCH = {200: BatchAnswer, 207: BatchAnswer, **ANSWERS}


UNKNOWN_CUSTOMER = _("There is no such customer yet. Send the customer first.")
UNKNOWN_ORDER = _("There is no such order yet. Send the order first.")
UNKNOWN_EVENT = _("There is no such event, or it was closed before.")


@router.post("/orders", auth=ApiKeyAuth(ApiScope.ORDERS), response=BATCH, tags=["orders"])
@answered
def record_orders(request: HttpRequest, body: Orders):
    """
    Tell of orders as they stand, at most 500 at a time.

    An order is known by its platform and its number. Told again, what is new is taken over and what is left out
    stays; what an older event says never turns an order back.
    """
    status, told = record_each(body.orders, field="orders", steps=[Step(_as_orders(request))])
    for result in told["results"]:
        item = body.orders[result["index"]]
        if isinstance(item, Order) and (notes := item.notes(f"#/orders/{result['index']}")):
            result["notes"] = [note.as_json() for note in notes]
    return status, told


@router.post("/order-events", auth=ApiKeyAuth(ApiScope.ORDERS), response=BATCH, tags=["orders"])
@answered
def record_order_events(request: HttpRequest, body: OrderEvents):
    """
    Tell what happened to orders: a status, a payment, news of a parcel, something that went wrong.

    Repeated events change nothing, and events may arrive in any order.
    """

    def parcels(items: list[Parcel]) -> list:
        outcomes = shipments.record_each([item.facts() for item in items], now=request.auth.now)
        return [{"outcome": outcome} if outcome != "unknown" else UNKNOWN_ORDER for outcome in outcomes]

    def troubles(items: list[Trouble]) -> list:
        outcomes = told_exceptions.record_each([item.facts() for item in items], now=request.auth.now)
        return [{"outcome": outcome} for outcome in outcomes]

    steps = [
        Step(_as_orders(request), (StatusChange, Payment)),
        Step(parcels, Parcel),
        Step(troubles, Trouble),
    ]
    return record_each(body.events, field="events", steps=steps, is_tagged=True)


@router.post("/customers", auth=ApiKeyAuth(ApiScope.CUSTOMERS), response=BATCH, tags=["customers"])
@answered
def record_customers(request: HttpRequest, body: Customers):
    """
    Add customers, or change what is told anew of those who are known.

    A customer is known by external_id, by phone or by e-mail, in this order. Nothing here is consent.
    """

    def people(items: list[Customer]) -> list:
        found = told_customers.record([item.facts() for item in items], now=request.auth.now)
        return [{"outcome": outcome, "id": pk} for pk, outcome in found]

    return record_each(body.customers, field="customers", steps=[Step(people)])


@router.get(
    "/customers/{int:customer_id}",
    auth=ApiKeyAuth(ApiScope.CUSTOMERS, ApiScope.READ),
    response={200: CustomerAnswer, **ANSWERS},
    tags=["customers"],
)
@answered
def show_customer(request: HttpRequest, customer_id: int):
    """One customer; phone numbers and addresses are masked for keys without the scope “read”."""
    found = told_customers.show(customer_id, is_whole=may_read(request))
    if found is None:
        raise Problem(404, "not-found", _("There is no customer with this number."))
    return 200, found


@router.post("/consent", auth=ApiKeyAuth(ApiScope.CONSENT), response=BATCH, tags=["consent"])
@answered
def record_consent(request: HttpRequest, body: ConsentChanges):
    """
    Record that customers agreed to receive marketing or care, or that they do not want it any more.

    An opt-out is never undone from here: whoever opted out has to agree again to a member of staff.
    """

    def changes(items: list[ConsentChange]) -> list:
        return told_consent.record([item.facts() for item in items], now=request.auth.now)

    return record_each(body.changes, field="changes", steps=[Step(changes)])


@router.post("/events", auth=ApiKeyAuth(ApiScope.EVENTS), response=BATCH, tags=["events"])
@answered
def record_events(request: HttpRequest, body: Events):
    """
    Tell of appointments, memberships, coupons, points, bills, security notices and carts left behind.

    An event is known by its kind and its key: told again with another due_at it has been moved.
    """

    def told(items: list[Event]) -> list:
        outcomes = events.record_each([item.facts() for item in items], now=request.auth.now)
        return [{"outcome": outcome} if outcome != "unknown" else UNKNOWN_CUSTOMER for outcome in outcomes]

    return record_each(body.events, field="events", steps=[Step(told)])


@router.post("/events/close", auth=ApiKeyAuth(ApiScope.EVENTS), response=BATCH, tags=["events"])
@answered
def close_events(request: HttpRequest, body: ClosedEvents):
    """Close events that are settled: attended, renewed, used, paid, bought or called off."""

    def settled(items: list[ClosedEvent]) -> list:
        return [
            {"outcome": "closed"} if events.close(item.kind, item.key, now=request.auth.now) else UNKNOWN_EVENT
            for item in items
        ]

    return record_each(body.events, field="events", steps=[Step(settled)])


def _as_orders(request: HttpRequest) -> Record:
    """Records items that tell of the orders themselves."""

    def record(items: list) -> list:
        recorded = orders.record_each([item.facts() for item in items], now=request.auth.now)
        return [{"outcome": each.outcome, "id": each.order_id, "customer_id": each.customer_id} for each in recorded]

    return record
