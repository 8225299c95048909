"""The jobs of campaigns: they find due work in the database and wake the workers that send it."""

from datetime import timedelta

import pytest
from rq import Queue
from rq.serializers import JSONSerializer

from campaigns import jobs
from campaigns.services import campaigns
from customers import clock
from notifications.models import Delivery
from tests import cast
from tests.campaigns import shop


@pytest.fixture
def due(transactional_db):
    """A campaign whose hour has come."""
    shop.account()
    cast.crowd(20)
    now = clock.now()
    campaign = shop.draft(planned_for=now + timedelta(seconds=1))
    campaigns.schedule(campaign, version=1, seen=20, by=None, now=now - timedelta(hours=1))
    type(campaign).objects.update(scheduled_for=now - timedelta(minutes=1))
    return campaign


def test_a_due_campaign_is_launched_and_its_queue_is_rung(due, empty_queue):
    assert jobs.launch_due() == {"launched": 1, "delayed": 0, "missed": 0, "failed": 0}

    (job,) = Queue("bulk", connection=empty_queue, serializer=JSONSerializer).jobs
    assert (job.func_name, job.kwargs) == ("notifications.jobs.send_due", {"queue": "bulk"})
    assert Delivery.objects.count() == 20


def test_a_second_look_finds_nothing_to_do(due, empty_queue):
    jobs.launch_due()

    assert jobs.launch_due() == {"launched": 0, "delayed": 0, "missed": 0, "failed": 0}


def test_a_campaign_is_finished_once_its_deliveries_are_done(due, empty_queue):
    jobs.launch_due()
    assert jobs.finish_done() == {"finished": 0}

    Delivery.objects.update(status="delivered", sent_at=clock.now())
    assert jobs.finish_done() == {"finished": 1}
    due.refresh_from_db()
    assert due.status == "finished"
