"""Imports an order file from the command line, the same way as the admin."""

from pathlib import Path
from typing import TextIO

from django.utils.translation import gettext as _

from customers import clock
from customers.choices import ImportKind, RowOutcome
from customers.management.importing import Begin, ImportCommand, Observe
from customers.services import order_import
from customers.services.import_preview import Analysis
from customers.spreadsheets.layouts import Column
from customers.spreadsheets.order_report import Report


class Command(ImportCommand):
    """`manage.py import_orders FILE [--dry-run] [--report OUT.csv]`."""

    help = "Import orders from the export of a platform. Exits with 2 and one sentence when the file is refused."
    kind = ImportKind.ORDERS
    refused_without_columns = "no_order_column"
    outcomes = (RowOutcome.CREATED, RowOutcome.UPDATED, RowOutcome.UNCHANGED, RowOutcome.REJECTED)

    def report_to(self, handle: TextIO, columns: list[Column]) -> Observe:
        """A line for each row."""
        return Report(handle).add

    def analyze(self, path: Path, begin: Begin) -> Analysis:
        """Count what importing the orders would do."""
        return order_import.analyze(path, path.name, now=clock.now(), observe=begin([]))

    def remark(self, counts: dict[str, int]) -> str:
        """How many statuses nobody has explained yet."""
        return _("Status not understood: %(count)d") % {"count": counts.get("status:unknown", 0)}
