"""What customers sent back: opt-outs that hold already, what a person has to decide, and the rest of the talk."""

from collections.abc import Iterator, Sequence

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.decorators import display

from customers import clock, phone
from customers.admin.large_list import LargeListMixin
from customers.models import Customer
from notifications.admin import states
from notifications.choices import ReplyHandling, ReplyMeaning
from notifications.models import Reply
from notifications.services import replies

TONES = {ReplyMeaning.OPT_OUT: "bad", ReplyMeaning.SUGGESTION: "warn", ReplyMeaning.CONVERSATION: "plain"}
LONGEST_SEARCH = 60
FOUND_AT_MOST = 1_000


class ReplyFilter(SimpleListFilter):
    """What needs a person, unless something else is asked for."""

    title = gettext_lazy("Show")
    parameter_name = "show"
    ATTENTION = gettext_lazy("Needs a person")
    OTHERS = (
        ("opt_outs", gettext_lazy("Opt-outs")),
        ("handled", gettext_lazy("Done by staff")),
        ("all", gettext_lazy("All replies")),
    )

    def lookups(self, request: HttpRequest, model_admin) -> Sequence[tuple]:
        """Beside what needs a person."""
        return self.OTHERS

    def choices(self, changelist) -> Iterator[dict]:
        """The choices, with what needs a person in the place of everything."""
        first, *others = super().choices(changelist)
        yield first | {"display": self.ATTENTION}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """The chosen replies; each choice walks an index."""
        match self.value():
            case "opt_outs":
                return queryset.filter(meaning=ReplyMeaning.OPT_OUT)
            case "handled":
                return queryset.filter(handled_at__isnull=False)
            case "all":
                return queryset
        # A search is for somebody, whatever became of what they said.
        return queryset if request.GET.get("q") else queryset.needing_attention()


@admin.register(Reply)
class ReplyAdmin(LargeListMixin, ModelAdmin):
    """Replies of customers, each with what is to be done about it."""

    list_display = ["when", "sender", "words", "shown_meaning", "acts"]
    list_display_links = ["when"]
    list_filter = [ReplyFilter]
    list_before_template = "admin/notifications/reply/choice.html"
    search_fields = ["number"]
    search_help_text = gettext_lazy("Whole phone number, its last four digits, or a name")
    fields = ["when", "sender", "words", "shown_meaning", "acts", "signature", "account", "received"]
    readonly_fields = fields
    actions = None

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None) -> HttpResponse:
        """The list, with what it shows named above it."""
        shown = request.GET.get(ReplyFilter.parameter_name, "")
        choices = [("", ReplyFilter.ATTENTION), *ReplyFilter.OTHERS]
        choices = [
            {
                "query": f"{ReplyFilter.parameter_name}={value}" if value else "",
                "label": label,
                "is_shown": value == shown,
            }
            for value, label in choices
        ]
        return super().changelist_view(request, {"choices": choices} | (extra_context or {}))

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Customers write replies."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Reply | None = None) -> bool:
        """What was said stays as it was said."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Reply | None = None) -> bool:
        """Evidence stays."""
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """The filter of this list; other columns in the address would read the whole table."""
        return lookup == ReplyFilter.parameter_name

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str):
        """Replies from a number, or of the customers whom the term means."""
        term = search_term[:LONGEST_SEARCH].strip()
        if not term:
            return queryset, False
        if number := phone.normalize(term).number:
            return queryset.filter(number=number), False
        people = Customer.objects.found_by(term).order_by().values_list("id", flat=True)
        return queryset.filter(customer_id__in=list(people[:FOUND_AT_MOST])), False

    def rows_of_page(self, request: HttpRequest, keys: Sequence[int]) -> list[Reply]:
        """The rows of a page, with who reads them: that decides what they show."""
        rows = Reply.objects.filter(pk__in=keys).select_related("customer", "handled_by", "account").order_by("-pk")
        return [_read_by(reply, request) for reply in rows]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Reply | None:
        """One reply, with who reads it."""
        if not (object_id.isascii() and object_id.isdigit() and len(object_id) < 19):
            return None
        rows = Reply.objects.select_related("customer", "handled_by", "account")
        reply = rows.filter(pk=object_id).first()
        return reply and _read_by(reply, request)

    def get_urls(self) -> list[URLPattern]:
        """The one click that decides, beside the usual pages."""
        handle = self.admin_site.admin_view(require_POST(self.handle))
        return [path("<int:reply_id>/handle/", handle, name="notifications_reply_handle"), *super().get_urls()]

    def handle(self, request: HttpRequest, reply_id: int) -> HttpResponse:
        """Take a person's word for what a reply is, and show it in the place of the buttons."""
        if not may_handle(request):
            raise PermissionDenied
        reply = self.get_object(request, str(reply_id))
        handling = request.POST.get("as", "")
        if reply is None or handling not in ReplyHandling.values:
            raise Http404(_("There is no such reply, or no such answer to it."))
        now = clock.now()
        if handling == ReplyHandling.OPTED_OUT:
            if not request.user.has_perm("customers.change_consent"):
                raise PermissionDenied
            replies.take_as_opt_out(reply, by=request.user, now=now)
        else:
            replies.take_as(reply, ReplyHandling(handling), by=request.user, now=now)
        return HttpResponse(acts(self.get_object(request, str(reply_id)), request))

    @display(description=gettext_lazy("Time"))
    def when(self, reply: Reply) -> str:
        """When it was said."""
        return states.moment(reply.said_at)

    @display(description=gettext_lazy("Who replied"))
    def sender(self, reply: Reply) -> SafeString:
        """Who, as a link to their page, and from which number."""
        number = states.shown_address(reply.number, reply.account.channel, user=reply.reader.user)
        if reply.customer is None:
            who = format_html('<span class="hy-soft">{}</span>', _("Not a customer yet"))
        else:
            page = reverse("admin:customers_customer_change", args=[reply.customer_id])
            who = format_html('<a class="hy-link" href="{}">{}</a>', page, reply.customer)
        return format_html('{}<br><span class="hy-soft hy-small hy-number">{}</span>', who, number)

    @display(description=gettext_lazy("Words"))
    def words(self, reply: Reply) -> SafeString:
        """What was said."""
        return format_html('<span class="hy-break">{}</span>', states.shown_text(reply.text, user=reply.reader.user))

    @display(description=gettext_lazy("Meaning"))
    def shown_meaning(self, reply: Reply) -> SafeString:
        """What its words alone say."""
        return meaning_pill(reply)

    @display(description=gettext_lazy("To do"))
    def acts(self, reply: Reply) -> SafeString:
        """What can be done, or was."""
        return acts(reply, reply.reader)

    @display(description=gettext_lazy("Received at"))
    def received(self, reply: Reply) -> str:
        """When the provider told us."""
        return states.moment(reply.received_at)


def may_handle(request: HttpRequest) -> bool:
    """Whether this person may decide about replies."""
    return request.user.has_perm("notifications.change_reply")


def meaning_pill(reply: Reply) -> SafeString:
    """What the words of a reply alone say."""
    return format_html('<span class="hy-pill hy-pill-{}">{}</span>', TONES[reply.meaning], reply.get_meaning_display())


def acts(reply: Reply, request: HttpRequest) -> SafeString:
    """The buttons under a reply, or what became of it."""
    context = {
        "reply": reply,
        "may_handle": may_handle(request),
        "may_opt_out": request.user.has_perm("customers.change_consent"),
        "is_opt_out": reply.meaning == ReplyMeaning.OPT_OUT,
        "is_suggestion": reply.meaning == ReplyMeaning.SUGGESTION,
    }
    return render_to_string("admin/notifications/reply/acts.html", context, request)


def _read_by(reply: Reply, request: HttpRequest) -> Reply:
    reply.reader = request
    return reply
