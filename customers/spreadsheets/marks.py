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
    Where the table lies in its file.

    `part` of the workbook ("" for text), the row with the column names, the first column of the records counted from
    1, how many cells a record has, the first column behind everything, the last row, and at which cell of the record
    an earlier marking put our column.
    """

    part: str
    header_row: int
    first_column: int
    width: int
    free_column: int
    last_row: int
    marker_index: int | None

    def column(self, index: int) -> int:
        """The column, counted from 1, of a cell of the shop; ours is passed over."""
        shift = self.marker_index is not None and index >= self.marker_index
        return self.first_column + index + shift

    @property
    def our_column(self) -> int:
        """The column, counted from 1, in which the words stand: the old one again, or the first that is free."""
        return self.free_column if self.marker_index is None else self.first_column + self.marker_index
