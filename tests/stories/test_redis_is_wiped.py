"""Redis is wiped, or killed, in the middle of a campaign, which finishes by itself with an exact ledger."""

import time
from collections import Counter

import pytest

from config import health
from customers import clock
from notifications.models import Heartbeat
from tests import cast
from tests.gateway import wait_until
from tests.stories.watching import is_finished, seen, states, wait_for_sent

pytestmark = [pytest.mark.stories, pytest.mark.django_db(transaction=True)]
EVERYBODY = 20_000
WORKERS = ("urgent", "bulk", "bulk", "default")


def everybody_got_one(gateway) -> bool:
    """Whether the ledger holds each number once and no other."""
    return Counter(gateway.numbers()) == {str(13900000000 + place): 1 for place in range(EVERYBODY)}


def test_a_queue_wiped_twice_loses_nobody_and_doubles_nobody(account, gateway, noon, deploy, schedule, empty_queue):
    cast.crowd(EVERYBODY)
    deploy(*WORKERS)
    (campaign,) = schedule("New Year")

    assert wait_for_sent(campaign, 3_000)
    empty_queue.flushall()
    assert wait_for_sent(campaign, 11_000)
    empty_queue.flushall()
    wiped_at = clock.now()

    assert wait_until(lambda: is_finished(campaign), seconds=90)
    assert everybody_got_one(gateway)
    assert states() == {"sent": EVERYBODY}
    assert seen(campaign).total == EVERYBODY
    everybody_works = Heartbeat.objects.filter(at__gt=wiped_at)
    assert wait_until(lambda: everybody_works.count() == len(health.QUEUES), seconds=20)
    assert wait_until(lambda: health.find_problems() == {}, seconds=10), health.find_problems()


def test_a_queue_killed_and_back_without_its_data_loses_nobody_and_doubles_nobody(
    account, gateway, noon, deploy, schedule, valkey
):
    cast.crowd(EVERYBODY)
    deploy(*WORKERS, REDIS_URL=valkey.url)
    (campaign,) = schedule("New Year")

    assert wait_for_sent(campaign, 3_000)
    valkey.kill()
    time.sleep(3)
    valkey.start()
    back_at = clock.now()

    assert wait_until(lambda: is_finished(campaign), seconds=90)
    assert everybody_got_one(gateway)
    assert states() == {"sent": EVERYBODY}
    everybody_works = Heartbeat.objects.filter(at__gt=back_at)
    assert wait_until(lambda: everybody_works.count() == len(health.QUEUES), seconds=30)
    assert wait_until(lambda: health.find_problems() == {}, seconds=20), health.find_problems()
