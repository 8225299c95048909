"""The marked file on the pages of an import: asked for, watched while a worker writes it, and downloaded."""

from pathlib import Path
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from customers import clock, doorbell
from customers.admin import audit
from customers.choices import ExportStatus, ImportStatus
from customers.models import MarkedFile, SpreadsheetImport
from customers.services import imports, marked_files, mended_copies

TEXT_FILES = (".csv", ".txt", ".tsv")


class MarkedFilePages:
    """The addresses of marked files, for the ModelAdmin of imports."""

    def get_urls(self) -> list[URLPattern]:
        """The marked file beside the steps of the import."""
        views = [
            ("marked/", "ask_marked", require_POST(self.ask_marked)),
            ("marked/progress/", "marked_progress", require_GET(self.marked_progress)),
            ("marked/<int:marked_id>/", "marked_file", require_GET(self.marked_file)),
        ]
        return [
            path(f"<int:pk>/{address}", self.admin_site.admin_view(view), name=f"customers_spreadsheetimport_{name}")
            for address, name, view in views
        ] + super().get_urls()

    def ask_marked(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Write a small file at once and hand it out; leave a large one to a worker."""
        imported = self._of_marked(request, pk)
        page = reverse("admin:customers_spreadsheetimport_change", args=[pk])
        try:
            asked = marked_files.ask(
                imported,
                only_marked=request.POST.get("rows") == "to_mend",
                as_workbook=bool(request.POST.get("as_workbook")),
                language=get_language(),
                by=request.user,
                now=clock.now(),
            )
        except marked_files.CannotMarkFile as refusal:
            messages.error(request, str(refusal))
            return HttpResponseRedirect(page)
        if imports.is_quickly_read(imported):
            marked_files.write(asked.pk, clock=clock.now)
            asked.refresh_from_db()
        elif asked.status == ExportStatus.QUEUED and not doorbell.ring(
            "customers.jobs.write_marked_file", queue="default", marked_id=asked.pk
        ):
            messages.warning(request, _("The workers do not answer. Nothing is lost: the file will be written later."))
        if asked.status == ExportStatus.DONE:
            return HttpResponseRedirect(reverse("admin:customers_spreadsheetimport_marked_file", args=[pk, asked.pk]))
        if asked.status == ExportStatus.FAILED:
            messages.error(request, asked.complaint)
        return HttpResponseRedirect(f"{page}#marked")

    def marked_progress(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The moving part of the card: how far a worker is, then the way to the file."""
        imported = self._of_marked(request, pk)
        context = {"imported": imported, "marked": self.marked_standing(request, imported)}
        return TemplateResponse(request, "admin/customers/spreadsheetimport/marked_state.html", context)

    def marked_file(self, request: HttpRequest, pk: int, marked_id: int) -> HttpResponse:
        """The file."""
        imported = self._of_marked(request, pk)
        kept = imported.marked_files.select_related("spreadsheet_import").filter(pk=marked_id).first()
        if kept is None:
            raise Http404
        try:
            stored = marked_files.path_of(kept)
        except marked_files.CannotMarkFile as refusal:
            messages.error(request, str(refusal))
            return HttpResponseRedirect(reverse("admin:customers_spreadsheetimport_change", args=[pk]))
        name = marked_files.file_name(kept)
        sentence = gettext("Downloaded the marked file “%(name)s”.") % {"name": name}
        audit.record_for_all(request, sentence, model=SpreadsheetImport, key=imported.pk)
        return FileResponse(
            stored.open("rb"), as_attachment=True, filename=name, content_type=marked_files.content_type(kept)
        )

    def marked_standing(self, request: HttpRequest, imported: SpreadsheetImport | None) -> dict[str, Any]:
        """What the card shows: whether there is something to mark, and the file that was asked for last."""
        if imported is None or not marked_files.is_offered(imported) or not _may_have(request, imported):
            return {}
        kept: MarkedFile | None = marked_files.latest(imported, language=get_language())
        total = imported.rows_total
        return {
            "kept": kept,
            "is_under_way": kept is not None and kept.status in (ExportStatus.QUEUED, ExportStatus.RUNNING),
            "percent": min(100, 100 * kept.rows_done // total) if kept and total else 0,
            "is_text": Path(imported.file_name).suffix.lower() in TEXT_FILES,
            "is_preview": imported.status == ImportStatus.UPLOADED,
            "has_something": marked_files.has_something(imported),
        }

    def mended_standing(self, imported: SpreadsheetImport | None) -> dict[str, Any]:
        """What the review says of a mended copy, if the upload is one."""
        is_reviewed = imported is not None and imported.status == ImportStatus.UPLOADED
        return mended_copies.progress(imported) if is_reviewed else {}

    def _of_marked(self, request: HttpRequest, pk: int) -> SpreadsheetImport:
        """The import whose file somebody asks for; whoever may not have it is refused, and that is written down."""
        imported = SpreadsheetImport.objects.select_related("created_by").filter(pk=pk).first()
        if not request.user.has_perm("customers.import_customer"):
            raise PermissionDenied
        if imported is None:
            raise Http404
        if not _may_have(request, imported):
            audit.refuse(
                request, gettext("Tried to get somebody else's file marked."), model=SpreadsheetImport, key=pk
            )
        return imported


def _may_have(request: HttpRequest, imported: SpreadsheetImport) -> bool:
    """The file holds people's data as it was uploaded: it is for whoever imports, and before that for its owner."""
    if not request.user.has_perm("customers.import_customer"):
        return False
    return imported.status != ImportStatus.UPLOADED or imports.may_decide(imported, request.user)
