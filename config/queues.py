"""How RQ works here: arguments as JSON, lost jobs noticed soon, no database connection shared with a fork."""

import gc
import logging
from importlib import import_module

import rq
from django.apps import apps
from django.db import DatabaseError, connection
from django.utils.module_loading import module_has_submodule
from django_rq.cron import DjangoCronScheduler
from django_rq.utils import reset_db_connections
from redis import Redis
from rq.cron import CronJob
from rq.executions import Execution
from rq.job import Job
from rq.serializers import JSONSerializer

from config import safe_mode
from customers import clock
from notifications.models import Heartbeat

logger = logging.getLogger(__name__)

# An idle worker looks after lost jobs only between two waits, which last worker_ttl - 15 seconds: 405 s by default.
WORKER_TTL = 30
MAINTENANCE_INTERVAL = 15
OBJECTS_BETWEEN_COLLECTIONS = 100_000
# Ticks that nobody took are not worth more than one: a queue without workers must not fill Redis.
MOST_WAITING_TICKS = 20


class Worker(rq.Worker):
    """A worker with our time-outs, whichever command starts it."""

    def __init__(self, *args, **options):
        options |= {
            "serializer": JSONSerializer,
            "worker_ttl": WORKER_TTL,
            "maintenance_interval": MAINTENANCE_INTERVAL,
        }
        super().__init__(*args, **options)

    def work(self, *args, **options) -> bool:
        """Work, with all that jobs import loaded before the first fork, and out of the garbage collector's sight."""
        for app in apps.get_app_configs():
            if module_has_submodule(app.module, "jobs"):
                import_module(f"{app.name}.jobs")
        gc.collect()
        gc.freeze()
        # A batch makes tens of thousands of small objects and no cycles: looking for some took 7 % of a worker's time.
        gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, 50, 100)
        return super().work(*args, **options)

    def fork_work_horse(self, job: Job, queue: rq.Queue) -> None:
        """Fork without connections: two processes on one would read each other's answers."""
        reset_db_connections()
        super().fork_work_horse(job, queue)

    def perform_job(self, job: Job, queue: rq.Queue, execution: Execution) -> bool:
        """Note that the queue is served, see whether the database is still the one it was, then run the job."""
        _beat(queue.name)
        _look_at_the_database()
        return super().perform_job(job, queue, execution)

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        """Every half minute of a long job: an import of a million rows is busy, not dead."""
        super().maintain_heartbeats(job, execution)
        _beat(job.origin)
        connection.close()


class Tick(CronJob):
    """One line of the timetable."""

    def enqueue(self, connection: Redis) -> Job | None:
        """Put the job on its queue as JSON, unless the queue is full of earlier ones."""
        queue = rq.Queue(self.queue_name, connection=connection, serializer=JSONSerializer)
        if queue.count >= MOST_WAITING_TICKS:
            return None
        return queue.enqueue_call(self.func_name, kwargs=self.kwargs, **_call_options(self.job_options))


class Timetable(DjangoCronScheduler):
    """The scheduler of rqcron, with ticks of our own."""

    def register(self, func, queue_name: str, **options) -> CronJob:
        """Add a line; the class decides on the connection, and the line is replaced by ours."""
        line = super().register(func, queue_name, **options)
        self._cron_jobs[-1] = Tick(
            queue_name,
            func=func,
            kwargs=line.kwargs,
            interval=line.interval,
            cron=line.cron,
            name=line.name,
            **line.job_options,
        )
        return self._cron_jobs[-1]


def _beat(queue: str) -> None:
    try:
        Heartbeat.objects.beat(queue, now=clock.now())
    except DatabaseError as trouble:
        # The job itself will say so; a worker that ends here would only be missing when the database is back.
        logger.warning("No heartbeat for the queue %s: %s", queue, trouble)


def _look_at_the_database() -> None:
    try:
        safe_mode.look(now=clock.now())
    except DatabaseError as trouble:
        # Without an answer nothing is leased either.
        logger.warning("The database could not be looked at: %s", trouble)


def _call_options(job_options: dict) -> dict:
    """Translate the words of CronJob into those of enqueue_call."""
    renamed = dict(job_options)
    renamed["timeout"] = renamed.pop("job_timeout", None)
    return renamed
