"""Writes what became of each row, in the columns that reports are compared by."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

from customers.spreadsheets.cells import NO, OPT_OUT
from customers.spreadsheets.layouts import Column
from customers.spreadsheets.rows import DUPLICATE, VALID, Row

# Told apart only where staff read them.
_REPORTED_AS = {"several_numbers": "text", "formula": "text"}
_CONSENTS = ("consent", "sms_consent", "email_consent")


class Report:
    """A growing report: row, outcome, reason, phone, and birthday and consents where the file has them."""

    def __init__(self, handle: TextIO, columns: Sequence[Column]):
        fields = {column.field for column in columns}
        self._birthday = "birthday" in fields
        consents = [key for key in _CONSENTS if key in fields]
        # A file with one consent column of any kind is compared by the plain word.
        self._consents = [("consent", consents[0])] if len(consents) == 1 else []
        self._consents += [(key, key) for key in consents if (key, key) not in self._consents]
        self._writer = csv.writer(handle)
        head = ["row", "outcome", "reason", "phone"]
        self._writer.writerow(head + ["birthday"] * self._birthday + [column for column, _key in self._consents])

    def add(self, row: Row) -> None:
        """Write one row."""
        reason = f"same phone as row {row.duplicate_of}" if row.outcome == DUPLICATE else row.reason
        reason = "" if row.outcome == VALID else _REPORTED_AS.get(reason, reason)
        cells = [row.number, row.outcome, reason, row.phone or ""]
        if self._birthday:
            cells.append(row.birthday_text)
        cells += [NO if (said := getattr(row, key)) == OPT_OUT else said for _column, key in self._consents]
        self._writer.writerow(cells)


def write(path: str | Path, rows: Iterable[Row], columns: Sequence[Column]) -> None:
    """Write the report of all rows to a file."""
    with Path(path).open("w", encoding="utf-8-sig", newline="") as handle:
        report = Report(handle, columns)
        for row in rows:
            report.add(row)
