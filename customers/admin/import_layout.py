"""The pages of import layouts: the list, a form of columns and meanings, and a copy with one click."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display

from customers import clock
from customers.admin.import_review import MEANINGS
from customers.choices import ImportKind, Platform
from customers.models import ImportLayout
from customers.services import import_layouts
from customers.services.import_layouts import CannotKeepLayout
from customers.spreadsheets.fields import FIELD, fields_of

# Lines that wait for what staff want to add; saving the page brings as many again.
EMPTY_COLUMNS = 4
EMPTY_WORDS = 2


@admin.register(ImportLayout)
class ImportLayoutAdmin(ModelAdmin):
    """How files are recognized, and what their columns mean."""

    list_display = ["title", "holds", "recognized_by", "is_ours", "in_use", "copy_button"]
    list_display_links = ["title"]
    search_fields = ["name"]
    fields = ["name"]
    list_per_page = 50
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[ImportLayout]:
        """Layouts in the order in which they are tried."""
        return super().get_queryset(request).in_turn()

    @display(description=_("layout"))
    def title(self, layout: ImportLayout) -> str:
        """Its name in the reader's language."""
        return str(layout)

    @display(description=_("holds"))
    def holds(self, layout: ImportLayout) -> str:
        """Customers or orders."""
        return layout.get_kind_display()

    @display(description=_("recognized by"))
    def recognized_by(self, layout: ImportLayout) -> str:
        """The columns that a file must have."""
        return "、".join(entry.replace("|", "/") for entry in layout.required)

    @display(description=_("comes from"), label={"bundled": "info", "own": "success"})
    def is_ours(self, layout: ImportLayout) -> tuple[str, str]:
        """Whether it came with Hongyan."""
        return ("bundled", gettext("Hongyan")) if layout.is_bundled else ("own", gettext("the shop"))

    @display(description=_("in use"), boolean=True)
    def in_use(self, layout: ImportLayout) -> bool:
        """Whether files are recognized by it."""
        return layout.is_active

    @display(description="")
    def copy_button(self, layout: ImportLayout) -> SafeString:
        """Copying with one click; the list's own form carries the token."""
        return format_html(
            '<button type="submit" class="hy-button" formmethod="post" formaction="{}">{}</button>',
            reverse("admin:customers_importlayout_copy", args=[layout.pk]),
            _("Copy"),
        )

    def get_list_display(self, request: HttpRequest) -> list[str]:
        """Who may not add a layout sees no button for it."""
        return self.list_display if self.has_add_permission(request) else self.list_display[:-1]

    def has_delete_permission(self, request: HttpRequest, obj: ImportLayout | None = None) -> bool:
        """Layouts that came with Hongyan stay."""
        return super().has_delete_permission(request, obj) and not (obj and obj.is_bundled)

    def get_urls(self) -> list:
        """Copying, beside the usual addresses."""
        copying = self.admin_site.admin_view(self.copy_view)
        return [path("<int:pk>/copy/", copying, name="customers_importlayout_copy"), *super().get_urls()]

    def copy_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Make a copy that the shop may change."""
        if request.method != "POST" or not self.has_add_permission(request):
            raise PermissionDenied
        source = self.get_object(request, str(pk))
        if source is None:
            raise Http404
        twin = import_layouts.copy(source, by=request.user, now=clock.now())
        self.log_addition(request, twin, gettext("Copied from “%(name)s”.") % {"name": source})
        messages.success(
            request,
            _("This is your own copy of “%(name)s”. It is tried first, so files of this kind now follow it.")
            % {"name": source},
        )
        return HttpResponseRedirect(reverse("admin:customers_importlayout_change", args=[twin.pk]))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict | None = None) -> HttpResponse:
        """A new layout of the shop's own."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return self._keep(request, import_layouts.blank(_posted(request)))
        return self._page(request, import_layouts.blank({}), may_edit=True)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict | None = None
    ) -> HttpResponse:
        """The layout as sentences for whoever may only look, and as a form for whoever may change it."""
        layout = self.get_object(request, object_id)
        if layout is None:
            raise Http404
        if not self.has_view_permission(request, layout):
            raise PermissionDenied
        may_edit = self.has_change_permission(request, layout) and not layout.is_bundled
        if request.method == "POST":
            if not may_edit:
                raise PermissionDenied
            return self._keep(request, layout)
        return self._page(request, layout, may_edit=may_edit)

    def _keep(self, request: HttpRequest, layout: ImportLayout) -> HttpResponse:
        is_new = layout.pk is None
        values = _posted(request)
        try:
            import_layouts.keep(layout, values, by=request.user, now=clock.now())
        except CannotKeepLayout as refusal:
            return self._page(request, layout, may_edit=True, values=values, complaints=refusal.sentences)
        log = self.log_addition if is_new else self.log_change
        log(request, layout, gettext("Saved its columns: %(count)d.") % {"count": len(layout.fields)})
        messages.success(request, _("Saved. Files with these columns follow it from now on."))
        return HttpResponseRedirect(reverse("admin:customers_importlayout_change", args=[layout.pk]))

    def _page(
        self,
        request: HttpRequest,
        layout: ImportLayout,
        *,
        may_edit: bool,
        values: Mapping[str, Any] | None = None,
        complaints: Sequence[str] = (),
    ) -> TemplateResponse:
        shown = values or _stored(layout)
        page = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": str(layout) if layout.pk else gettext("New layout"),
            "layout": layout,
            "values": shown,
            "complaints": complaints,
            "may_edit": may_edit,
            "may_copy": self.has_add_permission(request) and layout.pk is not None,
            "may_delete": layout.pk is not None and self.has_delete_permission(request, layout),
            "kinds": ImportKind.choices,
            "platforms": [("", _("none, or several")), *Platform.choices],
            "meanings": MEANINGS,
            "refusals": import_layouts.refusal_choices(),
            "fields": [
                ("", _("not imported")),
                *((field.key, gettext(field.label)) for field in fields_of(shown["kind"])),
            ],
            "columns": _columns(shown, EMPTY_COLUMNS if may_edit else 0),
            "words": [*shown["consent_words"].items(), *([("", "")] * (EMPTY_WORDS if may_edit else 0))],
        }
        return TemplateResponse(request, "admin/customers/importlayout/form.html", page)


def _posted(request: HttpRequest) -> dict[str, Any]:
    """What the form says, as plain values; the service judges them."""
    form = request.POST
    words = zip(form.getlist("cell"), form.getlist("meaning"), strict=False)
    return {
        "name": form.get("name", ""),
        "kind": form.get("kind", ImportKind.CUSTOMERS.value),
        "platform": form.get("platform", ""),
        "required": form.get("required", "").splitlines(),
        "fields": [list(pair) for pair in zip(form.getlist("header"), form.getlist("field"), strict=False)],
        "consent_words": {cell: meaning for cell, meaning in words if cell.strip()},
        "notice": form.get("notice", ""),
        "advice": form.get("advice", ""),
        "refused_as": form.get("refused_as", ""),
        "is_active": "is_active" in form,
    }


def _stored(layout: ImportLayout) -> dict[str, Any]:
    """The layout as its form shows it, in the reader's language where it came with Hongyan."""
    notice, advice = layout.notice, layout.advice
    if layout.is_bundled:
        notice = gettext(notice) % {"label": layout} if notice else ""
        advice = gettext(advice) if advice else ""
    return {
        "name": str(layout),
        "kind": layout.kind,
        "platform": layout.platform,
        "required": layout.required,
        "fields": layout.fields,
        "consent_words": layout.consent_words,
        "notice": notice,
        "advice": advice,
        "refused_as": layout.refused_as,
        "is_active": layout.is_active,
    }


def _columns(values: Mapping[str, Any], empty: int) -> list[dict[str, Any]]:
    """The columns with the words for what they fill; those that are not imported at the end."""
    pairs = sorted(values["fields"], key=lambda pair: pair[1] == "")
    named = [
        {"header": header, "field": field, "label": gettext(FIELD[field].label) if field in FIELD else ""}
        for header, field in pairs
    ]
    return [*named, *({"header": "", "field": "", "label": ""} for _place in range(empty))]
