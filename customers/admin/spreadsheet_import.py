"""The pages of an import: upload, review, progress and result, one address for all of them."""

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.dateparse import parse_date
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from customers import clock, doorbell
from customers.admin import import_words, undo_words
from customers.admin.import_undo import OF_AN_UNDO, ImportUndo
from customers.choices import CONSENT_PURPOSES, ImportStatus
from customers.models import SpreadsheetImport
from customers.services import imports
from customers.services.import_columns import CannotMap

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
class SpreadsheetImportAdmin(ImportUndo, ModelAdmin):
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
        try:
            still_holds = imports.review(
                imported, fields=_chosen_fields(request, imported), declaration=_declaration(request)
            )
            if not still_holds:
                self._read(request, imported)
                if request.POST.get("action") == "import":
                    messages.info(
                        request, _("You changed something: here are the new numbers. Nothing is imported yet.")
                    )
            elif request.POST.get("action") == "import":
                self._start(request, imported)
        except (CannotMap, imports.CannotImport) as refusal:
            imported.refresh_from_db()
            if imported.status == ImportStatus.UPLOADED and imported.preview:
                return self._review_page(request, imported, refusal=str(refusal), posted=request.POST)
            messages.error(request, str(refusal))
        return _to_page(imported)

    def discard(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Put an upload aside and delete the file."""
        imported = self._posted(request, pk)
        try:
            imports.discard(imported, now=clock.now())
        except imports.CannotImport as refusal:
            messages.error(request, str(refusal))
            return _to_page(imported)
        self.log_change(request, imported, gettext("Discarded the file without importing it."))
        messages.success(request, _("The file was deleted; nothing was imported."))
        return HttpResponseRedirect(reverse("admin:customers_spreadsheetimport_changelist"))

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

    def _review_page(
        self, request: HttpRequest, imported: SpreadsheetImport, *, refusal: str = "", posted=None
    ) -> HttpResponse:
        preview, counts = imported.preview, imported.preview["counts"]
        declared = imported.declaration
        if posted is not None:
            declared = {key: posted.get(key, "") for key in ("place", "given_on", "wording")}
            declared |= {"channels": posted.getlist("channels"), "purposes": posted.getlist("purposes")}
        columns = import_words.columns(imported)
        refused = [
            {"number": row["number"], "is_lost": row["lost"], "problems": problems}
            for row in preview["refused"]
            if (problems := import_words.problems(row["problems"], user=request.user)) or row["lost"]
        ]
        return self._page(
            request,
            "review",
            imported.file_name,
            imported,
            refusal=refusal,
            blocked=import_words.sentence(preview["blocked"]) if preview["blocked"] else "",
            columns=[column for column in columns if column["field"] or preview["blocked"]],
            ignored=[column for column in columns if not (column["field"] or preview["blocked"])],
            fields=import_words.fields(),
            notices=[import_words.sentence(notice) for notice in imported.notices],
            earlier=imports.earlier_imports(imported).first(),
            tiles=import_words.tiles(imported, counts, is_result=False),
            consent=import_words.consent_lines(imported, counts, is_result=False),
            first=import_words.first_rows(imported, user=request.user),
            refused=refused,
            not_listed=preview["refused_rows"] - len(preview["refused"]),
            is_partial=preview["compared"] < preview["rows"],
            has_consent_column=_has_consent_column(imported),
            declared=declared,
            channels=[(channel.value, channel.label) for channel in imports.DECLARABLE_CHANNELS],
            purposes=[(purpose.value, purpose.label) for purpose in CONSENT_PURPOSES],
            today=clock.shop_date(clock.now()),
            button="" if preview["blocked"] else import_words.button(imported),
        )

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
            tiles=import_words.tiles(imported, counts, is_result=True),
            reasons=import_words.by_reason(imported, counts, is_result=True),
            consent=import_words.consent_lines(imported, counts, is_result=True),
            all_rows=import_words.rows_link(imported),
            took=took if took and took.total_seconds() >= 1 else None,
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
            **context,
        }
        return TemplateResponse(request, f"admin/customers/spreadsheetimport/{name}.html", page)


def _to_page(imported: SpreadsheetImport) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:customers_spreadsheetimport_change", args=[imported.pk]))


def _chosen_fields(request: HttpRequest, imported: SpreadsheetImport) -> dict[int, str | None]:
    """The field chosen for each column; a form of another file has other columns, or none."""
    chosen = {column["index"]: request.POST.get(f"column-{column['index']}") for column in imported.mapping}
    if None in chosen.values():
        raise CannotMap(gettext("This page no longer fits the file. Nothing was saved; check the columns again."))
    return {index: field or None for index, field in chosen.items()}


def _declaration(request: HttpRequest) -> dict:
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


def _has_consent_column(imported: SpreadsheetImport) -> bool:
    return any((column["field"] or "").endswith("consent") for column in imported.mapping)


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
