"""Exports: asked for, written by a worker with flat memory, handed to their owner for a day, and deleted."""

import errno
import logging
import os
import secrets
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Protocol
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from customers.choices import ExportFormat, ExportStatus
from customers.crash_points import reach
from customers.models import Export
from customers.spreadsheets import writing

logger = logging.getLogger(__name__)

# So many rows are written while the page waits: a second or two.
AT_ONCE = 5_000
# 2,000 customers with all that belongs to them: 5 MB, and 50 trips to the database for 100,000.
ROWS_IN_A_PIECE = 2_000
KEPT_FOR = timedelta(hours=24)
LEASE = timedelta(minutes=5)
# What stopped three workers would stop the fourth.
ATTEMPTS = 3
AT_A_TIME = 3
STRAY_AFTER = timedelta(hours=1)
WHOLE_ADDRESSES = "customers.view_full_address"

GIVEN_UP = gettext_noop("The export stopped %(times)d times and was given up. Ask for fewer rows at a time.")
NOT_ALLOWED = gettext_noop("Whoever asked for it may no longer export this.")
NO_SUCH_KIND = gettext_noop("This kind of export no longer exists.")
DISK_FULL = gettext_noop("The disk of the server is full. Make room there, then ask for the export again.")

Clock = Callable[[], datetime]
Rows = Iterable[Sequence[object]]


class CannotExport(Exception):
    """An export that is not begun or not handed out; the text is a sentence for staff."""


class LeaseLost(Exception):
    """Another worker has taken the export over, or its owner deleted it; this one writes nothing more."""


class Resource(Protocol):
    """What an export of one kind holds."""

    def header(self) -> list[str]:
        """The heads of the columns, in the language of the moment."""

    def lines(self, keys: Sequence[int]) -> Iterator[Sequence[object]]:
        """The rows with these keys, in their order; what has vanished meanwhile is left out."""


@dataclass(frozen=True)
class Kind:
    """
    Something that can be exported.

    `asked` answers which rows a question means for a person; `resource(shows_addresses=…)` says what stands in them;
    `sheets_before(question)` gives sheets of a workbook that stand before the rows, as (name, rows).
    """

    key: str
    label: Promise
    permission: str
    asked: Callable[[str, AbstractBaseUser], QuerySet]
    resource: Callable[..., Resource]
    formats: tuple[ExportFormat, ...] = (ExportFormat.XLSX, ExportFormat.CSV)
    sheets_before: Callable[[str], Iterator[tuple[str, Rows]]] | None = None
    sheet_name: Promise | None = None

    def is_open_to(self, person: AbstractBaseUser, *, shows_addresses: bool) -> bool:
        """Whether this person may have such a file at this moment."""
        is_allowed = person.is_active and person.has_perm(self.permission)
        return is_allowed and (not shows_addresses or person.has_perm(WHOLE_ADDRESSES))


@dataclass
class Registry:
    """The kinds of exports, told by the apps that have the records."""

    kinds: dict[str, Kind] = field(default_factory=dict)

    def add(self, kind: Kind) -> Kind:
        """Offer one more kind."""
        self.kinds[kind.key] = kind
        return kind

    def __getitem__(self, key: str) -> Kind:
        return self.kinds[key]

    def get(self, key: str) -> Kind | None:
        """The kind of this name, if there is one."""
        return self.kinds.get(key)

    def open_to(self, person: AbstractBaseUser) -> list[Kind]:
        """What this person may export."""
        return [kind for kind in self.kinds.values() if kind.is_open_to(person, shows_addresses=False)]


KINDS = Registry()


@transaction.atomic
def ask(
    kind: Kind,
    *,
    question: str,
    described: str,
    file_format: str,
    by: AbstractBaseUser,
    now: datetime,
) -> Export:
    """
    Note that somebody wants a file; the same one asked for twice is written once.

    Whole addresses or masked ones: that is decided here. Raises CannotExport when too many wait.
    """
    # Two clicks at once would not see each other.
    get_user_model().objects.select_for_update(no_key=True).get(pk=by.pk)
    under_way = Export.objects.under_way().filter(created_by=by)
    same = under_way.filter(kind=kind.key, question=question, format=file_format).first()
    if same:
        return same
    if under_way.count() >= AT_A_TIME:
        raise CannotExport(
            _("%(count)d of your exports are still being written. Wait for one, or delete it under Exports.")
            % {"count": AT_A_TIME}
        )
    return Export.objects.create(
        kind=kind.key,
        question=question,
        described=described[:500],
        format=file_format,
        language=translation.get_language() or settings.LANGUAGE_CODE,
        shows_addresses=by.has_perm(WHOLE_ADDRESSES),
        created_by=by,
        created_at=now,
    )


def write(
    file: BinaryIO,
    kind: Kind,
    *,
    question: str,
    file_format: str,
    keys: Sequence[int],
    shows_addresses: bool,
    between: Callable[[int], None] | None = None,
) -> int:
    """
    Write the rows with these keys, and return how many they were.

    `between` is called before each piece with the number of rows written so far; what it raises stops the work.
    """
    resource = kind.resource(shows_addresses=shows_addresses)
    rows = chain([resource.header()], _pieces(resource, keys, between))
    if file_format == ExportFormat.CSV:
        return writing.write_csv(file, rows) - 1
    with writing.Workbook(file) as workbook:
        for name, lines in kind.sheets_before(question) if kind.sheets_before else ():
            workbook.sheet(str(name), lines)
        return workbook.sheet(str(kind.sheet_name or kind.label), rows) - 1


def run(export_id: int, *, clock: Clock) -> dict[str, int]:
    """
    Write the file of an export that waits; {} where another worker is at it, or was faster.

    Raises what stopped it; the next call begins anew, under another name: half a file is never handed out.
    """
    token, now = uuid4(), clock()
    if not Export.objects.filter(pk=export_id).lease(token, now=now, until=now + LEASE):
        return {}
    leased = Export.objects.filter(pk=export_id).leased(token)
    export = leased.select_related("created_by").get()
    kind = KINDS.get(export.kind)
    refusal = _refusal(export, kind)
    if refusal:
        leased.fail([refusal], clock())
        return {}
    path = place(f"{token.hex}.part")
    try:
        with translation.override(export.language):
            rows = _write_file(export, kind, path, token, clock=clock)
    except LeaseLost:
        logger.warning("Export %s was taken over or deleted.", export_id)
        path.unlink(missing_ok=True)
        return {}
    except BaseException as trouble:
        path.unlink(missing_ok=True)
        if isinstance(trouble, OSError) and trouble.errno == errno.ENOSPC:
            leased.fail([(DISK_FULL, {})], clock())
            return {}
        # The next worker need not wait for the end of the lease.
        leased.update(lease_until=clock())
        raise
    return _hand_over(leased, path, rows=rows, now=clock())


def delete_file(export: Export, *, now: datetime) -> bool:
    """Delete a file before its day is over, or stop its being written; False when there is none any more."""
    stored_name = Export.objects.filter(pk=export.pk).values_list("stored_name", flat=True).get()
    deleted = bool(Export.objects.filter(pk=export.pk).expire(now))
    _unlink(stored_name)
    return deleted


def collect(export: Export, *, now: datetime) -> BinaryIO:
    """
    Open the file for its owner.

    Raises CannotExport when its day is over or it is not written yet.
    """
    if export.status in (ExportStatus.QUEUED, ExportStatus.RUNNING):
        raise CannotExport(_("The file is still being written."))
    if export.status == ExportStatus.FAILED:
        raise CannotExport(export.complaint)
    if export.status == ExportStatus.DONE and now < export.expires_at:
        with suppress(FileNotFoundError):
            file = place(export.stored_name).open("rb")
            Export.objects.filter(pk=export.pk).update(downloads=F("downloads") + 1)
            return file
    raise CannotExport(_("The file has been deleted: each is kept for 24 hours. Export the list again."))


def purge(now: datetime) -> dict[str, int]:
    """Delete the files whose day is over, and what dead workers left behind."""
    outdated = list(Export.objects.outdated(now).values_list("pk", "stored_name"))
    for pk, stored_name in outdated:
        Export.objects.filter(pk=pk).outdated(now).expire(now)
        _unlink(stored_name)
    return {"exports": len(outdated) + _delete_strays(now)}


def place(stored_name: str) -> Path:
    """Where a file lies; the name was made here, and a name with a path in it never leaves the directory."""
    directory = settings.UPLOADS / "exports"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory / Path(stored_name or "missing").name


def _refusal(export: Export, kind: Kind | None) -> tuple[str, dict] | None:
    if kind is None:
        return NO_SUCH_KIND, {}
    if not kind.is_open_to(export.created_by, shows_addresses=export.shows_addresses):
        return NOT_ALLOWED, {}
    return (GIVEN_UP, {"times": ATTEMPTS}) if export.attempts > ATTEMPTS else None


def _write_file(export: Export, kind: Kind, path: Path, token: UUID, *, clock: Clock) -> int:
    """Write the whole file, on the disk and not only on its way there; returns the number of rows."""
    leased = Export.objects.filter(pk=export.pk).leased(token)
    # Who is in the file is decided in one moment and takes 8 bytes a row; a snapshot held for minutes would keep
    # PostgreSQL from tidying up behind the campaigns that run meanwhile.
    asked = kind.asked(export.question, export.created_by).values_list("pk", flat=True)
    keys = array("q", asked.iterator(chunk_size=20_000))

    def note_progress(done: int) -> None:
        reach("in_export")
        if not leased.update(rows_done=done, rows_total=len(keys), lease_until=clock() + LEASE):
            raise LeaseLost

    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        rows = write(
            file,
            kind,
            question=export.question,
            file_format=export.format,
            keys=keys,
            shows_addresses=export.shows_addresses,
            between=note_progress,
        )
        file.flush()
        os.fsync(file.fileno())
    return rows


def _pieces(
    resource: Resource, keys: Sequence[int], between: Callable[[int], None] | None
) -> Iterator[Sequence[object]]:
    for start in range(0, len(keys), ROWS_IN_A_PIECE):
        if between:
            between(start)
        yield from resource.lines(list(keys[start : start + ROWS_IN_A_PIECE]))


def _hand_over(leased: QuerySet, path: Path, *, rows: int, now: datetime) -> dict[str, int]:
    stored_name = secrets.token_hex(16)
    final = place(stored_name)
    size = path.stat().st_size
    path.rename(final)
    reach("before_export_is_done")
    if not leased.finish(stored_name=stored_name, size=size, rows=rows, now=now, expires_at=now + KEPT_FOR):
        final.unlink(missing_ok=True)
        return {}
    return {"rows": rows, "bytes": size}


def _unlink(stored_name: str) -> None:
    if stored_name:
        place(stored_name).unlink(missing_ok=True)


def _delete_strays(now: datetime) -> int:
    """Delete files that no export knows: a process died before the row knew of them."""
    known = set(Export.objects.exclude(stored_name="").values_list("stored_name", flat=True))
    strays = 0
    for path in place("any").parent.iterdir():
        # A file still being written is younger: each piece is written to it.
        if path.name not in known and now.timestamp() - path.stat().st_mtime > STRAY_AFTER.total_seconds():
            path.unlink(missing_ok=True)
            strays += 1
    return strays
