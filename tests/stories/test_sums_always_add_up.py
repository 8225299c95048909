"""While a campaign runs, is paused, resumed and canceled, its parts add up to the audience whenever somebody looks."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection

from campaigns.models import Campaign
from campaigns.services import campaigns
from customers import clock
from notifications import caps
from notifications.models import FrequencyCap, RecentSends
from notifications.services.progress import Progress, progress
from tests import cast
from tests.gateway import Gateway, wait_until
from tests.stories.watching import seen, states, wait_for_sent

pytestmark = [pytest.mark.stories, pytest.mark.django_db(transaction=True)]
EVERYBODY = 6_000


@pytest.fixture
def gateway(tmp_path, process_environment, live_server) -> Iterator[Gateway]:
    """A gateway whose receipts arrive, now and then before the answer."""
    arguments = ("--latency-ms", "100", "--receipt-delay-ms", "50", "--receipt-jitter-ms", "300")
    running = Gateway(tmp_path / "gateway", *arguments, environment=process_environment)
    yield running
    running.stop()


class Sampler(threading.Thread):
    """Reads a campaign's parts on a connection of its own, again and again."""

    def __init__(self, campaign: Campaign):
        super().__init__()
        self.message_ids = Campaign.objects.get(pk=campaign.pk).message_ids
        self.samples: list[Progress] = []
        self.is_over = threading.Event()

    def run(self) -> None:
        """Look every few milliseconds until it is over."""
        try:
            while not self.is_over.is_set():
                self.samples.append(progress(self.message_ids, now=clock.now()))
                time.sleep(0.005)
        finally:
            connection.close()


@contextmanager
def watched(campaign: Campaign) -> Iterator[Sampler]:
    """Sample while the block runs."""
    sampler = Sampler(campaign)
    sampler.start()
    try:
        yield sampler
    finally:
        sampler.is_over.set()
        sampler.join()


def test_the_parts_add_up_in_every_sample(account, gateway, noon, deploy, schedule, live_server):
    everybody = cast.crowd(EVERYBODY)
    FrequencyCap.objects.create(name="每天一条", limit=1, window="days")
    an_hour_ago = caps.pack(noon - timedelta(hours=1), channel="sms", purpose="marketing")
    RecentSends.objects.bulk_create(RecentSends(subject=pk, sends=[an_hour_ago]) for pk in everybody[::12])
    deploy("urgent", "bulk", "bulk", "default", PUBLIC_URL=live_server.url)
    (campaign,) = schedule("New Year", cap_policy="hold", valid_hours=48)
    assert wait_until(lambda: seen(campaign).total > 0, every=0.01)

    with watched(campaign) as sampler:
        assert wait_for_sent(campaign, 1_000)
        campaigns.pause(Campaign.objects.get(pk=campaign.pk), now=clock.now())
        time.sleep(1)
        campaigns.resume(Campaign.objects.get(pk=campaign.pk))
        assert wait_for_sent(campaign, 2_500)
        told = campaigns.cancel(Campaign.objects.get(pk=campaign.pk), by=None, now=clock.now())
        assert wait_until(lambda: seen(campaign).count("delivered") == told.handed_over, seconds=30)

    assert len(sampler.samples) > 100
    assert {sample.total for sample in sampler.samples} == {EVERYBODY}
    assert all(part.count > 0 for sample in sampler.samples for part in sample.parts)
    looked_like = {part.state for sample in sampler.samples for part in sample.parts}
    assert looked_like == {"queued", "held", "sending", "sent", "delivered", "canceled"}
    assert states() == {"delivered": told.handed_over, "staff": EVERYBODY - told.handed_over}
    assert len(gateway.numbers()) == len(set(gateway.numbers())) == told.handed_over
