"""Imports a customer file from the command line, the same way as the admin."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from customers import clock
from customers.choices import ImportStatus, RowOutcome
from customers.models import SpreadsheetImport
from customers.services import import_preview, import_run, imports
from customers.spreadsheets.layouts import Column
from customers.spreadsheets.reader import Unreadable
from customers.spreadsheets.report import Report
from customers.spreadsheets.rows import Row

REFUSED = 2
CHUNK_BYTES = 1024 * 1024


class Command(BaseCommand):
    """`manage.py import_customers FILE [--dry-run] [--report OUT.csv]`."""

    help = "Import customers from a spreadsheet of any format. Exits with 2 and one sentence when the file is refused."

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
            try:
                counts = self._work(path, options["report"], stack, is_trial=options["dry_run"])
            except Unreadable as refusal:
                raise CommandError(import_run.sentence(refusal), returncode=REFUSED) from refusal
            except OSError as trouble:
                raise CommandError(
                    _("A file cannot be opened: %(trouble)s") % {"trouble": trouble}, returncode=REFUSED
                ) from trouble
            except imports.CannotImport as refusal:
                raise CommandError(str(refusal), returncode=REFUSED) from refusal
        for outcome in RowOutcome:
            self.stdout.write(f"{outcome.label}: {counts.get(outcome, 0)}")
        self.stdout.write(_("Opt-outs kept: %(count)d") % {"count": counts.get("consent:kept", 0)})

    def _work(self, path: Path, report: Path | None, stack: ExitStack, *, is_trial: bool) -> dict[str, int]:
        if is_trial:
            columns = import_preview.columns_of(path, path.name)
            observe = _reporting(report, columns, stack)
            analysis = import_preview.analyze(path, path.name, now=clock.now(), columns=columns, observe=observe)
            if analysis.blocked:
                raise Unreadable("no_contact_column", *analysis.blocked)
            return analysis.counts
        imported = self._read(path)
        observe = _reporting(report, import_run.columns(imported), stack)
        imports.start(imported)
        imports.run(imported.pk, now=clock.now, observe=observe)
        imported.refresh_from_db()
        if imported.status != ImportStatus.DONE:
            raise imports.CannotImport(imported.complaint or imported.get_status_display())
        return imported.counts

    def _read(self, path: Path) -> SpreadsheetImport:
        with path.open("rb") as handle:
            chunks = iter(lambda: handle.read(CHUNK_BYTES), b"")
            imported = imports.upload(chunks, file_name=path.name, by=None, now=clock.now(), is_kind_chosen=True)
        imports.read(imported, now=clock.now())
        if imported.status == ImportStatus.REFUSED:
            raise imports.CannotImport(imported.complaint)
        if imported.preview["blocked"]:
            blocked = imported.preview["blocked"]
            imports.discard(imported, now=clock.now())
            raise Unreadable("no_contact_column", *blocked)
        return imported


def _reporting(report: Path | None, columns: list[Column], stack: ExitStack) -> Callable[[Row], None] | None:
    if report is None:
        return None
    handle = stack.enter_context(report.open("w", encoding="utf-8-sig", newline=""))
    return Report(handle, columns).add
