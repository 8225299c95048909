"""What the overview is told about campaigns."""

from datetime import timedelta

import pytest
from django.utils import translation

from campaigns import reports
from campaigns.services import campaigns
from notifications.choices import SignatureStatus
from notifications.models import Signature
from tests import cast
from tests.campaigns import shop
from tests.campaigns.shop import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def scheduled():
    shop.account()
    cast.crowd(20)
    campaign = shop.draft()
    campaigns.schedule(campaign, version=1, seen=20, by=None, now=NOON)
    campaign.refresh_from_db()
    return campaign


def _sentences(since=NOON):
    with translation.override("en"):
        return [trouble.sentence for trouble in reports.troubles(since=since)]


def test_a_campaign_that_waits_its_turn_needs_nobody(scheduled):
    assert _sentences() == []


def test_a_campaign_that_cannot_start_is_told_with_its_reason(scheduled):
    Signature.objects.update(status=SignatureStatus.REJECTED)
    campaigns.launch_due(now=scheduled.scheduled_for)

    (sentence,) = _sentences()

    assert "cannot start yet" in sentence and "is not approved" in sentence


def test_a_missed_campaign_is_told_for_a_while(scheduled):
    late = scheduled.scheduled_for + timedelta(hours=3)
    campaigns.launch_due(now=late)

    assert "missed its time" in _sentences(since=NOON)[0]
    assert _sentences(since=late + timedelta(days=1)) == []
