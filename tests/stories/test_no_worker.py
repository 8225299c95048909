"""No worker runs, or Redis is down, while staff go on working: everybody is told, and nothing is lost."""

import signal
import time

import pytest
from django.urls import reverse

from campaigns.choices import Timing
from campaigns.models import Campaign
from tests import cast
from tests.campaigns import shop
from tests.gateway import wait_until
from tests.staff import signed_in
from tests.stories.watching import is_finished

pytestmark = [pytest.mark.stories, pytest.mark.django_db(transaction=True)]
WORKERS = ("urgent", "bulk", "default")
EVERYBODY = 300
# What staff wait for a page before they click again.
PATIENCE = 3


@pytest.fixture
def owner(transactional_db):
    """The owner of the shop, signed in."""
    return signed_in("owner")


def launch_now(owner, campaign) -> tuple[str, float]:
    """Click on the button that starts a campaign; the page that comes, and the seconds it took."""
    began = time.monotonic()
    link = reverse("admin:campaigns_campaign_schedule", args=[campaign.pk])
    answer = owner.post(link, {"version": campaign.version, "seen": EVERYBODY, "typed": EVERYBODY}, follow=True)
    assert answer.status_code == 200
    return answer.content.decode(), time.monotonic() - began


def test_without_workers_monitor_and_staff_are_told_and_with_them_all_is_well(
    account, gateway, noon, deploy, client, owner
):
    before = client.get("/readyz")
    page_before = owner.get(reverse("admin:index")).content.decode()

    deploy(*WORKERS)

    assert before.status_code == 503
    assert set(before.json()["workers"]) == set(WORKERS)
    assert "rqworker bulk" in before.json()["workers"]["bulk"]
    assert "rqcron" in before.json()["scheduler"]
    assert 'id="no-worker"' in page_before
    assert wait_until(lambda: client.get("/readyz").status_code == 200, seconds=40), client.get("/readyz").json()
    assert 'id="no-worker"' not in owner.get(reverse("admin:index")).content.decode()


def test_a_campaign_launched_while_the_queue_is_down_starts_when_it_is_back(
    account, gateway, noon, deploy, valkey, owner
):
    cast.crowd(EVERYBODY)
    campaign = shop.draft(timing=Timing.NOW)
    deploy(*WORKERS, REDIS_URL=valkey.url)
    valkey.kill()

    page, seconds = launch_now(owner, campaign)
    saved_as = Campaign.objects.get(pk=campaign.pk).status
    sent_meanwhile = len(gateway.numbers())
    valkey.start()

    assert seconds < PATIENCE
    assert "sending will start a little later" in page
    assert saved_as in ("scheduled", "running")
    assert sent_meanwhile == 0
    assert wait_until(lambda: is_finished(campaign), seconds=60)
    assert len(gateway.numbers()) == len(set(gateway.numbers())) == EVERYBODY


def test_a_frozen_queue_does_not_freeze_the_page(account, noon, valkey, owner):
    cast.crowd(EVERYBODY)
    campaign = shop.draft(timing=Timing.NOW)
    valkey.signal(signal.SIGSTOP)

    page, seconds = launch_now(owner, campaign)
    valkey.signal(signal.SIGCONT)

    assert seconds < PATIENCE
    assert "sending will start a little later" in page
    assert Campaign.objects.get(pk=campaign.pk).status == "scheduled"
