"""Reads OpenDocument spreadsheets (.ods) as a stream: cells that claim to be repeated a million times cost nothing."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from xml.parsers import expat

from customers.spreadsheets import archives
from customers.spreadsheets.faults import Unreadable, refusal
from customers.spreadsheets.row_buffer import ROWS_PER_FRAME, RowBuffer

CHUNK = 256 * 1024
LONGEST_CELL = 100_000
_ROOT = "urn:oasis:names:tc:opendocument:xmlns:"
OFFICE, TABLE, TEXT, STYLE = (f"{_ROOT}{name}:1.0 " for name in ("office", "table", "text", "style"))
# What is written inside a cell but is not its value.
_APART = frozenset([OFFICE + "annotation", TABLE + "shapes", TEXT + "note", TABLE + "detective"])
_CELLS = frozenset([TABLE + "table-cell", TABLE + "covered-table-cell"])


def sheets(path: Path) -> list[tuple[str, bool]]:
    """The names of the sheets, and whether each is visible.

    Raises Unreadable if the document is dangerous, protected or damaged.
    """
    with _content(path) as parts:
        document = _Document(None)
        for _ in document.frames(parts):
            pass
    return [(name, style not in document.hidden_styles) for name, style in document.names]


def frames(path: Path, index: int) -> Iterator[list[list | int] | RowBuffer]:
    """Yield the rows of a sheet in lists, and at last the buffer with what was noted about them.

    Raises Unreadable.
    """
    with _content(path) as parts:
        document = _Document(index)
        yield from document.frames(parts)
        yield document.buffer


@contextmanager
def _content(path: Path) -> Iterator[Iterator[bytes]]:
    try:
        with zipfile.ZipFile(path) as archive:
            archives.refuse_bombs(archive, path.stat().st_size)
            if "META-INF/manifest.xml" in archive.NameToInfo:
                with archive.open("META-INF/manifest.xml") as manifest:
                    if b"encryption-data" in manifest.read(archives.SMALL):
                        raise refusal("encrypted")
            with archive.open("content.xml") as stream:
                yield iter(lambda: stream.read(CHUNK), b"")
    except Unreadable:
        raise
    except archives.ERRORS as error:
        raise refusal("damaged") from error


class _Document:
    """One pass over the content; without an index only the names of the sheets are taken."""

    def __init__(self, index: int | None):
        self.index = index
        self.buffer = RowBuffer()
        self.names: list[tuple[str, str]] = []
        self.hidden_styles: set[str] = set()
        self._style = ""
        self._tables = self._apart = 0
        self._is_reading = False
        self._row: dict[str, str] = {}
        self._cell: dict[str, str] | None = None
        self._texts: list[str] = []
        self._length = 0

    def frames(self, parts: Iterator[bytes]) -> Iterator[list[list | int]]:
        """Parse part by part, and yield rows as soon as there are enough."""
        parser = archives.parser(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        if self.index is not None:
            parser.CharacterDataHandler = self._text
        for part in parts:
            parser.Parse(part)
            if len(self.buffer.ready) >= ROWS_PER_FRAME:
                yield self.buffer.take()
        parser.Parse(b"", True)
        if self.buffer.ready:
            yield self.buffer.take()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == TABLE + "table":
            self._tables += 1
            if self._tables == 1:
                self._is_reading = len(self.names) == self.index
                self.names.append((attributes.get(TABLE + "name", ""), attributes.get(TABLE + "style-name", "")))
        elif name == STYLE + "style":
            self._style = attributes.get(STYLE + "name", "")
        elif name == STYLE + "table-properties" and attributes.get(TABLE + "display") == "false":
            self.hidden_styles.add(self._style)
        elif self._is_reading and self._tables == 1:
            self._start_in_table(name, attributes)

    def _start_in_table(self, name: str, attributes: dict[str, str]) -> None:
        if name in _APART:
            self._apart += 1
        elif self._apart:
            pass
        elif name in _CELLS:
            self._cell, self._texts, self._length = attributes, [], 0
        elif name == TABLE + "table-row":
            self._row = attributes
        elif self._cell is None:
            pass
        elif name == TEXT + "p" and self._texts:
            self._text("\n")
        elif name == TEXT + "s":
            self._text(" " * min(_count(attributes.get(TEXT + "c", "1")), 100))
        elif name in (TEXT + "tab", TEXT + "line-break"):
            self._text("\t" if name.endswith("tab") else "\n")

    def _text(self, text: str) -> None:
        if self._cell is not None and not self._apart and self._length < LONGEST_CELL:
            self._texts.append(text)
            self._length += len(text)

    def _end(self, name: str) -> None:
        if name == TABLE + "table":
            self._tables -= 1
            self._is_reading = self._is_reading and self._tables > 0
        elif not self._is_reading or self._tables > 1:
            pass
        elif name in _APART:
            self._apart -= 1
        elif self._apart:
            pass
        elif name in _CELLS and self._cell is not None:
            self._add_cell(self._cell, is_covered=name.endswith("covered-table-cell"))
            self._cell = None
        elif name == TABLE + "table-row":
            is_hidden = self._row.get(TABLE + "visibility", "visible") != "visible"
            self.buffer.end_row(
                repeated=_count(self._row.get(TABLE + "number-rows-repeated", "1")), is_hidden=is_hidden
            )

    def _add_cell(self, attributes: dict[str, str], *, is_covered: bool) -> None:
        repeated = _count(attributes.get(TABLE + "number-columns-repeated", "1"))
        if is_covered:
            self.buffer.skip(repeated)
            return
        spanned = _count(attributes.get(TABLE + "number-rows-spanned", "1"))
        value = _value(attributes, "".join(self._texts))
        self.buffer.add(value, repeated=repeated, last_merged_row=self.buffer.row + spanned)


def _value(attributes: dict[str, str], shown: str) -> object:
    kind = attributes.get(OFFICE + "value-type")
    if kind is None:
        formula = attributes.get(TABLE + "formula")
        # A formula that was never calculated travels as a pair.
        return ("=", formula[:200]) if formula and not shown else shown
    if kind in ("float", "percentage", "currency"):
        return float(attributes.get(OFFICE + "value") or "nan")
    if kind == "date":
        return _moment(attributes.get(OFFICE + "date-value", ""), shown)
    if kind == "boolean":
        return attributes.get(OFFICE + "boolean-value") == "true"
    if kind == "string":
        return attributes.get(OFFICE + "string-value", shown) if not shown else shown
    return shown


def _moment(written: str, shown: str) -> date | datetime | str:
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return shown or written
    return moment if "T" in written else moment.date()


def _count(written: str) -> int:
    # A count of many digits is a lie of its own; int() refuses more than 4,300 of them.
    return max(1, int(written)) if len(written) < 10 and written.isdigit() else 10**9
