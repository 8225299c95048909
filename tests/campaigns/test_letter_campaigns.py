"""A campaign by e-mail: reviewed, tried, started and sent like one by SMS, without anything that only SMS has."""

import pytest
import staff
from django.urls import reverse

from campaigns.choices import Timing
from campaigns.models import Campaign, Segment, Variant
from campaigns.services import campaigns, trials
from customers import clock
from notifications.models import Delivery, DeliveryTally, Template
from notifications.services import sending
from tests import cast
from tests.gateway import Gateway

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(tmp_path, process_environment, settings):
    """A sandbox gateway that takes e-mail too."""
    running = Gateway(tmp_path / "gateway", "--no-receipts", "--mail-port", "0", environment=process_environment)
    settings.GATEWAY_PRIVATE_HOSTS = ["127.0.0.1"]
    yield running
    running.stop()


@pytest.fixture
def draft(server):
    """A draft by e-mail to Zhang Min, who agreed, and to three who cannot be written to."""
    cast.mail_account(server.mail_url)
    cast.li_na(), cast.zhang_min(), cast.customer("未同意", email="never@example.com")
    cast.customer("", email="nameless@example.com", consent="granted")
    campaign = Campaign.objects.create(
        name="新品来信",
        channel="email",
        segment=Segment.objects.create(name="全体", conditions=[]),
        timing=Timing.NOW,
    )
    template = cast.letter("{{ name }}，新品到店。", html="<p>{{ name }}，<b>新品</b>到店。</p>", subject="新品到店")
    Variant.objects.create(campaign=campaign, template=template, share=100)
    return campaign


def page(client, name: str, campaign: Campaign) -> str:
    answer = client.get(reverse(f"admin:campaigns_campaign_{name}", args=[campaign.pk]))
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_review_shows_the_letter_and_its_price_and_no_sms(draft):
    shown = page(staff.signed_in("marketer"), "review_now", draft)

    assert "（广告）新品到店" in shown
    assert "srcdoc=" in shown and "&lt;b&gt;新品" in shown
    assert "0.01" in shown
    assert "SMS" not in shown
    assert "A value the text needs is empty" in shown


def test_the_campaign_goes_out_to_whom_the_review_named(draft, server):
    member = staff.member("marketer")
    now = clock.now()
    campaigns.schedule(draft, version=draft.version, seen=1, by=member, now=now)
    campaigns.launch(draft.pk, now=clock.now())

    sending.drain("bulk", seconds=10, clock=clock.now)

    assert [letter["To"] for letter in server.letters()] == ["zhang.min@example.com"]
    found = {reason or status for status, reason in Delivery.objects.values_list("status", "reason")}
    assert found == {"sent", "no_address", "no_consent", "missing_value"}
    assert sum(DeliveryTally.objects.filter(status="sent").values_list("segments", flat=True)) == 1
    shown = page(staff.signed_in("owner"), "live", draft)
    assert "新品来信" in shown


def test_a_test_goes_to_an_e_mail_address(draft, server):
    member, template = staff.member("marketer"), Template.objects.get()

    trials.send(draft, template, number=" Staff@Shop.example ", by=member, now=clock.now())
    sending.drain("urgent", seconds=10, clock=clock.now)

    assert [letter["To"] for letter in server.letters()] == ["staff@shop.example"]


@pytest.mark.parametrize("address", ["", "13800000000", "a b@example.com", "@", "x" * 250 + "@example.com"])
def test_a_test_to_what_is_no_address_is_refused(draft, address):
    with pytest.raises(trials.CannotTest):
        trials.send(draft, Template.objects.get(), number=address, by=staff.member("marketer"), now=clock.now())


def test_without_a_working_account_the_channel_is_not_offered(draft):
    client = staff.signed_in("marketer")
    add = reverse("admin:campaigns_campaign_add")

    offered = client.get(add).content.decode()
    assert 'value="email"' in offered and 'value="inbox"' not in offered
