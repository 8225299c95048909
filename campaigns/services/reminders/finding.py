"""
Finding what comes due: one statement for each step of a reminder, by an index on the moment it counts from.

What it reads is in proportion to what came due while the reminder is of use, and not to what exists.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.backends.utils import CursorWrapper

from campaigns import segmentation
from campaigns.choices import FirstOrder, ReminderTrigger
from campaigns.models import Reminder, ReminderStep
from customers import clock
from customers.choices import OrderStatus
from notifications import stops
from notifications.services import deliveries

# What one look takes of a step; the rest is there at the next, some seconds later.
AT_ONCE = 5_000
TABLE = """
CREATE TEMPORARY TABLE IF NOT EXISTS found_due (
    place bigint GENERATED ALWAYS AS IDENTITY, key text, customer_id bigint, order_id bigint, event_id bigint,
    event_due_at timestamptz, detail text, happened_at timestamptz, due_at timestamptz,
    outcome text, text_id bigint, occasion text, facts jsonb
) ON COMMIT DELETE ROWS;
TRUNCATE found_due;
"""

# Where each trigger looks: the moment it counts from, and the index range that holds it. %(low)s and %(high)s
# enclose that moment with a day to spare where an hour of the day decides.
SOURCES = {
    ReminderTrigger.STATUS_LASTS: """
        SELECT 'order-' || o.id || ':' || %(status)s AS key, o.customer_id, o.id AS order_id,
               NULL::bigint AS event_id, NULL::timestamptz AS event_due_at, '' AS detail, o.status_at AS happened_at
        FROM customers_order o
        WHERE o.status = %(status)s AND o.status_at > %(low)s AND o.status_at <= %(high)s
    """,
    ReminderTrigger.STATUS_REACHED: """
        SELECT 'order-' || o.id || ':' || %(status)s AS key, o.customer_id, o.id AS order_id,
               NULL::bigint AS event_id, NULL::timestamptz AS event_due_at, '' AS detail, reached.happened_at
        FROM (
            SELECT told.order_id, min(coalesce(told.happened_at, told.recorded_at)) AS happened_at
            FROM customers_orderchange told
            WHERE told.to_status = %(status)s AND told.from_status <> told.to_status
              AND coalesce(told.happened_at, told.recorded_at) > %(low)s
              AND coalesce(told.happened_at, told.recorded_at) <= %(high)s
            GROUP BY told.order_id
        ) reached JOIN customers_order o ON o.id = reached.order_id
    """,
    ReminderTrigger.EXCEPTION: """
        SELECT 'exception-' || wrong.id AS key, o.customer_id, o.id AS order_id, NULL::bigint AS event_id,
               NULL::timestamptz AS event_due_at, wrong.note AS detail, wrong.happened_at
        FROM customers_orderexception wrong JOIN customers_order o ON o.id = wrong.order_id
        WHERE wrong.kind = %(exception)s AND wrong.resolved_at IS NULL
          AND wrong.recorded_at > %(low)s AND wrong.happened_at <= %(high)s
    """,
    ReminderTrigger.PARCEL_STILL: """
        SELECT 'parcel-' || parcel.id || '-' || extract(epoch FROM parcel.moved_at)::bigint AS key, o.customer_id,
               o.id AS order_id, NULL::bigint AS event_id, parcel.moved_at AS event_due_at, '' AS detail,
               parcel.moved_at AS happened_at
        FROM customers_shipment parcel JOIN customers_order o ON o.id = parcel.order_id
        WHERE parcel.status IN ('shipped', 'in_transit', 'out_for_delivery')
          AND parcel.moved_at > %(low)s AND parcel.moved_at <= %(high)s
    """,
    ReminderTrigger.ORDER_DATE: """
        SELECT 'order-' || o.id || ':{date}' AS key, o.customer_id, o.id AS order_id, NULL::bigint AS event_id,
               NULL::timestamptz AS event_due_at, '' AS detail, o.{date} AS happened_at
        FROM customers_order o WHERE o.{date} > %(low)s AND o.{date} <= %(high)s
    """,
    ReminderTrigger.EVENT: """
        SELECT 'event-' || e.id AS key, e.customer_id, NULL::bigint AS order_id, e.id AS event_id,
               e.due_at AS event_due_at, '' AS detail, e.happened_at
        FROM customers_customerevent e
        WHERE e.kind = %(event)s AND e.closed_at IS NULL
          AND e.recorded_at > %(low)s AND e.happened_at <= %(high)s
    """,
    ReminderTrigger.EVENT_DATE: """
        SELECT 'event-' || e.id || '-' || extract(epoch FROM e.due_at)::bigint AS key, e.customer_id,
               NULL::bigint AS order_id, e.id AS event_id, e.due_at AS event_due_at, '' AS detail,
               e.due_at AS happened_at
        FROM customers_customerevent e
        WHERE e.kind = %(event)s AND e.closed_at IS NULL AND e.due_at > %(low)s AND e.due_at <= %(high)s
    """,
    ReminderTrigger.NOT_BOUGHT: """
        SELECT 'order-' || o.id || ':last' AS key, o.customer_id, o.id AS order_id, NULL::bigint AS event_id,
               NULL::timestamptz AS event_due_at, '' AS detail, o.ordered_at AS happened_at
        FROM customers_order o
        WHERE o.ordered_at > %(low)s AND o.ordered_at <= %(high)s AND o.status NOT IN ('unpaid', 'closed', '')
          AND o.customer_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM customers_order later
            WHERE later.customer_id = o.customer_id AND later.ordered_at > o.ordered_at
              AND later.status NOT IN ('unpaid', 'closed', '')
          )
    """,
}
# By a day's hour: the date of the moment in the shop's zone, some days on, at that hour.
AT_AN_HOUR = "((({moment} AT TIME ZONE %(zone)s)::date + %(days)s::int) + %(hour)s::time) AT TIME ZONE %(zone)s"
AFTER = "{moment} + %(delay)s"
BY_DATE = (ReminderTrigger.ORDER_DATE, ReminderTrigger.EVENT_DATE)
# What was found so long after its time is written down as too late: told to us late, or no worker was running.
LOOKED_BACK = timedelta(hours=2)
# What an index cannot know of the hour of the day.
A_DAY = timedelta(days=1)

KEEP = "INSERT INTO found_due (key, customer_id, order_id, event_id, event_due_at, detail, happened_at, due_at)"
FIND = """
SELECT found.key, found.customer_id, found.order_id, found.event_id, found.event_due_at, found.detail,
       found.happened_at, counted.due_at
FROM ({source}) found
CROSS JOIN LATERAL (SELECT {due_at} AS due_at) counted
LEFT JOIN customers_order o ON o.id = found.order_id
LEFT JOIN customers_customerevent e ON e.id = found.event_id
CROSS JOIN LATERAL (SELECT found.customer_id AS customer_id, found.happened_at AS created_at) d
CROSS JOIN LATERAL (SELECT found.order_id AS order_id, found.event_id AS event_id, found.event_due_at AS due_at) n
WHERE counted.due_at <= %(now)s AND counted.due_at > %(since)s
  AND counted.due_at >= greatest(%(activated)s, %(made)s)
  AND NOT EXISTS (
    SELECT FROM campaigns_reminderoccasion met WHERE met.step_id = %(step)s AND met.key = found.key
  )
  AND {stop} = ''
  {conditions}
ORDER BY counted.due_at, found.key LIMIT %(limit)s
"""
ORDERED = "ORDER BY counted.due_at"
CONDITIONS = {
    "minimum_amount": "coalesce(o.total, o.paid) >= %(minimum_amount)s",
    "maximum_amount": "coalesce(o.total, o.paid) <= %(maximum_amount)s",
    "platforms": "o.platform = ANY(%(platforms)s)",
    "categories": (
        "EXISTS (SELECT FROM customers_orderline line"
        " WHERE line.order_id = o.id AND line.category = ANY(%(categories)s))"
    ),
}
EARLIER = """EXISTS (
    SELECT FROM customers_order earlier
    WHERE earlier.customer_id = o.customer_id AND earlier.id <> o.id AND earlier.ordered_at < o.ordered_at
      AND earlier.status NOT IN ('unpaid', 'closed', '')
)"""


@dataclass(frozen=True)
class Span:
    """From when, exclusively, to when something came due; what came due before a rule was on is left alone."""

    since: datetime
    until: datetime
    activated_at: datetime


def begin(cursor: CursorWrapper) -> None:
    """Make the table of what is due, empty."""
    cursor.execute(TABLE)


def stops_of(reminder: Reminder) -> list[str]:
    """The stops of a reminder: that its fact holds no more, its goal, those of staff, and those that always hold."""
    fact = {
        ReminderTrigger.STATUS_LASTS: [f"left:{reminder.order_status}"],
        ReminderTrigger.EXCEPTION: [f"resolved:{reminder.exception_kind}"],
        ReminderTrigger.PARCEL_STILL: ["still"],
        ReminderTrigger.ORDER_DATE: [f"left:{reminder.order_status}"] if reminder.order_status else [],
        ReminderTrigger.EVENT: ["settled"],
        ReminderTrigger.EVENT_DATE: ["settled", "moved"],
    }.get(ReminderTrigger(reminder.trigger), [])
    if reminder.trigger == ReminderTrigger.STATUS_LASTS and reminder.order_status == OrderStatus.UNPAID:
        fact.insert(0, "paid")
    goal = {"paid": ["paid"], "bought": ["bought"], "settled": ["settled"]}.get(reminder.goal, [])
    return list(dict.fromkeys([*stops.ALWAYS_ON, *goal, *reminder.stop_when, *fact]))


def is_by_hour(reminder: Reminder) -> bool:
    """Whether an hour of the day decides, and not the minute of the fact."""
    return reminder.trigger in BY_DATE and reminder.at_hour is not None


def due_at_sql(reminder: Reminder, moment: str) -> str:
    """SQL for when a step is due that counts from a moment."""
    return (AT_AN_HOUR if is_by_hour(reminder) else AFTER).format(moment=moment)


def values_of(reminder: Reminder, step: ReminderStep) -> dict:
    """What the statements about a step ask with."""
    return {
        "step": step.pk,
        "status": reminder.order_status,
        "exception": reminder.exception_kind,
        "event": reminder.event_kind,
        "delay": step.delay,
        "days": step.delay.days,
        "hour": reminder.at_hour,
        "zone": str(clock.shop_zone()),
        "minimum_amount": reminder.minimum_amount,
        "maximum_amount": reminder.maximum_amount,
        "platforms": reminder.platforms,
        "categories": reminder.categories,
    }


def conditions(reminder: Reminder, *, in_status: str = "o.status = %(status)s") -> str:
    """
    SQL, beginning with AND, for what a reminder asks of the order `o`.

    A date of an order may count only while the order is in a status: `in_status` tells that.
    """
    asked = [sql for name, sql in CONDITIONS.items() if getattr(reminder, name) not in (None, [])]
    if reminder.trigger == ReminderTrigger.ORDER_DATE and reminder.order_status:
        asked.append(in_status)
    if reminder.first_order == FirstOrder.ONLY:
        asked.append(f"NOT {EARLIER}")
    elif reminder.first_order == FirstOrder.NOT:
        asked.append(EARLIER)
    return "".join(f" AND {sql}" for sql in asked)


def is_anything_due(cursor: CursorWrapper, step: ReminderStep, span: Span) -> bool:
    """Whether something came due of a step that it has not met; asked every other second of every rule."""
    sql, values = _statement(step, span)
    cursor.execute(f"SELECT EXISTS ({sql})", values | {"limit": 1})
    return cursor.fetchone()[0]


def find(cursor: CursorWrapper, step: ReminderStep, span: Span) -> int:
    """
    Add to the table what came due of a step in a span and has not been met; answers how many.

    Raises segmentation.BadConditions where the reminder's segment cannot be asked.
    """
    sql, values = _statement(step, span)
    cursor.execute(f"{KEEP} {sql}", values)
    cursor.execute("SELECT count(*) FROM found_due")
    return cursor.fetchone()[0]


def _statement(step: ReminderStep, span: Span) -> tuple[str, dict]:
    reminder = step.reminder
    spare = A_DAY if is_by_hour(reminder) else timedelta(0)
    values = values_of(reminder, step) | {
        "now": span.until,
        "since": span.since - LOOKED_BACK,
        "activated": span.activated_at,
        "made": step.created_at,
        "low": span.since - LOOKED_BACK - step.delay - spare,
        "high": span.until - step.delay + spare,
        "limit": AT_ONCE,
    }
    source = SOURCES[ReminderTrigger(reminder.trigger)].format(date=reminder.order_date or "ordered_at")
    sql = FIND.format(
        source=source,
        due_at=due_at_sql(reminder, "found.happened_at"),
        stop=stops.first_stop(stops_of(reminder)),
        conditions=conditions(reminder),
    )
    if reminder.segment_id:
        within, named = _in_segment(reminder, span.until)
        return sql.replace(ORDERED, f"AND found.customer_id IN ({within}) {ORDERED}"), values | named
    return sql, values


def _in_segment(reminder: Reminder, now: datetime) -> tuple[str, dict]:
    """SQL for the ids of a segment's customers, with its parameters by names."""
    people = segmentation.people(reminder.segment.conditions, now=now)
    sql, parameters = deliveries.customer_ids(people)
    named = {f"segment_{place}": value for place, value in enumerate(parameters)}
    places = iter(named)
    return re.sub(r"(?<!%)%s", lambda _found: f"%({next(places)})s", sql), named
