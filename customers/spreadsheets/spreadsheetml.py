"""Reads the XML spreadsheets of Excel 2003, which back offices name .xls, as a stream."""

import codecs
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from customers.spreadsheets import archives
from customers.spreadsheets.faults import refusal
from customers.spreadsheets.row_buffer import ROWS_PER_FRAME, RowBuffer

CHUNK = 256 * 1024
LONGEST_CELL = 100_000
_SHEET = "urn:schemas-microsoft-com:office:spreadsheet "
_EXCEL = "urn:schemas-microsoft-com:office:excel "
_ENCODING = re.compile(rb"""<\?xml[^>]*encoding=["']([\w.:-]{1,40})["']""")
_DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")


def sheets(path: Path) -> list[tuple[str, bool]]:
    """The names of the sheets, and whether each is visible.

    Raises Unreadable if the document is dangerous or damaged.
    """
    document = _Document(None)
    for _ in document.frames(_texts(path)):
        pass
    return [(name, index not in document.hidden) for index, name in enumerate(document.names)]


def frames(path: Path, index: int) -> Iterator[list[list | int] | RowBuffer]:
    """Yield the rows of a sheet in lists, and at last the buffer with what was noted about them.

    Raises Unreadable.
    """
    document = _Document(index)
    yield from document.frames(_texts(path))
    yield document.buffer


def _texts(path: Path) -> Iterator[str]:
    """The document as text: expat itself knows neither GBK nor GB2312."""
    with path.open("rb") as handle:
        head = handle.read(CHUNK)
        named = _ENCODING.search(head[:300])
        encoding = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else named[1].decode() if named else "utf-8"
        encoding = "gb18030" if encoding.lower() in ("gbk", "gb2312", "gb_2312-80") else encoding
        try:
            decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding.lower() == "utf-8" else encoding)()
        except LookupError as error:
            raise refusal("damaged") from error
        try:
            yield _DECLARATION.sub("", decoder.decode(head), count=1)
            while part := handle.read(CHUNK):
                yield decoder.decode(part)
            yield decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise refusal("damaged") from error


class _Document:
    """One pass over the workbook; without an index only the names of the sheets are taken."""

    def __init__(self, index: int | None):
        self.index = index
        self.buffer = RowBuffer()
        self.names: list[str] = []
        self.hidden: set[int] = set()
        self._is_reading = self._is_hidden_row = self._is_row_hidden = False
        self._cell: dict[str, str] | None = None
        self._kind = ""
        self._is_value = self._is_visible = False
        self._comments = 0
        self._texts: list[str] = []

    def frames(self, texts: Iterator[str]) -> Iterator[list[list | int]]:
        """Parse part by part, and yield rows as soon as there are enough."""
        parser = archives.parser(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        try:
            for text in texts:
                parser.Parse(text)
                if len(self.buffer.ready) >= ROWS_PER_FRAME:
                    yield self.buffer.take()
            parser.Parse("", True)
        except (archives.expat.ExpatError, ValueError) as error:
            raise refusal("damaged") from error
        if self.buffer.ready:
            yield self.buffer.take()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == _SHEET + "Worksheet":
            self._is_reading = len(self.names) == self.index
            self.names.append(attributes.get(_SHEET + "Name", ""))
        elif name == _EXCEL + "Visible":
            self._is_visible, self._texts = True, []
        elif not self._is_reading:
            pass
        elif name == _SHEET + "Row":
            target = _count(attributes.get(_SHEET + "Index", "")) or self.buffer.row + 1
            if target > self.buffer.row + 1:
                self.buffer.end_row(repeated=target - self.buffer.row - 1)
            self._is_row_hidden = attributes.get(_SHEET + "Hidden") == "1"
        elif name == _SHEET + "Cell":
            self._cell, self._kind, self._texts = attributes, "", []
            self.buffer.go_to(_count(attributes.get(_SHEET + "Index", "")) - 1)
        elif name == _SHEET + "Comment":
            self._comments += 1
        elif name == _SHEET + "Data" and self._cell is not None and not self._comments:
            self._is_value, self._kind = True, attributes.get(_SHEET + "Type", "String")

    def _text(self, text: str) -> None:
        if (self._is_value or self._is_visible) and len(self._texts) < LONGEST_CELL // 10:
            self._texts.append(text)

    def _end(self, name: str) -> None:
        if name == _EXCEL + "Visible":
            if "".join(self._texts).strip() in ("SheetHidden", "SheetVeryHidden"):
                self.hidden.add(len(self.names) - 1)
            self._is_visible = False
        elif not self._is_reading:
            pass
        elif name == _SHEET + "Data" and not self._comments:
            self._is_value = False
        elif name == _SHEET + "Comment":
            self._comments -= 1
        elif name == _SHEET + "Cell" and self._cell is not None:
            self._add_cell(self._cell)
            self._cell = None
        elif name == _SHEET + "Row":
            self.buffer.end_row(is_hidden=self._is_row_hidden)
        elif name == _SHEET + "Worksheet":
            self._is_reading = False

    def _add_cell(self, attributes: dict[str, str]) -> None:
        shown = "".join(self._texts)[:LONGEST_CELL]
        formula = attributes.get(_SHEET + "Formula")
        # A formula that was never calculated travels as a pair.
        value = ("=", formula[:200]) if formula and not shown else _value(self._kind, shown)
        below = _count(attributes.get(_SHEET + "MergeDown", ""))
        if value == "":
            self.buffer.skip(1)
        else:
            self.buffer.add(value, last_merged_row=self.buffer.row + 1 + below)
        self.buffer.skip(_count(attributes.get(_SHEET + "MergeAcross", "")))


def _value(kind: str, shown: str) -> object:
    if kind == "Number":
        try:
            return float(shown)
        except ValueError:
            return shown
    if kind == "DateTime":
        try:
            return datetime.fromisoformat(shown)
        except ValueError:
            return shown
    if kind == "Boolean":
        return shown.strip() == "1"
    return shown


def _count(written: str) -> int:
    return int(written) if written.isdigit() and len(written) < 8 else 0
