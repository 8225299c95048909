"""Finds the row with the column names among the first records of a file."""

from collections.abc import Sequence

from customers import phone
from customers.spreadsheets import cells, layouts
from customers.spreadsheets.faults import refusal

Record = tuple[int, list]

# Titles, dates of printing and empty rows stand above the header, not whole pages.
DEEPEST = 30


def find(records: Sequence[Record]) -> int:
    """The position of the header among the first records.

    Raises Unreadable if nothing looks like column names.
    """
    best, most = -1, 0
    for position, (_, record) in enumerate(records[:DEEPEST]):
        known = layouts.known_words(record)
        if known > most and not _holds_contacts(record):
            best, most = position, known
    if best >= 0:
        return best
    widest = max((sum(cell not in ("", None) for cell in record) for _, record in records[:DEEPEST]), default=0)
    if widest == 0:
        raise refusal("empty")
    for position, (_, record) in enumerate(records[:DEEPEST]):
        if _holds_contacts(record):
            break
        if _looks_like_names(record, widest):
            return position
    raise refusal("no_header")


def _holds_contacts(record: Sequence[object]) -> bool:
    """A phone number or an e-mail address is data, never a column name."""
    for cell in record:
        if cell in ("", None):
            continue
        number, reason = phone.normalize(cell)
        if number or reason in ("masked", "virtual_extension", "encrypted"):
            return True
        if isinstance(cell, str) and "@" in cell and cells.email(cell)[0]:
            return True
    return False


def _looks_like_names(record: Sequence[object], widest: int) -> bool:
    """Different short texts across most of the width of the table."""
    filled = [cell for cell in record if cell not in ("", None)]
    return (
        len(filled) * 10 >= widest * 6
        and len(filled) >= min(2, widest)
        and len(set(filled)) == len(filled)
        and all(isinstance(cell, str) and 0 < len(cell.strip()) <= 60 and not _is_number(cell) for cell in filled)
    )


def _is_number(cell: str) -> bool:
    return cells.amount(cell)[0] is not None or cells.birthday(cell)[0] is not None
