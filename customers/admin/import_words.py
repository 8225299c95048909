"""What the pages of an import say: columns, notices, reasons with their remedies, and counts with their links."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import AbstractBaseUser
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from customers.admin import import_order_words
from customers.choices import Gender, ImportKind, RowOutcome
from customers.models import SpreadsheetImport
from customers.models.contact_point import masked
from customers.services import import_columns, import_reasons
from customers.spreadsheets import cells
from customers.spreadsheets.fields import FIELD

CONSENTS = {cells.YES: _("yes"), cells.NO: _("no"), cells.OPT_OUT: _("opted out")}


@dataclass(frozen=True)
class Tile:
    """One number of a preview or a result, with the way to its rows."""

    label: str
    count: int
    note: str = ""
    link: str = ""
    tone: str = ""


def sentence(notice: tuple[str, Mapping[str, Any]] | list) -> str:
    """A notice in the reader's language; a value named label is itself to be translated."""
    text, values = notice
    filled = {key: gettext(value) if key == "label" and value else value for key, value in values.items()}
    return gettext(text) % filled if filled else gettext(text)


def columns(imported: SpreadsheetImport) -> list[dict]:
    """Each column with its sentence, and whether staff should look twice."""
    described = []
    for column in import_columns.from_json(imported.mapping):
        described.append(
            {
                "index": column.index,
                "header": column.header or gettext("(no name)"),
                "field": column.field or "",
                "sentence": sentence((column.sentence, column.values)),
                "is_unsure": bool(column.field) and column.confidence < 0.5,
            }
        )
    return described


def fields(kind: str = ImportKind.CUSTOMERS) -> list[tuple[str, str]]:
    """What a column can be taken for."""
    offered = ((field.key, gettext(field.label)) for field in import_columns.offered(kind))
    return [("", gettext("not imported")), *offered]


def of_another(imported: SpreadsheetImport) -> str:
    """Why a person cannot decide about an upload."""
    if imported.created_by is None:
        return gettext("This file came in at the command line; only an administrator can change or start it here.")
    return gettext("%(person)s uploaded this file; only that person or an administrator can change or start it.") % {
        "person": imported.created_by
    }


def reason(code: str) -> tuple[str, str]:
    """What a code means and what to do, in the reader's language."""
    return import_reasons.words(code)


def problems(found: Iterable[Mapping[str, str]], *, user: AbstractBaseUser) -> list[dict]:
    """The refused cells of a row with reasons and remedies; their contents only for those who may see addresses."""
    may_see = user.has_perm("customers.view_full_address")
    described = []
    for problem in found:
        what, remedy = reason(problem["code"])
        cell = problem["cell"] if may_see or not problem["cell"] else "•••"
        described.append({"column": problem["column"], "cell": cell, "problem": what, "remedy": remedy})
    return described


def first_rows(imported: SpreadsheetImport, *, user: AbstractBaseUser) -> dict[str, list]:
    """The first rows as they would come in: heads and cells of the columns that are imported."""
    shown = [column.field for column in import_columns.from_json(imported.mapping) if column.field]
    keys = list(dict.fromkeys(key for field in shown for key in _shown_as(field)))
    rows = []
    for row in imported.preview["first"]:
        rows.append({"number": row["number"], "cells": [_cell(key, row, user) for key in keys]})
    return {"heads": [gettext(FIELD[key].label) for key in keys], "rows": rows}


def _shown_as(field: str) -> list[str]:
    joined = {"first_name": ["name"], "last_name": ["name"], "region": ["province", "city"]}
    joined |= {key: ["sms_consent", "email_consent"] for key in ("consent", "opted_out_at")}
    return joined.get(field, ["birthday"] if field == "lunar_birthday" else [field])


def _cell(key: str, row: Mapping[str, Any], user: AbstractBaseUser) -> str:
    value = row.get(key, "")
    if key == "tags":
        return ", ".join(value)
    if key == "gender":
        return str(Gender(value).label) if value else ""
    if FIELD[key].kind == "consent":
        return str(CONSENTS.get(value, ""))
    if key in ("phone", "email") and value and not user.has_perm("customers.view_full_address"):
        return masked(value)
    return value


def rows_link(imported: SpreadsheetImport, **filters: str) -> str:
    """The list of an import's rows, narrowed down."""
    query = urlencode({"spreadsheet_import": imported.pk, **filters})
    return f"{reverse('admin:customers_importedrow_changelist')}?{query}"


def tiles(imported: SpreadsheetImport, counts: Mapping[str, int], *, is_result: bool) -> list[Tile]:
    """The rows by outcome; in a result each number leads to its rows."""
    notes = {
        RowOutcome.CREATED: _("not known before"),
        RowOutcome.UPDATED: _("known customers, with something new in the file"),
        RowOutcome.UNCHANGED: _("known customers, nothing new"),
        RowOutcome.DUPLICATE: _("another row of the file is the same customer; the first one counts"),
        RowOutcome.REJECTED: _("no phone number, e-mail address or customer number that can be used"),
    }
    labels = {
        RowOutcome.CREATED: _("New customers"),
        RowOutcome.UPDATED: _("To be updated"),
        RowOutcome.UNCHANGED: _("Unchanged"),
        RowOutcome.DUPLICATE: _("Duplicates"),
        RowOutcome.REJECTED: _("Cannot be imported"),
    }
    tones = {RowOutcome.REJECTED: "bad", RowOutcome.DUPLICATE: "warn"}
    if imported.kind == ImportKind.ORDERS:
        notes, tones = import_order_words.NOTES, import_order_words.TONES
        labels = import_order_words.DONE_LABELS if is_result else import_order_words.LABELS
    return [
        Tile(
            label=str(outcome.label if is_result and imported.kind == ImportKind.CUSTOMERS else labels[outcome]),
            count=counts.get(outcome, 0),
            note=str(notes[outcome]),
            link=rows_link(imported, outcome=outcome.value) if is_result and counts.get(outcome, 0) else "",
            tone=tones.get(outcome, "") if counts.get(outcome, 0) else "",
        )
        for outcome in RowOutcome
    ]


def by_reason(imported: SpreadsheetImport, counts: Mapping[str, int], *, is_result: bool) -> list[dict]:
    """Why rows were rejected, and why others came in without a phone number; the most frequent first."""
    if imported.kind == ImportKind.ORDERS:
        return import_order_words.lines(counts, partial(rows_link, imported) if is_result else None)
    found = []
    for key, count in sorted(counts.items(), key=lambda item: -item[1]):
        outcome, divider, code = key.partition(":")
        if not divider or outcome == "consent":
            continue
        what, remedy = reason(code)
        is_lost = outcome == RowOutcome.REJECTED
        link = rows_link(imported, outcome=outcome, reason=code) if is_result else ""
        found.append({"problem": what, "remedy": remedy, "count": count, "link": link, "is_lost": is_lost})
    return sorted(found, key=lambda line: not line["is_lost"])


def consent_lines(imported: SpreadsheetImport, counts: Mapping[str, int], *, is_result: bool) -> list[Tile]:
    """What the file does to consent."""
    kept = counts.get("consent:kept", 0)
    link = rows_link(imported, opt_out_kept="1") if is_result and kept else ""
    return [
        Tile(
            gettext("Consent recorded"), counts.get("consent:grant", 0), gettext("rows that agree and had not before")
        ),
        Tile(gettext("Opted out by the file"), counts.get("consent:withdraw", 0), gettext("rows that refuse")),
        Tile(
            gettext("Opt-outs kept"),
            kept,
            gettext("rows that agree in the file, but the customer has opted out or the address is closed"),
            link,
            "warn" if kept else "",
        ),
    ]


def button(imported: SpreadsheetImport) -> str:
    """What the one button will do."""
    preview = imported.preview
    if preview["compared"] < preview["rows"]:
        return ngettext("Import the file of %(count)s row", "Import the file of %(count)s rows", preview["rows"]) % {
            "count": f"{preview['rows']:,}"
        }
    count = sum(preview["counts"].get(outcome, 0) for outcome in ("created", "updated", "unchanged"))
    if imported.kind == ImportKind.ORDERS:
        return import_order_words.button(count)
    return ngettext("Import %(count)s customer", "Import %(count)s customers", count) % {"count": f"{count:,}"}


def progress(imported: SpreadsheetImport, now) -> dict[str, Any]:
    """How far a running import is, how fast it goes and how long it will take."""
    done, total = imported.rows_done, imported.rows_total
    seconds = (now - imported.started_at).total_seconds() if imported.started_at else 0
    rate = done / seconds if seconds > 0 else 0
    left = timedelta(seconds=round((total - done) / rate)) if rate and total > done else None
    percent = min(100, 100 * done // total) if total else 0
    return {"done": done, "total": total, "rate": round(rate), "left": left, "percent": percent}
