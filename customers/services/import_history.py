"""Keeps what an import changes of known customers, so that it can be taken back; new customers cost nothing."""

from datetime import datetime

from django.db.backends.utils import CursorWrapper

# The columns of a customer that a file can write, as they are compared and kept. What belongs together is one value: a
# birthday is restored whole or not at all.
FIELDS = """jsonb_build_object(
    'name', {customer}.name, 'gender', {customer}.gender,
    'birthday', jsonb_build_array(
        {customer}.birth_year, {customer}.birth_month, {customer}.birth_day, {customer}.birth_calendar
    ),
    'tier', {customer}.tier_id, 'has_own_tier', {customer}.has_own_tier, 'province', {customer}.province,
    'city', {customer}.city, 'note', {customer}.note, 'external_id', {customer}.external_id,
    'updated_at', {customer}.updated_at
)"""
# Lists and objects in a fixed order, so that equal states are equal texts.
ADDRESSES = """(
    SELECT coalesce(jsonb_agg(jsonb_build_array(point.channel, point.address) ORDER BY point.id), '[]')
    FROM customers_contactpoint point WHERE point.customer_id = {customer}.id
)"""
PRIMARIES = """(
    SELECT coalesce(jsonb_object_agg(point.channel, point.address), '{{}}')
    FROM customers_contactpoint point WHERE point.customer_id = {customer}.id AND point.is_primary
)"""
TAGS = """(
    SELECT coalesce(jsonb_agg(held.tag_id ORDER BY held.tag_id), '[]')
    FROM customers_customertag held WHERE held.customer_id = {customer}.id
)"""
# Addresses and tags are looked up only where the file has something new: the two would double what a row costs.
STATE = f"""{FIELDS}
    || CASE WHEN {{part}}.has_points
            THEN jsonb_build_object('addresses', {ADDRESSES}, 'primaries', {PRIMARIES}) ELSE '{{{{}}}}' END
    || CASE WHEN {{part}}.has_tags THEN jsonb_build_object('tags', {TAGS}) ELSE '{{{{}}}}' END"""

TABLES = """
CREATE TEMPORARY TABLE IF NOT EXISTS known_before (
    number integer, customer_id bigint, has_points boolean, has_tags boolean, state jsonb
) ON COMMIT DELETE ROWS
"""
EMPTY = "DELETE FROM known_before"

BEFORE = f"""
INSERT INTO known_before (number, customer_id, has_points, has_tags, state)
SELECT planned.number, customer.id, part.has_points, part.has_tags,
       {STATE.format(customer="customer", part="part")}
FROM (
    SELECT customer_id, bool_or(kind = 'point') AS has_points, bool_or(kind = 'tag') AS has_tags
    FROM (
        SELECT customer_id, 'field' AS kind FROM changed_customer
        UNION ALL SELECT customer_id, 'point' FROM missing_point
        UNION ALL SELECT customer_id, 'tag' FROM missing_tag
        UNION ALL SELECT customer_id, 'tag' FROM surplus_tag
    ) touched GROUP BY customer_id
) part
JOIN planned_row planned ON planned.customer_id = part.customer_id AND planned.outcome = 'matched'
JOIN customers_customer customer ON customer.id = part.customer_id
"""

AFTER = f"""
INSERT INTO customers_importedchange (spreadsheet_import_id, number, customer_id, before, after)
SELECT %(import)s, part.number, part.customer_id, difference.before, difference.after
FROM known_before part
JOIN customers_customer customer ON customer.id = part.customer_id
CROSS JOIN LATERAL (SELECT {STATE.format(customer="customer", part="part")} AS state OFFSET 0) present
CROSS JOIN LATERAL (
    SELECT jsonb_object_agg(was.key, was.value) AS before, jsonb_object_agg(was.key, present.state -> was.key) AS after
    FROM jsonb_each(part.state) was
    WHERE was.value IS DISTINCT FROM present.state -> was.key
) difference
WHERE difference.before IS NOT NULL
ORDER BY part.number
"""

# Whoever has the customer's page open must not save over the new address or tag without having seen it.
MARK_CHANGED = """
UPDATE customers_customer customer SET updated_at = %(now)s
FROM known_before part
WHERE customer.id = part.customer_id AND customer.updated_at <> %(now)s
"""


def remember(cursor: CursorWrapper) -> None:
    """Look at the known customers whom the planned rows are about to change; right before the merge."""
    cursor.execute(f"{TABLES};{EMPTY};{BEFORE}")


def capture(cursor: CursorWrapper, import_id: int, *, now: datetime) -> None:
    """Keep what the merge changed of those who were looked at; right after the merge, in its transaction."""
    cursor.execute(f"{MARK_CHANGED};{AFTER}", {"import": import_id, "now": now})
