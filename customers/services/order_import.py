"""
Imports order files: all rows are staged first, because an order's rows may stand anywhere, then merged in chunks.

Each chunk of orders is one transaction. A killed worker's successor stages the file again and goes on with the first
order whose row is not in the result yet.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from customers import clock
from customers.choices import ImportKind, Platform, RowOutcome
from customers.crash_points import reach
from customers.models import OrderStatusWord, SpreadsheetImport
from customers.services import (
    import_columns,
    import_layouts,
    import_lines,
    import_merge,
    import_preview,
    order_history,
    order_merge,
    order_people,
    order_plan,
)
from customers.services.import_preview import Analysis
from customers.spreadsheets import layouts, order_rows, reader
from customers.spreadsheets.faults import refusal
from customers.spreadsheets.layouts import Column
from customers.spreadsheets.order_rows import INVALID, SKIP, Interpretation, OrderRow
from customers.spreadsheets.order_statuses import Words

COMPARED_ROWS = 200_000
ROWS_AT_ONCE = 10_000
FOR_ONE_CHUNK = "SET LOCAL work_mem = '64MB'; SET LOCAL jit = off; SET LOCAL synchronous_commit = off"
LAST_ROW = 2_147_483_647

# Told of a chunk: how many rows it held and their counts; raises what stops the import.
Record = Callable[[int, Counter[str]], None]


def analyze(
    path: Path,
    file_name: str,
    *,
    now: datetime,
    columns: list[Column] | None = None,
    chosen: Mapping[str, Any] | None = None,
    observe: Callable[[OrderRow], None] | None = None,
) -> Analysis:
    """
    Read an order file and count what importing it would do, without changing anything.

    Raises Unreadable for a file that cannot be imported, unless only its columns have to be chosen.
    """
    with reader.open_sheet(path, file_name) as sheet:
        known = import_layouts.all_layouts()
        columns = columns or import_columns.propose(sheet, known=known, kind=ImportKind.ORDERS)
        analysis = import_preview.begin(sheet, columns, known=known, chosen=chosen or {}, kind=ImportKind.ORDERS)
        if not any(column.field == "order_number" for column in columns):
            fault = refusal("no_order_column", headers=_names(columns))
            analysis.blocked, analysis.notices = (fault.message, fault.values), sheet.notices
            return analysis
        interpretation = interpret(sheet, columns, analysis.options)
        with transaction.atomic(), connection.cursor() as cursor:
            _count(cursor, analysis, interpretation, now=now, observe=observe)
            transaction.set_rollback(True)
        if not analysis.rows or not interpretation.counts["valid"]:
            raise refusal("no_orders", rows=analysis.rows)
        analysis.notices = interpretation.notices
    return analysis


def interpret(sheet: reader.Sheet, columns: list[Column], options: Mapping[str, Any]) -> Interpretation:
    """The rows of a sheet as orders of the platform that staff named, or that its columns are known by."""
    return order_rows.interpret(
        sheet, columns, platform=platform_of(columns, options), words=words(), zone=clock.shop_zone()
    )


def platform_of(columns: list[Column], options: Mapping[str, Any]) -> str:
    """Where the orders of a file were placed, as far as it does not say so itself."""
    if options.get("platform") in Platform.values:
        return options["platform"]
    layout = layouts.recognize([column.header for column in columns], import_layouts.all_layouts())
    return layout.platform if layout and layout.platform in Platform.values else Platform.OTHER


def words() -> Words:
    """What the words of the platforms mean, as the shop has taught them."""
    return Words(OrderStatusWord.objects.values_list("platform", "text", "meaning"))


def run_rows(
    imported: SpreadsheetImport,
    path: Path,
    *,
    record: Record,
    clock_now: Callable[[], datetime],
    observe: Callable[[OrderRow], None] | None = None,
) -> None:
    """Import the orders of a file that are not in yet, chunk by chunk."""
    columns = import_columns.from_json(imported.mapping)
    rows = imported.rows.exclude(outcome=RowOutcome.DUPLICATE)
    done_up_to = rows.order_by("-number").values_list("number", flat=True).first() or 0
    with reader.open_sheet(path, imported.file_name) as sheet, connection.cursor() as cursor:
        interpretation = interpret(sheet, columns, imported.options)
        order_plan.prepare(cursor)
        order_merge.prepare(cursor)
        try:
            as_of = _stage_all(cursor, _seen(interpretation, observe), record, now=imported.created_at)
            for after, up_to in _chunks(cursor, done_up_to):
                with transaction.atomic():
                    _merge_chunk(cursor, imported, after, up_to, as_of, now=clock_now(), record=record)
                reach("after_import_chunk")
            with transaction.atomic():
                order_merge.analyze(cursor)
        finally:
            if not connection.needs_rollback and connection.is_usable():
                order_plan.forget(cursor)


def _merge_chunk(
    cursor,
    imported: SpreadsheetImport,
    after: int,
    up_to: int,
    as_of: datetime | None,
    *,
    now: datetime,
    record: Record,
) -> None:
    cursor.execute(FOR_ONE_CHUNK)
    # Two files that hold the same new customer or order must not both create it.
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [import_merge.ONE_FILE_AT_A_TIME])
    order_plan.take(cursor, after=after, up_to=up_to, as_of=as_of, hold=True)
    order_people.plan(cursor)
    order_history.remember_people(cursor, imported.pk)
    order_people.write(cursor, now=now)
    order_history.keep_people(cursor, imported.pk, now=now)
    order_merge.compare(cursor, now=now)
    moment = order_merge.moment(cursor)
    order_history.keep_orders(cursor, imported.pk, now=moment)
    order_merge.write(cursor, import_id=imported.pk, after=after, up_to=up_to, now=moment)
    found = order_merge.counts(cursor, after=after, up_to=up_to)
    record(sum(found[outcome] for outcome in RowOutcome), found)


def _stage_all(cursor, rows: Iterator[OrderRow], record: Record, *, now: datetime) -> datetime | None:
    """Stage the whole file; between the batches the lease is renewed."""
    while (batch := order_plan.batch(islice(rows, ROWS_AT_ONCE))).read:
        order_plan.stage(cursor, batch)
        record(0, Counter())
    return order_plan.settle(cursor, now=now)


def _chunks(cursor, done_up_to: int) -> Iterator[tuple[int, int]]:
    """The rows at which chunks of orders begin and end, in the order of the file."""
    cursor.execute(
        """
        SELECT first_number FROM (
            SELECT first_number, row_number() OVER (ORDER BY first_number) AS place
            FROM (
                SELECT first_number FROM staged_order
                UNION ALL SELECT number FROM staged_order_row WHERE order_number = ''
            ) begun WHERE first_number > %s
        ) numbered WHERE place %% %s = 0 ORDER BY first_number
        """,
        [done_up_to, ROWS_AT_ONCE],
    )
    ends = [end for (end,) in cursor.fetchall()]
    yield from zip([done_up_to, *ends], [*ends, LAST_ROW], strict=True)


def _seen(rows: Iterator[OrderRow], observe: Callable[[OrderRow], None] | None) -> Iterator[OrderRow]:
    for row in rows:
        if observe:
            observe(row)
        yield row


def _count(
    cursor,
    analysis: Analysis,
    interpretation: Interpretation,
    *,
    now: datetime,
    observe: Callable[[OrderRow], None] | None,
) -> None:
    """Compare the first rows with the orders that are known, and read the others for what is wrong with them."""
    order_plan.prepare(cursor)
    order_merge.prepare(cursor)
    cursor.execute("SET LOCAL jit = off")
    noticed = _noticed(analysis, _seen(interpretation, observe))
    seen = import_preview.note_mended(analysis, interpretation.sheet, noticed, kind=ImportKind.ORDERS)
    compared = islice(seen, COMPARED_ROWS)
    while (batch := order_plan.batch(islice(compared, ROWS_AT_ONCE))).read:
        order_plan.stage(cursor, batch)
        analysis.compared += batch.count
    for _row in seen:
        pass
    as_of = order_plan.settle(cursor, now=now)
    order_plan.take(cursor, after=0, up_to=LAST_ROW, as_of=as_of, hold=False)
    order_people.plan(cursor)
    order_merge.compare(cursor, now=now)
    analysis.counts = order_merge.counts(cursor, after=0, up_to=LAST_ROW)


def _noticed(analysis: Analysis, rows: Iterator[OrderRow]) -> Iterator[OrderRow]:
    """Pass the rows on, keeping the first ones and those with something to know."""
    for row in rows:
        if row.outcome == SKIP:
            continue
        analysis.rows += 1
        if len(analysis.first) < import_preview.FIRST_ROWS:
            analysis.first.append(_shown(row))
        if row.problems:
            analysis.refused_rows += 1
            if len(analysis.refused) < import_preview.LISTED_ROWS:
                problems = import_lines.describe(row.problems)
                analysis.refused.append({"number": row.number, "problems": problems, "lost": row.outcome == INVALID})
        yield row


def _shown(row: OrderRow) -> dict:
    """A row as the review page shows it."""
    shown = row._asdict() | {"product": "、".join(row.goods), "status": row.status_text}
    zone = clock.shop_zone()
    for name in (*order_plan.TIMES, *order_plan.PROMISES):
        at = shown[name]
        shown[name] = f"{at.astimezone(zone):%Y-%m-%d %H:%M}" if at else ""
    for name in ("goods", "problems", "is_locked", "is_deleted", "status_text", "outcome", "reason"):
        del shown[name]
    return {key: "" if value is None else str(value) for key, value in shown.items()} | {
        "number": row.number,
        "meaning": row.status or "",
    }


def _names(columns: list[Column]) -> str:
    return "、".join(column.header for column in columns if column.header)[:200] or "–"
