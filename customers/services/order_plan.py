"""Stages the rows of an order file in temporary tables and groups them by order, wherever in the file they stand."""

import json
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db.backends.utils import CursorWrapper

from customers.services import import_lines
from customers.spreadsheets.order_rows import SKIP, OrderRow

TIMES = ("ordered_at", "paid_at", "shipped_at", "delivered_at", "completed_at", "closed_at")
PROMISES = ("ship_by_at", "promised_at")
AMOUNTS = ("total", "paid", "refund", "freight")
# Of one order's rows these say the same, or nothing.
SAME = (
    *("after_sale_status", "phone", "email", "buyer_name", "receiver_name", "province", "city", "shop_name"),
    *("currency", "closed_reason", "carrier", "tracking_number", "note"),
)
# The way of an order that nothing happens to, and what ends it; a status that is none of them can come at any time.
RANKED = ("unpaid", "paid", "shipped", "out_for_delivery", "delivered", "completed", "closed", "refunded")
RANK = f"array_position('{{{{{','.join(RANKED)}}}}}'::text[], {{}})"

STAGED = f"""
    number integer, platform text, order_number text, sub_order_number text,
    status text, is_locked boolean, is_deleted boolean, status_text text,
    {", ".join(f"{name} text" for name in SAME)},
    {", ".join(f"{name} numeric" for name in AMOUNTS)}, sub_total numeric,
    {", ".join(f"{name} timestamptz" for name in (*TIMES, *PROMISES))},
    goods text[], product_id text, sku text, category text, quantity integer, price numeric,
    reason text, problems jsonb"""
GROUPED = f"""
    platform text, order_number text, first_number integer, row_count integer,
    status text, is_locked boolean, is_deleted boolean, platform_status text,
    {", ".join(f"{name} text" for name in SAME)},
    {", ".join(f"{name} numeric" for name in AMOUNTS)},
    {", ".join(f"{name} timestamptz" for name in (*TIMES, *PROMISES))},
    reason text, last_at timestamptz"""

# The file's rows stay over the commits of its chunks, because an order's rows may stand anywhere in it; `forget`
# empties them at the end, because they hold people's data.
TABLES = f"""
CREATE TEMPORARY TABLE IF NOT EXISTS staged_order_row ({STAGED});
CREATE TEMPORARY TABLE IF NOT EXISTS staged_order ({GROUPED});
CREATE TEMPORARY TABLE IF NOT EXISTS file_account (platform text, name text, phone text);
CREATE TEMPORARY TABLE IF NOT EXISTS planned_order ({GROUPED},
    as_of timestamptz, order_id bigint, is_new boolean, customer_id bigint, account_id bigint, outcome text
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS planned_line (
    order_id bigint, is_new boolean, key text, product text, product_id text, sku text, category text,
    quantity integer, price numeric, after_sale_status text, is_changed boolean, place bigint
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS chunk_account (
    platform text, name text, phone text, email text,
    account_id bigint, customer_id bigint, has_phone boolean, target bigint
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS chunk_phone (
    phone text, customer_id bigint, is_new boolean, is_adopted boolean
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS chunk_email (
    email text, customer_id bigint, is_new boolean
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS chunk_shell (customer_id bigint, target bigint) ON COMMIT DELETE ROWS;
"""
FORGET = "TRUNCATE staged_order_row, staged_order, file_account; DROP INDEX IF EXISTS staged_order_row_of_order"
EMPTY = "TRUNCATE planned_order, planned_line, chunk_account, chunk_phone, chunk_email, chunk_shell"

STAGE = "COPY staged_order_row FROM STDIN WITH (NULL E'\\x02')"


def _status_of_parts() -> str:
    """
    The status of an order whose parts have statuses of their own.

    A part that is not understood makes the order so; then locked, in after-sale, or the part that is furthest behind.
    Closed or refunded is an order of which every part is. An order is paid as a whole: where any row is further than
    unpaid, the one that is not was exported earlier.
    """
    under_way = RANKED[1:6]
    ways = " ".join(f"WHEN bool_or(status = '{status}') THEN '{status}'" for status in under_way)
    return f"""CASE WHEN count(status) = 0 OR bool_or(status = '') THEN ''
        WHEN bool_or(status = 'locked') THEN 'locked' WHEN bool_or(status = 'after_sale') THEN 'after_sale'
        {ways} WHEN bool_or(status = 'refunded') THEN 'refunded'
        WHEN bool_or(status = 'closed') THEN 'closed' ELSE 'unpaid' END"""


# A column for the amount of each row may repeat the order's: plainly so where it is more than the row's goods cost.
TOTAL = """CASE WHEN count(total) > 0 THEN max(total)
        WHEN count(*) > 1 AND min(sub_total) = max(sub_total)
            AND (count(price) = 0 OR bool_or(sub_total > price * coalesce(quantity, 1) + coalesce(freight, 0)))
        THEN max(sub_total) ELSE sum(sub_total) END"""

# A part that stands twice, as in two exports put together, is told once: by the row that is furthest.
REPEATED_PARTS = f"""
UPDATE staged_order_row part
SET status = NULL, status_text = '', sub_order_number = '', sub_total = NULL, goods = '{{}}', product_id = ''
FROM (
    SELECT ctid, row_number() OVER (
        PARTITION BY platform, order_number, sub_order_number ORDER BY {RANK.format("status")} DESC, number DESC
    ) AS place
    FROM staged_order_row WHERE sub_order_number <> '' AND order_number <> ''
) repeated
WHERE part.ctid = repeated.ctid AND repeated.place > 1
"""

GROUP = f"""
INSERT INTO staged_order (
    platform, order_number, first_number, row_count, status, is_locked, is_deleted, platform_status,
    {", ".join(SAME)}, {", ".join(AMOUNTS)}, {", ".join((*TIMES, *PROMISES))}, reason, last_at
)
SELECT platform, order_number, min(number), count(*), {_status_of_parts()},
       coalesce(bool_or(is_locked), false), coalesce(bool_and(is_deleted), false),
       coalesce(max(status_text), ''), {", ".join(f"max({name})" for name in SAME)},
       {TOTAL}, max(paid), max(refund), max(freight),
       min(ordered_at), min(paid_at), min(shipped_at), max(delivered_at), max(completed_at), max(closed_at),
       min(ship_by_at), max(promised_at), min(reason),
       greatest({", ".join(f"max({name})" for name in TIMES)})
FROM staged_order_row
WHERE order_number <> ''
GROUP BY platform, order_number
"""
# The words shown are those that led to the status, where the parts of an order differ.
WORDS_OF_PARTS = """
UPDATE staged_order grouped SET platform_status = chosen.status_text
FROM (
    SELECT DISTINCT ON (part.platform, part.order_number) part.platform, part.order_number, part.status_text
    FROM staged_order_row part
    JOIN staged_order whole ON whole.order_number = part.order_number AND whole.platform = part.platform
    WHERE whole.row_count > 1 AND part.status = whole.status AND part.status_text <> ''
    ORDER BY part.platform, part.order_number, part.number
) chosen
WHERE grouped.order_number = chosen.order_number AND grouped.platform = chosen.platform
  AND grouped.platform_status <> chosen.status_text
"""
# How fresh the file is: its latest moment that is not still to come.
AS_OF = "SELECT max(last_at) FROM staged_order WHERE last_at <= %(now)s"
# One number for each account: the first that the file holds, wherever it stands.
ACCOUNTS_OF_FILE = """
INSERT INTO file_account (platform, name, phone)
SELECT DISTINCT ON (platform, buyer_name) platform, buyer_name, phone
FROM staged_order WHERE buyer_name <> '' AND phone <> '' ORDER BY platform, buyer_name, first_number
"""
SETTLE = (
    REPEATED_PARTS,
    GROUP,
    "CREATE INDEX staged_order_row_of_order ON staged_order_row (order_number, platform)",
    "ANALYZE staged_order_row (order_number, platform, number), staged_order (first_number, order_number, row_count)",
    WORDS_OF_PARTS,
    ACCOUNTS_OF_FILE,
)

TAKE = """
INSERT INTO planned_order
SELECT grouped.*, %(as_of)s::timestamptz, coalesce(known.id, nextval('customers_order_id_seq')), known.id IS NULL,
       NULL, NULL, CASE WHEN known.id IS NULL THEN 'created' ELSE 'unchanged' END
FROM (
    SELECT * FROM staged_order WHERE first_number > %(after)s AND first_number <= %(up_to)s ORDER BY first_number
) grouped
LEFT JOIN customers_order known ON known.number = grouped.order_number AND known.platform = grouped.platform
"""
# The orders are held before anything is compared: who changes one meanwhile is seen, or waits.
HOLD = """
SELECT id FROM customers_order WHERE id IN (SELECT order_id FROM planned_order WHERE NOT is_new) ORDER BY id FOR UPDATE
"""

# A good without a number of its own is known by what it is, and by which of its kind it is in the order.
LINES = """
INSERT INTO planned_line
SELECT order_id, is_new,
       CASE WHEN sub_order_number <> '' AND parts = 1 THEN sub_order_number
            ELSE left(coalesce(nullif(product_id, ''), product), 70) || '#' || row_number() OVER (
                PARTITION BY order_id, left(coalesce(nullif(product_id, ''), product), 70), sub_order_number <> ''
                ORDER BY number, place
            ) END,
       product, product_id, sku, category, quantity, price, after_sale_status, is_new,
       row_number() OVER (ORDER BY number, place)
FROM (
    SELECT planned.order_id, planned.is_new, part.number, good.place, part.sub_order_number, part.product_id,
           coalesce(good.name, '') AS product, part.sku, part.category, part.quantity, part.price,
           part.after_sale_status, greatest(cardinality(part.goods), 1) AS parts
    FROM planned_order planned
    JOIN staged_order_row part ON part.order_number = planned.order_number AND part.platform = planned.platform
    LEFT JOIN LATERAL unnest(part.goods) WITH ORDINALITY AS good (name, place) ON true
    WHERE part.goods <> '{}' OR part.product_id <> '' OR part.sub_order_number <> ''
) found
"""


class Batch(NamedTuple):
    """Rows ready for COPY, and how many were read to get them."""

    text: str
    count: int
    read: int


def prepare(cursor: CursorWrapper) -> None:
    """Create the temporary tables of this connection, or empty them."""
    cursor.execute(TABLES)
    forget(cursor)
    cursor.execute(EMPTY)


def forget(cursor: CursorWrapper) -> None:
    """Empty what was staged of a file."""
    cursor.execute(FORGET)


def batch(rows: Iterable[OrderRow]) -> Batch:
    """Write rows as COPY wants them; lines of totals and notes are no orders and are left out."""
    lines, read = [], 0
    for row in rows:
        read += 1
        if row.outcome != SKIP:
            lines.append(_line(row))
    return Batch("".join(lines), len(lines), read)


def stage(cursor: CursorWrapper, staged: Batch) -> None:
    """Send a batch to PostgreSQL, beside those already staged."""
    with cursor.copy(STAGE) as copy:
        copy.write(staged.text)


def settle(cursor: CursorWrapper, *, now: datetime) -> datetime | None:
    """Group the staged rows by order, once the last one is in; returns how fresh the file is."""
    for statement in SETTLE:
        cursor.execute(statement)
    cursor.execute(AS_OF, {"now": now})
    return cursor.fetchone()[0]


def take(cursor: CursorWrapper, *, after: int, up_to: int, as_of: datetime | None, hold: bool) -> None:
    """Plan the orders that begin in these rows of a file, and hold those that are known."""
    cursor.execute(EMPTY)
    cursor.execute(TAKE, {"after": after, "up_to": up_to, "as_of": as_of})
    if hold:
        cursor.execute(HOLD)
    cursor.execute("ANALYZE planned_order (order_number, platform, order_id, phone, buyer_name)")
    cursor.execute(LINES)


def _line(row: OrderRow) -> str:
    """One row in COPY's text format."""
    # An amount to be paid is none that was paid.
    paid = Decimal(0) if row.paid is not None and row.status == "unpaid" and row.paid_at is None else row.paid
    fields = (
        str(row.number),
        row.platform,
        row.order_number,
        row.sub_order_number,
        import_lines.NULL if row.status is None else row.status,
        *(str(flag).lower() for flag in (row.is_locked, row.is_deleted)),
        row.status_text[:60],
        *(getattr(row, name) or "" for name in SAME),
        *map(_amount, (row.total, paid, row.refund, row.freight, row.sub_total)),
        *(import_lines.NULL if (at := getattr(row, name)) is None else at.isoformat() for name in (*TIMES, *PROMISES)),
        _array(row.goods),
        row.product_id,
        row.sku,
        row.category,
        import_lines.NULL if row.quantity is None else str(row.quantity),
        _amount(row.price),
        row.reason,
        json.dumps(import_lines.describe(row.problems), ensure_ascii=False) if row.problems else "[]",
    )
    return "\t".join(map(_escaped, fields)) + "\n"


def _amount(amount: Decimal | None) -> str:
    """An amount that the columns hold; a larger one is a number in the wrong column."""
    return import_lines.NULL if amount is None or abs(amount) >= 10_000_000_000 else str(amount)


def _array(goods: Iterable[str]) -> str:
    quoted = ('"' + good.replace("\\", "\\\\").replace('"', '\\"') + '"' for good in goods)
    return "{" + ",".join(quoted) + "}"


def _escaped(field: str) -> str:
    if "\\" in field or "\t" in field or "\n" in field or "\r" in field:
        return field.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return field
