"""Reads the tables of web pages that back offices name .xls."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path

from customers.spreadsheets import limits
from customers.spreadsheets.faults import refusal
from customers.spreadsheets.row_buffer import ROWS_PER_FRAME, RowBuffer

LARGEST_PAGE = 100 * 1024 * 1024
LONGEST_CELL = 100_000
DEEPEST_TABLE = 50
# Every alternative ends at the next "<" at the latest, so that no page, however broken, is read twice.
_TAG = re.compile(
    r"<!--.*?(?:-->|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)"
    r"""|<(?P<end>/?)(?P<name>[a-zA-Z][\w:-]*+)(?:(?P<attributes>(?:[^<>"']|"[^"<]*"|'[^'<]*')*+)>|(?P<odd>[^<>]*+)>)"""
    r"|<[!?][^<>]*+>",
    re.S,
)
_CHARSET = re.compile(rb"""<meta[^>]{0,300}charset\s*=\s*["']?\s*([\w.:-]{1,40})""", re.I)
_SPAN = re.compile(r"""\b(col|row)span\s*=\s*["']?\s*([0-9]{1,7})""", re.I)
_NUMBER = re.compile(r"""\bx:num\s*=\s*["']?\s*(-?[0-9]+(?:\.[0-9]+)?(?:E[+-]?[0-9]+)?)["'\s]""", re.I)
_HIDDEN = re.compile(r"""display\s*:\s*none|\bhidden\b""", re.I)
_SPACES = re.compile(r"[ \t\r\n\f]+")
_SILENT = frozenset(["script", "style", "title", "template", "noscript", "select", "textarea"])
_BREAKS = frozenset(["br", "p", "div", "li", "h1", "h2", "h3"])


@dataclass
class _Table:
    """A table that is being read."""

    buffer: RowBuffer = field(default_factory=RowBuffer)
    width: int = 0
    holds_tables: bool = False
    is_in_row: bool = False
    is_hidden: bool = False
    # By column, how many further rows a cell reaches down.
    reaching: dict[int, int] = field(default_factory=dict)
    cell: str | None = None
    texts: list[str] = field(default_factory=list)


def sheets(path: Path) -> list[tuple[str, bool]]:
    """One for each group of tables that stand below each other with the same number of columns.

    Raises Unreadable if there is none.
    """
    return [(str(number), True) for number in range(1, len(_groups(path)) + 1)]


def frames(path: Path, index: int) -> Iterator[list[list | int] | RowBuffer]:
    """Yield the rows of a group of tables in lists, and at last a buffer with what was noted about them."""
    noted = RowBuffer()
    for table in _groups(path)[index]:
        noted.hidden_rows += table.buffer.hidden_rows
        noted.merged += [noted.row + row for row in table.buffer.merged]
        noted.row += table.buffer.row
        ready = table.buffer.ready
        for start in range(0, len(ready), ROWS_PER_FRAME):
            yield ready[start : start + ROWS_PER_FRAME]
    yield noted


def _groups(path: Path) -> list[list[_Table]]:
    """The tables of a page; long lists are printed as many tables, or with the header in a table of its own."""
    groups: list[list[_Table]] = []
    for table in _tables(_text(path)):
        if not table.buffer.ready:
            continue
        before = groups[-1][-1] if groups else None
        if before and before.width == table.width > 1 and not (before.holds_tables or table.holds_tables):
            groups[-1].append(table)
        else:
            groups.append([table])
    if not groups:
        raise refusal("html")
    return groups


def _text(path: Path) -> str:
    if path.stat().st_size > LARGEST_PAGE:
        raise refusal("too_big", limit=LARGEST_PAGE // 1024 // 1024)
    content = path.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif max(content[:4096][::2].count(0), content[:4096][1::2].count(0)) * 8 > len(content[:4096]) // 2:
        encodings = ["utf-16-le" if content[1:2] == b"\0" else "utf-16-be"]
    else:
        # What the page says of itself is often the template's word: text that is UTF-8 is nothing else.
        named = _CHARSET.search(content[:4096])
        encodings = ["utf-8-sig", "gb18030", *([named[1].decode()] if named else [])]
    for encoding in encodings:
        try:
            return codecs.decode(content, encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    raise refusal("page_encoding")


def _tables(text: str) -> list[_Table]:
    """The tables of a page in the order in which they begin."""
    found: list[_Table] = []
    open_tables: list[_Table] = []
    position, end = 0, len(text)
    while position < end:
        match = _TAG.search(text, position)
        start = match.start() if match else end
        if open_tables and start > position:
            _add_text(open_tables[-1], text[position:start])
        if match is None:
            break
        position = match.end()
        name = (match["name"] or "").lower().rpartition(":")[2] if match["name"] else ""
        if name in _SILENT and not match["end"]:
            closing = re.compile(rf"</{name}\b", re.I).search(text, position)
            position = closing.start() if closing else end
        elif name == "table":
            _change_depth(open_tables, found, is_end=bool(match["end"]))
        elif name and open_tables:
            _note_tag(open_tables[-1], name, match["attributes"] or match["odd"] or "", is_end=bool(match["end"]))
    while open_tables:
        _end_row(open_tables.pop())
    return found


def _change_depth(open_tables: list[_Table], found: list[_Table], *, is_end: bool) -> None:
    if is_end:
        if open_tables:
            _end_row(open_tables.pop())
        return
    if len(open_tables) >= DEEPEST_TABLE:
        raise refusal("bomb")
    if open_tables:
        open_tables[-1].holds_tables = True
    table = _Table()
    open_tables.append(table)
    found.append(table)


def _note_tag(table: _Table, name: str, attributes: str, *, is_end: bool) -> None:
    if name == "tr":
        _end_row(table)
        table.is_in_row = not is_end
        table.is_hidden = not is_end and _HIDDEN.search(attributes) is not None
    elif name in ("td", "th"):
        _end_cell(table)
        if not is_end:
            table.is_in_row, table.cell, table.texts = True, attributes, []
    elif name in ("tbody", "thead", "tfoot") and is_end:
        _end_row(table)
    elif name in _BREAKS and table.cell is not None:
        table.texts.append("\n")


def _add_text(table: _Table, text: str) -> None:
    if table.cell is not None and len(table.texts) < LONGEST_CELL // 10:
        table.texts.append(_SPACES.sub(" ", text[:LONGEST_CELL]))


def _end_cell(table: _Table) -> None:
    if table.cell is None:
        return
    said = table.cell[:5_000].lower()
    spans = {kind: int(count) for kind, count in _SPAN.findall(said)} if "span" in said else {}
    number = _NUMBER.search(said + " ") if "x:num" in said else None
    lines = (line.strip() for line in unescape("".join(table.texts)).split("\n"))
    value: object = float(number[1]) if number else "\n".join(line for line in lines if line)
    buffer, columns = table.buffer, max(1, spans.get("col", 1))
    while buffer.column in table.reaching:
        buffer.skip(1)
    rows = min(spans.get("row", 1), limits.MOST_ROWS)
    for column in range(buffer.column, buffer.column + min(columns, limits.MOST_COLUMNS)) if rows > 1 else ():
        # Counted down at the end of each row, this one included.
        table.reaching[column] = rows
    buffer.add(value, last_merged_row=buffer.row + rows)
    buffer.skip(columns - 1)
    table.width = max(table.width, buffer.column)
    table.cell = None


def _end_row(table: _Table) -> None:
    _end_cell(table)
    if table.is_in_row:
        table.buffer.end_row(is_hidden=table.is_hidden)
        table.reaching = {column: rows - 1 for column, rows in table.reaching.items() if rows > 1}
    table.is_in_row = table.is_hidden = False
