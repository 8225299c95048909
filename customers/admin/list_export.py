"""The export of a list: what it shows for a search and filters, at once where it is short, else by a worker."""

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters, ModelAdmin
from django.contrib.admin.views.main import ERROR_FLAG, ChangeList
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.messages.storage.cookie import CookieStorage
from django.db.models import Model, QuerySet
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from import_export.admin import ExportMixin

from customers import clock, doorbell, phone
from customers.admin import audit
from customers.choices import ExportFormat
from customers.models import Export
from customers.services import exports

IN_MEMORY = 8 * 1024 * 1024
LONGEST_WORDS = 60
# Words of an address that say how a list is looked at, and not what is in it.
SILENT = ("_changelist_filters", "p", "o", "e", "all")
CONTENT_TYPES = {
    ExportFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ExportFormat.CSV: "text/csv",
}


class ListExport(ExportMixin):
    """The export of a list, for a ModelAdmin; `export_kind` names it among `exports.KINDS`."""

    import_export_change_list_template = "admin/import_export/change_list_export.html"
    export_kind = ""

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Who may take these records out of the house."""
        return self.has_view_permission(request) and request.user.has_perm(exports.KINDS[self.export_kind].permission)

    def export_action(self, request: HttpRequest) -> HttpResponse:
        """The page and the file; a filter that cannot be asked leads back to the list, which says so."""
        if not self.has_export_permission(request):
            audit.refuse(request, _("Tried to export without the permission."), model=self.model)
        try:
            changelist = listed(self, request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(f"{self._export_list_address()}?{ERROR_FLAG}=1")
        kind = exports.KINDS[self.export_kind]
        if request.method == "POST" and request.POST.get("format") in kind.formats:
            return self._export(request, kind, changelist)
        return TemplateResponse(
            request, "admin/customers/export/ask.html", self._export_page(request, kind, changelist)
        )

    def _export_page(self, request: HttpRequest, kind: exports.Kind, changelist: ChangeList) -> dict:
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Export"),
            "kind": kind,
            "formats": [(value.value, value.label) for value in kind.formats],
            "size": changelist.paginator.size,
            "described": in_words(changelist),
            "shows_addresses": request.user.has_perm(exports.WHOLE_ADDRESSES),
            "at_once": exports.AT_ONCE,
            "list_address": f"{self._export_list_address()}?{request.GET.urlencode()}",
        }

    def _export(self, request: HttpRequest, kind: exports.Kind, changelist: ChangeList) -> HttpResponse:
        keys = changelist.paginator.first_keys
        if not keys:
            messages.warning(request, _("Nothing fits this filter, so there is nothing to export."))
            return HttpResponseRedirect(f"{self._export_list_address()}?{request.GET.urlencode()}")
        wanted = Wanted(
            kind=kind,
            model=self.model,
            file_format=request.POST["format"],
            question=question_of(request.GET),
            described=in_words(changelist),
            keys=keys,
            back=request.get_full_path(),
        )
        return answer(request, wanted)

    def _export_list_address(self) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")


@dataclass(frozen=True)
class Wanted:
    """
    A file that somebody wants: which rows, in the words of an address and in those of people.

    `keys` are those of all rows, or more of them than are written at once; `back` is the page the click came from.
    """

    kind: exports.Kind
    model: type[Model]
    file_format: str
    question: str
    described: str
    keys: Sequence[int]
    back: str
    key: int | None = None


def answer(request: HttpRequest, wanted: Wanted) -> HttpResponse:
    """A short file at once; a long one is left to a worker, and its page shows how far it is."""
    if len(wanted.keys) <= exports.AT_ONCE:
        return _file(request, wanted)
    try:
        export = exports.ask(
            wanted.kind,
            question=wanted.question,
            described=wanted.described,
            file_format=wanted.file_format,
            by=request.user,
            now=clock.now(),
        )
    except exports.CannotExport as refusal:
        messages.error(request, str(refusal))
        return HttpResponseRedirect(wanted.back)
    sentence = _("Asked for an export: %(kind)s as %(format)s.")
    sentence %= {"kind": wanted.kind.label, "format": wanted.file_format}
    scoped = _with_scope(sentence, wanted.described, export.shows_addresses)
    audit.record_for_all(request, scoped, model=Export, key=export.pk)
    if not doorbell.ring("customers.jobs.run_export", queue="default", export_id=export.pk):
        messages.warning(request, _("The workers do not answer. Nothing is lost: the file will be written later."))
    return HttpResponseRedirect(reverse("admin:customers_export_change", args=[export.pk]))


def listed(model_admin: ModelAdmin, request: HttpRequest) -> ChangeList:
    """The list as this request asks for it, without what says how it is looked at."""
    asked = request.GET
    try:
        request.GET = QueryDict(question_of(asked))
        return model_admin.get_changelist_instance(request)
    finally:
        request.GET = asked


def rows_asked(model: type[Model], question: str, person: AbstractBaseUser) -> QuerySet:
    """The rows that the list of a model shows this person for a question in its address; for workers."""
    request = HttpRequest()
    request.method = "GET"
    request.user = person
    request.GET = QueryDict(question)
    # Filters and searches say things to the reader of a page; here is none.
    request._messages = CookieStorage(request)
    return admin.site.get_model_admin(model).get_changelist_instance(request).queryset


def question_of(asked: QueryDict) -> str:
    """What an address asks of a list; the same question is the same text."""
    kept = QueryDict(mutable=True)
    for name in sorted(asked):
        if name not in SILENT:
            kept.setlist(name, asked.getlist(name))
    return kept.urlencode()


def in_words(changelist: ChangeList) -> str:
    """
    The search and the filters of a list in words, and of a person who was searched for as little as can be.

    They outlive the customers, so they hold nothing personal.
    """
    said = [_("search: %(term)s") % {"term": _discreet(changelist.query)}] if changelist.query else []
    answered = set()
    for spec in changelist.filter_specs:
        value = _value_of(spec)
        if value:
            said.append(f"{spec.title}: {_label_of(spec, value)}")
        answered.update(spec.expected_parameters())
    for name, values in changelist.get_filters_params().items():
        if name not in answered:
            said.append(f"{name}: {_discreet(values[-1] if values else '')}")
    return "; ".join(str(part) for part in said)


def _file(request: HttpRequest, wanted: Wanted) -> HttpResponse:
    shows_addresses = request.user.has_perm(exports.WHOLE_ADDRESSES)
    # The response closes it, and with that the disk forgets it.
    file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115
    count = exports.write(
        file,
        wanted.kind,
        question=wanted.question,
        file_format=wanted.file_format,
        keys=wanted.keys,
        shows_addresses=shows_addresses,
    )
    sentence = ngettext(
        "Exported %(count)s row as %(format)s: %(kind)s.", "Exported %(count)s rows as %(format)s: %(kind)s.", count
    ) % {"count": f"{count:,}", "format": wanted.file_format, "kind": wanted.kind.label}
    scoped = _with_scope(sentence, wanted.described, shows_addresses)
    audit.record_for_all(request, scoped, model=wanted.model, key=wanted.key)
    file.seek(0)
    return attachment(file, wanted.kind, wanted.file_format)


def attachment(file, kind: exports.Kind, file_format: str) -> FileResponse:
    """The file as a download that no cache keeps."""
    name = f"{kind.label}-{clock.shop_date(clock.now()):%Y-%m-%d}.{file_format}"
    response = FileResponse(file, as_attachment=True, filename=name, content_type=CONTENT_TYPES[file_format])
    response["Cache-Control"] = "no-store, private"
    return response


def _with_scope(sentence: str, described: str, shows_addresses: bool) -> str:
    whole = _("Whole numbers and addresses.") if shows_addresses else _("Masked numbers and addresses.")
    asked = _("Filter: %(words)s.") % {"words": described} if described else _("No filter.")
    return f"{sentence} {asked} {whole}"


def _discreet(term: str) -> str:
    """A term of a search without the person in it."""
    number = phone.normalize(term).number
    if number:
        return phone.mask(number)
    if term.isascii() and term.isdigit() and len(term) < 7:
        return term
    return _("(a word that may name a person)")


def _value_of(spec: object) -> str:
    if hasattr(spec, "value"):
        return str(spec.value() or "")
    values: Iterable = getattr(spec, "used_parameters", {}).values()
    return ", ".join(str(value) for value in values)


def _label_of(spec: object, value: str) -> str:
    """The words of a filter's answer; what was typed stands for itself."""
    for key, label in getattr(spec, "lookup_choices", ()) or ():
        if isinstance(label, (list, tuple)):
            for inner, words in label:
                if str(inner) == value:
                    return str(words)
        elif str(key) == value:
            return str(label)
    number = phone.normalize(value).number
    return phone.mask(number) if number else value[:LONGEST_WORDS]
