"""When reminders are due: by the clock, by the shop's calendar, and whatever the order in which events are told."""

from datetime import datetime, time, timedelta
from itertools import permutations
from zoneinfo import ZoneInfo

import pytest

from campaigns.models import Reminder, ReminderOccasion
from campaigns.services.reminders import running
from customers.models import Customer, CustomerEvent, Order, Shipment
from customers.services import orders
from customers.services.order_facts import OrderFacts
from notifications.models import Delivery
from tests import cast
from tests.campaigns import shop
from tests.campaigns.reminding import order, rule

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture(autouse=True)
def account(db):
    """An account, so that something can be planned."""
    return shop.account()


def on_since(reminder: Reminder, moment: datetime) -> Reminder:
    """The reminder, switched on at a moment."""
    Reminder.objects.filter(pk=reminder.pk).update(activated_at=moment)
    reminder.steps.update(created_at=moment)
    return reminder


@pytest.mark.parametrize("told", permutations(range(4)))
def test_events_in_any_order_and_told_twice_remind_once(told):
    noon = cast.at("2026-11-02 12:00")
    columns = ("ordered_at", "paid_at", "shipped_at", "delivered_at")
    events = [
        OrderFacts(
            platform="other",
            number="N1",
            phone="13800000001",
            status=status,
            happened_at=noon + place * MINUTE,
            **{columns[place]: noon + place * MINUTE},
        )
        for place, status in enumerate(("unpaid", "paid", "shipped", "delivered"))
    ]
    now = noon + timedelta(minutes=25)
    on_since(rule(), noon - MINUTE)
    arrived = {"trigger": "status_reached", "order_status": "delivered", "stop_when": []}
    on_since(rule("订单{{ order_number }}已送达", name="已送达", delays=(timedelta(0),), **arrived), noon - MINUTE)
    shipped = {"trigger": "status_reached", "order_status": "shipped", "stop_when": ["delivered"]}
    on_since(rule("订单{{ order_number }}已发货", name="已发货", delays=(timedelta(0),), **shipped), noon - MINUTE)

    for place in (*told, *told):
        orders.record([events[place]], now=now)
    first, again = running.run(now=now), running.run(now=now)

    assert (first, again) == ({"planned": 1}, {})
    assert ReminderOccasion.objects.get().reminder.name == "已送达"


def test_a_day_without_movement_is_a_day_by_the_clock_also_when_clocks_change(settings):
    settings.TIME_ZONE = "America/New_York"
    moved = datetime(2026, 10, 31, 20, tzinfo=NEW_YORK)
    late = order(cast.li_na(), "N1", status="shipped", at=moved)
    Shipment.objects.create(order=late, number="SF1", status="in_transit", moved_at=moved)
    still = {"trigger": "parcel_still", "order_status": "", "stop_when": ["delivered"]}
    on_since(rule("抱歉，订单{{ order_number }}的快递有延误", delays=(timedelta(hours=24),), **still), moved)

    # The clocks go back in that night: a day later it is only 19:00 on the wall.
    begin = moved.astimezone(ZoneInfo("UTC"))
    assert running.run(now=begin + timedelta(hours=24) - MINUTE) == {}
    assert running.run(now=begin + timedelta(hours=24)) == {"planned": 1}


def test_a_parcel_that_moves_and_stops_again_is_told_of_again():
    noon = cast.at("2026-10-01 12:00")
    late = order(cast.li_na(), "N1", status="shipped", at=noon)
    parcel = Shipment.objects.create(order=late, number="SF1", status="in_transit", moved_at=noon)
    still = {"trigger": "parcel_still", "order_status": "", "stop_when": ["delivered"]}
    on_since(rule("抱歉，订单{{ order_number }}的快递有延误", delays=(timedelta(hours=24),), **still), noon)
    day = timedelta(days=1)

    assert running.run(now=noon + day) == {"planned": 1}
    assert running.run(now=noon + day + MINUTE) == {}
    Shipment.objects.filter(pk=parcel.pk).update(moved_at=noon + day + MINUTE)
    assert running.run(now=noon + 2 * day + MINUTE) == {"planned": 1}


@pytest.mark.parametrize(
    ("due", "days", "expected"),
    [
        ("2028-02-29 18:00", -30, "2028-01-30 10:00"),
        ("2028-03-01 00:30", -1, "2028-02-29 10:00"),
        ("2027-03-01 00:30", -1, "2027-02-28 10:00"),
        ("2026-12-31 23:30", 1, "2027-01-01 10:00"),
    ],
)
def test_days_are_counted_by_the_shops_calendar(due, days, expected):
    due_at, expected_at = cast.at(due), cast.at(expected)
    CustomerEvent.objects.create(
        customer=cast.li_na(), kind="membership", key="M1", happened_at=due_at - timedelta(days=90), due_at=due_at
    )
    CustomerEvent.objects.create(customer=cast.chen_jie(), kind="membership", key="M2", happened_at=due_at)
    ends = {"trigger": "event_date", "order_status": "", "event_kind": "membership", "stop_when": ["settled"]}
    reminder = rule("{{ due_date }}到期", delays=(timedelta(days=days),), at_hour=time(10), **ends)
    on_since(reminder, due_at - timedelta(days=100))

    assert running.run(now=expected_at - MINUTE) == {}
    assert running.run(now=expected_at) == {"planned": 1}
    assert ReminderOccasion.objects.get().due_at == expected_at


def test_conditions_choose_the_orders():
    noon = cast.at("2026-11-02 12:00")
    on_since(rule(minimum_amount=100, maximum_amount=200, platforms=["taobao"], categories=["鲜花"]), noon)
    made = []
    for number, (total, platform, category) in enumerate(
        [
            (99, "taobao", "鲜花"),
            (100, "taobao", "鲜花"),
            (150, "jd", "鲜花"),
            (150, "taobao", "绿植"),
            (201, "taobao", "鲜花"),
        ]
    ):
        buyer = cast.customer("客户", phone=f"1390000000{number}")
        one = order(buyer, f"N{number}", at=noon, total=total)
        Order.objects.filter(pk=one.pk).update(platform=platform)
        one.lines.create(key="1", product="花", category=category)
        made.append(one)

    running.run(now=noon + 20 * MINUTE)

    assert list(ReminderOccasion.objects.values_list("order__number", flat=True)) == ["N1"]


@pytest.mark.parametrize(("first_order", "expected"), [("only", ["A2"]), ("not", ["B2"]), ("", ["A2", "B2"])])
def test_a_first_order_is_one_without_an_earlier_that_was_paid(first_order, expected):
    noon = cast.at("2026-11-02 12:00")
    on_since(rule(first_order=first_order), noon)
    newcomer, regular = cast.li_na(), cast.chen_jie()
    order(newcomer, "A1", status="closed", at=noon - timedelta(days=9))
    order(newcomer, "A2", at=noon)
    order(regular, "B1", status="completed", at=noon - timedelta(days=9))
    order(regular, "B2", at=noon)

    running.run(now=noon + 20 * MINUTE)

    assert sorted(ReminderOccasion.objects.values_list("order__number", flat=True)) == expected


def test_who_bought_again_is_not_won_back():
    long_ago = cast.at("2026-05-01 12:00")
    gone = {"trigger": "not_bought", "order_status": "", "stop_when": [], "goal": "bought"}
    on_since(rule("好久不见", delays=(timedelta(days=90),), **gone), long_ago)
    order(cast.li_na(), "A1", status="completed", at=long_ago)
    regular = cast.chen_jie()
    order(regular, "B1", status="completed", at=long_ago)
    order(regular, "B2", status="paid", at=long_ago + timedelta(days=30))

    running.run(now=long_ago + timedelta(days=90))

    assert list(ReminderOccasion.objects.values_list("order__number", flat=True)) == ["A1"]


def test_a_customer_who_was_erased_or_joined_with_another_gets_none():
    noon = cast.at("2026-11-02 12:00")
    on_since(rule(), noon)
    erased = cast.li_na()
    order(erased, "A1", at=noon)
    Customer.objects.filter(pk=erased.pk).update(erased_at=noon)

    assert running.run(now=noon + 20 * MINUTE) == {"no_customer": 1}
    assert not Delivery.objects.exists()
