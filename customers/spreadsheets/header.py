"""Finds the row with the column names among the first records of a file, and joins names written in two rows."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from customers import phone
from customers.spreadsheets import cells, layouts
from customers.spreadsheets.faults import refusal
from customers.spreadsheets.header_words import normal

Record = tuple[int, list]

# Titles, dates of printing and empty rows stand above the header, not whole pages.
DEEPEST = 30


class Header(NamedTuple):
    """The column names of a table: the last row they take, the names, and the records as they were written."""

    row: int
    names: list
    written: list[list]


def find(records: Sequence[Record]) -> Header:
    """The header among the first records.

    Raises Unreadable if nothing looks like column names.
    """
    position = _position(records)
    number, names = records[position]
    below = records[position + 1][1] if position + 1 < len(records) else []
    above = records[position - 1][1] if position else []
    if _is_divided(names, below):
        return Header(records[position + 1][0], _joined(names, below), [names, below])
    if position and sum(map(_is_filled, above)) > 1 and not holds_contacts(above):
        return Header(number, _joined(above, names), [above, names])
    if _is_translated(below):
        return Header(records[position + 1][0], names, [names, below])
    return Header(number, names, [names])


def _position(records: Sequence[Record]) -> int:
    best, most = -1, 0
    for position, (_, record) in enumerate(records[:DEEPEST]):
        known = layouts.known_words(record)
        if known > most and not holds_contacts(record):
            best, most = position, known
    if best >= 0:
        return best
    widest = max((sum(map(_is_filled, record)) for _, record in records[:DEEPEST]), default=0)
    if widest == 0:
        raise refusal("empty")
    for position, (_, record) in enumerate(records[:DEEPEST]):
        if holds_contacts(record):
            break
        if _looks_like_names(record, widest):
            return position
    raise refusal("no_header")


def _is_filled(cell: object) -> bool:
    return cell is not None and (not isinstance(cell, str) or (cell != "" and not cell.isspace()))


def holds_contacts(record: Sequence[object]) -> bool:
    """A phone number or an e-mail address is data, never a column name."""
    for cell in record:
        if cell in ("", None):
            continue
        number, reason = phone.normalize(cell)
        if number or reason in ("masked", "virtual_extension", "encrypted", "several_numbers"):
            return True
        if isinstance(cell, str) and "@" in cell and cells.email(cell)[0]:
            return True
    return False


def _looks_like_names(record: Sequence[object], widest: int) -> bool:
    """Different short texts across most of the width of the table."""
    filled = [cell for cell in record if _is_filled(cell)]
    return (
        len(filled) * 10 >= widest * 6
        and len(filled) >= min(2, widest)
        and len(set(filled)) == len(filled)
        and all(map(_is_name, filled))
    )


def _is_name(cell: object) -> bool:
    if not isinstance(cell, str) or not 0 < len(cell.strip()) <= 60:
        return False
    return cells.amount(cell)[0] is None and cells.birthday(cell)[0] is None


def _is_divided(upper: Sequence[object], lower: Sequence[object]) -> bool:
    """Whether the lower row divides groups of the upper one: it is filled below merged cells only."""
    filled = [column for column, cell in enumerate(lower) if _is_filled(cell)]
    if len(filled) < 2 or holds_contacts(lower) or not all(_is_name(lower[column]) for column in filled):
        return False
    below_group = Counter(_group_of(upper, column) for column in filled)
    return None not in below_group and min(below_group.values()) > 1


def _group_of(upper: Sequence[object], column: int) -> int | None:
    """The column where the merged cell above a column begins, None where the cell above stands for itself."""
    start = next((place for place in range(min(column, len(upper) - 1), -1, -1) if _is_filled(upper[place])), None)
    if start is None or (start == column and (start + 1 >= len(upper) or _is_filled(upper[start + 1]))):
        return None
    return start


def _is_translated(lower: Sequence[object]) -> bool:
    """Whether the row below the names names the columns once more, in another language."""
    filled = sum(map(_is_filled, lower))
    return filled > 1 and layouts.known_words(lower) * 2 >= filled and not holds_contacts(lower)


def _joined(upper: Sequence[object], lower: Sequence[object]) -> list:
    """The lower name, the upper where there is none; names that stand twice are told apart by their groups."""
    width = max(len(upper), len(lower))
    upper = [*upper, *[""] * (width - len(upper))]
    lower = [*lower, *[""] * (width - len(lower))]
    repeated = Counter(normal(name) for name in lower if _is_filled(name))
    names, group = [], ""
    for above, below in zip(upper, lower, strict=True):
        group = above if _is_filled(above) else group
        if not _is_filled(below):
            names.append(above if _is_filled(above) and _is_name(above) else "")
        elif repeated[normal(below)] > 1 and isinstance(group, str):
            names.append(f"{group.strip()}{str(below).strip()}")
        else:
            names.append(below)
    return names
