"""The pages of a campaign, and how many people the draft of the stories reaches."""

from campaigns.models import Campaign

EVERYBODY = 30


def path(campaign: Campaign, page: str) -> str:
    """One of the pages of a campaign."""
    return f"/admin/campaigns/campaign/{campaign.pk}/{page}/"
