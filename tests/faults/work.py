"""Work as the deployment does it: a real worker that may die at a named point, and jobs that take up the rest."""

import subprocess
import sys
from collections import Counter
from datetime import timedelta

from redis import Redis
from rq import Queue
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer

from customers import clock
from customers.choices import Purpose
from customers.models import Customer
from notifications import jobs
from notifications.models import Delivery, Message, ProviderAccount
from notifications.services import deliveries, messages, registrations
from tests import cast
from tests.gateway import ROOT
from tests.notifications.test_caps import move_clock

PATIENCE = 60
# When the provider is asked what became of a call: after two minutes, and again eight later.
STEPS = (2, 2, 8, 2)


def plan(
    purpose: str,
    *,
    occasion: str = "occasion-1",
    days: float = 0.2,
    approved_by: ProviderAccount | None = None,
    **columns,
) -> Message:
    """A message to everybody, ready to be sent, and approved where the account wants that."""
    now = clock.now()
    template = cast.template('{{ name or "顾客" }}，您的订单有新进展', purpose=purpose, name=f"{purpose} {occasion}")
    if approved_by:
        registrations.hand_in(template, approved_by, by=None, now=now)
        registrations.sync(now=now)
    message = messages.freeze(
        template,
        name=occasion,
        price="0.045",
        send_after=now,
        send_until=now + timedelta(days=days),
        by=None,
        now=now,
        **columns,
    )
    deliveries.plan(message, Customer.objects.present(), occasion=occasion, now=now)
    return message


def work_until_it_dies(environment: dict[str, str], job: str, *, on: str, point: str, **arguments) -> None:
    """Let a real worker take a job and die in it at a point; it must have died."""
    with Redis.from_url(environment["REDIS_URL"]) as redis:
        line = Queue(on, connection=redis, serializer=JSONSerializer)
        failed = FailedJobRegistry(queue=line)
        before = failed.count
        line.enqueue_call(job, kwargs=arguments, failure_ttl=600)
        told = subprocess.run(
            [sys.executable, "manage.py", "rqworker", on, "--burst", "--verbosity", "0"],
            cwd=ROOT,
            env=environment | {"HONGYAN_CRASH_AT": point},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert failed.count == before + 1, f"No process died at {point}. {told.stdout} {told.stderr}"


def finish(purpose: str) -> None:
    """Let time pass, and the living do what is due, until providers were asked twice about everything."""
    for minutes in STEPS:
        move_clock(minutes=minutes)
        jobs.recover_lost()
        jobs.reconcile()
        jobs.send_due(queue=Purpose(purpose).queue)


def states() -> Counter:
    """How many deliveries stand in each state, with its reason."""
    return Counter(" ".join(filter(None, pair)) for pair in Delivery.objects.values_list("status", "reason"))
