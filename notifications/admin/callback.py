"""What providers pushed to us: read by those who look for what became of a receipt, changed by nobody."""

from collections.abc import Sequence

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.db.models import Func, IntegerField, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import display

from customers.admin.large_list import LargeListMixin
from notifications.admin import states
from notifications.models import Receipt
from notifications.providers.base import spoken

SHOWN_CHARACTERS = 5_000


class ProblemFilter(SimpleListFilter):
    """Callbacks that were not understood in full, or wait."""

    title = gettext_lazy("Show")
    parameter_name = "show"

    def lookups(self, request: HttpRequest, model_admin) -> list[tuple]:
        """Two kinds that somebody looks for."""
        return [("problems", gettext_lazy("With a problem")), ("waiting", gettext_lazy("Waiting"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """The chosen callbacks; each choice walks an index."""
        match self.value():
            case "problems":
                return queryset.exclude(problem="")
            case "waiting":
                return queryset.filter(applied_at=None)
        return queryset


@admin.register(Receipt)
class CallbackAdmin(LargeListMixin, ModelAdmin):
    """Callbacks as they came; they are deleted after some weeks."""

    list_display = ["received", "account", "kind", "size", "condition"]
    list_display_links = ["received"]
    list_filter = [ProblemFilter]
    fields = ["received", "account", "kind", "condition", "tries", "raw"]
    readonly_fields = fields
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Providers write callbacks."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Receipt | None = None) -> bool:
        """What was pushed stays as it came."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Receipt | None = None) -> bool:
        """A job deletes what is old."""
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """The filter of this list; other columns in the address would read the whole table."""
        return lookup == ProblemFilter.parameter_name

    def get_fields(self, request: HttpRequest, obj: Receipt | None = None) -> list[str]:
        """The body holds whole numbers: it is for those who may see them."""
        may_read = request.user.has_perm("customers.view_full_address")
        return [name for name in self.fields if may_read or name != "raw"]

    def rows_of_page(self, request: HttpRequest, keys: Sequence[int]) -> list[Receipt]:
        """The rows of a page without their bodies, of up to a megabyte each."""
        length = Func("body", function="octet_length", output_field=IntegerField())
        rows = Receipt.objects.filter(pk__in=keys).defer("body").annotate(length=length)
        return list(rows.select_related("account").order_by("-pk"))

    @display(description=gettext_lazy("Received at"))
    def received(self, callback: Receipt) -> str:
        """When it came."""
        return states.moment(callback.received_at)

    @display(description=gettext_lazy("Size"))
    def size(self, callback: Receipt) -> str:
        """How large it is."""
        return _("%s bytes") % f"{callback.length:,}"

    @display(description=gettext_lazy("Condition"))
    def condition(self, callback: Receipt) -> SafeString:
        """Whether it was understood."""
        if callback.problem:
            return format_html('<span class="hy-bad">{}</span>', spoken(callback.problem, gettext=_))
        if callback.applied_at is None:
            return format_html('<span class="hy-pill hy-pill-warn">{}</span>', _("Waiting"))
        return format_html('<span class="hy-pill hy-pill-good">{}</span>', _("Understood"))

    @display(description=gettext_lazy("As it came"))
    def raw(self, callback: Receipt) -> SafeString:
        """The beginning of the body."""
        text = bytes(callback.body[: 4 * SHOWN_CHARACTERS]).decode("utf-8", "replace")[:SHOWN_CHARACTERS]
        return format_html('<code class="hy-copy hy-break">{}</code>', states.without_direction(text))
