"""Adds colored twins of a workbook's own cell styles: number formats, borders and fonts stay."""

import re

from customers.spreadsheets.marks import KNOW, MEND, CannotMark

# Colors of our own, so that a marked file that comes back can be cleaned of them and not of the shop's.
COLORS = {MEND: b"FFFFCBC7", KNOW: b"FFFFE9B5"}
NO_FILL = b"none"
EMPTY = (
    b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    b'<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    b'<fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>'
    b'<fills count="2"><fill><patternFill patternType="none"/></fill>'
    b'<fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border/></borders>'
    b'<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    b'<cellXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/></cellXfs>'
    b'<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)
# Excel opens no workbook with more.
MOST_STYLES = 64_000
_ROOT = re.compile(rb"<(?:([A-Za-z_][\w.-]*):)?styleSheet\b")
_FILL_ID = re.compile(rb'\sfillId\s*=\s*(["\'])([0-9]+)\1')
_APPLIES_FILL = re.compile(rb'\sapplyFill\s*=\s*(["\'])[^"\']*\1')
_COUNT = re.compile(rb'\scount\s*=\s*(["\'])[0-9]+\1')


class Styles:
    """The styles of a workbook, growing by a twin for each style that is colored."""

    def __init__(self, document: bytes):
        root = _ROOT.search(document[:4096])
        if root is None or b"<!--" in document or b"<![" in document:
            raise CannotMark("styles")
        self._prefix = root[1] + b":" if root[1] else b""
        self._document = document
        self._fills = self._section(b"fills")
        self._formats = self._section(b"cellXfs")
        fills = self._items(b"fill", self._fills[1])
        self._xfs = self._items(b"xf", self._formats[1])
        if not self._xfs:
            raise CannotMark("styles")
        self._known = len(self._xfs)
        self._fill_of_tone = {tone: len(fills) + position for position, tone in enumerate(COLORS)}
        ours = {position for position, fill in enumerate(fills) if any(color in fill for color in COLORS.values())}
        # Styles that an earlier marking added, or what a spreadsheet program made of them.
        self.left_behind = frozenset(
            position
            for position, xf in enumerate(self._xfs)
            if (found := _FILL_ID.search(xf)) and int(found[2]) in ours
        )
        self._twins: dict[tuple[int, str], int] = {}

    def toned(self, style: int, tone: str) -> int:
        """The twin of a style in the color of a tone."""
        return self._twin(style, tone, self._fill_of_tone[tone])

    def cleared(self, style: int) -> int:
        """The twin of a style that an earlier marking left behind, without its color."""
        return self._twin(style, "", 0)

    def document(self) -> bytes:
        """The part with the twins in it."""
        tag = (
            b'<%bfill><%bpatternFill patternType="solid"><%bfgColor rgb="%b"/><%bbgColor indexed="64"/>'
            b"</%bpatternFill></%bfill>"
        )
        name = self._prefix
        fills = b"".join(tag % (name, name, name, color, name, name, name) for color in COLORS.values())
        edits = [
            (self._fills, fills, len(self._fill_of_tone) + min(self._fill_of_tone.values())),
            (self._formats, b"".join(self._xfs[self._known :]), len(self._xfs)),
        ]
        document = self._document
        for (opening, body, start, end), added, count in sorted(edits, key=lambda edit: -edit[0][2]):
            opening = _COUNT.sub(b"", opening)[:-1] + b' count="%d">' % count
            document = document[:start] + opening + body + added + document[end:]
        return document

    def _twin(self, style: int, tone: str, fill: int) -> int:
        # A style that does not exist is shown as the first one.
        style = style if style < len(self._xfs) else 0
        if style in self.left_behind and tone:
            style = self.cleared(style)
        twin = self._twins.get((style, tone))
        if twin is None:
            if len(self._xfs) >= MOST_STYLES:
                raise CannotMark("styles")
            twin = self._twins[style, tone] = len(self._xfs)
            self._xfs.append(_with_fill(self._xfs[style], fill))
        return twin

    def _section(self, name: bytes) -> tuple[bytes, bytes, int, int]:
        """The opening tag of a list, what is in it, and where both lie."""
        tag = self._prefix + name
        found = re.search(rb"(<%b(?:\s[^>]*)?>)(.*?)</%b>" % (tag, tag), self._document, re.S)
        if found is None or found[1].endswith(b"/>"):
            raise CannotMark("styles")
        return found[1], found[2], found.start(), found.end(2)

    def _items(self, name: bytes, body: bytes) -> list[bytes]:
        tag = self._prefix + name
        return re.findall(rb"<%b(?:\s[^>]*?)?(?:/>|>.*?</%b>)" % (tag, tag), body, re.S)


def _with_fill(xf: bytes, fill: int) -> bytes:
    """The style with another fill and all else as it is."""
    xf = _APPLIES_FILL.sub(b"", _FILL_ID.sub(b"", xf))
    end = re.match(rb"<[\w.:-]+", xf).end()
    return xf[:end] + b' fillId="%d" applyFill="%d"' % (fill, bool(fill)) + xf[end:]
