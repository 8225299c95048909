"""Read-only answers about campaigns for pages that stand above them."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext as _

from campaigns.choices import CampaignStatus
from campaigns.models import Campaign


@dataclass(frozen=True)
class Trouble:
    """A campaign that needs somebody, with the sentence that says why."""

    campaign: Campaign
    sentence: str


def troubles(*, since: datetime, at_most: int = 5) -> list[Trouble]:
    """Campaigns that missed their hour since a moment, or cannot start although it has come; newest first."""
    troubled = Campaign.objects.filter(
        Q(status=CampaignStatus.MISSED, finished_at__gte=since) | Q(status=CampaignStatus.SCHEDULED) & ~Q(problem={})
    ).order_by("-scheduled_for")
    return [Trouble(campaign, sentence(campaign)) for campaign in troubled[:at_most]]


def sentence(campaign: Campaign) -> str:
    """Why a campaign needs somebody, in the reader's language."""
    words = {"name": campaign.name, "why": campaign.problem_in_words}
    if campaign.status == CampaignStatus.MISSED:
        return _("“%(name)s” missed its time. %(why)s") % words
    return _("“%(name)s” cannot start yet. %(why)s") % words
