"""The shop's own file back with words on what to do: asked for, written, kept as long as the file, and deleted."""

import hashlib
import json
import os
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils.translation import gettext, gettext_noop, override
from django.utils.translation import gettext_lazy as _

from customers import clock as shop_clock
from customers.choices import ExportStatus, ImportKind, ImportStatus, RowOutcome
from customers.models import MarkedFile, SpreadsheetImport
from customers.services import import_run, imports, marking, order_import
from customers.spreadsheets import marked, plain_workbook, reader, rows
from customers.spreadsheets.options import Options

LEASE = timedelta(minutes=2)
# A file that stopped three workers would stop the fourth.
ATTEMPTS = 3
RESULT = "result"
SEARCHED_ROWS = 50_000
CARRIED_OUT = (ImportStatus.DONE, ImportStatus.FAILED, ImportStatus.UNDOING, ImportStatus.UNDONE)
KEPT_EXTENSIONS = ("csv", "txt", "tsv")
CONTENT_TYPES = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xlsm": "application/vnd.ms-excel.sheet.macroEnabled.12",
    "tsv": "text/tab-separated-values",
}
GIVEN_UP = gettext_noop("The marked file could not be written; ask whoever runs the server to look at the workers.")
TOO_MANY_ROWS = gettext_noop(
    "Excel opens at most 1,048,576 rows; download the file in its own format, or only the rows to mend."
)

Clock = Callable[[], datetime]


class CannotMarkFile(Exception):
    """A marked file that cannot be had; the text is a sentence for staff."""


class LeaseLost(Exception):
    """Another worker has taken the file over."""


def is_offered(imported: SpreadsheetImport) -> bool:
    """Whether the file is still there, and has been read."""
    is_read = imported.status in CARRIED_OUT or (imported.status == ImportStatus.UPLOADED and imported.preview)
    return bool(is_read and imported.stored_name)


def has_something(imported: SpreadsheetImport) -> bool:
    """Whether any row would be marked; a long file is not searched for it."""
    if imported.status == ImportStatus.UPLOADED:
        counts = imported.preview.get("counts", {})
        return bool(imported.preview.get("refused_rows") or counts.get(RowOutcome.DUPLICATE))
    if imported.rows_done > SEARCHED_ROWS:
        return True
    return imported.rows.filter(marking.WANTS_WORDS).exists()


@transaction.atomic
def ask(
    imported: SpreadsheetImport,
    *,
    only_marked: bool,
    as_workbook: bool,
    language: str,
    by: AbstractBaseUser | None,
    now: datetime,
) -> MarkedFile:
    """
    The marked copy of a file: the one that is there already, or a new one that has to be written.

    Raises CannotMarkFile when the file itself is gone.
    """
    if not is_offered(imported) or not imports.path_of(imported).is_file():
        raise CannotMarkFile(_("The file was deleted; upload it again to get it marked."))
    # Two clicks at once would not see each other.
    SpreadsheetImport.objects.select_for_update(no_key=True).get(pk=imported.pk)
    wanted = {"basis": _basis(imported), "only_marked": only_marked, "as_workbook": as_workbook, "language": language}
    under_way_or_done = [ExportStatus.QUEUED, ExportStatus.RUNNING, ExportStatus.DONE]
    kept = imported.marked_files.filter(**wanted, status__in=under_way_or_done).first()
    if kept and (kept.status != ExportStatus.DONE or _stored(kept).is_file()):
        return kept
    return MarkedFile.objects.create(spreadsheet_import=imported, **wanted, created_by=by, created_at=now)


def latest(imported: SpreadsheetImport, *, language: str) -> MarkedFile | None:
    """The marked file that was asked for last, for the page of the import."""
    found = imported.marked_files.filter(basis=_basis(imported), language=language)
    return found.exclude(status=ExportStatus.EXPIRED).order_by("-id").first()


def write(marked_id: int, *, clock: Clock) -> dict[str, int]:
    """
    Write a file that was asked for, and return how many rows are marked.

    Returns {} where there is nothing to do: another worker is at it, or was faster. Raises what stopped it; the next
    call writes it anew.
    """
    token, now = uuid4(), clock()
    if not MarkedFile.objects.filter(pk=marked_id).lease(token, now=now, until=now + LEASE):
        return {}
    leased = MarkedFile.objects.filter(pk=marked_id).leased(token)
    asked = leased.select_related("spreadsheet_import").get()
    if asked.attempts > ATTEMPTS:
        leased.fail([(GIVEN_UP, {})], clock())
        return {}
    stored_name = secrets.token_hex(16)
    path = _folder() / stored_name
    try:
        with override(asked.language):
            written = _write(asked, path, leased, clock)
        is_ours = leased.finish(now=clock(), stored_name=stored_name, size=path.stat().st_size, **written)
    except LeaseLost:
        is_ours = False
    except (reader.Unreadable, plain_workbook.TooManyRows) as trouble:
        is_ours = False
        leased.fail([_complaint(trouble)], clock())
    except BaseException:
        path.unlink(missing_ok=True)
        # The next worker need not wait for the end of the lease.
        leased.update(lease_until=clock())
        raise
    if not is_ours:
        path.unlink(missing_ok=True)
        return {}
    return {"to_mend": written["rows_to_mend"], "to_know": written["rows_to_know"]}


def path_of(kept: MarkedFile) -> Path:
    """
    Where a finished file lies.

    Raises CannotMarkFile when it has been deleted.
    """
    imported = kept.spreadsheet_import
    path = _stored(kept)
    if kept.status != ExportStatus.DONE or not imported.stored_name or not path.is_file():
        raise CannotMarkFile(_("The marked file was deleted; ask for it again."))
    return path


def file_name(kept: MarkedFile) -> str:
    """The name under which the file is downloaded, in the reader's language."""
    stem = Path(kept.spreadsheet_import.file_name).stem or "–"
    name = gettext("%(name)s (rows to mend)") if kept.only_marked else gettext("%(name)s (marked)")
    return f"{name % {'name': stem}}.{kept.extension}"


def content_type(kept: MarkedFile) -> str:
    """What the browser is told the file is."""
    return CONTENT_TYPES.get(kept.extension, "text/csv")


def purge(now: datetime) -> dict[str, int]:
    """Delete marked files whose own file is gone, or that were marked before the columns were chosen otherwise."""
    deleted = 0
    there = MarkedFile.objects.exclude(status=ExportStatus.EXPIRED).select_related("spreadsheet_import")
    for kept in there.order_by("pk"):
        imported = kept.spreadsheet_import
        is_overtaken = kept.basis != _basis(imported) and kept.created_at < now - imports.ABANDONED_AFTER
        if not imported.stored_name or is_overtaken:
            _delete(kept)
            deleted += 1
    return {"marked files": deleted + _delete_strays(now)}


def _write(asked: MarkedFile, path: Path, leased, clock: Clock) -> dict[str, object]:
    imported = asked.spreadsheet_import

    def told(row: int) -> None:
        if not leased.update(rows_done=row, lease_until=clock() + LEASE):
            raise LeaseLost

    columns, source = import_run.columns(imported), imports.path_of(imported)
    with reader.open_sheet(source, imported.file_name) as sheet, _private(path) as target:
        position = sheet.position if sheet.goes_on else None
        remarks = marking.Remarks(columns, kind=imported.kind, only_to_mend=asked.only_marked, position=position)

        def marks():
            if asked.basis == RESULT:
                return remarks.of_result(imported)
            if imported.kind == ImportKind.ORDERS:
                return remarks.of_preview(order_import.interpret(sheet, columns, imported.options))
            today = shop_clock.shop_date(imported.created_at)
            options = Options.from_json(imported.options)
            return remarks.of_preview(rows.interpret(sheet, columns, today=today, options=options))

        written = marked.write(
            source,
            sheet,
            target,
            marks=marks,
            reference=asked.pk,
            only_marked=asked.only_marked,
            as_workbook=asked.as_workbook,
            told=told,
        )
        # On the disk and not only on its way there, before anybody is told that it is whole.
        target.flush()
        os.fsync(target.fileno())
    extension = Path(imported.file_name).suffix.lower().removeprefix(".")
    is_text = written.extension in KEPT_EXTENSIONS
    return {
        "extension": extension if is_text and extension in KEPT_EXTENSIONS else written.extension,
        "is_own": written.is_own,
        "rows_done": imported.rows_total,
        "rows_to_mend": remarks.to_mend,
        "rows_to_know": remarks.to_know,
    }


def _basis(imported: SpreadsheetImport) -> str:
    """What would be marked now: the result, or the file as it would be imported."""
    if imported.status in CARRIED_OUT:
        return RESULT
    chosen = json.dumps([[column["field"] for column in imported.mapping], imported.options], sort_keys=True)
    return hashlib.sha256(chosen.encode()).hexdigest()[:32]


def _complaint(trouble: Exception) -> tuple[str, dict]:
    return (trouble.message, trouble.values) if isinstance(trouble, reader.Unreadable) else (TOO_MANY_ROWS, {})


def _stored(kept: MarkedFile) -> Path:
    """The name was made here, and a name with a path in it never leaves the directory."""
    return _folder() / Path(kept.stored_name or "missing").name


def _private(path: Path) -> BinaryIO:
    """A new file that nobody else on the server reads."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b")


def _folder() -> Path:
    """Apart from the uploads, which are deleted by rules of their own."""
    folder = settings.UPLOADS / "marked"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _delete(kept: MarkedFile) -> None:
    if kept.stored_name:
        _stored(kept).unlink(missing_ok=True)
    MarkedFile.objects.filter(pk=kept.pk).expire()


def _delete_strays(now: datetime) -> int:
    """Delete files that no row knows: a worker died while it wrote them."""
    known = set(MarkedFile.objects.exclude(stored_name="").values_list("stored_name", flat=True))
    strays = 0
    for path in _folder().iterdir():
        if path.name not in known and now.timestamp() - path.stat().st_mtime > imports.ABANDONED_AFTER.total_seconds():
            path.unlink(missing_ok=True)
            strays += 1
    return strays
