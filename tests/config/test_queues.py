"""The timetable, the workers and the doorbell, on a real queue."""

import os
import signal
import time
from datetime import timedelta

import pytest
from django.db import transaction
from redis import Redis
from rq import Queue
from rq.executions import Execution
from rq.job import Job
from rq.serializers import JSONSerializer

from config import cron, queues
from config.embedded_places import Places
from customers import clock, doorbell
from notifications.models import Heartbeat


@pytest.fixture
def bell(settings):
    """The doorbell with a client of its own, so that a broken one is forgotten."""
    doorbell.connection.cache_clear()
    yield doorbell
    doorbell.connection.cache_clear()


@pytest.fixture
def frozen_queue(servers, empty_queue):
    """A queue that takes connections and answers nothing."""
    number = int((Places(servers).home / "valkey" / "valkey.pid").read_text())
    os.kill(number, signal.SIGSTOP)
    yield
    os.kill(number, signal.SIGCONT)


def waiting(redis: Redis, queue: str) -> list[Job]:
    """The jobs on a queue, read as a worker reads them."""
    return Queue(queue, connection=redis, serializer=JSONSerializer).jobs


def test_every_line_of_the_timetable_runs_on_a_queue_that_has_workers(settings):
    assert {line.queue for line in cron.TIMETABLE} == set(settings.RQ_QUEUES)


def test_a_tick_is_stored_as_json_and_not_as_code(empty_queue):
    tick = queues.Tick("bulk", func=abs, kwargs={"queue": "bulk"}, interval=2)

    job = tick.enqueue(empty_queue)

    stored = empty_queue.hget(job.key, "data")
    assert b"pickle" not in stored and waiting(empty_queue, "bulk")[0].kwargs == {"queue": "bulk"}


def test_a_queue_without_workers_does_not_fill_up(empty_queue):
    tick = queues.Tick("bulk", func=abs, interval=2)

    for _second in range(queues.MOST_WAITING_TICKS + 30):
        tick.enqueue(empty_queue)

    assert empty_queue.llen("rq:queue:bulk") == queues.MOST_WAITING_TICKS


@pytest.fixture
def bulk_worker(empty_queue) -> queues.Worker:
    """A worker of the bulk queue."""
    worker = queues.Worker(["bulk"], connection=empty_queue)
    worker.register_birth()
    return worker


@pytest.fixture
def job_in_hand(bulk_worker, empty_queue) -> tuple[Job, Execution]:
    """A job that this worker has just begun."""
    job = Queue("bulk", connection=empty_queue, serializer=JSONSerializer).enqueue_call("builtins.sorted", ([],))
    return job, bulk_worker.prepare_execution(job)


def test_a_worker_that_takes_a_job_is_known_to_be_alive(db, bulk_worker, job_in_hand):
    job, execution = job_in_hand

    bulk_worker.perform_job(job, bulk_worker.queues[0], execution)

    assert [heart.name for heart in Heartbeat.objects.all()] == ["bulk"]


def test_a_worker_in_the_middle_of_a_long_job_is_known_to_be_alive(transactional_db, bulk_worker, job_in_hand):
    bulk_worker.maintain_heartbeats(*job_in_hand)

    assert abs(Heartbeat.objects.get(name="bulk").at - clock.now()) < timedelta(seconds=5)


def test_a_ring_puts_ids_on_the_queue(db, bell, empty_queue, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        heard = bell.ring("customers.jobs.import_spreadsheet", queue="default", import_id=7)

    assert heard
    assert [(job.func_name, job.kwargs) for job in waiting(empty_queue, "default")] == [
        ("customers.jobs.import_spreadsheet", {"import_id": 7})
    ]


def test_nobody_hears_a_ring_whose_work_was_rolled_back(transactional_db, bell, empty_queue):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        bell.ring("customers.jobs.import_spreadsheet", queue="default", import_id=7)
        1 / 0  # noqa: B018

    assert waiting(empty_queue, "default") == []


def test_a_queue_that_is_down_costs_a_page_nothing(transactional_db, bell, settings, tmp_path):
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"

    assert bell.ring("customers.jobs.import_spreadsheet", queue="default", import_id=7) is False


def test_a_frozen_queue_costs_a_page_less_than_three_seconds(transactional_db, bell, frozen_queue):
    began = time.monotonic()

    heard = bell.ring("customers.jobs.import_spreadsheet", queue="default", import_id=7)

    assert heard is False
    assert time.monotonic() - began < 3
