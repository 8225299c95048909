"""Takes a finished import back, chunk by chunk from its last row to its first; a killed worker's successor goes on."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.db.models import Max, Min
from django.utils.translation import gettext_lazy as _

from customers.choices import ImportKind, ImportStatus, UndoFindingKind
from customers.crash_points import reach
from customers.models import SpreadsheetImport, UndoFinding
from customers.services import gate, import_chunks, import_merge, import_run, removals, undo_plan, undo_steps
from customers.services.undo_plan import Finding, Range

logger = logging.getLogger(__name__)

# So long the shop can change its mind; the file and what it changed are kept as long, and no longer.
UNDOABLE_FOR = timedelta(days=30)
# Less than a second: so long an opt-out or a page that is being saved may have to wait.
CHUNK_ROWS = 2_000
LEASE = timedelta(minutes=2)
# Somebody plans a campaign or reads replies; removals wait for them without making others queue behind.
BUSY_FOR = 0.5
LONGEST_PAUSE = timedelta(hours=1)

Clock = Callable[[], datetime]


class CannotUndo(Exception):
    """An import that is not undone; the text is a sentence for staff."""


class LeaseLost(Exception):
    """Another worker has taken the undo over; this one writes nothing more."""


class Busy(Exception):
    """Somebody is about to write rows about customers; nothing was changed."""


def undoable_until(imported: SpreadsheetImport) -> datetime | None:
    """Until when an import can be undone; None where there is nothing to undo any more."""
    if not imported.finished_at or not imported.rows_done or imported.blanked_at or not imported.stored_name:
        return None
    return imported.finished_at + UNDOABLE_FOR


def is_undoable(imported: SpreadsheetImport, *, now: datetime) -> bool:
    """Whether an import can be taken back now."""
    return SpreadsheetImport.objects.undoable(now - UNDOABLE_FOR).filter(pk=imported.pk).exists()


def preview(imported: SpreadsheetImport) -> dict[str, int]:
    """The numbers of what an undo would remove, restore and leave at this moment; changes nothing."""
    with transaction.atomic(), connection.cursor() as cursor:
        undo_plan.judge(cursor, _whole(imported))
        return undo_plan.counts(cursor)


def findings(
    imported: SpreadsheetImport, *, kind: UndoFindingKind, reason: str = "", offset: int = 0, limit: int | None = None
) -> list[Finding] | Iterator[Finding]:
    """
    What an undo left as it is; before the undo, what it would leave.

    In the order of the file; `reason` names one tie of those who stay.
    """
    if imported.status in (ImportStatus.UNDOING, ImportStatus.UNDONE):
        kept = UndoFinding.objects.filter(spreadsheet_import=imported, kind=kind)
        kept = kept.filter(reason=reason) if reason else kept
        kept = kept.order_by("number", "id").values_list(*Finding._fields)
        return (Finding(*row) for row in kept[offset : offset + limit if limit else None].iterator())
    with transaction.atomic(), connection.cursor() as cursor:
        undo_plan.judge(cursor, _whole(imported))
        return list(undo_plan.findings(cursor, kind=kind, reason=reason, offset=offset, limit=limit))


def start(imported: SpreadsheetImport, *, by: AbstractBaseUser | None, now: datetime) -> None:
    """
    Hand an import to the workers to take it back.

    Raises CannotUndo on the second click, while it is under way, and after 30 days.
    """
    if not SpreadsheetImport.objects.undoable(now - UNDOABLE_FOR).filter(pk=imported.pk).undo(by=by, now=now):
        imported.refresh_from_db()
        if imported.status in (ImportStatus.UNDOING, ImportStatus.UNDONE):
            raise CannotUndo(_("This import is being undone or was undone already; nothing was done twice."))
        raise CannotUndo(_("This import cannot be undone any more: what it changed is kept for 30 days."))
    imported.refresh_from_db()


def run(import_id: int, *, clock: Clock) -> dict[str, int]:
    """
    Take back the rows of an import that are still there, and return the counts of the whole undo.

    Returns {} where there is nothing to do: another worker is at it, or was faster. Raises what stopped it; a later
    call goes on after the last whole chunk.
    """
    token, now = uuid4(), clock()
    waiting = SpreadsheetImport.objects.filter(pk=import_id)
    if not waiting.lease_undo(token, now=now, until=now + LEASE):
        return {}
    leased = SpreadsheetImport.objects.filter(pk=import_id).leased_undo(token)
    try:
        while _take_back_chunk(import_id, token, clock):
            reach("after_undo_chunk")
        return _finish(import_id, token, now=clock())
    except LeaseLost:
        logger.warning("The undo of import %s was taken over by another worker.", import_id)
        return {}
    except BaseException:
        # What fails again and again is tried more and more seldom; a killed worker's successor waits for the lease.
        attempts = leased.values_list("attempts", flat=True).first() or 1
        pause = min(timedelta(seconds=2 ** min(attempts, 12)), LONGEST_PAUSE)
        leased.update(lease_until=clock() + pause)
        raise


def _take_back_chunk(import_id: int, token: UUID, clock: Clock) -> bool:
    """Take back the next rows; False where none is left."""
    while True:
        try:
            with transaction.atomic():
                return _take_back(import_id, token, now=clock())
        except Busy:
            now = clock()
            if not SpreadsheetImport.objects.filter(pk=import_id).leased_undo(token).update(lease_until=now + LEASE):
                raise LeaseLost from None
            time.sleep(BUSY_FOR)


def _take_back(import_id: int, token: UUID, *, now: datetime) -> bool:
    imported = SpreadsheetImport.objects.get(pk=import_id)
    numbers = imported.rows.all()
    if imported.undone_from is not None:
        numbers = numbers.filter(number__lt=imported.undone_from)
    chunk = numbers.order_by("-number").values("number")[:CHUNK_ROWS]
    ends = chunk.aggregate(first=Min("number"), last=Max("number"))
    if ends["last"] is None:
        return False
    with connection.cursor() as cursor:
        cursor.execute(import_chunks.FOR_ONE_CHUNK)
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [import_merge.ONE_FILE_AT_A_TIME])
        rows = _range(imported, first=ends["first"], last=ends["last"])
        undo_steps.hold(cursor, rows)
        if not removals.begin():
            raise Busy
        # An opt-out waits and then finds the customer gone, or was there first and keeps them.
        gate.hold_open()
        undo_plan.judge(cursor, rows)
        counts = Counter(imported.undo_counts) + Counter(undo_plan.counts(cursor))
        counts["rows"] = imported.undo_counts.get("rows", 0) + numbers.filter(number__gte=rows.first).count()
        undo_steps.take_back(cursor, rows, file_name=imported.file_name, by_id=imported.undone_by_id, now=now)
    progress = {"undone_from": rows.first, "undo_counts": counts, "lease_until": now + LEASE, "attempts": 0}
    unmoved = SpreadsheetImport.objects.filter(pk=import_id, undone_from=imported.undone_from).leased_undo(token)
    if not unmoved.update(**progress):
        raise LeaseLost
    return True


@transaction.atomic
def _finish(import_id: int, token: UUID, *, now: datetime) -> dict[str, int]:
    """Remove the tags and tiers that only this import needed, and close the undo."""
    leased = SpreadsheetImport.objects.filter(pk=import_id).leased_undo(token)
    imported = leased.select_for_update().first()
    if not imported:
        raise LeaseLost
    with connection.cursor() as cursor:
        counts = imported.undo_counts | undo_steps.remove_words(cursor, _range(imported, first=0, last=0).undone)
        if counts.get("removed", 0) >= import_run.MANY:
            import_merge.analyze(cursor)
    leased.update(status=ImportStatus.UNDONE, lease_until=None, lease_token=None, undone_at=now, undo_counts=counts)
    return counts


def _whole(imported: SpreadsheetImport) -> Range:
    ends = imported.rows.aggregate(first=Min("number"), last=Max("number"))
    return _range(imported, first=ends["first"] or 0, last=ends["last"] or 0)


def _range(imported: SpreadsheetImport, *, first: int, last: int) -> Range:
    """Rows of an import, with the imports that ran later or beside it."""
    since = imported.started_at or imported.created_at
    neighbors = SpreadsheetImport.objects.exclude(pk=imported.pk).exclude(finished_at__lt=since)
    standing = [ImportStatus.RUNNING, ImportStatus.DONE, ImportStatus.FAILED, ImportStatus.UNDOING]
    return Range(
        import_id=imported.pk,
        first=first,
        last=last,
        others=list(neighbors.filter(status__in=standing).values_list("pk", flat=True)),
        undone=[imported.pk, *neighbors.filter(status=ImportStatus.UNDONE).values_list("pk", flat=True)],
        are_orders=imported.kind == ImportKind.ORDERS,
    )
