"""The review: whom a draft would reach, what each reader sees, what it costs – and the button that commits."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from campaigns import segmentation
from campaigns.admin import people_page, waterfall, words
from campaigns.choices import CampaignStatus, Timing
from campaigns.models import Campaign, KeptReview, Variant
from campaigns.services import audiences, campaigns, kept_reviews, reviews, trials
from campaigns.services.reviews import Review
from customers import clock, doorbell
from customers.choices import Channel, Purpose
from customers.models import Customer
from notifications import personal, rendering, screening
from notifications.admin import template_preview
from notifications.models import Template
from notifications.services import registrations

SHOWN_PER_PAGE = 100
# So many are tried for a sample; somebody without a name should not make the page show bare variables.
CANDIDATES = 20
LONGEST_NUMBER = 12
# Reasons that only the composed texts decide.
OF_THE_TEXT = {
    reason.code
    for reason in (screening.MISSING_VALUE, screening.TOO_LONG, screening.VALUE_TOO_LONG, screening.VALUE_WITH_LINK)
}


def find(admin: ModelAdmin, request: HttpRequest, campaign_id: int, *permissions: str) -> Campaign:
    """The campaign, for readers who may see it and hold these permissions. Raises 403 and 404."""
    if not admin.has_view_permission(request) or not request.user.has_perms(permissions):
        raise PermissionDenied
    everything = Campaign.objects.with_pause().select_related("segment", "scheduled_by", "created_by", "canceled_by")
    return get_object_or_404(everything, pk=campaign_id)


def page(admin: ModelAdmin, request: HttpRequest, template: str, campaign: Campaign, **context: Any) -> HttpResponse:
    """A page of our own inside the frame of the admin."""
    names = {"title": campaign.name, "opts": Campaign._meta, "original": campaign, "object": campaign}
    frame = admin.admin_site.each_context(request) | names | {"media": admin.media}
    return fragment(request, template, campaign, **frame, **context)


def fragment(request: HttpRequest, template: str, campaign: Campaign, **context: Any) -> HttpResponse:
    """A part of a page, or with a frame the whole of it."""
    may = {
        verb: request.user.has_perm(f"campaigns.{verb}_campaign")
        for verb in ("launch", "pause", "cancel", "test", "change", "add")
    }
    shared = {"campaign": campaign, "pill": words.pill(campaign), "when": words.when(campaign), "may": may}
    return render(request, f"admin/campaigns/campaign/{template}.html", shared | context)


@require_GET
def show(request: HttpRequest, admin: ModelAdmin, campaign_id: int) -> HttpResponse:
    """
    The page around the review of a draft; what is no draft any more is watched on the live page.

    The review itself follows by htmx: deciding on a million people takes seconds.
    """
    campaign = find(admin, request, campaign_id)
    if campaign.status != CampaignStatus.DRAFT:
        return redirect("admin:campaigns_campaign_live", campaign.pk)
    return page(admin, request, "review", campaign)


@require_GET
def show_now(request: HttpRequest, admin: ModelAdmin, campaign_id: int) -> HttpResponse:
    """The review of a draft as it stands, as a fragment; what takes seconds is asked for by the fragment itself."""
    campaign = find(admin, request, campaign_id)
    now = clock.now()
    kept = kept_reviews.fresh(campaign, now=now)
    if not kept and kept_reviews.is_large(campaign, now=now):
        return fragment(request, "review_waiting", campaign, is_asked=False)
    return _reviewed(request, campaign, kept, now)


@require_POST
def count(request: HttpRequest, admin: ModelAdmin, campaign_id: int) -> HttpResponse:
    """Have a large waterfall counted by a worker, and look whether it has been; without a worker count it here."""
    campaign = find(admin, request, campaign_id)
    now = clock.now()
    if not kept_reviews.is_large(campaign, now=now):
        return _reviewed(request, campaign, None, now)
    if kept_reviews.ask(campaign, now=now, again="again" in request.POST):
        doorbell.ring("campaigns.jobs.count_reviews", queue="bulk")
    if kept_reviews.is_overdue(campaign, now=now):
        kept_reviews.count(campaign.pk, now=now, ends=clock.now)
    if kept_reviews.is_counting(campaign):
        return fragment(request, "review_waiting", campaign, is_asked=True)
    return _reviewed(request, campaign, kept_reviews.fresh(campaign, now=now), now)


def _reviewed(request: HttpRequest, campaign: Campaign, kept: KeptReview | None, now: datetime) -> HttpResponse:
    found = reviews.review(campaign, now=now, counted=kept and kept_reviews.estimate_of(kept, now=now))
    snapshot = reviews.snapshot(campaign, found, now=now) if found.estimate else None
    return fragment(
        request,
        "review_now",
        campaign,
        review=found,
        estimate=found.estimate,
        kept=kept,
        rows=waterfall.rows(snapshot) if snapshot else [],
        goes_now=campaign.timing == Timing.NOW,
        samples=_samples(campaign, now),
        lengths=_lengths(found),
        tests_left=trials.LIMIT_PER_HOUR - trials.sent_lately(request.user, now=now),
        variants=list(campaign.variants.select_related("template")),
        to_register=_to_register(campaign),
    )


def _to_register(campaign: Campaign) -> list[Template]:
    """The templates of a campaign whose text a provider has still to approve."""
    templates = Template.objects.filter(variants__campaign=campaign).select_related("signature").distinct()
    return [template for template in templates.order_by("pk") if registrations.why_not(template)]


@require_GET
def people(request: HttpRequest, admin: ModelAdmin, campaign_id: int, code: str) -> HttpResponse:
    """The people of one step of the waterfall."""
    campaign = find(admin, request, campaign_id, "customers.view_customer")
    reason = waterfall.REASONS.get(code)
    titles = {"matched": _("Everybody in the segment"), "will_send": _("Those who will be written to")}
    if not reason and code not in titles:
        raise Http404
    back = "review" if campaign.status == CampaignStatus.DRAFT else "live"
    context: dict[str, Any] = {
        "back_url": reverse(f"admin:campaigns_campaign_{back}", args=[campaign.pk]),
        "back_title": campaign.name,
        "sentence": str(reason.label) if reason else titles[code],
        "remedy": str(reason.remedy) if reason else "",
    }
    if code in OF_THE_TEXT:
        context["refusal"] = _(
            "Who they are is known once the texts are composed: after the start they stand in the sending records."
        )
        return _people(admin, request, context)
    try:
        ids = reviews.people_of_step(
            campaign, code=code, now=clock.now(), after=_number(request.GET.get("after")), limit=SHOWN_PER_PAGE + 1
        )
    except segmentation.BadConditions as refusal:
        return _people(admin, request, context | {"refusal": str(refusal)})
    except segmentation.TooSlow:
        return _people(admin, request, context | {"refusal": _("The answer takes too long. Try again in a minute.")})
    shown = ids[:SHOWN_PER_PAGE]
    found = Customer.objects.filter(pk__in=shown).select_related("tier").order_by("pk")
    context["rows"] = people_page.rows(found, user=request.user)
    context["next_query"] = urlencode({"after": shown[-1]}) if len(ids) > SHOWN_PER_PAGE else ""
    return _people(admin, request, context)


@require_POST
def schedule(request: HttpRequest, admin: ModelAdmin, campaign_id: int) -> HttpResponse:
    """Commit a draft as it was looked at; a campaign for now is started by the next free worker."""
    campaign = find(admin, request, campaign_id, "campaigns.launch_campaign")
    now = clock.now()
    seen, version = _number(request.POST.get("seen")), _number(request.POST.get("version"))
    try:
        _refuse_untyped(request, seen)
        moment = campaigns.schedule(campaign, version=version, seen=seen, by=request.user, now=now)
    except reviews.CannotSchedule as refusal:
        messages.error(request, str(refusal))
        return redirect("admin:campaigns_campaign_review", campaign.pk)
    if moment > now:
        messages.success(request, _("Scheduled for %(moment)s.") % {"moment": reviews.in_words(moment)})
    elif doorbell.ring("campaigns.jobs.launch_due", queue="bulk"):
        messages.success(request, _("Started. The first messages leave within seconds."))
    else:
        messages.warning(
            request,
            _("Started, and nothing is lost: the queue does not answer, so sending will start a little later."),
        )
    return redirect("admin:campaigns_campaign_live", campaign.pk)


@require_POST
def unschedule(request: HttpRequest, admin: ModelAdmin, campaign_id: int) -> HttpResponse:
    """Take a scheduled campaign back for another edit."""
    campaign = find(admin, request, campaign_id, "campaigns.launch_campaign")
    try:
        campaigns.unschedule(campaign)
        messages.success(request, _("Taken back. The campaign is a draft again and will not start by itself."))
    except campaigns.CannotUnschedule as refusal:
        messages.error(request, str(refusal))
        return redirect("admin:campaigns_campaign_live", campaign.pk)
    return redirect("admin:campaigns_campaign_review", campaign.pk)


@require_POST
def test(request: HttpRequest, admin: ModelAdmin, campaign_id: int) -> HttpResponse:
    """Send one of the texts to a staff number."""
    campaign = find(admin, request, campaign_id, "campaigns.test_campaign")
    chosen = campaign.variants.filter(pk=_number(request.POST.get("variant")))
    variant = get_object_or_404(chosen.select_related("template__signature"))
    try:
        trials.send(
            campaign, variant.template, number=request.POST.get("number", ""), by=request.user, now=clock.now()
        )
        doorbell.ring("notifications.jobs.send_due", queue=Purpose.TRANSACTIONAL.queue, names_queue=True)
        messages.success(request, _("The test is on its way. It is marked, and counts in no cap and no statistics."))
    except trials.CannotTest as refusal:
        messages.error(request, str(refusal))
    back = "review" if campaign.status == CampaignStatus.DRAFT else "live"
    return redirect(f"admin:campaigns_campaign_{back}", campaign.pk)


@require_POST
def copy(request: HttpRequest, admin: ModelAdmin, campaign_id: int) -> HttpResponse:
    """Make a new draft with the same segment, texts and hours."""
    campaign = find(admin, request, campaign_id, "campaigns.add_campaign")
    twin = campaigns.copy(campaign, name=_("%(name)s (copy)") % {"name": campaign.name[:90]}, by=request.user)
    messages.success(request, _("Copied. Choose when the new campaign goes out."))
    return redirect("admin:campaigns_campaign_change", twin.pk)


VIEWS = [
    ("review/", "review", show),
    ("review/now/", "review_now", show_now),
    ("review/count/", "review_count", count),
    ("people/<slug:code>/", "people", people),
    ("schedule/", "schedule", schedule),
    ("unschedule/", "unschedule", unschedule),
    ("test/", "test", test),
    ("copy/", "copy", copy),
]


def _people(admin: ModelAdmin, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    frame = admin.admin_site.each_context(request) | {"title": context["sentence"], "media": admin.media}
    return render(request, "admin/campaigns/people.html", frame | context)


def _number(raw: str | None) -> int:
    """A whole number from a form; 0, which no page sends, for anything else."""
    digits = (raw or "").replace(",", "").replace(" ", "").strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_NUMBER else 0


def _refuse_untyped(request: HttpRequest, seen: int) -> None:
    """Above the threshold a click is not enough; the number of messages has to be typed."""
    if seen > reviews.CONFIRM_ABOVE and _number(request.POST.get("typed")) != seen:
        raise reviews.CannotSchedule(
            _("Type the number of messages, %(count)s, to confirm. Nothing was scheduled.") % {"count": f"{seen:,}"}
        )


def _samples(campaign: Campaign, now) -> list[dict[str, Any]]:
    """What somebody in each variant's part would read."""
    try:
        divided = audiences.parts(campaign, audiences.people(campaign, now=now))
    except segmentation.BadConditions:
        return []
    return [_sample(variant, list(part.order_by("pk")[:CANDIDATES])) for variant, part in divided]


def _sample(variant: Variant, candidates: list[Customer]) -> dict[str, Any]:
    """The text for the first candidate who has all the values it needs; the bare text if nobody has."""
    template = variant.template
    is_letter = template.channel in rendering.LETTER_CHANNELS
    sample = {"variant": variant, "customer": None, "subject": template.subject, "text": template.body, "segments": 0}
    try:
        compiled = rendering.compiled(template)
    except rendering.Refused:
        return sample
    found = personal.values_for([customer.pk for customer in candidates], channel=template.channel)
    for customer in candidates:
        values = {name: personal.cleaned_value(name, value) for name, value in found[customer.pk].items()}
        values["shop"] = template.signature.name
        seen = rendering.preview(compiled, values, signature=template.signature.name, opt_out=_opt_out(template))
        if seen.can_be_sent:
            said = {"customer": customer, "subject": seen.subject, "text": seen.text, "html": seen.html}
            return sample | said | {"segments": 0 if is_letter else seen.segments}
    return sample


def _opt_out(template: Template) -> str:
    """The wording, or an example of the link, that this class of message must carry on this channel."""
    if not Purpose(template.purpose).needs_consent:
        return ""
    return {Channel.SMS: template.opt_out_wording, Channel.EMAIL: template_preview.EXAMPLE_LINK}.get(
        template.channel, ""
    )


def _lengths(found: Review) -> list[tuple[int, int]]:
    """How many people get a text of how many segments."""
    return sorted(found.estimate.segments_per_person.items()) if found.estimate else []
