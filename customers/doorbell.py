"""The one way to nudge a queue: "look, there is work". What the work is stands in the database."""

import logging
from functools import cache

from django.conf import settings
from django.db import transaction
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer

logger = logging.getLogger(__name__)

# A ring that nobody heard for ten minutes is stale: the timetable has found the work since.
RING_TTL = 600
RESULT_TTL = 60
FAILURE_TTL = 24 * 60 * 60


def ring(job: str, *, queue: str, names_queue: bool = False, **ids: int | str) -> bool:
    """
    Ask a queue to run a job, once the open transaction is committed.

    `names_queue` tells the queue to a job that serves several. Returns False when the queue does not answer.
    Nothing is lost then: the timetable finds the work in the database, and the page says that sending will
    start later.
    """
    if names_queue:
        ids["queue"] = queue
    if not transaction.get_connection().in_atomic_block:
        return _enqueue(job, queue, ids)
    answers = _reached(lambda: connection().ping(), job)
    transaction.on_commit(lambda: _enqueue(job, queue, ids))
    return answers


@cache
def connection() -> Redis:
    """
    A client for pages: an answer within a second, or none.

    The client's defaults cost a click 5 s when Redis is down and more than 40 s when it is frozen.
    """
    return Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=0.5, socket_timeout=1, retry=Retry(NoBackoff(), 0)
    )


def _enqueue(job: str, queue: str, ids: dict[str, int | str]) -> bool:
    timeout = settings.RQ_QUEUES[queue]["DEFAULT_TIMEOUT"]
    line = Queue(queue, connection=connection(), serializer=JSONSerializer)
    return _reached(
        lambda: line.enqueue_call(
            job, kwargs=ids, timeout=timeout, ttl=RING_TTL, result_ttl=RESULT_TTL, failure_ttl=FAILURE_TTL
        ),
        job,
    )


def _reached(call, job: str) -> bool:
    try:
        call()
    except (RedisError, OSError) as trouble:
        logger.warning("The queue does not answer; %s waits for the timetable: %s", job, trouble)
        return False
    return True
