"""The backtest: the numbers that a reminder would have had, against a count by hand."""

import random
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from campaigns.models import KeptBacktest, ReminderText
from campaigns.services.reminders import kept_backtests
from campaigns.services.reminders.backtest import Backtest, backtest
from customers import clock
from customers.models import Customer, CustomerEvent, Order, Suppression, Tier
from notifications.models import AlertChannel, FrequencyCap
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

    found = run(rule(on=False, cap_policy="skip"))

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

    found = run(
        rule(
            "{{ due_date }}见，还有{{ days_left }}天",
            on=False,
            delays=(timedelta(days=-3), timedelta(days=3)),
            **columns,
        )
    )

    assert found.total == 1
    assert found.examples[0].text == "【鸿雁花店】10月6日见，还有3天"


def cap(**columns) -> FrequencyCap:
    """A rule of one service message a day, or as the columns say."""
    usual = {"name": "服务每天一条", "purpose": "service", "limit": 1, "window": "days", "window_length": 1}
    return FrequencyCap.objects.create(**usual | columns)


def hours_of(found) -> dict[int, int]:
    """The hours at which anything goes out, with how much."""
    return {hour: count for hour, count in enumerate(found.hours) if count}


def test_of_two_orders_of_one_night_the_cap_lets_one_through_in_the_morning():
    cap()
    (customer,) = cast.crowd(1)
    for hour in (22, 23):
        past_order(hour, BEGIN + timedelta(hours=hour), customer=customer)

    found = run(rule(on=False, night="wait", cap_policy="skip"))

    assert (found.total, found.capped, hours_of(found)) == (1, 1, {8: 1})


def test_what_a_cap_left_out_uses_up_no_cap():
    cap(window="hours", window_length=10)
    (customer,) = cast.crowd(1)
    for hour in (8, 14, 19):
        past_order(hour, BEGIN + timedelta(hours=hour), customer=customer)

    found = run(rule(on=False, night="send", cap_policy="skip"))

    assert (found.total, found.capped, hours_of(found)) == (2, 1, {8: 1, 19: 1})


def test_what_may_wait_for_the_cap_goes_out_later_unless_its_time_is_over():
    cap(window="hours", window_length=10)
    (customer,) = cast.crowd(1)
    for hour in (8, 9, 10):
        past_order(hour, BEGIN + timedelta(hours=hour), customer=customer)

    found = run(rule(on=False, night="send", cap_policy="hold", valid_for=timedelta(hours=12)))

    # The first at 08:20, the second ten hours later, and the third would go at 04:20.
    assert (found.total, found.capped, hours_of(found)) == (2, 1, {8: 1, 18: 1})


def test_what_waits_for_the_cap_waits_for_the_morning_too_and_is_not_sent_once_paid():
    cap(window="hours", window_length=10)
    people = cast.crowd(2)
    for place, customer in enumerate(people):
        past_order(10 + place, BEGIN + timedelta(hours=14), customer=customer)
        paid = {"paid_at": BEGIN + timedelta(hours=26)} if place else {}
        past_order(20 + place, BEGIN + timedelta(hours=15), customer=customer, **paid)

    found = run(rule(on=False, night="wait", cap_policy="hold"))

    assert (found.total, found.settled_on_their_own, hours_of(found)) == (3, 1, {8: 1, 14: 2})


def test_a_least_distance_and_a_calendar_day_hold_back_as_they_do_when_sending():
    cap(limit=2, window="calendar_day", window_length=1, minimum_gap=timedelta(hours=2))
    (customer,) = cast.crowd(1)
    for hour in (8, 9, 11, 20, 32):
        past_order(hour, BEGIN + timedelta(hours=hour), customer=customer)

    found = run(rule(on=False, night="send", cap_policy="skip"))

    assert (found.total, found.capped, hours_of(found)) == (3, 2, {8: 2, 11: 1})


def test_nobody_who_may_not_be_written_to_is_counted_as_a_message():
    (allowed,) = cast.crowd(1)
    opted_out, never_asked, without_phone = cast.wang_wei(), cast.chen_jie(), cast.zhang_min()
    suppressed = cast.customer("黑名单", phone="13800000077", consent="granted")
    Suppression.objects.create(channel="sms", address="13800000077", scope="all", reason="complained")
    people = [allowed, *(person.pk for person in (opted_out, never_asked, without_phone, suppressed))]
    for number, customer in enumerate(people):
        past_order(number, BEGIN + timedelta(hours=10), customer=customer)

    marketing = run(rule("订单还未付款 拒收请回复R", on=False, purpose="marketing", name="营销"))
    service = run(rule(on=False))

    assert (marketing.total, marketing.unreachable) == (1, 4)
    assert (service.total, service.unreachable) == (3, 2)


def test_who_has_no_phone_is_written_to_by_the_next_channel():
    cast.mail_account("smtp://127.0.0.1:9")
    made = rule(on=False)
    letter = cast.letter("订单{{ order_number }}还未付款", purpose="service")
    ReminderText.objects.create(step=made.steps.get(), channel="email", position=2, template=letter)
    past_order(1, BEGIN + timedelta(hours=10), customer=cast.zhang_min().pk)

    found = run(made)

    assert (found.total, found.unreachable) == (1, 0)


def test_who_is_held_out_for_comparison_or_called_instead_gets_no_message():
    people = cast.crowd(100)
    for number, customer in enumerate(people):
        past_order(number, BEGIN + timedelta(hours=10), customer=customer)
    vip = Tier.objects.create(name="至尊", rank=99, is_vip=True)
    Customer.objects.filter(pk__in=people[:10]).update(tier=vip)

    compared = run(rule(on=False, held_out_percent=30, name="对照"))
    called = run(rule(on=False, follow_up="instead", follow_up_for="vip", name="电话"))

    assert 10 < compared.held_out < 50 and compared.total == 100 - compared.held_out
    assert (called.total, called.called) == (90, 10)


def test_orders_of_one_customer_soon_after_each_other_are_one_message():
    alone, busy = cast.crowd(2)
    past_order(1, BEGIN + timedelta(hours=10), customer=alone)
    for number, minutes in enumerate((0, 2, 4, 9)):
        past_order(10 + number, BEGIN + timedelta(hours=10, minutes=minutes), customer=busy)
    merged = "您有{{ order_count }}笔订单未付款，共{{ amount }}元。"

    found = run(rule(on=False, merged=merged, merge_within=5 * MINUTE))

    assert found.total == 3
    # What waited for others goes out when the wait is over.
    assert {example.when.astimezone(clock.shop_zone()).strftime("%H:%M") for example in found.examples} == {
        "10:25",
        "10:34",
    }


def test_whoever_came_back_only_to_a_closed_order_is_missed_all_the_same():
    (customer,) = cast.crowd(1)
    past_order(1, BEGIN + timedelta(hours=10), customer=customer, paid_at=BEGIN + timedelta(hours=11))
    past_order(2, BEGIN + timedelta(hours=12), customer=customer, closed_at=BEGIN + timedelta(hours=13))
    columns = {"trigger": "not_bought", "order_status": "", "stop_when": [], "goal": "bought"}

    assert run(rule("好久不见", on=False, delays=(timedelta(days=3),), **columns)).total == 1


def test_every_number_of_a_backtest_is_kept_and_older_ones_are_still_read():
    found = Backtest(total=1, unreachable=2, held_out=3, called=4, hours=[0] * 24)
    kept = KeptBacktest(result=kept_backtests.as_json(found))
    assert kept_backtests.backtest_of(kept) == found

    for name in ("unreachable", "held_out", "called"):
        del kept.result[name]
    assert kept_backtests.backtest_of(kept).unreachable == 0


def test_what_staff_alone_are_told_needs_no_consent_and_who_is_only_called_gets_no_message():
    told, called = rule(on=False, name="告诉员工"), rule(on=False, name="打电话", follow_up="instead")
    ReminderText.objects.all().delete()
    group = AlertChannel.objects.create(name="客服群", kind="dingtalk", encrypted_address=b"x")
    ReminderText.objects.create(
        step=told.steps.get(), receiver="staff", channel="inbox", alert_channel=group, staff_text="{{ order_number }}"
    )
    vip = Tier.objects.create(name="至尊", rank=99, is_vip=True)
    buyer, other = cast.zhang_min(), cast.li_na()
    Customer.objects.filter(pk=buyer.pk).update(tier=vip)
    for number, customer in enumerate((buyer, other)):
        past_order(number, BEGIN + timedelta(hours=10), customer=customer.pk)

    assert run(told).total == 2
    found = run(called)
    assert (found.total, found.called, found.unreachable) == (0, 1, 0)
