"""Calls that staff owe because a message did not arrive, was too late, or was answered with a question."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User

from campaigns.services import follow_up_births
from customers.choices import Purpose
from customers.models import Customer, FollowUp, Order, OrderException, Tier
from customers.services import follow_ups
from notifications.models import Concern, Delivery, Message, Reply
from tests import cast
from tests.campaigns import reminding
from tests.notifications import handed_over

pytestmark = pytest.mark.django_db


@pytest.fixture
def now():
    return cast.at("2026-05-06 10:00")


@pytest.fixture
def account():
    return handed_over.account()


@pytest.fixture
def li_na():
    """VIP."""
    return _on_tier(cast.li_na())


@pytest.fixture
def chen_jie():
    """Not VIP."""
    return cast.chen_jie()


def _on_tier(customer):
    customer.tier = Tier.objects.get_or_create(name="VIP", is_vip=True)[0]
    customer.save()
    return customer


def ended(customer, now, *, status="undelivered", reason="DB:0101", purpose=Purpose.SERVICE, message=None, **facts):
    """A delivery that ended a minute ago."""
    message = message or Message.objects.create(
        name="发货", channel="sms", purpose=purpose, body="您的包裹已发出", opt_out_wording="拒收请回复R",
        send_after=now - timedelta(hours=3), send_until=now, created_at=now - timedelta(hours=3), **facts,
    )  # fmt: skip
    return Delivery.objects.create(
        message=message, customer=customer, occasion=f"o-{Delivery.objects.count()}", address=f"138{customer.pk:08}",
        status=status, reason=reason, created_at=now - timedelta(hours=3), sent_at=now - timedelta(hours=2),
        finished_at=now - timedelta(minutes=1),
    )  # fmt: skip


def said(account, customer, text, now, **facts):
    return Reply.objects.create(
        account=account, customer=customer, number="13800000001", text=text, said_at=now, received_at=now,
        fingerprint=f"{Reply.objects.count()}".encode(), **({"meaning": "conversation"} | facts),
    )  # fmt: skip


def born(now):
    follow_up_births.run(now=now)
    return [(call.customer.name, call.reason) for call in FollowUp.objects.open().order_by("id")]


def test_a_vip_whom_a_message_did_not_reach_is_called_and_others_are_not(account, li_na, chen_jie, now):
    delivery = ended(li_na, now)
    order = Order.objects.create(platform="taobao", number="1", customer=li_na, status_at=now)
    Concern.objects.create(delivery=delivery, order=order)
    ended(chen_jie, now)

    assert born(now) == [("李娜", "undelivered")]
    call = FollowUp.objects.get()
    assert (call.order, call.detail, call.due_at) == (order, "DB:0101", cast.at("2026-05-06 14:00"))


def test_a_number_that_does_not_work_is_asked_for_whoever_it_is(account, chen_jie, now):
    ended(chen_jie, now, reason="no_such_number")

    assert born(now) == [("陈洁", "bad_address")]


def test_a_service_message_that_waited_past_its_time_is_told_by_a_person(account, chen_jie, now):
    ended(chen_jie, now, status="skipped", reason="too_late")

    assert born(now) == [("陈洁", "held_too_long")]


@pytest.mark.parametrize(
    "facts",
    [
        {"purpose": Purpose.MARKETING},
        {"is_test": True},
        {"status": "skipped", "reason": "over_cap"},
        {"status": "canceled", "reason": "staff"},
        {"status": "delivered", "reason": ""},
    ],
)
def test_nobody_is_called_about_what_needs_no_call(account, li_na, now, facts):
    ended(li_na, now, **facts)

    assert born(now) == []


def test_an_outage_that_hits_a_crowd_is_no_list_of_people_to_call(account, now, monkeypatch):
    monkeypatch.setattr(follow_up_births, "ONE_BY_ONE", 3)
    message = None
    for pk in cast.crowd(4):
        message = ended(Customer.objects.get(pk=pk), now, status="skipped", reason="too_late", message=message).message

    assert born(now) == []


def test_the_same_fact_opens_one_call_whatever_became_of_it(account, li_na, now):
    ended(li_na, now)

    assert follow_up_births.run(now=now) == {"opened": 1}
    assert follow_up_births.run(now=now) == {}
    follow_ups.finish(FollowUp.objects.get(), "reached", "", User.objects.create_user("mei"), now)
    assert follow_up_births.run(now=now) == {}


def test_three_messages_that_failed_are_one_call(account, li_na, now):
    deliveries = [ended(li_na, now) for _ in range(3)]

    assert born(now) == [("李娜", "undelivered")]
    assert FollowUp.objects.get().occasion == f"delivery-{deliveries[-1].pk}"


def test_what_fails_after_the_call_is_another_call(account, li_na, now):
    ended(li_na, now)
    follow_up_births.run(now=now)
    follow_ups.finish(FollowUp.objects.get(), "reached", "", User.objects.create_user("mei"), now)

    later = now + timedelta(hours=5)
    ended(li_na, later)

    assert born(later) == [("李娜", "undelivered")]


def test_what_arrived_after_all_needs_no_call(account, li_na, now):
    delivery = ended(li_na, now)
    follow_up_births.run(now=now)

    Delivery.objects.filter(pk=delivery.pk).update(status="delivered", reason="")

    assert follow_up_births.run(now=now) == {"dropped": 1}
    assert FollowUp.objects.get().status == "dropped"


def test_a_call_that_was_made_stays_whatever_arrives(account, li_na, now):
    delivery = ended(li_na, now)
    follow_up_births.run(now=now)
    follow_ups.call(FollowUp.objects.get(), now, by=User.objects.create_user("mei"))

    Delivery.objects.filter(pk=delivery.pk).update(status="delivered", reason="")

    assert follow_up_births.run(now=now) == {}


@pytest.mark.parametrize(
    "text",
    ["什么时候发货", "可以换颜色吗", "到哪了？", "多久能到", "请问有没有红色", "Where is my parcel", "怎么还没到"],
)
def test_a_question_in_a_reply_is_answered_by_a_person(account, chen_jie, now, text):
    said(account, chen_jie, text, now)

    assert born(now) == [("陈洁", "question")]
    assert FollowUp.objects.get().detail == text


@pytest.mark.parametrize("text", ["好的", "谢谢", "收到", "1", "ok"])
def test_thanks_are_no_question_except_from_a_vip(account, chen_jie, li_na, now, text):
    said(account, chen_jie, text, now)
    said(account, li_na, text, now)

    assert born(now) == [("李娜", "question")]


def test_opt_outs_and_strangers_are_no_calls(account, chen_jie, now):
    said(account, chen_jie, "怎么退订?", now, meaning="suggestion")
    said(account, chen_jie, "TD?", now, meaning="opt_out")
    said(account, None, "你们是谁?", now)

    assert born(now) == []


def test_several_questions_are_one_call_which_an_answer_settles(account, chen_jie, now):
    said(account, chen_jie, "什么时候发货?", now)
    last = said(account, chen_jie, "有人吗?", now)
    first = born(now)

    Reply.objects.filter(pk=last.pk).handle("answered", by=User.objects.create_user("mei"), now=now)
    follow_up_births.run(now=now)

    assert first == [("陈洁", "question")]
    assert FollowUp.objects.get().status == "dropped"
    assert born(now) == []


def test_nobody_calls_who_was_erased_since(account, li_na, now):
    ended(li_na, now)
    follow_up_births.run(now=now)

    Customer.objects.update(erased_at=now)

    assert follow_up_births.run(now=now) == {"dropped": 1}


def test_looking_costs_the_same_for_one_fact_and_for_a_hundred(account, now, django_assert_num_queries):
    for pk in cast.crowd(100):
        ended(_on_tier(Customer.objects.get(pk=pk)), now)

    with django_assert_num_queries(6):  # settled, accounts, deliveries, replies, open
        assert follow_up_births.run(now=now)["opened"] == 100


@pytest.mark.parametrize(("total", "expected"), [("999.00", 0), ("1000.00", 1)])
def test_a_valuable_order_that_the_shop_canceled_is_always_called_about(chen_jie, now, total, expected):
    canceled = reminding.order(chen_jie, "A1", at=now, status="paid", total=total)
    wrong = OrderException.objects.create(order=canceled, kind="canceled_by_shop", happened_at=now, recorded_at=now)

    assert born(now) == born(now)
    assert FollowUp.objects.filter(order=canceled, reason="high_value").count() == expected

    OrderException.objects.filter(pk=wrong.pk).resolve(now)
    born(now)
    assert not FollowUp.objects.open().exists()
