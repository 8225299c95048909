"""Scheduled campaigns whose text or signature a provider has taken back: told before their hour comes."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from campaigns.choices import CampaignStatus
from campaigns.models import Campaign, Variant
from campaigns.services import reviews
from notifications.services import registrations


@dataclass(frozen=True)
class Flag:
    """A campaign and what was taken back, with the provider's reason."""

    campaign: Campaign
    sentences: tuple[str, ...]

    @property
    def words(self) -> str:
        """One sentence for a page that shows many campaigns."""
        return _("“%(name)s” goes out %(moment)s. %(why)s") % {
            "name": self.campaign,
            "moment": reviews.in_words(self.campaign.scheduled_for),
            "why": " ".join(self.sentences),
        }


def flagged(*, at_most: int = 5) -> list[Flag]:
    """The scheduled campaigns that need another text or signature, the next one first."""
    # Those that could not start at their hour have a problem, which says the same.
    waiting = Variant.objects.filter(campaign__status=CampaignStatus.SCHEDULED, campaign__problem={})
    variants = list(waiting.select_related("campaign").order_by("campaign__scheduled_for", "campaign", "id"))
    found = registrations.trouble_for({variant.template_id for variant in variants})
    sentences: dict[Campaign, list[str]] = {}
    for variant in variants:
        if variant.template_id in found:
            sentences.setdefault(variant.campaign, []).extend(found[variant.template_id])
    flags = [Flag(campaign, tuple(dict.fromkeys(said))) for campaign, said in sentences.items()]
    return flags[:at_most]


def flag_of(campaign: Campaign) -> Flag:
    """The same of one campaign, in the reader's language."""
    return Flag(campaign, tuple(sentences_of(campaign)))


def sentences_of(campaign: Campaign) -> list[str]:
    """What was taken back of the texts of a campaign that has not started; nothing of any other."""
    if campaign.status not in (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED):
        return []
    found = registrations.trouble_for(campaign.variants.values_list("template_id", flat=True))
    return list(dict.fromkeys(sentence for said in found.values() for sentence in said))
