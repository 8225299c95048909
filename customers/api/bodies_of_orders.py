"""What can be told of orders: the order itself, and what happens to it."""

from typing import Annotated, Any, Literal

from pydantic import Field, WrapValidator

from customers.api.batches import AT_ONCE, tolerant
from customers.api.faults import Told
from customers.api.fields import Amount, Moment, why_no_email, why_no_phone, words
from customers.api.problems import Fault
from customers.choices import OrderExceptionKind, OrderStatus, Platform, ShipmentStatus
from customers.services.order_facts import LineFacts, OrderFacts
from customers.services.shipments import ShipmentFacts
from customers.services.told_exceptions import ExceptionFacts

MOST_LINES = 200
LARGEST_QUANTITY = 1_000_000
KNOWN_STATUSES = tuple(status.value for status in OrderStatus if status)
Status = Literal[KNOWN_STATUSES]
ExceptionKind = Literal[tuple(OrderExceptionKind.values)]
ParcelStatus = Literal[tuple(ShipmentStatus.values)]
PlatformName = Literal[tuple(Platform.values)]
Number = words(64, shortest=1)


class Buyer(Told):
    """
    Who ordered, by any of the keys.

    Platforms hide numbers: an order is taken also with one that cannot be texted, and a note says so.
    """

    external_id: words(100) = ""
    phone: words(60) = ""
    email: words(254) = ""
    account: words(100) = ""


class Line(Told):
    """One good of an order."""

    product: words(200) = ""
    product_id: words(64) = ""
    sku: words(100) = ""
    category: words(60) = ""
    quantity: Annotated[int, Field(ge=0, le=LARGEST_QUANTITY, strict=True)] | None = None
    price: Amount | None = None
    key: words(80) = ""

    def facts(self) -> LineFacts:
        """The good as services take it."""
        return LineFacts(**dict(self))


class Order(Told):
    """One order as it stands; what is left out stays as it is."""

    platform: PlatformName
    number: Number
    status: Status | None = None
    platform_status: words(60) = ""
    after_sale_status: words(60) = ""
    happened_at: Moment | None = None
    customer: Buyer = Buyer()
    shop_name: words(60) = ""
    currency: Annotated[str, Field(pattern=r"^([A-Z]{3})?$")] = ""
    total: Amount | None = None
    paid: Amount | None = None
    refund: Amount | None = None
    freight: Amount | None = None
    ordered_at: Moment | None = None
    paid_at: Moment | None = None
    shipped_at: Moment | None = None
    delivered_at: Moment | None = None
    completed_at: Moment | None = None
    closed_at: Moment | None = None
    ship_by_at: Moment | None = None
    promised_at: Moment | None = None
    closed_reason: words(100) = ""
    carrier: words(60) = ""
    tracking_number: words(100) = ""
    receiver_name: words(60) = ""
    province: words(60) = ""
    city: words(60) = ""
    note: words(500) = ""
    lines: Annotated[list[Line], Field(max_length=MOST_LINES)] = []

    def facts(self) -> OrderFacts:
        """The order as services take it."""
        values: dict[str, Any] = dict(self)
        values |= dict(values.pop("customer")) | {"lines": [line.facts() for line in self.lines]}
        return OrderFacts(**values)

    def notes(self, pointer: str) -> list[Fault]:
        """What of the order was left out, and why."""
        reasons = {"phone": why_no_phone(self.customer.phone), "email": why_no_email(self.customer.email)}
        return [Fault(f"{pointer}/customer/{name}", words) for name, words in reasons.items() if words]


class Orders(Told):
    """Orders to be recorded."""

    orders: Annotated[list[Annotated[Order, WrapValidator(tolerant)]], Field(min_length=1, max_length=AT_ONCE)]


class _OfOrder(Told):
    """What every event of an order names."""

    platform: PlatformName
    number: Number
    happened_at: Moment | None = None


class StatusChange(_OfOrder):
    """The order has reached a status."""

    type: Literal["status"]
    status: Status | None = None
    platform_status: words(60) = ""
    closed_reason: words(100) = ""
    note: words(500) = ""

    def facts(self) -> OrderFacts:
        """The change as services take it."""
        return OrderFacts(**{name: value for name, value in self if name != "type"})


class Payment(_OfOrder):
    """The order was paid."""

    type: Literal["payment"]
    paid: Amount | None = None

    def facts(self) -> OrderFacts:
        """The payment as services take it."""
        return OrderFacts(
            platform=self.platform,
            number=self.number,
            status=OrderStatus.PAID,
            happened_at=self.happened_at,
            paid=self.paid,
            paid_at=self.happened_at,
        )


class Parcel(_OfOrder):
    """News of a parcel of the order."""

    type: Literal["shipment"]
    tracking_number: words(100, shortest=1)
    carrier: words(60) = ""
    status: ParcelStatus | None = None
    text: words(200) = ""
    place: words(60) = ""

    def facts(self) -> ShipmentFacts:
        """The news as services take them."""
        return ShipmentFacts(
            number=self.tracking_number,
            platform=self.platform,
            order_number=self.number,
            carrier=self.carrier,
            status=self.status or "",
            text=self.text,
            place=self.place,
            happened_at=self.happened_at,
        )


class Trouble(_OfOrder):
    """Something went wrong with the order, or is settled again."""

    type: Literal["exception"]
    kind: ExceptionKind
    note: words(100) = ""
    is_resolved: Annotated[bool, Field(strict=True)] = False

    def facts(self) -> ExceptionFacts:
        """What went wrong as services take it."""
        return ExceptionFacts(**{name: value for name, value in self if name != "type"})


OrderEvent = Annotated[StatusChange | Payment | Parcel | Trouble, Field(discriminator="type")]


class OrderEvents(Told):
    """What happened to orders."""

    events: Annotated[list[Annotated[OrderEvent, WrapValidator(tolerant)]], Field(min_length=1, max_length=AT_ONCE)]
