"""Merges planned orders into those that are known: a statement per table, and a line of history for each change."""

from collections import Counter
from datetime import datetime

from django.db.backends.utils import CursorWrapper

from customers.services import order_parcels, order_people
from customers.services.order_plan import AMOUNTS, PROMISES, RANK, TIMES

# Overwritten by a file that is as fresh; nothing about the person, so that the history may keep what stood there.
TEXTS = ("closed_reason", "carrier", "tracking_number", "shop_name")
FACTS = (*AMOUNTS, *TIMES, *PROMISES, *TEXTS)
# Filled where nothing is known yet.
FILLED = ("receiver_name", "province", "city", "note")
OF_STATUS = ("status", "platform_status", "after_sale_status", "is_locked", "is_deleted")
LENGTHS = {"note": 500, "closed_reason": 100, "tracking_number": 100, "shop_name": 60, "carrier": 60}
LENGTHS |= dict.fromkeys(("receiver_name", "province", "city", "after_sale_status", "platform_status"), 60)

# When a status began, by the platform's own times.
OWN_TIME = """CASE {0}.status WHEN 'unpaid' THEN {0}.ordered_at WHEN 'paid' THEN {0}.paid_at
        WHEN 'shipped' THEN {0}.shipped_at WHEN 'delivered' THEN {0}.delivered_at
        WHEN 'completed' THEN coalesce({0}.completed_at, {0}.delivered_at)
        WHEN 'closed' THEN {0}.closed_at END"""
# Since when: by that, otherwise the latest thing that is known of the order.
STATUS_AT = f"""coalesce({OWN_TIME},
    greatest({", ".join(f"{{0}}.{name}" for name in TIMES)}), %(now)s)"""


def _text(name: str, of: str = "planned") -> str:
    return f"left({of}.{name}, {LENGTHS[name]})" if name in LENGTHS else f"{of}.{name}"


def create(status_at: str) -> str:
    """The statement that stores planned orders that are new; `status_at` is when their status began."""
    return f"""
INSERT INTO customers_order (
    id, platform, number, {", ".join(OF_STATUS)}, status_at, currency, {", ".join(FACTS)}, {", ".join(FILLED)},
    customer_id, account_id, spreadsheet_import_id, as_of, recorded_at, updated_at
)
SELECT planned.order_id, planned.platform, planned.order_number, {", ".join(map(_text, OF_STATUS))},
       {status_at}, coalesce(nullif(planned.currency, ''), 'CNY'),
       {", ".join(map(_text, FACTS))}, {", ".join(map(_text, FILLED))},
       planned.customer_id, planned.account_id, %(import)s::bigint, planned.as_of, %(now)s, %(now)s
FROM planned_order planned
WHERE planned.is_new
ORDER BY planned.first_number
"""


CREATE = create(STATUS_AT.format("planned"))
FIRST_CHANGE = """
INSERT INTO customers_orderchange (
    order_id, from_status, to_status, before, after, happened_at, recorded_at, spreadsheet_import_id
)
SELECT known.id, '', known.status, '{}', '{}', known.status_at, %(now)s, %(import)s
FROM planned_order planned JOIN customers_order known ON known.id = planned.order_id
WHERE planned.is_new
ORDER BY planned.first_number
"""

# An order goes on its way, never back: unless a row tells of something later than all that is known. What can come at
# any time (locked, in after-sale, not understood) is taken from a file that is as fresh as the last, and left by one
# that is fresher: the same file a second time, or an older one, changes nothing.
TAKES_STATUS = f"""CASE
    WHEN planned.status = known.status THEN planned.as_of >= known.as_of
    WHEN planned.last_at > greatest({", ".join(f"known.{name}" for name in TIMES)}) THEN true
    WHEN {RANK.format("planned.status")} IS NOT NULL AND {RANK.format("known.status")} IS NOT NULL
        THEN {RANK.format("planned.status")} > {RANK.format("known.status")}
    WHEN known.status = '' OR planned.status IN ('closed', 'refunded') THEN planned.as_of >= known.as_of
    WHEN {RANK.format("planned.status")} IS NULL THEN planned.as_of >= known.as_of
    ELSE planned.as_of > known.as_of END"""


def _next_fact(name: str) -> str:
    value = _text(name)
    if name in TEXTS:
        value = f"nullif({value}, '')"
    known = f"known.{name}" if name not in TEXTS else f"nullif(known.{name}, '')"
    kept = f"CASE WHEN seen.is_older THEN coalesce({known}, {value}) ELSE coalesce({value}, {known}) END"
    return f"coalesce({kept}, '') AS {name}" if name in TEXTS else f"{kept} AS {name}"


def _next_of_status(name: str) -> str:
    # The words of the same status are kept where a file does not have them.
    taken = (
        f"coalesce(nullif({_text(name)}, ''), CASE WHEN planned.status = known.status THEN known.{name} ELSE '' END)"
    )
    if name == "status" or name.startswith("is_"):
        taken = f"planned.{name}"
    return f"CASE WHEN seen.takes_status THEN {taken} ELSE known.{name} END AS {name}"


CHANGED_TABLE = f"""
CREATE TEMPORARY TABLE IF NOT EXISTS changed_order (
    order_id bigint, status text, platform_status text, after_sale_status text, is_locked boolean, is_deleted boolean,
    {", ".join(f"{name} numeric(12,2)" for name in AMOUNTS)},
    {", ".join(f"{name} timestamptz" for name in (*TIMES, *PROMISES))},
    {", ".join(f"{name} text" for name in (*TEXTS, *FILLED))},
    customer_id bigint, account_id bigint, as_of timestamptz, is_change boolean
) ON COMMIT DELETE ROWS
"""
# Douyin lists its parts by status: a file without some of them says nothing of their cases, nor of the whole amount.
WITHOUT_SOME_PARTS = f"""
UPDATE changed_order next SET total = greatest(known.total, next.total),
    {
    ", ".join(
        f"{name} = CASE WHEN known.status IN ('after_sale', 'locked') THEN known.{name} ELSE next.{name} END"
        for name in OF_STATUS
    )
}
FROM customers_order known
WHERE known.id = next.order_id AND known.id IN (
    SELECT line.order_id
    FROM planned_order whole
    JOIN customers_orderline line ON line.order_id = whole.order_id
    LEFT JOIN planned_line planned ON planned.order_id = line.order_id AND planned.key = line.key
    WHERE NOT whole.is_new AND whole.platform = 'douyin' AND position('#' IN line.key) = 0
      AND planned.order_id IS NULL
)
"""
COMPARED = (*OF_STATUS, *FACTS, *FILLED, "customer_id", "account_id")


def next_orders(takes_status: str) -> str:
    """What the planned orders make of those that are known; `takes_status` is when one takes the status told."""
    return f"""
    SELECT known.id AS order_id, {", ".join(map(_next_of_status, OF_STATUS))},
           {", ".join(map(_next_fact, FACTS))},
           {", ".join(f"coalesce(nullif(known.{name}, ''), {_text(name)}) AS {name}" for name in FILLED)},
           CASE WHEN owner.merged_into_id IS NOT NULL THEN planned.customer_id
                ELSE coalesce(known.customer_id, planned.customer_id) END AS customer_id,
           coalesce(known.account_id, planned.account_id) AS account_id,
           greatest(known.as_of, planned.as_of) AS as_of
    FROM planned_order planned
    JOIN customers_order known ON known.id = planned.order_id
    LEFT JOIN customers_customer owner ON owner.id = known.customer_id AND known.customer_id <> planned.customer_id
    CROSS JOIN LATERAL (
        SELECT coalesce({takes_status}, true) AS takes_status,
               coalesce(planned.as_of < known.as_of
                   AND planned.last_at <= greatest({", ".join(f"known.{name}" for name in TIMES)}), false) AS is_older
    ) seen
    WHERE NOT planned.is_new"""


CHANGED = f"INSERT INTO changed_order SELECT next.*, true FROM ({next_orders(TAKES_STATUS)}) next"
DIFFERS = f"""({", ".join(f"next.{name}" for name in COMPARED)})
    IS DISTINCT FROM ({", ".join(f"known.{name}" for name in COMPARED)})"""
IS_CHANGE = f"""
UPDATE changed_order next SET is_change = {DIFFERS}
FROM customers_order known WHERE known.id = next.order_id
"""
_TOLD = ", ".join(f"('{name}', to_jsonb(known.{name}), to_jsonb(next.{name}))" for name in (*OF_STATUS, *FACTS))


def history(happened_at: str, joined: str = "") -> str:
    """The statement that writes a line of history for each change; `happened_at` may use what is `joined`."""
    return f"""
INSERT INTO customers_orderchange (
    order_id, from_status, to_status, before, after, happened_at, recorded_at, spreadsheet_import_id, actor_id
)
SELECT known.id, known.status, next.status, difference.before, difference.after,
       {happened_at}, %(now)s, %(import)s::bigint, %(by)s::bigint
FROM changed_order next
JOIN customers_order known ON known.id = next.order_id {joined}
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_object_agg(told.key, told.before), '{{}}') AS before,
           coalesce(jsonb_object_agg(told.key, told.after), '{{}}') AS after
    FROM (VALUES {_TOLD}) AS told (key, before, after)
    WHERE told.before IS DISTINCT FROM told.after
) difference
WHERE next.is_change AND difference.after <> '{{}}'
ORDER BY known.id
"""


def update(status_at: str, joined: str = "") -> str:
    """The statement that changes the orders that are known; `status_at` may use what is `joined`."""
    return f"""
UPDATE customers_order known SET {", ".join(f"{name} = next.{name}" for name in COMPARED)},
    status_at = CASE WHEN known.status = next.status THEN known.status_at ELSE {status_at} END,
    as_of = next.as_of, updated_at = %(now)s
FROM changed_order next {joined}
WHERE known.id = next.order_id AND next.is_change
"""


HISTORY = history(STATUS_AT.format("next"))
UPDATE = update(STATUS_AT.format("next"))
# What can come at any time is left only by a fresher file, so how fresh the last one was has to be known.
STILL_SO = """
UPDATE customers_order known SET as_of = next.as_of
FROM changed_order next
WHERE known.id = next.order_id AND NOT next.is_change AND next.status IN ('', 'locked', 'after_sale')
  AND next.as_of > known.as_of
"""

LINE_FACTS = ("product", "sku", "category", "quantity", "price", "after_sale_status")
NEXT_LINE = {
    name: f"coalesce(planned.{name}, known.{name})"
    if name in ("quantity", "price")
    else f"coalesce(nullif(planned.{name}, ''), known.{name})"
    for name in LINE_FACTS
}
CHANGED_LINES = f"""
UPDATE planned_line changed SET is_changed = true
FROM planned_line planned
JOIN planned_order whole ON whole.order_id = planned.order_id
LEFT JOIN customers_orderline known ON known.order_id = planned.order_id AND known.key = planned.key
LEFT JOIN customers_order before ON before.id = planned.order_id
WHERE changed.order_id = planned.order_id AND changed.key = planned.key AND NOT planned.is_new AND (
    known.id IS NULL OR (coalesce(whole.as_of >= before.as_of, true)
        AND ({", ".join(NEXT_LINE.values())}) IS DISTINCT FROM ({", ".join(f"known.{name}" for name in LINE_FACTS)}))
)
"""
WRITE_LINES = f"""
INSERT INTO customers_orderline AS known (order_id, key, product, product_id, sku, category, quantity, price,
    after_sale_status)
SELECT order_id, key, left(product, 200), product_id, left(sku, 100), left(category, 60), quantity, price,
       left(after_sale_status, 60)
FROM planned_line WHERE is_changed ORDER BY place
ON CONFLICT (order_id, key) DO UPDATE SET
    {", ".join(f"{name} = {value.replace('planned.', 'excluded.')}" for name, value in NEXT_LINE.items())}
"""
OUTCOMES = """
UPDATE planned_order planned SET outcome = 'updated'
WHERE NOT planned.is_new AND (
    EXISTS (SELECT FROM changed_order next WHERE next.order_id = planned.order_id AND next.is_change)
    OR EXISTS (SELECT FROM planned_line line WHERE line.order_id = planned.order_id AND line.is_changed)
)
"""

KEEP_ROWS = """
INSERT INTO customers_importedrow (
    spreadsheet_import_id, number, name, phone, email, external_id, outcome, reason, duplicate_of, problems,
    opt_out_kept, customer_id
)
SELECT %(import)s, part.number, left(coalesce(nullif(part.receiver_name, ''), part.buyer_name), 60), part.phone,
       part.email, part.order_number,
       CASE WHEN part.number = planned.first_number THEN planned.outcome ELSE 'duplicate' END,
       part.reason, CASE WHEN part.number <> planned.first_number THEN planned.first_number END,
       part.problems, false, planned.customer_id
FROM planned_order planned
JOIN staged_order_row part ON part.order_number = planned.order_number AND part.platform = planned.platform
UNION ALL
SELECT %(import)s, number, left(coalesce(nullif(receiver_name, ''), buyer_name), 60), phone, email, '', 'rejected',
       'no_order_number', NULL, problems, false, NULL
FROM staged_order_row WHERE order_number = '' AND number > %(after)s AND number <= %(up_to)s
ORDER BY 2
"""

COUNT = """
SELECT outcome, count(*) FROM planned_order GROUP BY outcome
UNION ALL SELECT 'duplicate', coalesce(sum(row_count - 1), 0) FROM planned_order
UNION ALL SELECT 'rejected', count(*) FROM staged_order_row
    WHERE order_number = '' AND number > %(after)s AND number <= %(up_to)s
UNION ALL SELECT 'status:unknown', count(*) FROM planned_order WHERE status = ''
UNION ALL SELECT 'buyer:none', count(*) FROM planned_order WHERE customer_id IS NULL
UNION ALL SELECT 'phone:' || reason, count(*) FROM planned_order WHERE phone = '' GROUP BY reason
UNION ALL SELECT 'problem:' || (found.problem ->> 'code'), count(DISTINCT planned.order_id)
    FROM planned_order planned
    JOIN staged_order_row part ON part.order_number = planned.order_number AND part.platform = planned.platform
    CROSS JOIN LATERAL jsonb_array_elements(part.problems) AS found (problem)
    WHERE part.problems <> '[]' GROUP BY 1
"""


def prepare(cursor: CursorWrapper) -> None:
    """Create the temporary table of this connection."""
    cursor.execute(CHANGED_TABLE)


def compare(cursor: CursorWrapper, *, now: datetime) -> None:
    """Work out what the planned orders change about those that are known."""
    cursor.execute("TRUNCATE changed_order")
    cursor.execute(CHANGED)
    cursor.execute(WITHOUT_SOME_PARTS)
    cursor.execute(IS_CHANGE)
    cursor.execute(CHANGED_LINES)
    cursor.execute(OUTCOMES)


def moment(cursor: CursorWrapper) -> datetime:
    """The moment that the history of this chunk tells; taken while the orders are held."""
    cursor.execute("SELECT hongyan_now()")
    return cursor.fetchone()[0]


def write(cursor: CursorWrapper, *, import_id: int, after: int, up_to: int, now: datetime) -> None:
    """Write planned orders that are compared already; the caller's transaction makes it all or nothing."""
    values = {"import": import_id, "by": None, "now": now, "after": after, "up_to": up_to}
    parcels = order_parcels.statements("%(now)s")
    for statement in (CREATE, FIRST_CHANGE, HISTORY, *parcels, UPDATE, STILL_SO, WRITE_LINES, KEEP_ROWS):
        cursor.execute(statement, values)


def counts(cursor: CursorWrapper, *, after: int, up_to: int) -> Counter[str]:
    """Count the orders by outcome, and what is to be known about them."""
    found: Counter[str] = Counter()
    cursor.execute(COUNT, {"after": after, "up_to": up_to})
    for key, count in cursor.fetchall():
        found[key] += int(count)
    return found + Counter(order_people.counts(cursor))


def analyze(cursor: CursorWrapper) -> None:
    """Tell PostgreSQL what has come in; plans made on the numbers of before are slow."""
    cursor.execute("SET LOCAL default_statistics_target = 25")
    cursor.execute("ANALYZE customers_order, customers_orderline, customers_customeraccount, customers_customer")
