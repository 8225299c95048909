"""Collects the cells of documents that are written row by row, without believing how often they say to repeat them."""

from dataclasses import dataclass, field

from customers.spreadsheets import limits
from customers.spreadsheets.faults import refusal

ROWS_PER_FRAME = 2_000


@dataclass
class RowBuffer:
    """The rows of one sheet as they come; a number in `ready` stands for so many empty rows."""

    ready: list[list | int] = field(default_factory=list)
    row: int = 0
    hidden_rows: int = 0
    merged: list[int] = field(default_factory=list)
    _cells: list = field(default_factory=list)
    _column: int = 0
    _filled: int = 0
    _empty_rows: int = 0

    def skip(self, columns: int) -> None:
        """Leave columns empty; they cost nothing until a cell follows."""
        self._column += max(0, columns)

    def go_to(self, column: int) -> None:
        """Go on in a column, counted from 0."""
        self._column = max(self._column, column)

    @property
    def column(self) -> int:
        """The column of the next cell, counted from 0."""
        return self._column

    def add(self, value: object, *, repeated: int = 1, last_merged_row: int = 0) -> None:
        """Put a value in the next column, or in several."""
        if value == "" or value is None:
            self.skip(repeated)
            return
        last = self._column + repeated
        if not limits.fits(self.row + 1, last):
            raise refusal("far_cell", cell=f"{limits.column_letters(min(last, 99_999))}{self.row + 1}")
        self._cells.extend([""] * (self._column - len(self._cells)))
        self._cells.extend([value] * repeated)
        self._column = last
        if last_merged_row > self.row + 1:
            self.merged.append(last_merged_row)

    def end_row(self, *, repeated: int = 1, is_hidden: bool = False) -> None:
        """Finish the row, which is written as often as `repeated` says where it is not empty."""
        cells, self._cells, self._column = self._cells, [], 0
        if not cells:
            self._empty_rows += repeated
            self.row += repeated
            return
        self._filled += len(cells) * repeated
        last_row = self.row + repeated
        if repeated > limits.MOST_REPEATS:
            raise refusal("bomb")
        if last_row > limits.MOST_ROWS or self._filled > limits.MOST_CELLS:
            raise refusal("far_cell", cell=f"A{last_row}")
        if self._empty_rows:
            self.ready.append(self._empty_rows)
            self._empty_rows = 0
        self.ready.append(cells)
        self.ready.extend(list(cells) for _ in range(repeated - 1))
        self.row = last_row
        self.hidden_rows += repeated * is_hidden

    def take(self) -> list[list | int]:
        """The rows that are ready."""
        ready, self.ready = self.ready, []
        return ready
