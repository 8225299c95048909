"""Reads OpenDocument spreadsheets (.ods) as a stream: cells that claim to be repeated a million times cost nothing."""

import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from html import unescape
from pathlib import Path

from customers.spreadsheets import archives
from customers.spreadsheets.faults import Unreadable, refusal
from customers.spreadsheets.row_buffer import ROWS_PER_FRAME, RowBuffer

CHUNK = 256 * 1024
LONGEST_CELL = 100_000
LONGEST_TAG = 4_096
_TAGS = re.compile(
    rb"<(?P<end>/?)(?:\w+:)?(?:table|(?P<shown>table-properties)|(?P<style>style))(?=[\s>/])[^<>]{0,4000}>"
)
_ATTRIBUTE = re.compile(r"""(?:\w+:)?([\w-]+)\s*=\s*["\']([^"\']*)["\']""")
_ROOT = "urn:oasis:names:tc:opendocument:xmlns:"
OFFICE, TABLE, TEXT = (f"{_ROOT}{name}:1.0 " for name in ("office", "table", "text"))
# What is written inside a cell but is not its value.
_APART = frozenset([OFFICE + "annotation", TABLE + "shapes", TEXT + "note", TABLE + "detective"])
_CELLS = frozenset([TABLE + "table-cell", TABLE + "covered-table-cell"])


def sheets(path: Path) -> list[tuple[str, bool]]:
    """The names of the sheets, and whether each is visible.

    Raises Unreadable if the document is dangerous, protected or damaged.
    """
    names: list[tuple[str, str]] = []
    hidden: set[str] = set()
    depth, rest, style = 0, b"", ""
    with _content(path) as parts:
        # Every element costs the parser a call; the tags of tables are found in a tenth of the time.
        for part in parts:
            block = rest + part
            end = 0
            for match in _TAGS.finditer(block):
                end = match.end()
                attributes = {name: unescape(value) for name, value in _ATTRIBUTE.findall(match[0].decode("utf-8"))}
                if match["style"]:
                    style = attributes.get("name", "")
                elif match["shown"]:
                    hidden |= {style} if attributes.get("display") == "false" else set()
                elif match["end"]:
                    depth -= 1
                else:
                    names += [(attributes.get("name", ""), attributes.get("style-name", ""))] if not depth else []
                    depth += 0 if match[0].endswith(b"/>") else 1
            rest = block[max(end, len(block) - LONGEST_TAG) :]
    return [(name, style not in hidden) for name, style in names]


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
    """One pass over the content."""

    def __init__(self, index: int):
        self.index = index
        self.buffer = RowBuffer()
        self._seen = self._tables = self._apart = 0
        self._is_reading = False
        self._row: dict[str, str] = {}
        self._cell: dict[str, str] | None = None
        self._texts: list[str] = []
        self._length = 0
        starts: dict[str, Callable[[dict[str, str]], None]] = dict.fromkeys(_APART, self._start_apart)
        starts |= dict.fromkeys(_CELLS, self._start_cell)
        starts |= {TABLE + "table": self._start_table, TABLE + "table-row": self._start_row}
        starts |= {TEXT + "p": self._start_paragraph, TEXT + "s": self._add_spaces}
        starts |= {TEXT + "tab": lambda _: self._text("\t"), TEXT + "line-break": lambda _: self._text("\n")}
        ends: dict[str, Callable[[], None]] = dict.fromkeys(_APART, self._end_apart)
        ends |= {TABLE + "table-cell": self._end_cell, TABLE + "covered-table-cell": self._end_covered}
        ends |= {TABLE + "table": self._end_table, TABLE + "table-row": self._end_row}
        self._starts, self._ends = starts, ends

    def frames(self, parts: Iterator[bytes]) -> Iterator[list[list | int]]:
        """Parse part by part, and yield rows as soon as there are enough."""
        parser = archives.parser(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        for part in parts:
            parser.Parse(part)
            if len(self.buffer.ready) >= ROWS_PER_FRAME:
                yield self.buffer.take()
        parser.Parse(b"", True)
        if self.buffer.ready:
            yield self.buffer.take()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        start = self._starts.get(name)
        if start:
            start(attributes)

    def _end(self, name: str) -> None:
        end = self._ends.get(name)
        if end:
            end()

    def _start_table(self, attributes: dict[str, str]) -> None:
        self._tables += 1
        if self._tables == 1:
            self._is_reading = self._seen == self.index
            self._seen += 1

    def _end_table(self) -> None:
        self._tables -= 1
        self._is_reading = self._is_reading and self._tables > 0

    def _start_apart(self, attributes: dict[str, str]) -> None:
        self._apart += 1

    def _end_apart(self) -> None:
        self._apart -= 1

    def _start_row(self, attributes: dict[str, str]) -> None:
        if self._tables == 1:
            self._row = attributes

    def _end_row(self) -> None:
        if self._is_reading and self._tables == 1 and not self._apart:
            is_hidden = self._row.get(TABLE + "visibility", "visible") != "visible"
            repeated = _count(self._row.get(TABLE + "number-rows-repeated", "1"))
            self.buffer.end_row(repeated=repeated, is_hidden=is_hidden)

    def _start_cell(self, attributes: dict[str, str]) -> None:
        if self._is_reading and self._tables == 1 and not self._apart:
            self._cell, self._texts, self._length = attributes, [], 0

    def _end_cell(self) -> None:
        if self._cell is not None and self._tables == 1 and not self._apart:
            self._add_cell(self._cell)
            self._cell = None

    def _end_covered(self) -> None:
        if self._cell is not None and self._tables == 1 and not self._apart:
            self.buffer.skip(_count(self._cell.get(TABLE + "number-columns-repeated", "1")))
            self._cell = None

    def _start_paragraph(self, attributes: dict[str, str]) -> None:
        if self._texts:
            self._text("\n")

    def _add_spaces(self, attributes: dict[str, str]) -> None:
        self._text(" " * min(_count(attributes.get(TEXT + "c", "1")), 100))

    def _text(self, text: str) -> None:
        if self._cell is not None and not self._apart and self._tables == 1 and self._length < LONGEST_CELL:
            self._texts.append(text)
            self._length += len(text)

    def _add_cell(self, attributes: dict[str, str]) -> None:
        repeated = _count(attributes.get(TABLE + "number-columns-repeated", "1"))
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
        return shown or attributes.get(OFFICE + "string-value", "")
    return shown


def _moment(written: str, shown: str) -> date | datetime | str:
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return shown or written
    return moment if "T" in written else moment.date()


def _count(written: str) -> int:
    # A count of many digits is a lie of its own; int() refuses more than 4,300 of them.
    if written == "1":
        return 1
    return max(1, int(written)) if len(written) < 10 and written.isdigit() else 10**9
