"""The live page: one bar whose parts add up to the audience, and the buttons that steer it."""

from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from campaigns.admin import review, waterfall
from campaigns.choices import CampaignStatus, Timing
from campaigns.models import Campaign
from campaigns.services import approvals, campaigns, corrections, reviews
from customers import clock
from notifications import screening
from notifications.admin import states
from notifications.models import Message
from notifications.services import brakes
from notifications.services.progress import Progress, foresee, progress

MOVING = (CampaignStatus.SCHEDULED, CampaignStatus.RUNNING)
# A finished campaign still gets receipts; the page then looks less often.
SECONDS_WHILE_MOVING = 2
SECONDS_AFTERWARDS = 15


@require_GET
def show(request: HttpRequest, admin: ModelAdmin, campaign_id: int) -> HttpResponse:
    """The page of a campaign that is scheduled, running or over."""
    campaign = review.find(admin, request, campaign_id)
    if campaign.status == CampaignStatus.DRAFT:
        return redirect("admin:campaigns_campaign_review", campaign.pk)
    return review.page(
        admin,
        request,
        "live",
        campaign,
        rows=waterfall.rows(campaign.estimate) if campaign.estimate else [],
        variants=list(campaign.variants.select_related("template", "message")),
        **_now(campaign),
    )


@require_GET
def fragment(request: HttpRequest, admin: ModelAdmin, campaign_id: int) -> HttpResponse:
    """What moves on the page, asked for every two seconds."""
    campaign = review.find(admin, request, campaign_id)
    return review.fragment(request, "live_now", campaign, **_now(campaign))


@require_POST
def pause(request: HttpRequest, admin: ModelAdmin, campaign_id: int) -> HttpResponse:
    """Stop everything that has not been handed over."""
    campaign = review.find(admin, request, campaign_id, "campaigns.pause_campaign")
    try:
        campaigns.pause(campaign, now=clock.now())
        admin.log_change(request, campaign, _("Paused."))
        messages.success(request, _("Paused. What a worker has in hand still leaves; nothing more is handed over."))
    except campaigns.CannotPause as refusal:
        messages.error(request, str(refusal))
    return redirect("admin:campaigns_campaign_live", campaign.pk)


@require_POST
def resume(request: HttpRequest, admin: ModelAdmin, campaign_id: int) -> HttpResponse:
    """Let a paused campaign go on."""
    campaign = review.find(admin, request, campaign_id, "campaigns.pause_campaign")
    try:
        campaigns.resume(campaign)
        admin.log_change(request, campaign, _("Resumed."))
        messages.success(request, _("The campaign goes on."))
    except campaigns.CannotResume as refusal:
        messages.error(request, str(refusal))
    return redirect("admin:campaigns_campaign_live", campaign.pk)


@require_POST
def cancel(request: HttpRequest, admin: ModelAdmin, campaign_id: int) -> HttpResponse:
    """End a campaign for good, and say what was handed over."""
    campaign = review.find(admin, request, campaign_id, "campaigns.cancel_campaign")
    try:
        result = campaigns.cancel(campaign, by=request.user, now=clock.now())
    except campaigns.CannotCancel as refusal:
        messages.error(request, str(refusal))
        return redirect("admin:campaigns_campaign_live", campaign.pk)
    admin.log_change(request, campaign, _("Canceled."))
    words = [_("Canceled.")]
    if result.canceled:
        spared = ngettext("%(count)s person is spared.", "%(count)s people are spared.", result.canceled)
        words.append(spared % {"count": f"{result.canceled:,}"})
    if result.handed_over:
        gone = ngettext(
            "%(count)s message was handed over before and cannot be called back.",
            "%(count)s messages were handed over before and cannot be called back.",
            result.handed_over,
        )
        words.append(gone % {"count": f"{result.handed_over:,}"})
    messages.success(request, " ".join(words))
    return redirect("admin:campaigns_campaign_live", campaign.pk)


@require_POST
def reopen(request: HttpRequest, admin: ModelAdmin, campaign_id: int) -> HttpResponse:
    """Give a campaign that missed its time another chance: now, or at another hour."""
    campaign = review.find(admin, request, campaign_id, "campaigns.launch_campaign", "campaigns.change_campaign")
    is_for_now = request.POST.get("when") == Timing.NOW
    try:
        campaigns.reopen(campaign, timing=Timing.NOW if is_for_now else Timing.AT)
    except campaigns.CannotReopen as refusal:
        messages.error(request, str(refusal))
        return redirect("admin:campaigns_campaign_live", campaign.pk)
    admin.log_change(request, campaign, _("Reopened after it had missed its time."))
    if is_for_now:
        messages.success(request, _("Look at today's numbers once more, then start it."))
        return redirect("admin:campaigns_campaign_review", campaign.pk)
    messages.success(request, _("Choose another date and time."))
    return redirect("admin:campaigns_campaign_change", campaign.pk)


@require_POST
def correct(request: HttpRequest, admin: ModelAdmin, campaign_id: int) -> HttpResponse:
    """Draft a campaign for only those who got this one."""
    campaign = review.find(admin, request, campaign_id, "campaigns.add_campaign", "campaigns.add_segment")
    if campaign.launched_at is None:
        messages.error(request, _("Nobody got this campaign, so there is nothing to correct."))
        return redirect("admin:campaigns_campaign_live", campaign.pk)
    draft = corrections.draft(campaign, by=request.user)
    messages.success(
        request,
        _("A draft for only those who got “%s”. Choose its text and look at it before it goes out.") % campaign,
    )
    return redirect("admin:campaigns_campaign_change", draft.pk)


VIEWS = [
    ("correct/", "correct", correct),
    ("reopen/", "reopen", reopen),
    ("live/", "live", show),
    ("live/now/", "live_now", fragment),
    ("pause/", "pause", pause),
    ("resume/", "resume", resume),
    ("cancel/", "cancel", cancel),
]


def _now(campaign: Campaign) -> dict[str, Any]:
    """Everything on the page that moves."""
    now = clock.now()
    message_ids = campaign.message_ids
    found = foresee(progress(message_ids, now=now), message_ids, now=now)
    is_moving = campaign.status in MOVING
    return {
        "progress": found,
        "parts": _parts(found, message_ids),
        "skipped": _skipped(found, message_ids),
        "unreached": sum(found.count(state) for state in ("undelivered", "failed", "unknown")),
        "agains": Message.objects.filter(again_of__in=message_ids).order_by("pk"),
        "message_list": ",".join(map(str, message_ids)),
        "handed_over": sum(found.count(state) for state in ("sent", "delivered", "undelivered", "unknown", "sending")),
        "is_moving": is_moving,
        "seconds": SECONDS_WHILE_MOVING if is_moving else SECONDS_AFTERWARDS,
        "stopped_for": _stopped_for(campaign),
        "brake": brakes.latest_pull(message_ids) if campaign.is_paused else None,
        "changed": reviews.changed_since(campaign) if campaign.status == CampaignStatus.SCHEDULED else [],
        "taken_back": approvals.sentences_of(campaign),
        "latest_start": campaigns.latest_start(campaign) if campaign.scheduled_for else None,
    }


def _parts(found: Progress, message_ids: list[int]) -> list[dict[str, Any]]:
    """One part for each state that has anybody in it."""
    counts: dict[str, int] = {}
    for part in found.parts:
        counts[part.state] = counts.get(part.state, 0) + part.count
    return [
        {
            "state": state,
            "label": states.STATES[state],
            "meaning": states.MEANINGS[state],
            "count": count,
            "url": records_url(message_ids, state=state),
        }
        for state, count in counts.items()
        if count
    ]


def _skipped(found: Progress, message_ids: list[int]) -> list[dict[str, Any]]:
    """Why people got nothing, with what staff can do about it."""
    return [
        {
            "label": screening.label_of(part.reason),
            "remedy": screening.REMEDIES.get(part.reason, ""),
            "state": part.state,
            "count": part.count,
            "url": records_url(message_ids, state=part.state, reason=part.reason),
        }
        for part in found.parts
        if part.state in ("skipped", "failed", "undelivered", "unknown") and part.reason
    ]


def records_url(message_ids: list[int], **filters: str) -> str:
    """The sending records of some messages, filtered."""
    query = urlencode({"message": ",".join(map(str, message_ids)), **filters})
    return f"{reverse('admin:notifications_delivery_changelist')}?{query}"


def _stopped_for(campaign: Campaign) -> str:
    """The words of the brake, if it was not staff who paused the campaign."""
    if not campaign.is_paused:
        return ""
    frozen = campaign.variants.filter(message__paused_at__isnull=False).select_related("message")
    return next((variant.message.paused_for for variant in frozen if variant.message.paused_for), "")
