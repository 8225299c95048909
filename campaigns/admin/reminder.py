"""Reminders: the list, the form, the gallery and the page on which they are switched on and watched."""

from collections.abc import Callable
from datetime import timedelta

from django.contrib import admin, messages
from django.db.models import F, Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.views import ChangeList

from campaigns import reports
from campaigns.admin import reminder_gallery, reminder_pages, reminder_words
from campaigns.admin.reminder_form import ASKED_BY, ReminderForm, shown_for
from campaigns.admin.reminder_steps import StepInline
from campaigns.choices import ReminderTrigger
from campaigns.models import Reminder, ReminderStep
from campaigns.services.reminders import outcomes
from customers import clock

SHOWN_DAYS = 30


class OnFilter(admin.SimpleListFilter):
    """Reminders that are on, or off."""

    title = gettext_lazy("On or off")
    parameter_name = "on"

    def lookups(self, request, model_admin):
        """On and off."""
        return [("yes", _("On")), ("no", _("Off"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """Those that are as asked for."""
        if self.value() in ("yes", "no"):
            return queryset.filter(activated_at__isnull=self.value() == "no")
        return queryset


class ReminderChangeList(ChangeList):
    """The list, whose numbers are asked for once for all its rows."""

    def get_results(self, request: HttpRequest) -> None:
        """The rows with what was sent and how many reached the goal."""
        super().get_results(request)
        now = clock.now()
        since = now - timedelta(days=SHOWN_DAYS)
        rows = list(self.result_list)
        sent = outcomes.sent([reminder.pk for reminder in rows], since=since)
        shares = outcomes.reached(since=since, now=now)
        for reminder in rows:
            reminder.sent_count = sent.get(reminder.pk, 0)
            reminder.goal_share = shares.get(reminder.pk)
        self.result_list = rows


@admin.register(Reminder)
class ReminderAdmin(ModelAdmin):
    """Rules that write to customers by themselves."""

    form = ReminderForm
    inlines = [StepInline]
    list_display = ["named", "state", "class_of_message", "looks_for", "sent_lately", "goal_reached"]
    list_display_links = None
    list_filter = [OnFilter, "purpose", "trigger"]
    list_filter_sheet = True
    list_before_template = "admin/campaigns/reminder/after_paid.html"
    search_fields = ["name"]
    ordering = ["name"]
    actions = None
    actions_list = ["from_gallery"]
    warn_unsaved_form = True
    compressed_fields = False
    change_form_before_template = "admin/campaigns/reminder/while_on.html"
    conditional_fields = {
        **{name: shown_for(*triggers) for name, triggers in ASKED_BY.items()},
        "at_hour": shown_for(ReminderTrigger.ORDER_DATE, ReminderTrigger.EVENT_DATE),
        "goal_within": "goal != ''",
        "held_out_percent": "goal != ''",
        "follow_up_for": "follow_up != ''",
        "valuable_from": "follow_up != '' && follow_up_for == 'valuable'",
        "call_within": "follow_up != ''",
        "call_script": "follow_up != ''",
    }
    fieldsets = [
        (None, {"fields": [("name", "purpose"), "version"]}),
        (
            gettext_lazy("What it looks for"),
            {"fields": ["trigger", "order_status", "exception_kind", "event_kind", ("order_date", "at_hour")]},
        ),
        (
            gettext_lazy("For whom"),
            {
                "fields": [
                    ("segment", "first_order"),
                    ("minimum_amount", "maximum_amount"),
                    "categories",
                    "platforms",
                ],
                "classes": ["collapse"],
            },
        ),
        (
            gettext_lazy("When it stops"),
            {"fields": ["stop_when", ("valid_for", "merge_within"), ("night", "cap_policy")]},
        ),
        (
            gettext_lazy("What it achieves"),
            {"fields": [("goal", "goal_within"), "held_out_percent", ("compensation", "is_compensation_for_new")]},
        ),
        (
            gettext_lazy("Whom somebody calls"),
            {"fields": [("follow_up", "follow_up_for"), ("valuable_from", "call_within"), "call_script"]},
        ),
    ]

    class Media:
        css = {"all": ["hongyan/campaigns.css", "hongyan/reminders.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reminder]:
        """Reminders with the delays of their steps."""
        steps = ReminderStep.objects.order_by("delay")
        return super().get_queryset(request).prefetch_related(Prefetch("steps", steps, to_attr="ordered_steps"))

    def get_fieldsets(self, request: HttpRequest, obj: Reminder | None = None) -> list:
        """The fields of the form."""
        return self.fieldsets

    def has_delete_permission(self, request: HttpRequest, obj: Reminder | None = None) -> bool:
        """Only what is off and never found anything is deleted; the rest is evidence."""
        if not super().has_delete_permission(request, obj) or obj is None or obj.is_active:
            return False
        return not obj.occasions.exists() and not obj.messages.exists()

    def get_changelist(self, request: HttpRequest, **options) -> type[ChangeList]:
        """The list with its numbers."""
        return ReminderChangeList

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None) -> HttpResponse:
        """The list, under the number that must stay 0."""
        since = clock.now() - timedelta(days=SHOWN_DAYS)
        numbers = {"after_payment": reports.after_payment(since=since), "after_payment_days": SHOWN_DAYS}
        return super().changelist_view(request, numbers | (extra_context or {}))

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context=None):
        """The form; who may only look is shown the page."""
        reminder = self.get_object(request, object_id) if str(object_id).isdigit() else None
        only_looks = reminder and request.method == "GET" and not self.has_change_permission(request, reminder)
        if only_looks and self.has_view_permission(request, reminder):
            return redirect("admin:campaigns_reminder_page", reminder.pk)
        return super().change_view(request, object_id, form_url, extra_context)

    def render_change_form(self, request: HttpRequest, context: dict, **options) -> HttpResponse:
        """The form without the button for another one: what follows is the page with its backtest."""
        return super().render_change_form(request, context | {"show_save_and_add_another": False}, **options)

    def save_model(self, request: HttpRequest, obj: Reminder, form: ReminderForm, change: bool) -> None:
        """Save the rule under its next number, by which a stale page is known."""
        obj.updated_at = clock.now()
        if not change:
            obj.created_by = request.user
            obj.created_at = obj.updated_at
            super().save_model(request, obj, form, change)
            return
        obj.save(update_fields=[*ReminderForm.Meta.fields, "updated_at"])
        Reminder.objects.filter(pk=obj.pk).update(version=F("version") + 1)
        obj.refresh_from_db(fields=["version"])

    def response_post_save_add(self, request: HttpRequest, obj: Reminder) -> HttpResponseRedirect:
        """A new reminder is looked at before it is switched on."""
        return redirect("admin:campaigns_reminder_page", obj.pk)

    def response_post_save_change(self, request: HttpRequest, obj: Reminder) -> HttpResponseRedirect:
        """A changed reminder is looked at again; what waits is taken back and looked at under the new rule."""
        if obj.is_active:
            messages.warning(
                request,
                _("It is on: the change holds at once. What waits is taken back and looked at again under it."),
            )
        return redirect("admin:campaigns_reminder_page", obj.pk)

    def get_urls(self) -> list[URLPattern]:
        """The gallery and a reminder's own pages, beside the usual ones."""
        site = self.admin_site
        shelves = path(
            "gallery/",
            site.admin_view(lambda request: reminder_gallery.shelves(request, self)),
            name="campaigns_reminder_gallery",
        )
        choose = path(
            "gallery/<slug:key>/",
            site.admin_view(lambda request, key: reminder_gallery.choose(request, self, key)),
            name="campaigns_reminder_choose",
        )
        pages = [
            path(
                f"<int:reminder_id>/{address}",
                site.admin_view(self._bound(view)),
                name=f"campaigns_reminder_{name}",
            )
            for address, name, view in reminder_pages.VIEWS
        ]
        return [shelves, choose, *pages, *super().get_urls()]

    def _bound(self, view: Callable) -> Callable:
        """A view that knows this admin."""

        def bound(request: HttpRequest, reminder_id: int) -> HttpResponse:
            return view(request, self, reminder_id)

        return bound

    @action(
        description=gettext_lazy("From the gallery"),
        icon="auto_awesome",
        permissions=["add"],
        url_path="from-gallery",
    )
    def from_gallery(self, request: HttpRequest) -> HttpResponseRedirect:
        """To the ready-made reminders."""
        return redirect("admin:campaigns_reminder_gallery")

    @display(description=gettext_lazy("Reminder"), ordering="name")
    def named(self, reminder: Reminder) -> SafeString:
        """Its name, with a link to its page."""
        link = reverse("admin:campaigns_reminder_page", args=[reminder.pk])
        return format_html('<a class="hy-link" href="{}">{}</a>', link, reminder.name)

    @display(description=gettext_lazy("On or off"), ordering="activated_at")
    def state(self, reminder: Reminder) -> SafeString:
        """Whether it is on."""
        return reminder_words.pill(reminder)

    @display(description=gettext_lazy("Class"), ordering="purpose")
    def class_of_message(self, reminder: Reminder) -> SafeString:
        """The class as a word in a pill."""
        return format_html('<span class="hy-pill hy-pill-plain">{}</span>', reminder.get_purpose_display())

    @display(description=gettext_lazy("What it looks for"))
    def looks_for(self, reminder: Reminder) -> SafeString:
        """The rule as a sentence."""
        sentence = reminder_words.in_short(reminder, [step.delay for step in reminder.ordered_steps])
        return format_html('<span class="hy-long">{}</span>', sentence)

    @display(description=gettext_lazy("Sent in 30 days"))
    def sent_lately(self, reminder: Reminder) -> SafeString:
        """How many messages were handed over lately."""
        return format_html('<span class="hy-number">{}</span>', f"{getattr(reminder, 'sent_count', 0):,}")

    @display(description=gettext_lazy("Goal reached"))
    def goal_reached(self, reminder: Reminder) -> SafeString:
        """The share of the newest who reached the goal in time."""
        share = getattr(reminder, "goal_share", None)
        if share is None or not share.total:
            return format_html('<span class="hy-soft">{}</span>', "–")
        return format_html('<span class="hy-number">{}</span>', f"{100 * share.value:.0f}%")
