"""Progress: where the deliveries of some messages stand; the parts add up at every moment."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection

from notifications.models import Message
from notifications.services import deliveries, gateways

# States in the order of the bar; `held` and `sending` are carved out of the stored `queued`.
STATES = [
    "delivered",
    "sent",
    "sending",
    "queued",
    "held",
    "unknown",
    "undelivered",
    "failed",
    "skipped",
    "canceled",
]
RATE_WINDOW = timedelta(seconds=30)


@dataclass(frozen=True)
class Part:
    """Deliveries in one state, and for one reason where there is one."""

    state: str
    reason: str
    count: int
    segments: int
    cost: Decimal


@dataclass
class Progress:
    """Where everything stands, how fast it moves and when it will be done."""

    total: int
    parts: list[Part] = field(default_factory=list)
    rate_per_second: float = 0.0
    calls_per_second: float = 0.0
    finishes_at: datetime | None = None

    def count(self, state: str) -> int:
        """The number of deliveries in a state."""
        return sum(part.count for part in self.parts if part.state == state)

    @property
    def cost(self) -> Decimal:
        """What has been handed over costs, in yuan."""
        return sum((part.cost for part in self.parts), Decimal(0))

    @property
    def remaining(self) -> int:
        """Deliveries that will still move by themselves."""
        return sum(self.count(state) for state in ("queued", "held", "sending"))


def progress(message_ids: Sequence[int], *, now: datetime) -> Progress:
    """Where the deliveries of some messages stand, in one statement and so in one snapshot."""
    ids = list(message_ids)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT status, reason, sum(count), sum(segments), sum(cost)
            FROM notifications_deliverytally WHERE message_id = ANY(%s)
            GROUP BY status, reason HAVING sum(count) <> 0
            UNION ALL
            SELECT 'in the air', '', coalesce(sum(size), 0), 0, 0
            FROM notifications_submission WHERE message_id = ANY(%s) AND status = 'called'
            UNION ALL
            SELECT 'held', 'cap', count(*), 0, 0
            FROM notifications_hold WHERE message_id = ANY(%s)
            UNION ALL
            SELECT 'held', held_for, sum(size), 0, 0
            FROM notifications_submission
            WHERE message_id = ANY(%s) AND status = 'queued' AND held_for <> '' AND send_after > %s
            GROUP BY held_for
            UNION ALL
            SELECT 'settled lately', '', coalesce(sum(size), 0), 0, 0
            FROM notifications_submission
            WHERE message_id = ANY(%s) AND status = 'settled' AND settled_at > %s
            """,
            [ids, ids, ids, ids, now, ids, now - RATE_WINDOW],
        )
        rows = [
            (state, reason, int(count), int(segments), cost)
            for state, reason, count, segments, cost in cursor.fetchall()
        ]
    return _assemble(rows, now)


def _assemble(rows: list[tuple], now: datetime) -> Progress:
    lately = sum(row[2] for row in rows if row[0] == "settled lately")
    in_the_air = sum(row[2] for row in rows if row[0] == "in the air")
    held = [row for row in rows if row[0] == "held" and row[2]]
    parts = []
    for state, reason, count, segments, cost in rows:
        if state == "queued":
            count -= in_the_air + sum(row[2] for row in held)
        if state in STATES and state != "held" and count:
            parts.append(Part(state, reason, count, segments, cost))
    parts += [Part("held", reason, count, 0, Decimal(0)) for _, reason, count, _, _ in held]
    if in_the_air:
        parts.append(Part("sending", "", in_the_air, 0, Decimal(0)))
    parts.sort(key=lambda part: (STATES.index(part.state), -part.count))
    found = Progress(total=sum(part.count for part in parts), parts=parts)
    found.rate_per_second = lately / RATE_WINDOW.total_seconds()
    if found.rate_per_second and found.remaining:
        found.finishes_at = now + timedelta(seconds=found.remaining / found.rate_per_second)
    return found


def foresee(found: Progress, message_ids: Sequence[int], *, now: datetime) -> Progress:
    """
    The same with the calls a second, and an end that the accounts' pace allows.

    Where each person's text is a call of its own, there are as many calls as messages.
    """
    if not found.remaining:
        return found
    messages = list(Message.objects.filter(pk__in=message_ids))
    paces = [pace for channel in {message.channel for message in messages} for pace in gateways.paces(channel)]
    fastest = sum(paces) if paces and all(paces) else None
    rate = found.rate_per_second or (fastest or 0.0)
    if fastest is not None:
        rate = min(rate, fastest)
    found.finishes_at = now + timedelta(seconds=found.remaining / rate) if rate else None
    one_by_one = [message.pk for message in messages if deliveries.is_personal(message)]
    found.calls_per_second = _calls_lately(message_ids, one_by_one, now) / RATE_WINDOW.total_seconds()
    return found


def _calls_lately(message_ids: Sequence[int], one_by_one: Sequence[int], now: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT coalesce(sum(CASE WHEN a.gateway = ANY(%s) AND s.message_id = ANY(%s) THEN s.size ELSE 1 END), 0)
            FROM notifications_submission s JOIN notifications_provideraccount a ON a.id = s.account_id
            WHERE s.message_id = ANY(%s) AND s.status = 'settled' AND s.settled_at > %s
            """,
            [
                [str(kind) for kind in deliveries.ONE_TEXT_PER_CALL],
                list(one_by_one),
                list(message_ids),
                now - RATE_WINDOW,
            ],
        )
        return int(cursor.fetchone()[0])
