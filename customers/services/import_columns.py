"""What each column of a file is taken for: guessed, remembered from last time, or chosen by staff."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from customers.choices import ImportKind
from customers.models import ImportLayout, LayoutMemory
from customers.services import import_layouts
from customers.spreadsheets import layouts, rows
from customers.spreadsheets.fields import FIELD, FIELDS, ORDER_FIELDS, Field
from customers.spreadsheets.layouts import Column, Layout
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


def offered(kind: str) -> tuple[Field, ...]:
    """What a column of a file of this kind can be taken for."""
    return ORDER_FIELDS if kind == ImportKind.ORDERS else OFFERED


def kind_of(sheet: Sheet) -> str:
    """Whether a file holds customers or orders: as last time, by its layout, or by the words above its columns."""
    memory = _memory(sheet)
    if memory and memory.options.get("kind") in ImportKind.values:
        return memory.options["kind"]
    layout = layouts.recognize(sheet.headers, import_layouts.all_layouts())
    if layout:
        return layout.kind
    sample = [cells for _number, cells in sheet.sample()]
    found = {column.field for column in layouts.guess(sheet.headers, sample, layouts=(), kind=ImportKind.ORDERS)}
    is_order_list = "order_number" in found and found & {"status", "ordered_at", "paid_at", "total", "paid"}
    return ImportKind.ORDERS if is_order_list else ImportKind.CUSTOMERS


def propose(sheet: Sheet, *, kind: str = ImportKind.CUSTOMERS, known: Sequence[Layout] | None = None) -> list[Column]:
    """The columns of a sheet as last time, or guessed where these headers are new."""
    known = import_layouts.all_layouts() if known is None else known
    memory = _memory(sheet)
    if (
        memory
        and memory.options.get("kind", ImportKind.CUSTOMERS) == kind
        and len(memory.mapping) == len(sheet.headers)
    ):
        offers = {field.key for field in offered(kind)}
        fields = {index: field if field in offers else None for index, field in enumerate(memory.mapping)}
        return choose(sheet.headers, fields, sentence=REMEMBERED, kind=kind)
    guessed = layouts.guess(sheet.headers, [cells for _number, cells in sheet.sample()], layouts=known, kind=kind)
    offers = {field.key for field in offered(kind)}
    return [column if column.field in offers else _unplaced(column) for column in guessed]


def remembered_options(sheet: Sheet) -> dict[str, Any]:
    """What staff chose beside the columns when they last imported a file with these headers."""
    memory = _memory(sheet)
    return dict(memory.options) if memory else {}


def choose(
    headers: Sequence[str],
    fields: Mapping[int, str | None],
    *,
    sentence: str = CHOSEN,
    kept: Sequence[Column] = (),
    kind: str = ImportKind.CUSTOMERS,
) -> list[Column]:
    """
    The columns with the fields that staff chose; a column of `kept` with the same field keeps its sentence.

    Raises CannotMap for a field that does not exist or is chosen twice.
    """
    known = {field.key for field in offered(kind)}
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


def remember(
    layout_key: str, columns: Sequence[Column], *, now: datetime, options: Mapping[str, Any] | None = None
) -> None:
    """Keep the columns, and what else was chosen, for the next file with the same headers."""
    LayoutMemory.objects.update_or_create(
        layout_key=layout_key,
        defaults={
            "mapping": [column.field for column in columns],
            "options": dict(options or {}),
            "updated_at": now,
        },
    )


def to_json(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """The columns as an import keeps them."""
    return [column._asdict() for column in columns]


def from_json(mapping: Sequence[Mapping[str, Any]]) -> list[Column]:
    """The columns that an import keeps."""
    return [Column(**column) for column in mapping]


def _memory(sheet: Sheet) -> LayoutMemory | None:
    """What was chosen last time, unless the shop has changed its own layout for such files since."""
    memory = LayoutMemory.objects.filter(layout_key=sheet.layout_key).first()
    if memory is None:
        return None
    layout = layouts.recognize(sheet.headers, import_layouts.all_layouts())
    is_overtaken = (
        layout is not None
        and not layout.is_bundled
        and ImportLayout.objects.filter(key=layout.key, updated_at__gte=memory.updated_at).exists()
    )
    return None if is_overtaken else memory


def _ignored(index: int, header: str) -> Column:
    return Column(index, header, None, IGNORED, {"header": header}, 0.0)


def _unplaced(column: Column) -> Column:
    """A column for which there is no place; one that was not taken for anything keeps its sentence."""
    return _ignored(column.index, column.header) if column.field else column
