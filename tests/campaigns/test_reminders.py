"""Reminders: found, planned, stopped in time, and met once however often they are told."""

from datetime import timedelta

import pytest

from campaigns.models import Reminder, ReminderOccasion, ReminderText
from campaigns.services.reminders import running
from customers import clock
from customers.models import ContactPoint, Customer, CustomerEvent, OrderException
from notifications.models import (
    AlertChannel,
    AlertNotice,
    Delivery,
    FrequencyCap,
    InboxItem,
    Message,
    ProviderAccount,
    Signature,
)
from notifications.services import deliveries
from tests import cast
from tests.campaigns.reminding import UNPAID, met, order, pay, remind, rule, send
from tests.notifications.conftest import account, gateway, noon  # noqa: F401 - fixtures
from tests.notifications.test_caps import move_clock

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)


@pytest.fixture
def shop(noon, account, gateway):  # noqa: F811 - the fixtures
    """A shop at noon with a gateway."""
    return gateway


def said(gateway) -> list[str]:  # noqa: F811 - the gateway
    """The texts that the gateway took."""
    return sorted(entry["text"] for entry in gateway.ledger())


def test_an_order_unpaid_for_twenty_minutes_is_reminded_once(shop, noon):  # noqa: F811
    rule()
    order(cast.li_na(), "A1", at=noon - 21 * MINUTE)
    order(cast.chen_jie(), "A2", at=noon - 19 * MINUTE)

    assert remind() == {"planned": 1}
    assert remind() == {}
    assert send()["taken"] == 1

    assert said(shop) == ["【鸿雁花店】李娜，订单A1（128.00元）还未付款，请尽快付款。"]
    move_clock(minutes=2)
    assert remind() == {"planned": 1}
    assert send()["taken"] == 1


def test_what_came_due_before_a_reminder_was_on_is_left_alone(shop, noon):  # noqa: F811
    rule(since=timedelta(minutes=1))
    order(cast.li_na(), "A1", at=noon - 30 * MINUTE)

    assert remind() == {}


def test_a_payment_between_planning_and_call_stops_the_reminder(shop, noon):  # noqa: F811
    rule()
    late = order(cast.li_na(), "A1", at=noon - 21 * MINUTE)
    remind()

    pay(late)

    assert send()["taken"] == 0
    assert met() == {"planned skipped stop_paid": 1}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": ""}, "stop_unclear"),
        ({"is_locked": True}, "stop_locked"),
        ({"is_deleted": True}, "stop_gone"),
        ({"status": "closed"}, "stop_closed"),
    ],
)
def test_an_order_that_is_not_what_it_was_taken_for_is_not_reminded(shop, noon, change, reason):  # noqa: F811
    rule()
    found = order(cast.li_na(), "A1", at=noon - 21 * MINUTE)
    remind()

    type(found).objects.filter(pk=found.pk).update(**change)

    assert send()["taken"] == 0
    assert met() == {f"planned skipped {reason}": 1}


def test_an_order_of_nobody_is_explained(shop, noon):  # noqa: F811
    rule()
    order(None, "A1", at=noon - 21 * MINUTE)

    assert remind() == {"no_customer": 1}
    assert met() == {"no_customer": 1}


def test_a_reminder_that_waited_too_long_is_not_sent(shop, noon):  # noqa: F811
    rule(valid_for=timedelta(hours=1))
    order(cast.li_na(), "A1", at=noon - 21 * MINUTE)
    remind()

    move_clock(hours=2)

    assert send()["taken"] == 0
    assert met() == {"planned skipped too_late": 1}


def test_what_is_found_when_its_time_is_over_is_written_down(shop, noon):  # noqa: F811
    rule(valid_for=timedelta(hours=1))
    order(cast.li_na(), "A1", at=noon - 90 * MINUTE)

    assert remind() == {"too_late": 1}
    assert remind() == {}
    assert send()["taken"] == 0


def test_at_night_a_reminder_waits_for_the_morning_if_it_is_still_of_use(shop, noon):  # noqa: F811
    rule()
    move_clock(hours=11)
    late = noon + timedelta(hours=11) - 21 * MINUTE
    unpaid, paid = order(cast.li_na(), "A1", at=late), order(cast.chen_jie(), "A2", at=late)

    assert remind() == {"planned": 2}
    assert send()["taken"] == 0
    pay(paid)
    move_clock(hours=9, minutes=31)

    assert send()["taken"] == 1
    assert said(shop)[0].count(unpaid.number) == 1


def test_a_reminder_may_go_out_at_any_hour(shop, noon):  # noqa: F811
    rule(night="send")
    move_clock(hours=11)
    order(cast.li_na(), "A1", at=noon + timedelta(hours=11) - 21 * MINUTE)

    remind()

    assert send()["taken"] == 1


def test_several_orders_of_one_customer_become_one_message(shop, noon):  # noqa: F811
    rule(merged="您有{{ order_count }}笔订单未付款，共{{ amount }}元。", merge_within=timedelta(minutes=5))
    buyer = cast.li_na()
    for number in range(3):
        order(buyer, f"A{number}", at=noon - (24 - number) * MINUTE)

    assert remind() == {}
    move_clock(minutes=2)
    assert remind() == {"planned": 3}
    assert send()["taken"] == 1
    assert said(shop) == ["【鸿雁花店】您有3笔订单未付款，共384.00元。"]


def test_of_several_orders_the_unpaid_ones_are_reminded_when_one_is_paid(shop, noon):  # noqa: F811
    rule(merged="您有{{ order_count }}笔订单未付款，共{{ amount }}元。", merge_within=timedelta(minutes=5))
    buyer = cast.li_na()
    orders = [order(buyer, f"A{number}", at=noon - 30 * MINUTE) for number in range(3)]
    remind()

    pay(orders[0])
    assert send()["taken"] == 0
    assert remind() == {"planned": 2}
    assert send()["taken"] == 1

    assert said(shop) == ["【鸿雁花店】您有2笔订单未付款，共256.00元。"]


def test_two_notices_to_one_customer_at_once_keep_to_the_cap(shop, noon):  # noqa: F811
    FrequencyCap.objects.create(name="服务每小时一条", purpose="service", limit=1, window="hours", window_length=1)
    rule()
    buyer = cast.li_na()
    order(buyer, "A1", at=noon - 21 * MINUTE)
    order(buyer, "A2", at=noon - 22 * MINUTE)
    remind()

    assert send()["taken"] == 1
    assert met() == {"planned sent": 1, "planned queued": 1}
    move_clock(hours=1, minutes=1)
    deliveries.regroup(now=clock.now())
    assert send()["taken"] == 1


def test_an_edited_reminder_takes_back_what_waits(shop, noon):  # noqa: F811
    edited = rule(night="wait")
    move_clock(hours=11)
    order(cast.li_na(), "A1", at=noon + timedelta(hours=11) - 21 * MINUTE, total="20.00")
    order(cast.chen_jie(), "A2", at=noon + timedelta(hours=11) - 21 * MINUTE, total="200.00")
    remind()

    Reminder.objects.filter(pk=edited.pk).update(minimum_amount=100, version=2)
    assert remind() == {"planned": 1}
    move_clock(hours=10)

    assert send()["taken"] == 1
    assert "A2" in said(shop)[0]
    assert Delivery.objects.filter(reason="rule_changed", status="canceled").count() == 2


def test_a_reminder_switched_off_ends_what_waits(shop, noon):  # noqa: F811
    reminder = rule()
    order(cast.li_na(), "A1", at=noon - 21 * MINUTE)
    remind()

    assert running.deactivate(reminder, now=noon) == 1

    assert send()["taken"] == 0
    assert Delivery.objects.get().reason == "switched_off"
    assert remind() == {}


def test_a_second_step_follows_only_who_has_not_paid(shop, noon):  # noqa: F811
    rule(delays=(timedelta(minutes=20), timedelta(hours=1)))
    paying, waiting = (
        order(cast.li_na(), "A1", at=noon - 21 * MINUTE),
        order(cast.chen_jie(), "A2", at=noon - 21 * MINUTE),
    )
    remind()
    assert send()["taken"] == 2
    pay(paying)
    move_clock(minutes=40)

    assert remind() == {"planned": 1}
    assert send()["taken"] == 1
    assert ReminderOccasion.objects.filter(order=waiting).count() == 2


def test_who_is_held_out_gets_none_in_any_step(shop, noon):  # noqa: F811
    rule(held_out_percent=50, delays=(timedelta(minutes=20), timedelta(minutes=21)))
    for place, customer in enumerate(cast.crowd(100)):
        _order_of(customer, place, noon)

    found = remind()

    assert found["held_out"] + found["planned"] == 200
    assert 60 < found["held_out"] < 140
    both = ReminderOccasion.objects.filter(outcome="held_out").values_list("customer_id", flat=True)
    assert len(set(both)) * 2 == len(both)


def _order_of(customer_id: int, place: int, noon) -> None:  # noqa: F811
    order(Customer.objects.get(pk=customer_id), f"A{place}", at=noon - 25 * MINUTE)


def test_an_exception_is_told_at_once_and_not_after_it_was_settled(shop, noon):  # noqa: F811
    rule(
        "抱歉，订单{{ order_number }}支付失败：{{ reason }}。",
        trigger="exception",
        order_status="",
        exception_kind="payment_failed",
        stop_when=[],
        delays=(timedelta(0),),
    )
    told, settled = order(cast.li_na(), "A1", at=noon), order(cast.chen_jie(), "A2", at=noon)
    for wrong in (told, settled):
        OrderException.objects.create(
            order=wrong, kind="payment_failed", note="余额不足", happened_at=noon, recorded_at=noon
        )
    assert remind() == {"planned": 2}
    OrderException.objects.filter(order=settled).resolve(noon + MINUTE)

    assert send()["taken"] == 1
    assert said(shop) == ["【鸿雁花店】抱歉，订单A1支付失败：余额不足。"]


def test_an_appointment_is_told_three_days_before_and_again_when_it_moves(shop, noon):  # noqa: F811
    rule(
        "{{ due_date }}{{ due_time }}，{{ event_title }}，还有{{ days_left }}天。",
        trigger="event_date",
        order_status="",
        event_kind="appointment",
        stop_when=["settled"],
        delays=(timedelta(days=-3),),
    )
    event = CustomerEvent.objects.create(
        customer=cast.li_na(),
        kind="appointment",
        key="E1",
        happened_at=noon,
        due_at=noon + timedelta(days=3) - MINUTE,
        values={"title": "插花体验课"},
    )
    CustomerEvent.objects.create(customer=cast.chen_jie(), kind="appointment", key="E2", happened_at=noon)
    remind()
    CustomerEvent.objects.filter(pk=event.pk).update(due_at=noon + timedelta(days=3) + 5 * MINUTE)

    assert send()["taken"] == 0
    assert met() == {"planned skipped stop_moved": 1}
    move_clock(minutes=6)
    assert remind() == {"planned": 1}
    assert send()["taken"] == 1
    assert "插花体验课，还有3天" in said(shop)[0]


def test_the_first_channel_with_an_address_is_used_and_everybody_has_an_inbox(shop, noon):  # noqa: F811
    made = rule()
    ProviderAccount.objects.create(
        name="站内信", gateway="inbox", channel="inbox", callback_token="inbox", price=0, is_sandbox=True
    )
    letter = cast.letter(UNPAID, purpose="service", channel="inbox", subject="订单{{ order_number }}待付款")
    ReminderText.objects.create(step=made.steps.get(), channel="inbox", position=2, template=letter)
    order(cast.li_na(), "A1", at=noon - 21 * MINUTE)
    order(cast.zhang_min(), "A2", at=noon - 21 * MINUTE)

    assert remind() == {"planned": 2}
    send()

    item = InboxItem.objects.get()
    assert (item.customer.name, item.subject) == ("张敏", "订单A2待付款")
    assert len(said(shop)) == 1


def test_who_has_no_address_is_met_and_explained(shop, noon):  # noqa: F811
    rule()
    buyer = cast.li_na()
    ContactPoint.objects.filter(customer=buyer).delete()
    order(buyer, "A1", at=noon - 21 * MINUTE)

    remind()

    assert met() == {"planned skipped no_address": 1}


def test_an_unapproved_signature_holds_a_reminder_and_loses_nobody(shop, noon):  # noqa: F811
    rule()
    order(cast.li_na(), "A1", at=noon - 21 * MINUTE)
    Signature.objects.update(status="pending")
    assert remind() == {"waiting": 1}
    Signature.objects.update(status="approved")

    assert remind() == {"planned": 1}
    assert send()["taken"] == 1


def test_a_group_of_staff_is_told_with_the_plan(shop, noon):  # noqa: F811
    made = rule()
    group = AlertChannel.objects.create(name="客服群", kind="dingtalk", encrypted_address=b"x")
    ReminderText.objects.create(
        step=made.steps.get(),
        receiver="staff",
        channel="inbox",
        position=9,
        alert_channel=group,
        staff_text="{{ name }}的订单{{ order_number }}未付款",
    )
    order(cast.li_na(), "A1", at=noon - 21 * MINUTE)

    remind()

    notice = AlertNotice.objects.get()
    assert notice.channel == group
    assert notice.alert.words["zh-hans"] == "待付款:\n李娜的订单A1未付款"
    assert send()["taken"] == 1


def test_who_has_a_second_contact_is_written_to_at_both(shop, noon):  # noqa: F811
    made = rule()
    told = made.steps.get().texts.get()
    ReminderText.objects.create(step=told.step, receiver="second", channel="sms", position=2, template=told.template)
    buyer = cast.li_na()
    ContactPoint.objects.create(customer=buyer, channel="sms", address="13800000099", is_primary=False)
    order(buyer, "A1", at=noon - 21 * MINUTE)

    assert remind() == {"planned": 1}
    send()
    move_clock(seconds=2)
    deliveries.regroup(now=clock.now())
    send()

    assert sorted(entry["number"] for entry in shop.ledger()) == ["13800000001", "13800000099"]


def test_a_message_of_a_reminder_stays_open(shop, noon):  # noqa: F811
    rule()
    order(cast.li_na(), "A1", at=noon - 21 * MINUTE)
    remind()
    order(cast.chen_jie(), "A2", at=noon - 21 * MINUTE)
    remind()

    assert Message.objects.get().body == UNPAID
