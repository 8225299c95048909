"""A provider's limit for a day or for the hours of marketing: nothing is asked in vain, and others go on."""

from datetime import timedelta

import pytest

from customers import clock
from notifications.choices import HeldFor
from notifications.models import AccountGauge, Delivery, Submission
from notifications.providers.resting import Rest, ends_at
from tests import cast
from tests.notifications.test_caps import move_clock
from tests.notifications.test_cloud_sending import account_at_tencent, approved, tencent_cloud
from tests.notifications.test_lifecycle import drain
from tests.notifications.test_sending import freeze, send, states

__all__ = ["tencent_cloud"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def at_tencent(tencent_cloud):
    """An account at Tencent Cloud that has approved the text, and the text."""
    account = account_at_tencent(tencent_cloud)
    template = cast.template("新年快乐，全场八折！")
    approved(template, account)
    return account, template


def test_a_daily_limit_is_tried_again_an_hour_later_and_not_every_five_seconds(at_tencent, tencent_cloud, noon):
    cast.crowd(100)
    _account, template = at_tencent
    tencent_cloud.script.code = "LimitExceeded.AppDailyLimit"
    send(freeze(template, now=noon))
    calls = tencent_cloud.calls["SendSms"]

    for _ in range(3):
        move_clock(minutes=15)
        drain()

    assert tencent_cloud.calls["SendSms"] == calls
    assert set(Submission.objects.filter(status="queued").values_list("held_for", flat=True)) == {HeldFor.RETRY}
    tencent_cloud.script.code = ""
    move_clock(minutes=20)
    drain()
    assert states() == {"sent": 100}


def test_another_account_goes_on_while_one_rests(at_tencent, tencent_cloud, gateway, settings, noon):
    cast.crowd(100)
    account, template = at_tencent
    tencent_cloud.script.code = "LimitExceeded.DailyLimit"
    send(freeze(template, now=noon))
    assert AccountGauge.objects.get(account=account).rests_until > clock.now() + timedelta(minutes=50)
    settings.GATEWAY_PRIVATE_HOSTS = [gateway.host, tencent_cloud.host]
    cast.account(gateway.url)

    move_clock(seconds=30)
    drain()

    assert len(gateway.numbers()) == 100
    assert states() == {"sent": 100}


def test_marketing_outside_its_hours_waits_for_the_morning_and_the_account_does_not(at_tencent, tencent_cloud, noon):
    cast.crowd(10)
    account, template = at_tencent
    tencent_cloud.script.code = "FailedOperation.MarketingSendTimeConstraint"

    send(freeze(template, now=noon))

    waiting = Submission.objects.get(status="queued")
    assert waiting.send_after == ends_at(Rest.MARKETING_HOURS, now=clock.now())
    assert not AccountGauge.objects.filter(account=account, rests_until__isnull=False).exists()


def test_marketing_opens_at_eight_in_china():
    assert ends_at(Rest.MARKETING_HOURS, now=cast.at("2027-02-06 22:30")) == cast.at("2027-02-07 08:00")
    assert ends_at(Rest.MARKETING_HOURS, now=cast.at("2027-02-07 06:30")) == cast.at("2027-02-07 08:00")


def test_a_daily_limit_ends_at_midnight_at_the_latest():
    assert ends_at(Rest.ACCOUNT, now=cast.at("2027-02-06 23:40")) == cast.at("2027-02-07 00:00")
    assert ends_at(Rest.ACCOUNT, now=cast.at("2027-02-06 12:00")) == cast.at("2027-02-06 13:00")


def test_a_message_costs_what_the_account_that_carries_it_takes(account, gateway, noon):
    cast.crowd(2)
    account.price = "0.0600"
    account.save()

    send(freeze(cast.template(), now=noon))

    assert {str(cost) for cost in Delivery.objects.values_list("cost", flat=True)} == {"0.0600"}
