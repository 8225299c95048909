"""Taking an import back: the section on its result page, the page that asks, the lists, and the report."""

import tempfile
from collections.abc import Iterator

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from customers import clock, doorbell
from customers.admin import undo_words
from customers.choices import ImportStatus, UndoFindingKind
from customers.models import SpreadsheetImport
from customers.services import import_undo
from customers.spreadsheets import writing

ON_A_PAGE = 100
AT_ONCE = 1_000
# The history tells the numbers of the click; of larger files, whose numbers take seconds, those of the result.
COUNTED_TWICE = 50_000
IN_MEMORY = 8 * 1024 * 1024
WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
OF_AN_UNDO = (ImportStatus.UNDOING, ImportStatus.UNDONE)


class ImportUndo:
    """The pages of an undo, for the ModelAdmin of imports."""

    def get_urls(self) -> list:
        """The pages' addresses, beside the admin's own."""
        pages = [
            ("undo", self.undo),
            ("undo_progress", self.undo_progress),
            ("undo_findings", self.undo_findings),
            ("undo_report", self.undo_report),
        ]
        return [
            path(
                f"<int:pk>/{name.replace('_', '/')}/",
                self.admin_site.admin_view(view),
                name=f"customers_spreadsheetimport_{name}",
            )
            for name, view in pages
        ] + super().get_urls()

    def undo_section(self, request: HttpRequest, imported: SpreadsheetImport) -> dict:
        """What the result page says about the undo."""
        now, counts = clock.now(), imported.undo_counts
        until = import_undo.undoable_until(imported)
        is_undone = imported.status == ImportStatus.UNDONE
        return {
            "may_undo": request.user.has_perm("customers.undo_import"),
            "is_undoable": import_undo.is_undoable(imported, now=now),
            "undoable_until": until if until and until > now else None,
            "undo_button": undo_words.button(imported),
            "is_undoing": imported.status == ImportStatus.UNDOING,
            "is_undone": is_undone,
            "undo_tiles": undo_words.tiles(imported, counts, is_done=True) if is_undone else [],
            "undo_kept": undo_words.kept_tiles(imported, counts) if is_undone else [],
            "undo_reasons": undo_words.reasons(imported, counts),
            "undo_progress": _progress(imported),
        }

    def undo(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask with numbers; start the undo when it is asked for."""
        imported = self._imported(request, pk)
        if not request.user.has_perm("customers.undo_import"):
            raise PermissionDenied
        if request.method == "POST":
            return self._undo(request, imported)
        if not import_undo.is_undoable(imported, now=clock.now()):
            messages.error(request, _("There is nothing to undo here, or it is being undone already."))
            return _back_to(imported)
        counts = import_undo.preview(imported)
        return self._undo_page(
            request,
            imported,
            "undo",
            gettext("Undo the import of %(file)s") % {"file": imported.file_name},
            tiles=undo_words.tiles(imported, counts, is_done=False),
            kept=undo_words.kept_tiles(imported, counts),
            reasons=undo_words.reasons(imported, counts),
            button=undo_words.sure_button(imported, counts),
        )

    def undo_progress(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The moving part of the section; asks the browser to load the page again at the end."""
        imported = self._imported(request, pk)
        if imported.status != ImportStatus.UNDOING:
            return HttpResponse(headers={"HX-Refresh": "true"})
        context = {"imported": imported, "undo_progress": _progress(imported)}
        return TemplateResponse(request, "admin/customers/spreadsheetimport/undo_bar.html", context)

    def undo_findings(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The list behind a number: who stays and why, what was kept; before the undo and after it."""
        imported = self._imported(request, pk)
        kind, why = _kind(request), request.GET.get("why", "").replace("\0", "")[:20]
        number = request.GET.get("p", "1")
        page = min(int(number), 10_000) if number.isascii() and number.isdecimal() and len(number) < 9 else 1
        offset = max(0, page - 1) * ON_A_PAGE
        found = import_undo.findings(imported, kind=kind, reason=why, offset=offset, limit=ON_A_PAGE + 1)
        lines = undo_words.lines(found, user=request.user)
        here = {"why": why} if why else {}
        return self._undo_page(
            request,
            imported,
            "undo_findings",
            str(kind.label),
            heads=undo_words.report_heads(imported, kind),
            kind=kind.value,
            lines=lines[:ON_A_PAGE],
            is_done=imported.status in OF_AN_UNDO,
            previous=undo_words.findings_link(imported, kind, **here, p=page - 1) if page > 1 else "",
            following=undo_words.findings_link(imported, kind, **here, p=page + 1) if len(lines) > ON_A_PAGE else "",
        )

    def undo_report(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The same list as a workbook, whole, and a line in the history that says who took it."""
        imported = self._imported(request, pk)
        if request.method != "POST" or not request.user.has_perm("customers.undo_import"):
            raise PermissionDenied
        kind = _kind(request)
        # The response closes it, and with that the disk forgets it.
        file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115
        writing.write_workbook(file, _report(request, imported, kind))
        file.seek(0)
        self.log_change(request, imported, gettext("Downloaded what the undo left: %(kind)s") % {"kind": kind.label})
        name = f"{gettext('undo')}-{imported.pk}-{kind.value}.xlsx"
        return FileResponse(file, as_attachment=True, filename=name, content_type=WORKBOOK)

    def _undo(self, request: HttpRequest, imported: SpreadsheetImport) -> HttpResponse:
        counts = import_undo.preview(imported) if imported.rows_done <= COUNTED_TWICE else {}
        try:
            import_undo.start(imported, by=request.user, now=clock.now())
        except import_undo.CannotUndo as refusal:
            messages.error(request, str(refusal))
            return _back_to(imported)
        self.log_change(request, imported, undo_words.log(imported, counts))
        if not doorbell.ring("customers.jobs.undo_import", queue="default", import_id=imported.pk):
            messages.warning(request, _("The workers do not answer. Nothing is lost: the undo will start later."))
        return _back_to(imported)

    def _imported(self, request: HttpRequest, pk: int) -> SpreadsheetImport:
        imported = self.get_object(request, str(pk))
        if imported is None:
            raise Http404
        if not self.has_view_permission(request, imported):
            raise PermissionDenied
        return imported

    def _undo_page(
        self, request: HttpRequest, imported: SpreadsheetImport, name: str, title: str, **context
    ) -> TemplateResponse:
        page = {**self.admin_site.each_context(request), "opts": self.opts, "title": title, "imported": imported}
        return TemplateResponse(request, f"admin/customers/spreadsheetimport/{name}.html", page | context)


def _kind(request: HttpRequest) -> UndoFindingKind:
    try:
        return UndoFindingKind(request.GET.get("kind", UndoFindingKind.STAYS))
    except ValueError:
        raise Http404 from None


def _report(request: HttpRequest, imported: SpreadsheetImport, kind: UndoFindingKind) -> Iterator[list]:
    yield undo_words.report_heads(imported, kind)
    found = iter(import_undo.findings(imported, kind=kind))
    while some := [finding for finding, _place in zip(found, range(AT_ONCE), strict=False)]:
        for line in undo_words.lines(some, user=request.user):
            row = [line.number, line.who, line.what]
            yield [*row, line.ours, line.before, line.present] if kind == UndoFindingKind.CONFLICT else row


def _progress(imported: SpreadsheetImport) -> dict:
    """How far an undo is."""
    done, total = imported.undo_counts.get("rows", 0), imported.rows_done
    return {"done": done, "total": total, "percent": min(100, 100 * done // total) if total else 0}


def _back_to(imported: SpreadsheetImport) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:customers_spreadsheetimport_change", args=[imported.pk]))
