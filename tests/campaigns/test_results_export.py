"""The results of a campaign as a workbook: a summary that adds up, and everybody with what became of them."""

import io

import openpyxl
import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from campaigns.models import Campaign
from campaigns.services import campaigns, reviews
from customers import jobs
from customers.models import Export
from customers.services import exports
from notifications.models import Delivery
from tests import cast, staff
from tests.campaigns import shop

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path, empty_queue):
    """A directory of the test's own for files."""
    settings.UPLOADS = tmp_path / "uploads"


def launched(**columns) -> Campaign:
    """A campaign with two texts that has begun."""
    shop.account()
    campaign = shop.draft(shares=(50, 50), timing="now", planned_for=None, **columns)
    reviewed = reviews.snapshot(campaign, reviews.review(campaign, now=shop.NOON), now=shop.NOON)
    Campaign.objects.filter(pk=campaign.pk).schedule(shop.NOON, by=None, estimate=reviewed)
    campaigns.launch(campaign.pk, now=shop.NOON)
    campaign.refresh_from_db()
    return campaign


def address_of(campaign: Campaign) -> str:
    return reverse("admin:campaigns_campaign_export", args=[campaign.pk])


def workbook(answer) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(b"".join(answer.streaming_content)))


def values(sheet) -> list[tuple]:
    return [tuple(cell for cell in row if cell is not None) for row in sheet.iter_rows(values_only=True)]


def test_the_summary_adds_up_to_the_people(client):
    cast.li_na(), cast.wang_wei(), cast.chen_jie()
    cast.crowd(20)
    campaign = launched()
    Delivery.objects.filter(customer__name="李娜").update(
        status="delivered", sent_at=shop.NOON, finished_at=shop.NOON, segments=1, cost="0.045"
    )

    book = workbook(staff.signed_in("owner").post(address_of(campaign)))

    summary, people = values(book["Summary"]), values(book["People"])
    assert summary[0] == ("Campaign", "New Year greeting")
    assert ("Delivered", 1, 1, 0.045) in summary
    assert ("Not sent", "Opted out", 1) in summary
    assert ("Altogether", 23, 1, 0.045) in summary
    assert ("In the segment", 23) in summary
    heads = next(row for row in book["Summary"].iter_rows(values_only=True) if row[:2] == ("Text", "Share in percent"))
    texts = [
        row for row in book["Summary"].iter_rows(values_only=True) if str(row[0]).startswith("New Year greeting, t")
    ]
    assert sum(row[heads.index("People")] for row in texts) == 23
    assert len(people) == 24
    written = {cell.value for cell in book["People"]["E"]}
    assert written == {"Text", "New Year greeting, text 0", "New Year greeting, text 1"}


def test_the_results_of_a_large_campaign_are_written_by_a_worker():
    cast.crowd(exports.AT_ONCE + 1)
    campaign = launched()
    owner = staff.signed_in("owner")

    answer = owner.post(address_of(campaign))
    jobs.run_exports()
    export = Export.objects.get()
    book = workbook(owner.get(reverse("admin:customers_export_download", args=[export.pk])))

    assert answer.url == reverse("admin:customers_export_change", args=[export.pk])
    assert book["People"].max_row == exports.AT_ONCE + 2
    assert export.described == "campaign: New Year greeting"


@pytest.mark.parametrize("role", ["marketer", "clerk", "auditor"])
def test_without_the_permission_the_attempt_is_refused_and_written_down(role):
    cast.li_na()
    campaign = launched()
    client = staff.signed_in(role)

    assert client.post(address_of(campaign)).status_code == 403
    assert (
        "export-results"
        not in client.get(reverse("admin:campaigns_campaign_live", args=[campaign.pk])).content.decode()
    )
    assert LogEntry.objects.get().change_message == "Tried to export without the permission."


def test_a_campaign_that_reached_nobody_has_no_results():
    campaign = shop.draft()

    answer = staff.signed_in("owner").post(address_of(campaign), follow=True)

    assert "there are no results" in answer.content.decode()
