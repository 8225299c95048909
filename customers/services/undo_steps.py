"""Takes back what was judged: a statement per table, in the caller's transaction."""

from datetime import datetime

from django.db.backends.utils import CursorWrapper

from customers.choices import ConsentSource, SuppressionReason, SuppressionScope
from customers.services import ties, undo_orders
from customers.services.undo_plan import FINDINGS, Range

# In the order in which customers' pages and erasures lock: the row first, the gate of consent later.
HOLD_CUSTOMERS = """
SELECT count(*) FROM (
    SELECT id FROM customers_customer
    WHERE id IN (
        SELECT customer_id FROM customers_importedrow
        WHERE spreadsheet_import_id = %(import)s AND number BETWEEN %(first)s AND %(last)s
          AND outcome IN ('created', 'updated')
    )
    ORDER BY id FOR UPDATE
) held
"""

KEEP_FINDINGS = f"""
INSERT INTO customers_undofinding (
    spreadsheet_import_id, number, customer_id, kind, field, reason, ours, before, present, order_id
)
SELECT %(import)s, found.* FROM ({FINDINGS.replace("%", "%%")}) found ORDER BY found.number, found.field
"""

EVIDENCE = """
INSERT INTO customers_consentchange (
    customer_id, channel, purpose, status, source, wording, happened_at, recorded_at, actor_id, spreadsheet_import_id
)
SELECT customer_id, channel, purpose, 'retracted', %(source)s, %(file)s, %(now)s, %(now)s, %(by)s, %(import)s
FROM undone_consent WHERE verdict = 'restore' ORDER BY number
"""
FORGET_CONSENTS = """
DELETE FROM customers_consent standing USING undone_consent undone
WHERE undone.verdict = 'restore' AND standing.customer_id = undone.customer_id
  AND standing.channel = undone.channel AND standing.purpose = undone.purpose AND standing.status = 'granted'
"""

# An opt-out outlives the customer, or the address, that it came with: a later file must not open the address again. Of
# who had opted out before, nobody can tell whether they said it again from this address: it changed nothing then.
CLOSE = """
INSERT INTO customers_suppression (channel, address, scope, reason, note, created_at)
SELECT DISTINCT point.channel, point.address, %(scope)s, %(reason)s, '', %(now)s::timestamptz
FROM (
    SELECT customer_id, NULL AS field, NULL AS address FROM undone_customer WHERE why = ''
    UNION ALL
    SELECT customer_id, field, ours #>> '{}' FROM undone_value WHERE verdict = 'restore' AND field LIKE 'address:%%'
) lost
JOIN customers_contactpoint point
    ON point.customer_id = lost.customer_id
   AND (lost.field IS NULL OR lost.field = 'address:' || point.channel AND lost.address = point.address)
WHERE EXISTS (
    SELECT FROM customers_consent standing
    WHERE standing.customer_id = point.customer_id AND standing.channel = point.channel
      AND standing.status = 'withdrawn'
)
ON CONFLICT (channel, address) DO NOTHING
"""

ADDRESSES_OF_THE_FILE = """
DELETE FROM customers_contactpoint point USING undone_value undone
WHERE undone.verdict = 'restore' AND undone.field = 'address:' || point.channel
  AND point.customer_id = undone.customer_id AND point.address = undone.ours #>> '{}'
"""
NO_LONGER_MAIN = """
UPDATE customers_contactpoint point SET is_primary = false FROM undone_value undone
WHERE undone.verdict = 'restore' AND undone.field = 'main:' || point.channel
  AND point.customer_id = undone.customer_id AND point.address = undone.ours #>> '{}' AND point.is_primary
"""
# The main address of before; where that is gone, the last one that is left.
MAIN_AGAIN = """
UPDATE customers_contactpoint point SET is_primary = true
FROM (
    SELECT DISTINCT ON (left_over.customer_id, left_over.channel) left_over.id
    FROM undone_value undone
    JOIN customers_contactpoint left_over ON left_over.customer_id = undone.customer_id
     AND undone.field IN ('main:' || left_over.channel, 'address:' || left_over.channel)
    WHERE undone.verdict = 'restore' AND NOT EXISTS (
        SELECT FROM customers_contactpoint main
        WHERE main.customer_id = left_over.customer_id AND main.channel = left_over.channel AND main.is_primary
    )
    ORDER BY left_over.customer_id, left_over.channel,
             undone.field LIKE 'main:%' AND left_over.address = undone.before #>> '{}' DESC NULLS LAST,
             left_over.id DESC
) chosen
WHERE point.id = chosen.id
"""

TAGS_OF_THE_FILE = """
DELETE FROM customers_customertag held USING undone_value undone
WHERE undone.verdict = 'restore' AND undone.field = 'tag' AND undone.before IS NULL
  AND held.customer_id = undone.customer_id AND held.tag_id = (undone.ours #>> '{}')::bigint
"""
TAGS_AGAIN = """
INSERT INTO customers_customertag (customer_id, tag_id)
SELECT undone.customer_id, tag.id
FROM undone_value undone JOIN customers_tag tag ON tag.id = (undone.before #>> '{}')::bigint
WHERE undone.verdict = 'restore' AND undone.field = 'tag'
ON CONFLICT (customer_id, tag_id) DO NOTHING
"""

# The trigger of the table lets go only whom this import created, and only without anything left of them.
REMOVE = [
    "SELECT set_config('hongyan.undone_import', %(import)s::text, true)",
    """DELETE FROM customers_customertag held USING undone_customer gone
    WHERE gone.why = '' AND held.customer_id = gone.customer_id""",
    """DELETE FROM customers_contactpoint point USING undone_customer gone
    WHERE gone.why = '' AND point.customer_id = gone.customer_id""",
    """DELETE FROM customers_consent standing USING undone_customer gone
    WHERE gone.why = '' AND standing.customer_id = gone.customer_id""",
    """DELETE FROM customers_customer customer USING undone_customer gone
    WHERE gone.why = '' AND customer.id = gone.customer_id""",
    "SELECT set_config('hongyan.undone_import', '', true)",
]

# Customer numbers may go round among the customers of a file; each is free before anybody gets it back.
FREE_NUMBERS = """
UPDATE customers_customer customer SET external_id = '' FROM undone_value undone
WHERE undone.verdict = 'restore' AND undone.field = 'external_id' AND customer.id = undone.customer_id
"""
# With everything as it was, the moment of the last change is as it was too.
FIELDS_AGAIN = """
UPDATE customers_customer customer SET
    name = coalesce(back.fields ->> 'name', customer.name),
    gender = coalesce(back.fields ->> 'gender', customer.gender),
    birth_year = CASE WHEN back.fields ? 'birthday'
        THEN (back.fields -> 'birthday' ->> 0)::smallint ELSE customer.birth_year END,
    birth_month = CASE WHEN back.fields ? 'birthday'
        THEN (back.fields -> 'birthday' ->> 1)::smallint ELSE customer.birth_month END,
    birth_day = CASE WHEN back.fields ? 'birthday'
        THEN (back.fields -> 'birthday' ->> 2)::smallint ELSE customer.birth_day END,
    birth_calendar = coalesce(back.fields -> 'birthday' ->> 3, customer.birth_calendar),
    tier_id = CASE WHEN back.fields ? 'tier' THEN (back.fields ->> 'tier')::bigint ELSE customer.tier_id END,
    has_own_tier = CASE WHEN back.keeps_tier THEN customer.has_own_tier
        ELSE coalesce((back.fields ->> 'has_own_tier')::boolean, customer.has_own_tier) END,
    province = coalesce(back.fields ->> 'province', customer.province),
    city = coalesce(back.fields ->> 'city', customer.city),
    note = coalesce(back.fields ->> 'note', customer.note),
    external_id = coalesce(back.fields ->> 'external_id', customer.external_id),
    updated_at = CASE WHEN back.is_whole AND back.fields ? 'updated_at'
        THEN (back.fields ->> 'updated_at')::timestamptz ELSE %(now)s END
FROM (
    SELECT customer_id, bool_and(verdict <> 'conflict') AS is_whole,
           bool_or(field = 'tier' AND verdict = 'conflict') AS keeps_tier,
           coalesce(jsonb_object_agg(field, coalesce(before, 'null')) FILTER (
               WHERE verdict = 'restore' AND field <> 'tag' AND field NOT LIKE '%%:%%'
           ), '{}') AS fields
    FROM undone_value GROUP BY customer_id HAVING bool_or(verdict = 'restore')
) back
WHERE customer.id = back.customer_id
"""

FORGET_CHANGES = """
DELETE FROM customers_importedchange
WHERE spreadsheet_import_id = %(import)s AND number BETWEEN %(first)s AND %(last)s
"""

UNTOUCHED_TIER = "word.rank = 0 AND word.minimum_spending IS NULL AND word.minimum_orders IS NULL AND NOT word.is_vip"
HOLD_WORDS = "SELECT id FROM {table} WHERE brought_by_id = ANY(%(undone)s) ORDER BY id FOR UPDATE"
REMOVE_WORDS = (
    "DELETE FROM {table} word WHERE word.brought_by_id = ANY(%(undone)s) AND {untouched} AND NOT ({is_used})"
)


def hold(cursor: CursorWrapper, rows: Range) -> None:
    """Keep the customers behind these rows for this transaction; waits for pages that are being saved."""
    values = {"import": rows.import_id, "first": rows.first, "last": rows.last}
    cursor.execute(HOLD_CUSTOMERS, values)
    if rows.are_orders:
        undo_orders.hold(cursor, values)


def take_back(cursor: CursorWrapper, rows: Range, *, file_name: str, by_id: int | None, now: datetime) -> None:
    """Restore, remove and write down what was judged."""
    values = {
        "import": rows.import_id,
        "first": rows.first,
        "last": rows.last,
        "now": now,
        "file": file_name,
        "by": by_id,
        "source": ConsentSource.UNDO.value,
        "scope": SuppressionScope.MARKETING.value,
        "reason": SuppressionReason.OPTED_OUT.value,
    }
    for statement in (KEEP_FINDINGS, EVIDENCE, FORGET_CONSENTS, CLOSE):
        cursor.execute(statement, values)
    for statement in (ADDRESSES_OF_THE_FILE, NO_LONGER_MAIN, MAIN_AGAIN, TAGS_OF_THE_FILE, TAGS_AGAIN):
        cursor.execute(statement)
    if rows.are_orders:
        undo_orders.take_back(cursor, import_id=rows.import_id, by_id=by_id)
    for statement in REMOVE:
        cursor.execute(statement, values)
    for statement in (FREE_NUMBERS, FIELDS_AGAIN, FORGET_CHANGES):
        cursor.execute(statement, values)
    if rows.are_orders:
        undo_orders.forget(cursor, values)


def remove_words(cursor: CursorWrapper, undone: list[int]) -> dict[str, int]:
    """Remove the tags and tiers that undone imports brought and nobody uses; answers how many of each."""
    removed = {}
    # A rank, a threshold and the mark of a VIP are given by a person: such a tier is the shop's own by now.
    for name, table, untouched in (
        ("tag_words", "customers_tag", "true"),
        ("tiers", "customers_tier", UNTOUCHED_TIER),
    ):
        cursor.execute(HOLD_WORDS.format(table=table), {"undone": undone})
        statement = REMOVE_WORDS.format(table=table, untouched=untouched, is_used=ties.is_used(table))
        cursor.execute(statement, {"undone": undone})
        if cursor.rowcount:
            removed[name] = cursor.rowcount
    return removed
