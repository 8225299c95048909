"""The queue loses, doubles and makes up jobs, and the database goes away: what is in the ledger stays exact."""

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import DatabaseError, connection
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from config import embedded
from config.embedded_places import Places
from customers import clock, doorbell
from customers.choices import Purpose
from customers.models import Customer
from notifications import jobs
from notifications.models import Delivery, Message, ProviderAccount, Submission
from notifications.services import sending, switch
from tests import cast
from tests.faults import oracle, storms, work
from tests.gateway import ROOT, wait_until
from tests.notifications.test_caps import move_clock
from tests.stories.watching import states, wait_for_sent

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
EVERYBODY = 1_000
SEND = "notifications.jobs.send_due"
READ_ONLY = """
CREATE FUNCTION disk_is_full() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER disk_is_full BEFORE UPDATE ON notifications_submission
    FOR EACH ROW WHEN (NEW.called_at IS NOT NULL AND OLD.called_at IS NULL) EXECUTE FUNCTION disk_is_full();
"""
WRITABLE = "DROP FUNCTION disk_is_full CASCADE"


def check(gateway, audience=EVERYBODY, **conditions):
    """All promises are kept for everything that was planned."""
    planned = dict.fromkeys(Message.objects.values_list("pk", flat=True), audience)
    oracle.satisfied(oracle.of_sandbox(gateway.ledger()), audience=planned, **conditions)


def work_off(environment: dict[str, str], queue: str) -> None:
    """Let a real worker do all that is on a queue."""
    subprocess.run(
        [sys.executable, "manage.py", "rqworker", queue, "--burst", "--verbosity", "0"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def environment(process_environment, gateway, empty_queue) -> dict[str, str]:
    """The environment of a worker that may call the gateway."""
    return process_environment | {"GATEWAY_PRIVATE_HOSTS": gateway.host}


def test_jobs_that_vanish_between_queue_and_worker_are_only_rings(
    account, gateway, noon, deploy, schedule, empty_queue
):
    cast.crowd(EVERYBODY)
    deploy("urgent", "bulk", "bulk", "default")

    def steal() -> bool:
        return bool(empty_queue.lpop("rq:queue:bulk"))

    with storms.raging(stolen=(0.3, steal)):
        (campaign,) = schedule("New Year")
        assert wait_until(lambda: storms.is_finished(campaign), seconds=60)

    check(gateway)
    assert states() == {"sent": EVERYBODY}


def test_a_hundred_rings_at_once_send_nothing_twice(account, gateway, noon, deploy):
    cast.crowd(EVERYBODY)
    work.plan(Purpose.MARKETING)
    deploy("urgent", "bulk", "bulk", "bulk", "default")

    for _ring in range(100):
        doorbell.ring(SEND, queue="bulk", names_queue=True)

    assert wait_until(lambda: states() == {"sent": EVERYBODY}, seconds=60)
    check(gateway)


def test_an_order_message_overtakes_two_hundred_messages_at_a_slow_gateway(account, gateway, noon, deploy):
    cast.crowd(5)
    for number in range(200):
        work.plan(Purpose.MARKETING, occasion=f"campaign-{number}")
    gateway.set(latency_ms=3_000)
    deploy("urgent", "bulk", "default")
    assert wait_until(Submission.objects.filter(status="called").exists, seconds=30)

    work.plan(Purpose.TRANSACTIONAL, occasion="order-1")
    entered_at = clock.now()

    order = Delivery.objects.filter(occasion="order-1", status="sent")
    assert wait_until(lambda: order.count() == 5, seconds=20)
    called_at = order.first().submission.called_at
    assert (called_at - entered_at).total_seconds() < 5
    assert Submission.objects.filter(status="queued", queue="bulk").exists()
    # Or the workers would go on with the rest for fifteen seconds before they end.
    switch.stop(now=clock.now())
    gateway.set(latency_ms=0)


def test_a_job_that_takes_too_long_leaves_its_calls_to_be_asked_about(account, gateway, noon, environment):
    cast.crowd(100)
    message = work.plan(Purpose.MARKETING)
    gateway.set(latency_ms=3_000)
    with Redis.from_url(environment["REDIS_URL"]) as redis:
        Queue("bulk", connection=redis, serializer=JSONSerializer).enqueue_call(
            SEND, kwargs={"queue": "bulk"}, timeout=1
        )
    work_off(environment, "bulk")
    gateway.set(latency_ms=0)

    work.finish(Purpose.MARKETING)

    oracle.satisfied(oracle.of_sandbox(gateway.ledger()), audience={message.pk: 100})
    assert len(gateway.ledger()) == 100
    assert work.states() == {"delivered": 100}


class Bomb:
    """Something that runs a command when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_jobs_of_older_code_and_hostile_ones_fail_and_the_next_one_works(
    account, gateway, noon, environment, empty_queue, tmp_path
):
    cast.crowd(50)
    work.plan(Purpose.MARKETING)
    line = Queue("bulk", connection=empty_queue, serializer=JSONSerializer)
    line.enqueue_call("notifications.jobs.a_name_of_last_year", kwargs={"campaign": 1})
    line.enqueue_call(SEND, kwargs={"an_argument_of_last_year": 1})
    hostile = line.enqueue_call(SEND, kwargs={"queue": "bulk"})
    empty_queue.hset(hostile.key, "data", pickle.dumps(Bomb(tmp_path / "exploded")))
    line.enqueue_call(SEND, kwargs={"queue": "bulk"})

    work_off(environment, "bulk")
    work_off(environment, "bulk")

    assert not (tmp_path / "exploded").exists()
    assert states() == {"sent": 50}


@pytest.fixture
def commits_that_last(transactional_db) -> Iterator[None]:
    """A database that keeps what was committed, as a shop's does; that of the tests forgets the last half second."""
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} SET synchronous_commit = on")
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} RESET synchronous_commit")


def test_a_database_that_is_killed_and_comes_back_loses_no_answer(
    account, gateway, noon, commits_that_last, deploy, launch, servers
):
    cast.crowd(EVERYBODY)
    gateway.set(latency_ms=300)
    deployment = deploy("urgent", "bulk", "bulk", "default")
    (campaign,) = launch("New Year")
    assert wait_for_sent(campaign, 50)

    try:
        postmaster = int((Places(servers).home / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGQUIT)
        assert wait_until(lambda: not Path(f"/proc/{postmaster}").exists(), seconds=20)
    finally:
        connection.close()
        embedded.start(servers, durable=False)
    storms.come_to_rest(deployment)

    check(gateway)
    assert set(states()) <= {"sent", "delivered"}


def test_nothing_is_handed_over_while_the_database_cannot_write(account, gateway, noon):
    cast.crowd(100)
    work.plan(Purpose.MARKETING)
    with connection.cursor() as cursor:
        cursor.execute(READ_ONLY)
    try:
        with pytest.raises(DatabaseError):
            jobs.send_due(queue="bulk")
        assert gateway.ledger() == []
    finally:
        with connection.cursor() as cursor:
            cursor.execute(WRITABLE)

    work.finish(Purpose.MARKETING)

    check(gateway, 100)
    assert work.states() == {"delivered": 100}


def test_somebody_who_holds_a_customers_row_for_long_holds_up_no_message(account, gateway, noon, process_environment):
    first = cast.crowd(100)[0]
    work.plan(Purpose.MARKETING)
    with psycopg.connect(process_environment["DATABASE_URL"]) as somebody:
        somebody.execute("SELECT * FROM customers_customer WHERE id = %s FOR UPDATE", [first])

        sending.drain("bulk", seconds=5, clock=clock.now)

        assert states() == {"sent": 100}


def test_an_unknown_message_of_one_account_never_goes_out_by_another(account, gateway, noon):
    cast.crowd(100)
    gateway.set(fault="drop_after")
    work.plan(Purpose.MARKETING)
    jobs.send_due(queue="bulk")
    gateway.set(fault="")
    ProviderAccount.objects.update(is_active=False)
    other = ProviderAccount.objects.get()
    other.pk, other.name, other.callback_token, other.is_active = None, "other", "token-of-other", True
    other.save()

    work.finish(Purpose.MARKETING)

    check(gateway, 100)
    assert len(gateway.ledger()) == 100
    assert not Submission.objects.filter(account=other).exists()
    assert Customer.objects.count() == 100
    move_clock(minutes=1)
