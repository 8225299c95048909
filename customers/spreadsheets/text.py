"""Reads delimited text: encoding, delimiter, and records one by one without holding the file in memory."""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from customers.msgid import _
from customers.spreadsheets import layouts
from customers.spreadsheets.faults import Unreadable, refusal
from customers.spreadsheets.marks import Place

CHUNK = 1024 * 1024
LONGEST_LINE = 4 * CHUNK
DELIMITERS = (",", "\t", ";", "|", "，")
# A line that no spreadsheet holds; the parser must hand it back alone, or a quotation mark is still open.
END = "\ue000end of file\ue000"
_NUMBER = re.compile(r"(?<![0-9])1[3-9][0-9]{9}(?![0-9])")
_SEPARATOR_LINE = re.compile(r'"?sep=([^\w\s"]|\t)"?\r?\n')


class TextSource:
    """The records of a text file, numbered from 1, as often as wanted."""

    format = "csv"
    sheet_name = part_name = ""
    first_column, last_column, last_row = 1, 0, 0
    is_1904 = goes_on = False

    def __init__(self, path: Path):
        self.path = path
        self.notices: list[tuple[str, dict]] = []
        self._nul_line = 0
        self._ends_with_newline = True
        self._last_width = 0
        self.encoding = self._detect_encoding()
        self.delimiter = self._detect_delimiter()
        if self.delimiter == "\t":
            self.format = "tsv"
        if self._nul_line:
            self.notices.append(
                (
                    _("Line %(line)s holds NUL bytes; they were left out. Compare this row with the original."),
                    {"line": self._nul_line},
                )
            )

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield (record number, cells); blank records included.

        Raises Unreadable where a quotation mark swallows rows.
        """
        with self.path.open(encoding=self.encoding, newline="") as handle:
            lines = (line.replace("\0", "") for line in handle) if self._nul_line else handle
            reader = csv.reader(chain(lines, [END]), delimiter=self.delimiter)
            number, line, start, width, pending = 0, 1, 1, 0, None
            try:
                for cells in reader:
                    if pending is not None:
                        number += 1
                        self._last_width = len(pending)
                        yield number, pending
                    width = max(width, len(cells))
                    if reader.line_num > line:
                        self._refuse_swallowed_rows(cells, line, width)
                    start, line, pending = line, reader.line_num + 1, cells
            except csv.Error as error:
                if "field limit" not in str(error):
                    raise refusal("damaged_csv", line=line) from error
                # A cell this long on one line is long by itself; over several, a quotation mark swallows them.
                raise refusal("long_line" if reader.line_num <= line else "open_quote", line=line) from error
            except UnicodeDecodeError as error:
                raise refusal("encoding", line=line) from error
            if pending != [END]:
                raise refusal("open_quote", line=start)

    def expect(self, names: list, row: int) -> None:
        """Text has one table."""

    def further(self, number: int) -> Iterator[tuple[int, list[str]]]:
        """Text has no sheets behind the first."""
        return iter(())

    def position(self, number: int) -> tuple[str, int]:
        """Text has no sheets."""
        return "", number

    def further_places(self, first: Place) -> list[Place]:
        """Text has no sheets."""
        return []

    def merged_below(self, row: int) -> int:
        """Text has no merged cells."""
        return 0

    def is_merged_across(self, number: int) -> bool:
        """Text has no merged cells."""
        return False

    def close(self) -> None:
        """Nothing is kept open between records."""

    def cut_off(self, width: int) -> bool:
        """Whether the last record read looks as if the file were cut off in it."""
        return not self._ends_with_newline and self._last_width < width

    def _refuse_swallowed_rows(self, cells: list[str], line: int, width: int) -> None:
        """A cell that holds whole rows was opened by a stray quotation mark, not by a note of several lines."""
        for cell in cells:
            if "\n" in cell and END not in cell:
                whole = any(part.count(self.delimiter) >= width - 1 > 0 for part in cell.split("\n"))
                if whole and ((len(cells) != width and width > 2) or _NUMBER.search(cell)):
                    raise refusal("swallowed_rows", line=line)

    def _detect_encoding(self) -> str:
        with self.path.open("rb") as handle:
            head = handle.read(4096)
        if head.startswith((b"\xff\xfe", b"\xfe\xff")):
            return self._decodable("utf-16")
        if head.startswith(b"\xef\xbb\xbf"):
            return self._decodable("utf-8-sig")
        even, odd = head[::2].count(0), head[1::2].count(0)
        if max(even, odd) * 8 > len(head) // 2:
            return self._decodable("utf-16-le" if odd > even else "utf-16-be")
        try:
            return self._decodable("utf-8")
        except Unreadable as not_utf8:
            # GBK text is not valid UTF-8 for long: after ten good characters it is UTF-8 with damage.
            if not_utf8.values.get("characters", 0) >= 10 or not_utf8.code == "long_line":
                raise
        return self._decodable("gb18030")

    def _decodable(self, encoding: str) -> str:
        """Decode the whole file strictly, chunk by chunk, and note what the records need to know."""
        decoder = codecs.getincrementaldecoder(encoding)()
        line, characters, unbroken, last = 1, 0, 0, ""
        with self.path.open("rb") as handle:
            while True:
                chunk = handle.read(CHUNK)
                try:
                    text = decoder.decode(chunk, final=not chunk)
                except UnicodeDecodeError as error:
                    good = error.object[: error.start]
                    line += good.count(b"\n")
                    characters += (len(good) - sum(map(good.count, range(128)))) // 3 if encoding == "utf-8" else 0
                    code = "cut_off" if not chunk else "encoding"
                    raise Unreadable(*refusal(code).args[:2], {"line": line, "characters": characters}) from error
                if not chunk:
                    break
                if encoding == "utf-8" and characters < 10 and not text.isascii():
                    characters += sum(character > "\x7f" for character in text)
                unbroken = 0 if "\n" in text or "\r" in text else unbroken + len(text)
                if unbroken > LONGEST_LINE:
                    raise refusal("long_line", line=line)
                if not self._nul_line and "\0" in text:
                    self._nul_line = line + text[: text.index("\0")].count("\n")
                line += text.count("\n")
                last = text or last
        self._ends_with_newline = last.endswith(("\n", "\r"))
        return encoding

    def _detect_delimiter(self) -> str:
        with self.path.open(encoding=self.encoding, newline="") as handle:
            sample = handle.read(64 * 1024)
        separator = _SEPARATOR_LINE.match(sample)
        if separator:
            return separator[1]
        lines = sample.splitlines(keepends=True)
        return max(DELIMITERS, key=lambda delimiter: _fitness(lines, delimiter))


def _fitness(lines: list[str], delimiter: str) -> tuple[int, float, int]:
    """Judge a delimiter: header words it brings to light, records of equal width, width."""
    try:
        records = [cells for cells in islice(csv.reader(lines, delimiter=delimiter), 40) if cells]
    except csv.Error:
        return (0, 0.0, 0)
    if not records:
        return (0, 0.0, 0)
    known = max(layouts.known_words(cells) for cells in records)
    width, count = Counter(map(len, records)).most_common(1)[0]
    return (known, count / len(records) if width > 1 else 0.0, width)
