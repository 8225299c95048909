"""Calls that staff owe to customers: the work list, and what one click does."""

from collections.abc import Callable, Sequence

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.decorators import display

from customers import clock
from customers.admin import follow_up_card
from customers.admin.large_list import LargeChangeList, LargeListMixin
from customers.models import Customer, FollowUp
from customers.services import follow_ups
from notifications.admin import follow_up_page, follow_up_report, follow_up_words
from notifications.admin.follow_up_filters import FILTERS, SHOW, TO_DO, shown_by

LONGEST_SEARCH = 60
FOUND_AT_MOST = 1_000
PERMISSION = "customers.change_followup"


class FollowUpChangeList(LargeChangeList):
    """What is to be done, the most urgent first; everything else newest first."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet) -> list[str]:
        """By the time until which somebody should call, where somebody still has to."""
        is_work = shown_by(request) in TO_DO and not request.GET.get("q")
        return ["due_at", "pk"] if is_work else ["-pk"]


@admin.register(FollowUp)
class FollowUpAdmin(LargeListMixin, ModelAdmin):
    """The work list, the page of a call with all it needs, and the report."""

    list_display = ["when", "who", "what", "person"]
    list_display_links = ["when"]
    list_filter = FILTERS
    list_filter_sheet = True
    list_before_template = "admin/customers/followup/choice.html"
    search_fields = ["customer"]
    search_help_text = gettext_lazy("Name, whole number, last four digits, e-mail, or order number")
    fields = ["when", "who", "what", "person"]
    readonly_fields = fields
    actions = None

    # The list ------------------------------------------------------------------------------------

    def get_changelist(self, request: HttpRequest, **kwargs) -> type[LargeChangeList]:
        """The list in the order of work."""
        return FollowUpChangeList

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None) -> TemplateResponse:
        """The list, with its parts and how much waits in each above it."""
        extra = {
            "choices": follow_up_words.choices(SHOW, shown_by(request), user=request.user, now=clock.now()),
            "report_url": reverse("admin:customers_followup_report"),
        }
        return super().changelist_view(request, extra | (extra_context or {}))

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A call is planned from the page of its customer or order, so the list offers no empty form."""
        match = request.resolver_match
        is_asked_for = match is not None and match.url_name == "customers_followup_add"
        return is_asked_for and super().has_add_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: FollowUp | None = None) -> bool:
        """What was done for a customer stays written down."""
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """The filters of this list and one customer's calls; other columns would read the whole table."""
        return lookup in ("customer__id__exact", "order__id__exact", *(one.parameter_name for one in FILTERS))

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """Calls of the customers, or about the order, that the term means."""
        term = search_term[:LONGEST_SEARCH].replace("\0", "").strip()
        if not term:
            return queryset, False
        people = list(Customer.objects.found_by(term).order_by().values_list("id", flat=True)[:FOUND_AT_MOST])
        return queryset.filter(Q(customer_id__in=people) | Q(order__number=term)), False

    def rows_of_page(self, request: HttpRequest, keys: Sequence[int]) -> list[FollowUp]:
        """The rows of a page in its order, with who reads them and when."""
        rows = FollowUp.objects.filter(pk__in=keys).select_related("customer__tier", "order", "owner").in_bulk()
        now = clock.now()
        found = [rows[key] for key in keys if key in rows]
        for row in found:
            row.reader, row.now = request, now
        return found

    @display(description=gettext_lazy("To be done"))
    def when(self, follow_up: FollowUp) -> SafeString:
        """Until when, or what came of it."""
        return follow_up_card.due(follow_up, follow_up.now)

    @display(description=gettext_lazy("customer"))
    def who(self, follow_up: FollowUp) -> SafeString:
        """The customer, with the tier that explains the hurry."""
        tier = follow_up.customer.tier
        shown = format_html(' <span class="hy-pill hy-pill-accent">{}</span>', tier) if tier and tier.is_vip else ""
        return format_html("{}{}", follow_up.customer, shown)

    @display(description=gettext_lazy("What it is about"))
    def what(self, follow_up: FollowUp) -> SafeString:
        """Why somebody should call, and about which order."""
        about = [follow_up_words.detail(follow_up, follow_up.reader.user), follow_up.order and follow_up.order.number]
        return format_html(
            '{}<br><span class="hy-soft hy-small hy-break">{}</span>',
            follow_up.get_reason_display(),
            " · ".join(filter(None, about)),
        )

    @display(description=gettext_lazy("Who calls"))
    def person(self, follow_up: FollowUp) -> SafeString | str:
        """Who has it, or the button to take it."""
        return follow_up_words.owner(follow_up, follow_up.reader, may_work=follow_up.reader.user.has_perm(PERMISSION))

    # The page ------------------------------------------------------------------------------------

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> FollowUp | None:
        """One follow-up with whom and what it is about."""
        if not (object_id.isascii() and object_id.isdigit() and len(object_id) < 19):
            return None
        rows = FollowUp.objects.select_related("customer__tier", "order", "owner", "finished_by")
        return rows.filter(pk=object_id).first()

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context=None):
        """Everything that a call needs, on one page."""
        follow_up = self.get_object(request, object_id)
        if follow_up is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if not self.has_view_permission(request, follow_up):
            raise PermissionDenied
        return follow_up_page.show(request, self, follow_up)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context=None):
        """Plan a call to a customer."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        return follow_up_page.plan(request, self)

    def get_urls(self) -> list[URLPattern]:
        """One address for each click, beside the usual pages."""
        clicks = {
            "take": self.take, "called": self.called, "finish": self.finish, "drop": self.drop,
            "hand-over": self.hand_over, "give-back": self.give_back,
        }  # fmt: skip
        paths = [
            path(
                f"<int:follow_up_id>/{name}/",
                self.admin_site.admin_view(require_POST(self._click(view))),
                name=f"customers_followup_{name.replace('-', '_')}",
            )
            for name, view in clicks.items()
        ]
        report = path("report/", self.admin_site.admin_view(self.report), name="customers_followup_report")
        return [report, *paths, *super().get_urls()]

    def report(self, request: HttpRequest) -> HttpResponse:
        """How fast customers were called, and what came of it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return follow_up_report.show(request, self)

    # What one click does ---------------------------------------------------------------------------

    def take(self, request: HttpRequest, follow_up: FollowUp) -> str:
        """Make it one's own; somebody may have been faster."""
        follow_ups.take(follow_up, request.user)
        return _("It is yours.")

    def called(self, request: HttpRequest, follow_up: FollowUp) -> str:
        """Write down the first call."""
        follow_ups.call(follow_up, clock.now(), by=request.user)
        return _("Written down: you have called.")

    def finish(self, request: HttpRequest, follow_up: FollowUp) -> str | HttpResponse:
        """Close it with what came of it."""
        return follow_up_page.finish(request, self, follow_up)

    def drop(self, request: HttpRequest, follow_up: FollowUp) -> str:
        """Close it as not needed."""
        note = request.POST.get("note", "").replace("\0", "")[: FollowUp._meta.get_field("note").max_length]
        follow_ups.drop(follow_up, note, request.user, clock.now())
        return _("Closed: nobody has to call any more.")

    def hand_over(self, request: HttpRequest, follow_up: FollowUp) -> str:
        """Take it over from a colleague who cannot."""
        follow_ups.hand_over(follow_up, request.user, of=follow_up_page.owner_seen(request))
        return _("It is yours now.")

    def give_back(self, request: HttpRequest, follow_up: FollowUp) -> str:
        """Let somebody else take it."""
        follow_ups.hand_over(follow_up, None, of=request.user)
        return _("It is nobody's again.")

    def _click(self, move: Callable) -> Callable:
        """A move as a view: asked for by those who may, said in one sentence, with the page or the row after it."""

        def view(request: HttpRequest, follow_up_id: int) -> HttpResponse:
            if not request.user.has_perm(PERMISSION):
                raise PermissionDenied
            follow_up = self.get_object(request, str(follow_up_id))
            if follow_up is None:
                raise Http404(_("There is no such call."))
            try:
                said = move(request, follow_up)
            except follow_ups.CannotFollowUp as refusal:
                said, level = str(refusal), messages.WARNING
            else:
                level = messages.SUCCESS
            if not isinstance(said, str):
                return said
            if level == messages.SUCCESS:
                self.log_change(request, follow_up, said)
            if request.headers.get("HX-Request"):
                words = said if level == messages.WARNING else ""
                return HttpResponse(follow_up_words.taken(self.get_object(request, str(follow_up_id)), request, words))
            messages.add_message(request, level, said)
            return redirect("admin:customers_followup_change", follow_up_id)

        return view
