"""The exports that somebody asked for: how far they are, the way to the file, and who took what out of the house."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from customers import clock
from customers.admin import audit, import_words
from customers.admin.list_export import attachment
from customers.choices import ExportStatus
from customers.models import Export
from customers.services import exports

STATUS_COLORS = {
    ExportStatus.DONE: "success",
    ExportStatus.RUNNING: "info",
    ExportStatus.QUEUED: "info",
    ExportStatus.FAILED: "danger",
}
UNDER_WAY = (ExportStatus.QUEUED, ExportStatus.RUNNING)
SEES_ALL = "customers.view_export"


@admin.register(Export)
class ExportAdmin(ModelAdmin):
    """
    The large exports; each person sees their own, and who may see the history sees everybody's.

    The file is for whoever asked for it alone, as long as they hold the permission.
    """

    list_display = ["what", "asked_for", "rows", "state", "created_by", "created_at", "expires_at"]
    list_display_links = ["what"]
    list_filter = [("status", ChoicesDropdownFilter)]
    list_filter_submit = True
    list_select_related = ["created_by"]
    list_per_page = 50
    show_full_result_count = False
    ordering = ["-id"]
    sortable_by = ()
    actions = None

    @display(description=gettext_lazy("what"))
    def what(self, export: Export) -> str:
        """Which records."""
        return kind_in_words(export)

    @display(description=gettext_lazy("filter"))
    def asked_for(self, export: Export) -> str:
        """Which of them."""
        return export.described or "–"

    @display(description=gettext_lazy("rows"))
    def rows(self, export: Export) -> str:
        """How many they are, or were."""
        return f"{export.rows_total:,}" if export.rows_total else "–"

    @display(description=gettext_lazy("status"), label=STATUS_COLORS)
    def state(self, export: Export) -> tuple[str, str]:
        """The status in a color."""
        return export.status, export.get_status_display()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Export]:
        """One's own; everybody's for those who may see the history."""
        found = super().get_queryset(request)
        return found if request.user.has_perm(SEES_ALL) else found.filter(created_by=request.user)

    def has_view_permission(self, request: HttpRequest, obj: Export | None = None) -> bool:
        """Whoever may export something, or see what others exported."""
        if request.user.has_perm(SEES_ALL):
            return True
        return bool(exports.KINDS.open_to(request.user)) and (obj is None or obj.created_by_id == request.user.pk)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """The entry of the index."""
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """An export begins at its list."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Export | None = None) -> bool:
        """Nobody rewrites what was exported."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Export | None = None) -> bool:
        """The history of exports stays."""
        return False

    def get_urls(self) -> list[URLPattern]:
        """The file and its progress, beside the usual pages."""
        views = [
            ("progress", require_GET(self.progress)),
            ("download", require_GET(self.download)),
            ("delete-file", require_POST(self.delete_file)),
        ]
        return [
            path(
                f"<int:pk>/{address}/",
                self.admin_site.admin_view(view),
                name=f"customers_export_{address.replace('-', '_')}",
            )
            for address, view in views
        ] + super().get_urls()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict | None = None
    ) -> HttpResponse:
        """The page of one export: waiting, progress, the way to the file."""
        if not (object_id.isascii() and object_id.isdigit() and len(object_id) < 19):
            raise Http404
        export = self._found(request, int(object_id))
        page = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": kind_in_words(export),
            **self._standing(request, export),
        }
        return TemplateResponse(request, "admin/customers/export/page.html", page)

    def progress(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The moving part of the page; asks the browser to load the page anew at the end."""
        export = self._found(request, pk)
        if export.status not in UNDER_WAY:
            return HttpResponse(headers={"HX-Refresh": "true"})
        return TemplateResponse(request, "admin/customers/export/bar.html", self._standing(request, export))

    def download(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The file, for whoever asked for it, as long as they may have it."""
        export = self._found(request, pk)
        kind = exports.KINDS.get(export.kind)
        if not kind or not may_have(request, export):
            audit.refuse(request, _("Tried to download an export that is not theirs to have."), model=Export, key=pk)
        try:
            file = exports.collect(export, now=clock.now())
        except exports.CannotExport as refusal:
            messages.error(request, str(refusal))
            return redirect("admin:customers_export_change", pk)
        sentence = _("Downloaded the export: %(kind)s, %(count)s rows.")
        sentence %= {"kind": kind.label, "count": f"{export.rows_total:,}"}
        audit.record_for_all(request, sentence, model=Export, key=pk)
        return attachment(file, kind, export.format)

    def delete_file(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Delete the file before its day is over, or stop its being written."""
        export = self._found(request, pk)
        if export.created_by_id != request.user.pk:
            audit.refuse(request, _("Tried to delete somebody else's export."), model=Export, key=pk)
        if exports.delete_file(export, now=clock.now()):
            audit.record_for_all(request, _("Deleted the file of an export."), model=Export, key=pk)
            messages.success(request, _("The file is deleted."))
        else:
            messages.info(request, _("There is no file any more."))
        return redirect("admin:customers_export_change", pk)

    def _found(self, request: HttpRequest, pk: int) -> Export:
        """The export; whoever guesses the number of somebody else's is refused, and that is written down."""
        export = Export.objects.select_related("created_by").filter(pk=pk).first()
        if not self.has_view_permission(request, export):
            audit.refuse(request, _("Tried to open an export of somebody else."), model=Export, key=pk)
        if export is None:
            raise Http404
        return export

    def _standing(self, request: HttpRequest, export: Export) -> dict:
        return {
            "export": export,
            "kind": kind_in_words(export),
            "is_under_way": export.status in UNDER_WAY,
            "is_theirs": export.created_by_id == request.user.pk,
            "may_have": may_have(request, export),
            **import_words.progress(export, clock.now()),
        }


def may_have(request: HttpRequest, export: Export) -> bool:
    """Whether this reader may have the file: it is theirs, and they hold the permission to this hour."""
    kind = exports.KINDS.get(export.kind)
    is_theirs = export.created_by_id == request.user.pk
    return is_theirs and kind is not None and kind.is_open_to(request.user, shows_addresses=export.shows_addresses)


def kind_in_words(export: Export) -> str:
    """Which records, in words."""
    kind = exports.KINDS.get(export.kind)
    return str(kind.label) if kind else export.kind
