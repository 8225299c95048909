"""Carries out an import chunk by chunk, each one transaction: a killed worker's successor goes on behind the last."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import islice
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
from customers.crash_points import reach
from customers.models import SpreadsheetImport
from customers.services import import_columns, import_merge, import_options, import_plan, order_import
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
LEASE = timedelta(minutes=2)
# A file that stopped three workers would stop the fourth.
ATTEMPTS = 3

# A power cut may take the last chunks with it, all of each; the next attempt goes on behind those that are left. The
# commit that closes the import waits for the disk, for itself and for them.
FOR_ONE_CHUNK = "SET LOCAL work_mem = '32MB'; SET LOCAL jit = off; SET LOCAL synchronous_commit = off"

GIVEN_UP = gettext_noop("The import stopped %(times)d times and was given up.")
GO_ON = gettext_noop("The rows imported so far stay. Upload the file again: they will come out as unchanged.")

ONE_PURPOSE = frozenset(["sms_marketing", "sms_care", "email_marketing", "email_care"])

Clock = Callable[[], datetime]


class LeaseLost(Exception):
    """Another worker has taken the import over; this one writes nothing more."""


def run(import_id: int, *, path: Path, clock: Clock, observe: Callable[[Row], None] | None = None) -> dict[str, int]:
    """
    Import the rows of a queued file that are not in yet, and return the counts of all its rows.

    Returns {} where there is nothing to do: another worker is at it, or was faster. Raises what stopped it; the next
    call goes on after the last whole chunk.
    """
    token, now = uuid4(), clock()
    if not SpreadsheetImport.objects.filter(pk=import_id).lease(token, now=now, until=now + LEASE):
        return {}
    leased = SpreadsheetImport.objects.filter(pk=import_id).leased(token)
    imported = leased.get()
    if imported.attempts > ATTEMPTS:
        leased.fail([(GIVEN_UP, {"times": ATTEMPTS}), (GO_ON, {})], clock())
        return {}
    try:
        work = _import_orders if imported.kind == ImportKind.ORDERS else _import_rows
        work(imported, path, token, clock=clock, observe=observe)
    except LeaseLost:
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
    with connection.cursor() as cursor:
        import_plan.prepare(cursor)
        if done_up_to:
            cursor.execute(import_merge.TAKEN_BEFORE, [imported.pk])
    with reader.open_sheet(path, imported.file_name) as sheet, ThreadPoolExecutor(max_workers=1) as beside:
        today = shop_clock.shop_date(imported.created_at)
        interpretation = rows.interpret(
            sheet, known_columns, today=today, options=options, finds_repeats=observe is not None
        )
        waiting = _after(interpretation, done_up_to, observe)

        def next_batch(size: int = CHUNK_ROWS) -> Batch:
            return import_plan.batch(islice(waiting, size))

        # While PostgreSQL merges one chunk, the next one is read: a third less time on two cores.
        coming = beside.submit(next_batch, min(CHUNK_ROWS, FIRST_CHUNK_ROWS))
        while (batch := coming.result()).read:
            coming = beside.submit(next_batch)
            if batch.count:
                _import_chunk(file, batch, token, options=options, now=clock())
                reach("after_import_chunk")


def _import_orders(
    imported: SpreadsheetImport, path: Path, token: UUID, *, clock: Clock, observe: Callable | None
) -> None:
    # What an earlier release began without keeping what it changed cannot be taken back whole.
    if not imported.rows_done:
        SpreadsheetImport.objects.filter(pk=imported.pk).leased(token).update(remembers_orders=True)

    def record(count: int, counts: Counter[str]) -> None:
        with transaction.atomic():
            _record_progress(imported.pk, token, count, counts, now=clock())

    order_import.run_rows(imported, path, record=record, clock_now=clock, observe=observe)


def _after(interpretation: Iterator[Row], number: int, observe: Callable[[Row], None] | None) -> Iterator[Row]:
    """The rows below those that an earlier attempt has merged."""
    for row in interpretation:
        if observe:
            observe(row)
        if row.number > number:
            yield row


def _import_chunk(file: import_merge.File, batch: Batch, token: UUID, *, options: Options, now: datetime) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(FOR_ONE_CHUNK)
        import_plan.empty(cursor)
        import_plan.stage(cursor, batch)
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [import_merge.ONE_FILE_AT_A_TIME])
        import_plan.plan(cursor, repeats=batch.repeats, options=options)
        import_merge.write(cursor, file, now=now)
        _record_progress(file.import_id, token, batch.count, import_merge.counts(cursor), now=now)


def _record_progress(import_id: int, token: UUID, count: int, counts: Counter[str], *, now: datetime) -> None:
    """Add the chunk to the import's numbers; raises LeaseLost, and undoes the chunk, if the lease is another's."""
    leased = SpreadsheetImport.objects.filter(pk=import_id).leased(token)
    imported = leased.select_for_update().first()
    if not imported:
        raise LeaseLost
    leased.update(
        rows_done=imported.rows_done + count,
        rows_total=max(imported.rows_total, imported.rows_done + count),
        counts=Counter(imported.counts) + counts,
        lease_until=now + LEASE,
    )


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
