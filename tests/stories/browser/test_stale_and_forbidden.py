"""A tab that was left open, and a clerk who may not launch: nothing of theirs is done, and they are told."""

import pytest
from playwright.sync_api import expect

from campaigns.choices import CampaignStatus
from tests.stories.browser.campaign_pages import EVERYBODY, path

pytestmark = [pytest.mark.browser, pytest.mark.stories, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def workers():
    """Nothing is sent here."""
    return ()


def test_a_tab_left_open_overwrites_nothing(log_in, draft):
    marketer = log_in("marketer")
    left_open = marketer.another_tab()
    left_open.open(path(draft, "change"))
    marketer.open(path(draft, "change"))
    marketer.page.locator("#id_name").fill("The new name")
    marketer.save()
    marketer.page.wait_for_url("**/review/")

    left_open.page.locator("#id_name").fill("The old tab")
    left_open.save()

    expect(left_open.page.locator("body")).to_contain_text("Somebody else saved this campaign")
    draft.refresh_from_db()
    assert draft.name == "The new name"


def test_a_clerk_sees_no_way_to_launch_and_is_refused(log_in, draft):
    clerk = log_in("clerk")
    clerk.open(path(draft, "review"))

    assert clerk.waterfall()["will_send"] == EVERYBODY
    expect(clerk.page.locator("#commit")).to_have_count(0)
    refused = clerk.post(path(draft, "schedule"), version=draft.version, seen=EVERYBODY)

    assert refused == 403
    draft.refresh_from_db()
    assert draft.status == CampaignStatus.DRAFT
    # The same form is fine in the hands of somebody who may.
    marketer = log_in("marketer")
    marketer.open(path(draft, "review"))
    marketer.page.locator("#commit").wait_for()
    assert marketer.post(path(draft, "schedule"), version=draft.version, seen=EVERYBODY) == 302
    draft.refresh_from_db()
    assert draft.status == CampaignStatus.SCHEDULED
