"""What a monitor is told."""

import pytest
from django.utils.dateparse import parse_duration

from config import health
from customers import clock, doorbell
from notifications.models import Heartbeat


@pytest.fixture
def lively_workers(db):
    """Each queue has just done work."""
    now = clock.now()
    Heartbeat.objects.bulk_create([Heartbeat(name=queue, at=now) for queue in health.QUEUES])


@pytest.fixture
def lively_scheduler(empty_queue):
    """The scheduler has just put jobs on the queues."""
    seconds, _micro = empty_queue.time()
    empty_queue.zadd(health.get_registry_key(), {"scheduler": seconds})


@pytest.fixture
def dead_queue(settings, tmp_path):
    """Redis is down."""
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"
    doorbell.connection.cache_clear()
    yield
    doorbell.connection.cache_clear()


def test_a_living_process_says_so_without_the_database(client):
    assert client.get("/healthz").json() == {"status": "ok"}


def test_a_complete_deployment_is_ready(client, lively_workers, lively_scheduler):
    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


def test_without_workers_it_is_not_ready_and_says_which_queue(client, lively_workers, lively_scheduler):
    Heartbeat.objects.filter(name="bulk").update(at=clock.now() - parse_duration("00:05:00"))

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert list(answer.json()["workers"]) == ["bulk"]


def test_without_a_scheduler_it_is_not_ready(client, lively_workers, empty_queue):
    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert "rqcron" in answer.json()["scheduler"]


def test_without_redis_it_is_not_ready_and_shows_no_address(client, lively_workers, dead_queue):
    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert "REDIS_URL" in answer.json()["queue"]
    assert ".sock" not in answer.content.decode()


def test_a_wiped_redis_does_not_make_workers_look_dead(client, lively_workers, lively_scheduler, empty_queue):
    empty_queue.flushall()

    assert client.get("/readyz").json()["workers"] == "ok"


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_a_monitor_only_reads(client, method):
    assert getattr(client, method)("/readyz").status_code == 405
