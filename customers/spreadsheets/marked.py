"""The shop's own file back: marked cells, a column that says what to do, all rows or only those to mend."""

import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple
from zipfile import ZipFile

from customers.spreadsheets import marked_text, marked_workbook, marker, plain_workbook
from customers.spreadsheets.marks import CannotMark, Mark
from customers.spreadsheets.reader import Sheet
from customers.spreadsheets.text import TextSource

__all__ = ["Marked", "write"]

# The format of a workbook with macros, by the type of its main part.
_WITH_MACROS = b"macroEnabled.main+xml"
Marks = Callable[[], Iterator[Mark]]


class Marked(NamedTuple):
    """What was written: the extension, and whether it is the shop's own file or a new workbook with its values."""

    extension: str
    is_own: bool


def write(
    path: Path,
    sheet: Sheet,
    target: BinaryIO,
    *,
    marks: Marks,
    reference: object,
    only_marked: bool = False,
    as_workbook: bool = False,
    told: Callable[[int], None] = lambda row: None,
) -> Marked:
    """
    Write the file whose table is open in `sheet`, with the marks, which come in the order of the rows.

    `marks` is called again where a workbook cannot be edited in place; `reference` is how the file is known when it
    comes back; `as_workbook` colors cells where text cannot. Raises TooManyRows for more than Excel opens.
    """
    options = {"heading": marker.heading(reference), "only_marked": only_marked, "told": told}
    if sheet.format in ("csv", "tsv") and not as_workbook:
        marked_text.write(TextSource(path), target, place=sheet.places[0], marks=_placed(marks(), sheet), **options)
        return Marked(sheet.format, is_own=True)
    if sheet.format == "xlsx":
        if sheet.goes_on:
            # Only whoever has read the table to its end knows upon which sheets it goes on.
            deque(sheet.rows(), maxlen=0)
        try:
            marked_workbook.write(path, target, places=sheet.places, marks=_placed(marks(), sheet), **options)
            return Marked(_extension(path), is_own=True)
        except CannotMark:
            target.seek(0)
            target.truncate()
    with tempfile.TemporaryFile() as plain:
        last_row = plain_workbook.write(plain, sheet.records())
        place = sheet.places[0]
        place = place._replace(
            part=plain_workbook.SHEET, first_column=1, free_column=1 + place.width, last_row=last_row
        )
        marked_workbook.write(plain, target, places=[place], marks=_placed(marks(), sheet), **options)
    return Marked("xlsx", is_own=False)


def _placed(marks: Iterator[Mark], sheet: Sheet) -> Iterator[Mark]:
    """The marks with cells counted as in the file, where an earlier marking may have put our column."""
    if sheet.marker is None:
        return marks
    ours = sheet.marker.index
    return (
        mark._replace(cells={index + (index >= ours): tone for index, tone in mark.cells.items()}) for mark in marks
    )


def _extension(path: Path) -> str:
    with ZipFile(path) as archive:
        return "xlsm" if _WITH_MACROS in archive.read("[Content_Types].xml") else "xlsx"
