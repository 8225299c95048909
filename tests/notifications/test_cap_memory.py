"""What caps remember: long windows, rules that come later, and customers who get much."""

from datetime import timedelta

import pytest
from django.urls import reverse

from customers import clock
from notifications import caps
from notifications.models import FrequencyCap, RecentSends
from notifications.services import deliveries, sending
from tests import cast, staff
from tests.notifications.test_caps import move_clock, send_urgent
from tests.notifications.test_sending import freeze, send, states

pytestmark = pytest.mark.django_db(transaction=True)


def remember(person, *, days_ago, purpose="marketing"):
    """Sends of a customer, oldest first."""
    now = clock.now()
    RecentSends.objects.update_or_create(
        subject=person.pk,
        defaults={
            "sends": [
                caps.pack(now - timedelta(days=days), channel="sms", purpose=purpose)
                for days in sorted(days_ago, reverse=True)
            ]
        },
    )


def test_a_rule_that_comes_later_knows_what_was_sent_before(account, gateway, noon):
    person = cast.li_na()
    remember(person, days_ago=range(9, 25))
    send(freeze(cast.template(), now=noon))

    FrequencyCap.objects.create(name="每月十条", limit=10, window="days", window_length=30)
    send(freeze(cast.template(name="第二"), now=noon), occasion="greeting-2")

    assert states() == {"sent": 1, "over_cap": 1}


@pytest.mark.parametrize(("window", "length"), [("days", 366), ("hours", 300), ("days", 30)])
def test_a_long_window_holds_to_its_last_moment(account, gateway, noon, window, length):
    cast.li_na()
    span = timedelta(**{window: length})
    FrequencyCap.objects.create(name="长", purpose="service", limit=2, window=window, window_length=length)
    reminder = cast.template("您的订单还未付款。", purpose="service")
    sent = [send_urgent(reminder, "r-1"), send_urgent(reminder, "r-2")]

    move_clock(seconds=span.total_seconds() - 30)
    sent.append(send_urgent(reminder, "r-3"))
    move_clock(seconds=31)
    sent.append(send_urgent(reminder, "r-4"))

    assert sent == [1, 1, 0, 1]


def test_a_customer_who_gets_much_is_still_kept_within_the_limit(account, gateway, noon):
    person = cast.li_na()
    FrequencyCap.objects.create(name="每年两条促销", purpose="marketing", limit=2, window="days", window_length=366)
    remember(person, days_ago=[300, 200])
    FrequencyCap.objects.filter(name="每年两条促销").update(is_active=False)
    reminder = cast.template("您的订单还未付款。", purpose="service")
    for number in range(20):
        send_urgent(reminder, f"r-{number}")
    FrequencyCap.objects.update(is_active=True)

    send(freeze(cast.template(), now=clock.now()), occasion="greeting-2")

    assert states() == {"sent": 20, "over_cap": 1}


def test_nobody_is_remembered_without_end(account, gateway, noon):
    person = cast.li_na()
    remember(person, days_ago=range(10, 200))

    send(freeze(cast.template(), now=noon))

    assert len(RecentSends.objects.get(subject=person.pk).sends) == caps.KEPT_AT_MOST


def test_lifting_a_rule_lets_those_pass_whom_it_held(account, gateway, noon):
    cast.crowd(3)
    rule = FrequencyCap.objects.create(name="每天一条", limit=1, window="hours", window_length=3)
    send(freeze(cast.template(), now=noon))
    send(freeze(cast.template(name="第二"), now=noon, cap_policy="hold"), occasion="greeting-2")
    browser = staff.signed_in("owner")
    page = reverse("admin:notifications_frequencycap_change", args=[rule.pk])

    told = browser.get(page).content.decode()
    answer = browser.post(page, {"name": rule.name, "limit": 1, "window": "hours", "window_length": 3})
    deliveries.regroup(now=clock.now())
    sending.drain("bulk", seconds=5, clock=clock.now)

    assert "3 deliveries held" in told
    assert answer.status_code == 302
    assert states() == {"sent": 6}
