"""Audiences: the people of a campaign, and which of its variants each of them gets."""

from datetime import datetime

from django.db.models import F, Func, IntegerField, QuerySet

from campaigns import segmentation
from campaigns.models import Campaign, Variant
from customers.models import Customer


class Bucket(Func):
    """
    A number from 0 to 99 that belongs to a customer within one campaign.

    Knuth's multiplication spreads neighboring ids evenly, and being plain arithmetic it is the
    same on every server and in every year; the campaign's id deals the cards anew each time.
    """

    output_field = IntegerField()

    def __init__(self, campaign_id: int):
        super().__init__(
            F("pk"),
            template="mod(mod(%(expressions)s, 4294967296) * 2654435761 + %(seed)d, 4294967296) / 42949673",
            seed=campaign_id * 40_503_173 % 4_294_967_296,
        )


def people(campaign: Campaign, *, now: datetime) -> QuerySet[Customer]:
    """The customers of the campaign's segment now. Raises segmentation.BadConditions."""
    return segmentation.people(campaign.segment.conditions, now=now)


def parts(campaign: Campaign, audience: QuerySet[Customer]) -> list[tuple[Variant, QuerySet[Customer]]]:
    """Each variant with its part of the audience; nobody is in two parts, and everybody in one."""
    variants = list(campaign.variants.select_related("template__signature"))
    if len(variants) == 1:
        return [(variants[0], audience)]
    divided = []
    begins = 0
    for variant in variants:
        ends = begins + variant.share
        part = audience.alias(bucket=Bucket(campaign.pk)).filter(bucket__gte=begins, bucket__lt=ends)
        divided.append((variant, part))
        begins = ends
    return divided
