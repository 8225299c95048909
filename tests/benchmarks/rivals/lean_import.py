"""The least that an import of a workbook can be: calamine, COPY, one merge, nothing checked."""

from pathlib import Path

from django.db import connection, transaction
from python_calamine import CalamineWorkbook

from tests.benchmarks.rivals.models import PlainCustomer

COLUMNS = "name, phone, email, gender, birthday, tags, tier, province, city, external_id, note, sms_consent"
TABLE = PlainCustomer._meta.db_table
CHANGES = ", ".join(f"{column} = excluded.{column}" for column in COLUMNS.split(", "))
STAGED = f"CREATE TEMPORARY TABLE staged ON COMMIT DROP AS SELECT {COLUMNS} FROM {TABLE} WITH NO DATA"
MERGE = f"""
INSERT INTO {TABLE} ({COLUMNS}) SELECT DISTINCT ON (phone) {COLUMNS} FROM staged ORDER BY phone
ON CONFLICT (phone) DO UPDATE SET {CHANGES}
"""
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def load(path: Path) -> None:
    """Load a workbook into the one table."""
    rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).iter_rows()
    next(rows)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(STAGED)
        with cursor.copy(f"COPY staged ({COLUMNS}) FROM STDIN") as copy:
            for row in rows:
                copy.write("\t".join([str(cell).strip().translate(ESCAPES) for cell in row]) + "\n")
        cursor.execute(MERGE)
