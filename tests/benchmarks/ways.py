"""Three ways to send the same text to the same people: ours, a job per message, and django-post_office."""

import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Protocol

import psutil
from django.db import connection
from post_office import mail
from post_office.models import Email, EmailTemplate
from redis import Redis
from rq import Queue

from customers import clock, doorbell
from customers.models import Customer
from notifications.models import Delivery, Message, Submission
from notifications.services import deliveries, messages
from tests.benchmarks import measuring, people, texts
from tests.benchmarks.rivals.gateway_call import GATEWAY_VARIABLE
from tests.benchmarks.rivals.models import Recipient
from tests.benchmarks.rivals.one_job_per_message import send_one
from tests.gateway import ROOT, Gateway, wait_until
from tests.stories.deployment import Deployment

WORKERS = 2
PATIENCE = 600
LOOKED_EVERY = 0.02
SENT_TABLES = (
    *("notifications_delivery", "notifications_submission", "notifications_deliverytally"),
    *("notifications_recentsends", "notifications_hold"),
)


class Way(Protocol):
    """One way to send. What costs is measured from go() to the end of wait()."""

    def start(self) -> None:
        """Start the processes, so that their own start costs nothing."""

    def prepare(self, count: int) -> None:
        """Write down what shall be sent to the first so many customers."""

    def go(self) -> None:
        """Let the processes begin."""

    def wait(self) -> None:
        """Return when the last state is stored."""

    def sent(self) -> int:
        """How many different people are noted as written to."""

    def roots(self) -> list[psutil.Process]:
        """The processes that send."""

    def stop(self) -> None:
        """End the processes."""


class Ours:
    """The full path: consent, caps, quiet hours, late checks, settling; processes as `up` starts them."""

    name = "Hongyan"

    def __init__(self, folder: Path, gateway: Gateway):
        self.deployment = Deployment(
            folder, dict(os.environ, DJANGO_SETTINGS_MODULE="config.settings", GATEWAY_PRIVATE_HOSTS=gateway.host)
        )
        self.message: Message | None = None

    def start(self) -> None:
        """Start two workers of the queue, and the timetable."""
        self.deployment.start(["bulk"] * WORKERS)

    def prepare(self, count: int) -> None:
        """Plan a message that is paused until the watch runs."""
        measuring.empty(*SENT_TABLES)
        self.message = people.message(f"Message {Message.objects.count()}")
        messages.pause([self.message.pk], now=clock.now())
        audience = Customer.objects.present().filter(id__lte=count)
        deliveries.plan(self.message, audience, occasion=f"benchmark-{self.message.pk}", now=clock.now())
        deliveries.analyze()

    def go(self) -> None:
        """Resume, and ring once for each worker."""
        messages.resume([self.message.pk])
        for _worker in range(WORKERS):
            doorbell.ring("notifications.jobs.send_due", queue="bulk", names_queue=True)

    def wait(self) -> None:
        """Until every submission is settled."""
        unsettled = Submission.objects.filter(status__in=["queued", "leased", "called"])
        assert wait_until(lambda: not unsettled.exists(), seconds=PATIENCE, every=LOOKED_EVERY), self.deployment.said()

    def sent(self) -> int:
        """The sent deliveries."""
        return Delivery.objects.filter(status="sent").values("customer").distinct().count()

    def roots(self) -> list[psutil.Process]:
        """The two workers; what they fork is below them."""
        return self.deployment.workers("bulk")

    def stop(self) -> None:
        """End them, the timetable too."""
        self.deployment.stop()


class JobPerMessage:
    """RQ as it is usually used, with the worker that does not fork."""

    name = "RQ job per message, SimpleWorker"

    def __init__(self, gateway: Gateway):
        self.environment = dict(os.environ) | {GATEWAY_VARIABLE: gateway.url}
        self.redis = Redis.from_url(os.environ["REDIS_URL"])
        self.queue = Queue("messages", connection=self.redis)
        self.workers: list[subprocess.Popen] = []

    def start(self) -> None:
        """Start two workers, and wait until they listen."""
        self.redis.flushall()
        command = [sys.executable, "-m", "tests.benchmarks.rivals.simple_worker", self.queue.name]
        self.workers = [subprocess.Popen(command, cwd=ROOT, env=self.environment) for _worker in range(WORKERS)]
        assert wait_until(lambda: self.redis.scard("rq:workers") == WORKERS, seconds=PATIENCE)

    def prepare(self, count: int) -> None:
        """Write the recipients."""
        _write_recipients(count)

    def go(self) -> None:
        """Put the jobs on the queue; that is a thirtieth of their time."""
        self.queue.enqueue_many(
            [
                Queue.prepare_data(send_one, kwargs={"recipient_id": key, "reference": uuid.uuid4().hex}, result_ttl=0)
                for key in Recipient.objects.values_list("pk", flat=True)
            ]
        )

    def wait(self) -> None:
        """Until every state is stored."""
        unsent = Recipient.objects.filter(status="queued")
        assert wait_until(lambda: not unsent.exists(), seconds=PATIENCE, every=LOOKED_EVERY)

    def sent(self) -> int:
        """The recipients that have a number of the gateway."""
        return Recipient.objects.exclude(provider_id="").filter(status="sent").count()

    def roots(self) -> list[psutil.Process]:
        """The two workers."""
        return [psutil.Process(worker.pid) for worker in self.workers]

    def stop(self) -> None:
        """End the workers."""
        _end(self.workers)


class PostOffice:
    """django-post_office: its own batches, templates and processes, with a backend that calls the gateway."""

    name = "django-post_office"

    def __init__(self, folder: Path, gateway: Gateway):
        self.environment = dict(os.environ) | {GATEWAY_VARIABLE: gateway.url}
        self.lock = folder / "post_office"
        self.sender: subprocess.Popen | None = None

    def start(self) -> None:
        """Start its command, up to the moment before it sends."""
        self.sender = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.rivals.post_office_sender", str(self.lock)],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._hear("ready")

    def prepare(self, count: int) -> None:
        """Queue one e-mail for each customer."""
        Email.objects.all().delete()
        template, _created = EmailTemplate.objects.get_or_create(name="greeting", content=texts.DJANGO_TEXT)
        found = Customer.objects.filter(id__lte=count, contact_points__channel="sms")
        mail.send_many(
            [
                {
                    "recipients": [f"{number}@sms.example.com"],
                    "sender": "shop@example.com",
                    "template": template,
                    "context": {"name": name},
                    "render_on_delivery": True,
                }
                for name, number in found.values_list("name", "contact_points__address")
            ]
        )

    def go(self) -> None:
        """Say the word."""
        self.sender.stdin.write("go\n")
        self.sender.stdin.flush()

    def wait(self) -> None:
        """Until it says that it is done."""
        self._hear("done")

    def sent(self) -> int:
        """The e-mails noted as sent."""
        return Email.objects.filter(status=0).count()

    def roots(self) -> list[psutil.Process]:
        """Its command, with the processes below it."""
        return [psutil.Process(self.sender.pid)]

    def stop(self) -> None:
        """It has ended by itself, or is ended."""
        self.sender.stdin.close()
        _end([self.sender])
        self.sender.stdout.close()

    def _hear(self, word: str) -> None:
        line = self.sender.stdout.readline().strip()
        if line != word:
            raise RuntimeError(f"The sender of post_office said {line!r} in place of {word!r}.")


def _write_recipients(count: int) -> None:
    measuring.empty(Recipient._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {Recipient._meta.db_table} (name, number) SELECT c.name, p.address"
            " FROM customers_customer c JOIN customers_contactpoint p ON p.customer_id = c.id AND p.channel = 'sms'"
            " WHERE c.id <= %s",
            [count],
        )


def _end(processes: list[subprocess.Popen]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(timeout=60)
