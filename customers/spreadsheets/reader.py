"""Opens a spreadsheet of any supported format and yields its rows below the header."""

from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import Protocol

from customers.msgid import _
from customers.spreadsheets import cells, header, layouts, marker, sniff, workbook
from customers.spreadsheets.faults import Unreadable, refusal
from customers.spreadsheets.fields import normal
from customers.spreadsheets.marks import Place
from customers.spreadsheets.text import TextSource

__all__ = ["Sheet", "Unreadable", "open_sheet"]

# Rows that are looked at before the first is imported: for the header, the guess and the preview.
SAMPLE_ROWS = 200
_EXTENSIONS = {"xlsx": ("xlsx", "xlsm"), "csv": ("csv", "txt", "tsv"), "tsv": ("csv", "txt", "tsv")}
_NAMED_AFTER = ("xlsx", "xlsm", "xls", "csv", "txt", "tsv", "ods", "html")


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

    def records(self) -> Iterator[tuple[int, list]]: ...

    def merged_below(self, row: int) -> int: ...

    def cut_off(self, width: int) -> bool: ...

    def close(self) -> None: ...


class Sheet:
    """One table: its column names, and its rows as often as wanted. A context manager, for it may hold a process."""

    def __init__(self, source: Source, notices: list[tuple[str, dict]]):
        self._source = source
        self._notices = notices
        self._late_notices: list[tuple[str, dict]] = []
        self._rest: Iterator[tuple[int, list]] | None = source.records()
        self._head = list(islice(self._rest, header.DEEPEST + SAMPLE_ROWS))
        self.skipped: Counter[str] = Counter()
        if not any(any(record) for number, record in self._head):
            raise refusal("empty")
        position = header.find(self._head)
        self.header_row, names = self._head[position]
        self._width = len(names)
        # Our own column of a marked file that comes back is none of the shop's; what it said stands in `remark`.
        self.marker, self.remark = marker.find(names), ""
        self.headers: list[str] = [cells.shown(name) for name in marker.without(self.marker, names)]
        self._note_table()
        self._sample = list(islice(self._below_header(iter(self._head)), SAMPLE_ROWS))
        if not self._sample and len(self._head) < header.DEEPEST + SAMPLE_ROWS:
            raise refusal("no_rows")

    def _note_table(self) -> None:
        merged = self._source.merged_below(self.header_row)
        if merged:
            self.add_notice(
                _("%(count)s areas of merged cells lie in the table; only the first row of each has the value."),
                count=merged,
            )

    @property
    def format(self) -> str:
        """The real format, whatever the name says: "xlsx", "csv" or "tsv"."""
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
        return [*self._notices, *self._source.notices, *self._late_notices]

    @property
    def place(self) -> Place:
        """Where the table lies in the file."""
        source, marked_before = self._source, self.marker.index if self.marker else None
        free_column = max(source.first_column + self._width, source.last_column + 1)
        return Place(
            part=source.part_name,
            header_row=self.header_row,
            first_column=source.first_column,
            width=self._width,
            free_column=free_column,
            last_row=source.last_row,
            marker_index=marked_before,
        )

    def records(self) -> Iterator[tuple[int, list]]:
        """Every record as it stands in the file: titles, blank rows and totals too."""
        return self._source.records()

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
        records = chain(self._head, rest) if rest is not None else self._source.records()
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

    def _without_remarks(self, records: Iterator[tuple[int, list]]) -> Iterator[tuple[int, list]]:
        for number, record in records:
            self.remark = record[self.marker.index] if self.marker.index < len(record) else ""
            yield number, marker.without(self.marker, record)

    def _below_header(self, records: Iterator[tuple[int, list]]) -> Iterator[tuple[int, list]]:
        width, header_row, skipped = len(self.headers), self.header_row, self.skipped
        first_name = next((name for name in self.headers if name), "")
        names = list(map(normal, self.headers))
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
            if number <= header_row:
                skipped["title"] += number < header_row
                continue
            if len(record) < width:
                record.extend([""] * (width - len(record)))
            if first_name in record and [normal(cell) for cell in record[:width]] == names:
                skipped["repeated_header"] += 1
                continue
            yield number, record
        if number > header_row and self._source.cut_off(width):
            self._late_notices.append(
                (
                    _("The last row %(row)s is shorter than the header; the file may have been cut off."),
                    {"row": number},
                )
            )


def open_sheet(path: str | Path, file_name: str = "") -> Sheet:
    """Open the table in a file; `file_name` is the name staff gave it, if it is stored under another.

    Raises Unreadable with what to do about it.
    """
    path = Path(path)
    kind = sniff.kind(path)
    sheet = _open_workbook(path) if kind == "xlsx" else Sheet(TextSource(path), [])
    extension = Path(file_name or path.name).suffix.lower().removeprefix(".")
    if extension in _NAMED_AFTER and extension not in _EXTENSIONS[sheet.format]:
        sheet.add_notice(
            _("The file is named .%(extension)s but is really %(format)s; it was read as that."),
            extension=extension,
            format=sheet.format.upper(),
        )
    return sheet


def _open_workbook(path: Path) -> Sheet:
    """Open the first visible sheet that holds a table; cover sheets and instructions are passed over."""
    sources, notices = workbook.sheets(path)
    first_fault: Unreadable | None = None
    for source in sources[:10]:
        try:
            sheet = Sheet(source, list(notices))
        except Unreadable as fault:
            source.close()
            if fault.code not in ("empty", "no_header", "no_rows"):
                raise
            first_fault = first_fault or fault
            continue
        others = [other.sheet_name for other in sources if other is not source]
        if others:
            sheet.add_notice(
                _("The sheet “%(name)s” is read; other sheets are not: %(others)s."),
                name=source.sheet_name,
                others=", ".join(others),
            )
        return sheet
    raise first_fault
