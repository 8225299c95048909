"""Reads a file to its end and works out what importing it would do, without changing anything."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

from django.db import connection, transaction

from customers import clock
from customers.services import file_consent, import_columns, import_merge, import_plan
from customers.services.file_consent import FileEvidence
from customers.spreadsheets import layouts, reader, rows
from customers.spreadsheets.layouts import Column
from customers.spreadsheets.rows import SKIP, Interpretation, Row

# Comparing more rows with the customers takes longer than staff would wait; the rest is read, but not compared.
COMPARED_ROWS = 200_000
ROWS_AT_ONCE = 10_000
FIRST_ROWS = 5
LISTED_ROWS = 300

Notice = tuple[str, dict]


@dataclass
class Analysis:
    """What a file holds and what would come of it; `blocked` says what has to be chosen first."""

    layout_key: str
    columns: list[Column]
    counts: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    compared: int = 0
    first: list[dict] = field(default_factory=list)
    refused: list[dict] = field(default_factory=list)
    refused_rows: int = 0
    notices: list[Notice] = field(default_factory=list)
    blocked: Notice | None = None

    def to_json(self) -> dict:
        """The analysis as an import keeps it, without what stands in columns of its own."""
        kept = {"counts": self.counts, "rows": self.rows, "compared": self.compared, "first": self.first}
        kept |= {"refused": self.refused, "refused_rows": self.refused_rows, "blocked": self.blocked}
        return json.loads(json.dumps(kept, default=str))


def columns_of(path: Path, file_name: str) -> list[Column]:
    """
    The columns a file would be imported by.

    Raises Unreadable.
    """
    with reader.open_sheet(path, file_name) as sheet:
        return import_columns.propose(sheet)


def analyze(
    path: Path,
    file_name: str,
    *,
    now: datetime,
    columns: list[Column] | None = None,
    evidence: FileEvidence | None = None,
    observe: Callable[[Row], None] | None = None,
) -> Analysis:
    """
    Read a file and count what importing it would do.

    `columns` are guessed where none are given; `observe` is shown every row. Raises Unreadable for a file that cannot
    be imported, unless only its columns have to be chosen.
    """
    with reader.open_sheet(path, file_name) as sheet:
        columns = columns or import_columns.propose(sheet)
        analysis = Analysis(sheet.layout_key, columns)
        try:
            layouts.require_contact(columns, [cells for _number, cells in sheet.sample()])
        except reader.Unreadable as refusal:
            if refusal.code != "no_contact_column":
                raise
            analysis.blocked = (refusal.message, refusal.values)
            analysis.notices = sheet.notices
            return analysis
        interpretation = rows.interpret(sheet, columns, today=clock.shop_date(now))
        _count(analysis, interpretation, evidence or FileEvidence(), observe)
        if not any(column.field == "external_id" for column in columns):
            interpretation.refuse_if_unreachable()
        analysis.notices = interpretation.notices
    return analysis


def _count(
    analysis: Analysis,
    interpretation: Interpretation,
    evidence: FileEvidence,
    observe: Callable[[Row], None] | None,
) -> None:
    """Compare the first rows with the customers, and read the others for what is wrong with them."""
    with transaction.atomic(), connection.cursor() as cursor:
        import_plan.prepare(cursor)
        seen = _notice(analysis, interpretation, observe)
        compared = islice(seen, COMPARED_ROWS)
        import_plan.empty(cursor)
        while (batch := import_plan.batch(islice(compared, ROWS_AT_ONCE))).read:
            import_plan.stage(cursor, batch)
            analysis.compared += batch.count
        for _row in seen:
            pass
        import_plan.plan(cursor, repeats=True)
        file_consent.wish(cursor, evidence)
        analysis.counts = import_merge.counts(cursor)


def _notice(
    analysis: Analysis, interpretation: Interpretation, observe: Callable[[Row], None] | None
) -> Iterator[Row]:
    """Pass the rows on, keeping the first ones and those with something to correct."""
    phone_column = next((column.header for column in interpretation.columns if column.field == "phone"), "")
    for row in interpretation:
        if observe:
            observe(row)
        if row.outcome == SKIP:
            continue
        analysis.rows += 1
        if len(analysis.first) < FIRST_ROWS:
            analysis.first.append(_shown(row))
        if row.problems or not row.phone:
            analysis.refused_rows += 1
            if len(analysis.refused) < LISTED_ROWS:
                problems = import_plan.describe(row.problems)
                if not row.phone and row.reason == "empty" and phone_column:
                    problems.append({"column": phone_column, "cell": "", "code": "empty"})
                analysis.refused.append({"number": row.number, "problems": problems, "lost": _is_lost(row)})
        yield row


def _is_lost(row: Row) -> bool:
    """Whether nothing in the row says which customer it is."""
    return not (row.phone or row.email or row.external_id)


def _shown(row: Row) -> dict:
    return {
        "number": row.number,
        "name": row.name,
        "phone": row.phone or "",
        "email": row.email,
        "birthday": row.birthday_text,
        "gender": row.gender,
        "tags": list(row.tags),
        "tier": row.tier,
        "province": row.province,
        "city": row.city,
        "external_id": row.external_id,
        "note": row.note[:80],
        "sms_consent": row.sms_consent,
        "email_consent": row.email_consent,
    }
