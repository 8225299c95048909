"""What hits a deployment while it sends: wiped queues, killed workers, cut connections, frozen processes."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager, suppress

import psutil
from django.db import connection
from redis import Redis, RedisError

from campaigns.models import Campaign
from customers import clock, doorbell
from notifications.models import BrakeRule, Delivery, Submission
from tests.gateway import wait_until
from tests.notifications.test_caps import move_clock
from tests.stories import watching
from tests.stories.deployment import Deployment

# Two looks at everything doubtful, as the timetable takes them.
LOOKS = (2, 2, 8, 3, 61)
RING_EVERY = 1.0
# What the timetable starts every ten seconds: rung for, it costs a test one second each time instead.
CLEANING = (("notifications.jobs.recover_lost", "bulk"), ("notifications.jobs.reconcile", "default"))


class Storm(threading.Thread):
    """Does things to a deployment, each again and again after so many seconds, until it is over."""

    def __init__(self, **every: tuple[float, Callable[[], bool | None]]):
        super().__init__(daemon=True)
        self.every = every
        self.done: Counter[str] = Counter()
        self.is_over = threading.Event()

    def run(self) -> None:
        """Strike whenever the time has come."""
        due = {name: time.monotonic() + seconds for name, (seconds, _strike) in self.every.items()}
        try:
            while not self.is_over.wait(0.05):
                for name, (seconds, strike) in self.every.items():
                    if time.monotonic() >= due[name]:
                        self.done[name] += strike() is not False
                        due[name] = time.monotonic() + seconds
        finally:
            connection.close()


@contextmanager
def raging(**every: tuple[float, Callable[[], bool | None]]):
    """A storm for as long as the block runs."""
    storm = Storm(**every)
    storm.start()
    try:
        yield storm
    finally:
        storm.is_over.set()
        storm.join()


def wipe(url: str) -> Callable[[], bool]:
    """Wipes the queue."""

    def strike() -> bool:
        try:
            with Redis.from_url(url) as redis:
                return redis.flushall()
        except RedisError:
            return False

    return strike


def kill(candidates: Callable[[], list[psutil.Process]]) -> Callable[[], bool]:
    """Kills one of some processes, if there is one."""

    def strike() -> bool:
        for process in candidates()[:1]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
                return True
        return False

    return strike


def cut_others() -> Callable[[], None]:
    """Ends every connection to the database but the storm's own and that of the one who asks."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        spared = cursor.fetchone()[0]

    def strike() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid NOT IN (pg_backend_pid(), %s)",
                [spared],
            )

    return strike


def without_brake() -> None:
    """Let errors stop nothing: half of what these gateways answer is an error, and staff are asleep."""
    BrakeRule.objects.update_or_create(id=1, defaults={"error_percent": None})


def is_quiet() -> bool:
    """Whether nothing waits that could go out, and nothing is in a worker's hands."""
    now = clock.now()
    due = Submission.objects.filter(status="queued", send_after__lte=now).exists()
    return not due and not Submission.objects.filter(status__in=["leased", "called"]).exists()


def come_to_rest(deployment: Deployment, *, seconds: float = 90) -> None:
    """Let the living finish what they can, and time pass until providers were asked about all that is in doubt."""
    waiting = Submission.objects.filter(status="queued", send_after__lte=clock.now())
    assert wait_until(lambda: not waiting.exists(), seconds=seconds), deployment.said()[-4000:]
    for minutes in LOOKS:
        move_clock(minutes=minutes)
        assert wait_until(_Cleaning().is_over, seconds=seconds), deployment.said()[-4000:]
        if not Delivery.objects.filter(status="unknown").exists() and is_quiet():
            return


class _Cleaning:
    """Rings for those who clean up, once a second, until nobody waits and nothing is to be asked."""

    def __init__(self):
        self.rung_at = 0.0

    def is_over(self) -> bool:
        if is_quiet() and not _due_to_be_asked():
            return True
        if time.monotonic() > self.rung_at + RING_EVERY:
            self.rung_at = time.monotonic()
            for job, queue in CLEANING:
                doorbell.ring(job, queue=queue)
        return False


def ring(job: str, *, queue: str) -> None:
    """Have a job done now that the timetable would start within seconds."""
    doorbell.ring(job, queue=queue, names_queue=job.endswith("send_due"))


def _due_to_be_asked() -> bool:
    return Submission.objects.filter(ask_at__lte=clock.now()).exists()


def is_finished(*campaigns: Campaign) -> bool:
    """Whether all of them are over; rings for who says so, once nothing of them waits."""
    if watching.is_finished(*campaigns):
        return True
    if is_quiet():
        ring("campaigns.jobs.finish_done", queue="urgent")
    return False


def in_doubt() -> int:
    """Of how many messages nobody knows what became of them."""
    return Delivery.objects.filter(status="unknown").count()


def is_quiet_of_queued() -> bool:
    """Whether nothing waits any more that could go out now."""
    return not Submission.objects.filter(status="queued", send_after__lte=clock.now()).exists()
