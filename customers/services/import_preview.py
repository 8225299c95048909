"""Reads a file to its end and works out what importing it would do, without changing anything."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from customers import clock
from customers.choices import ImportKind
from customers.services import (
    file_consent,
    import_columns,
    import_layouts,
    import_lines,
    import_merge,
    import_options,
    import_plan,
    marking,
)
from customers.services.file_consent import FileEvidence
from customers.spreadsheets import layouts, marker, reader, rows
from customers.spreadsheets.layout_words import NOTICES
from customers.spreadsheets.layouts import Column, Layout
from customers.spreadsheets.options import Options
from customers.spreadsheets.order_rows import OrderRow
from customers.spreadsheets.rows import SKIP, Interpretation, Row

# Comparing more rows with the customers takes longer than staff would wait; the rest is read, but not compared.
COMPARED_ROWS = 200_000
ROWS_AT_ONCE = 10_000
FIRST_ROWS = 5
LISTED_ROWS = 300
# What a platform does to numbers that it will not give away.
HIDDEN = frozenset(["masked", "virtual_extension", "encrypted"])
SHOWN_DAYS = 2

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
    options: dict = field(default_factory=dict)
    layout: dict = field(default_factory=dict)
    answers: list[dict] = field(default_factory=list)
    hidden: int = 0
    unclear_days: list[str] = field(default_factory=list)
    # Of a marked file that came back: its number, rows that were to be mended, and those that are right now.
    marked_as: str = ""
    mended: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict:
        """The analysis as an import keeps it, without what stands in columns of its own."""
        kept = {"counts": self.counts, "rows": self.rows, "compared": self.compared, "first": self.first}
        kept |= {"refused": self.refused, "refused_rows": self.refused_rows, "blocked": self.blocked}
        kept |= {"layout": self.layout, "answers": self.answers, "hidden": self.hidden}
        kept |= {"unclear_days": self.unclear_days, "mended": self.mended}
        return json.loads(json.dumps(kept, default=str))


def kind_of(path: Path, file_name: str) -> str:
    """
    Whether a file holds customers or orders, as far as its first rows tell.

    Raises Unreadable.
    """
    with reader.open_sheet(path, file_name) as sheet:
        return import_columns.kind_of(sheet)


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
    chosen: Mapping[str, Any] | None = None,
    evidence: FileEvidence | None = None,
    observe: Callable[[Row], None] | None = None,
) -> Analysis:
    """
    Read a file and count what importing it would do.

    `columns` are guessed where none are given, and so are the options that are not among the `chosen`; `observe` is
    shown every row. Raises Unreadable for a file that cannot be imported, unless only its columns have to be chosen.
    """
    with reader.open_sheet(path, file_name) as sheet:
        known = import_layouts.all_layouts()
        columns = columns or import_columns.propose(sheet, known=known)
        analysis = begin(sheet, columns, known=known, chosen=chosen or {}, kind=ImportKind.CUSTOMERS)
        try:
            layouts.require_contact(columns, [cells for _number, cells in sheet.sample()], layouts=known)
        except reader.Unreadable as refusal:
            if refusal.code != "no_contact_column":
                raise
            analysis.blocked = (refusal.message, refusal.values)
            analysis.notices = sheet.notices
            return analysis
        counted = import_options.Counted(sheet, columns)
        options = Options.from_json(analysis.options)
        interpretation = rows.interpret(
            counted, columns, today=clock.shop_date(now), options=options, finds_repeats=observe is not None
        )
        _count(analysis, interpretation, evidence or FileEvidence(), observe)
        analysis.answers = import_options.answers(counted.cells, options)
        if not any(column.field == "external_id" for column in columns):
            interpretation.refuse_if_unreachable()
        analysis.notices = interpretation.notices
    return analysis


def begin(
    sheet: reader.Sheet, columns: list[Column], *, known: Sequence[Layout], chosen: Mapping[str, Any], kind: str
) -> Analysis:
    """An analysis before its first row: what the file was recognized as, and the options that follow from it."""
    layout = layouts.recognize(sheet.headers, known)
    remembered = import_columns.remembered_options(sheet)
    options = import_options.settle(chosen, layout=layout, remembered=remembered, kind=kind)
    analysis = Analysis(sheet.layout_key, columns, options=options)
    analysis.marked_as = sheet.marker.reference if sheet.marker else ""
    if layout:
        analysis.layout = {name: getattr(layout, name) for name in ("key", "label", "kind", "is_bundled", "advice")}
        if layout.notice and (kind == ImportKind.CUSTOMERS or layout.notice != NOTICES["orders"]):
            sheet.add_notice(layout.notice, **({"label": layout.label} if layout.is_bundled else {}))
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
        seen = note_mended(analysis, interpretation.sheet, _notice(analysis, interpretation, observe))
        compared = islice(seen, COMPARED_ROWS)
        import_plan.empty(cursor)
        while (batch := import_plan.batch(islice(compared, ROWS_AT_ONCE))).read:
            import_plan.stage(cursor, batch)
            analysis.compared += batch.count
        for _row in seen:
            pass
        import_plan.plan(cursor, repeats=True, options=interpretation.options)
        file_consent.wish(cursor, evidence)
        analysis.counts = import_merge.counts(cursor)


def note_mended(
    analysis: Analysis, sheet: reader.Sheet, passing: Iterator[Row | OrderRow], *, kind: str = ImportKind.CUSTOMERS
) -> Iterator[Row | OrderRow]:
    """Count, in a marked file that came back, the rows that were to be mended and those that are right now."""
    remarks = marking.Remarks(analysis.columns, kind=kind)
    for row in passing:
        if sheet.remark and marker.is_to_mend(sheet.remark):
            analysis.mended["rows"] += 1
            analysis.mended["right"] += not remarks.is_to_mend(row)
        yield row


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
        analysis.hidden += row.reason in HIDDEN
        if row.problems or not row.phone:
            analysis.refused_rows += 1
            _note_unclear_days(analysis, row)
            if len(analysis.refused) < LISTED_ROWS:
                problems = import_lines.describe(row.problems)
                if not row.phone and row.reason == "empty" and phone_column:
                    problems.append({"column": phone_column, "cell": "", "code": "empty"})
                analysis.refused.append({"number": row.number, "problems": problems, "lost": _is_lost(row)})
        yield row


def _note_unclear_days(analysis: Analysis, row: Row) -> None:
    """Keep a few dates of which nobody can tell day from month, for staff to say it."""
    for _header, cell, reason in row.problems:
        if (
            reason == "ambiguous_date"
            and len(analysis.unclear_days) < SHOWN_DAYS
            and cell not in analysis.unclear_days
        ):
            analysis.unclear_days.append(cell)


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
