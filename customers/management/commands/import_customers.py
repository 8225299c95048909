"""Imports a customer file from the command line, the same way as the admin."""

from pathlib import Path
from typing import TextIO

from django.utils.translation import gettext as _

from customers import clock
from customers.choices import ImportKind, RowOutcome
from customers.management.importing import Begin, ImportCommand, Observe
from customers.services import import_preview
from customers.services.import_preview import Analysis
from customers.spreadsheets.layouts import Column
from customers.spreadsheets.report import Report


class Command(ImportCommand):
    """`manage.py import_customers FILE [--dry-run] [--report OUT.csv]`."""

    help = "Import customers from a spreadsheet of any format. Exits with 2 and one sentence when the file is refused."
    kind = ImportKind.CUSTOMERS
    refused_without_columns = "no_contact_column"
    outcomes = tuple(RowOutcome)

    def report_to(self, handle: TextIO, columns: list[Column]) -> Observe:
        """A line for each row, with what its columns were taken for."""
        return Report(handle, columns).add

    def analyze(self, path: Path, begin: Begin) -> Analysis:
        """Count what importing the customers would do."""
        columns = import_preview.columns_of(path, path.name)
        return import_preview.analyze(path, path.name, now=clock.now(), columns=columns, observe=begin(columns))

    def remark(self, counts: dict[str, int]) -> str:
        """How many opt-outs won over a yes of the file."""
        return _("Opt-outs kept: %(count)d") % {"count": counts.get("consent:kept", 0)}
