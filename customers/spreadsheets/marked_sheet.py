"""Edits one sheet of a workbook as a stream: colors cells, adds our column, and leaves every other byte as it is."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain
from typing import BinaryIO
from xml.sax.saxutils import escape

from customers.spreadsheets.guard import column_letters, column_number
from customers.spreadsheets.marked_edges import Head, tail_of_some_rows
from customers.spreadsheets.marked_styles import Styles
from customers.spreadsheets.marks import CannotMark, Mark, Place

CHUNK = 1024 * 1024
LONGEST_ROW = 8 * CHUNK
# Before the rows stand widths of columns, behind them merged cells, links and rules.
LONGEST_EDGE = 64 * CHUNK
LONGEST_CELL = 32_767
FAR_RIGHT = 1 << 20
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_ROOT = re.compile(rb"<(?:([A-Za-z_][\w.-]*):)?worksheet\b")
_NUMBER = re.compile(rb'(\sr\s*=\s*["\'])([0-9]+)(["\'])')
_REFERENCE = re.compile(rb'(\sr\s*=\s*["\'])([A-Z]+)([0-9]+)(["\'])')
_STYLE = re.compile(rb'(\ss\s*=\s*["\'])([0-9]+)(["\'])')
_OWN_STYLE = re.compile(rb'\scustomFormat\s*=\s*["\'](?:1|true)["\']')
# How far a row reaches is a hint to readers, and no longer true of a row with our cell.
_SPANS = re.compile(rb'\sspans\s*=\s*["\'][^"\']*["\']')
_HIDDEN = re.compile(rb'\shidden\s*=\s*["\'][^"\']*["\']')
_KIND_OR_METADATA = re.compile(rb'\s(?:t|cm|vm)\s*=\s*["\'][^"\']*["\']')
_METADATA = re.compile(rb'\s(?:cm|vm)\s*=\s*["\'][^"\']*["\']')

_letters = cache(lambda column: column_letters(column).encode())


class SheetEditor:
    """
    Copies a sheet with marks in it, which come in the order of the rows; with `only_marked`, no other rows below the
    column names.

    `told` hears the last row of each stretch that was written.
    """

    def __init__(
        self,
        *,
        place: Place,
        heading: str,
        styles: Styles,
        only_marked: bool = False,
        told: Callable[[int], None] = lambda row: None,
    ):
        self._place, self._heading, self._styles = place, heading, styles
        self._only_marked, self._told = only_marked, told
        self._mark: Mark | None = None
        self._row, self._written_row, self._is_below_header = 0, place.header_row, False

    def copy(self, source: BinaryIO, target: BinaryIO, marks: Iterator[Mark]) -> None:
        """
        Write the sheet.

        Raises CannotMark for one that is written in a way this does not understand.
        """
        # The column names are the first row that gets a cell of ours; where they take two rows, the upper one.
        heading, last_of_header = self._place.heading_row, self._place.header_row
        below = [Mark(last_of_header, "", "", {})] if heading < last_of_header else []
        self._marks = chain([Mark(heading, self._heading, "", {})], below, marks)
        self._mark = next(self._marks)
        rest = self._copy_head(source, target)
        while (end := rest.find(self._end_of_rows)) < 0:
            whole = rest.rfind(self._end_of_row) + len(self._end_of_row)
            if whole >= len(self._end_of_row):
                target.write(self._block(rest[:whole]))
                self._told(self._row)
                rest = rest[whole:]
            chunk = source.read(CHUNK)
            if not chunk or len(rest) > LONGEST_ROW:
                raise CannotMark("row")
            rest += chunk
        target.write(self._block(rest[:end]))
        if self._mark is not None:
            # The row is not where its number says.
            raise CannotMark("order")
        self._copy_tail(rest[end:], source, target)

    def _copy_head(self, source: BinaryIO, target: BinaryIO) -> bytes:
        """Write what stands before the rows, and return the beginning of the rows."""
        head, start = b"", None
        while start is None:
            chunk = source.read(CHUNK)
            head += chunk
            root = _ROOT.search(head[:8192])
            if root is None or not chunk or len(head) > LONGEST_EDGE or not _is_plain_utf8(head[:200]):
                raise CannotMark("head")
            self._understand(root[1] + b":" if root[1] else b"")
            start = re.search(rb"<%bsheetData\b[^>]*>" % self._prefix, head)
        if start[0].endswith(b"/>") or b"<!" in head[: start.end()]:
            raise CannotMark("head")
        self._head = Head(head[: start.end()], self._prefix)
        target.write(
            self._head.document(self._place.our_column, last_row=self._place.last_row, only_marked=self._only_marked)
        )
        return head[start.end() :]

    def _understand(self, prefix: bytes) -> None:
        """Build the patterns for names with this prefix; most sheets have none."""
        self._prefix = prefix
        self._end_of_rows, self._end_of_row = b"</%bsheetData" % prefix, b"</%brow>" % prefix
        self._plain_row = b'<%brow r="' % prefix
        self._opening = re.compile(rb"<%brow\b[^>]*>" % prefix)
        self._cell = re.compile(rb"<%bc(\s[^>]*?)?(/>|>.*?</%bc>)" % (prefix, prefix), re.S)
        self._formula = re.compile(rb"<%bf(?:\s[^>]*?)?(?:/>|>.*?</%bf>)" % (prefix, prefix), re.S)
        self._value = re.compile(rb"<%bv(?:\s[^>]*)?>[^<]" % prefix)
        ours = _letters(self._place.our_column)
        self._our_cells = re.compile(
            rb"<%bc\b[^>]*?\sr\s*=\s*[\"']%b[0-9]+[\"'][^>]*?(?:/>|>.*?</%bc>)" % (prefix, ours, prefix), re.S
        )
        old = b"|".join(b"%d" % style for style in sorted(self._styles.left_behind))
        self._old_colors = re.compile(rb"(<%bc\b[^>]*?\ss\s*=\s*[\"'])(%b)([\"'])" % (prefix, old)) if old else None

    def _block(self, block: bytes) -> bytes:
        """Mark whole rows."""
        if b"<!" in block:
            raise CannotMark("markup")
        if self._place.marker_index is not None:
            block = self._cleaned(block)
        starts, last = self._rows_of(block)
        pieces, position = [], 0
        while self._mark is not None and self._mark.number <= last:
            number = self._mark.number
            start = starts.get(number, -1) if starts else block.find(b'%b%d"' % (self._plain_row, number), position)
            if start < position:
                raise CannotMark("order")
            if not (self._only_marked and self._is_below_header):
                pieces.append(block[position:start])
            position = self._end(block, start)
            pieces.append(self._marked_row(block[start:position], self._mark))
            self._is_below_header = self._mark.number >= self._place.header_row
            self._mark = next(self._marks, None)
        if not (self._only_marked and self._is_below_header):
            pieces.append(block[position:])
        self._row = last
        return b"".join(pieces)

    def _rows_of(self, block: bytes) -> tuple[dict[int, int], int]:
        """Where each row begins, unless that can be searched for, and the number of the last one."""
        openings = block.count(b"<%brow " % self._prefix) + block.count(b"<%brow>" % self._prefix)
        if openings and openings == block.count(self._plain_row):
            last = block.rfind(self._plain_row) + len(self._plain_row)
            return {}, int(block[last : block.index(b'"', last)])
        starts, number = {}, self._row
        for opening in self._opening.finditer(block):
            written = _NUMBER.search(opening[0])
            number = int(written[2]) if written else number + 1
            starts[number] = opening.start()
        return starts, number

    def _end(self, block: bytes, start: int) -> int:
        opening_end = block.index(b">", start) + 1
        if block[opening_end - 2 : opening_end] == b"/>":
            return opening_end
        return block.index(self._end_of_row, opening_end) + len(self._end_of_row)

    def _cleaned(self, block: bytes) -> bytes:
        """Take away the words and colors of an earlier marking."""
        block = self._our_cells.sub(b"", block)
        if self._old_colors:
            block = self._old_colors.sub(lambda s: b"%b%d%b" % (s[1], self._styles.cleared(int(s[2])), s[3]), block)
        return block

    def _marked_row(self, row: bytes, mark: Mark) -> bytes:
        opening, body = row[: row.index(b">") + 1], row[row.index(b">") + 1 : -len(self._end_of_row)]
        if opening.endswith(b"/>"):
            opening, body = opening[:-2] + b">", b""
        number, is_moved = mark.number, self._only_marked and mark.number > self._place.header_row
        if is_moved:
            self._written_row += 1
            number = self._written_row
            opening = _HIDDEN.sub(b"", _NUMBER.sub(rb"\g<1>%d\3" % number, opening))
        opening = _SPANS.sub(b"", opening)
        pieces = self._cells(opening, body, mark, number if is_moved else 0)
        return opening + b"".join(pieces) + self._end_of_row

    def _cells(self, opening: bytes, body: bytes, mark: Mark, moved_to: int) -> list[bytes]:
        """The cells of a row in their order: the shop's, those that were missing and are colored, and ours."""
        number, ours = moved_to or mark.number, self._place.our_column
        placed = {self._place.column(index): tone for index, tone in mark.cells.items()}
        toned = {column: tone for column, tone in placed.items() if column is not None}
        missing, pieces = sorted(toned), []
        column, position, style = 0, 0, 0

        def add_missing(before: int) -> None:
            while missing and missing[0] < before:
                absent = missing.pop(0)
                base = _style(opening) if _OWN_STYLE.search(opening) else self._head.style(absent)
                pieces.append(self._blank(absent, number, self._styles.toned(base, toned[absent])))

        is_ours_written = False
        for cell in self._cell.finditer(body):
            attributes = cell[1] or b""
            reference = _REFERENCE.search(attributes)
            column = column_number(reference[2].decode()) if reference else column + 1
            add_missing(column)
            if column >= ours and not is_ours_written:
                pieces.append(self._our_cell(mark, number, style))
                is_ours_written = True
            pieces.append(body[position : cell.start()])
            position = cell.end()
            if column == ours:
                continue
            style = _style(attributes)
            if column in toned:
                missing.remove(column)
                attributes = _with_style(attributes, self._styles.toned(style, toned[column]))
            pieces.append(self._rebuilt(attributes, cell[2], moved_to))
        add_missing(ours)
        if not is_ours_written:
            pieces.append(self._our_cell(mark, number, style))
        add_missing(FAR_RIGHT)
        pieces.append(body[position:])
        return pieces

    def _our_cell(self, mark: Mark, number: int, last_style: int) -> bytes:
        """The words; the heading looks like the column name before it."""
        if not mark.text:
            return b""
        style = self._styles.toned(0, mark.tone) if mark.tone else last_style
        text = escape(_NOT_IN_XML.sub("", mark.text)[:LONGEST_CELL]).encode()
        names = (self._prefix,) * 6
        return b'<%bc r="%b%d" s="%d" t="inlineStr"><%bis><%bt xml:space="preserve">%b</%bt></%bis></%bc>' % (
            *(names[0], _letters(self._place.our_column), number, style, *names[1:3], text),
            *names[3:],
        )

    def _blank(self, column: int, number: int, style: int) -> bytes:
        return b'<%bc r="%b%d" s="%d"/>' % (self._prefix, _letters(column), number, style)

    def _rebuilt(self, attributes: bytes, content: bytes, moved_to: int) -> bytes:
        """A cell in its new row keeps what it shows, and no formula that would look at the wrong rows."""
        if moved_to:
            attributes = _REFERENCE.sub(rb"\1\g<2>%d\4" % moved_to, attributes)
            bare = self._formula.sub(b"", content)
            if bare != content:
                has_value = self._value.search(bare) is not None
                attributes = (_METADATA if has_value else _KIND_OR_METADATA).sub(b"", attributes)
                content = bare if has_value else b"/>"
        return b"<%bc%b%b" % (self._prefix, attributes, content)

    def _copy_tail(self, tail: bytes, source: BinaryIO, target: BinaryIO) -> None:
        while chunk := source.read(CHUNK):
            if not self._only_marked:
                target.write(tail)
                tail = b""
            tail += chunk
            if len(tail) > LONGEST_EDGE:
                raise CannotMark("tail")
        if self._only_marked:
            tail = tail_of_some_rows(tail, prefix=self._prefix, header_row=self._place.header_row)
        target.write(tail)


def _is_plain_utf8(declaration: bytes) -> bool:
    return declaration.lstrip(b"\xef\xbb\xbf").startswith(b"<") and (
        b"encoding=" not in declaration or b"utf-8" in declaration.lower()
    )


def _style(attributes: bytes) -> int:
    found = _STYLE.search(attributes)
    return int(found[2]) if found else 0


def _with_style(attributes: bytes, style: int) -> bytes:
    if _STYLE.search(attributes):
        return _STYLE.sub(rb"\g<1>%d\3" % style, attributes)
    return attributes + b' s="%d"' % style
