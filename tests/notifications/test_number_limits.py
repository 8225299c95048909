"""A provider's limit for one number is kept by us, so that no call is burnt on a sure refusal."""

from datetime import timedelta

import pytest

from customers import clock
from customers.models import Customer
from notifications.models import FrequencyCap, Hold, ProviderAccount, RecentSends
from notifications.services import cap_memory, deliveries, sending
from tests import cast
from tests.gateway import magic
from tests.notifications.test_caps import move_clock
from tests.notifications.test_sending import freeze, send, states

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def limited(account):
    ProviderAccount.objects.update(number_limit=2)
    return account


def send_code(occasion, *, hours=4):
    """A code to everybody."""
    template = cast.template("您的验证码是123456", purpose="transactional", name=occasion)
    message = freeze(template, now=clock.now())
    message.send_until = clock.now() + timedelta(hours=hours)
    message.save()
    deliveries.plan(message, Customer.objects.present(), occasion=occasion, now=clock.now())
    sending.drain("urgent", seconds=10, clock=clock.now)
    return message


def test_a_third_campaign_within_the_day_is_left_out_with_the_reason(limited, gateway, noon):
    cast.crowd(5)
    template = cast.template()
    for occasion in ("greeting-1", "greeting-2", "greeting-3"):
        send(freeze(template, now=noon), occasion=occasion)

    assert states() == {"sent": 10, "provider_limit": 5}
    assert len(gateway.numbers()) == 10


def test_a_campaign_that_may_wait_waits_for_the_limit(limited, gateway, noon):
    cast.crowd(1)
    template = cast.template()
    for occasion in ("greeting-1", "greeting-2"):
        send(freeze(template, now=noon), occasion=occasion)
    message = freeze(template, now=noon, cap_policy="hold")
    message.send_until = noon + timedelta(days=2)
    message.save()
    send(message, occasion="greeting-3")

    hold = Hold.objects.get()
    assert hold.held_for == "number" and hold.rule_id is None
    assert hold.send_after >= noon + timedelta(hours=24)

    move_clock(hours=24, minutes=1)
    deliveries.regroup(now=clock.now())
    sending.drain("bulk", seconds=5, clock=clock.now)
    assert states() == {"sent": 3}


def test_codes_count_toward_the_limit_and_wait_for_it(limited, gateway, noon):
    cast.crowd(1)
    send_code("code-1")
    send_code("code-2")
    send_code("code-3", hours=30)
    send(freeze(cast.template(), now=clock.now()))

    assert states() == {"sent": 2, "queued": 1, "provider_limit": 1}
    assert Hold.objects.get().held_for == "number"


def test_a_code_that_would_be_too_late_is_left_out(limited, gateway, noon):
    cast.crowd(1)
    for place in range(3):
        send_code(f"code-{place}")

    assert states() == {"sent": 2, "provider_limit": 1}


def test_without_a_limit_codes_are_not_counted(account, gateway, noon):
    cast.crowd(1)
    send_code("code-1")

    assert not RecentSends.objects.exists()


def test_a_limit_and_a_cap_are_told_apart(limited, gateway, noon):
    cast.crowd(1)
    FrequencyCap.objects.create(name="一天一条", purpose="marketing", limit=1, window="days")
    template = cast.template()
    for occasion in ("greeting-1", "greeting-2"):
        send(freeze(template, now=noon), occasion=occasion)

    assert states() == {"sent": 1, "over_cap": 1}


def test_codes_use_up_no_cap(limited, gateway, noon):
    cast.crowd(1)
    FrequencyCap.objects.create(name="一天一条", limit=1, window="days")
    send_code("code-1")
    send(freeze(cast.template(), now=clock.now()))

    assert states() == {"sent": 2}


def test_a_code_that_was_refused_uses_up_nothing(limited, gateway, noon):
    cast.crowd(1, first_phone=int(magic("0001")))
    send_code("code-1")

    assert states() == {"refused_number": 1}
    assert not any(RecentSends.objects.values_list("sends", flat=True))


def test_the_rebuilt_memory_knows_the_codes_too(limited, gateway, noon):
    cast.crowd(2)
    send_code("code-1")
    before = sorted(RecentSends.objects.values_list("subject", "sends"))

    cap_memory.rebuild(now=clock.now())

    assert sorted(RecentSends.objects.values_list("subject", "sends")) == before
    assert len(before) == 4
