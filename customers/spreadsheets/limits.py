"""How much of a spreadsheet is still a list of customers, and where a cell lies too far away."""

from dataclasses import dataclass

from customers.spreadsheets.faults import refusal

# calamine reserves 32 bytes for each cell of the rectangle around all cells, filled or not: 1 GB at this limit.
MOST_CELLS = 32_000_000
MOST_COLUMNS = 1_000
MOST_ROWS = 1_048_576
# Of a rectangle larger than this, so much must be filled: a lone cell in the far corner is no table.
LARGE_RECTANGLE = 4_000_000
EMPTY_PER_FILLED = 50
# No list holds the same line so often; a few letters in the file would make a million rows.
MOST_REPEATS = 10_000


def fits(last_row: int, last_column: int) -> bool:
    """Whether a rectangle can be read at all."""
    return last_column <= MOST_COLUMNS and last_row * last_column <= MOST_CELLS


def is_sparse(last_row: int, last_column: int, cells: int) -> bool:
    """Whether nearly all of a large rectangle is empty."""
    rectangle = last_row * last_column
    return rectangle > LARGE_RECTANGLE and cells * EMPTY_PER_FILLED < rectangle


def column_letters(column: int) -> str:
    """Name a column, counted from 1, as spreadsheets do."""
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


@dataclass
class Extent:
    """How far the filled cells of a sheet reach."""

    last_row: int = 0
    last_column: int = 0
    cells: int = 0
    hidden_rows: int = 0
    farthest: str = ""

    def note(self, row: int, column: int) -> None:
        """Count a filled cell, both numbers from 1."""
        self.cells += 1
        if row > self.last_row or column > self.last_column:
            # The last cell that doubles the rectangle is the one to name.
            grown = max(row, self.last_row) * max(column, self.last_column)
            if grown >= 2 * self.last_row * self.last_column:
                self.farthest = f"{column_letters(column)}{row}"
            self.last_row, self.last_column = max(row, self.last_row), max(column, self.last_column)

    def refuse_far_cells(self) -> None:
        """Refuse a sheet with a cell far away from its table.

        Raises Unreadable.
        """
        is_far = is_sparse(self.last_row, self.last_column, self.cells)
        if is_far or not fits(self.last_row, self.last_column):
            raise refusal("far_cell", cell=self.farthest or f"{column_letters(self.last_column)}{self.last_row}")
