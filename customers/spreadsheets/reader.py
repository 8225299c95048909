"""Opens a spreadsheet of any supported format and yields its rows below the header."""

from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import Protocol

from customers.msgid import _
from customers.spreadsheets import cells, footers, header, layouts, limits, marker, sniff, workbook
from customers.spreadsheets.faults import Unreadable, refusal
from customers.spreadsheets.header_words import normal
from customers.spreadsheets.marks import Place
from customers.spreadsheets.sequence import SheetSequence
from customers.spreadsheets.text import TextSource

__all__ = ["Sheet", "Unreadable", "open_sheet"]

# Rows that are looked at before the first is imported: for the header, the guess and the preview.
SAMPLE_ROWS = 200
_NOTHING_TO_READ = ("empty", "no_header", "no_rows")
_EXTENSIONS = {
    **{"xlsx": ("xlsx", "xlsm"), "csv": ("csv", "txt", "tsv"), "tsv": ("csv", "txt", "tsv"), "xls": ("xls",)},
    **{"ods": ("ods",), "html": ("html", "htm"), "xml": ("xml",)},
}
_NAMED_AFTER = frozenset(extension for extensions in _EXTENSIONS.values() for extension in extensions)
_SHOWN_FORMATS = {"xml": "XML (Excel 2003)"}
# Sheets that are looked into for a table of customers before the first table is taken.
TRIED_SHEETS = 10


class Source(Protocol):
    """What each format gives: numbered records, as often as wanted, and what it knows about itself."""

    format: str
    encoding: str
    delimiter: str
    sheet_name: str
    notices: list[tuple[str, dict]]
    part_name: str
    first_column: int
    last_column: int
    last_row: int
    is_1904: bool

    def expect(self, names: list, row: int) -> None: ...

    def position(self, number: int) -> tuple[str, int]: ...

    def records(self) -> Iterator[tuple[int, list]]: ...

    def merged_below(self, row: int) -> int: ...

    def is_merged_across(self, number: int) -> bool: ...

    def cut_off(self, width: int) -> bool: ...

    @property
    def goes_on(self) -> bool: ...

    def further_places(self, first: Place) -> list[Place]: ...

    def close(self) -> None: ...


class Sheet:
    """One table: its column names, and its rows as often as wanted. A context manager, for it may hold a process."""

    def __init__(self, source: Source, notices: list[tuple[str, dict]]):
        self._source = source
        self._notices = list(notices)
        self._late_notices: list[tuple[str, dict]] = []
        self._rest: Iterator[tuple[int, list]] | None = source.records()
        self._head = list(islice(self._rest, header.DEEPEST + SAMPLE_ROWS))
        self.skipped: Counter[str] = Counter()
        if not any(any(record) for number, record in self._head):
            raise refusal("empty")
        found = header.find(self._head)
        if len(found.names) > limits.MOST_COLUMNS:
            raise refusal("far_cell", cell=f"{limits.column_letters(len(found.names))}{found.row}")
        self.header_row = found.row
        self._width = len(found.names)
        source.expect(found.names, found.row)
        # Our own column of a marked file that comes back is none of the shop's; what it said stands in `remark`.
        self.marker, self.remark = marker.find(found.names), ""
        self.headers: list[str] = [cells.shown(name) for name in marker.without(self.marker, found.names)]
        self._written = [marker.without(self.marker, record) for record in found.written]
        self._titles = [record for number, record in self._head if number < found.row and any(record)]
        self._note_table()
        self._sample = list(islice(self._below_header(iter(self._head)), SAMPLE_ROWS))
        if not self._sample and len(self._head) < header.DEEPEST + SAMPLE_ROWS:
            raise refusal("no_rows")

    def _note_table(self) -> None:
        above = len(self._titles) - len(self._written) + 1
        if above > 0:
            self.add_notice(
                _("The column names are in row %(row)s; the %(count)s lines above are not imported."),
                row=self.header_row,
                count=above,
            )

    @property
    def format(self) -> str:
        """The real format, whatever the name says: "xlsx", "xls", "ods", "html", "xml", "csv" or "tsv"."""
        return self._source.format

    @property
    def encoding(self) -> str:
        """The encoding of a text file, "" for workbooks."""
        return self._source.encoding

    @property
    def delimiter(self) -> str:
        """What divides the cells of a text file, "" for workbooks."""
        return self._source.delimiter

    @property
    def sheet_name(self) -> str:
        """The sheet of a workbook that is read, "" for text files."""
        return self._source.sheet_name

    @property
    def layout_key(self) -> str:
        """The same for every file with these column names."""
        return layouts.key(self.headers)

    @property
    def notices(self) -> list[tuple[str, dict]]:
        """What staff should know, as (msgid, values), complete after the last row; a `label` is itself a msgid."""
        merged = self._source.merged_below(self.header_row)
        sentence = _("%(count)s areas of merged cells lie in the table; only the first row of each has the value.")
        of_cells = [(sentence, {"count": merged})] if merged else []
        return [*self._notices, *of_cells, *self._source.notices, *self._late_notices]

    @property
    def is_1904(self) -> bool:
        """Whether the workbook counts its days from 1904."""
        return self._source.is_1904

    def position(self, number: int) -> tuple[str, int]:
        """The sheet that a row stands in, "" for text, and its row there; known for rows that were read."""
        return self._source.position(number)

    @property
    def places(self) -> list[Place]:
        """Where the table lies in the file; complete once all rows were read, where it goes on upon further sheets."""
        source, marked_before = self._source, self.marker.index if self.marker else None
        free_column = max(source.first_column + self._width, source.last_column + 1)
        first = Place(
            part=source.part_name,
            header_row=self.header_row,
            first_column=source.first_column,
            width=self._width,
            free_column=free_column,
            last_row=source.last_row,
            marker_index=marked_before,
            heading_row=self.header_row - len(self._written) + 1,
        )
        return [first, *source.further_places(first)]

    @property
    def goes_on(self) -> bool:
        """Whether further sheets may belong to the table."""
        return self._source.goes_on

    def records(self) -> Iterator[tuple[int, list]]:
        """Every record as it stands in the file: titles, blank rows and totals too."""
        return self._onward(self._source.records())

    def add_notice(self, sentence: str, **values: object) -> None:
        """Add a sentence for staff."""
        self._notices.append((sentence, values))

    def sample(self, count: int = SAMPLE_ROWS) -> list[tuple[int, list]]:
        """The first rows below the header, with their numbers."""
        return self._sample[:count]

    def rows(self) -> Iterator[tuple[int, list]]:
        """Yield (row number, cells) below the header; each row has a cell for each header.

        Blank rows and repeated headers are left out and counted in `skipped`. Raises Unreadable where the file breaks.
        """
        # A workbook that is already being read goes on from there; any later reading starts anew.
        rest, self._rest = self._rest, None
        records = self._onward(chain(self._head, rest) if rest is not None else self._source.records())
        self.skipped.clear()
        self._late_notices.clear()
        return self._below_header(records)

    def close(self) -> None:
        """Let go of the file and of the process that reads it."""
        self._rest = None
        self._source.close()

    def __enter__(self) -> "Sheet":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _onward(self, records: Iterator[tuple[int, list]]) -> Iterator[tuple[int, list]]:
        """The records of the first sheet, and of those behind it that belong to the table."""
        number = 0
        for number, record in records:
            yield number, record
        yield from self._source.further(number)

    def _without_remarks(self, records: Iterator[tuple[int, list]]) -> Iterator[tuple[int, list]]:
        for number, record in records:
            self.remark = record[self.marker.index] if self.marker.index < len(record) else ""
            yield number, marker.without(self.marker, record)

    def _below_header(self, records: Iterator[tuple[int, list]]) -> Iterator[tuple[int, list]]:
        width, header_row, skipped = len(self.headers), self.header_row, self.skipped
        headers = {_first(record): [normal(cell) for cell in record[:width]] for record in self._written}
        titles = {_first(record): _filled(record) for record in self._titles if _first(record) not in headers}
        repeated, groups = [], []
        if self.marker:
            records = self._without_remarks(records)
        number = 0
        for number, record in records:
            for cell in record:
                if cell and (cell.__class__ is not str or not cell.isspace()):
                    break
            else:
                if not any(cell is False or cell == 0 for cell in record):
                    skipped["blank"] += 1
                    continue
                cell = None
            if number <= header_row:
                skipped["title"] += number < header_row
                continue
            if len(record) < width:
                record.extend([""] * (width - len(record)))
            if cell in headers and [normal(cell) for cell in record[: len(headers[cell])]] == headers[cell]:
                skipped["repeated_header"] += 1
                repeated.append(number)
                continue
            if cell in titles and _filled(record) == titles[cell]:
                skipped["repeated_title"] += 1
                repeated.append(number)
                continue
            if record.count("") >= width - 1 > 0 and self._is_group(number, record):
                skipped["group"] += 1
                groups.append(number)
                continue
            yield number, record
        self._note_end(number, repeated, groups)

    def _is_group(self, number: int, record: list) -> bool:
        """Whether a line with one cell filled heads a group of rows; a number on its own is somebody."""
        return (
            self._source.is_merged_across(number)
            and not any(isinstance(cell, str) and cell.strip().isdigit() for cell in record)
            and not header.holds_contacts(record)
            and not footers.is_footer(record)
        )

    def _note_end(self, number: int, repeated: list[int], groups: list[int]) -> None:
        if repeated:
            sentence = _(
                "%(count)s lines repeat the column names or the title and were left out, the first in row %(row)s."
            )
            self._late_notices.append((sentence, {"count": len(repeated), "row": repeated[0]}))
        if groups:
            sentence = _("%(count)s lines that only head a group were left out, the first in row %(row)s.")
            self._late_notices.append((sentence, {"count": len(groups), "row": groups[0]}))
        if number > self.header_row and self._source.cut_off(len(self.headers)):
            sentence = _("The last row %(row)s is shorter than the header; the file may have been cut off.")
            self._late_notices.append((sentence, {"row": number}))


def _filled(record: list) -> list:
    return [cell for cell in record if cell not in ("", None)]


def _first(record: list) -> object:
    return next((cell for cell in record if cell and (cell.__class__ is not str or not cell.isspace())), None)


def open_sheet(path: str | Path, file_name: str = "") -> Sheet:
    """Open the table in a file; `file_name` is the name staff gave it, if it is stored under another.

    Raises Unreadable with what to do about it.
    """
    path = Path(path)
    kind = sniff.kind(path)
    sheet = Sheet(TextSource(path), []) if kind == "text" else _open_workbook(path, kind)
    extension = Path(file_name or path.name).suffix.lower().removeprefix(".")
    if extension in _NAMED_AFTER and extension not in _EXTENSIONS[sheet.format]:
        sheet.add_notice(
            _("The file is named .%(extension)s but is really %(format)s; it was read as that."),
            extension=extension,
            format=_SHOWN_FORMATS.get(sheet.format, sheet.format.upper()),
        )
    return sheet


def _open_workbook(path: Path, kind: str) -> Sheet:
    """Open the first visible sheet that holds contacts or a known layout, else the first with a table.

    Cover sheets and instructions are passed over.
    """
    sources, notices = workbook.sheets(path, kind)
    first_fault: Unreadable | None = None
    tables: dict[int, Sheet] = {}
    chosen: int | None = None
    passed_over: list[str] = []
    for place, source in enumerate(sources[:TRIED_SHEETS]):
        try:
            tables[place] = Sheet(SheetSequence(source, sources[place + 1 :], passed_over), notices)
        except Unreadable as fault:
            source.close()
            if fault.code not in _NOTHING_TO_READ:
                raise
            first_fault = first_fault or fault
            if fault.code != "empty":
                passed_over.append(source.sheet_name)
            continue
        if _holds_contacts(tables[place]):
            chosen = place
            break
        passed_over.append(source.sheet_name)
    if not tables:
        raise first_fault
    chosen = min(tables) if chosen is None else chosen
    for place, table in tables.items():
        if place != chosen:
            table.close()
    return tables[chosen]


def _holds_contacts(sheet: Sheet) -> bool:
    if layouts.recognize(sheet.headers):
        return True
    guessed = layouts.guess(sheet.headers, [cells for _number, cells in sheet.sample()])
    return any(column.field in ("phone", "email") for column in guessed)
