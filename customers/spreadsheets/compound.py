"""Reads the containers of old Office files (OLE2): which streams one holds, and their bytes."""

import struct
import sys
from array import array
from pathlib import Path
from typing import BinaryIO

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_LAST_REGULAR = 0xFFFFFFF9
_STREAM, _ROOT = 2, 5
_MOST_ENTRIES = 10_000


class Broken(ValueError):
    """A container whose chains lead nowhere or in a circle."""


class CompoundFile:
    """The streams of a container by name; a context manager, for it holds the file open."""

    def __init__(self, path: Path):
        self._handle: BinaryIO = path.open("rb")
        try:
            self._open(path.stat().st_size)
        except (struct.error, IndexError, MemoryError, OverflowError) as error:
            self._handle.close()
            raise Broken(str(error)) from error
        except Broken:
            self._handle.close()
            raise

    def __enter__(self) -> "CompoundFile":
        return self

    def __exit__(self, *_exception: object) -> None:
        self._handle.close()

    def names(self) -> set[str]:
        """The names of all streams."""
        return set(self._streams)

    def read(self, name: str) -> bytes:
        """The bytes of a stream.

        Raises Broken.
        """
        start, size = self._streams[name]
        try:
            if size >= self._cutoff:
                return self._chain(start, size)
            small = self._chain(self._mini_start, self._mini_size)
            shift, found, sector = self._mini_shift, bytearray(), start
            while sector < _LAST_REGULAR and len(found) < size:
                found += small[sector << shift : (sector + 1) << shift]
                sector = self._mini_table[sector]
            return bytes(found[:size])
        except (struct.error, IndexError, MemoryError) as error:
            raise Broken(str(error)) from error

    def _open(self, file_size: int) -> None:
        head = self._handle.read(512)
        shift, self._mini_shift = struct.unpack_from("<HH", head, 30)
        if not head.startswith(MAGIC) or shift not in (9, 12) or self._mini_shift > shift:
            raise Broken("header")
        self._shift, self._sectors = shift, file_size >> shift
        directory, _, self._cutoff, mini, _, more_tables, _ = struct.unpack_from("<IIIIIII", head, 48)
        self._table = array("I")
        self._read_table(list(struct.unpack_from("<109I", head, 76)), more_tables)
        self._mini_table = _words(self._chain(mini)) if mini < _LAST_REGULAR else array("I")
        self._streams: dict[str, tuple[int, int]] = {}
        self._mini_start, self._mini_size = _LAST_REGULAR, 0
        entries = self._chain(directory, 128 * _MOST_ENTRIES)
        for position in range(0, len(entries) - 127, 128):
            self._note_entry(entries[position : position + 128])

    def _note_entry(self, entry: bytes) -> None:
        length, kind = struct.unpack_from("<HB", entry, 64)
        start, size = struct.unpack_from("<II", entry, 116)
        if kind == _STREAM:
            name = entry[: max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
            self._streams.setdefault(name, (start, size))
        elif kind == _ROOT:
            self._mini_start, self._mini_size = start, size

    def _read_table(self, sectors: list[int], more: int) -> None:
        """The table of chains lies in sectors of its own, whose list continues in further sectors."""
        steps = 0
        while more < _LAST_REGULAR and steps <= self._sectors:
            block = struct.unpack(f"<{1 << self._shift - 2}I", self._sector(more))
            sectors += block[:-1]
            more, steps = block[-1], steps + 1
        for sector in sectors:
            if sector < _LAST_REGULAR:
                self._table.extend(_words(self._sector(sector)))
            if len(self._table) > self._sectors + (2 << self._shift):
                break

    def _sector(self, number: int) -> bytes:
        self._handle.seek((number + 1) << self._shift)
        content = self._handle.read(1 << self._shift)
        # The last sector of a file may be written short.
        return content.ljust(1 << self._shift, b"\0") if content else self._missing(number)

    def _missing(self, number: int) -> bytes:
        raise Broken(f"sector {number}")

    def _chain(self, sector: int, size: int | None = None) -> bytes:
        parts, steps = [], 0
        enough = self._sectors + 1 if size is None else (size >> self._shift) + 1
        while sector < _LAST_REGULAR and steps < enough:
            parts.append(self._sector(sector))
            sector, steps = self._table[sector], steps + 1
            if steps > self._sectors + 1:
                raise Broken("circle")
        whole = b"".join(parts)
        return whole if size is None else whole[:size]


def _words(content: bytes) -> array:
    words = array("I", content[: len(content) // 4 * 4])
    if sys.byteorder == "big":
        words.byteswap()
    return words
