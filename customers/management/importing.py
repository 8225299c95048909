"""What the commands that import a file share: their arguments, one sentence for what is refused, and the way in."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from customers import clock
from customers.choices import ImportKind, ImportStatus, RowOutcome
from customers.models import SpreadsheetImport
from customers.services import import_run, imports
from customers.services.import_preview import Analysis
from customers.spreadsheets.layouts import Column
from customers.spreadsheets.reader import Unreadable

REFUSED = 2
CHUNK_BYTES = 1024 * 1024

Observe = Callable[[Any], None]
# Begins a report once the columns of the file are known; None where nobody asked for one.
Begin = Callable[[list[Column]], Observe | None]


class ImportCommand(BaseCommand):
    """Imports a file the same way as the admin; exits with 2 and one sentence when it is refused."""

    kind: ImportKind
    refused_without_columns: str
    outcomes: Sequence[RowOutcome]

    def add_arguments(self, parser: CommandParser) -> None:
        """The file, and what to do with it."""
        parser.add_argument("file", type=Path, help="the file to import")
        parser.add_argument("--dry-run", action="store_true", help="say what would happen and change nothing")
        parser.add_argument("--report", type=Path, help="write what became of each row to this CSV file")

    def handle(self, *args, **options) -> None:
        """Import the file, or refuse it with one sentence."""
        path: Path = options["file"]
        if not path.is_file():
            raise CommandError(_("There is no file %(name)s.") % {"name": path}, returncode=REFUSED)
        with ExitStack() as stack:

            def begin(columns: list[Column]) -> Observe | None:
                report = options["report"]
                if report is None:
                    return None
                handle = stack.enter_context(report.open("w", encoding="utf-8-sig", newline=""))
                return self.report_to(handle, columns)

            try:
                counts = self._try(path, begin) if options["dry_run"] else self._import(path, begin)
            except Unreadable as refusal:
                raise CommandError(import_run.sentence(refusal), returncode=REFUSED) from refusal
            except OSError as trouble:
                raise CommandError(
                    _("A file cannot be opened: %(trouble)s") % {"trouble": trouble}, returncode=REFUSED
                ) from trouble
            except imports.CannotImport as refusal:
                raise CommandError(str(refusal), returncode=REFUSED) from refusal
        for outcome in self.outcomes:
            self.stdout.write(f"{outcome.label}: {counts.get(outcome, 0)}")
        self.stdout.write(self.remark(counts))

    def report_to(self, handle: TextIO, columns: list[Column]) -> Observe:
        """What writes each row to a report."""
        raise NotImplementedError

    def analyze(self, path: Path, begin: Begin) -> Analysis:
        """Read the file and count what importing it would do."""
        raise NotImplementedError

    def remark(self, counts: dict[str, int]) -> str:
        """The last line."""
        raise NotImplementedError

    def _try(self, path: Path, begin: Begin) -> dict[str, int]:
        analysis = self.analyze(path, begin)
        if analysis.blocked:
            raise Unreadable(self.refused_without_columns, *analysis.blocked)
        return analysis.counts

    def _import(self, path: Path, begin: Begin) -> dict[str, int]:
        imported = self._read(path)
        observe = begin(import_run.columns(imported))
        imports.start(imported)
        imports.run(imported.pk, now=clock.now, observe=observe)
        imported.refresh_from_db()
        if imported.status != ImportStatus.DONE:
            raise imports.CannotImport(imported.complaint or imported.get_status_display())
        return imported.counts

    def _read(self, path: Path) -> SpreadsheetImport:
        with path.open("rb") as handle:
            chunks = iter(lambda: handle.read(CHUNK_BYTES), b"")
            imported = imports.upload(
                chunks, file_name=path.name, by=None, now=clock.now(), kind=self.kind, is_kind_chosen=True
            )
        imports.read(imported, now=clock.now())
        if imported.status == ImportStatus.REFUSED:
            raise imports.CannotImport(imported.complaint)
        if imported.preview["blocked"]:
            blocked = imported.preview["blocked"]
            imports.discard(imported, now=clock.now())
            raise Unreadable(self.refused_without_columns, *blocked)
        return imported
