"""The report on calls: time to the first call, by reason and by person, and what came of them."""

from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlencode

from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from customers import clock, reports
from customers.admin import follow_up_card
from customers.choices import FollowUpOutcome, FollowUpReason, FollowUpStatus
from customers.models import FollowUp
from customers.reports import Speed
from notifications.admin.follow_up_filters import NOBODY

DAYS = 30


def show(request: HttpRequest, admin: ModelAdmin) -> HttpResponse:
    """The numbers of the last 30 days."""
    since = clock.now() - timedelta(days=DAYS)
    everything, by_reason, by_owner = reports.speed(since)
    names = dict(User.objects.filter(pk__in=[one.key for one in by_owner if one.key]).values_list("pk", "username"))
    reasons = dict(FollowUpReason.choices)
    context = {
        **admin.admin_site.each_context(request),
        "title": _("How fast do we call?"),
        "opts": FollowUp._meta,
        "days": DAYS,
        "list_url": _rows(),
        "tiles": _tiles(everything),
        "tables": [
            {
                "title": _("By reason"),
                "head": _("Reason"),
                "rows": [_row(reasons.get(one.key, one.key), one, reason=one.key) for one in by_reason],
            },
            {
                "title": _("By person"),
                "head": _("Who calls"),
                "rows": [_row(names.get(one.key, _("Nobody")), one, owner=one.key or NOBODY) for one in by_owner],
            },
        ],
        "outcomes": [_outcome(status, outcome, count) for status, outcome, count in reports.outcomes(since)],
    }
    return render(request, "admin/customers/followup/report.html", context)


def _tiles(everything: Speed | None) -> Sequence[dict]:
    if everything is None:
        return []
    return [
        {
            "label": _("Opened"),
            "value": f"{everything.opened:,}",
            "note": _("%(count)s not called yet") % {"count": f"{everything.uncalled:,}"},
            "link": _opened(),
        },
        {
            "label": _("First call, half of them within"),
            "value": _time(everything.median),
            "note": _("nine of ten within %(time)s") % {"time": _time(everything.slow)},
            "link": _opened(called="yes"),
        },
        {
            "label": _("Called too late"),
            "value": f"{everything.late:,}",
            "note": _("after the hour until which somebody should call"),
            "link": _opened(called="late"),
        },
    ]


def _row(label: str, speed: Speed, **narrowed) -> dict:
    return {
        "label": label,
        "opened": speed.opened,
        "opened_url": _opened(**narrowed),
        "uncalled": speed.uncalled,
        "uncalled_url": _opened(**narrowed, called="no"),
        "late": speed.late,
        "late_url": _opened(**narrowed, called="late"),
        "median": _time(speed.median),
        "slow": _time(speed.slow),
    }


def _outcome(status: str, outcome: str, count: int) -> tuple[str, int, str]:
    if status == FollowUpStatus.DROPPED:
        return FollowUpStatus.DROPPED.label, count, _opened(show=status)
    return FollowUpOutcome(outcome).label, count, _opened(outcome=outcome)


def _time(time: timedelta | None) -> str:
    return "–" if time is None else follow_up_card.duration(time)


def _opened(**narrowed) -> str:
    """The list of the calls that a number counts."""
    return _rows(**({"show": "all", "opened": DAYS} | narrowed))


def _rows(**asked) -> str:
    address = reverse("admin:customers_followup_changelist")
    return f"{address}?{urlencode(asked)}" if asked else address
