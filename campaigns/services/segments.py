"""Segments: who uses them, and how many people they hold."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from campaigns import segmentation
from campaigns.choices import CampaignStatus
from campaigns.models import Campaign, Segment
from customers.models import Customer

SHOWN = 50


@dataclass(frozen=True)
class Page:
    """Some people of a segment, newest first; `older_than` asks for the next ones, None at the end."""

    people: list[Customer]
    older_than: int | None


def uses(segment: Segment) -> QuerySet[Campaign]:
    """The campaigns built on a segment, newest first."""
    return Campaign.objects.filter(segment=segment).order_by("-id")


def waiting_uses(segment: Segment) -> QuerySet[Campaign]:
    """The campaigns that will ask the segment again when they start."""
    return uses(segment).filter(status__in=[CampaignStatus.DRAFT, CampaignStatus.SCHEDULED])


def page(conditions, *, older_than: int | None, now: datetime) -> Page:
    """
    Some of the people for whom conditions hold.

    Raises segmentation.BadConditions and segmentation.TooSlow.
    """
    people = segmentation.people(conditions, now=now).select_related("tier").order_by("-pk")
    if older_than:
        people = people.filter(pk__lt=older_than)
    found = segmentation.within(5_000, lambda: list(people[: SHOWN + 1]))
    return Page(found[:SHOWN], found[SHOWN - 1].pk if len(found) > SHOWN else None)
