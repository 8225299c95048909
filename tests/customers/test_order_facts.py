"""Single events of orders: any order of arrival, told once or many times."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations

import pytest

from customers.models import ContactPoint, Customer, CustomerAccount, Order, OrderChange, OrderLine, Shipment
from customers.services import orders
from customers.services.order_facts import CannotRecord, LineFacts, OrderFacts

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
TEN = datetime(2026, 6, 30, 2, tzinfo=UTC)


def tell(number: str = "A1", *, now: datetime = NOW, **said) -> dict[str, int]:
    """One event of an order of the shop's own store."""
    return dict(orders.record([OrderFacts("other", number, **said)], now=now))


def order(number: str = "A1") -> Order:
    """The order as it is known now."""
    return Order.objects.get(number=number)


def test_an_order_that_was_not_known_is_stored_with_its_buyer_and_goods():
    mug = LineFacts("马克杯", product_id="7", category="杯子", quantity=2, price=Decimal("49.00"))

    told = tell(
        status="unpaid", ordered_at=TEN, phone="138 0000 0001", receiver_name="李娜", total=Decimal(98), lines=[mug]
    )

    assert told == {"created": 1}
    known = order()
    assert (known.status, known.status_at, known.total) == ("unpaid", TEN, Decimal(98))
    assert known.customer.name == "李娜"
    assert known.updated_at == known.recorded_at
    assert list(ContactPoint.objects.values_list("customer", "address")) == [(known.customer_id, "13800000001")]
    assert list(OrderLine.objects.values_list("key", "category", "quantity")) == [("7#1", "杯子", 2)]
    assert list(OrderChange.objects.values_list("order", "to_status")) == [(known.pk, "unpaid")]


def test_the_same_event_told_twice_changes_nothing():
    tell(status="paid", happened_at=TEN, total=Decimal(98), phone="13800000001")
    before = Order.objects.values().get()

    assert tell(status="paid", happened_at=TEN, total=Decimal(98), phone="13800000001") == {"unchanged": 1}
    assert Order.objects.values().get() == before
    assert OrderChange.objects.count() == 1


def test_the_way_of_an_order_ends_the_same_in_any_order_of_arrival():
    way = [
        {"status": status, "happened_at": TEN + timedelta(hours=hour)}
        for hour, status in enumerate(["unpaid", "paid", "shipped", "out_for_delivery", "delivered"])
    ]

    for number, said in enumerate(permutations(way)):
        for event in said:
            tell(f"A{number}", **event)

    known = Order.objects.values_list("status", "status_at", "ordered_at", "paid_at", "shipped_at", "delivered_at")
    hours = [TEN + timedelta(hours=hour) for hour in range(5)]
    assert set(known) == {("delivered", hours[4], hours[0], hours[1], hours[2], hours[4])}
