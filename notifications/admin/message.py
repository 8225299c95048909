"""Messages: frozen texts that can be paused and resumed, never edited."""

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm

from customers import clock
from customers.admin.large_list import LargeListMixin
from notifications.admin import resending, states
from notifications.admin.dialogs import ask, done, number_in
from notifications.choices import DeliveryStatus
from notifications.models import DeliveryTally, Message
from notifications.services import brakes, messages, submissions
from notifications.services.resending import STATUSES


class CountingDialog(BaseDialogForm):
    """A question that says how many deliveries still wait."""

    form_before_template = "admin/notifications/message/waiting.html"

    def get_before_template_context(self, request: HttpRequest, object_id=None) -> dict:
        """The number of deliveries that have not left."""
        waiting = DeliveryTally.objects.filter(message_id=number_in(object_id), status=DeliveryStatus.QUEUED)
        return {"waiting": waiting.aggregate(total=Sum("count"))["total"] or 0}


class PausedFilter(admin.SimpleListFilter):
    """Messages by whether they may send."""

    title = gettext_lazy("Condition")
    parameter_name = "condition"

    def lookups(self, request, model_admin):
        """The three conditions."""
        return [("open", _("May send")), ("paused", _("Paused")), ("canceled", _("Canceled"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """Messages in the chosen condition."""
        conditions = {
            "open": Q(paused_at=None, canceled_at=None),
            "paused": Q(paused_at__isnull=False),
            "canceled": Q(canceled_at__isnull=False),
        }
        return queryset.filter(conditions.get(self.value(), Q()))


@admin.register(Message)
class MessageAdmin(LargeListMixin, ModelAdmin):
    """Frozen messages."""

    list_display = ["shown_name", "condition", "class_of_message", "window", "results"]
    list_display_links = ["shown_name"]
    list_filter = [PausedFilter, "purpose", "is_test"]
    list_filter_sheet = True
    search_fields = ["name"]
    change_form_template = "admin/notifications/story_form.html"
    fields = ["story"]
    readonly_fields = ["story"]
    actions = None
    actions_detail = ["pause", "resume", "send_again"]

    def has_add_permission(self, request):
        """Campaigns make messages."""
        return False

    def has_change_permission(self, request, obj=None):
        """What a message says is frozen."""
        return False

    def has_delete_permission(self, request, obj=None):
        """Evidence stays."""
        return False

    def has_steer_permission(self, request: HttpRequest, object_id=None) -> bool:
        """Whether this person may pause and resume."""
        return request.user.has_perm("notifications.change_message") and request.user.has_perm(
            "campaigns.pause_campaign"
        )

    def get_actions_detail(self, request, object_id):
        """Pause what may send, resume what is paused, send again what did not arrive."""
        message = self.get_object(request, object_id)
        if message is None or message.canceled_at:
            return []
        unreached = sums_of([message.pk]).get(message.pk, {}).keys() & set(STATUSES)
        wanted = ("resume" if message.paused_at else "pause", *(["send_again"] if unreached else []))
        return [one for one in super().get_actions_detail(request, object_id) if one.action_name.endswith(wanted)]

    def has_resend_permission(self, request: HttpRequest, object_id=None) -> bool:
        """Whether this person may send again what did not arrive."""
        return request.user.has_perm(resending.RESEND)

    @action(description=gettext_lazy("Send again …"), icon="replay", permissions=["resend"])
    def send_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Go to the page that shows what that would do."""
        return redirect(resending.address_of(message=number_in(object_id)))

    @action(
        description=gettext_lazy("Pause"),
        icon="pause",
        permissions=["steer"],
        dialog=ask(
            gettext_lazy("Pause this message?"),
            gettext_lazy(
                "Nothing more is handed to the provider until you resume. What it already has cannot be called back."
            ),
            gettext_lazy("Pause"),
            form=CountingDialog,
        ),
    )
    def pause(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        """Stop what has not been handed over."""
        changed = messages.pause([number_in(object_id)], now=clock.now(), reason=_("Paused by %s") % request.user)
        if changed:
            self.log_change(request, Message.objects.get(pk=object_id), _("Paused."))
        said = _("Paused. Nothing more is handed over.") if changed else _("This message was not going out any more.")
        return done(request, self._page(object_id), said=said)

    @action(
        description=gettext_lazy("Resume"),
        icon="play_arrow",
        permissions=["steer"],
        dialog=ask(
            gettext_lazy("Let this message go on?"),
            gettext_lazy("What still waits goes out now, within its window, quiet hours and caps."),
            gettext_lazy("Resume"),
            form=CountingDialog,
        ),
    )
    def resume(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        """Let the message go on."""
        changed = messages.resume([number_in(object_id)])
        if changed:
            self.log_change(request, Message.objects.get(pk=object_id), _("Resumed."))
        said = _("The message goes on.") if changed else _("This message was not paused.")
        return done(request, self._page(object_id), said=said)

    def _page(self, object_id: str) -> str:
        return reverse("admin:notifications_message_change", args=[object_id])

    def rows_of_page(self, request: HttpRequest, keys) -> list[Message]:
        """The rows of a page with their sums, from the tallies of these messages alone."""
        rows = list(Message.objects.filter(pk__in=keys).order_by("-pk"))
        sums = sums_of(keys)
        now = clock.now()
        for message in rows:
            message.sums = sums.get(message.pk, {})
            message.is_over = message.send_until <= now
        return rows

    @display(description=gettext_lazy("Message"))
    def shown_name(self, message: Message) -> str:
        """The campaign's words for it."""
        return message.name

    @display(description=gettext_lazy("Condition"))
    def condition(self, message: Message) -> SafeString:
        """Whether it may send."""
        if message.canceled_at:
            tone, words = "plain", _("Canceled")
        elif message.is_over:
            tone, words = "plain", _("Over")
        elif message.paused_at:
            tone, words = "warn", _("Paused")
        else:
            tone, words = "good", _("May send")
        return format_html('<span class="hy-pill hy-pill-{}">{}</span>', tone, words)

    @display(description=gettext_lazy("Class"))
    def class_of_message(self, message: Message) -> str:
        """Class, and whether it is a test."""
        words = message.get_purpose_display()
        return _("%(class)s (test)") % {"class": words} if message.is_test else words

    @display(description=gettext_lazy("May go out"))
    def window(self, message: Message) -> str:
        """From when until when."""
        if message.send_until == submissions.FOR_GOOD:
            return _("since %(moment)s") % {"moment": states.moment(message.send_after)}
        return f"{states.moment(message.send_after)} – {states.moment(message.send_until)}"

    @display(description=gettext_lazy("Deliveries"))
    def results(self, message: Message) -> SafeString:
        """The sums by state, as a bar that links to the people."""
        return bar(message.pk, message.sums)

    @display(description="")
    def story(self, message: Message) -> SafeString:
        """What it says and what became of it."""
        sums = sums_of([message.pk]).get(message.pk, {})
        message.is_over = message.send_until <= clock.now()
        link = reverse("admin:notifications_delivery_changelist")
        return render_to_string(
            "admin/notifications/message/story.html",
            {
                "message": message,
                "condition": self.condition(message),
                "brake": brakes.latest_pull([message.pk]),
                "bar": bar(message.pk, sums),
                "parts": [
                    (states.pill(state), count, f"{link}?message={message.pk}&state={state_in_address(state)}")
                    for state, count in sums.items()
                ],
                "total": sum(sums.values()),
                "all": f"{link}?message={message.pk}",
            },
        )


def sums_of(message_ids) -> dict[int, dict[str, int]]:
    """Deliveries by message and stored status, in the order of a message's life."""
    rows = (
        DeliveryTally.objects.filter(message_id__in=message_ids)
        .values_list("message_id", "status")
        .annotate(total=Sum("count"))
        .filter(total__gt=0)
    )
    order = list(DeliveryStatus.values)
    sums: dict[int, dict[str, int]] = {}
    for message_id, status, total in sorted(rows, key=lambda row: order.index(row[1])):
        sums.setdefault(message_id, {})[status] = total
    return sums


def state_in_address(status: str) -> str:
    """The states of the delivery list that a stored status covers."""
    return "queued,held,sending" if status == DeliveryStatus.QUEUED else status


def bar(message_id: int, sums: dict[str, int]) -> SafeString:
    """One bar whose parts add up to everybody."""
    return render_to_string(
        "admin/notifications/message/bar.html",
        {
            "parts": [(state, states.STATES[state], count) for state, count in sums.items()],
            "total": sum(sums.values()),
        },
    )
