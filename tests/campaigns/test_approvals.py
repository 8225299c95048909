"""A text that the provider takes back is told before the campaign's hour comes."""

from datetime import timedelta

import pytest
import shop
from django.urls import reverse
from django.utils import translation

from campaigns.services import approvals, campaigns, reviews
from config import attention, watching
from notifications.choices import AlertKind
from notifications.services import registrations
from tests import registered, staff
from tests.gateways.aliyun import Aliyun

pytestmark = pytest.mark.django_db

NOON = shop.NOON


@pytest.fixture
def aliyun(tmp_path, settings):
    with Aliyun(tmp_path / "aliyun") as service:
        settings.GATEWAY_PRIVATE_HOSTS = [service.host]
        yield service


@pytest.fixture
def scheduled(aliyun):
    """A campaign for tomorrow whose text Aliyun has approved."""
    shop.cast.crowd(20)
    account = registered.account_at(aliyun)
    campaign = shop.draft(planned_for=NOON + timedelta(days=1))
    template = campaign.variants.get().template
    registrations.hand_in(template, account, by=None, now=NOON)
    registrations.sync(now=NOON)
    campaigns.schedule(campaign, version=1, seen=20, by=None, now=NOON)
    campaign.refresh_from_db()
    return campaign


def take_back(aliyun):
    for text in aliyun.script.templates.values():
        text[1:] = ["2", "含营销词"]
    registrations.sync(now=NOON + timedelta(hours=2))


def test_an_approved_campaign_needs_nobody(scheduled):
    assert approvals.flagged() == []


def test_a_rejected_text_flags_the_scheduled_campaign_with_the_reason(aliyun, scheduled, rf):
    take_back(aliyun)
    request = rf.get("/")
    request.user = staff.member("marketer")

    with translation.override("en"):
        (flag,) = approvals.flagged()
        words = flag.words
        shown = [point.words for point in attention.points(request, now=NOON)]

    assert flag.campaign == scheduled
    assert words.startswith("“New Year greeting” goes out 2027-02-06 12:00. 阿里云 rejected the text of")
    assert words.endswith("含营销词")
    assert words in shown


def test_staff_are_told_at_once_in_their_language(aliyun, scheduled):
    take_back(aliyun)

    (cause,) = [cause for cause in watching.causes(NOON) if cause.kind == AlertKind.REJECTED_TEXT]

    with translation.override("en"):
        assert "rejected the text of" in cause.sentence()
    with translation.override("zh-hans"):
        assert "驳回了" in cause.sentence()


def test_the_page_of_the_campaign_says_so(aliyun, scheduled):
    take_back(aliyun)

    page = staff.signed_in("marketer").get(reverse("admin:campaigns_campaign_live", args=[scheduled.pk]))

    assert "含营销词" in page.content.decode()


def test_a_draft_that_another_account_could_send_says_so_in_its_review(aliyun, scheduled):
    take_back(aliyun)
    campaigns.unschedule(scheduled)
    scheduled.refresh_from_db()

    alone = reviews.review(scheduled, now=NOON)
    shop.account()
    beside_another = reviews.review(scheduled, now=NOON)

    assert "含营销词" in " ".join(alone.problems) and not alone.remarks
    assert "含营销词" in " ".join(beside_another.remarks) and beside_another.can_start


def test_a_launch_waits_for_the_approval(aliyun, scheduled):
    take_back(aliyun)

    done = campaigns.launch_due(now=NOON + timedelta(days=1))
    scheduled.refresh_from_db()

    assert done.delayed == [scheduled.pk]
    assert "含营销词" in scheduled.problem["en"]
    assert approvals.flagged() == []


def test_the_review_leads_to_where_the_text_is_registered(aliyun):
    shop.cast.crowd(20)
    registered.account_at(aliyun)
    campaign = shop.draft(planned_for=NOON + timedelta(days=1))
    template = campaign.variants.get().template

    page = staff.signed_in("marketer").get(reverse("admin:campaigns_campaign_review_now", args=[campaign.pk]))

    assert "is not approved at 阿里云 yet" in page.content.decode()
    address = reverse("admin:notifications_template_change", args=[template.pk])
    assert f'href="{address}#registered"' in page.content.decode()
