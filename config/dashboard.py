"""The overview: what went out today, what is planned, what needs a person. Every number is a link."""

import json
from datetime import datetime, timedelta

from django.db.models import Sum
from django.db.models.functions import TruncDate, TruncHour
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from campaigns import reports
from campaigns.choices import CampaignStatus
from campaigns.models import Campaign, Reminder
from config import attention, pulse
from customers import clock
from notifications.choices import DeliveryStatus
from notifications.models import DeliveryTally, Message, Submission

DAYS = 14
RATE_DAYS = 7
SCHEDULED_SHOWN = 6
ARRIVED = DeliveryStatus.DELIVERED
JUDGED = (DeliveryStatus.DELIVERED, DeliveryStatus.UNDELIVERED, DeliveryStatus.FAILED)


def show(request: HttpRequest, context: dict) -> dict:
    """The context of the overview, as far as its reader may see it."""
    context["title"] = _("Overview")
    if not request.user.has_perm("notifications.view_delivery"):
        return context
    now = clock.now()
    today = now.astimezone(clock.shop_zone()).replace(hour=0, minute=0, second=0, microsecond=0)
    tallies = _tallies(since=today - timedelta(days=RATE_DAYS))
    queues = pulse.workload(now)
    context.update(
        {
            "now": now,
            "tiles": [_sent_today(now, today), _rate(tallies), _waiting(queues), _scheduled_count()],
            "by_hour": _by_hour(today),
            "by_day": _by_day(now, today),
            "scheduled": Campaign.objects.filter(status=CampaignStatus.SCHEDULED).order_by("scheduled_for")[
                :SCHEDULED_SHOWN
            ],
            "running": Campaign.objects.filter(status=CampaignStatus.RUNNING).order_by("-launched_at")[
                :SCHEDULED_SHOWN
            ],
            "attention": attention.points(request, now=now),
            "reminders": _reminders(request, now),
            "queues": queues,
        }
    )
    return context


def _deliveries(**parameters: str) -> str:
    """The sending records, narrowed."""
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    return f"{reverse('admin:notifications_delivery_changelist')}?{query}"


def _sent_since(moment: datetime, until: datetime | None = None) -> int:
    """Deliveries handed to providers; read from the calls, a hundredth of the deliveries."""
    calls = Submission.objects.filter(called_at__gte=moment)
    if until:
        calls = calls.filter(called_at__lt=until)
    return calls.aggregate(total=Sum("size"))["total"] or 0


def _sent_today(now: datetime, today: datetime) -> dict:
    """Handed over since midnight, against the same hours of yesterday."""
    sent = _sent_since(today)
    before = _sent_since(today - timedelta(days=1), now - timedelta(days=1))
    return {
        "label": _("Sent today"),
        "icon": "send",
        "value": f"{sent:,}",
        "note": _("%(count)s at this hour yesterday") % {"count": f"{before:,}"},
        "link": _deliveries(state="sent,delivered,undelivered,failed,unknown"),
    }


def _tallies(*, since: datetime) -> dict[str, int]:
    """Deliveries by state of the messages that could go out since a moment."""
    messages = Message.objects.filter(send_until__gte=since, is_test=False).values("id")
    rows = DeliveryTally.objects.filter(message__in=messages).values_list("status").annotate(total=Sum("count"))
    return dict(rows.order_by())


def _rate(tallies: dict[str, int]) -> dict:
    """How many of those with a final answer arrived."""
    judged = sum(tallies.get(status, 0) for status in JUDGED)
    arrived = tallies.get(ARRIVED, 0)
    return {
        "label": _("Delivery rate"),
        "icon": "mark_email_read",
        "value": f"{100 * arrived / judged:.1f}%" if judged else "–",
        "note": _("%(arrived)s of %(judged)s with a final answer, last 7 days")
        % {"arrived": f"{arrived:,}", "judged": f"{judged:,}"},
        "link": _deliveries(state="undelivered,failed"),
    }


def _waiting(queues: list[pulse.Queue]) -> dict:
    """What has not left yet."""
    waiting = sum(queue.waiting for queue in queues)
    due = sum(queue.due for queue in queues)
    return {
        "label": _("Waiting to be sent"),
        "icon": "hourglass_top",
        "value": f"{waiting:,}",
        "note": _("%(count)s of them due now") % {"count": f"{due:,}"},
        "link": _deliveries(state="queued,held"),
    }


def _scheduled_count() -> dict:
    """Campaigns that will start by themselves."""
    scheduled = Campaign.objects.filter(status=CampaignStatus.SCHEDULED)
    next_one = scheduled.order_by("scheduled_for").values_list("scheduled_for", flat=True).first()
    when = f"{next_one.astimezone(clock.shop_zone()):%Y-%m-%d %H:%M}" if next_one else ""
    return {
        "label": _("Scheduled campaigns"),
        "icon": "event",
        "value": f"{scheduled.count():,}",
        "note": _("the next one %(when)s") % {"when": when} if when else _("none is planned"),
        "link": f"{reverse('admin:campaigns_campaign_changelist')}?status__exact={CampaignStatus.SCHEDULED}",
    }


def _reminders(request: HttpRequest, now: datetime) -> dict | None:
    """How many rules look for work, and the number that must stay 0; for those who may see reminders."""
    if not request.user.has_perm("campaigns.view_reminder"):
        return None
    counted = reports.after_payment(since=now - timedelta(days=RATE_DAYS))
    return {"active": Reminder.objects.active().count(), "days": RATE_DAYS, "counted": counted}


def _by_hour(today: datetime) -> str:
    """Handed over by hour of today, for the chart."""
    rows = (
        Submission.objects.filter(called_at__gte=today)
        .annotate(hour=TruncHour("called_at", tzinfo=clock.shop_zone()))
        .values_list("hour")
        .annotate(total=Sum("size"))
        .order_by()
    )
    found = {hour.hour: total for hour, total in rows}
    return _chart([f"{hour:02}" for hour in range(24)], [found.get(hour, 0) for hour in range(24)])


def _by_day(now: datetime, today: datetime) -> str:
    """Handed over by day, for the chart."""
    first = today - timedelta(days=DAYS - 1)
    rows = (
        Submission.objects.filter(called_at__gte=first)
        .annotate(day=TruncDate("called_at", tzinfo=clock.shop_zone()))
        .values_list("day")
        .annotate(total=Sum("size"))
        .order_by()
    )
    found = dict(rows)
    days = [(first + timedelta(days=number)).date() for number in range(DAYS)]
    return _chart([f"{day.month}/{day.day}" for day in days], [found.get(day, 0) for day in days])


def _chart(labels: list[str], numbers: list[int]) -> str:
    """Data of one series in the form that the theme's charts read."""
    series = {
        "label": _("Handed to the provider"),
        "data": numbers,
        "backgroundColor": "var(--color-primary-500)",
        "borderRadius": 4,
        "maxBarThickness": 26,
    }
    return json.dumps({"labels": labels, "datasets": [series]})
