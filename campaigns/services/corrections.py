"""Corrections: a new draft for only those who got a campaign that should not have gone out as it did."""

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns.choices import Timing
from campaigns.models import Campaign, Segment

LONGEST_SEGMENT_NAME = Segment._meta.get_field("name").max_length
LONGEST_CAMPAIGN_NAME = Campaign._meta.get_field("name").max_length


@transaction.atomic
def draft(campaign: Campaign, *, by) -> Campaign:
    """
    A campaign to those who got, or may have got, another one; without a text, so that nobody sends the old one twice.

    The segment asks when the correction starts, so it holds whoever was in a call at the moment of the stop.
    """
    twin = Campaign(
        name=(_("Correction of “%s”") % campaign.name)[:LONGEST_CAMPAIGN_NAME],
        segment=_segment(campaign, by=by),
        channel=campaign.channel,
        cap_policy=campaign.cap_policy,
        timing=Timing.NOW,
        valid_hours=campaign.valid_hours,
        created_by=by,
    )
    twin.save()
    return twin


def _segment(campaign: Campaign, *, by) -> Segment:
    conditions = [[{"field": "campaign", "operator": "got", "value": campaign.pk}]]
    if existing := Segment.objects.filter(conditions=conditions).order_by("id").first():
        return existing
    ending = f" #{campaign.pk}"
    name = (_("Got “%s”") % campaign.name)[: LONGEST_SEGMENT_NAME - len(ending)] + ending
    return Segment.objects.create(name=name, conditions=conditions, created_by=by)
