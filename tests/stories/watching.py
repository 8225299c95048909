"""Looking at running campaigns from outside."""

from collections import Counter

from campaigns.choices import CampaignStatus
from campaigns.models import Campaign
from customers import clock
from notifications.models import Delivery
from notifications.services.progress import Progress, progress
from tests.gateway import wait_until


def states(**conditions) -> Counter:
    """How many deliveries stand in each state, or were skipped for each reason."""
    rows = Delivery.objects.filter(**conditions).values_list("status", "reason")
    return Counter(reason or status for status, reason in rows)


def is_finished(*campaigns: Campaign) -> bool:
    """Whether all of them are over."""
    found = Campaign.objects.filter(pk__in=[campaign.pk for campaign in campaigns])
    return set(found.values_list("status", flat=True)) == {CampaignStatus.FINISHED}


def seen(campaign: Campaign) -> Progress:
    """Where a campaign stands."""
    return progress(Campaign.objects.get(pk=campaign.pk).message_ids, now=clock.now())


def handed_over(campaign: Campaign) -> int:
    """How many messages of a campaign the gateway has taken."""
    found = seen(campaign)
    return sum(found.count(state) for state in ("sent", "delivered", "undelivered"))


def wait_for_sent(campaign: Campaign, count: int, *, seconds: float = 60) -> bool:
    """Whether so many were handed over in time."""
    return wait_until(lambda: handed_over(campaign) >= count, seconds=seconds, every=0.05)
