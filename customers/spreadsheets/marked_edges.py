"""What stands before and behind the rows of a sheet: widths of columns, merged cells, links and rules."""

import re
from xml.parsers import expat

from customers.spreadsheets.guard import column_letters
from customers.spreadsheets.marks import CannotMark

OUR_WIDTH = 60
# Whatever is bound to rows that are no longer there, or to other numbers than before.
BOUND_TO_ROWS = (
    *(b"autoFilter", b"sortState", b"hyperlinks", b"rowBreaks", b"protectedRanges", b"scenarios", b"cellWatches"),
    *(b"drawing", b"legacyDrawing", b"legacyDrawingHF", b"oleObjects", b"controls", b"tableParts", b"extLst"),
    *(b"customSheetViews", b"dataConsolidate", b"webPublishItems", b"smartTags"),
)
_ATTRIBUTE = re.compile(rb'([\w:.-]+)\s*=\s*(?:"([^"]*)"|\'([^\']*)\')')
_TOP_LEFT = re.compile(rb'\s(?:topLeftCell|filterMode)\s*=\s*(?:"[^"]*"|\'[^\']*\')')
_ALTERNATIVE = re.compile(rb"<mc:AlternateContent\b.*?</mc:AlternateContent>", re.S)
_ROWS = re.compile(rb"[A-Z]([0-9]+)")


class Head:
    """The part of a sheet before its rows."""

    def __init__(self, document: bytes, prefix: bytes):
        self._document, self._prefix = document, prefix
        self._columns = re.search(rb"<%bcols\b[^>]*>(.*?)</%bcols>" % (prefix, prefix), document, re.S)
        body = self._columns[1] if self._columns else b""
        self._ranges = [
            {name: first or second for name, first, second in _ATTRIBUTE.findall(tag)}
            for tag in re.findall(rb"<%bcol\b([^>]*?)/?>" % prefix, body)
        ]

    def style(self, column: int) -> int:
        """The style of the cells of a column that are not written down."""
        return next((int(each.get(b"style", 0)) for each in self._ranges if _covers(each, column)), 0)

    def document(self, our_column: int, *, last_row: int, only_marked: bool) -> bytes:
        """The head with room for our column and a true dimension, or none where rows are left out."""
        document = self._document
        columns = self._with_ours(our_column)
        if self._columns:
            document = document[: self._columns.start()] + columns + document[self._columns.end() :]
        else:
            start = document.rindex(b"<%bsheetData" % self._prefix)
            document = document[:start] + columns + document[start:]
        corner = b"A1:%b%d" % (column_letters(our_column).encode(), last_row)
        dimension = b"" if only_marked else b'<%bdimension ref="%b"/>' % (self._prefix, corner)
        document = re.sub(
            rb"<%bdimension\b[^>]*?(?:/>|>\s*</%bdimension>)" % (self._prefix, self._prefix), dimension, document
        )
        return _TOP_LEFT.sub(b"", document) if only_marked else document

    def _with_ours(self, column: int) -> bytes:
        """The list of widths; a range that covers our column is divided."""
        ours = {b"min": b"%d" % column, b"max": b"%d" % column, b"width": b"%d" % OUR_WIDTH, b"customWidth": b"1"}
        found = [ours]
        for each in self._ranges:
            if not _covers(each, column):
                found.append(each)
                continue
            first, last = int(each[b"min"]), int(each[b"max"])
            if first < column:
                found.append(each | {b"max": b"%d" % (column - 1)})
            if last > column:
                found.append(each | {b"min": b"%d" % (column + 1)})
        tags = [
            b"<%bcol %b/>" % (self._prefix, b" ".join(b'%b="%b"' % pair for pair in each.items()))
            for each in sorted(found, key=lambda each: int(each[b"min"]))
        ]
        return b"<%bcols>%b</%bcols>" % (self._prefix, b"".join(tags), self._prefix)


def tail_of_some_rows(document: bytes, *, prefix: bytes, header_row: int) -> bytes:
    """
    The part behind the rows for a sheet of which most rows were left out: nothing points at the wrong row.

    Raises CannotMark where that cannot be told apart.
    """
    document = _ALTERNATIVE.sub(b"", document)
    for name in BOUND_TO_ROWS:
        tag = prefix + name
        document = re.sub(rb"<%b(?:\s[^>]*?)?(?:/>|>.*?</%b>)" % (tag, tag), b"", document, flags=re.S)
    areas = re.search(rb"<%bmergeCells\b[^>]*>(.*?)</%bmergeCells>" % (prefix, prefix), document, re.S)
    if areas:
        titles = [
            area
            for area in re.findall(rb"<%bmergeCell\b[^>]*?/>" % prefix, areas[1])
            if max(map(int, _ROWS.findall(area)), default=0) <= header_row
        ]
        kept = b'<%bmergeCells count="%d">%b</%bmergeCells>' % (prefix, len(titles), b"".join(titles), prefix)
        document = document[: areas.start()] + (kept if titles else b"") + document[areas.end() :]
    _require_well_formed(document, prefix)
    return document


def _covers(each: dict[bytes, bytes], column: int) -> bool:
    return int(each.get(b"min", 0)) <= column <= int(each.get(b"max", 0))


def _require_well_formed(tail: bytes, prefix: bytes) -> None:
    parser = expat.ParserCreate()
    try:
        parser.Parse(b"<%bworksheet><%bsheetData>%b" % (prefix, prefix, tail), True)
    except expat.ExpatError as error:
        raise CannotMark("tail") from error
