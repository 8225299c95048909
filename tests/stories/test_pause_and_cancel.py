"""Pause and cancel take hold within a second: only calls that are in the air already still reach the gateway."""

import time

import pytest
from django.conf import settings

from campaigns.models import Campaign
from campaigns.services import campaigns
from customers import clock
from notifications.models import Submission
from tests import cast
from tests.gateway import wait_until
from tests.stories.watching import is_finished, seen, states, wait_for_sent

pytestmark = [pytest.mark.stories, pytest.mark.django_db(transaction=True)]
EVERYBODY = 4_000
WORKERS = 2


@pytest.fixture
def running(account, noon, deploy, schedule) -> Campaign:
    """A campaign in the middle of being sent."""
    cast.crowd(EVERYBODY)
    deploy("urgent", *["bulk"] * WORKERS, "default")
    (campaign,) = schedule("New Year")
    assert wait_for_sent(campaign, 800)
    return Campaign.objects.get(pk=campaign.pk)


def accepted_after_a_second(gateway) -> int:
    """How many messages the gateway has, a second from now."""
    time.sleep(1)
    return len(gateway.numbers())


def test_a_paused_campaign_falls_silent_within_a_second_and_goes_on_where_it_stopped(running, account, gateway):
    campaigns.pause(running, now=clock.now())
    at_once = len(gateway.numbers())

    a_second_later = accepted_after_a_second(gateway)
    later = [accepted_after_a_second(gateway) for _ in range(3)]
    in_the_air = Submission.objects.filter(status="called").count()
    while_paused = states()
    campaigns.resume(running)

    assert a_second_later - at_once <= WORKERS * settings.CALLS_IN_FLIGHT * account.batch_size
    assert later == [a_second_later] * 3
    assert in_the_air == 0
    assert while_paused == {"sent": a_second_later, "queued": EVERYBODY - a_second_later}
    assert wait_until(lambda: is_finished(running), seconds=60)
    assert len(gateway.numbers()) == len(set(gateway.numbers())) == EVERYBODY


def test_a_canceled_campaign_falls_silent_within_a_second_and_says_who_was_spared(running, account, gateway):
    told = campaigns.cancel(running, by=None, now=clock.now())
    at_once = len(gateway.numbers())

    a_second_later = accepted_after_a_second(gateway)
    later = [accepted_after_a_second(gateway) for _ in range(3)]

    assert told.canceled + told.handed_over == EVERYBODY
    assert a_second_later - at_once <= WORKERS * settings.CALLS_IN_FLIGHT * account.batch_size
    assert later == [told.handed_over] * 3
    assert states() == {"sent": told.handed_over, "staff": told.canceled}
    assert seen(running).remaining == 0
