"""The page that stops everything, tells who got what, and lets it go on."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from campaigns.admin.live import records_url
from campaigns.choices import CampaignStatus
from campaigns.models import Campaign, Variant
from campaigns.services import campaigns
from config import safe_mode
from customers import clock
from notifications.choices import StopReason
from notifications.models import SendingSwitch
from notifications.services import switch
from notifications.services.switch import Standing

STOP = "notifications.stop_sending"
RESUME = "notifications.resume_sending"
# Campaigns that come due within this time start as soon as sending goes on.
LOOKS_AHEAD = timedelta(hours=24)


@dataclass
class Row:
    """One campaign, or one message without a campaign, with its numbers and where its people are listed."""

    name: str
    page: str
    message_ids: list[int] = field(default_factory=list)
    campaign_id: int | None = None
    is_paused: bool = False
    waiting: int = 0
    handed_over: int = 0
    unknown: int = 0
    in_the_air: int = 0

    def add(self, standing: Standing) -> None:
        """Count one message of the campaign in."""
        self.message_ids.append(standing.message_id)
        self.is_paused = self.is_paused or standing.is_paused
        for name in ("waiting", "handed_over", "unknown", "in_the_air"):
            setattr(self, name, getattr(self, name) + getattr(standing, name))

    @property
    def people(self) -> dict[str, str]:
        """The sending records of those who got it, who did not, and of whom nobody knows."""
        return {
            "got": records_url(self.message_ids, state="sent,delivered,undelivered"),
            "waiting": records_url(self.message_ids, state="queued,held"),
            "unknown": records_url(self.message_ids, state="unknown"),
            "in_the_air": records_url(self.message_ids, state="sending"),
        }


@require_GET
def show(request: HttpRequest) -> HttpResponse:
    """Before: what a stop would stop. After: who got it, who did not, and what now."""
    if not (request.user.has_perm(STOP) or request.user.has_perm(RESUME)):
        raise PermissionDenied
    now = clock.now()
    stopped = switch.stopped()
    rows = _rows(switch.standings(since=stopped.stopped_at if stopped else now))
    waiting = [row for row in rows if row.waiting]
    context = {
        **admin.site.each_context(request),
        "title": _("Everything is stopped") if stopped else _("Stop sending"),
        "stopped": stopped,
        "is_safe_mode": bool(stopped) and stopped.reason == StopReason.RESTORED,
        "findings": safe_mode.in_words(stopped.found) if stopped else [],
        "rows": rows,
        "waiting": sum(row.waiting for row in rows),
        "in_the_air": sum(row.in_the_air for row in rows),
        "what": _what(waiting),
        "due": Campaign.objects.filter(status=CampaignStatus.SCHEDULED, scheduled_for__lte=now + LOOKS_AHEAD).order_by(
            "scheduled_for"
        ),
        "may": {"stop": request.user.has_perm(STOP), "resume": request.user.has_perm(RESUME)},
        "may_correct": request.user.has_perm("campaigns.add_campaign"),
        "now": now,
    }
    return render(request, "admin/stopping.html", context)


@require_POST
def stop_everything(request: HttpRequest) -> HttpResponse:
    """Stop; needs nothing but the database, so it works while Redis is down."""
    if not request.user.has_perm(STOP):
        raise PermissionDenied
    if switch.stop(by=request.user, now=clock.now()):
        _record(request, _("Stopped everything that was being sent."))
        messages.warning(request, _("Stopped. Nothing more is handed over, of any campaign."))
    else:
        messages.info(request, _("Everything was stopped already."))
    return redirect("stop_sending")


@require_POST
def stop_campaign(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Stop one campaign; its own page then says who got it."""
    if not request.user.has_perm(STOP):
        raise PermissionDenied
    campaign = get_object_or_404(Campaign, pk=campaign_id)
    try:
        campaigns.pause(campaign, now=clock.now())
    except campaigns.CannotPause as refusal:
        messages.error(request, str(refusal))
    else:
        _record(request, _("Stopped the campaign “%s”.") % campaign)
        messages.warning(request, _("Stopped. The numbers below say who got it and who did not."))
    return redirect("admin:campaigns_campaign_live", campaign.pk)


@require_POST
def resume(request: HttpRequest) -> HttpResponse:
    """Let everything go on; a restored database is trusted from here on."""
    if not request.user.has_perm(RESUME):
        raise PermissionDenied
    stopped = switch.stopped()
    if stopped is None:
        messages.info(request, _("Nothing is stopped."))
    elif "is_certain" not in request.POST:
        messages.error(request, _("Tick the box to confirm. Everything is still stopped."))
    else:
        safe_mode.trust(now=clock.now()) if stopped.reason == StopReason.RESTORED else switch.start()
        _record(request, _("Let everything go on that was stopped."))
        messages.success(request, _("Sending goes on."))
        return redirect("admin:index")
    return redirect("stop_sending")


def _rows(standings: list[Standing]) -> list[Row]:
    """The standings by campaign."""
    ids = [standing.message_id for standing in standings]
    variants = Variant.objects.filter(message_id__in=ids).select_related("campaign")
    campaign_of = {variant.message_id: variant.campaign for variant in variants}
    rows: dict[Any, Row] = {}
    for standing in standings:
        campaign = campaign_of.get(standing.message_id)
        if campaign is None:
            page = reverse("admin:notifications_message_change", args=[standing.message_id])
            row = rows.setdefault(("message", standing.message_id), Row(standing.name, page))
        else:
            page = reverse("admin:campaigns_campaign_live", args=[campaign.pk])
            row = rows.setdefault(campaign.pk, Row(campaign.name, page, campaign_id=campaign.pk))
        row.add(standing)
    return sorted(rows.values(), key=lambda row: (-row.waiting, -row.handed_over))


def _what(rows: list[Row]) -> str:
    """What a stop stops, for its button."""
    waiting = sum(row.waiting for row in rows)
    if not waiting:
        return _("Stop everything")
    return _("Stop %(messages)s of %(campaigns)s") % {
        "messages": ngettext("%(count)s message", "%(count)s messages", waiting) % {"count": f"{waiting:,}"},
        "campaigns": ngettext("%(count)s campaign", "%(count)s campaigns", len(rows)) % {"count": f"{len(rows):,}"},
    }


def _record(request: HttpRequest, sentence: str) -> None:
    """Write down who did it."""
    LogEntry.objects.create(
        user=request.user,
        content_type=ContentType.objects.get_for_model(SendingSwitch),
        object_id="1",
        object_repr=str(SendingSwitch._meta.verbose_name),
        action_flag=CHANGE,
        change_message=sentence,
    )
