"""The orders and accounts of an undo: judges what goes, what is restored and what stays, and takes it back."""

from django.db.backends.utils import CursorWrapper

from customers.services import ties
from customers.services.order_history import LINE, STATE, VALUES
from customers.services.order_merge import FACTS, FILLED, LINE_FACTS, OF_STATUS

# With indexes: each buyer of a file is asked for the orders that stay, and each order whether it does.
TABLES = """
CREATE TEMPORARY TABLE IF NOT EXISTS undone_order (
    number integer, order_id bigint, customer_id bigint, why text
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS undone_order_value (
    number integer, order_id bigint, customer_id bigint, field text, key text,
    ours jsonb, before jsonb, present jsonb, verdict text
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS undone_account (
    number integer, customer_id bigint, account_id bigint, why text
) ON COMMIT DELETE ROWS;
CREATE INDEX IF NOT EXISTS undone_order_by_order ON undone_order (order_id);
CREATE INDEX IF NOT EXISTS undone_order_value_by_order ON undone_order_value (order_id);
CREATE INDEX IF NOT EXISTS undone_account_by_account ON undone_account (account_id);
TRUNCATE undone_order, undone_order_value, undone_account;
"""


_OF_RANGE = "spreadsheet_import_id = %(import)s AND number BETWEEN %(first)s AND %(last)s"
CREATED = """
INSERT INTO undone_order (number, order_id, customer_id, why)
SELECT DISTINCT ON (known.id) imported.number, known.id, known.customer_id, {why}
FROM customers_importedrow imported
JOIN customers_order known
    ON known.number = imported.external_id AND known.spreadsheet_import_id = imported.spreadsheet_import_id
WHERE imported.spreadsheet_import_id = %(import)s AND imported.number BETWEEN %(first)s AND %(last)s
  AND imported.outcome = 'created' AND imported.external_id <> ''
ORDER BY known.id, imported.number
"""

# A value is restored only while it is still the one that the file wrote.
CHANGED = f"""
WITH change AS MATERIALIZED (
    SELECT change.number, change.order_id, known.customer_id, change.before, change.after, {STATE} AS present
    FROM customers_importedorder change JOIN customers_order known ON known.id = change.order_id
    WHERE change.spreadsheet_import_id = %(import)s AND change.number BETWEEN %(first)s AND %(last)s
      AND change.before <> '{{}}'
), value AS (
    SELECT change.number, change.order_id, change.customer_id, was.key AS field, '' AS key,
           change.after -> was.key AS ours, was.value AS before, change.present -> was.key AS present
    FROM change CROSS JOIN LATERAL jsonb_each(change.before) was
    WHERE was.key <> 'lines'
    UNION ALL
    SELECT change.number, change.order_id, change.customer_id, 'line', was.key,
           change.after -> 'lines' -> was.key, was.value, coalesce((
               SELECT {LINE} FROM customers_orderline line WHERE line.order_id = change.order_id AND line.key = was.key
           ), 'null')
    FROM change CROSS JOIN LATERAL jsonb_each(change.before -> 'lines') was
)
INSERT INTO undone_order_value (number, order_id, customer_id, field, key, ours, before, present, verdict)
SELECT value.*, CASE
    WHEN value.present = value.before THEN 'gone'
    WHEN value.field IN ('updated_at', 'as_of') AND value.present <> value.ours THEN 'gone'
    WHEN value.present IS DISTINCT FROM value.ours THEN 'conflict'
    WHEN value.field = 'customer_id' AND value.before <> 'null' AND NOT EXISTS (
        SELECT FROM customers_customer was WHERE was.id = (value.before #>> '{{}}')::bigint AND was.erased_at IS NULL
    ) THEN 'gone'
    ELSE 'restore' END
FROM value
"""

# An account goes unless an order that stays was placed with it, or it is another customer's by now.
ACCOUNTS = """
INSERT INTO undone_account (number, customer_id, account_id, why)
SELECT buyer.number, account.customer_id, account.id, CASE
    WHEN account.customer_id <> buyer.customer_id THEN 'moved'
    WHEN EXISTS (
        SELECT FROM customers_order known WHERE known.account_id = account.id
          AND NOT EXISTS (SELECT FROM undone_order gone WHERE gone.order_id = known.id AND gone.why = '')
          AND NOT EXISTS (
              SELECT FROM undone_order_value back
              WHERE back.order_id = known.id AND back.field = 'account_id' AND back.verdict = 'restore'
          )
    ) THEN 'ordered'
    ELSE '' END
FROM customers_importedbuyer buyer JOIN customers_customeraccount account ON account.id = buyer.account_id
WHERE buyer.spreadsheet_import_id = %(import)s AND buyer.number BETWEEN %(first)s AND %(last)s
  AND buyer.kind = 'account'
"""

# Customers who turned out to be one stay one: nobody can tell any more which of what is known is whose.
CUSTOMERS = """
INSERT INTO undone_customer (number, customer_id, why)
SELECT buyer.number, buyer.customer_id, {why}
FROM customers_importedbuyer buyer JOIN customers_customer customer ON customer.id = buyer.customer_id
WHERE buyer.spreadsheet_import_id = %(import)s AND buyer.number BETWEEN %(first)s AND %(last)s
  AND buyer.kind = 'customer'
"""
JOINED = """
INSERT INTO undone_customer (number, customer_id, why)
SELECT DISTINCT ON (buyer.customer_id) buyer.number, buyer.customer_id, buyer.kind
FROM customers_importedbuyer buyer
WHERE buyer.spreadsheet_import_id = %(import)s AND buyer.number BETWEEN %(first)s AND %(last)s
  AND buyer.kind IN ('merged', 'moved')
  AND NOT EXISTS (SELECT FROM undone_customer known WHERE known.customer_id = buyer.customer_id)
ORDER BY buyer.customer_id, buyer.number
"""
# Who stays keeps the name by which they are known.
ACCOUNTS_OF_WHO_STAYS = """
UPDATE undone_account account SET why = 'stays'
FROM undone_customer customer
WHERE account.why = '' AND customer.customer_id = account.customer_id AND customer.why <> ''
"""

_TEXT = """CASE
    WHEN field IN ('status', 'line') THEN coalesce({value} ->> 0, '')
    WHEN field = 'customer_id' THEN coalesce((
        SELECT name FROM customers_customer WHERE id = ({value} #>> '{{}}')::bigint
    ), '')
    ELSE coalesce({value} #>> '{{}}', '') END"""
FINDINGS = f"""
SELECT number, customer_id, 'orders', '', why, '', '', '', order_id FROM undone_order WHERE why <> ''
UNION ALL
SELECT number, customer_id, 'conflict', field, '',
       {_TEXT.format(value="ours")}, {_TEXT.format(value="before")}, {_TEXT.format(value="present")}, order_id
FROM undone_order_value WHERE verdict = 'conflict'
"""
COUNTS = """
SELECT CASE WHEN why = '' THEN 'orders:removed' ELSE 'orders:stay:' || why END, count(*) FROM undone_order GROUP BY 1
UNION ALL
SELECT 'orders:restored', count(DISTINCT order_id) FROM undone_order_value
WHERE verdict = 'restore' AND field NOT IN ('updated_at', 'as_of')
UNION ALL
SELECT 'accounts', count(*) FROM undone_account WHERE why = ''
"""

HOLD = (
    f"""SELECT count(*) FROM (
        SELECT id FROM customers_customer
        WHERE id IN (SELECT customer_id FROM customers_importedbuyer WHERE {_OF_RANGE})
           OR id IN (SELECT customer_id FROM customers_importedchange WHERE {_OF_RANGE})
        ORDER BY id FOR UPDATE
    ) held""",
    f"""SELECT count(*) FROM (
        SELECT id FROM customers_order
        WHERE id IN (SELECT order_id FROM customers_importedorder WHERE {_OF_RANGE}) OR id IN (
            SELECT known.id FROM customers_importedrow imported
            JOIN customers_order known
                ON known.number = imported.external_id AND known.spreadsheet_import_id = imported.spreadsheet_import_id
            WHERE imported.spreadsheet_import_id = %(import)s AND imported.number BETWEEN %(first)s AND %(last)s
              AND imported.outcome = 'created'
        )
        ORDER BY id FOR UPDATE
    ) held""",
)

# The trigger of the history lets it go only with orders that this import created.
REMOVE = (
    "SELECT set_config('hongyan.undone_import', %(import)s::text, true)",
    """DELETE FROM customers_orderchange told USING undone_order gone
    WHERE gone.why = '' AND told.order_id = gone.order_id""",
    "SELECT set_config('hongyan.undone_import', '', true)",
    """DELETE FROM customers_orderline line USING undone_order gone
    WHERE gone.why = '' AND line.order_id = gone.order_id""",
    """DELETE FROM customers_shipment parcel USING undone_order gone
    WHERE gone.why = '' AND parcel.order_id = gone.order_id""",
    """DELETE FROM customers_order known USING undone_order gone
    WHERE gone.why = '' AND known.id = gone.order_id""",
)
# The parcel that only the file's number made known goes with it; that of the number of before comes again.
PARCELS_AGAIN = (
    """DELETE FROM customers_shipment parcel USING undone_order_value undone
    WHERE undone.field = 'tracking_number' AND undone.verdict = 'restore'
      AND parcel.order_id = undone.order_id AND parcel.number = undone.ours #>> '{}'
      AND NOT EXISTS (SELECT FROM customers_shipmentevent told WHERE told.shipment_id = parcel.id)""",
    """INSERT INTO customers_shipment (
        order_id, carrier, number, status, shipped_at, delivered_at, moved_at, recorded_at, updated_at
    )
    SELECT known.id, known.carrier, known.tracking_number, CASE
               WHEN known.status IN ('delivered', 'completed') OR known.delivered_at IS NOT NULL THEN 'delivered'
               ELSE 'shipped' END,
           known.shipped_at, known.delivered_at, coalesce(known.delivered_at, known.shipped_at, hongyan_now()),
           hongyan_now(), hongyan_now()
    FROM undone_order_value undone JOIN customers_order known ON known.id = undone.order_id
    WHERE undone.field = 'tracking_number' AND undone.verdict = 'restore' AND known.tracking_number <> ''
    ORDER BY known.id
    ON CONFLICT (order_id, number) DO NOTHING""",
)
LINES_GO = """
DELETE FROM customers_orderline line USING undone_order_value undone
WHERE undone.field = 'line' AND undone.verdict = 'restore' AND undone.before = 'null'
  AND line.order_id = undone.order_id AND line.key = undone.key
"""
_NUMERIC_LINE = {"quantity": "::integer", "price": "::numeric"}
LINES_AGAIN = f"""
UPDATE customers_orderline line SET {
    ", ".join(
        f"{name} = (undone.before ->> {place}){_NUMERIC_LINE.get(name, '')}" for place, name in enumerate(LINE_FACTS)
    )
}
FROM undone_order_value undone
WHERE undone.field = 'line' AND undone.verdict = 'restore' AND undone.before <> 'null'
  AND line.order_id = undone.order_id AND line.key = undone.key
"""

_BACK = """(
    SELECT order_id, bool_and(verdict <> 'conflict') AS is_whole,
           coalesce(jsonb_object_agg(field, before) FILTER (
               WHERE verdict = 'restore' AND field <> 'line'
           ), '{}') AS fields
    FROM undone_order_value GROUP BY order_id HAVING bool_or(verdict = 'restore' AND field <> 'line')
)"""
_STATUS_CHANGE = ", ".join(
    f"('{name}', to_jsonb(known.{name}), back.fields -> 'status' -> {place})" for place, name in enumerate(OF_STATUS)
)
_FACT_CHANGE = ", ".join(f"('{name}', to_jsonb(known.{name}), back.fields -> '{name}')" for name in FACTS)
# The history goes on: that a file was taken back is a step like any other.
HISTORY = f"""
INSERT INTO customers_orderchange (
    order_id, from_status, to_status, before, after, happened_at, recorded_at, spreadsheet_import_id, actor_id
)
SELECT known.id, known.status, coalesce(back.fields -> 'status' ->> 0, known.status),
       difference.before, difference.after,
       coalesce((back.fields -> 'status' ->> {len(OF_STATUS)})::timestamptz, known.status_at), hongyan_now(),
       %(import)s, %(by)s
FROM {_BACK} back JOIN customers_order known ON known.id = back.order_id
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_object_agg(told.key, told.present), '{{}}') AS before,
           coalesce(jsonb_object_agg(told.key, told.again), '{{}}') AS after
    FROM (VALUES {_STATUS_CHANGE}, {_FACT_CHANGE}) AS told (key, present, again)
    WHERE told.again IS NOT NULL AND coalesce(told.present, 'null') <> told.again
) difference
WHERE difference.after <> '{{}}'
ORDER BY known.id
"""


def _type(name: str) -> str:
    if name.endswith("_at") or name == "as_of":
        return "::timestamptz"
    if name.endswith("_id"):
        return "::bigint"
    return "::numeric" if name in ("total", "paid", "refund", "freight") else ""


_VALUES_AGAIN = ", ".join(
    f"{name} = CASE WHEN back.fields ? '{name}' THEN (back.fields ->> '{name}'){_type(name)} ELSE known.{name} END"
    for name in VALUES
    if name != "updated_at"
)
_STATUS_TYPES = {"is_locked": "::boolean", "is_deleted": "::boolean", "status_at": "::timestamptz"}
_STATUS_AGAIN = ", ".join(
    f"{name} = CASE WHEN back.fields ? 'status'"
    f" THEN (back.fields -> 'status' ->> {place}){_STATUS_TYPES.get(name, '')} ELSE known.{name} END"
    for place, name in enumerate((*OF_STATUS, "status_at"))
)
# With everything as it was, the moment of the last change is as it was too.
AGAIN = f"""
UPDATE customers_order known SET {_STATUS_AGAIN}, {_VALUES_AGAIN},
    updated_at = CASE WHEN back.is_whole AND back.fields ? 'updated_at'
        THEN (back.fields ->> 'updated_at')::timestamptz ELSE hongyan_now() END
FROM {_BACK} back WHERE known.id = back.order_id
"""
ACCOUNTS_GO = """
DELETE FROM customers_customeraccount account USING undone_account gone
WHERE gone.why = '' AND account.id = gone.account_id
"""
FORGET = (
    f"DELETE FROM customers_importedorder WHERE {_OF_RANGE}",
    f"DELETE FROM customers_importedbuyer WHERE {_OF_RANGE}",
)

# The fields of an order that a finding can name; everything else it names is the customer's.
FIELDS = ("status", *FACTS, *FILLED)


def judge(cursor: CursorWrapper, values: dict) -> None:
    """Find which orders and accounts of these rows go, and which values of known orders come back."""
    cursor.execute(CREATED.format(why=ties.why_of_order()), values)
    cursor.execute(CHANGED, values)
    cursor.execute("ANALYZE undone_order, undone_order_value")
    cursor.execute(ACCOUNTS, values)
    cursor.execute("ANALYZE undone_account")


def judge_customers(cursor: CursorWrapper, values: dict, *, why: str) -> None:
    """Find which of the customers whom these rows made known go, once it is known which orders do."""
    cursor.execute(CUSTOMERS.format(why=why), values)
    cursor.execute(JOINED, values)
    cursor.execute(ACCOUNTS_OF_WHO_STAYS)


def hold(cursor: CursorWrapper, values: dict) -> None:
    """Keep the buyers and the orders behind these rows for this transaction."""
    for statement in HOLD:
        cursor.execute(statement, values)


def take_back(cursor: CursorWrapper, *, import_id: int, by_id: int | None) -> None:
    """Remove and restore the orders, lines and accounts that were judged."""
    values = {"import": import_id, "by": by_id}
    for statement in REMOVE:
        cursor.execute(statement, values)
    for statement in (LINES_GO, LINES_AGAIN):
        cursor.execute(statement)
    cursor.execute(HISTORY, values)
    for statement in (AGAIN, *PARCELS_AGAIN, ACCOUNTS_GO):
        cursor.execute(statement)


def forget(cursor: CursorWrapper, values: dict) -> None:
    """Drop what was kept for the undo of these rows; the customers it speaks of are gone by now."""
    for statement in FORGET:
        cursor.execute(statement, values)
