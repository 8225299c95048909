"""A long import runs while a campaign starts, is sent and gets its receipts: neither waits for the other."""

from collections import Counter
from collections.abc import Iterator

import pytest

from campaigns.models import Campaign
from config import health
from customers import clock, doorbell
from customers.choices import ImportStatus
from customers.models import ContactPoint, SpreadsheetImport
from customers.services import imports
from tests import cast
from tests.gateway import Gateway, wait_until
from tests.stories.watching import handed_over, is_finished, seen

pytestmark = [pytest.mark.stories, pytest.mark.django_db(transaction=True)]
EVERYBODY = 3_000
ROWS = 150_000


@pytest.fixture
def gateway(tmp_path, process_environment, live_server) -> Iterator[Gateway]:
    """A gateway that tells at once what it delivered."""
    arguments = ("--latency-ms", "50", "--receipt-delay-ms", "0", "--receipt-jitter-ms", "100")
    running = Gateway(tmp_path / "gateway", *arguments, environment=process_environment)
    yield running
    running.stop()


@pytest.fixture
def upload(transactional_db) -> SpreadsheetImport:
    """A reviewed file: everybody who is known already, and many more."""
    rows = (f"{13900000000 + place},顾客{place},杭州\n" for place in range(ROWS))
    lines = ["手机号,姓名,城市\n", *rows]
    imported = imports.upload([line.encode() for line in lines], file_name="会员.csv", by=None, now=clock.now())
    imports.read(imported, now=clock.now())
    return imported


def test_a_campaign_starts_and_is_delivered_while_a_long_file_comes_in(
    account, gateway, noon, deploy, schedule, upload, live_server
):
    cast.crowd(EVERYBODY)
    deploy("urgent", "bulk", "bulk", "default", PUBLIC_URL=live_server.url)
    imports.start(upload)
    doorbell.ring("customers.jobs.run_import", queue="default", import_id=upload.pk)
    of_the_file = SpreadsheetImport.objects.filter(pk=upload.pk)
    assert wait_until(lambda: of_the_file.get().status == ImportStatus.RUNNING, seconds=30)

    (campaign,) = schedule("New Year", seconds=1)

    assert wait_until(lambda: seen(campaign).count("delivered") == EVERYBODY, seconds=90)
    told_while_importing = health.find_problems()
    assert wait_until(lambda: of_the_file.get().status == ImportStatus.DONE, seconds=120)
    assert wait_until(lambda: is_finished(campaign), seconds=30)
    imported = of_the_file.get()
    assert Campaign.objects.get(pk=campaign.pk).launched_at < imported.finished_at
    assert told_while_importing == {}
    assert imported.counts["updated"] + imported.counts["created"] == ROWS
    assert ContactPoint.objects.count() == ROWS
    assert Counter(gateway.numbers()) == {str(13900000000 + place): 1 for place in range(EVERYBODY)}
    assert handed_over(campaign) == EVERYBODY
