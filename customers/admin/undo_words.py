"""What the pages of an undo say: the button, numbers with their links, why customers stay, and values in words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib.auth.models import AbstractBaseUser
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext, ngettext

from customers import clock
from customers.admin import import_words
from customers.admin.import_words import Tile
from customers.choices import (
    Channel,
    ConsentStatus,
    Gender,
    ImportKind,
    ImportStatus,
    OrderStatus,
    RowOutcome,
    UndoFindingKind,
)
from customers.models import Customer, Order, OrderLine, SpreadsheetImport
from customers.models.contact_point import masked
from customers.services import ties
from customers.services.undo_plan import Finding
from customers.spreadsheets.fields import FIELD


@dataclass(frozen=True)
class Line:
    """One finding in the reader's words; `link` leads to the customer, who may be gone by now."""

    number: int
    who: str
    link: str
    what: str
    ours: str
    before: str
    present: str


def button(imported: SpreadsheetImport) -> str:
    """What the one button begins."""
    created, updated = (imported.counts.get(outcome, 0) for outcome in (RowOutcome.CREATED, RowOutcome.UPDATED))
    are_orders = imported.kind == ImportKind.ORDERS
    parts = []
    if created:
        parts.append(_removing_orders(created) if are_orders else _removing(created))
    if updated:
        parts.append(_restoring_orders(updated) if are_orders else _restoring(updated))
    if not parts:
        return gettext("Undo this import")
    return gettext("Undo: %(what)s") % {"what": gettext(", ").join(parts)}


def _removing(count: int) -> str:
    words = ngettext("remove %(count)s customer", "remove %(count)s customers", count)
    return words % {"count": f"{count:,}"}


def _restoring(count: int) -> str:
    words = ngettext("restore %(count)s customer", "restore %(count)s customers", count)
    return words % {"count": f"{count:,}"}


def _removing_orders(count: int) -> str:
    words = ngettext("remove %(count)s order", "remove %(count)s orders", count)
    return words % {"count": f"{count:,}"}


def _restoring_orders(count: int) -> str:
    words = ngettext("restore %(count)s order", "restore %(count)s orders", count)
    return words % {"count": f"{count:,}"}


def _what(imported: SpreadsheetImport, counts: Mapping[str, int]) -> str:
    """What an undo does, in numbers."""
    if imported.kind == ImportKind.ORDERS:
        orders = _removing_orders(counts.get("orders:removed", 0)), _restoring_orders(counts.get("orders:restored", 0))
        return gettext(", ").join([*orders, _removing(counts.get("removed", 0))])
    return gettext(", ").join([_removing(counts.get("removed", 0)), _restoring(counts.get("restored", 0))])


def sure_button(imported: SpreadsheetImport, counts: Mapping[str, int]) -> str:
    """What the button of the second page does, by the numbers of this moment."""
    return gettext("Yes, undo it: %(what)s") % {"what": _what(imported, counts)}


def outcome(imported: SpreadsheetImport) -> str:
    """What became of an undo, in one line of the list."""
    counts = imported.undo_counts
    if imported.status == ImportStatus.UNDOING:
        return gettext("%(done)d of %(total)d rows undone") % {
            "done": counts.get("rows", 0),
            "total": imported.rows_done,
        }
    numbers = {key: counts.get(key, 0) for key in ("removed", "restored", "stays")}
    if imported.kind == ImportKind.ORDERS:
        numbers = {key: counts.get(f"orders:{key}", 0) for key in ("removed", "restored")}
        numbers["stays"] = counts.get(UndoFindingKind.ORDERS, 0)
    return gettext("%(removed)d removed, %(restored)d restored, %(stays)d stay") % numbers


def log(imported: SpreadsheetImport, counts: Mapping[str, int]) -> str:
    """The line of the history: what somebody was told when they undid an import."""
    if not counts:
        return gettext("Undid the import.")
    return gettext("Undid the import: %(what)s") % {"what": _what(imported, counts)}


def tiles(imported: SpreadsheetImport, counts: Mapping[str, int], *, is_done: bool) -> list[Tile]:
    """What is taken back."""
    if imported.kind == ImportKind.ORDERS:
        return _order_tiles(imported, counts, is_done=is_done)
    removed, restored = counts.get("removed", 0), counts.get("restored", 0)
    values = gettext("%(fields)s fields, %(tags)s tags, %(addresses)s addresses") % {
        name: f"{counts.get(name, 0):,}" for name in ("fields", "tags", "addresses")
    }
    return [
        Tile(
            gettext("Customers removed") if is_done else gettext("Customers to remove"),
            removed,
            gettext("new with this file, and nobody has been in touch with them"),
            import_words.rows_link(imported, outcome=RowOutcome.CREATED.value) if removed else "",
        ),
        Tile(
            gettext("Customers restored") if is_done else gettext("Customers to restore"),
            restored,
            values,
            import_words.rows_link(imported, outcome=RowOutcome.UPDATED.value) if restored else "",
        ),
        Tile(
            gettext("Consents taken back"),
            counts.get("consents", 0),
            gettext("customers whose consent came with this file"),
        ),
    ]


def _order_tiles(imported: SpreadsheetImport, counts: Mapping[str, int], *, is_done: bool) -> list[Tile]:
    """What is taken back of an order file."""
    removed, restored = counts.get("orders:removed", 0), counts.get("orders:restored", 0)
    return [
        Tile(
            gettext("Orders removed") if is_done else gettext("Orders to remove"),
            removed,
            gettext("new with this file, and unchanged since"),
            import_words.rows_link(imported, outcome=RowOutcome.CREATED.value) if removed else "",
        ),
        Tile(
            gettext("Orders restored") if is_done else gettext("Orders to restore"),
            restored,
            gettext("status, amounts, times and goods are as they were"),
            import_words.rows_link(imported, outcome=RowOutcome.UPDATED.value) if restored else "",
        ),
        Tile(
            gettext("Customers removed") if is_done else gettext("Customers to remove"),
            counts.get("removed", 0),
            gettext("new with this file, and nobody has been in touch with them"),
        ),
    ]


def kept_tiles(imported: SpreadsheetImport, counts: Mapping[str, int]) -> list[Tile]:
    """What stays as it is, each number with its list."""
    notes = {
        UndoFindingKind.STAYS: (gettext("Customers who stay"), gettext("new with this file, but in use since")),
        UndoFindingKind.CONFLICT: (
            gettext("Later changes kept"),
            gettext("values that somebody changed after the import"),
        ),
        UndoFindingKind.OPT_OUT: (gettext("Opt-outs kept"), gettext("an opt-out is never undone")),
    }
    if imported.kind == ImportKind.ORDERS:
        # An order file brings no consent, and no opt-out either.
        del notes[UndoFindingKind.OPT_OUT]
        orders = gettext("Orders that stay"), gettext("new with this file, but changed since or in a later file")
        notes = {UndoFindingKind.ORDERS: orders, **notes}
    return [
        Tile(label, counts.get(kind, 0), note, findings_link(imported, kind) if counts.get(kind) else "")
        for kind, (label, note) in notes.items()
    ]


def reasons(imported: SpreadsheetImport, counts: Mapping[str, int]) -> list[dict]:
    """Why customers and orders stay, the most frequent first."""
    found = [
        {
            "sentence": str(tie.sentence),
            "count": counts[f"stays:{tie.code}"],
            "link": findings_link(imported, UndoFindingKind.STAYS, why=tie.code),
        }
        for tie in ties.all_ties()
        if counts.get(f"stays:{tie.code}")
    ] + [
        {
            "sentence": gettext("Orders: %(reason)s") % {"reason": why.sentence},
            "count": counts[f"orders:stay:{why.code}"],
            "link": findings_link(imported, UndoFindingKind.ORDERS, why=why.code),
        }
        for why in ties.of_orders()
        if counts.get(f"orders:stay:{why.code}")
    ]
    return sorted(found, key=lambda line: -line["count"])


def findings_link(imported: SpreadsheetImport, kind: UndoFindingKind, **filters: str | int) -> str:
    """The list behind a number of an undo."""
    address = reverse("admin:customers_spreadsheetimport_undo_findings", args=[imported.pk])
    return f"{address}?{urlencode({'kind': kind.value, **filters})}"


def lines(found: Iterable[Finding], *, user: AbstractBaseUser) -> list[Line]:
    """Findings in words; addresses only for those who may see them."""
    found = list(found)
    people = {finding.customer_id for finding in found}
    names = dict(Customer.objects.filter(pk__in=people).values_list("pk", "name"))
    may_see = user.has_perm("customers.view_full_address")
    numbers = dict(Order.objects.filter(pk__in={line.order_id for line in found}).values_list("pk", "number"))
    return [
        _order_line(finding, numbers) if finding.order_id else _line(finding, names, may_see=may_see)
        for finding in found
    ]


def _order_line(finding: Finding, numbers: Mapping[int, str]) -> Line:
    number = numbers.get(finding.order_id)
    is_about_the_order = finding.kind == UndoFindingKind.ORDERS
    return Line(
        number=finding.number,
        who=number or gettext("Order %(number)s") % {"number": finding.order_id},
        link=reverse("admin:customers_order_change", args=[finding.order_id]) if number else "",
        what=_reason_of_order(finding.reason) if is_about_the_order else _field_of_order(finding.field),
        ours=_value_of_order(finding.field, finding.ours),
        before=_value_of_order(finding.field, finding.before),
        present=_value_of_order(finding.field, finding.present),
    )


def _reason_of_order(code: str) -> str:
    return next((str(why.sentence) for why in ties.of_orders() if why.code == code), code)


def _field_of_order(name: str) -> str:
    if name == "line":
        return str(OrderLine._meta.verbose_name)
    return str(Order._meta.get_field(name.removesuffix("_id")).verbose_name)


def _value_of_order(name: str, value: str) -> str:
    if name == "status":
        return str(OrderStatus(value).label) if value in OrderStatus.values else value or "–"
    if name.endswith("_at") and (moment := parse_datetime(value)):
        return f"{moment.astimezone(clock.shop_zone()):%Y-%m-%d %H:%M}"
    return value or "–"


def _line(finding: Finding, names: Mapping[int, str], *, may_see: bool) -> Line:
    name = names.get(finding.customer_id)
    is_there = name is not None
    return Line(
        number=finding.number,
        who=name or gettext("Customer %(number)s") % {"number": finding.customer_id},
        link=reverse("admin:customers_customer_change", args=[finding.customer_id]) if is_there else "",
        what=_reason(finding.reason) if finding.kind == UndoFindingKind.STAYS else field(finding.field),
        ours=_value(finding.field, finding.ours, may_see=may_see),
        before=_value(finding.field, finding.before, may_see=may_see),
        present=_value(finding.field, finding.present, may_see=may_see),
    )


def _reason(code: str) -> str:
    return next((str(tie.sentence) for tie in ties.all_ties() if tie.code == code), code)


def field(name: str) -> str:
    """A field of a finding, as staff call it."""
    kind, divider, channel = name.partition(":")
    if not divider:
        return gettext(FIELD[name].label) if name in FIELD else name
    words = {
        "main": gettext("Main address (%(channel)s)"),
        "address": gettext("Address (%(channel)s)"),
        "consent": gettext("Consent (%(channel)s)"),
    }
    return words[kind] % {"channel": Channel(channel).label}


def _value(name: str, value: str, *, may_see: bool) -> str:
    if not value:
        return "–"
    if name == "gender":
        return str(Gender(value).label)
    if name.startswith("consent:"):
        return str(ConsentStatus(value).label)
    if name.startswith(("main:", "address:")) and not may_see:
        return masked(value)
    return value


def report_heads(imported: SpreadsheetImport, kind: UndoFindingKind) -> list[str]:
    """The column names of a list of findings."""
    who = gettext("Customer")
    if kind == UndoFindingKind.ORDERS:
        who = gettext("Order")
    elif imported.kind == ImportKind.ORDERS and kind == UndoFindingKind.CONFLICT:
        who = gettext("Order or customer")
    if kind == UndoFindingKind.CONFLICT:
        columns = [gettext("Field"), gettext("From the import"), gettext("Before"), gettext("Now, and kept")]
    elif kind in (UndoFindingKind.STAYS, UndoFindingKind.ORDERS):
        columns = [gettext("Why")]
    else:
        columns = [gettext("Opted out of")]
    return [gettext("Row"), who, *columns]
