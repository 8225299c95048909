"""The backtest: the numbers that a reminder would have had, against a count by hand."""

import random
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from campaigns.services.reminders.backtest import backtest
from customers import clock
from customers.models import Customer, CustomerEvent, Order
from notifications.models import FrequencyCap
from tests import cast
from tests.campaigns import shop
from tests.campaigns.reminding import rule

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
BEGIN = cast.at("2026-10-01 00:00")
END = cast.at("2026-10-08 00:00")


@pytest.fixture(autouse=True)
def account(db):
    """An account, so that messages have a price."""
    return shop.account()


def past_order(number: int, ordered_at: datetime, *, customer: int | None = None, **columns) -> Order:
    """An order as a file told it long after."""
    ended = "paid" if columns.get("paid_at") else "closed" if columns.get("closed_at") else "unpaid"
    columns.setdefault("status", ended)
    return Order.objects.create(
        platform="other",
        number=f"P{number}",
        ordered_at=ordered_at,
        status_at=columns.get("paid_at") or columns.get("closed_at") or ordered_at,
        customer_id=customer,
        total="50.00",
        **columns,
    )


def run(reminder):
    """The backtest of the first week of October."""
    return backtest(reminder, since=BEGIN, until=END, now=END)


def test_the_numbers_are_those_of_a_count_by_hand():
    chance = random.Random(11)
    people = cast.crowd(400)
    expected, night, settled = [], 0, 0
    for number, customer in enumerate(people):
        ordered = BEGIN + timedelta(seconds=chance.randrange(7 * 86_400))
        paid = ordered + timedelta(seconds=chance.choice([30, 600, 3_000, 30_000])) if number % 3 else None
        past_order(
            number,
            ordered,
            customer=customer,
            paid_at=paid,
            closed_at=None if paid else ordered + 30 * 86_400 * timedelta(seconds=1),
        )
        due = ordered + 20 * MINUTE
        local = due.astimezone(clock.shop_zone())
        is_asleep = local.hour >= 22 or local.hour < 8
        opening = local.replace(hour=8, minute=0, second=0, microsecond=0) + timedelta(days=local.hour >= 22)
        sent = opening if is_asleep else due
        if due > END:
            continue
        if paid and paid <= sent:
            settled += 1
        else:
            expected.append(sent)
            night += is_asleep

    found = run(rule(on=False, night="wait"))

    assert (found.total, found.at_night, found.settled_on_their_own) == (len(expected), night, settled)
    assert sum(found.hours) == sum(count for _, count in found.days) == len(expected)
    assert found.hours[8] >= night and sum(found.hours[22:]) == 0
    assert found.cost == (len(expected) * Decimal("0.045")).quantize(Decimal("0.01"))
    assert len(found.examples) == 20
    assert found.examples[0].text.startswith("【鸿雁花店】客户")


def test_a_reminder_that_is_of_no_use_in_the_morning_is_left_out():
    (customer,) = cast.crowd(1)
    past_order(1, BEGIN + timedelta(hours=22), customer=customer)

    found = run(rule(on=False, night="wait", valid_for=timedelta(hours=2)))

    assert (found.total, found.at_night, found.too_late) == (0, 1, 1)


def test_caps_and_orders_of_nobody_are_counted_apart():
    FrequencyCap.objects.create(name="服务每天一条", purpose="service", limit=1, window="days", window_length=1)
    (customer,) = cast.crowd(1)
    for number in range(3):
        past_order(number, BEGIN + timedelta(hours=10, minutes=number), customer=customer)
    past_order(9, BEGIN + timedelta(hours=10))

    found = run(rule(on=False))

    assert (found.total, found.capped, found.without_customer) == (1, 2, 1)


def test_orders_with_an_unclear_status_are_in_no_backtest():
    (customer,) = cast.crowd(1)
    past_order(1, BEGIN + timedelta(hours=10), customer=customer, status="")

    assert run(rule(on=False)).total == 0


def test_a_closed_order_of_which_nobody_knows_when_was_unpaid_until_then():
    (customer,) = cast.crowd(1)
    past_order(1, BEGIN + timedelta(hours=10), customer=customer, status="closed")

    assert run(rule(on=False)).total == 1


def test_a_backtest_of_an_empty_shop_is_empty():
    found = run(rule(on=False))

    assert (found.total, found.days, found.examples) == (0, [], [])


@pytest.mark.parametrize(
    "columns",
    [
        {"trigger": "status_reached", "order_status": "shipped"},
        {"trigger": "status_reached", "order_status": "refunded", "stop_when": []},
        {"trigger": "status_lasts", "order_status": "after_sale", "stop_when": ["refunded"]},
        {"trigger": "exception", "exception_kind": "out_of_stock"},
        {"trigger": "parcel_still", "stop_when": ["delivered"]},
        {"trigger": "order_date", "order_date": "promised_at", "at_hour": "10:00", "stop_when": ["delivered"]},
        {"trigger": "not_bought", "goal": "bought"},
        {"trigger": "event", "event_kind": "cart", "stop_when": ["bought", "settled"]},
    ],
)
def test_every_trigger_has_a_backtest(columns):
    (customer,) = cast.crowd(1)
    past_order(1, BEGIN + timedelta(hours=10), customer=customer, paid_at=BEGIN + timedelta(hours=11))

    found = run(
        rule(on=False, first_order="only", minimum_amount=1, platforms=["other"], **{"order_status": ""} | columns)
    )

    assert found.total == (columns["trigger"] == "not_bought")


def test_appointments_are_counted_by_their_date():
    (customer,) = cast.crowd(1)
    CustomerEvent.objects.create(
        customer=Customer.objects.get(pk=customer),
        kind="appointment",
        key="E1",
        happened_at=BEGIN,
        due_at=BEGIN + timedelta(days=5),
    )
    columns = {"trigger": "event_date", "order_status": "", "event_kind": "appointment", "stop_when": ["settled"]}

    found = run(rule("{{ due_date }}见", on=False, delays=(timedelta(days=-3), timedelta(days=3)), **columns))

    assert found.total == 1
    assert found.examples[0].text == "【鸿雁花店】10月6日见"
