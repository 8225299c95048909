"""Reviews: what a campaign would do if it were started now – whom it reaches, what stops it, what it costs."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from campaigns import holidays, segmentation
from campaigns.choices import CampaignStatus, Timing
from campaigns.models import Campaign, Variant
from campaigns.services import audiences
from customers import clock
from customers.models import Customer
from notifications import quiet, rendering
from notifications.services import estimates, gateways, messages, registrations, step_people
from notifications.services.estimates import Estimate

# Above so many people the number has to be typed.
CONFIRM_ABOVE = 5_000
# A clerk who types the current minute means now, not the past.
TOLERANCE = timedelta(minutes=1)
SENT_LATELY = timedelta(hours=24)
# Deciding on a million people takes 3 s for each text, and several times that beside a running campaign.
PATIENCE_MILLISECONDS = 20_000


class CannotSchedule(Exception):
    """The campaign may not be scheduled as it stands; the text says why and what to do."""


@dataclass
class Review:
    """What staff look at before they commit."""

    moment: datetime | None = None
    opens_at: datetime | None = None
    estimate: Estimate | None = None
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def can_start(self) -> bool:
        """Whether nothing stands in the way."""
        return not self.problems

    @property
    def must_type(self) -> bool:
        """Whether so many people would be written to that the number has to be typed."""
        return bool(self.estimate) and self.estimate.will_send > CONFIRM_ABOVE

    @property
    def is_waiting(self) -> bool:
        """Whether quiet hours move the first message to a later hour."""
        return bool(self.moment and self.opens_at and self.opens_at > self.moment)


def review(
    campaign: Campaign, *, now: datetime, counted: Estimate | None = None, patience: int = PATIENCE_MILLISECONDS
) -> Review:
    """
    Everything that staff should know before they start a campaign; never raises for what they entered.

    `counted` stands in for deciding on everybody, where somebody has done so a moment ago. `patience` is in
    milliseconds.
    """
    found = Review()
    try:
        found.moment = moment_of(campaign, now=now)
    except CannotSchedule as refusal:
        found.problems.append(str(refusal))
    found.problems += obstacles(campaign)
    send_at = found.moment or now
    variants = list(campaign.variants.select_related("template__signature"))
    if not variants:
        return found
    _look_at_approvals(found, variants)
    _look_at_hours(found, campaign, variants[0], send_at)
    try:
        audience = audiences.people(campaign, now=now)
    except segmentation.BadConditions as refusal:
        found.problems.append(_refused_segment(campaign, refusal))
        return found
    try:
        found.estimate = counted or segmentation.within(
            patience,
            lambda: _estimate(campaign, audience, now=now, send_at=found.opens_at or send_at),
        )
    except rendering.Refused:
        return found  # The text cannot be rendered; obstacles() has said so.
    except segmentation.TooSlow:
        found.problems.append(_("Counting the people takes too long at the moment. Open the page again in a minute."))
        return found
    _look_at_people(found, campaign)
    _look_at_earlier_campaigns(found, variants, now)
    return found


def moment_of(campaign: Campaign, *, now: datetime) -> datetime:
    """When the campaign goes out if it is started now. Raises CannotSchedule."""
    if campaign.timing == Timing.NOW:
        return now
    if campaign.timing == Timing.HOLIDAY:
        try:
            return holidays.next_moment(campaign.holiday, campaign.holiday_time, after=now, zone=clock.shop_zone())
        except (holidays.UnknownHoliday, TypeError) as refusal:
            raise CannotSchedule(_("Choose a holiday and the hour of the day.")) from refusal
    if campaign.planned_for is None:
        raise CannotSchedule(_("Choose the date and time at which the campaign goes out."))
    if campaign.planned_for < now - TOLERANCE:
        raise CannotSchedule(
            _("%(moment)s has already passed. Choose a later time, or “as soon as it is started”.")
            % {"moment": in_words(campaign.planned_for)}
        )
    return max(campaign.planned_for, now)


def obstacles(campaign: Campaign) -> list[str]:
    """The sentences that forbid a start whatever the audience is."""
    variants = list(campaign.variants.select_related("template__signature"))
    found = []
    if not variants:
        found.append(_("The campaign has no text. Add a variant and choose its template."))
    elif sum(variant.share for variant in variants) != 100:
        found.append(
            _("The shares of the variants add up to %(total)d %%, not 100 %%. Change them.")
            % {"total": sum(variant.share for variant in variants)}
        )
    if any(variant.template.channel != campaign.channel for variant in variants):
        found.append(_("A template is written for another channel than the campaign. Choose another template."))
    if len({variant.template.purpose for variant in variants}) > 1:
        found.append(
            _("The templates are of different classes, for which different rules hold. Choose templates of one class.")
        )
    for variant in variants:
        try:
            messages.check(variant.template)
        except messages.CannotFreeze as refusal:
            found.append(str(refusal))
        else:
            found += _about_orders(variant)
    if not gateways.account_for(campaign.channel):
        found.append(
            _("No provider account is active for %(channel)s. Activate one under provider accounts.")
            % {"channel": campaign.get_channel_display()}
        )
    return list(dict.fromkeys(found))


def _about_orders(variant: Variant) -> list[str]:
    """A campaign has no order or event to speak of: everybody would be left out for a missing value."""
    parsed = rendering.compiled(variant.template)
    used = [rendering.VARIABLES[name].key for name in sorted(rendering.OF_OCCASION.intersection(parsed.variables))]
    if not used:
        return []
    return [
        _("The template “%(name)s” speaks of an order or an event (%(variables)s). Only a reminder can send it.")
        % {"name": variant.template, "variables": ", ".join(used)}
    ]


def changed_since(campaign: Campaign) -> list[str]:
    """Sentences about texts that are no longer the ones which were reviewed when it was scheduled."""
    reviewed = (campaign.estimate or {}).get("versions", {})
    return [
        _("The template “%(name)s” was changed after the campaign was scheduled. Take it back and review it again.")
        % {"name": variant.template}
        for variant in campaign.variants.select_related("template")
        if reviewed.get(str(variant.template_id), variant.template.version) != variant.template.version
    ]


def people_of_step(campaign: Campaign, *, code: str, now: datetime, after: int = 0, limit: int) -> list[int]:
    """
    The ids, above `after`, of the first people whom a step of the waterfall holds; code '' for those who get it.

    Raises segmentation.BadConditions and segmentation.TooSlow.
    """
    send_at = now
    with suppress(CannotSchedule):  # The page of the waterfall says so; the people are the same.
        send_at = moment_of(campaign, now=now)
    audience = audiences.people(campaign, now=now)
    if code == "matched":
        return list(audience.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:limit])
    variant = campaign.variants.select_related("template").first()
    if variant is None:
        return []  # Without a text nothing is decided about anybody.
    hours = quiet.quiet_for(channel=campaign.channel, purpose=variant.template.purpose, zone=clock.shop_zone())
    return segmentation.within(
        PATIENCE_MILLISECONDS,
        lambda: step_people.people(
            audience,
            code="" if code == "will_send" else code,
            channel=campaign.channel,
            purpose=variant.template.purpose,
            cap_policy=campaign.cap_policy,
            send_at=hours.opens_at(send_at) if hours else send_at,
            after=after,
            limit=limit,
        ),
    )


def snapshot(campaign: Campaign, found: Review, *, now: datetime) -> dict[str, Any]:
    """What is kept with the campaign of a review that somebody confirmed."""
    estimate = found.estimate
    return {
        "made_at": now.isoformat(),
        "total": estimate.total,
        "steps": [
            {"code": step.code, "count": step.count, "segments": step.segments, "cost": str(step.cost)}
            for step in estimate.steps
        ],
        "will_send": estimate.will_send,
        "will_hold": estimate.will_hold,
        "held_until": estimate.held_until.isoformat() if estimate.held_until else None,
        "segments": estimate.segments,
        "cost": str(estimate.cost),
        "seconds": estimate.seconds,
        "ends_at": estimate.ends_at.isoformat() if estimate.ends_at else None,
        "versions": {
            str(variant.template_id): variant.template.version
            for variant in campaign.variants.select_related("template")
        },
    }


def in_words(moment: datetime) -> str:
    """A moment in the shop's zone, to the minute."""
    return date_format(localtime(moment), "Y-m-d H:i")


def _estimate(campaign: Campaign, audience: QuerySet[Customer], *, now: datetime, send_at: datetime) -> Estimate:
    divided = audiences.parts(campaign, audience)
    return estimates.estimate(
        audience,
        variants=[(variant.template, part) for variant, part in divided],
        channel=campaign.channel,
        purpose=divided[0][0].template.purpose,
        cap_policy=campaign.cap_policy,
        now=now,
        send_at=send_at,
    )


def _refused_segment(campaign: Campaign, refusal: segmentation.BadConditions) -> str:
    return _("The segment “%(name)s” cannot be asked. %(sentence)s") % {
        "name": campaign.segment,
        "sentence": refusal,
    }


def _look_at_hours(found: Review, campaign: Campaign, variant: Variant, send_at: datetime) -> None:
    hours = quiet.quiet_for(channel=campaign.channel, purpose=variant.template.purpose, zone=clock.shop_zone())
    found.opens_at = hours.opens_at(send_at) if hours else send_at
    closes = send_at + timedelta(hours=campaign.valid_hours)
    if found.opens_at >= closes:
        found.problems.append(
            _(
                "At %(moment)s quiet hours hold until %(opening)s, but the campaign may go out until %(end)s only. "
                "Choose another time, or let it go out for more hours."
            )
            % {"moment": in_words(send_at), "opening": in_words(found.opens_at), "end": in_words(closes)}
        )
    elif found.opens_at > send_at:
        found.remarks.append(
            _("Quiet hours hold then: the first message goes out %(opening)s.") % {"opening": in_words(found.opens_at)}
        )


def _look_at_approvals(found: Review, variants: list[Variant]) -> None:
    """Tell what a provider has taken back although another account could send it."""
    taken_back = registrations.trouble_for([variant.template_id for variant in variants])
    for sentence in dict.fromkeys(sentence for said in taken_back.values() for sentence in said):
        if not any(sentence in problem for problem in found.problems):
            found.remarks.append(sentence)


def _look_at_people(found: Review, campaign: Campaign) -> None:
    estimate = found.estimate
    if not estimate.total:
        found.problems.append(
            _("Nobody is in the segment “%(name)s” now. Change its conditions, or choose another segment.")
            % {"name": campaign.segment}
        )
    elif not estimate.will_send:
        found.problems.append(
            _("Nobody would get a message: all %(count)s people are left out for the reasons shown.")
            % {"count": f"{estimate.total:,}"}
        )
    closes = (found.moment or estimate.ends_at) + timedelta(hours=campaign.valid_hours)
    if estimate.held_until and estimate.held_until >= closes:
        found.remarks.append(
            _("Some of the people whom the cap holds are not free before %(end)s and will be left out.")
            % {"end": in_words(closes)}
        )
    if estimate.ends_at and estimate.ends_at > closes:
        found.remarks.append(
            _("Not everybody will be reached by %(end)s, when the campaign's hours are over.")
            % {"end": in_words(closes)}
        )


def _look_at_earlier_campaigns(found: Review, variants: list[Variant], now: datetime) -> None:
    """Tell that the same text went out lately: a second click a day later costs as much as the first."""
    earlier = (
        Campaign.objects.filter(
            variants__template__in=[variant.template_id for variant in variants],
            status__in=[CampaignStatus.RUNNING, CampaignStatus.FINISHED],
            launched_at__gte=now - SENT_LATELY,
        )
        .order_by("-launched_at")
        .first()
    )
    if earlier:
        found.remarks.append(
            _("The campaign “%(name)s” sent the same text %(moment)s.")
            % {"name": earlier, "moment": in_words(earlier.launched_at)}
        )
