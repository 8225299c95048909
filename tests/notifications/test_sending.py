"""A message's way from its plan to the gateway's ledger."""

from collections import Counter
from datetime import timedelta

import pytest

from customers import clock
from customers.models import Customer
from notifications.models import Delivery, FrequencyCap, Submission
from notifications.services import deliveries, messages, sending
from notifications.services.progress import progress
from tests import cast

pytestmark = pytest.mark.django_db(transaction=True)


def freeze(template, *, now, **overrides):
    """A message that may go out from now on for four hours."""
    return messages.freeze(
        template,
        name="新年问候",
        price="0.045",
        send_after=now,
        send_until=now + timedelta(hours=4),
        by=None,
        now=now,
        **overrides,
    )


def send(message, audience=None, *, occasion="greeting-1"):
    """Plan a message to everybody and send what is due."""
    deliveries.plan(message, audience or Customer.objects.present(), occasion=occasion, now=clock.now())
    return sending.drain("bulk", seconds=10, clock=clock.now)


def states():
    """How many deliveries stand in each state, or were skipped for each reason."""
    return Counter(reason or status for status, reason in Delivery.objects.values_list("status", "reason"))


def test_only_the_customer_who_agreed_gets_the_greeting(account, gateway, noon):
    cast.li_na(), cast.wang_wei(), cast.zhang_min(), cast.chen_jie()
    message = freeze(cast.template(), now=noon)

    send(message)

    assert gateway.numbers() == ["13800000001"]
    assert gateway.ledger()[0]["text"] == "【鸿雁花店】李娜,新年快乐!拒收请回复R"
    assert states() == {"sent": 1, "opted_out": 1, "no_address": 1, "no_consent": 1}
    told = progress([message.pk], now=clock.now())
    assert told.total == 4
    assert told.cost == Delivery.objects.get(status="sent").cost > 0


def test_a_thousand_customers_get_it_exactly_once(account, gateway, noon):
    cast.crowd(1000)
    message = freeze(cast.template(), now=noon)

    send(message)

    assert Counter(gateway.numbers()) == {str(13900000000 + place): 1 for place in range(1000)}
    assert states() == {"sent": 1000}
    assert set(Submission.objects.values_list("status", flat=True)) == {"settled"}


def test_a_second_campaign_of_the_day_finds_everybody_over_the_cap(account, gateway, noon):
    cast.crowd(150)
    FrequencyCap.objects.create(name="一天一条", purpose="marketing", limit=1, window="days")
    template = cast.template()
    send(freeze(template, now=noon))

    send(freeze(template, now=noon), occasion="greeting-2")

    assert len(gateway.numbers()) == 150
    assert states() == {"sent": 150, "over_cap": 150}


def test_a_held_customer_waits_for_the_moment_the_window_frees(account, gateway, noon):
    cast.li_na()
    rule = FrequencyCap.objects.create(name="两小时一条", limit=1, window="hours", window_length=2)
    FrequencyCap.objects.create(name="一小时一条", limit=1, window="hours", window_length=1)
    template = cast.template()
    send(freeze(template, now=noon))
    first = Delivery.objects.get()

    send(freeze(template, now=noon, cap_policy="hold"), occasion="greeting-2")

    held = Delivery.objects.get(occasion="greeting-2")
    assert held.status == "queued"
    assert abs(held.hold.send_after - first.sent_at - timedelta(hours=2)) < timedelta(milliseconds=2)
    assert held.hold.rule_id == rule.pk
    assert progress([held.message_id], now=clock.now()).count("held") == 1
