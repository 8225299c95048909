"""Writes a text file again with our column: rows keep their bytes, and those with a mark get words at their end."""

import codecs
import csv
import re
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO, NamedTuple

from customers.spreadsheets.marks import CannotMark, Mark, Place
from customers.spreadsheets.text import TextSource

CHUNK = 1024 * 1024
TOLD_EVERY = 5_000
_BYTE_ORDER_MARKS = {"utf-8-sig": codecs.BOM_UTF8, "utf-16": codecs.BOM_UTF16_LE}
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_LINE_OF_TEXT = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


class _Code(NamedTuple):
    """How characters are written: the codec, and the bytes before the first of them."""

    name: str
    mark: bytes


class _Line(NamedTuple):
    raw: bytes
    text: str


def write(
    source: TextSource,
    target: BinaryIO,
    *,
    place: Place,
    marks: Iterator[Mark],
    heading: str,
    only_marked: bool = False,
    told: Callable[[int], None] = lambda row: None,
) -> None:
    """
    Write the file with the words of the marks, which come in the order of the rows.

    With `only_marked` the rows below the column names that have none are left out. Raises CannotMark where a row is
    not where its mark says.
    """
    code = _code(source.path, source.encoding)
    delimiter = source.delimiter
    # Below its titles, a file is as wide as its column names.
    width = place.width - (place.marker_index is not None)
    marks = chain([Mark(place.heading_row, heading, "", {})], marks)
    mark = next(marks)
    target.write(code.mark)
    for number, lines in enumerate(_records(source.path, code, delimiter), start=1):
        if place.marker_index is not None:
            lines = _without_cell(lines, place.marker_index, code, delimiter)
        if mark is not None and number == mark.number:
            target.write(_marked(lines, mark.text, width, code, delimiter))
            mark = next(marks, None)
        elif number <= place.header_row or not only_marked:
            target.write(b"".join(line.raw for line in lines))
        if number % TOLD_EVERY == 0:
            told(number)
    if mark is not None:
        raise CannotMark("order")


def _code(path: Path, encoding: str) -> _Code:
    """The codec of the characters and the byte order mark of the file."""
    with path.open("rb") as handle:
        head = handle.read(3)
    if head.startswith(codecs.BOM_UTF8):
        return _Code("utf-8", codecs.BOM_UTF8)
    for mark, name in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if head.startswith(mark) and encoding.startswith("utf-16"):
            return _Code(name, mark)
    return _Code(encoding, b"")


def _lines(path: Path, code: _Code) -> Iterator[_Line]:
    """The lines of a file with their ends, ended as a table program ends them: by CR, LF or both."""
    wide = code.name.startswith("utf-16")
    decoder = codecs.getincrementaldecoder(code.name)()
    with path.open("rb") as handle:
        handle.seek(len(code.mark))
        rest = "" if wide else b""
        while chunk := handle.read(CHUNK):
            found = (_LINE_OF_TEXT if wide else _LINE).findall(rest + (decoder.decode(chunk) if wide else chunk))
            # The last line may go on in the next chunk, and a CR at its end may be half of CR LF.
            rest = found.pop() if found else rest
            for line in found:
                yield _Line(line.encode(code.name), line) if wide else _Line(line, "")
        if rest:
            yield _Line(rest.encode(code.name), rest) if wide else _Line(rest, "")


def _records(path: Path, code: _Code, delimiter: str) -> Iterator[list[_Line]]:
    """The lines of each record; only a quotation mark joins several."""
    lines = _lines(path, code)
    quote = '"'.encode(code.name)
    for line in lines:
        taken = [line]
        if quote in line.raw:
            rest = iter(lines)

            def coming(first: _Line = line, rest: Iterator[_Line] = rest, taken: list[_Line] = taken) -> Iterator[str]:
                yield _text(first, code)
                for following in rest:
                    taken.append(following)
                    yield _text(following, code)

            next(csv.reader(coming(), delimiter=delimiter), None)
        yield taken


def _text(line: _Line, code: _Code) -> str:
    return (line.text or line.raw.decode(code.name)).replace("\0", "")


def _marked(lines: list[_Line], words: str, width: int, code: _Code, delimiter: str) -> bytes:
    """A record with words behind its last column."""
    raw = b"".join(line.raw for line in lines)
    cells = next(csv.reader([_text(line, code) for line in lines], delimiter=delimiter), [])
    end = b""
    for ending in ("\r\n", "\n", "\r"):
        if raw.endswith(ending.encode(code.name)):
            end = ending.encode(code.name)
            break
    missing = delimiter * max(1, 1 + width - len(cells))
    quoted = '"{}"'.format(" ".join(words.split()).replace('"', '""'))
    return raw.removesuffix(end) + (missing + quoted).encode(code.name) + end


def _without_cell(lines: list[_Line], index: int, code: _Code, delimiter: str) -> list[_Line]:
    """A record without the words of an earlier marking."""
    raw = b"".join(line.raw for line in lines)
    text = raw.decode(code.name)
    body = text.rstrip("\r\n")
    mark = re.escape(delimiter)
    cells = re.findall(rf'("(?:[^"]|"")*"[^{mark}]*|[^{mark}]*)(?:{mark}|\Z)', body)
    if body:
        # Behind the last cell the pattern finds one more, of no length.
        cells = cells[:-1] if len(cells) > 1 and delimiter.join(cells[:-1]) == body else cells
    if index >= len(cells) or delimiter.join(cells) != body:
        return lines
    kept = delimiter.join([*cells[:index], *cells[index + 1 :]]) + text[len(body) :]
    return [_Line(kept.encode(code.name), kept)]
