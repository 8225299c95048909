"""Keeps what an order file changes of known orders, and whom it makes known, so that it can be taken back."""

from datetime import datetime

from django.db.backends.utils import CursorWrapper

from customers.services import import_history
from customers.services.order_merge import FACTS, FILLED, LENGTHS, LINE_FACTS, OF_STATUS, STATUS_AT

# The columns of an order beside its status, as they are compared and kept, each for itself.
VALUES = (*FACTS, *FILLED, "customer_id", "account_id", "as_of", "updated_at")
# A status is one value, with the words that led to it and its moment: it is restored whole or not at all.
STATUS = f"jsonb_build_array({', '.join(f'{{0}}.{name}' for name in OF_STATUS)}, {{1}})"
STATE = "jsonb_build_object('status', {status}, {values})".format(
    status=STATUS.format("known", "known.status_at"), values=", ".join(f"'{name}', known.{name}" for name in VALUES)
)
LINE = f"jsonb_build_array({', '.join(f'line.{name}' for name in LINE_FACTS)})"

_LINE_LENGTHS = LENGTHS | {"product": 200, "sku": 100, "category": 60}


def _next_line(name: str) -> str:
    if name == "quantity":
        return "coalesce(planned.quantity, line.quantity)"
    if name == "price":
        return "coalesce(planned.price::numeric(12,2), line.price)"
    return f"coalesce(nullif(left(planned.{name}, {_LINE_LENGTHS[name]}), ''), line.{name}, '')"


_NEXT = {name: f"next.{name}" for name in VALUES} | {
    "updated_at": "CASE WHEN next.is_change THEN %(now)s ELSE known.updated_at END",
    "as_of": """CASE WHEN next.is_change OR next.status IN ('', 'locked', 'after_sale') AND next.as_of > known.as_of
        THEN next.as_of ELSE known.as_of END""",
}
_STATUS_AT = f"CASE WHEN known.status = next.status THEN known.status_at ELSE {STATUS_AT.format('next')} END"
_COMPARED = ", ".join(
    [
        f"('status', {STATUS.format('known', 'known.status_at')}, {STATUS.format('next', _STATUS_AT)})",
        *(f"('{name}', to_jsonb(known.{name}), to_jsonb({_NEXT[name]}))" for name in VALUES),
        "('lines', lines.before, lines.after)",
    ]
)
# Orders of which the file says nothing new are kept with nothing: that a later file knows them keeps them.
KEEP_ORDERS = f"""
INSERT INTO customers_importedorder (spreadsheet_import_id, number, order_id, before, after)
SELECT %(import)s, whole.first_number, known.id, difference.before, difference.after
FROM changed_order next
JOIN planned_order whole ON whole.order_id = next.order_id
JOIN customers_order known ON known.id = next.order_id
LEFT JOIN (
    SELECT planned.order_id, jsonb_object_agg(planned.key, CASE WHEN line.id IS NOT NULL THEN {LINE} END) AS before,
           jsonb_object_agg(planned.key, jsonb_build_array({", ".join(map(_next_line, LINE_FACTS))})) AS after
    FROM planned_line planned
    LEFT JOIN customers_orderline line ON line.order_id = planned.order_id AND line.key = planned.key
    WHERE planned.is_changed AND NOT planned.is_new
    GROUP BY planned.order_id
) lines ON lines.order_id = known.id
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_object_agg(told.key, told.before), '{{}}') AS before,
           coalesce(jsonb_object_agg(told.key, told.after), '{{}}') AS after
    FROM (VALUES {_COMPARED}) AS told (key, before, after)
    WHERE (next.is_change OR lines.order_id IS NOT NULL OR next.as_of > known.as_of)
      AND told.before IS DISTINCT FROM told.after
) difference
ORDER BY whole.first_number
"""

# By their first order in the file, which is taken back last.
NEW_CUSTOMERS = """
INSERT INTO customers_importedbuyer (spreadsheet_import_id, number, kind, customer_id)
SELECT %(import)s, coalesce(first.number, (SELECT min(first_number) FROM planned_order)), 'customer', new.id
FROM (
    SELECT customer_id AS id FROM chunk_phone WHERE is_new
    UNION SELECT customer_id FROM chunk_email WHERE is_new
    UNION SELECT target FROM chunk_account WHERE account_id IS NULL AND NOT EXISTS (
        SELECT FROM customers_customer known WHERE known.id = target
    )
) new
LEFT JOIN (
    SELECT customer_id, min(first_number) AS number FROM planned_order GROUP BY customer_id
) first ON first.customer_id = new.id
ORDER BY 2
"""
ADOPTED_BEFORE = f"""
INSERT INTO known_before (number, customer_id, has_points, has_tags, state)
SELECT first.number, customer.id, true, false, {import_history.STATE.format(customer="customer", part="part")}
FROM (
    SELECT DISTINCT customer_id, true AS has_points, false AS has_tags FROM chunk_phone WHERE is_adopted
) part
JOIN customers_customer customer ON customer.id = part.customer_id
JOIN (
    SELECT customer_id, min(first_number) AS number FROM planned_order GROUP BY customer_id
) first ON first.customer_id = part.customer_id
"""
ACCOUNTS = """
INSERT INTO customers_importedbuyer (spreadsheet_import_id, number, kind, customer_id, account_id)
SELECT %(import)s, first.number, CASE
           WHEN found.account_id IS NULL THEN 'account'
           WHEN EXISTS (SELECT FROM chunk_shell shell WHERE shell.customer_id = found.customer_id) THEN 'merged'
           ELSE 'moved' END,
       CASE WHEN found.account_id IS NULL THEN account.customer_id ELSE found.customer_id END, account.id
FROM chunk_account found
JOIN customers_customeraccount account ON account.name = found.name AND account.platform = found.platform
JOIN (
    SELECT platform, buyer_name, min(first_number) AS number FROM planned_order GROUP BY 1, 2
) first ON first.platform = found.platform AND first.buyer_name = found.name
WHERE found.account_id IS NULL OR found.target <> found.customer_id
ORDER BY 2
"""


def remember_people(cursor: CursorWrapper, import_id: int) -> None:
    """Look at whom the planned orders are about to make known, and at who gets a number; right before they do."""
    cursor.execute(f"{import_history.TABLES};{import_history.EMPTY};{ADOPTED_BEFORE}")
    cursor.execute(NEW_CUSTOMERS, {"import": import_id})


def keep_people(cursor: CursorWrapper, import_id: int, *, now: datetime) -> None:
    """Keep which accounts are new, and who turned out to be one; right after the people are written."""
    cursor.execute(ACCOUNTS, {"import": import_id})
    import_history.capture(cursor, import_id, now=now)


def keep_orders(cursor: CursorWrapper, import_id: int, *, now: datetime) -> None:
    """Keep what the planned orders are about to change of known ones; between the comparison and the merge."""
    cursor.execute(KEEP_ORDERS, {"import": import_id, "now": now})
