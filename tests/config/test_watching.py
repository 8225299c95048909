"""The watch sees what is wrong with neither a worker nor Redis, and says it once."""

from datetime import timedelta

import pytest

from campaigns.models import Campaign
from campaigns.services import campaigns
from config import watching
from config.health import QUEUES
from customers import clock
from customers.models import ClockOffset, Customer
from notifications.choices import AlertKind, BrakeKind, StopReason
from notifications.models import Alert, Heartbeat, Message, ProviderAccount
from notifications.providers.aliyun_codes import NO_BALANCE
from notifications.services import brakes, deliveries, messages, sending, switch
from tests import cast
from tests.campaigns import shop
from tests.notifications.test_sending import freeze

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def lively():
    """Workers that are well."""
    for queue in QUEUES:
        Heartbeat.objects.update_or_create(name=queue, defaults={"at": clock.now()})


def seen() -> set[str]:
    watching.look()
    return set(Alert.objects.open().values_list("kind", flat=True))


def frozen() -> Message:
    return freeze(cast.template(), now=clock.now())


def test_all_is_well():
    shop.account()

    assert seen() == set()


def test_no_worker_is_told_without_a_worker_or_redis(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    Heartbeat.objects.filter(name="bulk").update(at=clock.now() - timedelta(minutes=5))

    assert seen() == {AlertKind.NO_WORKERS}
    Heartbeat.objects.update(at=clock.now())
    assert seen() == set()


def test_an_account_without_balance_is_told_apart_from_one_that_is_down():
    account = shop.account()
    ProviderAccount.objects.update(paused_for=NO_BALANCE)
    assert seen() == {AlertKind.BALANCE}

    ProviderAccount.objects.filter(pk=account.pk).update(paused_for="The signature is wrong")
    assert seen() == {AlertKind.GATEWAY}


def test_a_stop_and_safe_mode_are_told():
    switch.stop(now=clock.now())
    assert seen() == {AlertKind.STOPPED}

    switch.start()
    switch.stop(now=clock.now(), reason=StopReason.RESTORED)
    assert seen() == {AlertKind.SAFE_MODE}


def test_a_message_that_the_brake_stopped_is_told_with_the_numbers():
    message = frozen()
    brakes.pull(brakes.Trip(message.pk, BrakeKind.ERRORS, lambda: "21 of 100"), now=clock.now())

    assert seen() == {AlertKind.BRAKE}
    assert "21 of 100" in Alert.objects.get().in_words
    messages.resume([message.pk])
    assert seen() == set()


def test_a_rejected_text_is_told_and_a_pause_by_staff_is_not():
    message = frozen()
    messages.pause([message.pk], now=clock.now(), reason="Paused by admin")
    assert seen() == set()

    Message.objects.update(paused_for=sending.UNRENDERABLE)
    assert seen() == {AlertKind.REJECTED_TEXT}


def test_a_campaign_that_missed_its_time_is_told_until_somebody_decides():
    shop.account()
    cast.crowd(5)
    campaign = shop.draft(planned_for=clock.now())
    hours_ago = clock.now() - timedelta(hours=5)
    Campaign.objects.filter(pk=campaign.pk).schedule(hours_ago, by=None, estimate=None)
    campaigns.launch_due(now=clock.now())
    assert seen() == {AlertKind.MISSED}

    campaign.refresh_from_db()
    campaigns.cancel(campaign, by=None, now=clock.now())
    assert seen() == set()


def test_a_gateway_that_takes_nothing_for_minutes_is_told(settings):
    settings.GATEWAY_PRIVATE_HOSTS = ["127.0.0.1:1"]
    cast.account("http://127.0.0.1:1")
    now = clock.now()
    at_noon = now.astimezone(clock.shop_zone()).replace(hour=12, minute=0, second=0, microsecond=0)
    ClockOffset.objects.update_or_create(id=1, defaults={"offset": at_noon - now})
    cast.crowd(20)
    deliveries.plan(frozen(), Customer.objects.present(), occasion="greeting-1", now=clock.now())
    sending.drain("bulk", seconds=1, clock=clock.now)

    soon = list(watching._unreachable(clock.now()))
    later = [cause.kind for cause in watching._unreachable(clock.now() + timedelta(minutes=4))]

    assert soon == []
    assert later == [AlertKind.GATEWAY]
