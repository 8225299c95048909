"""Kept reviews: count a large campaign's waterfall once, by whoever comes first, and show it to every tab."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

from campaigns import segmentation
from campaigns.choices import CountStatus
from campaigns.models import Campaign, KeptReview
from campaigns.services import audiences, reviews
from notifications import caps, screening
from notifications.models import QuietHours
from notifications.services import gateways
from notifications.services.estimates import Estimate, Step

# An audience moves by itself: people are imported, and opt out.
FRESH = timedelta(minutes=10)
# Up to here the page counts by itself within 0.5 s.
LARGE = 20_000
# Nobody waits in front of a worker; on a busy machine a million people took 18 s.
PATIENCE_MILLISECONDS = 60_000
# Longer than that, so what still counts then was killed.
LOST = timedelta(seconds=90)
# A worker answers a ring within a second unless it is busy or not there.
PATIENCE_FOR_A_WORKER = timedelta(seconds=4)
LOOKED_AT_MILLISECONDS = 200


def is_large(campaign: Campaign, *, now: datetime) -> bool:
    """Whether counting the campaign takes so long that it is kept; what cannot be asked is not large."""
    try:
        members = audiences.people(campaign, now=now).order_by().values("pk")[: LARGE + 1]
        return segmentation.within(LOOKED_AT_MILLISECONDS, members.count) > LARGE
    except segmentation.BadConditions:
        return False
    except segmentation.TooSlow:
        return True


def fingerprint(campaign: Campaign) -> str:
    """A text that changes with everything the waterfall is counted from, save the customers themselves."""
    variants = list(campaign.variants.select_related("template__signature").order_by("pk"))
    purposes = {variant.template.purpose for variant in variants}
    account = gateways.account_for(campaign.channel)
    rules = [
        [rule.pk, rule.limit, rule.window, rule.window_length, rule.minimum_gap, rule.channel, rule.purpose]
        for purpose in sorted(purposes)
        for rule in caps.rules_for(channel=campaign.channel, purpose=purpose)
    ]
    counted_from = {
        "segment": campaign.segment.conditions,
        "channel": campaign.channel,
        "policy": campaign.cap_policy,
        "when": [campaign.timing, campaign.planned_for, campaign.holiday, campaign.holiday_time],
        "texts": [
            [
                variant.pk,
                variant.share,
                variant.template_id,
                variant.template.version,
                variant.template.body,
                variant.template.purpose,
                variant.template.opt_out_wording,
                variant.template.signature.name,
            ]
            for variant in variants
        ],
        "caps": rules,
        "quiet hours": list(QuietHours.objects.order_by("pk").values_list()),
        "price": account.price if account else None,
    }
    return sha256(json.dumps(counted_from, default=str, sort_keys=True).encode()).hexdigest()


def fresh(campaign: Campaign, *, now: datetime) -> KeptReview | None:
    """What was counted within the last minutes, from what the campaign still is."""
    return KeptReview.objects.filter(
        campaign=campaign,
        status=CountStatus.COUNTED,
        fingerprint=fingerprint(campaign),
        counted_at__gt=now - FRESH,
    ).first()


def ask(campaign: Campaign, *, now: datetime, again: bool = False) -> bool:
    """
    Have the waterfall counted, unless that is under way or was done lately; answers whether somebody has to begin.

    `again` sets aside what was counted lately.
    """
    wanted = fingerprint(campaign)
    waiting = {"fingerprint": wanted, "status": CountStatus.WAITING, "asked_at": now}
    kept, is_new = KeptReview.objects.get_or_create(campaign=campaign, defaults=waiting)
    if is_new:
        return True
    itself = KeptReview.objects.filter(pk=kept.pk, status=kept.status, begun_at=kept.begun_at, asked_at=kept.asked_at)
    is_done = kept.status in (CountStatus.COUNTED, CountStatus.FAILED)
    is_lost = kept.status == CountStatus.COUNTING and kept.begun_at < now - LOST
    is_stale = is_done and kept.counted_at <= now - FRESH
    is_other = kept.fingerprint != wanted and kept.status != CountStatus.WAITING
    if not (is_lost or is_stale or is_other or (again and is_done)):
        return False
    return bool(itself.update(**waiting))


def is_overdue(campaign: Campaign, *, now: datetime) -> bool:
    """Whether no worker has begun for so long that the page has to count by itself."""
    waiting = KeptReview.objects.filter(campaign=campaign, status=CountStatus.WAITING)
    return waiting.filter(asked_at__lte=now - PATIENCE_FOR_A_WORKER).exists()


def is_counting(campaign: Campaign) -> bool:
    """Whether a count is asked for or under way."""
    return KeptReview.objects.filter(
        campaign=campaign, status__in=[CountStatus.WAITING, CountStatus.COUNTING]
    ).exists()


def count(campaign_id: int, *, now: datetime, ends: Callable[[], datetime]) -> bool:
    """
    Count one campaign that waits for it, and keep the numbers; False where somebody else does.

    `ends` tells the time once it is done.
    """
    campaign = Campaign.objects.select_related("segment").get(pk=campaign_id)
    itself = KeptReview.objects.filter(pk=campaign_id)
    if not itself.claim(now, fingerprint=fingerprint(campaign)):
        return False
    estimate = reviews.review(campaign, now=now, patience=PATIENCE_MILLISECONDS).estimate
    if estimate is None:
        # The page that asks reviews by itself then, and says why it cannot be counted.
        return bool(itself.fail(now, now=ends()))
    return bool(itself.keep(now, now=ends(), result=as_json(estimate)))


def count_waiting(*, now: datetime, ends: Callable[[], datetime]) -> int:
    """Count what waits, oldest first, also where a ring was lost or a worker died; answers how many."""
    KeptReview.objects.filter(status=CountStatus.COUNTING, begun_at__lt=now - LOST).update(
        status=CountStatus.WAITING, asked_at=now
    )
    # Nobody looks any more at what was asked for so long ago.
    waiting = KeptReview.objects.filter(status=CountStatus.WAITING, asked_at__gt=now - FRESH)
    ids = list(waiting.order_by("asked_at").values_list("pk", flat=True))
    return sum(count(campaign_id, now=ends(), ends=ends) for campaign_id in ids)


def as_json(estimate: Estimate) -> dict[str, Any]:
    """An estimate as it is kept."""
    return {
        "total": estimate.total,
        "steps": [[step.code, step.count, step.segments, str(step.cost)] for step in estimate.steps],
        "will_send": estimate.will_send,
        "will_hold": estimate.will_hold,
        "held_until": estimate.held_until.isoformat() if estimate.held_until else None,
        "segments": estimate.segments,
        "cost": str(estimate.cost),
        "segments_per_person": sorted(estimate.segments_per_person.items()),
        "seconds": estimate.seconds,
        "ends_at": estimate.ends_at.isoformat(),
    }


def estimate_of(kept: KeptReview, *, now: datetime) -> Estimate:
    """The kept numbers, for a campaign that starts now instead of when they were counted."""
    found = kept.result
    labels = {reason.code: reason.label for reason in screening.REASONS}
    estimate = Estimate(
        **{name: found[name] for name in ("total", "will_send", "will_hold", "segments", "seconds")},
        steps=[
            Step(code, labels.get(code, code), count, segments, Decimal(cost))
            for code, count, segments, cost in found["steps"]
        ],
        held_until=datetime.fromisoformat(found["held_until"]) if found["held_until"] else None,
        cost=Decimal(found["cost"]),
        segments_per_person=Counter(dict(found["segments_per_person"])),
        ends_at=datetime.fromisoformat(found["ends_at"]),
    )
    return replace(estimate, ends_at=max(estimate.ends_at, now + timedelta(seconds=estimate.seconds)))
