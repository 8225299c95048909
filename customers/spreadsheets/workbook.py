"""Reads one sheet of a workbook in a child process of limited memory, row by row."""

import datetime
import io
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from customers.msgid import _
from customers.spreadsheets import faults, guard, limits
from customers.spreadsheets.cells import Formula, ShownWithoutYear
from customers.spreadsheets.faults import refusal

ROOT = Path(__file__).resolve().parents[2]
MEGABYTE = 1024 * 1024
# What the child may need beyond the file: MEMORY for itself, and so many bytes for each byte unpacked.
LEAST_MEMORY, PER_BYTE, MOST_MEMORY = 512, 12, 4096
LIST = "list"


class WorkbookSource:
    """The rows of one sheet, numbered as in the sheet, as often as wanted."""

    encoding = ""
    delimiter = ""

    def __init__(
        self,
        path: Path,
        kind: str,
        index: int,
        name: str,
        *,
        memory: int,
        part: guard.SheetPart | None = None,
        is_1904: bool = False,
        yearless: frozenset[str] = frozenset(),
    ):
        self.path = path
        self.format = kind
        self.index = index
        self.sheet_name, self.part_name = name, part.path if part else ""
        self.first_column, self.last_column, self.last_row = 1, 0, 0
        self.is_1904 = is_1904
        self._memory = memory
        self._part = part
        self._yearless = yearless
        self._scan: guard.Scan | None = None
        self._about: dict = {}
        self._children: list[subprocess.Popen] = []

    def records(self) -> Iterator[tuple[int, list]]:
        """Yield (sheet row, cells); long stretches of empty rows may be left out.

        Raises Unreadable where the sheet is dangerous, damaged or was not read to its end.
        """
        child = _start(self.path, self.format, str(self.index), self._memory)
        self._children.append(child)
        try:
            # The scan runs on this core while the child parses on another; nothing is yielded before both agree.
            if self._part and self._scan is None:
                self._scan = guard.scan(self.path, self._part, self._yearless)
            yield from self._rows(child)
        finally:
            self._stop(child)

    @property
    def notices(self) -> list[tuple[str, dict]]:
        """What staff should know about the sheet, complete after its last row."""
        found: list[tuple[str, dict]] = []
        hidden = self._scan.hidden_rows if self._scan else self._about.get("hidden_rows", 0)
        if hidden:
            found.append((_("%(count)s hidden rows are read too."), {"count": hidden}))
        formulas = self._scan.formulas if self._scan else self._about.get("formulas", {})
        if formulas:
            row, column = next(iter(formulas))
            sentence = _(
                "%(count)s formulas have no stored result, the first in cell %(cell)s; "
                "open the file in Excel or WPS, save it, and upload it again."
            )
            cell = f"{limits.column_letters(column)}{row}"
            found.append((sentence, {"count": len(formulas), "cell": cell}))
        return found

    def merged_below(self, row: int) -> int:
        """How many areas of merged cells reach below a row."""
        return sum(last > row for last in self._about.get("merged", ()))

    def is_merged_across(self, row: int) -> bool:
        """Whether cells of a row are merged over several columns."""
        return row in self._about.get("wide", ())

    def close(self) -> None:
        """Stop children whose rows were not read to the end."""
        for child in list(self._children):
            self._stop(child)

    def cut_off(self, width: int) -> bool:
        """A workbook that is cut off does not open at all."""
        return False

    def _stop(self, child: subprocess.Popen) -> None:
        if child in self._children:
            self._children.remove(child)
            _end(child)

    def _rows(self, child: subprocess.Popen) -> Iterator[tuple[int, list]]:
        answers = _answers(child)
        head = next(answers)
        counted = self._scan.last_filled_row if self._scan else head.get("filled_row", 0)
        last_row = head.get("last_row", 0)
        if last_row < counted:
            raise refusal("rows_lost", read=last_row, written=counted)
        self._about = head
        self.first_column, self.last_row = head.get("first_column", 0) + 1, last_row
        self.last_column = max((column for _row, column in self._scan.formulas), default=0) if self._scan else 0
        self.is_1904 = head.get("is_1904", self.is_1904)
        first_column = head.get("first_column", 0)
        formulas = self._formulas_by_row(first_column)
        yearless = self._scan.yearless if self._scan else {}
        uncalculated: dict[tuple[int, int], str] = {}
        number = 0
        for rows in answers:
            if isinstance(rows, dict):
                self._about = head | rows | {"formulas": uncalculated}
                continue
            for cells in rows:
                if cells.__class__ is int:
                    number += cells
                    continue
                number += 1
                if number in formulas:
                    for column, formula in formulas[number]:
                        if 0 <= column < len(cells):
                            cells[column] = Formula(formula)
                elif tuple in map(type, cells):
                    _mark_formulas(cells, number, uncalculated)
                for column, rows_without in yearless.items():
                    if rows_without[number]:
                        _drop_year(cells, column - 1 - first_column)
                yield number, cells
        if number < last_row:
            raise refusal("rows_lost", read=number, written=last_row)

    def _formulas_by_row(self, first_column: int) -> dict[int, list[tuple[int, str]]]:
        by_row: dict[int, list[tuple[int, str]]] = {}
        for (row, column), formula in self._scan.formulas.items() if self._scan else ():
            by_row.setdefault(row, []).append((column - 1 - first_column, formula))
        return by_row


def _mark_formulas(cells: list, number: int, uncalculated: dict[tuple[int, int], str]) -> None:
    """Streamed formats send a formula without result as a pair."""
    for column, cell in enumerate(cells):
        if cell.__class__ is tuple:
            cells[column] = uncalculated[number, column + 1] = Formula(cell[1])


def _drop_year(cells: list, column: int) -> None:
    if 0 <= column < len(cells) and isinstance(cells[column], datetime.date):
        shown = cells[column]
        cells[column] = ShownWithoutYear(shown.year, shown.month, shown.day)


class _PlainUnpickler(pickle.Unpickler):
    """Takes rows of plain values and dates from the child, and nothing that could run."""

    def find_class(self, module: str, name: str) -> type:
        if module == "datetime" and name in ("date", "datetime", "time", "timedelta"):
            return getattr(datetime, name)
        raise pickle.UnpicklingError(f"{module}.{name}")


def _start(path: Path, kind: str, index: str, memory: int) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "customers.spreadsheets.child", str(path.resolve()), kind, index, str(memory)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=MEGABYTE,
    )


def _end(child: subprocess.Popen) -> None:
    child.stdout.close()
    child.kill()
    child.wait()


def _answers(child: subprocess.Popen) -> Iterator:
    """Yield what the child sends: dictionaries about the sheet, lists of rows."""
    ended = False
    while frame_size := child.stdout.read(8):
        frame = child.stdout.read(int.from_bytes(frame_size, "big"))
        try:
            answer = _PlainUnpickler(io.BytesIO(frame)).load()
        except (pickle.UnpicklingError, EOFError, ValueError, IndexError) as error:
            raise refusal("damaged") from error
        if answer == "end":
            ended = True
            break
        if isinstance(answer, tuple):
            code, values = answer
            raise refusal(code if code in faults.SENTENCES else "damaged", **values)
        yield answer
    if not ended:
        # The parser aborts the whole process when it asks for more memory than it may have.
        raise refusal("bomb" if child.wait() in (-6, -9, -11, -24) else "damaged")


def sheets(path: Path, kind: str) -> tuple[list[WorkbookSource], list[tuple[str, dict]]]:
    """The visible sheets in their order, and notices about the others.

    Raises Unreadable if the workbook is dangerous, damaged or has nothing to read.
    """
    if kind == "xlsx":
        contents = guard.inspect(path)
        memory = _memory(contents.unpacked_size)
        listed = [(part.name, part.visible, part.is_table) for part in contents.parts]
        parts: list[guard.SheetPart | None] = list(contents.parts)
        is_1904, yearless = contents.is_1904, contents.yearless
    else:
        memory, is_1904, yearless = _memory(path.stat().st_size), False, frozenset()
        listed = _listed(path, kind, memory)
        parts = [None] * len(listed)
    hidden = [name for name, visible, _is_table in listed if not visible]
    notices = [(_("Hidden sheets are not read: %(names)s."), {"names": ", ".join(hidden)})] if hidden else []
    sources = [
        WorkbookSource(path, kind, index, name, memory=memory, part=parts[index], is_1904=is_1904, yearless=yearless)
        for index, (name, visible, is_table) in enumerate(listed)
        if visible and is_table
    ]
    if not sources:
        raise refusal("no_sheet")
    return sources, notices


def _memory(size: int) -> int:
    """The memory that parsing may take: a sheet that wants more lies about what it is."""
    return min(LEAST_MEMORY + PER_BYTE * (size // MEGABYTE), MOST_MEMORY) * MEGABYTE


def _listed(path: Path, kind: str, memory: int) -> list[tuple[str, bool, bool]]:
    child = _start(path, kind, LIST, memory)
    try:
        answers = list(_answers(child))
    finally:
        _end(child)
    return answers[0]
