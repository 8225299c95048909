"""Reads one sheet of a workbook in a child process of limited memory, row by row."""

import datetime
import io
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from customers.msgid import _
from customers.spreadsheets import guard
from customers.spreadsheets.cells import Formula
from customers.spreadsheets.faults import refusal

ROOT = Path(__file__).resolve().parents[2]
MEGABYTE = 1024 * 1024


class WorkbookSource:
    """The rows of one sheet, numbered as in the sheet, as often as wanted."""

    format = "xlsx"
    encoding = ""
    delimiter = ""

    def __init__(self, path: Path, part: guard.SheetPart, unpacked_size: int):
        self.path = path
        self.part = part
        self.sheet_name, self.part_name = part.name, part.path
        self.first_column, self.last_column, self.last_row = 1, 0, 0
        self.notices: list[tuple[str, dict]] = []
        # 121 MB for 63 MB of XML were measured; long texts used often take more, a sheet that wants this much lies.
        self._memory = min(512 + 12 * (unpacked_size // MEGABYTE), 4096) * MEGABYTE
        self._scan: guard.Scan | None = None
        self._merged: list[int] = []
        self._children: list[subprocess.Popen] = []

    def records(self) -> Iterator[tuple[int, list]]:
        """Yield (sheet row, cells); empty rows included.

        Raises Unreadable where the sheet is dangerous, damaged or was not read to its end.
        """
        child = self._start()
        try:
            # The scan runs on this core while the child parses on another; nothing is yielded before both agree.
            if self._scan is None:
                self._scan = guard.scan(self.path, self.part)
                self._note_scan(self._scan)
            yield from self._rows(child)
        finally:
            self._stop(child)

    def merged_below(self, row: int) -> int:
        """How many areas of merged cells reach below a row."""
        return sum(last > row for last in self._merged)

    def close(self) -> None:
        """Stop children whose rows were not read to the end."""
        for child in list(self._children):
            self._stop(child)

    def cut_off(self, width: int) -> bool:
        """A workbook that is cut off does not open at all."""
        return False

    def _start(self) -> subprocess.Popen:
        arguments = [str(self.path.resolve()), str(self.part.index), str(self._memory)]
        child = subprocess.Popen(
            [sys.executable, "-m", "customers.spreadsheets.child", *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=MEGABYTE,
        )
        self._children.append(child)
        return child

    def _stop(self, child: subprocess.Popen) -> None:
        if child in self._children:
            self._children.remove(child)
            child.stdout.close()
            child.kill()
            child.wait()

    def _rows(self, child: subprocess.Popen) -> Iterator[tuple[int, list]]:
        answers = _answers(child)
        head = next(answers)
        if head["last_row"] < self._scan.last_filled_row:
            raise refusal("rows_lost", read=head["last_row"], written=self._scan.last_filled_row)
        self._merged = head["merged"]
        self.first_column, self.last_row = head["first_column"] + 1, head["last_row"]
        self.last_column = max((column for _row, column in self._scan.formulas), default=0)
        formulas = self._formulas_by_row(head["first_column"])
        number, parsed = 0, 0
        for rows in answers:
            parsed += len(rows)
            for cells in rows:
                number += 1
                if formulas and number in formulas:
                    for column, formula in formulas[number]:
                        if 0 <= column < len(cells):
                            cells[column] = Formula(formula)
                yield number, cells
        if parsed < head["last_row"]:
            raise refusal("rows_lost", read=parsed, written=head["last_row"])

    def _formulas_by_row(self, first_column: int) -> dict[int, list[tuple[int, str]]]:
        by_row: dict[int, list[tuple[int, str]]] = {}
        for (row, column), formula in self._scan.formulas.items():
            by_row.setdefault(row, []).append((column - 1 - first_column, formula))
        return by_row

    def _note_scan(self, scan: guard.Scan) -> None:
        if scan.hidden_rows:
            self.notices.append((_("%(count)s hidden rows are read too."), {"count": scan.hidden_rows}))
        if scan.formulas:
            row, column = next(iter(scan.formulas))
            self.notices.append(
                (
                    _(
                        "%(count)s formulas have no stored result, the first in cell %(cell)s; "
                        "open the file in Excel or WPS, save it, and upload it again."
                    ),
                    {"count": len(scan.formulas), "cell": f"{guard.column_letters(column)}{row}"},
                )
            )


class _PlainUnpickler(pickle.Unpickler):
    """Takes rows of plain values and dates from the child, and nothing that could run."""

    def find_class(self, module: str, name: str) -> type:
        if module == "datetime" and name in ("date", "datetime", "time", "timedelta"):
            return getattr(datetime, name)
        raise pickle.UnpicklingError(f"{module}.{name}")


def _answers(child: subprocess.Popen) -> Iterator:
    """Yield what the child sends: a dictionary about the sheet, then lists of rows."""
    ended = False
    while frame_size := child.stdout.read(8):
        frame = child.stdout.read(int.from_bytes(frame_size, "big"))
        try:
            answer = _PlainUnpickler(io.BytesIO(frame)).load()
        except (pickle.UnpicklingError, EOFError, ValueError, IndexError) as error:
            raise refusal("damaged") from error
        if isinstance(answer, str):
            ended = answer == "end"
            if not ended:
                raise refusal(answer)
            break
        yield answer
    if not ended:
        # The parser aborts the whole process when it asks for more memory than it may have.
        raise refusal("bomb" if child.wait() in (-6, -9, -11, -24) else "damaged")


def sheets(path: Path) -> tuple[list[WorkbookSource], list[tuple[str, dict]]]:
    """The visible sheets in their order, and notices about the others.

    Raises Unreadable if the workbook is dangerous, damaged or has nothing to read.
    """
    parts, unpacked_size = guard.inspect(path)
    visible = [part for part in parts if part.visible and part.is_table]
    hidden = [part.name for part in parts if not part.visible]
    if not visible:
        raise refusal("no_sheet")
    notices = []
    if hidden:
        notices.append((_("Hidden sheets are not read: %(names)s."), {"names": ", ".join(hidden)}))
    return [WorkbookSource(path, part, unpacked_size) for part in visible], notices
