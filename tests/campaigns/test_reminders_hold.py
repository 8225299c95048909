"""Reminders that wait, are edited or switched off: what no longer holds is not sent, and nobody is told twice."""

from datetime import timedelta

import pytest

from campaigns import reports
from campaigns.models import Reminder, ReminderStep, ReminderText
from campaigns.services.reminders import running
from customers import clock
from customers.models import Customer, CustomerEvent, Order, OrderChange, OrderException, Shipment
from notifications.models import Message, ProviderAccount, Reply, Template
from notifications.providers.base import Answer, Outcome
from notifications.services import authorizing, preparing, routing, settling, submissions
from tests import cast
from tests.campaigns.reminding import order, pay, remind, rule, send
from tests.notifications.conftest import account, gateway, noon  # noqa: F401 - fixtures
from tests.notifications.test_caps import move_clock

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE = timedelta(minutes=1)
H = timedelta(hours=1)


@pytest.fixture
def shop(noon, account, gateway):  # noqa: F811 - the fixtures
    """A shop at noon with a gateway."""
    return gateway


def said(gateway) -> list[str]:  # noqa: F811 - the gateway
    """The texts that the gateway took."""
    return sorted(entry["text"] for entry in gateway.ledger())


def reply(buyer: Customer) -> None:
    """An answer that is no opt-out."""
    Reply.objects.create(
        account=ProviderAccount.objects.get(),
        customer=buyer,
        number="13800000001",
        text="好的",
        fingerprint=b"x" * 32,
        said_at=clock.now(),
        received_at=clock.now(),
        meaning="conversation",
    )


def test_what_a_provider_puts_off_after_the_switch_is_not_sent(shop, noon):  # noqa: F811
    made = rule()
    order(cast.li_na(), "A1", at=noon - 21 * MINUTE)
    remind()
    leased = submissions.lease("urgent", limit=1, now=clock.now())
    m = Message.objects.get()
    route = routing.route_for(m, now=clock.now())
    rows, bad = preparing.prepare(m, [leased[0].id])
    auth = authorizing.authorize(m, leased, rows, unsendable=bad, account=route.account)
    running.deactivate(made, now=clock.now())
    settling.settle(
        m,
        [settling.Call(leased[0], rows, [Answer(str(rows[0].id), Outcome.REFUSED_LATER, "", "busy", "busy")])],
        auth,
        now=clock.now(),
    )
    move_clock(minutes=2)
    remind()
    assert send()["taken"] == 0


def test_an_answer_to_the_first_step_stops_the_second(shop, noon):  # noqa: F811
    rule(delays=(20 * MINUTE, 1 * H), stop_when=["paid", "answered"])
    buyer = cast.li_na()
    order(buyer, "A1", at=noon - 21 * MINUTE)
    remind()
    assert send()["taken"] == 1
    move_clock(minutes=5)
    reply(buyer)
    move_clock(minutes=40)
    remind()
    assert send()["taken"] == 0


def test_a_parcel_that_moved_overnight_is_no_delay_in_the_morning(shop, noon):  # noqa: F811
    rule(
        "抱歉，订单{{ order_number }}的快递有延误",
        trigger="parcel_still",
        order_status="",
        stop_when=["delivered", "closed"],
        delays=(24 * H,),
    )
    move_clock(hours=11)
    o = order(cast.li_na(), "N1", status="shipped", at=clock.now() - 25 * H)
    p = Shipment.objects.create(order=o, number="SF1", status="in_transit", moved_at=clock.now() - 24 * H - MINUTE)
    assert remind() == {"planned": 1}
    send()
    Shipment.objects.filter(pk=p.pk).update(moved_at=clock.now() + H)
    move_clock(hours=9, minutes=31)
    assert send()["taken"] == 0


def test_an_order_that_left_its_status_overnight_is_not_told_of(shop, noon):  # noqa: F811
    rule(
        "订单{{ order_number }}售后处理中",
        trigger="status_lasts",
        order_status="after_sale",
        stop_when=[],
        delays=(24 * H,),
    )
    move_clock(hours=11)
    o = order(cast.li_na(), "N1", status="after_sale", at=clock.now() - 25 * H)
    assert remind() == {"planned": 1}
    Order.objects.filter(pk=o.pk).update(status="completed", status_at=clock.now())
    move_clock(hours=9, minutes=31)
    assert send()["taken"] == 0


def test_another_exception_of_the_order_keeps_no_settled_one_alive(shop, noon):  # noqa: F811
    rule(
        "抱歉，订单{{ order_number }}支付失败：{{ reason }}。",
        trigger="exception",
        order_status="",
        exception_kind="payment_failed",
        stop_when=[],
        delays=(timedelta(0),),
    )
    o = order(cast.li_na(), "A1", at=noon)
    OrderException.objects.create(order=o, kind="payment_failed", note="余额不足", happened_at=noon, recorded_at=noon)
    OrderException.objects.create(order=o, kind="out_of_stock", note="缺货", happened_at=noon, recorded_at=noon)
    remind()
    OrderException.objects.filter(kind="payment_failed").resolve(noon + MINUTE)
    assert send()["taken"] == 0


def test_a_coupon_that_is_somebody_elses_by_now_is_not_told_of(shop, noon):  # noqa: F811
    rule(
        "{{ event_title }}",
        trigger="event",
        order_status="",
        event_kind="coupon",
        stop_when=["settled"],
        delays=(timedelta(0),),
    )
    e = CustomerEvent.objects.create(
        customer=cast.li_na(), kind="coupon", key="E1", happened_at=noon, values={"title": "券"}
    )
    assert remind() == {"planned": 1}
    CustomerEvent.objects.filter(pk=e.pk).update(customer=cast.chen_jie())
    assert send()["taken"] == 0


def test_an_event_that_was_called_off_stops_whatever_staff_chose(shop, noon):  # noqa: F811
    rule(
        "{{ event_title }}",
        trigger="event",
        order_status="",
        event_kind="coupon",
        stop_when=[],
        delays=(timedelta(0),),
    )
    CustomerEvent.objects.create(
        customer=cast.li_na(), kind="coupon", key="E1", happened_at=noon, values={"title": "券"}
    )
    assert remind() == {"planned": 1}
    CustomerEvent.objects.update(closed_at=clock.now())
    assert send()["taken"] == 0


def test_a_rule_about_unpaid_orders_stops_at_the_payment_whatever_staff_chose(shop, noon):  # noqa: F811
    rule(stop_when=["closed"])
    o = order(cast.li_na(), "A1", at=noon - 21 * MINUTE)
    remind()
    pay(o)
    taken = send()["taken"]
    assert taken == 0 or reports.after_payment(since=noon - H).sent_after_paid == 1


def test_a_payment_that_was_corrected_raises_no_alarm(shop, noon):  # noqa: F811
    rule()
    o = order(cast.li_na(), "A1", at=noon - 21 * MINUTE)
    pay(o)
    Order.objects.filter(pk=o.pk).update(status="unpaid", paid_at=None, status_at=noon - 21 * MINUTE)
    OrderChange.objects.create(
        order=o, from_status="paid", to_status="unpaid", recorded_at=clock.now(), happened_at=clock.now()
    )
    remind()
    assert send()["taken"] == 1
    assert reports.after_payment(since=noon - H).sent_after_paid == 0


def test_an_archived_template_is_not_sent(shop, noon):  # noqa: F811
    rule()
    order(cast.li_na(), "A1", at=noon - 21 * MINUTE)
    remind()
    send()
    Template.objects.update(archived_at=clock.now())
    order(cast.chen_jie(), "A2", at=noon - 21 * MINUTE)
    remind()
    assert send()["taken"] == 0


def test_two_parcels_of_one_order_are_one_order(shop, noon):  # noqa: F811
    rule(
        "慢{{ order_number }}",
        merged="您有{{ order_count }}笔订单，共{{ amount }}元。",
        merge_within=5 * MINUTE,
        trigger="parcel_still",
        order_status="",
        stop_when=["delivered"],
        delays=(24 * H,),
    )
    li = cast.li_na()
    a, b = order(li, "A1", status="shipped", at=noon - 30 * H), order(li, "A2", status="shipped", at=noon - 30 * H)
    for n, o in enumerate((a, a, b)):
        Shipment.objects.create(order=o, number=f"S{n}", status="in_transit", moved_at=noon - 25 * H)
    remind()
    send()
    assert said(shop) == ["【鸿雁花店】您有2笔订单，共256.00元。"]


def test_a_step_made_anew_leaves_alone_what_was_due_before_it(shop, noon):  # noqa: F811
    made = rule()
    order(cast.li_na(), "A1", at=noon - 30 * MINUTE)
    remind()
    assert send()["taken"] == 1
    old = made.steps.get()
    template = old.texts.get().template
    old.delete()
    step = ReminderStep.objects.create(reminder=made, position=1, delay=25 * MINUTE)
    ReminderText.objects.create(step=step, channel="sms", template=template)
    Reminder.objects.filter(pk=made.pk).update(version=2)
    remind()
    assert send()["taken"] == 0
