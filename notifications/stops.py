"""
What makes a message pointless before it goes out: paid, shipped, canceled, answered …

The codes stand in Message.stop_when. They are asked when a reminder looks for work, again in the statement
that writes `called_at`, and before each further call. The predicates read these aliases: d delivery ·
n concern · o order (locked by whoever authorizes) · e event.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from customers.choices import OrderExceptionKind, OrderStatus

ABOUT_WHAT = {*OrderStatus.values, *OrderExceptionKind.values} - {""}


@dataclass(frozen=True)
class Stop:
    """One thing that makes a message pointless: its code, its words, and its SQL about an order or an event."""

    code: str
    choice: Promise
    label: Promise
    predicate: str
    is_always_on: bool = False

    @property
    def reason(self) -> str:
        """The code that stands at a delivery that was not sent for it."""
        return f"stop_{self.code}"


# Those that are always on: nothing is sent about an order that is not what it was taken for.
STOPS = [
    Stop(
        "gone",
        _("the order is deleted or belongs to somebody else"),
        _("The order was deleted, or turned out to be somebody else's"),
        "n.order_id IS NOT NULL AND (o.id IS NULL OR o.is_deleted OR o.customer_id IS DISTINCT FROM d.customer_id)",
        is_always_on=True,
    ),
    Stop(
        "given",
        _("the event is gone or belongs to somebody else"),
        _("The appointment, coupon or bill is gone, or somebody else's"),
        "n.event_id IS NOT NULL AND (e.id IS NULL OR e.customer_id IS DISTINCT FROM d.customer_id)",
        is_always_on=True,
    ),
    Stop(
        "unclear",
        _("nobody understands the order's status"),
        _("The order has a status that nobody understands; teach the word under status words"),
        "o.status = ''",
        is_always_on=True,
    ),
    Stop(
        "locked",
        _("the platform locked the order"),
        _("The platform locked the order"),
        "(o.is_locked OR o.status = 'locked')",
        is_always_on=True,
    ),
    Stop(
        "paid",
        _("the order is paid"),
        _("The order was paid meanwhile"),
        "(o.paid_at IS NOT NULL OR o.status NOT IN ('unpaid', 'closed', ''))",
    ),
    Stop(
        "shipped",
        _("the order is shipped"),
        _("The order was shipped meanwhile"),
        "(o.shipped_at IS NOT NULL OR o.status IN ('shipped', 'out_for_delivery', 'delivered', 'completed'))",
    ),
    Stop(
        "delivered",
        _("the order has arrived"),
        _("The order arrived meanwhile"),
        "(o.delivered_at IS NOT NULL OR o.status IN ('delivered', 'completed'))",
    ),
    Stop(
        "closed",
        _("the order is canceled or closed"),
        _("The order was canceled or closed meanwhile"),
        "(o.closed_at IS NOT NULL OR o.status = 'closed')",
    ),
    Stop("refunded", _("the order is refunded"), _("The order was refunded meanwhile"), "o.status = 'refunded'"),
    Stop(
        "after_sale",
        _("an after-sale case is open"),
        _("The customer opened an after-sale case"),
        "o.status IN ('after_sale', 'refunded')",
    ),
    Stop(
        "answered",
        _("the customer has answered"),
        _("The customer has answered meanwhile"),
        "EXISTS (SELECT FROM notifications_reply said WHERE said.customer_id = d.customer_id"
        " AND said.received_at >= d.created_at)",
    ),
    Stop(
        "bought",
        _("the customer has bought"),
        _("The customer has bought meanwhile"),
        "EXISTS (SELECT FROM customers_order later WHERE later.customer_id = d.customer_id"
        " AND later.status NOT IN ('unpaid', 'closed', '') AND later.ordered_at >"
        " coalesce(o.ordered_at, e.happened_at))",
    ),
    Stop(
        "settled",
        _("the event is settled: attended, renewed, used or paid"),
        _("It was settled meanwhile"),
        "e.closed_at IS NOT NULL",
    ),
    Stop(
        "moved",
        _("its date was moved"),
        _("Its date was moved meanwhile"),
        "n.due_at IS NOT NULL AND e.id IS NOT NULL AND e.due_at IS DISTINCT FROM n.due_at",
    ),
    Stop(
        "resolved",
        _("what went wrong is settled"),
        _("What went wrong was settled meanwhile"),
        "o.id IS NOT NULL AND NOT EXISTS (SELECT FROM customers_orderexception wrong"
        " WHERE wrong.order_id = o.id AND wrong.resolved_at IS NULL)",
    ),
    Stop(
        "still",
        _("the parcel has moved"),
        _("The parcel has moved meanwhile"),
        "n.due_at IS NOT NULL AND o.id IS NOT NULL AND NOT EXISTS (SELECT FROM customers_shipment parcel"
        " WHERE parcel.order_id = o.id AND parcel.moved_at = n.due_at"
        " AND parcel.status IN ('shipped', 'in_transit', 'out_for_delivery'))",
    ),
]
# With what they are about behind a colon, as in left:unpaid; a reminder adds them by itself.
ABOUT = [
    Stop("left", _("it is no longer so"), _("The order is no longer in that status"), "o.status <> '{about}'"),
    Stop(
        "resolved",
        _("what went wrong is settled"),
        _("What went wrong was settled meanwhile"),
        "o.id IS NOT NULL AND NOT EXISTS (SELECT FROM customers_orderexception wrong"
        " WHERE wrong.order_id = o.id AND wrong.kind = '{about}' AND wrong.resolved_at IS NULL)",
    ),
]
# What one order of several can be stopped for, while the others still wait.
OF_ONE_ORDER = [
    "gone",
    "unclear",
    "locked",
    "paid",
    "shipped",
    "delivered",
    "closed",
    "refunded",
    "after_sale",
    "left",
]
BY_CODE = {stop.code: stop for stop in STOPS}
ALWAYS_ON = [stop.code for stop in STOPS if stop.is_always_on]
# A reminder adds the others where they fit.
CHOICES = [(stop.code, stop.choice) for stop in STOPS if not stop.is_always_on and stop.code != "still"]
LABELS = {stop.reason: stop.label for stop in [*STOPS, *ABOUT]}

# Parameter: the ids of the deliveries. In the order in which every writer of orders locks them.
LOCK_ORDERS = """
SELECT count(*) FROM (
    SELECT known.id FROM customers_order known
    WHERE known.id IN (SELECT order_id FROM notifications_concern WHERE delivery_id = ANY(%s::bigint[]))
    ORDER BY known.id FOR SHARE
) held
"""
# From delivery `d` to what it speaks of.
JOINS = """
JOIN notifications_concern n ON n.delivery_id = d.id
LEFT JOIN customers_order o ON o.id = n.order_id
LEFT JOIN customers_customerevent e ON e.id = n.event_id
"""


def first_stop(codes: Sequence[str]) -> str:
    """SQL for the reason of the first of these stops that holds, '' for none; a code nobody knows stops nothing."""
    found = [(stop.predicate, stop.reason) for stop in STOPS if stop.code in codes]
    for code in codes:
        name, _colon, about = code.partition(":")
        # Only our own vocabularies are written into SQL.
        if about in ABOUT_WHAT:
            found += [(stop.predicate.format(about=about), stop.reason) for stop in ABOUT if stop.code == name]
    cases = " ".join(f"WHEN {predicate} THEN '{reason}'" for predicate, reason in found)
    return f"CASE {cases} ELSE '' END" if cases else "''"


def stopped(codes: Sequence[str]) -> str:
    """SQL, with the ids of deliveries as its parameter: those that are pointless by now, each with one reason."""
    return f"""
    SELECT d.id, max(judged.reason)
    FROM notifications_delivery d {JOINS}
    CROSS JOIN LATERAL (SELECT {first_stop(codes)} AS reason) judged
    WHERE d.id = ANY(%s::bigint[]) AND judged.reason <> ''
    GROUP BY d.id
    """
