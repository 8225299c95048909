"""Carries out an import chunk by chunk, each one transaction: a killed worker's successor goes on behind the last."""

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from uuid import UUID, uuid4

from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.db.models import Max
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from customers import clock as shop_clock
from customers.choices import ImportKind
from customers.models import SpreadsheetImport
from customers.services import import_chunks, import_columns, import_merge, import_options, import_plan, order_import
from customers.services.file_consent import Declaration, FileEvidence
from customers.services.import_plan import Batch
from customers.spreadsheets import reader, rows
from customers.spreadsheets.layouts import Column
from customers.spreadsheets.options import Options
from customers.spreadsheets.rows import Row

logger = logging.getLogger(__name__)

# From here on the planner's old numbers mislead it.
MANY = 1_000
# One chunk takes about a second: so often the progress bar moves, and so long an opt-out may have to wait.
CHUNK_ROWS = 10_000
# PostgreSQL has nothing to do until it is read.
FIRST_CHUNK_ROWS = 2_000
# A file that stopped three workers would stop the fourth.
ATTEMPTS = 3

GIVEN_UP = gettext_noop("The import stopped %(times)d times and was given up.")
GO_ON = gettext_noop("The rows imported so far stay. Upload the file again: they will come out as unchanged.")

ONE_PURPOSE = frozenset(["sms_marketing", "sms_care", "email_marketing", "email_care"])

Clock = Callable[[], datetime]


def run(import_id: int, *, path: Path, clock: Clock, observe: Callable[[Row], None] | None = None) -> dict[str, int]:
    """
    Import the rows of a queued file that are not in yet, and return the counts of all its rows.

    Returns {} where there is nothing to do: another worker is at it, or was faster. Raises what stopped it; the next
    call goes on after the last whole chunk.
    """
    token, now = uuid4(), clock()
    if not SpreadsheetImport.objects.filter(pk=import_id).lease(token, now=now, until=now + import_chunks.LEASE):
        return {}
    leased = SpreadsheetImport.objects.filter(pk=import_id).leased(token)
    imported = leased.get()
    if imported.attempts > ATTEMPTS:
        leased.fail([(GIVEN_UP, {"times": ATTEMPTS}), (GO_ON, {})], clock())
        return {}
    try:
        work = _import_orders if imported.kind == ImportKind.ORDERS else _import_rows
        work(imported, path, token, clock=clock, observe=observe)
    except import_chunks.LeaseLost:
        logger.warning("Import %s was taken over by another worker.", import_id)
        return {}
    except reader.Unreadable as refusal:
        leased.fail([(refusal.message, refusal.values), *([(GO_ON, {})] if leased.get().rows_done else [])], clock())
        return {}
    except BaseException:
        # The next worker need not wait for the end of the lease.
        leased.update(lease_until=clock())
        raise
    return _finish(imported, leased, clock())


def columns(imported: SpreadsheetImport) -> list[Column]:
    """What the columns of the file are taken for."""
    return import_columns.from_json(imported.mapping)


def evidence_of(imported: SpreadsheetImport) -> FileEvidence:
    """What the evidence of this import's consents will say."""
    wordings = {}
    for column in columns(imported):
        if column.field in ("consent", "sms_consent", "email_consent"):
            said = f"{imported.file_name}: “{column.header}”"
            for channel in ("sms", "email") if column.field == "consent" else (column.field.removesuffix("_consent"),):
                wordings[channel] = said if column.field != "consent" else wordings.get(channel, said)
        elif column.field in ONE_PURPOSE:
            wordings.setdefault(column.field.partition("_")[0], f"{imported.file_name}: “{column.header}”")
    declared = imported.declaration
    declaration = Declaration()
    if declared:
        declaration = Declaration(
            channels=declared["channels"],
            purposes=declared["purposes"],
            wording=f"{declared['place']}: {declared['wording']}",
            happened_at=parse_datetime(declared["happened_at"] or ""),
            by=get_user_model().objects.get(pk=declared["by"]),
        )
    return FileEvidence(import_id=imported.pk, by=imported.created_by, wordings=wordings, declaration=declaration)


def sentence(refusal: reader.Unreadable) -> str:
    """A refusal in the reader's language."""
    return _(refusal.message) % refusal.values if refusal.values else _(refusal.message)


def _import_rows(
    imported: SpreadsheetImport, path: Path, token: UUID, *, clock: Clock, observe: Callable[[Row], None] | None
) -> None:
    known_columns, options = columns(imported), Options.from_json(imported.options)
    headers = {column.field: column.header for column in known_columns if column.field}
    file = import_merge.File(imported.pk, evidence_of(imported), headers)
    done_up_to = imported.rows.aggregate(last=Max("number"))["last"] or 0
    work = import_chunks.Work(file, token, options, clock)
    with (
        reader.open_sheet(path, imported.file_name) as sheet,
        ThreadPoolExecutor(max_workers=1) as beside,
        import_chunks.Chunks(work) as chunks,
    ):
        today = shop_clock.shop_date(imported.created_at)
        interpretation = rows.interpret(
            sheet, known_columns, today=today, options=options, finds_repeats=observe is not None
        )
        batches = _read_ahead(_Reading(interpretation, behind=done_up_to, observe=observe), beside)
        # Its own beginning, so that the bar moves at once.
        for batch in islice(batches, 1):
            chunks.write(batch)
        while pair := list(islice(batches, 2)):
            if len(pair) == 2:
                chunks.write_both(*pair)
            else:
                chunks.write(pair[0])


class _Reading:
    """
    The rows of a file in chunks, those behind what an earlier attempt has merged.

    Chunks end at the same rows in every attempt: a yes and the no of a later row leave evidence in two chunks, and
    none in one.
    """

    def __init__(self, rows: Iterator[Row], *, behind: int, observe: Callable[[Row], None] | None):
        self._position = 0
        self._observe = observe
        self._rows = self._counted(rows)
        if behind:
            first = next((row for row in self._rows if row.number > behind), None)
            self._rows = chain([first], self._rows) if first else iter(())
            self._position -= bool(first)

    def next_chunk(self) -> Batch:
        """The next rows, ready to be staged; without any at the end."""
        first = min(CHUNK_ROWS, FIRST_CHUNK_ROWS)
        begun = self._position
        size = first - begun if begun < first else CHUNK_ROWS - (begun - first) % CHUNK_ROWS
        batch = import_plan.batch(islice(self._rows, size))
        self._position = begun + batch.read
        return batch

    def _counted(self, rows: Iterator[Row]) -> Iterator[Row]:
        for row in rows:
            self._position += 1
            if self._observe:
                self._observe(row)
            yield row


def _read_ahead(reading: _Reading, beside: Executor) -> Iterator[Batch]:
    """Its chunks; while PostgreSQL merges some, the next ones are read: a third less time on two cores."""
    coming = deque(beside.submit(reading.next_chunk) for _ahead in range(2))
    while (batch := coming.popleft().result()).read:
        coming.append(beside.submit(reading.next_chunk))
        if batch.count:
            yield batch


def _import_orders(
    imported: SpreadsheetImport, path: Path, token: UUID, *, clock: Clock, observe: Callable | None
) -> None:
    # What an earlier release began without keeping what it changed cannot be taken back whole.
    if not imported.rows_done:
        SpreadsheetImport.objects.filter(pk=imported.pk).leased(token).update(remembers_orders=True)

    def record(count: int, counts: Counter[str]) -> None:
        with transaction.atomic():
            import_chunks.record_progress(imported.pk, token, count, counts, now=clock())

    order_import.run_rows(imported, path, record=record, clock_now=clock, observe=observe)


def _finish(imported: SpreadsheetImport, leased, now: datetime) -> dict[str, int]:
    if not leased.finish(now):
        return {}
    options = import_options.remembered(imported.options, imported.kind)
    import_columns.remember(imported.layout_key, columns(imported), now=now, options=options)
    imported.refresh_from_db()
    if imported.counts.get("created", 0) >= MANY:
        with transaction.atomic(), connection.cursor() as cursor:
            import_merge.analyze(cursor)
    return imported.counts
