"""A marked file that comes back mended: which file it was, what was chosen for it, and how much of it is right now."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from customers.choices import ImportStatus
from customers.models import MarkedFile, SpreadsheetImport
from customers.services import import_columns
from customers.spreadsheets.fields import normal
from customers.spreadsheets.layouts import Column

UNCONFIRMED = (ImportStatus.UPLOADED, ImportStatus.DISCARDED, ImportStatus.REFUSED)


def adopt(imported: SpreadsheetImport, *, reference: str, columns: list[Column]) -> bool:
    """
    Take over what was chosen for the first file, if this is its mended copy; returns whether anything was.

    A file that somebody has already made choices for keeps them. The declaration is proposed in the name of the one
    who uploads, who answers for it by pressing the button.
    """
    if imported.mends_id or imported.mapping or not reference:
        return False
    marked = MarkedFile.objects.filter(pk=int(reference)).select_related("spreadsheet_import").first()
    if marked is None or marked.spreadsheet_import_id == imported.pk:
        return False
    first = marked.spreadsheet_import
    if first.status in UNCONFIRMED and first.created_by_id != imported.created_by_id:
        # Anybody can write a number into a heading; what somebody else is still deciding is theirs alone.
        return False
    fields = {normal(column["header"]): column["field"] for column in first.mapping if column["field"]}
    chosen = {column.index: fields.get(normal(column.header)) for column in columns if column.header}
    if not fields or len(set(filter(None, chosen.values()))) < len(fields):
        # Columns were renamed or taken out: what was chosen no longer fits, and is guessed anew.
        return False
    waiting = SpreadsheetImport.objects.filter(pk=imported.pk, status=ImportStatus.UPLOADED, mends=None)
    adopted = waiting.update(
        mends=marked,
        kind=first.kind,
        mapping=import_columns.to_json(
            import_columns.choose(
                [column.header for column in columns], chosen, sentence=import_columns.REMEMBERED, kind=first.kind
            )
        ),
        options=first.options,
        declaration=_declared_by(first.declaration, imported.created_by),
    )
    imported.refresh_from_db()
    return bool(adopted)


def progress(imported: SpreadsheetImport) -> dict[str, Any]:
    """What the review page says of a mended copy: rows that were to be mended, and how many of them are right."""
    if not imported.mends_id or not imported.preview:
        return {}
    marked, mended = imported.mends, imported.preview.get("mended", {})
    there, right = mended.get("rows", 0), mended.get("right", 0)
    bad = max(marked.rows_to_mend, there)
    return {
        "first": marked.spreadsheet_import,
        "bad": bad,
        "right": right,
        "still": there - right,
        "gone": bad - there,
    }


def _declared_by(declaration: Mapping[str, Any], person: AbstractBaseUser | None) -> dict[str, Any]:
    if not declaration or person is None or not person.has_perm("customers.declare_consent"):
        return {}
    return {**declaration, "by": person.pk, "by_name": person.get_full_name() or person.get_username()}
