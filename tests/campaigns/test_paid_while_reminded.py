"""Payments that arrive while their reminders are being claimed: nobody is reminded of what is paid."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from campaigns import reports
from customers.models import Order
from notifications.models import Delivery
from tests import cast
from tests.campaigns.reminding import pay, remind, rule, send
from tests.notifications.conftest import account, gateway, noon  # noqa: F401 - fixtures

pytestmark = pytest.mark.django_db(transaction=True)
ORDERS = 2_000


def unpaid_orders(customers: list[int], since) -> list[Order]:
    """One unpaid order of each customer."""
    orders = Order.objects.bulk_create(
        Order(
            platform="other",
            number=f"R{customer}",
            status="unpaid",
            status_at=since,
            ordered_at=since,
            total="66.00",
            customer_id=customer,
        )
        for customer in customers
    )
    return list(orders)


def pay_all(orders: list[Order]) -> None:
    """A payment after the other, on a connection of its own."""
    try:
        pay(*orders)
    finally:
        connection.close()


def sends() -> int:
    """A worker of its own; answers how many messages the gateway took."""
    try:
        return send()["taken"]
    finally:
        connection.close()


def test_nobody_is_reminded_after_paying_when_2000_payments_meet_2000_reminders(noon, account, gateway):  # noqa: F811
    rule()
    orders = unpaid_orders(cast.crowd(ORDERS), noon - timedelta(minutes=21))
    assert remind() == {"planned": ORDERS}
    random.Random(5).shuffle(orders)

    with ThreadPoolExecutor(4) as threads:
        paying = [threads.submit(pay_all, orders[half::2]) for half in (0, 1)]
        sending = [threads.submit(sends) for _ in range(2)]
        taken = sum(worker.result() for worker in sending)
        for payer in paying:
            payer.result()
    taken += send()["taken"]

    after = reports.after_payment(since=noon - timedelta(hours=1))
    stopped = Delivery.objects.filter(status="skipped", reason="stop_paid").count()
    assert 0 < stopped < ORDERS
    assert after.sent_after_paid == 0
    assert taken + stopped == ORDERS
    assert len(gateway.ledger()) == taken
    assert Order.objects.filter(status="paid").count() == ORDERS


def test_a_payment_told_late_is_counted_apart(noon, account, gateway):  # noqa: F811
    rule()
    (told_late,) = unpaid_orders(cast.crowd(1), noon - timedelta(minutes=21))
    remind()
    assert send()["taken"] == 1

    pay(told_late)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE customers_orderchange DISABLE TRIGGER order_change_is_append_only")
        cursor.execute("UPDATE customers_orderchange SET happened_at = %s", [noon - timedelta(minutes=1)])
        cursor.execute("ALTER TABLE customers_orderchange ENABLE TRIGGER order_change_is_append_only")

    assert reports.after_payment(since=noon - timedelta(hours=1)) == reports.AfterPayment(0, 1)
