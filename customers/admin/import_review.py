"""The review page of an import: what stands on it, and what its form asks for."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, QueryDict
from django.utils.dateparse import parse_date
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from customers import clock
from customers.admin import import_words
from customers.choices import CONSENT_PURPOSES, ImportKind, Platform
from customers.models import ImportLayout, SpreadsheetImport
from customers.services import import_options, import_preview, imports
from customers.services.import_columns import CannotMap
from customers.spreadsheets import cells, dates
from customers.spreadsheets.options import DAY_FIRST, MONTH_FIRST

KEYS = (
    ("auto", _("phone number, then e-mail address, then customer number")),
    ("phone", _("phone number alone")),
    ("email", _("e-mail address alone")),
    ("external_id", _("customer number alone")),
)
TAG_MODES = (
    ("add", _("are added to those the customer has")),
    ("replace", _("take the place of those the customer has")),
)
MEANINGS = (
    (cells.YES, _("agrees")),
    (cells.NO, _("does not agree")),
    (cells.OPT_OUT, _("has opted out")),
    (cells.UNKNOWN, _("says nothing")),
)
HIDDEN_NUMBERS = _(
    "The platform hides these numbers. Export a list that holds them in full: your members, from your till, your "
    "membership cards or your mini program."
)


def chosen_fields(request: HttpRequest, imported: SpreadsheetImport) -> dict[int, str | None]:
    """
    The field chosen for each column.

    Raises CannotMap for the form of another file, which has other columns or none.
    """
    chosen = {column["index"]: request.POST.get(f"column-{column['index']}") for column in imported.mapping}
    if None in chosen.values():
        raise CannotMap(gettext("This page no longer fits the file. Nothing was saved; check the columns again."))
    return {index: field or None for index, field in chosen.items()}


def declaration(request: HttpRequest) -> dict[str, Any]:
    """
    The consent that the form declares.

    Raises CannotImport where it is incomplete.
    """
    try:
        given_on = parse_date(request.POST.get("given_on", ""))
    except ValueError:
        given_on = None
    return imports.declare(
        channels=request.POST.getlist("channels"),
        purposes=request.POST.getlist("purposes"),
        place=request.POST.get("place", ""),
        given_on=given_on,
        wording=request.POST.get("wording", ""),
        by=request.user,
        now=clock.now(),
        is_draft=request.POST.get("action") != "import",
    )


def context(
    request: HttpRequest, imported: SpreadsheetImport, *, refusal: str = "", posted: QueryDict | None = None
) -> dict[str, Any]:
    """Everything that stands on the review page."""
    preview = imported.preview
    columns = import_words.columns(imported)
    is_blocked = bool(preview["blocked"])
    return {
        "refusal": refusal,
        "blocked": import_words.sentence(preview["blocked"]) if is_blocked else "",
        "columns": [column for column in columns if column["field"] or is_blocked],
        "ignored": [column for column in columns if not (column["field"] or is_blocked)],
        "fields": import_words.fields(imported.kind),
        "notices": [import_words.sentence(notice) for notice in imported.notices],
        "earlier": imports.earlier_imports(imported).first(),
        "layout": _layout(request, imported),
        "kinds": _kinds(imported),
        # Nobody asks of an ordinary list whether it is one; the question waits behind a line.
        "is_kind_plain": imported.kind == ImportKind.CUSTOMERS and not preview.get("layout"),
        "advice": _advice(imported),
        "button": "" if is_blocked else import_words.button(imported),
        **_rows(request, imported),
        **_choices(imported, posted),
        **(_consent(request, imported, posted) if imported.kind == ImportKind.CUSTOMERS else {}),
    }


def _rows(request: HttpRequest, imported: SpreadsheetImport) -> dict[str, Any]:
    """The numbers, the first rows, and the rows with something to correct."""
    preview = imported.preview
    refused = [
        {"number": row["number"], "is_lost": row["lost"], "problems": problems}
        for row in preview["refused"]
        if (problems := import_words.problems(row["problems"], user=request.user)) or row["lost"]
    ]
    return {
        "tiles": import_words.tiles(imported, preview["counts"], is_result=False),
        "first": import_words.first_rows(imported, user=request.user),
        "refused": refused,
        "not_listed": preview["refused_rows"] - len(preview["refused"]),
        "is_partial": preview["compared"] < preview["rows"],
    }


def _choices(imported: SpreadsheetImport, posted: QueryDict | None) -> dict[str, Any]:
    """How the rows come in, as far as staff may choose it."""
    options = dict(imported.options)
    for name in ("key", "tags", "clear_word", "day_order", "platform"):
        if posted is not None and name in posted:
            options[name] = posted[name]
    mapped = {column["field"] for column in imported.mapping}
    unclear = imported.preview.get("unclear_days", [])
    return {
        "options": options,
        "keys": [(key, label) for key, label in KEYS if key in ("auto", options.get("key")) or key in mapped],
        "tag_modes": TAG_MODES if "tags" in mapped else (),
        "day_orders": _day_orders(unclear) if unclear or options.get("day_order") else (),
        "unclear_days": unclear,
        "platforms": Platform.choices if imported.kind == ImportKind.ORDERS else (),
    }


def _consent(request: HttpRequest, imported: SpreadsheetImport, posted: QueryDict | None) -> dict[str, Any]:
    """What the file says about consent, and what staff may declare."""
    declared = imported.declaration
    if posted is not None:
        declared = {key: posted.get(key, "") for key in ("place", "given_on", "wording")}
        declared |= {"channels": posted.getlist("channels"), "purposes": posted.getlist("purposes")}
    columns = [column for column in imported.mapping if import_options.is_consent(column["field"])]
    # A column taken for consent by mistake may hold anything.
    may_see = request.user.has_perm("customers.view_full_address")
    moments = [column["header"] for column in imported.mapping if column["field"] == "opted_out_at"]
    return {
        "consent": import_words.consent_lines(imported, imported.preview["counts"], is_result=False),
        "consent_columns": columns,
        "opt_out_column": moments[0] if moments else "",
        "answers": [_answer(answer) for answer in imported.preview.get("answers", [])] if may_see else [],
        "declared": declared,
        "channels": [(channel.value, channel.label) for channel in imports.DECLARABLE_CHANNELS],
        "purposes": [(purpose.value, purpose.label) for purpose in CONSENT_PURPOSES],
        "today": clock.shop_date(clock.now()),
    }


def _answer(answer: Mapping[str, Any]) -> dict[str, Any]:
    """One answer of the file with what it may be taken for: a refusal is never made consent."""
    meanings = [(meaning, label) for meaning, label in MEANINGS if meaning != cells.YES or not answer["is_refusal"]]
    return {
        **answer,
        "name": f"{import_options.ANSWER}{answer['word']}" if answer["word"] else "",
        "meanings": meanings,
        "is_unclear": answer["meaning"] == cells.UNKNOWN and bool(answer["word"]),
    }


def _day_orders(unclear: list[str]) -> list[tuple[str, str]]:
    """Both readings of the dates that can be read in two ways, with the first of them as an example."""
    example = unclear[0] if unclear else "5/3/1990"
    found = []
    for order, sentence in (
        (DAY_FIRST, _("the day comes first: %(cell)s is %(day)s")),
        (MONTH_FIRST, _("the month comes first: %(cell)s is %(day)s")),
    ):
        day, _reason = dates.parse(example, order=order)
        shown = date_format(day, "DATE_FORMAT") if hasattr(day, "year") else str(day or "?")
        found.append((order, sentence % {"cell": example, "day": shown}))
    return found


def _layout(request: HttpRequest, imported: SpreadsheetImport) -> dict[str, Any] | None:
    """The layout the file was recognized as, with the way to it for those who may see it."""
    found = imported.preview.get("layout")
    if not found:
        return None
    name = found["label"]
    label = gettext(name) if found["is_bundled"] else name
    row = ImportLayout.objects.filter(key=found["key"]).first()
    return {"label": label, "pk": row.pk if row and request.user.has_perm("customers.view_importlayout") else None}


def _kinds(imported: SpreadsheetImport) -> list[tuple[str, str]]:
    """What the rows can be taken for; nothing to choose for a file that nobody would take for orders."""
    if not imports.ORDERS_COME_IN:
        return []
    found = imported.preview.get("layout")
    if imported.kind == ImportKind.CUSTOMERS and found and found["kind"] == ImportKind.CUSTOMERS:
        return []
    return [
        (ImportKind.ORDERS.value, gettext("Orders: each order once, with its goods, and its buyer as a customer")),
        (ImportKind.CUSTOMERS.value, gettext("Customers: only the people, without what they bought")),
    ]


def _advice(imported: SpreadsheetImport) -> dict[str, Any] | None:
    """What to export instead, where the file hides numbers."""
    preview = imported.preview
    hidden = preview.get("hidden") or sum(preview["counts"].get(f"phone:{code}", 0) for code in import_preview.HIDDEN)
    if not hidden:
        return None
    found = preview.get("layout") or {}
    words = found.get("advice") or HIDDEN_NUMBERS
    sentence = gettext(words) if found.get("is_bundled", True) else words
    could_be_orders = imported.kind == ImportKind.CUSTOMERS and found.get("kind") == ImportKind.ORDERS
    return {"count": hidden, "sentence": sentence, "could_be_orders": could_be_orders}
