"""What each column of a file is taken for: guessed, remembered from last time, or chosen by staff."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from customers.models import LayoutMemory
from customers.spreadsheets import layouts, rows
from customers.spreadsheets.fields import FIELD, FIELDS
from customers.spreadsheets.layouts import Column
from customers.spreadsheets.reader import Sheet

# A customer has no place for these: the file's other columns are imported without them.
WITHOUT_A_PLACE = frozenset(["total_spent", "created_on"]) | {
    field.key for field in FIELDS if field.key not in rows.READ_FIELDS
}
OFFERED = tuple(field for field in FIELDS if field.key not in WITHOUT_A_PLACE)

IGNORED = gettext_noop("“%(header)s” is not imported.")
REMEMBERED = gettext_noop("“%(header)s” is read as %(label)s, as last time.")
CHOSEN = gettext_noop("“%(header)s” is read as %(label)s: you chose this.")


class CannotMap(Exception):
    """A choice of columns that cannot be used; the text is a sentence for staff."""


def propose(sheet: Sheet) -> list[Column]:
    """The columns of a sheet as last time, or guessed where these headers are new."""
    memory = LayoutMemory.objects.filter(layout_key=sheet.layout_key).first()
    if memory and len(memory.mapping) == len(sheet.headers):
        return choose(sheet.headers, dict(enumerate(memory.mapping)), sentence=REMEMBERED)
    guessed = layouts.guess(sheet.headers, [cells for _number, cells in sheet.sample()])
    return [_ignored(column.index, column.header) if column.field in WITHOUT_A_PLACE else column for column in guessed]


def choose(
    headers: Sequence[str], fields: Mapping[int, str | None], *, sentence: str = CHOSEN, kept: Sequence[Column] = ()
) -> list[Column]:
    """
    The columns with the fields that staff chose; a column of `kept` with the same field keeps its sentence.

    Raises CannotMap for a field that does not exist or is chosen twice.
    """
    known = {field.key for field in OFFERED}
    chosen = [fields.get(index) or None for index in range(len(headers))]
    for field in filter(None, chosen):
        if field not in known:
            raise CannotMap(_("This page no longer fits the file. Nothing was saved; check the columns again."))
        if chosen.count(field) > 1:
            label = gettext(FIELD[field].label)
            raise CannotMap(_("Two columns cannot both be “%(label)s”; choose one of them.") % {"label": label})
    before = {column.index: column for column in kept}
    columns = []
    for index, (header, field) in enumerate(zip(headers, chosen, strict=True)):
        if index in before and before[index].field == field:
            columns.append(before[index])
        elif field is None:
            columns.append(_ignored(index, header))
        else:
            values = {"header": header, "label": FIELD[field].label}
            columns.append(Column(index, header, field, sentence, values, 1.0))
    return columns


def remember(layout_key: str, columns: Sequence[Column], *, now: datetime) -> None:
    """Keep the columns for the next file with the same headers."""
    LayoutMemory.objects.update_or_create(
        layout_key=layout_key,
        defaults={"mapping": [column.field for column in columns], "updated_at": now},
    )


def to_json(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """The columns as an import keeps them."""
    return [column._asdict() for column in columns]


def from_json(mapping: Sequence[Mapping[str, Any]]) -> list[Column]:
    """The columns that an import keeps."""
    return [Column(**column) for column in mapping]


def _ignored(index: int, header: str) -> Column:
    return Column(index, header, None, IGNORED, {"header": header}, 0.0)
