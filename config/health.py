"""What a monitor asks: does the process live, and is the whole deployment able to send."""

from collections.abc import Callable
from datetime import timedelta

from django.db import Error as DatabaseError
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis import RedisError
from rq.cron_scheduler_registry import get_registry_key

from config import servers
from customers import clock, doorbell
from notifications.models import Heartbeat

QUEUES = ("urgent", "bulk", "default")
# A worker that is busy with one long batch is late, not dead.
QUIET_AFTER = timedelta(seconds=60)


@never_cache
@require_safe
def alive(request: HttpRequest) -> JsonResponse:
    """Answer as long as the process does."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """
    Answer 200 when messages can be sent, otherwise 503 with a reason for each part that fails.

    What works and breaks a promise one day is told as a warning.
    """
    problems = find_problems()
    parts = {part: problems.get(part, "ok") for part in ("database", "queue", "scheduler", "workers")}
    parts |= {"warnings": servers.sentences()}
    return JsonResponse({"status": "unavailable" if problems else "ok", **parts}, status=503 if problems else 200)


def find_problems() -> dict[str, str | dict[str, str]]:
    """Each part of the deployment that does not work, with the reason."""
    problems = {}
    checks: dict[str, Callable] = {
        "database": _database,
        "queue": _queue,
        "scheduler": _scheduler,
        "workers": _workers,
    }
    for part, check in checks.items():
        if problem := check():
            problems[part] = problem
    return problems


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "PostgreSQL does not answer. Check that it runs and that DATABASE_URL is right."
    return ""


def _queue() -> str:
    try:
        doorbell.connection().ping()
    except (RedisError, OSError):
        return "Redis does not answer. Check that it runs and that REDIS_URL is right."
    return ""


def _scheduler() -> str:
    try:
        redis = doorbell.connection()
        seconds, _micro = redis.time()
        newest = redis.zrevrange(get_registry_key(), 0, 0, withscores=True)
    except (RedisError, OSError):
        return "Unknown while Redis does not answer."
    if not newest or seconds - newest[0][1] > QUIET_AFTER.total_seconds():
        return "No scheduler runs. Start one with: manage.py rqcron config.cron"
    return ""


def _workers() -> dict[str, str]:
    """Reasons by queue. Read from the database, because a wiped Redis forgets workers that are well."""
    try:
        quiet = _quiet_queues()
    except DatabaseError:
        return dict.fromkeys(QUEUES, "Unknown while PostgreSQL does not answer.")
    return {
        queue: f"No worker has taken a job for a minute. Start one with: manage.py rqworker {queue}" for queue in quiet
    }


def _quiet_queues() -> list[str]:
    # Not only the past: after the shop's clock was set back, old heartbeats lie in the future.
    now = clock.now()
    lively = Heartbeat.objects.filter(at__range=(now - QUIET_AFTER, now + QUIET_AFTER))
    seen = set(lively.values_list("name", flat=True))
    return [queue for queue in QUEUES if queue not in seen]
