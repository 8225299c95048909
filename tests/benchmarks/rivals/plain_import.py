"""The same reader and the same cell rules, one COPY, and plain INSERT … SELECT into the same indexed tables."""

from datetime import datetime
from itertools import islice
from pathlib import Path

from django.db import connection, transaction

from customers import clock
from customers.services import import_columns, import_plan
from customers.spreadsheets import reader, rows

ROWS_AT_ONCE = 10_000
# Nobody is looked up, nothing is compared, no opt-out is asked for: whatever the file says goes in.
INSERTS = """
INSERT INTO customers_tier (name, rank) SELECT DISTINCT tier, 0 FROM staged_row WHERE tier <> '';
INSERT INTO customers_tag (name) SELECT DISTINCT unnest(tags) FROM staged_row;
INSERT INTO customers_customer (
    id, name, gender, birth_year, birth_month, birth_day, birth_calendar, tier_id, city, province, external_id, note,
    created_at, updated_at
)
SELECT staged.number, staged.name, staged.gender, birth_year, birth_month, birth_day, birth_calendar, tier.id, city,
       province, external_id, note, %(now)s, %(now)s
FROM staged_row staged LEFT JOIN customers_tier tier ON tier.name = staged.tier;
INSERT INTO customers_contactpoint (customer_id, channel, address, is_primary, created_at)
SELECT number, 'sms', phone, true, %(now)s FROM staged_row WHERE phone <> ''
UNION ALL SELECT number, 'email', email, true, %(now)s FROM staged_row WHERE email <> '';
INSERT INTO customers_customertag (customer_id, tag_id)
SELECT staged.number, tag.id FROM staged_row staged CROSS JOIN unnest(tags) given JOIN customers_tag tag
    ON tag.name = given;
INSERT INTO customers_consent (customer_id, channel, purpose, status, changed_at)
SELECT number, 'sms', purpose, 'granted', %(now)s
FROM staged_row CROSS JOIN (VALUES ('care'), ('marketing')) AS asked (purpose) WHERE sms_wish = 'yes';
INSERT INTO customers_consentchange (
    customer_id, channel, purpose, status, source, wording, happened_at, recorded_at, spreadsheet_import_id
)
SELECT number, 'sms', purpose, 'granted', 'import', %(wording)s, %(now)s, %(now)s, 1
FROM staged_row CROSS JOIN (VALUES ('care'), ('marketing')) AS asked (purpose) WHERE sms_wish = 'yes';
INSERT INTO customers_importedrow (
    spreadsheet_import_id, number, name, phone, email, external_id, outcome, reason, problems, opt_out_kept,
    customer_id
)
SELECT 1, number, name, phone, email, external_id, 'created', reason, problems, false, number FROM staged_row
"""


def load(path: Path, *, now: datetime) -> None:
    """Load a file whose rows are all new customers."""
    with reader.open_sheet(path) as sheet, transaction.atomic(), connection.cursor() as cursor:
        columns = import_columns.propose(sheet)
        interpretation = rows.interpret(sheet, columns, today=clock.shop_date(now), finds_repeats=False)
        cursor.execute("SET LOCAL synchronous_commit = off")
        import_plan.prepare(cursor)
        with cursor.copy(import_plan.STAGE) as copy:
            while (batch := import_plan.batch(islice(interpretation, ROWS_AT_ONCE))).read:
                copy.write(batch.text)
        cursor.execute("ANALYZE staged_row")
        cursor.execute(INSERTS, {"now": now, "wording": f"{path.name}: “短信营销”"})
