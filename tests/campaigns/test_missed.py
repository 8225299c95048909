"""A campaign that missed its time waits for a person: now, later, or never."""

from datetime import timedelta

import pytest
from django.urls import reverse

from campaigns.choices import CampaignStatus
from campaigns.models import Campaign
from campaigns.services import campaigns
from customers import clock
from tests import cast, staff
from tests.campaigns import shop

pytestmark = pytest.mark.django_db


def missed() -> Campaign:
    """A campaign whose hour came while nothing ran."""
    shop.account()
    cast.crowd(5)
    campaign = shop.draft(planned_for=clock.now())
    Campaign.objects.filter(pk=campaign.pk).schedule(clock.now() - timedelta(hours=5), by=None, estimate=None)
    campaigns.launch_due(now=clock.now())
    return campaign


@pytest.mark.parametrize(("when", "page"), [("now", "review"), ("at", "change"), ("tomorrow", "change")])
def test_a_missed_campaign_gets_another_chance_only_by_a_person(when, page):
    campaign = missed()

    answer = staff.signed_in("marketer").post(
        reverse("admin:campaigns_campaign_reopen", args=[campaign.pk]), {"when": when}
    )

    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.DRAFT
    assert campaign.finished_at is None
    assert campaign.timing == ("now" if when == "now" else "at")
    assert answer.url.rstrip("/").endswith(page)


def test_a_missed_campaign_is_closed_by_a_click():
    campaign = missed()

    staff.signed_in("marketer").post(reverse("admin:campaigns_campaign_cancel", args=[campaign.pk]))

    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.CANCELED


def test_the_page_of_a_missed_campaign_offers_the_three_ways():
    campaign = missed()

    page = staff.signed_in("marketer").get(reverse("admin:campaigns_campaign_live", args=[campaign.pk]))

    assert b'id="missed"' in page.content
    assert b"Close it" in page.content


def test_a_campaign_that_did_not_miss_its_time_is_not_reopened():
    shop.account()
    campaign = shop.draft(planned_for=clock.now())

    staff.signed_in("marketer").post(reverse("admin:campaigns_campaign_reopen", args=[campaign.pk]), {"when": "now"})

    campaign.refresh_from_db()
    assert campaign.timing == "at"


def test_a_clerk_reopens_nothing():
    campaign = missed()

    answer = staff.signed_in("clerk").post(reverse("admin:campaigns_campaign_reopen", args=[campaign.pk]))

    assert answer.status_code == 403
