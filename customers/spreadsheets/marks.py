"""What is said about a row of a file, and where the table lies in it."""

from typing import NamedTuple

# The tones of a cell: something to mend, and something to know.
MEND, KNOW = "mend", "know"


class CannotMark(Exception):
    """A workbook written in a way that cannot be edited in place; its values go into a new one."""


class Mark(NamedTuple):
    """One row with something to say: its number, the words, and the tone of cells by their place in the record."""

    number: int
    text: str
    tone: str
    cells: dict[int, str]


class Place(NamedTuple):
    """
    Where a table lies in its file; a table that goes on upon further sheets has a place on each.

    `part` of the workbook ("" for text), the last row of the column names, the first column of the records counted
    from 1, how many cells a record has, the first column behind everything, the last row, and at which cell of the
    record an earlier marking put our column. `heading_row` is the first row of the column names; `offset` what the
    numbers of marks are ahead of the rows of the sheet; `order` where a further sheet keeps the cells of a record.
    """

    part: str
    header_row: int
    first_column: int
    width: int
    free_column: int
    last_row: int
    marker_index: int | None
    heading_row: int = 0
    offset: int = 0
    order: tuple[int | None, ...] | None = None

    def column(self, index: int) -> int | None:
        """The column, counted from 1, of a cell of a record as the file has it; None where the sheet lacks it."""
        own = index if self.order is None else self.order[index]
        return None if own is None else self.first_column + own

    @property
    def our_column(self) -> int:
        """The column, counted from 1, in which the words stand: the old one again, or the first that is free."""
        return self.free_column if self.marker_index is None else self.first_column + self.marker_index
