"""Everything is stopped: by two clicks with the queue gone, or by itself when the database was set back."""

import time
from datetime import timedelta

import pytest
from django.conf import settings
from django.db.models import F
from django.urls import reverse

from campaigns.models import Campaign
from notifications.choices import StopReason
from notifications.models import DatabaseIdentity, Submission
from notifications.services import switch
from tests import cast, staff
from tests.gateway import wait_until
from tests.stories.watching import is_finished, states, wait_for_sent

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


def silent_from_now_on(gateway) -> int:
    """How many messages the gateway has a second from now, and no more three seconds later."""
    time.sleep(1)
    count = len(gateway.numbers())
    time.sleep(3)
    assert len(gateway.numbers()) == count
    return count


def test_two_clicks_stop_everything_with_redis_wiped_and_an_owner_lets_it_go_on(
    running, account, gateway, empty_queue
):
    marketer, owner = staff.signed_in("marketer"), staff.signed_in("owner")
    empty_queue.flushall()

    question = marketer.get(reverse("stop_sending"))
    marketer.post(reverse("stop_everything"))
    at_once = len(gateway.numbers())
    count = silent_from_now_on(gateway)
    (row,) = owner.get(reverse("stop_sending")).context["rows"]
    in_the_air = Submission.objects.filter(status="called").count()
    owner.post(reverse("resume_sending"), {"is_certain": "on"})

    assert "1 campaign" in question.context["what"]
    assert count - at_once <= WORKERS * settings.CALLS_IN_FLIGHT * account.batch_size
    assert (row.handed_over, row.waiting, in_the_air) == (count, EVERYBODY - count, 0)
    assert wait_until(lambda: is_finished(running), seconds=60)
    assert len(gateway.numbers()) == len(set(gateway.numbers())) == EVERYBODY


def test_a_database_that_is_set_back_while_workers_run_falls_silent(running, gateway):
    assert wait_until(lambda: DatabaseIdentity.objects.exists(), seconds=10)
    DatabaseIdentity.objects.update(alive_at=F("alive_at") - timedelta(days=1))

    assert wait_until(switch.stopped, seconds=20)
    count = silent_from_now_on(gateway)

    assert switch.stopped().reason == StopReason.RESTORED
    assert states() == {"sent": count, "queued": EVERYBODY - count}
