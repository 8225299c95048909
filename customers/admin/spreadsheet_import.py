"""The pages of an import: upload, review, progress and result, one address for all of them."""

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from customers import clock, doorbell
from customers.admin import import_order_words, import_review, import_words, undo_words
from customers.admin.import_conflicts import ImportConflicts
from customers.admin.import_undo import OF_AN_UNDO, ImportUndo
from customers.admin.marked_files import MarkedFilePages
from customers.choices import ImportStatus
from customers.models import SpreadsheetImport
from customers.services import import_columns, import_layouts, imports
from customers.services.import_columns import CannotMap
from customers.services.import_options import CannotChoose

STATUS_COLORS = {
    ImportStatus.DONE: "success",
    ImportStatus.RUNNING: "info",
    ImportStatus.QUEUED: "info",
    ImportStatus.UPLOADED: "warning",
    ImportStatus.FAILED: "danger",
    ImportStatus.REFUSED: "danger",
    ImportStatus.UNDOING: "info",
    ImportStatus.UNDONE: "warning",
}
UNDER_WAY = (ImportStatus.QUEUED, ImportStatus.RUNNING)


@admin.register(SpreadsheetImport)
class SpreadsheetImportAdmin(ImportUndo, MarkedFilePages, ImportConflicts, ModelAdmin):
    """Customer files: the list of those imported, and the way of a new one."""

    list_display = ["file_name", "state", "outcome", "created_by", "created_at"]
    list_filter = [("status", ChoicesDropdownFilter)]
    list_filter_submit = True
    list_select_related = ["created_by"]
    search_fields = ["file_name"]
    list_per_page = 50
    show_full_result_count = False
    ordering = ["-id"]
    actions = None

    @display(description=_("status"), label=STATUS_COLORS)
    def state(self, imported: SpreadsheetImport) -> tuple[str, str]:
        """The status in a color."""
        return imported.status, imported.get_status_display()

    @display(description=_("result"))
    def outcome(self, imported: SpreadsheetImport) -> str:
        """What became of the rows, in one line."""
        if imported.status in OF_AN_UNDO:
            return undo_words.outcome(imported)
        if imported.error:
            return imported.complaint
        if imported.status in UNDER_WAY:
            return gettext("%(done)d of %(total)d rows") % {"done": imported.rows_done, "total": imported.rows_total}
        if imported.status != ImportStatus.DONE:
            return "–"
        values = {key: imported.counts.get(key, 0) for key in ("created", "updated", "rejected")}
        return gettext("%(created)d new, %(updated)d updated, %(rejected)d rejected") % values

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Who may import customers."""
        return request.user.has_perm("customers.import_customer")

    def has_change_permission(self, request: HttpRequest, obj: SpreadsheetImport | None = None) -> bool:
        """Who may review and start an import."""
        return request.user.has_perm("customers.import_customer")

    def has_delete_permission(self, request: HttpRequest, obj: SpreadsheetImport | None = None) -> bool:
        """The history of imports stays."""
        return False

    def get_urls(self) -> list:
        """The steps of an import beside the theme's own addresses."""
        steps = [("review", self.review), ("discard", self.discard), ("progress", self.progress)]
        steps.append(("layout", self.keep_layout))
        return [
            path(f"<int:pk>/{name}/", self.admin_site.admin_view(view), name=f"customers_spreadsheetimport_{name}")
            for name, view in steps
        ] + super().get_urls()

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict | None = None) -> HttpResponse:
        """The upload page, and the upload."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return self._upload(request)
        megabytes = settings.UPLOAD_MAX_BYTES // 1024 // 1024
        return self._page(request, "upload", gettext("Import customers"), megabytes=megabytes)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context=None
    ) -> HttpResponse:
        """The page of the step that the import has reached."""
        imported = self.get_object(request, object_id)
        if imported is None:
            raise Http404
        if not self.has_view_permission(request, imported):
            raise PermissionDenied
        if imported.status == ImportStatus.UPLOADED and imported.preview:
            return self._review_page(request, imported)
        if imported.status == ImportStatus.UPLOADED or imported.status in UNDER_WAY:
            return self._page(request, "progress", imported.file_name, imported, **self._progress(imported))
        return self._result_page(request, imported)

    def review(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Keep what was chosen, and start the import if that was asked for."""
        imported = self._posted(request, pk)
        if not self._may_decide(request, imported):
            return _to_page(imported)
        try:
            still_holds = imports.review(
                imported,
                fields=import_review.chosen_fields(request, imported),
                declaration=import_review.declaration(request),
                kind=request.POST.get("kind", ""),
                choices=request.POST,
            )
            if not still_holds:
                self._read(request, imported)
                if request.POST.get("action") == "import":
                    messages.info(
                        request, _("You changed something: here are the new numbers. Nothing is imported yet.")
                    )
            elif request.POST.get("action") == "import":
                self._start(request, imported)
        except (CannotMap, CannotChoose, imports.CannotImport) as refusal:
            imported.refresh_from_db()
            if imported.status == ImportStatus.UPLOADED and imported.preview:
                return self._review_page(request, imported, refusal=str(refusal), posted=request.POST)
            messages.error(request, str(refusal))
        return _to_page(imported)

    def discard(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Put an upload aside and delete the file."""
        imported = self._posted(request, pk)
        if not self._may_decide(request, imported):
            return _to_page(imported)
        try:
            imports.discard(imported, now=clock.now())
        except imports.CannotImport as refusal:
            messages.error(request, str(refusal))
            return _to_page(imported)
        self.log_change(request, imported, gettext("Discarded the file without importing it."))
        messages.success(request, _("The file was deleted; nothing was imported."))
        return HttpResponseRedirect(reverse("admin:customers_spreadsheetimport_changelist"))

    def keep_layout(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Keep the columns of this file as a layout, for every later file with these headers."""
        imported = self._posted(request, pk)
        if not request.user.has_perm("customers.add_importlayout"):
            raise PermissionDenied
        if not self._may_decide(request, imported):
            return _to_page(imported)
        try:
            layout = import_layouts.from_columns(
                import_columns.from_json(imported.mapping),
                name=request.POST.get("layout_name", ""),
                kind=imported.kind,
                platform=imported.options.get("platform", ""),
                consent_words=imported.options.get("consent_words", {}),
                by=request.user,
                now=clock.now(),
            )
        except import_layouts.CannotKeepLayout as refusal:
            messages.error(request, str(refusal))
            return _to_page(imported)
        self.log_change(request, imported, gettext("Kept its columns as the layout “%(name)s”.") % {"name": layout})
        messages.success(request, _("Files with these columns are now recognized as “%(name)s”.") % {"name": layout})
        return _to_page(imported)

    def progress(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The moving part of the progress page; asks the browser to load the next page at the end."""
        imported = self.get_object(request, str(pk))
        if imported is None:
            raise Http404
        if not self.has_view_permission(request, imported):
            raise PermissionDenied
        if imported.status not in UNDER_WAY and (imported.preview or imported.status != ImportStatus.UPLOADED):
            return HttpResponse(headers={"HX-Refresh": "true"})
        context = {"imported": imported, **self._progress(imported)}
        return TemplateResponse(request, "admin/customers/spreadsheetimport/bar.html", context)

    def _upload(self, request: HttpRequest) -> HttpResponse:
        file = request.FILES.get("file")
        if file is None:
            messages.error(request, _("Choose a file first."))
            return HttpResponseRedirect(request.path)
        try:
            imported = imports.upload(file.chunks(), file_name=file.name, by=request.user, now=clock.now())
        except imports.CannotImport as refusal:
            messages.error(request, str(refusal))
            return HttpResponseRedirect(request.path)
        self.log_addition(request, imported, gettext("Uploaded a customer file."))
        self._read(request, imported)
        return _to_page(imported)

    def _read(self, request: HttpRequest, imported: SpreadsheetImport) -> None:
        """Read a small file at once; a large one is read by a worker while the page waits."""
        if imports.is_quickly_read(imported):
            imports.read(imported, now=clock.now())
        elif not doorbell.ring("customers.jobs.read_upload", queue="default", import_id=imported.pk):
            messages.warning(request, _("The workers do not answer; the file is kept and will be read later."))

    def _start(self, request: HttpRequest, imported: SpreadsheetImport) -> None:
        imports.start(imported)
        self.log_change(request, imported, _log_of_start(imported))
        if not doorbell.ring("customers.jobs.run_import", queue="default", import_id=imported.pk):
            messages.warning(request, _("The workers do not answer. Nothing is lost: the import will start later."))

    def _posted(self, request: HttpRequest, pk: int) -> SpreadsheetImport:
        if request.method != "POST" or not self.has_change_permission(request):
            raise PermissionDenied
        imported = self.get_object(request, str(pk))
        if imported is None:
            raise Http404
        return imported

    def _may_decide(self, request: HttpRequest, imported: SpreadsheetImport) -> bool:
        """Whether this person decides about this upload; says so to whoever does not."""
        if imports.may_decide(imported, request.user):
            return True
        messages.error(request, import_words.of_another(imported))
        return False

    def _review_page(
        self, request: HttpRequest, imported: SpreadsheetImport, *, refusal: str = "", posted=None
    ) -> HttpResponse:
        shown = import_review.context(request, imported, refusal=refusal, posted=posted)
        may_decide = self.has_change_permission(request) and imports.may_decide(imported, request.user)
        shown |= {"may_import": may_decide, "is_of_another": not may_decide and self.has_change_permission(request)}
        shown["of_another"] = import_words.of_another(imported)
        shown |= {"may_keep_layout": may_decide and request.user.has_perm("customers.add_importlayout")}
        return self._page(request, "review", imported.file_name, imported, **shown)

    def _result_page(self, request: HttpRequest, imported: SpreadsheetImport) -> HttpResponse:
        counts = imported.counts
        took = imported.finished_at - imported.started_at if imported.started_at and imported.finished_at else None
        return self._page(
            request,
            "result",
            imported.file_name,
            imported,
            is_done=imported.status in (ImportStatus.DONE, *OF_AN_UNDO),
            **self.undo_section(request, imported),
            **self.conflict_section(request, imported),
            tiles=import_words.tiles(imported, counts, is_result=True),
            reasons=import_words.by_reason(imported, counts, is_result=True),
            consent=import_words.consent_lines(imported, counts, is_result=True),
            all_rows=import_words.rows_link(imported),
            took=took if took and took.total_seconds() >= 1 else None,
            **import_order_words.result(counts),
        )

    def _progress(self, imported: SpreadsheetImport) -> dict:
        return import_words.progress(imported, clock.now()) | {"is_reading": imported.status == ImportStatus.UPLOADED}

    def _page(
        self, request: HttpRequest, name: str, title: str, imported: SpreadsheetImport | None = None, **context
    ) -> TemplateResponse:
        page = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "imported": imported,
            "may_import": self.has_change_permission(request),
            "marked": self.marked_standing(request, imported),
            "mended": self.mended_standing(imported),
            **context,
        }
        return TemplateResponse(request, f"admin/customers/spreadsheetimport/{name}.html", page)


def _to_page(imported: SpreadsheetImport) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:customers_spreadsheetimport_change", args=[imported.pk]))


def _log_of_start(imported: SpreadsheetImport) -> str:
    rows = imported.preview["rows"]
    text = ngettext("Started the import of %(count)d row.", "Started the import of %(count)d rows.", rows)
    text %= {"count": rows}
    if imported.declaration:
        text += " " + gettext("Declared consent for: %(channels)s; %(purposes)s. “%(wording)s”") % {
            "channels": ", ".join(imported.declaration["channels"]),
            "purposes": ", ".join(imported.declaration["purposes"]),
            "wording": imported.declaration["wording"],
        }
    return text
