"""Frequency caps: never exceeded, whatever runs at the same time."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from customers import clock
from customers.models import ClockOffset, ContactPoint, Customer
from notifications.models import Delivery, FrequencyCap, RecentSends
from notifications.services import cap_memory, deliveries, sending
from tests import cast
from tests.notifications.test_sending import freeze, send, states

pytestmark = pytest.mark.django_db(transaction=True)


def drain():
    """Send what is due on a connection of this thread's own."""
    try:
        return sending.drain("bulk", seconds=30, clock=clock.now)
    finally:
        connection.close()


def move_clock(**by):
    """Let time pass."""
    offset = ClockOffset.objects.get().offset
    ClockOffset.objects.update(offset=offset + timedelta(**by))


def test_two_campaigns_in_the_same_second_never_reach_anybody_twice(account, gateway, noon):
    cast.crowd(2000)
    FrequencyCap.objects.create(name="每天一条", limit=1, window="calendar_day")
    template = cast.template()
    for occasion in ("campaign-1", "campaign-2"):
        deliveries.plan(freeze(template, now=noon), Customer.objects.present(), occasion=occasion, now=noon)

    with ThreadPoolExecutor(4) as workers:
        for drained in [workers.submit(drain) for _ in range(4)]:
            drained.result()

    assert set(Counter(gateway.numbers()).values()) == {1}
    assert len(gateway.numbers()) == 2000
    assert states() == {"sent": 2000, "over_cap": 2000}


def test_two_records_with_one_phone_share_its_budget(account, gateway, noon):
    FrequencyCap.objects.create(name="每天一条", limit=1, window="days")
    template = cast.template()
    first = cast.li_na()
    send(freeze(template, now=noon))
    Customer.objects.filter(pk=first.pk).update(erased_at=noon)
    cast.customer("李娜娜", phone="13800000001", consent="granted")

    send(freeze(template, now=noon), occasion="greeting-2")

    assert gateway.numbers() == ["13800000001"]
    assert states()["over_cap"] == 1


def test_a_held_customer_gets_it_as_soon_as_the_window_frees(account, gateway, noon):
    cast.li_na()
    FrequencyCap.objects.create(name="两小时一条", limit=1, window="hours", window_length=2)
    template = cast.template()
    send(freeze(template, now=noon))
    send(freeze(template, now=noon, cap_policy="hold"), occasion="greeting-2")

    move_clock(minutes=119)
    deliveries.regroup(now=clock.now())
    drain()
    too_early = len(gateway.numbers())
    move_clock(minutes=1)
    deliveries.regroup(now=clock.now())
    drain()

    assert too_early == 1
    assert len(gateway.numbers()) == 2
    assert states() == {"sent": 2}


def test_a_minimum_gap_holds_beside_a_generous_limit(account, gateway, noon):
    cast.li_na()
    FrequencyCap.objects.create(name="间隔", limit=50, window="days", minimum_gap=timedelta(minutes=30))
    template = cast.template()
    send(freeze(template, now=noon))

    send(freeze(template, now=noon), occasion="greeting-2")
    move_clock(minutes=31)
    send(freeze(template, now=clock.now()), occasion="greeting-3")

    assert states() == {"sent": 2, "over_cap": 1}


def test_a_service_message_is_not_swallowed_by_a_cap_meant_for_promotions(account, gateway, noon):
    cast.li_na()
    FrequencyCap.objects.create(name="营销", purpose="marketing", limit=1, window="days")
    send(freeze(cast.template(), now=noon))

    reminder = freeze(cast.template("您的订单还未付款。", purpose="service"), now=noon)
    deliveries.plan(reminder, Customer.objects.present(), occasion="reminder-1", now=noon)
    sending.drain("urgent", seconds=5, clock=clock.now)

    assert states() == {"sent": 2}


def test_midnight_in_the_shop_begins_a_new_calendar_day(account, gateway, noon):
    cast.li_na()
    FrequencyCap.objects.create(name="每天一条", limit=1, window="calendar_day")
    reminder = cast.template("您的订单还未付款。", purpose="service")
    move_clock(hours=11, minutes=59)
    sent = [send_urgent(reminder, "reminder-1"), send_urgent(reminder, "reminder-2")]
    move_clock(minutes=2)

    sent.append(send_urgent(reminder, "reminder-3"))

    assert sent == [1, 0, 1]


def send_urgent(template, occasion):
    """Send a service message to everybody now; answers how many were handed over."""
    deliveries.plan(freeze(template, now=clock.now()), Customer.objects.present(), occasion=occasion, now=clock.now())
    return sending.drain("urgent", seconds=5, clock=clock.now)["taken"]


def test_the_slot_comes_back_when_the_provider_refuses_the_number(account, gateway, noon):
    person = cast.customer("空号", phone="19999990001", consent="granted")
    FrequencyCap.objects.create(name="每天一条", limit=1, window="days")

    send(freeze(cast.template(), now=noon))

    assert states() == {"refused_number": 1}
    assert RecentSends.objects.get(subject=person.pk).sends == []


def test_the_memory_of_caps_equals_what_the_deliveries_say(account, gateway, noon):
    cast.crowd(300)
    ContactPoint.objects.filter(address="13900000007").update(address="19999990001")
    FrequencyCap.objects.create(name="每周三条", limit=3, window="days", window_length=7)
    template = cast.template()
    for occasion in ("greeting-1", "greeting-2"):
        send(freeze(template, now=clock.now()), occasion=occasion)
        move_clock(hours=1)
    kept = dict(RecentSends.objects.exclude(sends=[]).values_list("subject", "sends"))

    cap_memory.rebuild(now=clock.now())

    assert dict(RecentSends.objects.values_list("subject", "sends")) == kept
    assert len(kept) == 2 * 299


def test_a_limit_of_zero_is_refused_by_the_database(db):
    with pytest.raises(IntegrityError, match="cap_allows_at_least_one"), transaction.atomic():
        FrequencyCap.objects.create(name="零", limit=0)


def test_a_transaction_notice_passes_every_cap(account, gateway, noon):
    cast.li_na()
    FrequencyCap.objects.create(name="全部", limit=1, window="days")
    notice = cast.template("您的订单已付款。", purpose="transactional")

    sent = [send_urgent(notice, f"order-{number}") for number in range(3)]

    assert sent == [1, 1, 1]
    assert Delivery.objects.filter(status="sent").count() == 3
