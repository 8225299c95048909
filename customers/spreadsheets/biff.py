"""Counts what an old workbook (.xls) holds, before the parser sees it."""

import struct
from pathlib import Path

from customers.spreadsheets.compound import Broken, CompoundFile
from customers.spreadsheets.faults import refusal
from customers.spreadsheets.limits import Extent

LARGEST_WORKBOOK = 200 * 1024 * 1024
_BOUND_SHEET, _END, _ENCRYPTED, _DATE_MODE, _ROW = 0x85, 0x0A, 0x2F, 0x22, 0x208
_BEGIN = (0x809, 0x409, 0x209, 0x009)
# Records that hold the value of one cell; those of many numbers and of blanks are apart.
_CELLS = frozenset([0x203, 0x204, 0xFD, 0x27E, 0x205, 0x06, 0x206, 0x406, 0xD6, 0x03, 0x04, 0x02, 0x05])
_NUMBERS = 0xBD
_HIDDEN = 0x20


class OldWorkbook:
    """The records of an old workbook.

    Raises Unreadable if it is protected by a password or damaged.
    """

    def __init__(self, path: Path):
        if path.stat().st_size > LARGEST_WORKBOOK:
            raise refusal("too_big", limit=LARGEST_WORKBOOK // 1024 // 1024)
        try:
            with CompoundFile(path) as container:
                names = container.names()
                self._stream = container.read("Workbook" if "Workbook" in names else "Book")
            self.is_1904 = False
            self.sheets: list[tuple[str, bool, bool]] = []
            self._offsets: list[int] = []
            self._read_globals()
        except (Broken, KeyError, struct.error) as error:
            raise refusal("damaged") from error

    def extents(self) -> list[Extent]:
        """Count all sheets, for the parser reads them all, whichever is wanted.

        Raises Unreadable for far cells.
        """
        extents = []
        for offset in self._offsets:
            extent = Extent()
            try:
                self._count(offset, extent)
            except (struct.error, IndexError) as error:
                raise refusal("damaged") from error
            extent.refuse_far_cells()
            extents.append(extent)
        return extents

    def _read_globals(self) -> None:
        stream, position = self._stream, 0
        first, _size, version = struct.unpack_from("<HHH", stream)
        if first not in _BEGIN:
            raise refusal("damaged")
        self._is_unicode = version == 0x600
        while True:
            kind, size = struct.unpack_from("<HH", stream, position)
            if kind == _ENCRYPTED:
                raise refusal("encrypted")
            if kind == _BOUND_SHEET:
                self._note_sheet(stream[position + 4 : position + 4 + size])
            elif kind == _DATE_MODE:
                self.is_1904 = struct.unpack_from("<H", stream, position + 4)[0] == 1
            elif kind == _END:
                break
            position += 4 + size

    def _note_sheet(self, record: bytes) -> None:
        """Keep (name, visible, holds cells) of a sheet, and where it begins."""
        offset, state, kind, length = struct.unpack_from("<IBBB", record)
        self._offsets.append(offset)
        if self._is_unicode:
            name = record[8:].decode("utf-16-le" if record[7] & 1 else "latin-1", "replace")[:length]
        else:
            name = record[7 : 7 + length].decode("gb18030", "replace")
        self.sheets.append((name, state & 3 == 0, kind == 0))

    def _count(self, position: int, extent: Extent) -> None:
        stream, depth = self._stream, 0
        unpack = struct.Struct("<HHHH").unpack_from
        end = len(stream) - 7
        while position < end:
            kind, size, row, column = unpack(stream, position)
            if kind in _CELLS:
                extent.note(row + 1, column + 1)
            elif kind == _NUMBERS:
                extent.note(row + 1, struct.unpack_from("<H", stream, position + 2 + size)[0] + 1)
            elif kind == _ROW:
                extent.hidden_rows += size >= 14 and bool(stream[position + 16] & _HIDDEN)
            elif kind in _BEGIN:
                depth += 1
            elif kind == _END:
                depth -= 1
                if depth <= 0:
                    break
            position += 4 + size
