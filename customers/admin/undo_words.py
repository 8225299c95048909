"""What the pages of an undo say: the button, numbers with their links, why customers stay, and values in words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib.auth.models import AbstractBaseUser
from django.urls import reverse
from django.utils.translation import gettext, ngettext

from customers.admin import import_words
from customers.admin.import_words import Tile
from customers.choices import Channel, ConsentStatus, Gender, ImportStatus, RowOutcome, UndoFindingKind
from customers.models import Customer, SpreadsheetImport
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
    parts = []
    if created:
        parts.append(_removing(created))
    if updated:
        parts.append(_restoring(updated))
    if not parts:
        return gettext("Undo this import")
    return gettext("Undo: %(what)s") % {"what": gettext(", ").join(parts)}


def _removing(count: int) -> str:
    words = ngettext("remove %(count)s customer", "remove %(count)s customers", count)
    return words % {"count": f"{count:,}"}


def _restoring(count: int) -> str:
    words = ngettext("restore %(count)s customer", "restore %(count)s customers", count)
    return words % {"count": f"{count:,}"}


def sure_button(counts: Mapping[str, int]) -> str:
    """What the button of the second page does, by the numbers of this moment."""
    words = [_removing(counts.get("removed", 0)), _restoring(counts.get("restored", 0))]
    return gettext("Yes, undo it: %(what)s") % {"what": gettext(", ").join(words)}


def outcome(imported: SpreadsheetImport) -> str:
    """What became of an undo, in one line of the list."""
    counts = imported.undo_counts
    if imported.status == ImportStatus.UNDOING:
        return gettext("%(done)d of %(total)d rows undone") % {
            "done": counts.get("rows", 0),
            "total": imported.rows_done,
        }
    return gettext("%(removed)d removed, %(restored)d restored, %(stays)d stay") % {
        key: counts.get(key, 0) for key in ("removed", "restored", "stays")
    }


def log(imported: SpreadsheetImport, counts: Mapping[str, int]) -> str:
    """The line of the history: what somebody was told when they undid an import."""
    if not counts:
        return gettext("Undid the import.")
    return gettext("Undid the import: %(what)s") % {
        "what": gettext(", ").join([_removing(counts.get("removed", 0)), _restoring(counts.get("restored", 0))])
    }


def tiles(imported: SpreadsheetImport, counts: Mapping[str, int], *, is_done: bool) -> list[Tile]:
    """What is taken back."""
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
    return [
        Tile(label, counts.get(kind, 0), note, findings_link(imported, kind) if counts.get(kind) else "")
        for kind, (label, note) in notes.items()
    ]


def reasons(imported: SpreadsheetImport, counts: Mapping[str, int]) -> list[dict]:
    """Why customers stay, the most frequent first."""
    found = [
        {
            "sentence": str(tie.sentence),
            "count": counts[f"stays:{tie.code}"],
            "link": findings_link(imported, UndoFindingKind.STAYS, why=tie.code),
        }
        for tie in ties.all_ties()
        if counts.get(f"stays:{tie.code}")
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
    return [_line(finding, names, may_see=may_see) for finding in found]


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


def report_heads(kind: UndoFindingKind) -> list[str]:
    """The column names of a list of findings."""
    if kind == UndoFindingKind.CONFLICT:
        columns = [gettext("Field"), gettext("From the import"), gettext("Before"), gettext("Now, and kept")]
    elif kind == UndoFindingKind.STAYS:
        columns = [gettext("Why")]
    else:
        columns = [gettext("Opted out of")]
    return [gettext("Row"), gettext("Customer"), *columns]
