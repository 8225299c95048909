"""A reminder's own page: the rule in plain words, its switch, its backtest and what became of each step."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from campaigns import segmentation
from campaigns.admin import reminder_picture, reminder_report, reminder_words
from campaigns.models import Reminder
from campaigns.services.reminders import fitting, kept_backtests, switching
from campaigns.services.reminders.backtest import Backtest
from customers import clock, doorbell
from customers.choices import Purpose
from notifications import rendering
from notifications.admin import states

LONGEST_NUMBER = 9


def find(admin: ModelAdmin, request: HttpRequest, reminder_id: int, *permissions: str) -> Reminder:
    """The reminder, for those who may see it and hold these permissions."""
    reminder = get_object_or_404(admin.get_queryset(request).select_related("segment", "activated_by"), pk=reminder_id)
    if not admin.has_view_permission(request, reminder) or not request.user.has_perms(permissions):
        raise PermissionDenied
    return reminder


@require_GET
def show(request: HttpRequest, admin: ModelAdmin, reminder_id: int) -> HttpResponse:
    """The page; its backtest follows by htmx."""
    reminder = find(admin, request, reminder_id)
    now = clock.now()
    steps = list(reminder.steps.prefetch_related("texts__template__signature", "texts__merged_template"))
    context = {
        "title": reminder.name,
        "opts": Reminder._meta,
        "original": reminder,
        "object": reminder,
        "media": admin.media,
        "reminder": reminder,
        "pill": reminder_words.pill(reminder),
        "class_label": Purpose(reminder.purpose).label,
        "steps": [_step(reminder, step) for step in steps],
        "conditions": reminder_words.conditions(reminder),
        "facts": reminder_words.facts(reminder),
        "problems": fitting.problems(reminder),
        "reports": reminder_report.reports(reminder, steps, now=now),
        "report_days": reminder_report.DAYS,
        **_may(request),
    }
    return render(request, "admin/campaigns/reminder/page.html", admin.admin_site.each_context(request) | context)


@require_GET
def backtest(request: HttpRequest, admin: ModelAdmin, reminder_id: int) -> HttpResponse:
    """What the reminder would have done to past orders, as a fragment; what takes seconds is asked for by itself."""
    reminder = find(admin, request, reminder_id)
    now = clock.now()
    if kept := kept_backtests.fresh(reminder, now=now):
        return _counted(request, reminder, kept_backtests.backtest_of(kept))
    return _at_once(request, reminder, now) or _fragment(request, "backtest_waiting", reminder, is_asked=False)


def _at_once(request: HttpRequest, reminder: Reminder, now: datetime) -> HttpResponse | None:
    """The fragment with the numbers, or why there are none; None where a worker has to count them."""
    try:
        found = kept_backtests.quick(reminder, now=now)
    except segmentation.BadConditions as refusal:
        return _fragment(request, "backtest", reminder, refusal=str(refusal))
    except rendering.Refused as refusal:
        return _fragment(request, "backtest", reminder, refusal=refusal.sentence(_))
    return _counted(request, reminder, found) if found else None


@require_POST
def count_backtest(request: HttpRequest, admin: ModelAdmin, reminder_id: int) -> HttpResponse:
    """Have a long backtest counted by a worker, and look whether it has been; without a worker count it here."""
    reminder = find(admin, request, reminder_id)
    now = clock.now()
    if kept := kept_backtests.fresh(reminder, now=now):
        return _counted(request, reminder, kept_backtests.backtest_of(kept))
    if not kept_backtests.is_asked_for(reminder) and (answer := _at_once(request, reminder, now)):
        return answer
    if kept_backtests.ask(reminder, now=now):
        doorbell.ring("campaigns.jobs.count_backtests", queue="bulk")
    if kept_backtests.is_overdue(reminder, now=now):
        kept_backtests.count(reminder.pk, now=now, ends=clock.now)
    if kept := kept_backtests.fresh(reminder, now=now):
        return _counted(request, reminder, kept_backtests.backtest_of(kept))
    if kept_backtests.has_failed(reminder):
        words = _(
            "It takes too long to look at so many orders. Narrow the reminder by a condition, or try again later."
        )
        return _fragment(request, "backtest", reminder, refusal=words)
    return _fragment(request, "backtest_waiting", reminder, is_asked=True)


@require_POST
def switch_on(request: HttpRequest, admin: ModelAdmin, reminder_id: int) -> HttpResponse:
    """Let the reminder look for work from now on."""
    reminder = find(admin, request, reminder_id, "campaigns.activate_reminder")
    try:
        switching.on(reminder, version=_number(request.POST.get("version")), by=request.user, now=clock.now())
    except switching.CannotSwitch as refusal:
        messages.error(request, str(refusal))
        return redirect("admin:campaigns_reminder_page", reminder.pk)
    admin.log_change(request, reminder, _("Switched on."))
    words = _("The reminder is on. It looks at what comes due from now on; what came due before is left alone.")
    messages.success(request, words)
    return redirect("admin:campaigns_reminder_page", reminder.pk)


@require_POST
def switch_off(request: HttpRequest, admin: ModelAdmin, reminder_id: int) -> HttpResponse:
    """Stop the reminder and cancel what waits."""
    reminder = find(admin, request, reminder_id, "campaigns.activate_reminder")
    try:
        canceled = switching.off(reminder, now=clock.now())
    except switching.CannotSwitch as refusal:
        messages.error(request, str(refusal))
        return redirect("admin:campaigns_reminder_page", reminder.pk)
    admin.log_change(request, reminder, _("Switched off."))
    words = [_("The reminder is off.")]
    if canceled:
        said = ngettext("%(count)s message waited and was canceled.", "%(count)s messages waited and were canceled.",
                        canceled)  # fmt: skip
        words.append(said % {"count": f"{canceled:,}"})
    messages.success(request, " ".join(words))
    return redirect("admin:campaigns_reminder_page", reminder.pk)


VIEWS = [
    ("page/", "page", show),
    ("backtest/", "backtest", backtest),
    ("backtest/count/", "backtest_count", count_backtest),
    ("on/", "on", switch_on),
    ("off/", "off", switch_off),
]


def _may(request: HttpRequest) -> dict[str, bool]:
    return {
        "can_change": request.user.has_perm("campaigns.change_reminder"),
        "can_switch": request.user.has_perm("campaigns.activate_reminder"),
    }


def _step(reminder: Reminder, step) -> dict[str, Any]:
    """A step as the page shows it: when, and what is said to whom."""
    return {
        "when": reminder_words.step_sentence(reminder, step),
        "texts": [{"said": text, "to": reminder_words.said_to(text)} for text in step.texts.all()],
    }


def _counted(request: HttpRequest, reminder: Reminder, found: Backtest) -> HttpResponse:
    now = clock.now()
    examples = [
        {
            "order_number": example.order_number,
            "when": example.when,
            "receiver": example.receiver,
            "text": states.shown_text(example.text, user=request.user),
        }
        for example in found.examples[:20]
    ]
    return _fragment(
        request,
        "backtest",
        reminder,
        found=found,
        days=reminder_picture.bars(
            found.days, first=clock.shop_date(now - kept_backtests.LOOKS_BACK), last=clock.shop_date(now)
        ),
        hours=reminder_picture.heat(found.hours),
        per_day=round(found.total / kept_backtests.LOOKS_BACK.days),
        examples=examples,
        lookback=kept_backtests.LOOKS_BACK.days,
    )


def _fragment(request: HttpRequest, name: str, reminder: Reminder, **context: Any) -> HttpResponse:
    shared = {"reminder": reminder, "problems": fitting.problems(reminder), **_may(request)}
    return render(request, f"admin/campaigns/reminder/{name}.html", shared | context)


def _number(raw: str | None) -> int:
    """A whole number from a form; 0, which no page sends, for anything else."""
    digits = (raw or "").strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_NUMBER else 0
