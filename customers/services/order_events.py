"""
The one statement that merges single events of orders: what a chunk of a file does in tables, without the tables.

The names that the statements of a chunk know its tables by are names of steps here, so that the rules are the same.
"""

from collections.abc import Sequence
from typing import NamedTuple

from customers.services import order_merge, order_parcels, prepared
from customers.services.order_merge import DIFFERS, LINE_FACTS, NEXT_LINE, OWN_TIME, TAKES_STATUS
from customers.services.order_plan import AMOUNTS, PROMISES, RANK, SAME, TIMES

HOLD = """
SELECT id FROM customers_order
WHERE (number, platform) IN (SELECT * FROM unnest(%(numbers)s::text[], %(platforms)s::text[]))
ORDER BY id FOR UPDATE
"""

_NOW = "(SELECT at FROM moment)"
_COLUMNS = (
    *("first_number integer", "platform text", "order_number text", "status text", "is_derived boolean"),
    *("is_locked boolean", "is_deleted boolean", "platform_status text", "happened_at timestamptz"),
    *(f"{name} text" for name in SAME if name not in ("phone", "email", "buyer_name")),
    *(f"{name} numeric(12,2)" for name in AMOUNTS),
    *(f"{name} timestamptz" for name in (*TIMES, *PROMISES, "last_at", "as_of", "told_at")),
    *("customer_id bigint", "account_id bigint"),
)
_STATUS_OF_TIME = {
    "ordered_at": "unpaid",
    "paid_at": "paid",
    "shipped_at": "shipped",
    "delivered_at": "delivered",
    "completed_at": "completed",
    "closed_at": "closed",
}
# A time that only the event itself has is taken where no other is known: told again later, it must not move.
_OWN_TIME = """CASE WHEN told.status = '{status}' AND NOT told.is_derived AND known.{name} IS NULL
        THEN coalesce(told.{name}, told.happened_at) ELSE told.{name} END AS {name}"""
_READ = {name: _OWN_TIME.format(status=status, name=name) for name, status in _STATUS_OF_TIME.items()} | {
    "status": "CASE WHEN known.id IS NULL THEN coalesce(told.status, '') ELSE told.status END AS status",
    "is_deleted": "told.is_deleted OR coalesce(known.is_deleted AND told.status = known.status, false) AS is_deleted",
}
_NAMES = [column.split()[0] for column in _COLUMNS]
PLANNED = f"""
    SELECT {", ".join(_READ.get(name, f"told.{name}") for name in _NAMES)},
           coalesce(known.id, nextval('customers_order_id_seq')) AS order_id, known.id IS NULL AS is_new
    FROM jsonb_to_recordset(%(orders)s::jsonb) AS told ({", ".join(_COLUMNS)})
    LEFT JOIN customers_order known ON known.number = told.order_number AND known.platform = told.platform"""

# What an event says of the status counts as in a file, except that an event without it says nothing; that what its
# times tell only moves an order on; and that an event of before does not end what can come at any time.
TAKES = f"""CASE WHEN planned.status IS NULL THEN false
    WHEN planned.is_derived
        THEN coalesce({RANK.format("planned.status")} > {RANK.format("known.status")}, false)
    WHEN {RANK.format("known.status")} IS NULL AND known.status <> '' AND planned.as_of < known.as_of THEN false
    ELSE {TAKES_STATUS} END"""
CHANGED = f"""
    SELECT next.*, {DIFFERS} AS is_change
    FROM ({order_merge.next_orders(TAKES)}) next JOIN customers_order known ON known.id = next.order_id"""
_LINE = ", ".join(value.replace("planned.", "line.") for value in NEXT_LINE.values())
LINES = f"""
    SELECT planned.order_id, line.*, planned.is_new OR known.id IS NULL
           OR (coalesce(planned.as_of >= whole.as_of, true)
               AND ({_LINE}) IS DISTINCT FROM ({", ".join(f"known.{name}" for name in LINE_FACTS)})) AS is_changed
    FROM jsonb_to_recordset(%(lines)s::jsonb) AS line (
        first_number integer, place integer, key text, product text, product_id text, sku text, category text,
        quantity integer, price numeric(12,2), after_sale_status text
    )
    JOIN planned_order planned ON planned.first_number = line.first_number
    LEFT JOIN customers_orderline known ON known.order_id = planned.order_id AND known.key = line.key
    LEFT JOIN customers_order whole ON whole.id = planned.order_id"""

_SINCE = f"coalesce({OWN_TIME}, {{1}}.happened_at, {{1}}.told_at)"
_TOLD = "JOIN planned_order planned ON planned.order_id = next.order_id"
_HAPPENED = f"""CASE WHEN next.status <> known.status THEN {_SINCE.format("next", "planned")}
        ELSE coalesce(planned.happened_at, planned.told_at) END"""
_REPLACE, _ARRIVE, _PARCELS = order_parcels.statements(_NOW)


def _written(statement: str) -> str:
    return statement.replace("%(now)s", _NOW)


# The moment is asked for by this statement, after the one before it has got hold of the orders.
MERGE = f"""
WITH moment AS MATERIALIZED (SELECT hongyan_now() AS at),
planned_order AS MATERIALIZED ({PLANNED}),
changed_order AS MATERIALIZED ({CHANGED}),
planned_line AS MATERIALIZED ({LINES}),
created AS ({_written(order_merge.create(_SINCE.format("planned", "planned")))} RETURNING id, status, status_at),
first_change AS (
    INSERT INTO customers_orderchange (
        order_id, from_status, to_status, before, after, happened_at, recorded_at, actor_id
    )
    SELECT id, '', status, '{{}}', '{{}}', status_at, {_NOW}, %(by)s::bigint FROM created ORDER BY id
),
history AS ({_written(order_merge.history(_HAPPENED, _TOLD))}),
parcel_replaced AS ({_REPLACE}),
parcel_arrived AS ({_ARRIVE}),
parcel_added AS ({_PARCELS}),
changed AS ({_written(order_merge.update(_SINCE.format("next", "planned"), _TOLD))}),
still_so AS ({order_merge.STILL_SO}),
lines AS ({order_merge.WRITE_LINES})
SELECT planned.first_number, planned.order_id, coalesce(next.customer_id, planned.customer_id),
       CASE WHEN planned.is_new THEN 'created'
            WHEN next.is_change OR EXISTS (
                SELECT FROM planned_line line WHERE line.order_id = planned.order_id AND line.is_changed
            ) THEN 'updated' ELSE 'unchanged' END
FROM planned_order planned LEFT JOIN changed_order next ON next.order_id = planned.order_id
"""


class Merged(NamedTuple):
    """What became of one order that was told."""

    place: int
    order_id: int
    customer_id: int | None
    outcome: str


def hold(keys: Sequence[tuple[str, str]]) -> None:
    """Keep the orders of these platforms and numbers for this transaction, in the order in which all do."""
    platforms, numbers = zip(*keys, strict=True)
    prepared.rows(HOLD, {"numbers": list(numbers), "platforms": list(platforms)})


def merge(*, orders: str, lines: str, by_id: int | None) -> list[Merged]:
    """Merge orders, each told once, into those that are known; the caller holds them."""
    values = {"orders": orders, "lines": lines, "by": by_id, "import": None}
    return [Merged(*row) for row in prepared.rows(MERGE, values)]
