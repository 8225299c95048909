"""The past as a reminder would have seen it: when each fact began and when it ended, by the times orders keep."""

from campaigns.choices import ReminderTrigger
from campaigns.models import Reminder
from campaigns.services.reminders import finding

# Since when an order was in a status, by the platform's own times.
BEGAN = {
    "unpaid": "o.ordered_at",
    "paid": "o.paid_at",
    "shipped": "o.shipped_at",
    "delivered": "o.delivered_at",
    "completed": "o.completed_at",
    "closed": "o.closed_at",
}
ORDER_OF_TIMES = list(BEGAN.values())
# When a stop would have held; of answers nobody keeps it, and a moved date left no trace.
STOPPED_AT = {
    "paid": "least(o.paid_at, o.shipped_at, o.delivered_at, o.completed_at)",
    "shipped": "least(o.shipped_at, o.delivered_at, o.completed_at)",
    "delivered": "least(o.delivered_at, o.completed_at)",
    "closed": (
        "coalesce(o.closed_at, CASE WHEN o.status = 'closed' AND o.status_at > o.ordered_at THEN o.status_at END)"
    ),
    "refunded": "CASE WHEN o.status = 'refunded' THEN o.status_at END",
    "after_sale": "CASE WHEN o.status IN ('after_sale', 'refunded') THEN o.status_at END",
    "settled": "e.closed_at",
    "bought": (
        "(SELECT min(later.ordered_at) FROM customers_order later WHERE later.customer_id = found.customer_id"
        " AND later.status NOT IN ('unpaid', 'closed', '')"
        " AND later.ordered_at > coalesce(o.ordered_at, found.happened_at))"
    ),
}
# A status that was left, but nobody wrote down when: at the latest when the order entered the one it has. Files tell
# of closed orders without saying when: their status counts from the order itself, which says nothing.
_LATER = "coalesce(least({times}), CASE WHEN o.status <> '{status}' AND o.status_at > {began} THEN o.status_at END)"
_OF_ORDER = "'order-' || o.id AS key, o.customer_id, o.id AS order_id, NULL::bigint AS event_id"
_OF_EVENT = "e.customer_id, NULL::bigint AS order_id, e.id AS event_id"
NEVER = "NULL::timestamptz"
KNOWN = "o.status <> '' AND NOT o.is_deleted AND NOT o.is_locked AND o.status <> 'locked'"


def _in_status(status: str, *, lasts: bool) -> str:
    if status not in BEGAN:
        return f"""
        SELECT {_OF_ORDER}, NULL::timestamptz AS event_due_at, '' AS detail, reached.happened_at,
            {"CASE WHEN o.status <> %(status)s THEN o.status_at END" if lasts else "NULL::timestamptz"} AS left_at
        FROM (
            SELECT told.order_id, min(coalesce(told.happened_at, told.recorded_at)) AS happened_at
            FROM customers_orderchange told
            WHERE told.to_status = %(status)s AND told.from_status <> told.to_status
              AND coalesce(told.happened_at, told.recorded_at) > %(low)s
              AND coalesce(told.happened_at, told.recorded_at) <= %(high)s
            GROUP BY told.order_id
        ) reached JOIN customers_order o ON o.id = reached.order_id
        WHERE {KNOWN}
        """
    began = BEGAN[status]
    left = _left(status) if lasts else NEVER
    return f"""
        SELECT {_OF_ORDER}, NULL::timestamptz AS event_due_at, '' AS detail, {began} AS happened_at,
            {left} AS left_at
        FROM customers_order o WHERE {began} > %(low)s AND {began} <= %(high)s AND {KNOWN}
    """


def _left(status: str) -> str:
    """SQL for when an order left a status."""
    began = BEGAN.get(status)
    later = ORDER_OF_TIMES[ORDER_OF_TIMES.index(began) + 1 :] if began else []
    return _LATER.format(times=", ".join(later), status=status, began=began) if later else NEVER


def in_status(reminder: Reminder) -> str:
    """SQL for whether the order had reached the reminder's status when it came due."""
    return f"{BEGAN.get(reminder.order_status, 'o.status_at')} <= counted.due_at"


PARCELS = f"""
SELECT 'parcel-' || told.shipment_id || '-' || extract(epoch FROM told.happened_at)::bigint AS key, o.customer_id,
    o.id AS order_id, NULL::bigint AS event_id, NULL::timestamptz AS event_due_at, '' AS detail, told.happened_at,
    coalesce(told.next_at, parcel.delivered_at) AS left_at
FROM (
    SELECT shipment_id, status, happened_at,
        lead(happened_at) OVER (PARTITION BY shipment_id ORDER BY happened_at, id) AS next_at
    FROM customers_shipmentevent
) told
JOIN customers_shipment parcel ON parcel.id = told.shipment_id
JOIN customers_order o ON o.id = parcel.order_id
WHERE told.happened_at > %(low)s AND told.happened_at <= %(high)s
  AND told.status NOT IN ('delivered', 'failed', 'returned') AND {KNOWN}
"""
EXCEPTIONS = f"""
SELECT 'exception-' || wrong.id AS key, o.customer_id, o.id AS order_id, NULL::bigint AS event_id,
    NULL::timestamptz AS event_due_at, wrong.note AS detail, wrong.happened_at, wrong.resolved_at AS left_at
FROM customers_orderexception wrong JOIN customers_order o ON o.id = wrong.order_id
WHERE wrong.kind = %(exception)s AND wrong.happened_at > %(low)s AND wrong.happened_at <= %(high)s AND {KNOWN}
"""
ORDER_DATES = f"""
SELECT {_OF_ORDER}, NULL::timestamptz AS event_due_at, '' AS detail, o.{{date}} AS happened_at,
    {{left}} AS left_at
FROM customers_order o WHERE o.{{date}} > %(low)s AND o.{{date}} <= %(high)s AND {KNOWN}
"""
EVENTS = f"""
SELECT 'event-' || e.id AS key, {_OF_EVENT}, e.due_at AS event_due_at, '' AS detail, e.{{moment}} AS happened_at,
    e.closed_at AS left_at
FROM customers_customerevent e WHERE e.kind = %(event)s AND e.{{moment}} > %(low)s AND e.{{moment}} <= %(high)s
"""
NOT_BOUGHT = f"""
SELECT {_OF_ORDER}, NULL::timestamptz AS event_due_at, '' AS detail, o.ordered_at AS happened_at, (
    SELECT min(later.ordered_at) FROM customers_order later
    WHERE later.customer_id = o.customer_id AND later.ordered_at > o.ordered_at
      AND later.status NOT IN ('unpaid', 'closed', '')
) AS left_at
FROM customers_order o
WHERE o.ordered_at > %(low)s AND o.ordered_at <= %(high)s AND o.status NOT IN ('unpaid', 'closed', '')
  AND o.customer_id IS NOT NULL AND {KNOWN}
"""


def source(reminder: Reminder) -> str:
    """SQL for the facts a reminder would have met: key, whose, when it began, and `left_at` when it was over."""
    match reminder.trigger:
        case ReminderTrigger.STATUS_LASTS | ReminderTrigger.STATUS_REACHED as trigger:
            return _in_status(reminder.order_status, lasts=trigger == ReminderTrigger.STATUS_LASTS)
        case ReminderTrigger.EXCEPTION:
            return EXCEPTIONS
        case ReminderTrigger.PARCEL_STILL:
            return PARCELS
        case ReminderTrigger.ORDER_DATE:
            return ORDER_DATES.format(date=reminder.order_date, left=_left(reminder.order_status))
        case ReminderTrigger.EVENT:
            return EVENTS.format(moment="happened_at")
        case ReminderTrigger.EVENT_DATE:
            return EVENTS.format(moment="due_at")
        case _:
            return NOT_BOUGHT


def ended_at(reminder: Reminder) -> str:
    """SQL for when a fact stopped being worth a message, NULL for never."""
    times = [STOPPED_AT[code] for code in finding.stops_of(reminder) if code in STOPPED_AT]
    return f"least({', '.join(['found.left_at', *times])})"
