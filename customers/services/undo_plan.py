"""Judges, in temporary tables, what taking an import back would remove, restore and leave."""

from collections.abc import Iterator
from typing import NamedTuple

from django.db.backends.utils import CursorWrapper

from customers.services import ties, undo_orders
from customers.services.import_history import FIELDS

TABLES = """
CREATE TEMPORARY TABLE IF NOT EXISTS undone_customer (
    number integer, customer_id bigint, why text
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS undone_value (
    number integer, customer_id bigint, field text, ours jsonb, before jsonb, present jsonb, verdict text
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS undone_consent (
    number integer, customer_id bigint, channel text, purpose text, verdict text
) ON COMMIT DELETE ROWS;
TRUNCATE undone_customer, undone_value, undone_consent;
"""

CREATED = """
INSERT INTO undone_customer (number, customer_id, why)
SELECT imported.number, imported.customer_id, {why}
FROM customers_importedrow imported JOIN customers_customer customer ON customer.id = imported.customer_id
WHERE imported.spreadsheet_import_id = %(import)s AND imported.number BETWEEN %(first)s AND %(last)s
  AND imported.outcome = 'created'
"""

# A value is restored only while it is still the one that the import wrote; what people chose since is theirs.
VALUES = f"""
WITH change AS MATERIALIZED (
    SELECT change.number, change.customer_id, change.before, change.after,
           {FIELDS.format(customer="customer")} AS present
    FROM customers_importedchange change JOIN customers_customer customer ON customer.id = change.customer_id
    WHERE change.spreadsheet_import_id = %(import)s AND change.number BETWEEN %(first)s AND %(last)s
      AND customer.erased_at IS NULL
), value AS (
    SELECT change.number, change.customer_id, was.key AS field,
           change.after -> was.key AS ours, was.value AS before, change.present -> was.key AS present
    FROM change CROSS JOIN LATERAL jsonb_each(change.before) was
    WHERE was.key NOT IN ('addresses', 'primaries', 'tags')
    UNION ALL
    SELECT change.number, change.customer_id, 'main:' || main.channel,
           main.address, change.before -> 'primaries' -> main.channel, (
               SELECT to_jsonb(point.address) FROM customers_contactpoint point
               WHERE point.customer_id = change.customer_id AND point.channel = main.channel AND point.is_primary
           )
    FROM change CROSS JOIN LATERAL jsonb_each(change.after -> 'primaries') main (channel, address)
    WHERE change.before -> 'primaries' -> main.channel IS DISTINCT FROM main.address
    UNION ALL
    SELECT change.number, change.customer_id, 'address:' || (added.pair ->> 0), added.pair -> 1, NULL, (
        SELECT to_jsonb(point.address) FROM customers_contactpoint point
        WHERE point.customer_id = change.customer_id
          AND point.channel = added.pair ->> 0 AND point.address = added.pair ->> 1
    )
    FROM change CROSS JOIN LATERAL jsonb_array_elements(change.after -> 'addresses') added (pair)
    WHERE NOT change.before -> 'addresses' @> jsonb_build_array(added.pair)
    UNION ALL
    SELECT change.number, change.customer_id, 'tag', added.tag, NULL, (
        SELECT to_jsonb(held.tag_id) FROM customers_customertag held
        WHERE held.customer_id = change.customer_id AND held.tag_id = (added.tag #>> '{{}}')::bigint
    )
    FROM change CROSS JOIN LATERAL jsonb_array_elements(change.after -> 'tags') added (tag)
    WHERE NOT change.before -> 'tags' @> added.tag
    UNION ALL
    SELECT change.number, change.customer_id, 'tag', NULL, removed.tag, (
        SELECT to_jsonb(tag.id) FROM customers_tag tag
        WHERE tag.id = (removed.tag #>> '{{}}')::bigint AND EXISTS (
            SELECT FROM customers_customertag held WHERE held.customer_id = change.customer_id AND held.tag_id = tag.id
        )
    )
    FROM change CROSS JOIN LATERAL jsonb_array_elements(change.before -> 'tags') removed (tag)
    WHERE NOT change.after -> 'tags' @> removed.tag
)
INSERT INTO undone_value (number, customer_id, field, ours, before, present, verdict)
SELECT value.*, CASE
    WHEN value.present IS NOT DISTINCT FROM value.before THEN 'gone'
    WHEN value.field IN ('updated_at', 'has_own_tier') AND value.present <> value.ours THEN 'gone'
    WHEN value.field = 'tag' AND value.before IS NOT NULL AND NOT EXISTS (
        SELECT FROM customers_tag tag WHERE tag.id = (value.before #>> '{{}}')::bigint
    ) THEN 'gone'
    WHEN value.present IS DISTINCT FROM value.ours THEN 'conflict'
    WHEN value.field = 'tier' AND value.before <> 'null' AND NOT EXISTS (
        SELECT FROM customers_tier tier WHERE tier.id = (value.before #>> '{{}}')::bigint
    ) THEN 'conflict'
    ELSE 'restore' END
FROM value
"""

# A customer number that somebody else has by now is not taken away from them; whoever is removed, or gives a number of
# this import back, frees it first. Asked until nobody else is found: one who keeps his may be in another's way.
TAKEN = """
UPDATE undone_value value SET verdict = 'conflict'
WHERE value.field = 'external_id' AND value.verdict = 'restore' AND value.before <> '""' AND EXISTS (
    SELECT FROM customers_customer other
    WHERE other.external_id = value.before #>> '{}' AND other.external_id <> '' AND other.id <> value.customer_id
      AND NOT EXISTS (SELECT FROM undone_customer gone WHERE gone.customer_id = other.id AND gone.why = '')
      AND NOT EXISTS (
          SELECT FROM undone_value freed
          WHERE freed.customer_id = other.id AND freed.field = 'external_id' AND freed.verdict = 'restore'
      )
)
"""

# Consent that a file brought was never there before: an import grants nothing to who has answered.
CONSENTS = """
INSERT INTO undone_consent (number, customer_id, channel, purpose, verdict)
SELECT DISTINCT imported.number, evidence.customer_id, evidence.channel, evidence.purpose, CASE
    WHEN standing.status = 'withdrawn' THEN 'opt_out'
    WHEN evidence.status = 'withdrawn' OR standing.status IS NULL THEN 'gone'
    WHEN standing.changed_at = evidence.recorded_at THEN 'restore'
    ELSE 'conflict' END
FROM customers_importedrow imported
JOIN customers_consentchange evidence
    ON evidence.customer_id = imported.customer_id AND evidence.spreadsheet_import_id = imported.spreadsheet_import_id
   AND evidence.status IN ('granted', 'withdrawn')
LEFT JOIN customers_consent standing
    ON standing.customer_id = evidence.customer_id AND standing.channel = evidence.channel
   AND standing.purpose = evidence.purpose
WHERE imported.spreadsheet_import_id = %(import)s AND imported.number BETWEEN %(first)s AND %(last)s
  AND imported.outcome IN ('created', 'updated')
"""

_TEXT = """CASE
    WHEN field = 'tier' AND {value} <> 'null'
        THEN coalesce((SELECT name FROM customers_tier WHERE id = ({value} #>> '{{}}')::bigint), {value} #>> '{{}}')
    WHEN field = 'birthday' THEN concat_ws(
        '-', nullif({value} ->> 3, ''), {value} ->> 0, lpad({value} ->> 1, 2, '0'), lpad({value} ->> 2, 2, '0')
    )
    ELSE coalesce({value} #>> '{{}}', '') END"""

# What is left as it is, for the lists of the preview and for those of the result.
FINDINGS = f"""
SELECT number, customer_id, 'stays' AS kind, '' AS field, why AS reason, '' AS ours, '' AS before, '' AS present,
       NULL::bigint AS order_id
FROM undone_customer WHERE why <> ''
UNION ALL
SELECT number, customer_id, 'conflict', field, '',
       {_TEXT.format(value="ours")}, {_TEXT.format(value="before")}, {_TEXT.format(value="present")}, NULL
FROM undone_value WHERE verdict = 'conflict'
UNION ALL
SELECT number, customer_id, 'conflict', 'consent:' || channel, '', 'granted', '', 'granted', NULL
FROM undone_consent WHERE verdict = 'conflict' GROUP BY number, customer_id, channel
UNION ALL
SELECT number, customer_id, 'opt_out', 'consent:' || channel, '', '', '', 'withdrawn', NULL
FROM undone_consent WHERE verdict = 'opt_out' GROUP BY number, customer_id, channel
UNION ALL
{undo_orders.FINDINGS}
"""

COUNTS = """
SELECT CASE WHEN why = '' THEN 'removed' ELSE 'stays:' || why END, count(*) FROM undone_customer GROUP BY 1
UNION ALL
SELECT CASE WHEN field = 'tag' THEN 'tags' WHEN field LIKE 'address:%%' THEN 'addresses' ELSE 'fields' END, count(*)
FROM undone_value
WHERE verdict = 'restore' AND field NOT IN ('updated_at', 'has_own_tier') AND field NOT LIKE 'main:%%' GROUP BY 1
UNION ALL
SELECT 'consents', count(DISTINCT customer_id) FROM undone_consent WHERE verdict = 'restore'
UNION ALL
SELECT 'restored', count(*) FROM (
    SELECT customer_id FROM undone_value WHERE verdict = 'restore' AND field <> 'updated_at'
    UNION
    SELECT customer_id FROM undone_consent WHERE verdict = 'restore'
        AND customer_id NOT IN (SELECT customer_id FROM undone_customer)
) restored
UNION ALL
SELECT found.kind, count(*) FROM ({findings}) found WHERE found.kind <> 'stays' GROUP BY 1
UNION ALL
SELECT 'stays', count(*) FROM undone_customer WHERE why <> ''
UNION ALL
{orders}
"""


class Range(NamedTuple):
    """Which rows of which import are judged, and what its neighbors are: imports not undone, and those that are."""

    import_id: int
    first: int
    last: int
    others: list[int]
    undone: list[int]
    are_orders: bool


class Finding(NamedTuple):
    """One thing that stays as it is; see `UndoFinding`."""

    number: int
    customer_id: int | None
    kind: str
    field: str
    reason: str
    ours: str
    before: str
    present: str
    order_id: int | None


def judge(cursor: CursorWrapper, rows: Range) -> None:
    """Fill the temporary tables of this transaction with what an undo of these rows finds."""
    values = {
        "import": rows.import_id,
        "first": rows.first,
        "last": rows.last,
        "others": rows.others,
        "undone": rows.undone,
    }
    cursor.execute(TABLES)
    cursor.execute(undo_orders.TABLES)
    if rows.are_orders:
        cursor.execute(VALUES, values)
        undo_orders.judge(cursor, values)
        undo_orders.judge_customers(cursor, values, why=ties.why())
    else:
        cursor.execute(CREATED.format(why=ties.why()), values)
        cursor.execute(VALUES, values)
        cursor.execute(CONSENTS, values)
    cursor.execute("ANALYZE undone_customer, undone_value, undone_consent")
    cursor.execute(TAKEN)
    while cursor.rowcount:
        cursor.execute(TAKEN)


def counts(cursor: CursorWrapper) -> dict[str, int]:
    """The numbers of what was judged, by what becomes of it."""
    cursor.execute(COUNTS.replace("%%", "%").format(findings=FINDINGS, orders=undo_orders.COUNTS))
    return {name: count for name, count in cursor.fetchall() if count}


def findings(
    cursor: CursorWrapper, *, kind: str, reason: str = "", offset: int = 0, limit: int | None = None
) -> Iterator[Finding]:
    """What was judged to stay as it is, in the order of the file."""
    cursor.execute(
        f"SELECT * FROM ({FINDINGS}) found WHERE kind = %s AND (%s = '' OR reason = %s)"
        " ORDER BY number, field OFFSET %s LIMIT %s",
        [kind, reason, reason, offset, limit],
    )
    return (Finding(*row) for row in cursor.fetchall())
