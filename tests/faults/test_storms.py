"""Queues are wiped, workers killed, frozen and doubled while campaigns run: the promises hold in the ledger."""

import random
import signal
import subprocess
import threading
import time
from collections import Counter
from urllib.parse import urlsplit

import psutil
import pytest
import requests
from django.db import transaction
from redis import Redis

from config import programs
from customers import clock
from customers.choices import Channel, ConsentSource, Purpose
from customers.models import ClockOffset, ContactPoint
from customers.services import consent
from notifications import jobs
from notifications.models import FrequencyCap, Message, Submission
from notifications.services import gateways
from notifications.services.progress import progress
from tests import cast, registered
from tests.faults import oracle, storms, work
from tests.gateway import wait_until
from tests.gateways.aliyun import AliyunProcess
from tests.notifications.test_caps import move_clock
from tests.stories.watching import states, wait_for_sent

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
EVERYBODY = 1_000
WORKERS = ("urgent", "bulk", "bulk", "default")
SLOW_MS = 400


def check(gateway, audience=EVERYBODY, **conditions):
    """All promises are kept for everything that was planned."""
    planned = dict.fromkeys(Message.objects.values_list("pk", flat=True), audience)
    oracle.satisfied(oracle.of_sandbox(gateway.ledger()), audience=planned, **conditions)


def frozen_in_a_call(deployment, queue) -> list[psutil.Process]:
    """
    The work-horses of a queue, frozen while calls of theirs are in the air.

    Between the calls of one round and the next there are none for a moment, a work-horse may end before it is
    frozen, and another may begin: what is still in the air when every call must have been answered is theirs.
    """
    calls = Submission.objects.filter(status="called")
    for _try in range(20):
        assert wait_until(calls.exists, every=0.005)
        frozen = [process for process in deployment.horses(queue) if suspended(process)]
        begun = set(calls.values_list("pk", flat=True))
        time.sleep(2 * SLOW_MS / 1000)
        with transaction.atomic():
            # Answers that are being written down at this moment are locked, and no calls in the air.
            left = list(calls.filter(pk__in=begun).select_for_update(skip_locked=True))
        if frozen and left:
            return frozen
        for process in frozen:
            process.resume()
    raise AssertionError("No worker could be frozen in a call.")


def suspended(process: psutil.Process) -> bool:
    """Freeze a process; answers whether there still was one."""
    try:
        process.suspend()
    except psutil.NoSuchProcess:
        return False
    return True


def test_a_worker_frozen_beyond_its_lease_writes_nothing_false_when_it_wakes(account, gateway, noon, deploy, launch):
    cast.crowd(EVERYBODY)
    storms.without_brake()
    gateway.set(latency_ms=SLOW_MS)
    deployment = deploy(*WORKERS)
    launch("New Year")
    frozen = frozen_in_a_call(deployment, "bulk")
    move_clock(minutes=2)
    lost = Submission.objects.filter(status="lost")

    # The other workers of the timetable find what the frozen ones left; one of two is free for it.
    jobs.recover_lost()
    had_lost = lost.exists()
    for process in frozen:
        process.resume()
    storms.come_to_rest(deployment)

    assert had_lost
    check(gateway)
    assert set(states()) <= {"sent", "delivered", "not_taken"}


def test_a_frozen_and_then_a_full_queue_stop_nothing_for_good(account, gateway, noon, deploy, launch, valkey):
    cast.crowd(EVERYBODY)
    gateway.set(latency_ms=300)
    deployment = deploy(*WORKERS, REDIS_URL=valkey.url)
    (campaign,) = launch("New Year")
    in_hand = Submission.objects.filter(status__in=["leased", "called"])

    assert wait_for_sent(campaign, 100)
    valkey.signal(signal.SIGSTOP)
    assert wait_until(lambda: not in_hand.exists(), seconds=30)
    valkey.signal(signal.SIGCONT)
    with Redis.from_url(valkey.url) as redis:
        redis.config_set("maxmemory-policy", "noeviction")
        redis.config_set("maxmemory", 1)
        assert wait_until(lambda: not in_hand.exists(), seconds=30)
        redis.config_set("maxmemory", 0)

    assert wait_until(lambda: storms.is_finished(campaign), seconds=90), deployment.said()
    check(gateway)
    assert states() == {"sent": EVERYBODY}


def test_three_timetables_and_three_workers_start_and_send_everything_once(
    account, gateway, noon, deploy, schedule, process_environment
):
    cast.crowd(EVERYBODY)
    deploy("urgent", "bulk", "bulk", "bulk", "default")
    line = programs.scheduler()
    more = [subprocess.Popen(line.command, cwd=line.directory, env=process_environment) for _ in range(2)]

    both = schedule("New Year", "Spring Festival")

    assert wait_until(lambda: storms.is_finished(*both), seconds=60)
    for process in more:
        process.terminate()
        process.wait(20)
    check(gateway)
    assert states() == {"sent": 2 * EVERYBODY}
    assert Message.objects.count() == 2


def test_five_campaigns_share_one_message_a_day_across_midnight(account, gateway, noon, deploy):
    crowd = 120
    cast.crowd(crowd)
    FrequencyCap.objects.create(name="每天一条", limit=1, window="calendar_day")
    deployment = deploy("urgent", "urgent", "urgent", "bulk", "default")
    now = clock.now().astimezone(clock.shop_zone())
    until_midnight = now.replace(hour=23, minute=59, second=57) - now
    move_clock(seconds=until_midnight.total_seconds())
    for number in range(5):
        work.plan(Purpose.SERVICE, occasion=f"campaign-{number}", days=7, cap_policy="hold")

    # The first and the second day meet while three workers send; how much of it goes out on which is theirs.
    assert wait_until(lambda: len(gateway.numbers()) >= crowd, seconds=60), deployment.said()
    for _day in range(6):
        assert wait_until(storms.is_quiet, seconds=60), deployment.said()
        if len(gateway.numbers()) >= 5 * crowd:
            break
        move_clock(days=1)
        jobs.recover_lost()
        for _worker in range(3):
            storms.ring("notifications.jobs.send_due", queue="urgent")

    check(gateway, crowd, all_reached=True)
    assert Counter(Counter(gateway.numbers()).values()) == {5: crowd}


def test_who_opts_out_while_a_campaign_runs_gets_nothing_later_than_one_call(account, gateway, noon, deploy, launch):
    cast.crowd(EVERYBODY)
    gateway.set(latency_ms=200)
    storms.without_brake()
    deploy(*WORKERS)
    (campaign,) = launch("New Year")
    numbers = list(ContactPoint.objects.order_by("?").values_list("address", flat=True)[:200])

    assert wait_for_sent(campaign, 50)
    opted_out = {}
    for number in numbers:
        consent.withdraw_everywhere(number, channel=Channel.SMS, source=ConsentSource.REPLY, now=clock.now())
        opted_out[number] = clock.now()
    assert wait_until(lambda: storms.is_finished(campaign), seconds=60)

    check(gateway, opted_out=opted_out)
    assert set(states()) <= {"sent", "opted_out"}


@pytest.fixture
def aliyun(tmp_path, noon, settings):
    """A local Aliyun whose calendar is the shop's, and which approves texts at once."""
    service = AliyunProcess(tmp_path / "aliyun")
    service.set(offset=ClockOffset.objects.get().offset.total_seconds())
    settings.GATEWAY_PRIVATE_HOSTS = [service.host]
    yield service
    service.stop()


def test_dropped_answers_wiped_queues_and_killed_workers_end_in_an_exact_ledger(noon, aliyun, deploy):
    crowd = 3_000
    cast.crowd(crowd)
    storms.without_brake()
    account = registered.account_at(aliyun, is_sandbox=True, batch_size=20)
    deployment = deploy(*WORKERS, GATEWAY_PRIVATE_HOSTS=aliyun.host)
    aliyun.set(drop_percent=5, latency_ms=500)

    with storms.raging(
        wiped=(3, storms.wipe(deployment.redis_url)),
        killed=(5, storms.kill(lambda: deployment.horses("bulk"))),
    ) as storm:
        message = work.plan(Purpose.MARKETING, approved_by=account)
        assert wait_until(lambda: storm.done["wiped"] >= 2 and storm.done["killed"] >= 1, seconds=60)
    aliyun.set(drop_percent=0, latency_ms=0, receipt="3")
    storms.come_to_rest(deployment)

    oracle.satisfied(oracle.of_aliyun(aliyun.ledger()), audience={message.pk: crowd})
    assert set(states()) <= {"sent", "delivered", "not_taken", "not_found"}
    assert not storms.in_doubt()


def test_receipts_that_never_came_are_fetched(account, gateway, noon):
    cast.crowd(EVERYBODY)
    message = work.plan(Purpose.MARKETING)
    jobs.send_due(queue="bulk")
    assert states() == {"sent": EVERYBODY}

    move_clock(minutes=25)
    jobs.reconcile()

    check(gateway)
    assert work.states() == {"delivered": EVERYBODY}
    assert seen_total(message) == EVERYBODY


class Carrier(threading.Thread):
    """Reports what stands in the ledger before the gateway answers: four times, in any order."""

    def __init__(self, gateway, url: str, seed: int):
        super().__init__(daemon=True)
        self.gateway, self.url, self.chance = gateway, url, random.Random(seed)
        self.is_over = threading.Event()
        self.pushed = 0

    def run(self) -> None:
        """Look into the ledger again and again."""
        known = 0
        while not self.is_over.wait(0.02):
            fresh = self.gateway.ledger()[known:]
            known += len(fresh)
            told = [{"reference": it["reference"], "number": it["number"], "status": "delivered"} for it in fresh] * 4
            self.chance.shuffle(told)
            for start in range(0, len(told), 30):
                with requests.Session() as session:
                    session.trust_env = False
                    answer = session.post(self.url, json=told[start : start + 30], timeout=20)
                    self.pushed += answer.status_code == 200


def test_receipts_before_the_answers_four_times_and_shuffled_count_once(account, gateway, noon, deploy, live_server):
    cast.crowd(400)
    gateway.set(latency_ms=600)
    carrier = Carrier(gateway, live_server.url + urlsplit(gateways.callback_url(account.callback_token)).path, seed=7)
    carrier.start()
    deployment = deploy("urgent", "bulk", "default")
    message = work.plan(Purpose.MARKETING)

    assert wait_until(lambda: work.states() == {"delivered": 400}, seconds=60, every=0.3), deployment.said()
    carrier.is_over.set()
    carrier.join()

    assert carrier.pushed
    check(gateway, 400)
    assert seen_total(message) == 400


def seen_total(message) -> int:
    """How many people the page of a message counts."""
    return progress([message.pk], now=clock.now()).total
