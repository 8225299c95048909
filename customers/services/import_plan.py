"""Stages rows of a file in temporary tables and plans, in a handful of statements, what each of them will change."""

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from django.db.backends.utils import CursorWrapper

from customers.services import import_lines
from customers.spreadsheets.options import Options
from customers.spreadsheets.rows import SKIP, Row

# Temporary, because they need no log; emptied at each commit, because they hold people's data.
STAGED_COLUMNS = """
    number integer, phone text, email text, external_id text, name text, gender text,
    birth_year smallint, birth_month smallint, birth_day smallint,
    tier text, tags text[], province text, city text, note text,
    sms_wish text, email_wish text, reason text, problems jsonb,
    birth_calendar text, cleared text[], purpose_wishes text[]"""
# A planned row repeats what was staged: joining the two in each statement took half as long again.
TABLES = f"""
CREATE TEMPORARY TABLE IF NOT EXISTS staged_row ({STAGED_COLUMNS}
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS planned_row ({STAGED_COLUMNS},
    outcome text, customer_id bigint, duplicate_of integer, keeps_external_id boolean, other_id bigint
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS changed_customer (customer_id bigint) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS missing_point (
    customer_id bigint, channel text, address text
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS missing_tag (customer_id bigint, tag text) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS surplus_tag (customer_id bigint, tag_id bigint) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS contradiction (number integer, problems jsonb) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS consent_wish (
    number integer, customer_id bigint, channel text, purpose text, wish text, effect text, is_new boolean,
    is_for_one_purpose boolean
) ON COMMIT DELETE ROWS;
-- Customers that earlier chunks of the same file have taken.
CREATE TEMPORARY TABLE IF NOT EXISTS taken_customer (customer_id bigint PRIMARY KEY, number integer);
TRUNCATE taken_customer;
"""

EMPTY = """
TRUNCATE staged_row, planned_row, changed_customer, missing_point, missing_tag, surplus_tag, contradiction,
    consent_wish
"""

STAGE = "COPY staged_row FROM STDIN WITH (NULL E'\\x02')"

# A row is known by its phone; without one by its e-mail address; without that by the shop's own number. Staff may
# choose one of the three: then the others are no keys, and a row without it is rejected.
ROWS_THAT_REPEAT = """
WITH by_phone AS (
    SELECT *, CASE WHEN phone <> '' THEN min(number) OVER (PARTITION BY phone) ELSE number END AS first_with_phone
    FROM (SELECT number, {phone} AS phone, {email} AS email, {external_id} AS external_id, external_id AS own_number
          FROM staged_row) keys
), grouped AS (
    SELECT number, phone, email, external_id, own_number,
           CASE WHEN phone <> '' THEN first_with_phone
                WHEN email <> '' THEN min(number) FILTER (WHERE number = first_with_phone) OVER (PARTITION BY email)
                WHEN external_id <> ''
                    THEN min(number) FILTER (WHERE number = first_with_phone) OVER (PARTITION BY external_id)
           END AS first_number
    FROM by_phone
), keyed AS MATERIALIZED (
    SELECT * FROM grouped ORDER BY number
)"""
# The same where no key stands in two rows: looking for those that do costs a third of the plan.
ROWS_OF_THEIR_OWN = """
WITH keyed AS MATERIALIZED (
    SELECT *, CASE WHEN phone <> '' OR email <> '' OR external_id <> '' THEN number END AS first_number
    FROM (SELECT number, {phone} AS phone, {email} AS email, {external_id} AS external_id, external_id AS own_number
          FROM staged_row) keys
)"""
FIRST_WITH_THE_NUMBER = """
    AND foremost.number = min(foremost.number) FILTER (WHERE foremost.outcome <> 'duplicate')
        OVER (PARTITION BY foremost.own_number)"""

PLAN = """{rows}, candidate AS (
    SELECT keyed.number, point.customer_id, 1 AS strength, point.is_primary, true AS is_usable
    FROM keyed JOIN customers_contactpoint point ON point.address = keyed.phone AND point.channel = 'sms'
    WHERE keyed.phone <> '' AND keyed.number = keyed.first_number
    UNION ALL
    SELECT keyed.number, point.customer_id, 2, point.is_primary, keyed.phone = '' OR NOT EXISTS (
        SELECT FROM customers_contactpoint other
        WHERE other.customer_id = point.customer_id AND other.channel = 'sms'
    )
    FROM keyed JOIN customers_contactpoint point ON point.address = keyed.email AND point.channel = 'email'
    WHERE keyed.email <> '' AND keyed.number = keyed.first_number
    UNION ALL
    SELECT keyed.number, customer.id, 3, true, keyed.external_id <> ''
    FROM keyed JOIN customers_customer customer
        ON customer.external_id = keyed.own_number AND customer.external_id <> ''
    WHERE keyed.own_number <> '' AND keyed.number = keyed.first_number
), best AS (
    SELECT DISTINCT ON (candidate.number) candidate.number, candidate.customer_id, candidate.strength
    FROM candidate JOIN customers_customer customer ON customer.id = candidate.customer_id
    WHERE customer.erased_at IS NULL AND candidate.is_usable
    ORDER BY candidate.number, candidate.strength, candidate.is_primary DESC, candidate.customer_id
), claim AS (
    SELECT best.*, coalesce(taken.number, min(best.number) OVER (PARTITION BY best.customer_id)) AS holder
    FROM best LEFT JOIN taken_customer taken ON taken.customer_id = best.customer_id
), owner AS (
    SELECT candidate.number, candidate.customer_id FROM candidate WHERE strength = 3
), foremost AS MATERIALIZED (
    SELECT keyed.number, keyed.own_number, claim.holder, decision.outcome,
           CASE decision.outcome WHEN 'created' THEN nextval('customers_customer_id_seq')
                ELSE claim.customer_id END AS customer_id,
           keyed.own_number <> '' AND (
               owner.customer_id IS NULL OR decision.outcome = 'matched' AND owner.customer_id = claim.customer_id
           ) AS may_keep_external_id
    FROM keyed
    LEFT JOIN claim ON claim.number = keyed.number
    LEFT JOIN owner ON owner.number = keyed.number
    CROSS JOIN LATERAL (
        SELECT CASE WHEN claim.holder IS NULL THEN 'created'
                    WHEN claim.holder = keyed.number THEN 'matched'
                    -- Two rows of one customer by e-mail or number, each with a phone of its own, are two people.
                    WHEN keyed.phone <> '' AND claim.strength > 1 THEN 'created'
                    ELSE 'duplicate' END AS outcome
    ) decision
    WHERE keyed.number = keyed.first_number
), other AS (
    -- Somebody else's by the e-mail address.
    SELECT foremost.number, min(candidate.customer_id) AS customer_id
    FROM candidate JOIN foremost ON foremost.number = candidate.number
    WHERE candidate.strength = 2
    GROUP BY foremost.number, foremost.customer_id
    HAVING NOT bool_or(candidate.customer_id = foremost.customer_id)
), decided AS (
    SELECT foremost.number, foremost.outcome, foremost.customer_id,
           CASE foremost.outcome WHEN 'duplicate' THEN foremost.holder END AS duplicate_of,
           foremost.may_keep_external_id {first_with_the_number} AS keeps_external_id
    FROM foremost
    UNION ALL
    SELECT keyed.number, 'duplicate', foremost.customer_id, keyed.first_number, false
    FROM keyed JOIN foremost ON foremost.number = keyed.first_number WHERE keyed.number <> keyed.first_number
    UNION ALL
    SELECT keyed.number, 'rejected', NULL, NULL, false FROM keyed WHERE keyed.first_number IS NULL
)
INSERT INTO planned_row
SELECT staged.*, decided.outcome, decided.customer_id, decided.duplicate_of, decided.keeps_external_id,
       other.customer_id
FROM staged_row staged JOIN decided ON decided.number = staged.number LEFT JOIN other ON other.number = staged.number
"""

# An empty cell leaves what is known; a birthday without its year keeps the year that is known.
DIFFERENCES = """
    (planned.name <> '' AND customer.name <> planned.name)
    OR (planned.gender <> '' AND customer.gender <> planned.gender)
    OR (planned.birth_month, planned.birth_day, planned.birth_calendar)
       IS DISTINCT FROM (customer.birth_month, customer.birth_day, customer.birth_calendar)
       AND planned.birth_month IS NOT NULL
    OR planned.birth_year IS DISTINCT FROM customer.birth_year AND planned.birth_year IS NOT NULL
    OR (planned.tier <> '' AND tier.name IS DISTINCT FROM planned.tier)
    OR (planned.province <> '' AND customer.province <> planned.province)
    OR (planned.city <> '' AND customer.city <> planned.city)
    OR (planned.note <> '' AND customer.note <> planned.note AND replace(customer.note, chr(13), '') <> planned.note)
    OR (planned.keeps_external_id AND customer.external_id <> planned.external_id)
    OR (planned.cleared IS NOT NULL AND (
        ('name' = ANY(planned.cleared) AND customer.name <> '')
        OR ('gender' = ANY(planned.cleared) AND customer.gender <> '')
        OR ('birthday' = ANY(planned.cleared) AND customer.birth_month IS NOT NULL)
        OR ('tier' = ANY(planned.cleared) AND (customer.tier_id IS NOT NULL OR customer.has_own_tier))
        OR ('province' = ANY(planned.cleared) AND customer.province <> '')
        OR ('city' = ANY(planned.cleared) AND customer.city <> '')
        OR ('note' = ANY(planned.cleared) AND customer.note <> '')
    ))
"""

CHANGED = f"""
INSERT INTO changed_customer (customer_id)
SELECT customer.id
FROM planned_row planned
JOIN customers_customer customer ON customer.id = planned.customer_id
LEFT JOIN customers_tier tier ON tier.id = customer.tier_id
WHERE planned.outcome = 'matched' AND ({DIFFERENCES})
"""

MISSING_POINTS = """
INSERT INTO missing_point (customer_id, channel, address)
SELECT planned.customer_id, given.channel, given.address
FROM planned_row planned
CROSS JOIN LATERAL (VALUES ('sms', planned.phone), ('email', planned.email)) AS given (channel, address)
WHERE planned.outcome = 'matched' AND given.address <> '' AND NOT EXISTS (
    SELECT FROM customers_contactpoint point
    WHERE point.customer_id = planned.customer_id AND point.channel = given.channel AND point.address = given.address
)
"""

MISSING_TAGS = """
INSERT INTO missing_tag (customer_id, tag)
SELECT DISTINCT planned.customer_id, given.name
FROM planned_row planned
CROSS JOIN LATERAL unnest(planned.tags) AS given (name)
WHERE planned.outcome = 'matched' AND NOT EXISTS (
    SELECT FROM customers_customertag held JOIN customers_tag tag ON tag.id = held.tag_id
    WHERE held.customer_id = planned.customer_id AND tag.name = given.name
)
"""

# An empty cell leaves the tags that a customer has, whether the others are added or take their place.
SURPLUS_TAGS = """
INSERT INTO surplus_tag (customer_id, tag_id)
SELECT held.customer_id, held.tag_id
FROM planned_row planned
JOIN customers_customertag held ON held.customer_id = planned.customer_id
JOIN customers_tag tag ON tag.id = held.tag_id
WHERE planned.outcome = 'matched' AND NOT tag.name = ANY(planned.tags)
  AND ({replaces} AND planned.tags <> '{{}}' OR 'tags' = ANY(planned.cleared))
"""

LOOK_AT_STAGED = "ANALYZE staged_row (number, phone, email, external_id)"
LOOK_AT_PLANNED = "ANALYZE planned_row (number, outcome, customer_id, sms_wish, email_wish)"
COMPARE = (LOOK_AT_PLANNED, CHANGED, MISSING_POINTS, MISSING_TAGS)
KEYS = ("phone", "email", "external_id")


# Whom earlier chunks have taken, whichever connection wrote them.
CATCH_UP = """
WITH fresh AS (
    SELECT customer_id, number FROM customers_importedrow
    WHERE spreadsheet_import_id = %(import)s AND number > %(after)s
      AND outcome IN ('created', 'updated', 'unchanged')
), taken AS (
    INSERT INTO taken_customer (customer_id, number) SELECT customer_id, number FROM fresh
)
SELECT coalesce(max(number), %(after)s) FROM fresh
"""

# Only rows of new people, and later rows of the same chunk that repeat them: what else is written meanwhile under
# other keys is not asked for.
MEETS_SOMEBODY = """
SELECT EXISTS (
    SELECT FROM planned_row planned
    WHERE planned.outcome = 'matched' OR planned.other_id IS NOT NULL
       OR planned.outcome = 'created' AND planned.external_id <> '' AND NOT planned.keeps_external_id
) OR EXISTS (
    SELECT customer_id FROM planned_row WHERE outcome = 'duplicate'
    EXCEPT SELECT customer_id FROM planned_row WHERE outcome = 'created'
)
"""
FORGET_PLAN = "TRUNCATE planned_row, changed_customer, missing_point, missing_tag, surplus_tag"


class Batch(NamedTuple):
    """Rows ready for COPY, how many they are, how many were read to get them, their keys, and whether one repeats."""

    text: str
    count: int
    read: int
    keys: frozenset[str]
    repeats: bool


def prepare(cursor: CursorWrapper) -> None:
    """Create the temporary tables of this connection, or empty them."""
    cursor.execute(TABLES)


def batch(rows: Iterable[Row]) -> Batch:
    """Write rows as COPY wants them; lines of totals and notes are no customers and are left out."""
    lines, keys, read = [], [], 0
    for row in rows:
        read += 1
        if row.outcome != SKIP:
            lines.append(import_lines.line(row))
            # None of the three can be taken for another: eleven digits, an "@", and a mark in front.
            keys += [key for key in (row.phone, row.email, row.external_id and f"#{row.external_id}") if key]
    known = frozenset(keys)
    return Batch("".join(lines), len(lines), read, known, repeats=len(known) < len(keys))


def empty(cursor: CursorWrapper) -> None:
    """Forget the rows staged before."""
    cursor.execute(EMPTY)


def stage(cursor: CursorWrapper, staged: Batch) -> None:
    """Send a batch to PostgreSQL, beside those already staged."""
    with cursor.copy(STAGE) as copy:
        copy.write(staged.text)


def catch_up(cursor: CursorWrapper, import_id: int, *, after: int) -> int:
    """Learn whom committed chunks behind row `after` have taken; answers the last of their rows."""
    cursor.execute(CATCH_UP, {"import": import_id, "after": after})
    return cursor.fetchone()[0]


def meets_somebody(cursor: CursorWrapper) -> bool:
    """Whether a planned row speaks of a customer, an address or a number that is known already."""
    cursor.execute(MEETS_SOMEBODY)
    return cursor.fetchone()[0]


def forget_plan(cursor: CursorWrapper) -> None:
    """Keep the staged rows and forget what was planned for them."""
    cursor.execute(FORGET_PLAN)


def plan(cursor: CursorWrapper, *, repeats: bool, options: Options) -> None:
    """
    Decide for each staged row whether it is new, known, a duplicate or rejected, and what it would change.

    `repeats` says whether any phone, e-mail address or customer number may stand in two of the rows.
    """
    cursor.execute(_statements(options.key, options.tags == "replace", bool(options.clear_word), repeats))


@cache
def _statements(key: str, replaces_tags: bool, may_clear: bool, repeats: bool) -> str:
    """The plan for the choices of a file.

    Sent together: after each answer this thread waits up to 5 ms for the one that reads the file to let go of Python.
    """
    keys = {name: name if key in ("auto", name) else "''::text" for name in KEYS}
    rows = (ROWS_THAT_REPEAT if repeats else ROWS_OF_THEIR_OWN).format(**keys)
    plan_rows = PLAN.format(rows=rows, first_with_the_number=FIRST_WITH_THE_NUMBER if repeats else "")
    statements = [LOOK_AT_STAGED, plan_rows, *COMPARE]
    if replaces_tags or may_clear:
        statements.append(SURPLUS_TAGS.format(replaces=str(replaces_tags).lower()))
    return ";".join(statements)
