"""The past of each customer walked through: what becomes one message, and what the caps put off or leave out."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from notifications import caps
from notifications.choices import CapPolicy, CapWindow
from notifications.models import FrequencyCap
from notifications.quiet import Quiet

AT_ONCE = 2_000
# Whoever got one alone was held back by no cap and shared it with no other.
READ = """
SELECT place, step_id, key, customer_id, order_id, due_at, ended_at, sent_at, channel
FROM (
    SELECT *, count(*) OVER (PARTITION BY customer_id) AS among FROM past_due WHERE verdict = 'sent'
) several
WHERE among > 1 ORDER BY customer_id, due_at, key
"""
WRITE = """
UPDATE past_due p SET verdict = walked.verdict, sent_at = walked.sent_at
FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[]) AS walked(place, verdict, sent_at)
WHERE p.place = walked.place
"""


class Found(NamedTuple):
    """One fact of which a customer would have been told."""

    place: int
    step_id: int
    key: str
    customer_id: int
    order_id: int | None
    due_at: datetime
    ended_at: datetime | None
    sent_at: datetime
    channel: str


class Walked(NamedTuple):
    """What became of it, and when."""

    place: int
    verdict: str
    sent_at: datetime


@dataclass(frozen=True)
class Ways:
    """What a walk goes by: how long steps wait for others, the rules of each channel, the nights, and the policy."""

    waits: Mapping[int, timedelta]
    rules: Mapping[str, Sequence[FrequencyCap]]
    nights: Mapping[int, Quiet | None]
    cap_policy: str
    valid_for: timedelta
    zone: ZoneInfo

    @property
    def is_needed(self) -> bool:
        """Whether anything could come out otherwise than for each fact alone."""
        return any(self.waits.values()) or any(self.rules.values())


def walk(cursor: CursorWrapper, ways: Ways) -> None:
    """Walk through what each customer would have got, a customer at a time, and write down what changed."""
    changed: list[Walked] = []
    for found in _by_customer():
        merged = _merged(found, ways)
        going = [row for row in merged if row.verdict == "sent"]
        by_place = {row.place: row for row in found}
        messages = [by_place[row.place]._replace(sent_at=row.sent_at) for row in going]
        changed += [row for row in merged if row.verdict != "sent"]
        changed += [
            row
            for row in _capped(messages, ways)
            if (row.verdict, row.sent_at) != ("sent", by_place[row.place].sent_at)
        ]
    if changed:
        places, verdicts, moments = zip(*changed, strict=True)
        cursor.execute(WRITE, [list(places), list(verdicts), list(moments)])


def _by_customer() -> Iterator[list[Found]]:
    # By a cursor of the server: a shop's month has more rows than a worker should hold.
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(READ)
        rows = (Found(*row) for part in iter(lambda: cursor.fetchmany(AT_ONCE), []) for row in part)
        for _, found in groupby(rows, key=attrgetter("customer_id")):
            yield list(found)


def _merged(found: Sequence[Found], ways: Ways) -> list[Walked]:
    """Several orders that come due while the first waits become its message; the rest goes out at its moment."""
    walked: list[Walked] = []
    for step_id in dict.fromkeys(row.step_id for row in found):
        left = deque(row for row in found if row.step_id == step_id)
        wait = ways.waits.get(step_id, timedelta(0))
        while left:
            first = left[0]
            together = [left.popleft()]
            while wait and left and left[0].due_at <= first.due_at + wait:
                together.append(left.popleft())
            orders = {row.order_id for row in together if row.order_id}
            is_one = len(orders) > 1
            told = False
            for row in together:
                is_merged = is_one and row.order_id is not None and told
                told = told or row.order_id is not None
                walked.append(Walked(row.place, "merged" if is_merged else "sent", first.sent_at))
    return walked


def _capped(messages: Sequence[Found], ways: Ways) -> list[Walked]:
    """Each in its turn as it would have been sent: only what went out uses up a cap."""
    walked: list[Walked] = []
    sends: dict[int, deque[datetime]] = {}
    waiting = [(row.sent_at, row.due_at, row.key, row) for row in messages]
    heapify(waiting)
    while waiting:
        at, due_at, key, row = heappop(waiting)
        send_until = due_at + ways.valid_for
        if row.ended_at and row.ended_at <= at:
            walked.append(Walked(row.place, "settled", at))
            continue
        rules = ways.rules.get(row.channel, ())
        frees_at = max((_frees_at(rule, sends, at, ways.zone) for rule in rules), default=at)
        if frees_at <= at:
            for rule in rules:
                sends.setdefault(rule.pk, deque(maxlen=rule.limit)).append(at)
            walked.append(Walked(row.place, "sent", at))
            continue
        night = ways.nights.get(row.step_id)
        later = night.opens_at(frees_at) if night else frees_at
        if ways.cap_policy == CapPolicy.HOLD and later < send_until:
            heappush(waiting, (later, due_at, key, row))
        else:
            walked.append(Walked(row.place, "capped", at))
    return walked


def _frees_at(rule: FrequencyCap, sends: Mapping[int, deque[datetime]], at: datetime, zone: ZoneInfo) -> datetime:
    """When a rule lets the next one pass; `at` where it does now."""
    earlier = sends.get(rule.pk)
    if not earlier:
        return at
    gap_over = earlier[-1] + rule.minimum_gap if rule.minimum_gap else at
    if len(earlier) < rule.limit:
        return max(at, gap_over)
    if rule.window in LENGTHS:
        return max(at, gap_over, earlier[0] + LENGTHS[rule.window](rule.window_length))
    begins, ends = caps.calendar_window(rule.window, now=at, zone=zone)
    return max(at, gap_over, ends if earlier[0] >= begins else at)


LENGTHS: dict[str, Callable[[int], timedelta]] = {
    CapWindow.HOURS: lambda count: timedelta(hours=count),
    CapWindow.DAYS: lambda count: timedelta(days=count),
}
