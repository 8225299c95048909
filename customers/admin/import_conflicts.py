"""Rows of a file that contradict each other or the customers: listed on the result page, and as a file."""

import csv
from collections.abc import Iterator

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.urls import path
from django.utils.translation import gettext

from customers.admin import audit, import_words
from customers.choices import RowOutcome
from customers.models import ImportedRow, SpreadsheetImport
from customers.models.contact_point import masked
from customers.services import import_conflicts
from customers.spreadsheets import writing

LISTED = 20
MARK_OF_UTF8 = "\ufeff"


class ImportConflicts:
    """Contradictions on the pages of an import, for the ModelAdmin of imports."""

    def get_urls(self) -> list:
        """The file of contradictions, beside the steps of an import."""
        view = self.admin_site.admin_view(self.contradictions)
        return [
            path("<int:pk>/contradictions/", view, name="customers_spreadsheetimport_contradictions"),
            *super().get_urls(),
        ]

    def contradictions(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Every row that contradicts, as a CSV file that spreadsheets open."""
        imported = self.get_object(request, str(pk))
        if imported is None:
            raise Http404
        if not self.has_view_permission(request, imported):
            raise PermissionDenied
        if not import_conflicts.of(imported).exists():
            raise Http404
        may_see = request.user.has_perm("customers.view_full_address")
        sentence = gettext("Downloaded the rows that contradict.")
        audit.record_for_all(request, sentence, model=SpreadsheetImport, key=imported.pk)
        response = StreamingHttpResponse(
            _lines(import_conflicts.of(imported), may_see=may_see), content_type="text/csv; charset=utf-8"
        )
        response["Content-Disposition"] = f'attachment; filename="contradictions-{imported.pk}.csv"'
        return response

    def conflict_section(self, request: HttpRequest, imported: SpreadsheetImport) -> dict:
        """The first rows that contradict, and how many there are."""
        count = imported.counts.get("contradicting", 0)
        if not count:
            return {}
        may_see = request.user.has_perm("customers.view_full_address")
        rows = [
            {"number": row.number, "name": row.name, "found": _found(row, may_see=may_see)}
            for row in import_conflicts.of(imported)[:LISTED]
        ]
        return {
            "conflicts": rows,
            "conflict_count": count,
            "conflicts_link": import_words.rows_link(imported, has_conflict="1"),
        }


def _lines(rows: QuerySet[ImportedRow], *, may_see: bool) -> Iterator[str]:
    writer = csv.writer(_Echo())
    head = (gettext("Row"), gettext("Name"), gettext("Phone"), gettext("Outcome"), gettext("Column"), gettext("Cell"))
    head += (gettext("What counts"), gettext("What is wrong"), gettext("What to do"))
    yield MARK_OF_UTF8 + writer.writerow(head)
    for row in rows.iterator(chunk_size=2_000):
        phone = row.phone if may_see or not row.phone else masked(row.phone)
        outcome = str(RowOutcome(row.outcome).label)
        for found in _found(row, may_see=may_see):
            cells = [row.name, phone, outcome, found["column"], found["cell"], found["kept"]]
            yield writer.writerow([row.number, *map(writing.harmless, cells), found["problem"], found["remedy"]])


class _Echo:
    """A file that hands each line back."""

    def write(self, line: str) -> str:
        return line


def _found(row: ImportedRow, *, may_see: bool) -> list[dict]:
    """What contradicts in a row, in words; contents only for those who may see addresses."""
    described = []
    for problem in row.problems:
        if problem["code"] not in import_conflicts.CODES:
            continue
        what, remedy = import_words.reason(problem["code"])
        kept = problem.get("kept") or ""
        if problem["code"] == "meets_another":
            kept = gettext("Customer %(number)s") % {"number": kept} if kept else ""
        elif kept and not may_see:
            kept = "•••"
        cell = problem["cell"] if may_see or not problem["cell"] else "•••"
        described.append({"column": problem["column"], "cell": cell, "kept": kept, "problem": what, "remedy": remedy})
    return described
