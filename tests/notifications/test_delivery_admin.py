"""The sending records: what became of every message to every customer, and why."""

from datetime import timedelta

import cast
import pytest
import staff
from django.urls import reverse

from customers import clock
from customers.models import Customer
from notifications.choices import CapPolicy, SubmissionStatus
from notifications.models import Delivery, FrequencyCap, Hold, Message, Submission
from notifications.services import deliveries, messages

pytestmark = pytest.mark.django_db

LIST = "admin:notifications_delivery_changelist"


@pytest.fixture
def greeting() -> Message:
    """A greeting planned for Li Na, Wang Wei and Chen Jie."""
    cast.li_na(), cast.wang_wei(), cast.chen_jie()
    now = clock.now()
    message = messages.freeze(
        cast.template(),
        name="新年问候",
        price="0.045",
        cap_policy=CapPolicy.SKIP,
        send_after=now,
        send_until=now + timedelta(hours=12),
        by=None,
        now=now,
    )
    deliveries.plan(message, Customer.objects.all(), occasion="campaign-1", now=now)
    return message


def of(name: str) -> Delivery:
    return Delivery.objects.get(customer__name=name)


def names_in(page) -> set[str]:
    return {str(row.customer) for row in page.context["cl"].result_list}


def test_the_list_filters_by_message_state_and_reason(greeting):
    client = staff.signed_in("clerk")

    skipped = client.get(reverse(LIST), {"message": greeting.pk, "state": "skipped"})
    opted_out = client.get(reverse(LIST), {"reason": "opted_out"})
    several = client.get(reverse(LIST), {"state": "queued,skipped"})
    none = client.get(reverse(LIST), {"message": greeting.pk + 99})

    assert names_in(skipped) == {"王伟", "陈洁"}
    assert names_in(opted_out) == {"王伟"}
    assert names_in(several) == {"李娜", "王伟", "陈洁"}
    assert names_in(none) == set()


def test_waiting_on_purpose_and_being_sent_are_told_apart_from_queued(greeting):
    client = staff.signed_in("clerk")
    delivery = of("李娜")
    queued = names_in(client.get(reverse(LIST), {"state": "queued"}))
    Submission.objects.filter(pk=delivery.submission_id).update(held_for="quiet_hours")
    held = names_in(client.get(reverse(LIST), {"state": "held"}))
    Submission.objects.filter(pk=delivery.submission_id).update(
        held_for="",
        status=SubmissionStatus.LEASED,
        token="00000000-0000-0000-0000-000000000001",
        lease_until=clock.now() + timedelta(minutes=1),
    )
    sending = names_in(client.get(reverse(LIST), {"state": "sending"}))
    no_longer_queued = names_in(client.get(reverse(LIST), {"state": "queued"}))

    assert (queued, held, sending, no_longer_queued) == ({"李娜"}, {"李娜"}, {"李娜"}, set())


def test_every_state_is_found_with_and_without_its_message(greeting):
    client = staff.signed_in("clerk")
    now = clock.now()
    late = now - timedelta(hours=80)
    Message.objects.update(created_at=late)
    found = {}
    for state, became in {
        "sent": {"sent_at": now},
        "no_receipt": {"status": "sent", "sent_at": late},
        "delivered": {"sent_at": now, "finished_at": now},
        "undelivered": {"sent_at": now, "finished_at": now, "reason": "MK:0001"},
        "unknown": {"reason": "no_answer"},
        "failed": {"reason": "refused_number", "finished_at": now},
        "canceled": {"reason": "staff", "finished_at": now},
    }.items():
        empty = {"sent_at": None, "finished_at": None, "reason": ""}
        Delivery.objects.filter(customer__name="李娜").update(**(empty | {"status": state} | became))
        found[state] = [
            names_in(client.get(reverse(LIST), query))
            for query in ({"state": state}, {"state": state, "message": greeting.pk}, {"message": greeting.pk})
        ]

    assert {str(names) for names, _both, _all in found.values()} == {"{'李娜'}"}
    assert {str(names) for _state, names, _all in found.values()} == {"{'李娜'}"}
    assert all(names == {"李娜", "王伟", "陈洁"} for _state, _both, names in found.values())


@pytest.mark.parametrize("term", ["13800000001", "0001", "李", " 138 0000 0001 ", "+86 13800000001"])
def test_a_customer_is_found_by_number_tail_or_name(greeting, term):
    page = staff.signed_in("clerk").get(reverse(LIST), {"q": term})

    assert names_in(page) == {"李娜"}


@pytest.mark.parametrize(
    "query",
    [
        {"q": "x" * 10_000},
        {"q": "%' OR 1=1 --"},
        {"q": "\0"},
        {"state": "sent'; DROP"},
        {"message": "1,x,99999999999999999999999"},
        {"reason": "nonsense"},
        {"p": "-1"},
        {"p": "99999"},
    ],
)
def test_a_strange_question_is_answered_calmly(greeting, query):
    page = staff.signed_in("clerk").get(reverse(LIST), query)

    assert page.status_code in (200, 302)


def test_addresses_are_masked(greeting):
    page = staff.signed_in("owner").get(reverse(LIST)).content.decode()

    assert "13800000001" not in page
    assert "138****0001" in page


def test_the_page_of_a_delivery_tells_why_it_was_not_sent_and_what_to_do(greeting):
    page = staff.signed_in("auditor").get(reverse("admin:notifications_delivery_change", args=[of("陈洁").pk]))

    assert "Has not agreed to receive this" in page.content.decode()
    assert "Ask for consent" in page.content.decode()


def test_the_page_of_a_delivery_shows_the_text_as_it_was_sent(greeting):
    delivery = of("李娜")
    Delivery.objects.filter(pk=delivery.pk).update(
        status="sent", sent_at=clock.now(), values={"name": "李娜"}, segments=1, cost="0.045"
    )
    Customer.objects.filter(pk=delivery.customer_id).update(name="改名了")

    page = staff.signed_in("clerk").get(reverse("admin:notifications_delivery_change", args=[delivery.pk]))

    assert "【鸿雁花店】李娜,新年快乐!拒收请回复R" in page.content.decode()


@pytest.mark.parametrize("number", ["999999", "x", "99999999999999999999"])
def test_a_delivery_that_does_not_exist_is_said_to_be_missing(greeting, number):
    answer = staff.signed_in("clerk").get(f"/admin/notifications/delivery/{number}/change/")

    assert answer.status_code in (302, 404)


def test_the_list_asks_few_questions_whatever_its_length(greeting, django_assert_max_num_queries):
    client = staff.signed_in("clerk")
    client.get(reverse(LIST))

    with django_assert_max_num_queries(20):
        client.get(reverse(LIST))


def test_one_customers_messages_are_shown_with_release_and_rule(greeting):
    rule = FrequencyCap.objects.create(name="一天一条", limit=1)
    delivery = of("李娜")
    Delivery.objects.filter(pk=delivery.pk).update(submission=None)
    release = clock.now() + timedelta(hours=5)
    Hold.objects.create(delivery=delivery, message=greeting, held_for="cap", rule_id=rule.pk, send_after=release)
    client = staff.signed_in("clerk")

    held = client.get(reverse("admin:notifications_customer_deliveries", args=[delivery.customer_id]))
    refused = client.get(reverse("admin:notifications_customer_deliveries", args=[of("王伟").customer_id]))
    nothing = client.get(reverse("admin:notifications_customer_deliveries", args=[0]))

    assert "一天一条" in held.content.decode()
    assert release.astimezone(clock.shop_zone()).strftime("%Y-%m-%d %H:%M") in held.content.decode()
    assert "Opted out" in refused.content.decode()
    assert "No message has been planned" in nothing.content.decode()


def test_a_message_is_paused_and_resumed_by_whoever_may_steer_campaigns(greeting):
    client = staff.signed_in("marketer")
    pause, resume = (
        reverse(f"admin:notifications_message_{verb}", args=[greeting.pk]) for verb in ("pause", "resume")
    )

    asked = client.get(pause)
    untouched = Message.objects.get().paused_at
    client.post(pause, {"_form_submitted": "True"})
    paused = Message.objects.get()
    client.post(resume, {"_form_submitted": "True"})

    assert "1 delivery still waits" in asked.content.decode()
    assert untouched is None
    assert paused.paused_for == "Paused by marketer"
    assert Message.objects.get().paused_at is None


def test_a_clerk_pauses_nothing(greeting):
    address = reverse("admin:notifications_message_pause", args=[greeting.pk])

    answer = staff.signed_in("clerk").post(address, {"_form_submitted": "True"})

    assert answer.status_code == 403
    assert Message.objects.get().paused_at is None


def test_the_list_of_messages_shows_bars_that_add_up(greeting):
    page = staff.signed_in("clerk").get(reverse("admin:notifications_message_changelist"))

    assert sum(page.context["cl"].result_list[0].sums.values()) == 3
