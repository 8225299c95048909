"""Read-only numbers about calls: how fast customers were called, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Count

from customers.models import FollowUp

# One pass for the total, each reason and each owner; a call that nobody made yet has no time to measure.
SPEED = """
SELECT GROUPING(reason, owner_id), reason, owner_id, count(*), count(*) FILTER (WHERE called_at IS NULL),
       count(*) FILTER (WHERE called_at > due_at),
       percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (
           ORDER BY extract(epoch FROM greatest(called_at - created_at, interval '0'))
       ) FILTER (WHERE called_at IS NOT NULL)
FROM customers_followup
WHERE created_at > %s
GROUP BY GROUPING SETS ((), (reason), (owner_id))
ORDER BY 1, 4 DESC
"""
EVERYTHING, BY_OWNER, BY_REASON = 3, 2, 1


@dataclass(frozen=True)
class Speed:
    """How fast the calls of one kind were made; times are None where none was."""

    key: str | int | None
    opened: int
    uncalled: int
    late: int
    median: timedelta | None
    slow: timedelta | None


def speed(since: datetime) -> tuple[Speed | None, list[Speed], list[Speed]]:
    """The time to the first call of all calls opened since, by reason and by owner; the most frequent first."""
    with connection.cursor() as cursor:
        cursor.execute(SPEED, [since])
        rows = cursor.fetchall()
    everything = [_speed(None, row) for row in rows if row[0] == EVERYTHING and row[3]]
    by_reason = [_speed(row[1], row) for row in rows if row[0] == BY_REASON]
    by_owner = [_speed(row[2], row) for row in rows if row[0] == BY_OWNER]
    return (everything[0] if everything else None), by_reason, by_owner


def outcomes(since: datetime) -> list[tuple[str, str, int]]:
    """How the calls opened since ended: status, outcome and how many, the most frequent first."""
    rows = FollowUp.objects.filter(created_at__gt=since).exclude(status="open")
    return list(rows.values_list("status", "outcome").annotate(count=Count("pk")).order_by("-count"))


def _speed(key: str | int | None, row: Sequence) -> Speed:
    times = [timedelta(seconds=seconds) for seconds in row[6] or () if seconds is not None]
    median, slow = times if len(times) == 2 else (None, None)
    return Speed(key, row[3], row[4], row[5], median, slow)
