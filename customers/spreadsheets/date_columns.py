"""Decides for each column of dates how its cells are to be read, by all of them and by what staff chose."""

from collections.abc import Sequence
from typing import Any

from customers.spreadsheets import dates, lunar
from customers.spreadsheets.fields import FIELD
from customers.spreadsheets.layouts import Column
from customers.spreadsheets.options import Options
from customers.spreadsheets.reader import Sheet

KINDS = frozenset(["birthday", "lunar_birthday", "date"])


def arguments(sheet: Sheet, columns: Sequence[Column], options: Options | None = None) -> dict[int, dict[str, Any]]:
    """What `dates.parse` has to know about each column of dates, by the column's index.

    Reads the whole table once more, but only where the first rows show dates like 5/3/1990. The answer depends on the
    file and the options alone: the preview, the import and its successor after a killed worker get the same.
    """
    found = {
        column.index: {"order": "", "is_1904": sheet.is_1904, "is_lunar": lunar.is_named(column.header)}
        for column in columns
        if column.field and FIELD[column.field].kind in KINDS
    }
    sample = sheet.sample()
    undecided = [index for index in found if any(dates.is_open(cells[index]) for _number, cells in sample)]
    if undecided:
        for index, order in _orders(sheet, undecided).items():
            found[index]["order"] = order or (options or Options()).day_order
    return found


def _orders(sheet: Sheet, indexes: Sequence[int]) -> dict[int, str]:
    """The order of day and month in each of these columns, from every cell."""
    proven: dict[int, set[str]] = {index: set() for index in indexes}
    for _number, cells in sheet.rows():
        for index, orders in proven.items():
            order = dates.order_of_cell(cells[index])
            if order:
                orders.add(order)
    return {index: dates.concluded(orders) for index, orders in proven.items()}
