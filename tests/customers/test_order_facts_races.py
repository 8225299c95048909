"""Two at once: payments while a message is handed over, the same order told twice, a file beside single events."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from customers import clock
from customers.models import Customer, Order, OrderChange, OrderException
from customers.services import order_exceptions, orders, shipments
from customers.services.order_facts import OrderFacts
from customers.services.shipments import ShipmentFacts
from tests.customers.locks import at_once
from tests.customers.order_files import PAID, import_orders, taobao
from tests.customers.shop import staff

pytestmark = pytest.mark.django_db(transaction=True)


def about_to_call(number: str):
    """What a sender does: hold the order, look whether it is still unpaid, write down the moment of the call."""

    def call():
        with connection.cursor() as cursor:
            cursor.execute("SELECT status FROM customers_order WHERE number = %s ORDER BY id FOR SHARE", [number])
            assert cursor.fetchone()[0] == "unpaid"
            cursor.execute("SELECT hongyan_now(), pg_sleep(0.2)")
            return cursor.fetchone()[0]

    return call


def unpaid(number: str = "A1") -> Order:
    """An order that waits for its payment."""
    orders.record([OrderFacts("taobao", number, status="unpaid", phone="13800000001")], now=clock.now())
    return Order.objects.get(number=number)


def paid_by_event() -> None:
    """The shop's own system tells of the payment."""
    orders.record([OrderFacts("taobao", "A1", status="paid", phone="13800000001")], now=clock.now())


def paid_by_staff() -> None:
    """Somebody of the shop writes the payment down."""
    orders.change_status(Order.objects.get(number="A1"), "paid", by=staff("change_order"), now=clock.now())


def paid_by_file() -> None:
    """A file tells of the payment."""
    import_orders([taobao("A1", PAID, 联系手机="13800000001")])


def moved_by_parcel() -> None:
    """A carrier has the parcel."""
    facts = ShipmentFacts("SF1", "taobao", "A1", status="in_transit")
    shipments.record([facts], now=clock.now())


@pytest.mark.parametrize("change", [paid_by_event, paid_by_staff, paid_by_file, moved_by_parcel])
def test_a_change_that_waited_for_a_call_is_recorded_after_it(change):
    unpaid()

    called_at, _nothing = at_once(about_to_call("A1"), change)

    told = OrderChange.objects.latest("id")
    assert told.to_status in ("paid", "shipped")
    assert told.recorded_at > called_at
    assert Order.objects.get().updated_at > called_at


def test_an_exception_that_is_settled_while_a_call_is_made_is_settled_after_it():
    order = unpaid()
    order_exceptions.raise_exception(order, "payment_failed", note="余额不足", now=clock.now())

    called_at, settled = at_once(about_to_call("A1"), lambda: order_exceptions.resolve(order, now=clock.now()))

    assert settled == 1
    assert OrderException.objects.get().resolved_at > called_at


def test_the_same_new_order_told_twice_at_once_is_one_order_of_one_customer():
    def tell():
        facts = OrderFacts("other", "A9", status="paid", phone="13800000009", account="tb_9", email="nine@example.com")
        return dict(orders.record([facts], now=clock.now()))

    assert at_once(tell, tell) == ({"created": 1}, {"unchanged": 1})
    assert Customer.objects.count() == 1


def test_a_batch_and_a_single_event_that_bring_the_same_buyer_make_one():
    def batch():
        facts = [OrderFacts("other", f"B{place}", status="paid", phone=f"138000{place:05d}") for place in range(40)]
        return sum(orders.record(facts, now=clock.now()).values())

    def single():
        return sum(orders.record([OrderFacts("other", "A1", phone="13800000007")], now=clock.now()).values())

    assert at_once(batch, single) == (40, 1)
    assert at_once(single, batch) == (1, 40)
    assert Customer.objects.count() == 40


def test_events_of_known_orders_do_not_wait_for_a_file_that_is_being_imported():
    unpaid()

    def hold_files():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [0x496D706F7274])

    def tell():
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")
        return dict(orders.record([OrderFacts("taobao", "A1", status="paid")], now=clock.now()))

    assert at_once(hold_files, tell) == (None, {"updated": 1})


def test_events_and_files_that_bring_the_same_orders_at_once_make_each_of_them_once():
    rows = [taobao(f"T{place}", PAID, 联系手机=f"138000{place:05d}") for place in range(60)]
    waiting = threading.Barrier(2)

    def tell():
        waiting.wait()
        try:
            for place in range(60):
                facts = OrderFacts("taobao", f"T{place}", status="paid", phone=f"138000{place:05d}")
                orders.record([facts], now=clock.now() + timedelta(seconds=1))
        finally:
            connection.close()

    other = threading.Thread(target=tell)
    other.start()
    waiting.wait()
    import_orders(rows)
    other.join(60)

    assert Order.objects.count() == Customer.objects.count() == 60
