"""Single events of orders: any order of arrival, told once or many times."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations

import pytest

from customers import clock
from customers.models import (
    ContactPoint,
    Customer,
    CustomerAccount,
    CustomerEvent,
    FollowUp,
    Order,
    OrderChange,
    OrderLine,
    Shipment,
)
from customers.services import events, orders, privacy
from customers.services.events import EventFacts
from customers.services.order_facts import CannotRecord, LineFacts, OrderFacts
from tests.customers.order_files import SHIPPED, import_orders, status_of, taobao
from tests.customers.shop import staff

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
TEN = datetime(2026, 6, 30, 2, tzinfo=UTC)


def tell(number: str = "A1", *, now: datetime = NOW, **said) -> dict[str, int]:
    """One event of an order of the shop's own store."""
    return dict(orders.record([OrderFacts("other", number, **said)], now=now))


def order(number: str = "A1") -> Order:
    """The order as it is known now."""
    return Order.objects.get(number=number)


def follow_up(customer: Customer, about: Order) -> FollowUp:
    """A task for a person about an order."""
    return FollowUp.objects.create(
        customer=customer, order=about, occasion=f"staff:{about.pk}", reason="staff", due_at=clock.now() + timedelta(1)
    )


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


def test_events_of_one_order_in_one_batch_are_taken_one_after_the_other():
    facts = [OrderFacts("other", "A1", status="unpaid", ordered_at=TEN), OrderFacts("other", "A1", status="paid")]

    assert dict(orders.record(facts, now=NOW)) == {"created": 1, "updated": 1}
    assert (order().status, order().status_at) == ("paid", NOW)


def test_an_event_of_before_does_not_end_an_after_sale_case():
    tell(status="after_sale", happened_at=TEN + timedelta(hours=3))

    tell(status="shipped", happened_at=TEN, shipped_at=TEN)
    assert order().status == "after_sale"
    tell(status="refunded", happened_at=TEN + timedelta(hours=4))
    assert order().status == "refunded"


def test_words_that_nobody_understands_make_an_order_that_nothing_is_sent_for():
    tell(platform_status="paid", happened_at=TEN)
    tell(platform_status="in the clouds", happened_at=TEN + timedelta(hours=1))

    assert (order().status, order().platform_status) == ("", "in the clouds")


def test_the_platforms_own_words_are_understood_as_in_a_file():
    orders.record([OrderFacts("taobao", "T1", platform_status="等待买家付款", ordered_at=TEN)], now=NOW)
    orders.record([OrderFacts("taobao", "T1", platform_status="买家已付款，等待卖家发货", paid_at=NOW)], now=NOW)

    assert (order("T1").status, order("T1").status_at) == ("paid", NOW)


def test_the_time_of_payment_alone_tells_that_an_order_is_paid_and_the_time_of_ordering_does_not_turn_it_back():
    tell(status="unpaid", ordered_at=TEN)

    tell(paid_at=TEN + timedelta(minutes=5))
    assert order().status == "paid"
    tell(ordered_at=TEN + timedelta(minutes=9))
    assert order().status == "paid"


def test_an_event_without_a_status_leaves_it_as_it_is():
    tell(status="paid", happened_at=TEN)

    assert tell(note="请尽快发货", happened_at=NOW) == {"updated": 1}
    assert (order().status, order().note) == ("paid", "请尽快发货")


def test_an_event_and_a_file_speak_of_the_same_order_by_the_same_rules():
    import_orders([taobao("T1", SHIPPED, 联系手机="13800000001")])

    ordered_at = datetime(2026, 6, 1, 2, tzinfo=UTC)
    orders.record([OrderFacts("taobao", "T1", status="unpaid", ordered_at=ordered_at)], now=NOW)
    assert status_of("T1") == "shipped"
    orders.record([OrderFacts("taobao", "T1", status="completed", happened_at=NOW)], now=NOW)
    import_orders([taobao("T1", SHIPPED, 联系手机="13800000001")])
    assert status_of("T1") == "completed"
    assert Customer.objects.count() == 1


@pytest.mark.parametrize(
    "keys",
    [{"external_id": "M-9"}, {"phone": "+86 138-0000-0001"}, {"email": "Li.Na@Example.com"}, {"account": "tb_lina"}],
)
def test_a_buyer_is_known_by_any_of_the_keys(keys):
    everything = {"external_id": "M-9", "phone": "13800000001", "email": "li.na@example.com", "account": "tb_lina"}
    tell("A1", status="paid", **everything)

    tell("A2", status="paid", **keys)

    assert order("A2").customer_id == order("A1").customer_id
    assert Customer.objects.count() == 1


def test_who_was_known_by_their_number_alone_gets_the_phone_that_is_told_later():
    tell("A1", status="paid", external_id="M-9")

    tell("A2", status="paid", external_id="M-9", phone="13800000001")

    assert order("A1").customer_id == order("A2").customer_id
    assert order("A1").customer.contact_points.get().address == "13800000001"


def test_an_account_whose_phone_belongs_to_somebody_goes_to_them_with_orders_events_and_follow_ups():
    tell("A1", status="paid", account="tb_lina")
    nameless = order("A1").customer
    events.record([EventFacts("coupon", "C1", customer_id=nameless.pk)], now=NOW)
    follow_up(nameless, order("A1"))
    tell("A2", status="paid", phone="13800000001")
    known = order("A2").customer

    tell("A3", status="paid", account="tb_lina", phone="13800000001")

    nameless.refresh_from_db()
    assert nameless.merged_into == known
    assert set(Order.objects.values_list("customer", flat=True)) == {known.pk}
    assert CustomerAccount.objects.get().customer == known
    assert CustomerEvent.objects.get().customer == known
    assert FollowUp.objects.get().customer == known


def test_a_batch_of_new_buyers_makes_each_of_them_once():
    facts = [
        OrderFacts("other", f"A{place}", status="paid", phone=f"1380000000{place % 3}", external_id=f"M-{place % 3}")
        for place in range(30)
    ] + [OrderFacts("other", f"B{place}", status="paid", external_id=f"N-{place % 2}") for place in range(4)]

    orders.record(facts, now=NOW)

    assert Customer.objects.count() == 5
    assert sorted(Customer.objects.values_list("external_id", flat=True)) == ["M-0", "M-1", "M-2", "N-0", "N-1"]
    assert not Order.objects.filter(customer=None).exists()


def test_an_order_of_nobody_stays_without_a_customer():
    tell(status="paid", phone="not a number", email="neither@")

    assert order().customer is None
    assert not Customer.objects.exists()


def test_an_event_of_an_erased_customer_brings_nothing_about_them_back():
    tell(status="paid", phone="13800000001", receiver_name="李娜")
    privacy.erase(order().customer_id, by=staff("erase_customer"), now=clock.now())

    tell(status="shipped", phone="13800000001", receiver_name="李娜", tracking_number="SF1")

    assert (order().status, order().receiver_name, order().tracking_number) == ("shipped", "", "")
    assert Customer.objects.count() == 1
    assert not ContactPoint.objects.exists()


def test_a_tracking_number_makes_a_parcel_and_a_corrected_one_replaces_it():
    tell(status="shipped", carrier="顺丰速运", tracking_number="SF1", shipped_at=TEN)
    tell(tracking_number="SF2", happened_at=NOW)

    assert list(Shipment.objects.values_list("carrier", "number", "status", "moved_at")) == [
        ("顺丰速运", "SF2", "shipped", TEN)
    ]
    tell(status="delivered", delivered_at=NOW)
    assert list(Shipment.objects.values_list("status", "delivered_at")) == [("delivered", NOW)]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"platform": "ebay", "number": "1"}, "platform"),
        ({"platform": "other", "number": ""}, "number"),
        ({"platform": "other", "number": "1", "status": "almost paid"}, "status"),
        ({"platform": "other", "number": "1", "paid_at": datetime(2026, 6, 1)}, "paid_at"),
        ({"platform": "other", "number": "1", "total": Decimal("NaN")}, "total"),
        ({"platform": "other", "number": "1", "lines": [LineFacts("mug", quantity=-1)]}, "lines.0.quantity"),
    ],
)
def test_what_cannot_be_stored_is_told_by_its_place_and_nothing_of_the_batch_is_recorded(said, field):
    with pytest.raises(CannotRecord) as refusal:
        orders.record([OrderFacts("other", "A1"), OrderFacts(**said)], now=NOW)

    assert (refusal.value.place, refusal.value.field) == (1, field)
    assert not Order.objects.exists()


def test_more_than_five_hundred_orders_at_once_are_refused():
    with pytest.raises(CannotRecord):
        orders.record([OrderFacts("other", str(number)) for number in range(501)], now=NOW)


def test_a_status_that_staff_give_is_written_down_with_their_name():
    tell(status="unpaid", ordered_at=TEN)
    clerk = staff("change_order")

    orders.change_status(order(), "paid", by=clerk, now=NOW)

    change = OrderChange.objects.latest("id")
    assert (change.from_status, change.to_status, change.actor) == ("unpaid", "paid", clerk)
    assert change.recorded_at == order().updated_at
    with pytest.raises(orders.CannotChange):
        orders.change_status(order(), "paid", by=clerk, now=NOW)


def test_who_changes_an_order_that_has_moved_since_is_told_to_look_again():
    tell(status="unpaid", ordered_at=TEN)
    seen = order()
    tell(status="paid", happened_at=NOW)

    with pytest.raises(orders.CannotChange):
        orders.change_status(seen, "closed", by=staff("change_order"), now=NOW)
    assert order().status == "paid"
