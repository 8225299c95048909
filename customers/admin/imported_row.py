"""What became of the rows of an imported file, behind every number of the result page."""

from collections.abc import Sequence
from operator import itemgetter

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display

from customers.admin import import_order_words, import_words
from customers.admin.large_list import LargeListMixin
from customers.choices import ImportKind, RowOutcome
from customers.models import Customer, ImportedRow, SpreadsheetImport
from customers.models.contact_point import masked
from customers.services import import_reasons

OUTCOME_COLORS = {
    RowOutcome.CREATED: "success",
    RowOutcome.UPDATED: "info",
    RowOutcome.DUPLICATE: "warning",
    RowOutcome.REJECTED: "danger",
}


class ProblemFilter(admin.SimpleListFilter):
    """The rows with something of one kind to know about."""

    title = _("what to know")
    parameter_name = "problem"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        """What can be wrong with a row."""
        return sorted(
            ((code, gettext(what)) for code, (what, _remedy) in import_reasons.REASONS.items()), key=itemgetter(1)
        )

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """The rows of the file that have this problem."""
        if self.value() not in import_reasons.REASONS:
            return queryset
        return queryset.filter(problems__contains=[{"code": self.value()}])


@admin.register(ImportedRow)
class ImportedRowAdmin(LargeListMixin, ModelAdmin):
    """The rows of one import; nobody changes them."""

    list_display = ["number", "state", "who", "reachable_at", "explanation"]
    list_display_links = None
    list_filter = [ProblemFilter]
    list_filter_sheet = True
    ordering = ["number"]
    actions = None

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None) -> HttpResponse:
        """The rows of one import; without one, the list of imports."""
        imported = None
        if request.GET.get("spreadsheet_import", "").isdecimal():
            imported = SpreadsheetImport.objects.filter(pk=request.GET["spreadsheet_import"]).first()
        if imported is None:
            return HttpResponseRedirect(reverse("admin:customers_spreadsheetimport_changelist"))
        title = gettext("Rows of %(file)s") % {"file": imported.file_name}
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def get_list_display(self, request: HttpRequest) -> list[str]:
        """Rows of an order file name their order."""
        imports = SpreadsheetImport.objects.filter(kind=ImportKind.ORDERS)
        asked = request.GET.get("spreadsheet_import", "")
        if asked.isdecimal() and imports.filter(pk=asked).exists():
            return ["number", "state", "order", *self.list_display[2:]]
        return self.list_display

    @display(description=_("order"))
    def order(self, row: ImportedRow) -> str | SafeString:
        """The order's number, leading to it."""
        if not row.external_id:
            return "–"
        address = import_order_words.order_link(row.external_id)
        return format_html('<a class="hy-link hy-number" href="{}">{}</a>', address, row.external_id)

    def rows_of_page(self, request: HttpRequest, keys: Sequence[int]) -> list[ImportedRow]:
        """The rows in the order of the file."""
        rows = list(ImportedRow.objects.filter(pk__in=keys).select_related("spreadsheet_import").order_by("number"))
        # The undo of an import removes customers, and leaves the rows that tell of them.
        present = set(Customer.objects.filter(pk__in={row.customer_id for row in rows}).values_list("pk", flat=True))
        for row in rows:
            row.reader = request.user
            row.is_customer_there = row.customer_id in present
        return rows

    @display(description=_("outcome"), label=OUTCOME_COLORS)
    def state(self, row: ImportedRow) -> tuple[str, str]:
        """The outcome in a color."""
        return row.outcome, row.get_outcome_display()

    @display(description=_("customer"))
    def who(self, row: ImportedRow) -> str | SafeString:
        """The name in the file, leading to the customer."""
        if not row.is_customer_there:
            return row.name or "–"
        address = reverse("admin:customers_customer_change", args=[row.customer_id])
        name = row.name or gettext("Customer %(number)s") % {"number": row.customer_id}
        return format_html('<a class="hy-link" href="{}">{}</a>', address, name)

    @display(description=_("address"))
    def reachable_at(self, row: ImportedRow) -> str:
        """Phone and e-mail, as this reader may see them."""
        addresses = [address for address in (row.phone, row.email) if address]
        if not row.reader.has_perm("customers.view_full_address"):
            addresses = [masked(address) for address in addresses]
        return " · ".join(addresses) or "–"

    @display(description=_("what to know"))
    def explanation(self, row: ImportedRow) -> str | SafeString:
        """Why the row was refused, or which of its cells were, and what to do."""
        lines = []
        if row.duplicate_of:
            is_order = row.spreadsheet_import.kind == ImportKind.ORDERS
            words = (
                gettext("Same order as row %(number)d.") if is_order else gettext("Same customer as row %(number)d.")
            )
            lines.append(words % {"number": row.duplicate_of})
        if row.opt_out_kept:
            lines.append(gettext("Agrees in the file, but has opted out: the opt-out was kept."))
        found = import_words.problems(row.problems, user=row.reader)
        for problem in found:
            cell = f" “{problem['cell']}”" if problem["cell"] else ""
            lines.append(f"{problem['column']}{cell}: {problem['problem']}. {problem['remedy']}".removeprefix(": "))
        if row.reason and row.reason not in {problem["code"] for problem in row.problems}:
            problem, remedy = import_words.reason(row.reason)
            lines.append(f"{problem}. {remedy}")
        return format_html_join(SafeString("<br>"), "{}", ((line,) for line in lines)) if lines else "–"

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Reached from the result of an import, not from the menu."""
        return False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Rows are written by imports."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: ImportedRow | None = None) -> bool:
        """Rows are not changed."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ImportedRow | None = None) -> bool:
        """Rows are not deleted."""
        return False
