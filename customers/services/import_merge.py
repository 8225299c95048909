"""Merges planned rows into customers, addresses, tags, tiers and consents: a statement per table."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from django.db.backends.utils import CursorWrapper

from customers.services import file_consent, import_history

# Two files that hold the same new customer must not both create it.
ONE_FILE_AT_A_TIME = 0x496D706F7274
# What PostgreSQL knows about so few addresses says nothing about the thousands that a file brings.
FEW = 1_000

NEW_TIERS = """
INSERT INTO customers_tier (name, rank, brought_by_id)
SELECT DISTINCT planned.tier, 0, %(import)s::bigint FROM planned_row planned
WHERE planned.tier <> '' AND planned.outcome IN ('created', 'matched')
  AND NOT EXISTS (SELECT FROM customers_tier known WHERE known.name = planned.tier)
ON CONFLICT (name) DO NOTHING
"""

NEW_TAGS = """
INSERT INTO customers_tag (name, brought_by_id)
SELECT DISTINCT given.name, %(import)s::bigint
FROM (SELECT DISTINCT tags FROM planned_row WHERE tags <> '{}' AND outcome IN ('created', 'matched')) planned
CROSS JOIN LATERAL unnest(planned.tags) AS given (name)
WHERE NOT EXISTS (SELECT FROM customers_tag known WHERE known.name = given.name)
ON CONFLICT (name) DO NOTHING
"""

CREATE_CUSTOMERS = """
INSERT INTO customers_customer (
    id, name, gender, birth_year, birth_month, birth_day, birth_calendar, tier_id, has_own_tier, city, province,
    external_id, note, created_at, updated_at
)
SELECT planned.customer_id, planned.name, planned.gender, planned.birth_year, planned.birth_month, planned.birth_day,
       planned.birth_calendar, tier.id, tier.id IS NOT NULL, planned.city, planned.province,
       CASE WHEN planned.keeps_external_id THEN planned.external_id ELSE '' END, planned.note, %(now)s, %(now)s
FROM planned_row planned
LEFT JOIN customers_tier tier ON tier.name = planned.tier
WHERE planned.outcome = 'created'
ORDER BY planned.number
"""

# Null where the row clears nothing: then none of these is true.
CLEARS = "WHEN '{}' = ANY(planned.cleared) THEN {}"
UPDATE_CUSTOMERS = f"""
UPDATE customers_customer target SET
    name = CASE {CLEARS.format("name", "''")} ELSE coalesce(nullif(planned.name, ''), target.name) END,
    gender = CASE {CLEARS.format("gender", "''")} ELSE coalesce(nullif(planned.gender, ''), target.gender) END,
    birth_year = CASE
        {CLEARS.format("birthday", "NULL")}
        WHEN planned.birth_month IS NULL THEN target.birth_year
        WHEN planned.birth_year IS NOT NULL THEN planned.birth_year
        WHEN (planned.birth_month, planned.birth_day, planned.birth_calendar)
             = (target.birth_month, target.birth_day, target.birth_calendar) THEN target.birth_year
    END,
    birth_month = CASE {CLEARS.format("birthday", "NULL")} ELSE coalesce(planned.birth_month, target.birth_month) END,
    birth_day = CASE {CLEARS.format("birthday", "NULL")} ELSE coalesce(planned.birth_day, target.birth_day) END,
    birth_calendar = CASE
        {CLEARS.format("birthday", "''")}
        WHEN planned.birth_month IS NULL THEN target.birth_calendar ELSE planned.birth_calendar
    END,
    tier_id = CASE {CLEARS.format("tier", "NULL")} ELSE coalesce(tier.id, target.tier_id) END,
    has_own_tier = CASE {CLEARS.format("tier", "false")}
        ELSE target.has_own_tier OR coalesce(tier.id <> target.tier_id, tier.id IS NOT NULL) END,
    province = CASE {CLEARS.format("province", "''")}
        ELSE coalesce(nullif(planned.province, ''), target.province) END,
    city = CASE {CLEARS.format("city", "''")} ELSE coalesce(nullif(planned.city, ''), target.city) END,
    note = CASE {CLEARS.format("note", "''")} ELSE coalesce(nullif(planned.note, ''), target.note) END,
    external_id = CASE WHEN planned.keeps_external_id THEN planned.external_id ELSE target.external_id END,
    updated_at = %(now)s
FROM changed_customer changed
JOIN planned_row planned ON planned.customer_id = changed.customer_id AND planned.outcome = 'matched'
LEFT JOIN customers_tier tier ON tier.name = planned.tier
WHERE target.id = changed.customer_id
"""

# The file's address takes the first place; the old one stays listed, so that replies to it are still understood.
SECOND_PLACE = """
UPDATE customers_contactpoint point SET is_primary = false
FROM missing_point missing
WHERE point.customer_id = missing.customer_id AND point.channel = missing.channel AND point.is_primary
"""

ADD_POINTS = """
INSERT INTO customers_contactpoint (customer_id, channel, address, is_primary, created_at)
SELECT customer_id, channel, address, true, %(now)s FROM missing_point
UNION ALL
SELECT planned.customer_id, given.channel, given.address, true, %(now)s
FROM planned_row planned
CROSS JOIN LATERAL (VALUES ('email', planned.email), ('sms', planned.phone)) AS given (channel, address)
WHERE planned.outcome = 'created' AND given.address <> ''
"""

ADD_TAGS = """
INSERT INTO customers_customertag (customer_id, tag_id)
SELECT missing.customer_id, tag.id FROM missing_tag missing JOIN customers_tag tag ON tag.name = missing.tag
ON CONFLICT (customer_id, tag_id) DO NOTHING
"""

LOSE_TAGS = """
DELETE FROM customers_customertag held USING surplus_tag surplus
WHERE held.customer_id = surplus.customer_id AND held.tag_id = surplus.tag_id
"""

# Apart from the statement above, because looking for conflicts costs a third, and a new customer has none; the same
# few tags stand in row after row.
TAG_THE_NEW = """
WITH known AS MATERIALIZED (
    SELECT used.tags, ARRAY(SELECT tag.id FROM customers_tag tag WHERE tag.name = ANY(used.tags) ORDER BY 1) AS ids
    FROM (SELECT DISTINCT tags FROM planned_row WHERE tags <> '{}' AND outcome = 'created') used
)
INSERT INTO customers_customertag (customer_id, tag_id)
SELECT planned.customer_id, unnest(known.ids)
FROM planned_row planned JOIN known ON known.tags = planned.tags
WHERE planned.outcome = 'created'
"""

# Sent together, as in `import_plan`.
NEW_WORDS = f"{NEW_TIERS};{NEW_TAGS}"
MERGE = ";".join(
    (
        *(CREATE_CUSTOMERS, UPDATE_CUSTOMERS),
        *(SECOND_PLACE, ADD_POINTS, LOSE_TAGS, ADD_TAGS, TAG_THE_NEW),
    )
)

# A known customer is updated if anything about it changes; shared by the preview and the import.
OUTCOME = """CASE WHEN planned.outcome <> 'matched' THEN planned.outcome
    WHEN touched.customer_id IS NULL THEN 'unchanged' ELSE 'updated' END"""
TOUCHED = """
LEFT JOIN (
    SELECT customer_id FROM changed_customer
    UNION SELECT customer_id FROM missing_point
    UNION SELECT customer_id FROM missing_tag
    UNION SELECT customer_id FROM surplus_tag
    UNION SELECT customer_id FROM consent_wish WHERE effect IN ('grant', 'withdraw') AND NOT is_new
) touched ON touched.customer_id = planned.customer_id AND planned.outcome = 'matched'
"""

# After the merge: what the customer says now is what the row that counts said. A year that only one of the two tells
# contradicts nothing.
BORN = """CASE WHEN {month} IS NULL THEN '' ELSE
    CASE WHEN {calendar} <> '' THEN 'L' ELSE '' END
    || CASE WHEN planned.birth_year IS NULL OR customer.birth_year IS NULL THEN '-' ELSE {year}::text END
    || '-' || lpad({month}::text, 2, '0') || CASE {calendar} WHEN 'leap' THEN '+' ELSE '-' END
    || lpad({day}::text, 2, '0') END"""
BIRTHDAY_OF = {
    whose: BORN.format(**{part: f"{whose}.birth_{part}" for part in ("year", "month", "day", "calendar")})
    for whose in ("planned", "customer")
}
CONTRADICTIONS = f"""
INSERT INTO contradiction (number, problems)
SELECT number, jsonb_agg(jsonb_build_object(
    'column', coalesce(%(headers)s::jsonb ->> field, ''), 'cell', left(cell, 80), 'code', code, 'kept', left(kept, 80)
) ORDER BY position)
FROM (
    SELECT planned.number, given.position, given.field, given.cell, 'differs' AS code, given.kept
    FROM planned_row planned
    JOIN customers_customer customer ON customer.id = planned.customer_id
    LEFT JOIN customers_tier tier ON tier.id = customer.tier_id
    LEFT JOIN customers_contactpoint mail
        ON mail.customer_id = customer.id AND mail.channel = 'email' AND mail.is_primary
    CROSS JOIN LATERAL (VALUES
        (1, 'name', planned.name, customer.name),
        (2, 'birthday', {BIRTHDAY_OF["planned"]}, {BIRTHDAY_OF["customer"]}),
        (3, 'gender', planned.gender, customer.gender),
        (4, 'tier', planned.tier, tier.name),
        (5, 'city', planned.city, customer.city),
        (6, 'email', planned.email, mail.address),
        (7, 'external_id', planned.external_id, customer.external_id)
    ) AS given (position, field, cell, kept)
    WHERE planned.outcome = 'duplicate' AND given.cell <> '' AND given.kept <> '' AND given.cell <> given.kept
    UNION ALL
    SELECT number, 8, 'email', email, 'meets_another', other_id::text FROM planned_row WHERE other_id IS NOT NULL
    UNION ALL
    SELECT number, 9, 'external_id', external_id, 'number_taken', '' FROM planned_row
    WHERE external_id <> '' AND NOT keeps_external_id AND outcome IN ('created', 'matched')
) found
GROUP BY number
"""

KEEP_ROWS = f"""
INSERT INTO customers_importedrow (
    spreadsheet_import_id, number, name, phone, email, external_id, outcome, reason, duplicate_of, problems,
    opt_out_kept, has_conflict, customer_id
)
SELECT %(import)s, planned.number, planned.name, planned.phone, planned.email, planned.external_id,
       {OUTCOME},
       planned.reason, planned.duplicate_of,
       planned.problems || coalesce(contradiction.problems, '[]'),
       kept.number IS NOT NULL, contradiction.number IS NOT NULL, planned.customer_id
FROM planned_row planned
{TOUCHED}LEFT JOIN (SELECT DISTINCT number FROM consent_wish WHERE effect = 'kept') kept
    ON kept.number = planned.number
LEFT JOIN contradiction ON contradiction.number = planned.number
ORDER BY planned.number
"""

COUNT = f"""
SELECT {OUTCOME},
       CASE WHEN planned.outcome IN ('created', 'matched', 'rejected') THEN planned.reason ELSE '' END,
       count(*)
FROM planned_row planned
{TOUCHED}GROUP BY 1, 2
"""

COUNT_WISHES = """
SELECT 'consent:' || effect, count(DISTINCT number) FROM consent_wish WHERE effect <> '' GROUP BY effect
UNION ALL SELECT 'contradicting', count(*) FROM contradiction HAVING count(*) > 0
"""


class File(NamedTuple):
    """What all chunks of one import share."""

    import_id: int
    evidence: file_consent.FileEvidence
    # The headers of the columns by their fields, as problems name them.
    headers: Mapping[str, str]


def write(cursor: CursorWrapper, file: File, *, now: datetime, passed: Callable[[], None] | None = None) -> None:
    """
    Write a planned chunk; the caller's transaction makes it all or nothing.

    `passed` is called once this transaction waits for no other chunk of the file any more.
    """
    values = {"now": now, "import": file.import_id}
    file_consent.close_or_pass_gate(cursor)
    cursor.execute(NEW_WORDS, values)
    if passed:
        passed()
    # Before the merge: afterwards each new address would be found, and lead to a customer who has answered nothing.
    file_consent.wish(cursor, file.evidence)
    import_history.remember(cursor)
    cursor.execute(MERGE, values)
    import_history.capture(cursor, file.import_id, now=now)
    file_consent.take(cursor, file.evidence, now=now)
    cursor.execute(f"{CONTRADICTIONS};{KEEP_ROWS}", values | {"headers": json.dumps(file.headers)})


def counts(cursor: CursorWrapper) -> Counter[str]:
    """Count the rows of the chunk by outcome, by reason (`reason:masked`) and by what became of consent."""
    found: Counter[str] = Counter()
    cursor.execute(f"{COUNT};{COUNT_WISHES}")
    for outcome, reason, count in cursor.fetchall():
        found[outcome] += count
        if reason:
            found[f"{outcome}:{reason}"] += count
    cursor.nextset()
    found.update(dict(cursor.fetchall()))
    return found


def analyze_the_first(cursor: CursorWrapper) -> None:
    """
    Let PostgreSQL look at the first rows where it has never seen any, inside a transaction.

    Without it, each plan of a shop's first file read all addresses that were in: a quarter of the whole import.
    """
    cursor.execute("SELECT reltuples < %s FROM pg_class WHERE oid = 'customers_contactpoint'::regclass", [FEW])
    if cursor.fetchone()[0]:
        analyze(cursor)


def analyze(cursor: CursorWrapper) -> None:
    """Tell PostgreSQL what has come in; a review planned on the numbers of before took 20 s instead of one."""
    # A rough look, a third of the time; PostgreSQL takes a closer one by itself within minutes.
    cursor.execute("SET LOCAL default_statistics_target = 25")
    cursor.execute("ANALYZE customers_customer, customers_contactpoint, customers_consent, customers_customertag")
