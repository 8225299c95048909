"""The panic button: two clicks, the numbers, the people, a correction, and the way back."""

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from campaigns import segmentation
from campaigns.models import Campaign
from campaigns.services import campaigns
from customers import clock
from customers.models import Customer
from notifications.choices import DeliveryStatus, StopReason
from notifications.models import Delivery, Message
from notifications.services import switch
from tests import cast, staff
from tests.campaigns import shop

pytestmark = pytest.mark.django_db


def running(size: int = 30) -> Campaign:
    """A campaign that has just been launched to a crowd."""
    shop.account()
    cast.crowd(size)
    campaign = shop.draft(planned_for=clock.now())
    Campaign.objects.filter(pk=campaign.pk).schedule(clock.now(), by=None, estimate=None)
    campaigns.launch(campaign.pk, now=clock.now())
    campaign.refresh_from_db()
    return campaign


def gave_it_to(count: int) -> list[int]:
    """Some deliveries arrive."""
    ids = list(Delivery.objects.order_by("id").values_list("id", flat=True)[:count])
    Delivery.objects.filter(id__in=ids).update(status=DeliveryStatus.SENT, sent_at=clock.now())
    return list(Delivery.objects.filter(id__in=ids).values_list("customer_id", flat=True))


def test_the_button_stands_on_every_page_of_those_who_may():
    for role, is_there in [("marketer", True), ("owner", True), ("clerk", False), ("auditor", False)]:
        client = staff.signed_in(role)

        page = client.get(reverse("admin:campaigns_campaign_changelist"))

        assert (b'id="stop"' in page.content) is is_there


def test_two_clicks_stop_everything_and_the_page_names_the_numbers():
    running()
    client = staff.signed_in("marketer")

    question = client.get(reverse("stop_sending")).content.decode()
    answer = client.post(reverse("stop_everything"), follow=True)

    assert "Stop 30 messages of 1 campaign" in question
    assert switch.stopped().stopped_by.username == "marketer"
    assert "Who got it and who did not" in answer.content.decode()
    # Whether it arrived is the receipts' to say.
    assert "Handed over to the provider" in answer.content.decode()
    assert LogEntry.objects.filter(content_type__model="sendingswitch").count() == 1


def test_the_page_works_while_redis_is_down(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    staff.signed_in("owner").post(reverse("stop_everything"), follow=True)

    assert switch.stopped()


def test_a_clerk_cannot_stop_and_a_marketer_cannot_let_go_on():
    assert staff.signed_in("clerk").post(reverse("stop_everything")).status_code == 403
    switch.stop(now=clock.now())

    assert staff.signed_in("marketer").post(reverse("resume_sending"), {"is_certain": "on"}).status_code == 403
    assert switch.stopped()


def test_an_owner_lets_everything_go_on_only_by_a_confirmed_click():
    switch.stop(now=clock.now())
    client = staff.signed_in("owner")

    client.post(reverse("resume_sending"))
    assert switch.stopped()
    client.post(reverse("resume_sending"), {"is_certain": "on"})

    assert not switch.stopped()
    assert LogEntry.objects.filter(user__username="owner").exists()


def test_one_campaign_is_stopped_alone():
    campaign = running()

    staff.signed_in("marketer").post(reverse("stop_campaign", args=[campaign.pk]))

    assert Message.objects.get().paused_at
    assert not switch.stopped()


def test_the_numbers_link_to_the_people():
    running()
    gave_it_to(12)
    client = staff.signed_in("owner")

    page = client.post(reverse("stop_everything"), follow=True)

    (row,) = page.context["rows"]
    assert (row.handed_over, row.waiting) == (12, 18)
    assert client.get(row.people["got"]).status_code == 200


def test_a_correction_is_a_draft_without_a_text_for_only_those_who_got_it():
    campaign = running()
    got = gave_it_to(12)
    client = staff.signed_in("marketer")

    client.post(reverse("admin:campaigns_campaign_correct", args=[campaign.pk]))
    client.post(reverse("admin:campaigns_campaign_correct", args=[campaign.pk]))

    first, second = Campaign.objects.exclude(pk=campaign.pk)
    people = segmentation.people(first.segment.conditions, now=clock.now())
    assert set(people.values_list("pk", flat=True)) == set(got) < set(Customer.objects.values_list("pk", flat=True))
    assert first.segment == second.segment
    assert not first.variants.exists()
    assert first.status == "draft"


def test_nothing_starts_while_everything_is_stopped():
    shop.account()
    cast.crowd(5)
    campaign = shop.draft(planned_for=clock.now())
    Campaign.objects.filter(pk=campaign.pk).schedule(clock.now(), by=None, estimate=None)
    switch.stop(now=clock.now(), reason=StopReason.RESTORED)

    done = campaigns.launch_due(now=clock.now())

    campaign.refresh_from_db()
    assert done.delayed == [campaign.pk]
    assert campaign.status == "scheduled"
    assert campaign.problem_in_words


def test_safe_mode_explains_itself():
    switch.stop(now=clock.now(), reason=StopReason.RESTORED, found={"server": True, "timeline": [1, 2]})

    page = staff.signed_in("owner").get(reverse("stop_sending")).content.decode()

    assert "another database server" in page
    assert "opt-outs" in page
