"""The life of an uploaded customer file: stored, read, reviewed, started, discarded, and forgotten in time."""

import hashlib
import logging
import os
import secrets
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from customers import clock
from customers.choices import CONSENT_PURPOSES, Channel, ImportKind, ImportStatus
from customers.models import (
    ImportedBuyer,
    ImportedChange,
    ImportedOrder,
    ImportedRow,
    SpreadsheetImport,
    UndoFinding,
)
from customers.services import (
    import_columns,
    import_options,
    import_preview,
    import_run,
    import_undo,
    mended_copies,
    order_import,
)
from customers.spreadsheets import reader

logger = logging.getLogger(__name__)

# Larger files are read by a worker, so that no page makes its reader wait for more than a second or two.
READ_AT_ONCE_BYTES = 1_500_000
# An upload holds people's data: what nobody imported within the hour is deleted.
ABANDONED_AFTER = timedelta(hours=1)
# Half an advisory lock; the other half is the import.
READING = 0x52656164  # "Read"
DECLARABLE_CHANNELS = (Channel.SMS, Channel.EMAIL)
LONGEST_DECLARATION = 2000
# Among the options: somebody said what the rows are, and reading the file does not decide it.
KIND_IS_CHOSEN = "is_kind_chosen"
# Where orders cannot come in yet, an order export is a list of customers.
ORDERS_COME_IN = True


class CannotImport(Exception):
    """A file or a click that leads nowhere; the text is a sentence for staff."""


def upload(
    chunks: Iterable[bytes],
    *,
    file_name: str,
    by: AbstractBaseUser | None,
    now: datetime,
    kind: str = ImportKind.CUSTOMERS,
    is_kind_chosen: bool = False,
) -> SpreadsheetImport:
    """
    Store a file under a name that nobody can guess, for its owner alone.

    Unless `is_kind_chosen`, reading the file decides whether it holds customers or orders. Raises CannotImport when
    it is too large.
    """
    stored_name = secrets.token_hex(16)
    path = _place(stored_name)
    digest, size = hashlib.sha256(), 0
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
            for chunk in chunks:
                size += len(chunk)
                if size > settings.UPLOAD_MAX_BYTES:
                    limit = settings.UPLOAD_MAX_BYTES // 1024 // 1024
                    raise CannotImport(
                        _("The file is larger than %(limit)d MB; split it into several.") % {"limit": limit}
                    )
                digest.update(chunk)
                handle.write(chunk)
            # A power cut after the page has answered must not leave a shorter list.
            handle.flush()
            os.fsync(handle.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return SpreadsheetImport.objects.create(
        file_name=_displayable(file_name),
        stored_name=stored_name,
        sha256=digest.hexdigest(),
        size=size,
        kind=kind,
        options={KIND_IS_CHOSEN: True} if is_kind_chosen else {},
        created_by=by,
        created_at=now,
    )


def read(imported: SpreadsheetImport, *, now: datetime) -> None:
    """Read an uploaded file and keep what its review page shows; a file that cannot be read is refused."""
    path = path_of(imported)
    try:
        kind = _kind(imported, path)
        columns = import_columns.from_json(imported.mapping) or None
        if kind == ImportKind.ORDERS:
            analysis = order_import.analyze(
                path, imported.file_name, now=now, columns=columns, chosen=imported.options
            )
        else:
            analysis = import_preview.analyze(
                path,
                imported.file_name,
                now=now,
                columns=columns,
                chosen=imported.options,
                evidence=import_run.evidence_of(imported),
            )
    except reader.Unreadable as refusal:
        # Whoever reads too late, when the import has begun, refuses nothing.
        if SpreadsheetImport.objects.filter(pk=imported.pk).refuse([(refusal.message, refusal.values)], now):
            _delete_file(imported)
    else:
        if mended_copies.adopt(imported, reference=analysis.marked_as, columns=analysis.columns):
            return read(imported, now=now)
        SpreadsheetImport.objects.filter(pk=imported.pk, status=ImportStatus.UPLOADED).update(
            kind=kind,
            layout_key=analysis.layout_key,
            mapping=import_columns.to_json(analysis.columns),
            options=analysis.options | {KIND_IS_CHOSEN: True},
            notices=analysis.notices,
            preview=analysis.to_json(),
            rows_total=analysis.rows,
        )
    imported.refresh_from_db()


def read_waiting(import_id: int, *, now: datetime) -> int:
    """Read an upload that nobody has read yet, and return its rows; 0 where another worker is at it, or was faster."""
    key = [READING, import_id % 2**31]
    with connection.cursor() as cursor:
        # The database lets go of it with the worker, should that be killed.
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", key)
        if not cursor.fetchone()[0]:
            return 0
        try:
            imported = SpreadsheetImport.objects.unread().filter(pk=import_id).first()
            if imported is None:
                return 0
            read(imported, now=now)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", key)
    return imported.rows_total


def _kind(imported: SpreadsheetImport, path: Path) -> str:
    """What the rows are: what somebody said, or else what the file looks like."""
    if imported.options.get(KIND_IS_CHOSEN) or not ORDERS_COME_IN:
        return imported.kind
    return import_preview.kind_of(path, imported.file_name)


def is_quickly_read(imported: SpreadsheetImport) -> bool:
    """Whether a page may read the file itself."""
    return imported.size <= READ_AT_ONCE_BYTES


def review(
    imported: SpreadsheetImport,
    *,
    fields: Mapping[int, str | None],
    declaration: dict[str, Any],
    kind: str = "",
    choices: Mapping[str, str] | None = None,
) -> bool:
    """
    Keep what staff chose; returns whether the numbers of the preview still hold.

    `choices` are the options of the form, as `import_options.chosen` takes them; another `kind` makes the file be
    read anew. Raises CannotMap for columns that do not fit, CannotChoose for such options, CannotImport when the file
    is no longer waiting.
    """
    if not imported.mapping:
        raise CannotImport(_("The file is still being read; wait a moment."))
    if kind and kind != imported.kind:
        return _change_kind(imported, kind)
    kept = import_columns.from_json(imported.mapping)
    columns = import_columns.choose([column.header for column in kept], fields, kept=kept, kind=imported.kind)
    listed = imported.preview.get("answers", [])
    options = import_options.chosen(choices or {}, columns=columns, before=imported.options, listed=listed)
    still_holds = [column.field for column in columns] == [column.field for column in kept]
    still_holds = still_holds and _scope(declaration) == _scope(imported.declaration) and options == imported.options
    values: dict[str, Any] = {
        "mapping": import_columns.to_json(columns),
        "declaration": declaration,
        "options": options,
    }
    if not still_holds:
        values["preview"] = {}
    _keep(imported, values)
    return still_holds


def _change_kind(imported: SpreadsheetImport, kind: str) -> bool:
    """Take the rows for something else: the columns are guessed anew, and the numbers no longer hold."""
    if kind not in ImportKind.values or (kind == ImportKind.ORDERS and not ORDERS_COME_IN):
        raise CannotImport(_("Choose whether the rows are customers or orders."))
    options = {KIND_IS_CHOSEN: True}
    _keep(imported, {"kind": kind, "mapping": [], "declaration": {}, "options": options, "preview": {}})
    return False


def _keep(imported: SpreadsheetImport, values: Mapping[str, Any]) -> None:
    if not SpreadsheetImport.objects.filter(pk=imported.pk, status=ImportStatus.UPLOADED).update(**values):
        raise CannotImport(_("This file is no longer waiting for a review; nothing was changed."))
    imported.refresh_from_db()


def declare(
    *,
    channels: Iterable[str],
    purposes: Iterable[str],
    place: str,
    given_on: date | None,
    wording: str,
    by: AbstractBaseUser,
    now: datetime,
    is_draft: bool = False,
) -> dict[str, Any]:
    """
    Make the declaration that a file's customers agreed; {} when no channel is declared.

    A draft may be incomplete: it is for the numbers of the preview. Raises CannotImport when something that the
    evidence needs is missing, or the person may not declare.
    """
    channels, purposes = list(channels), list(purposes)
    if not channels:
        return {}
    if not by.has_perm("customers.declare_consent"):
        raise CannotImport(_("You may not declare consent for a file; ask the owner of the shop."))
    if not set(channels) <= set(DECLARABLE_CHANNELS) or not set(purposes) <= set(CONSENT_PURPOSES):
        raise CannotImport(_("This page no longer fits the file. Nothing was saved; reload it."))
    place, wording = place.replace("\0", "").strip(), wording.replace("\0", "").strip()
    if not is_draft and not (purposes and place and wording and given_on):
        raise CannotImport(_("To declare consent, say for what, where, when and in what words the customers agreed."))
    if given_on and given_on > clock.shop_date(now):
        raise CannotImport(_("The day on which the customers agreed lies in the future; correct it."))
    happened_at = datetime.combine(given_on, time(), tzinfo=clock.shop_zone()) if given_on else None
    return {
        "channels": sorted(channels),
        "purposes": sorted(purposes),
        "place": place[:200],
        "given_on": given_on.isoformat() if given_on else "",
        "happened_at": happened_at.isoformat() if happened_at else "",
        "wording": wording[:LONGEST_DECLARATION],
        "by": by.pk,
        "by_name": by.get_full_name() or by.get_username(),
    }


def may_decide(imported: SpreadsheetImport, person: AbstractBaseUser) -> bool:
    """Whether a person may change, start or discard an upload: who uploaded it, or a superuser."""
    return person.is_superuser or (imported.created_by_id is not None and imported.created_by_id == person.pk)


def start(imported: SpreadsheetImport) -> None:
    """
    Hand a reviewed file to the workers, and remember its columns for the next one.

    Raises CannotImport on the second click, and while columns have to be chosen.
    """
    if imported.status == ImportStatus.UPLOADED and not imported.preview:
        raise CannotImport(_("The file is still being read; wait a moment."))
    if imported.status == ImportStatus.UPLOADED and imported.preview["blocked"]:
        raise CannotImport(_("Choose the columns first."))
    # Without its preview, somebody has just chosen other columns, which nobody has seen the numbers of.
    if not SpreadsheetImport.objects.filter(pk=imported.pk).exclude(preview={}).queue():
        raise CannotImport(_("This file has already been started or put aside; nothing was done twice."))
    imported.refresh_from_db()


def run(import_id: int, *, now: import_run.Clock, observe=None) -> dict[str, int]:
    """Import the rows of a queued file; see `import_run.run`."""
    imported = SpreadsheetImport.objects.get(pk=import_id)
    return import_run.run(import_id, path=path_of(imported), clock=now, observe=observe)


def discard(imported: SpreadsheetImport, *, now: datetime) -> None:
    """
    Put an uploaded file aside and delete it.

    Raises CannotImport when it has been started meanwhile.
    """
    if not SpreadsheetImport.objects.filter(pk=imported.pk).discard(now):
        raise CannotImport(_("This file has already been started or put aside; nothing was done twice."))
    _delete_file(imported)
    imported.refresh_from_db()


def earlier_imports(imported: SpreadsheetImport):
    """Imports of the very same file, newest first."""
    same = SpreadsheetImport.objects.filter(sha256=imported.sha256, status=ImportStatus.DONE)
    return same.exclude(pk=imported.pk).exclude(sha256="").order_by("-id")


def purge(now: datetime) -> dict[str, int]:
    """
    Delete files that nobody needs any more, and blank the personal columns of old results.

    A file that nobody confirmed goes after an hour; a confirmed one stays as long as its import can be undone, and
    goes with what the import changed.
    """
    abandoned = list(SpreadsheetImport.objects.abandoned(now - ABANDONED_AFTER))
    put_aside = sum(_put_aside(imported, now=now) for imported in abandoned)
    expired = list(SpreadsheetImport.objects.expired(now - import_undo.UNDOABLE_FOR))
    blanked = sum(_blank(imported, now=now) for imported in expired)
    return {"files": put_aside + len(expired) + _delete_strays(now), "rows": blanked}


def path_of(imported: SpreadsheetImport) -> Path:
    """Where the file lies; the name was made here, and a name with a path in it never leaves the directory."""
    return _place(Path(imported.stored_name or "missing").name)


def _put_aside(imported: SpreadsheetImport, *, now: datetime) -> bool:
    """Delete a file that nobody confirmed; False where somebody has confirmed it this moment."""
    SpreadsheetImport.objects.filter(pk=imported.pk).discard(now)
    is_unconfirmed = SpreadsheetImport.objects.abandoned(now - ABANDONED_AFTER).filter(pk=imported.pk).exists()
    if is_unconfirmed:
        _delete_file(imported)
    return is_unconfirmed


def _blank(imported: SpreadsheetImport, *, now: datetime) -> int:
    """Forget what an old import knows of people; returns how many rows, 0 where an undo has begun meanwhile."""
    with transaction.atomic():
        still = SpreadsheetImport.objects.expired(now - import_undo.UNDOABLE_FOR).filter(pk=imported.pk)
        if not still.update(blanked_at=now, preview={}):
            return 0
        for kept in (ImportedChange, ImportedOrder, ImportedBuyer):
            kept.objects.filter(spreadsheet_import=imported).delete()
        UndoFinding.objects.filter(spreadsheet_import=imported).update(ours="", before="", present="")
        rows = ImportedRow.objects.filter(spreadsheet_import=imported)
        blanked = rows.update(name="", phone="", email="", external_id="", problems=[])
    _delete_file(imported)
    return blanked


def _place(stored_name: str) -> Path:
    settings.UPLOADS.mkdir(mode=0o700, parents=True, exist_ok=True)
    return settings.UPLOADS / stored_name


def _displayable(file_name: str) -> str:
    name = Path(file_name.replace("\\", "/").replace("\0", "")).name
    return "".join(character for character in name if character.isprintable())[-200:] or "–"


def _scope(declaration: Mapping[str, Any]) -> tuple:
    """What of a declaration changes the numbers of the preview."""
    return tuple(declaration.get("channels", ())), tuple(declaration.get("purposes", ()))


def _delete_file(imported: SpreadsheetImport) -> None:
    path_of(imported).unlink(missing_ok=True)
    SpreadsheetImport.objects.filter(pk=imported.pk).update(stored_name="")


def _delete_strays(now: datetime) -> int:
    """Delete files that no import knows: a process died between storing the file and the row."""
    known = set(SpreadsheetImport.objects.exclude(stored_name="").values_list("stored_name", flat=True))
    strays = 0
    for path in settings.UPLOADS.glob("*") if settings.UPLOADS.is_dir() else ():
        if path.is_file() and path.name not in known:
            age = now.timestamp() - path.stat().st_mtime
            if age > ABANDONED_AFTER.total_seconds():
                path.unlink(missing_ok=True)
                strays += 1
    return strays
