"""A second try for those whom a message did not reach: an explicit act, screened again, never by accident."""

import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.urls import reverse
from django.utils.translation import override

from customers import clock
from customers.choices import Purpose
from customers.models import ClockOffset, Consent, Customer
from notifications.models import Delivery, FrequencyCap, Message
from notifications.services import deliveries, messages, reconciling, resending, sending
from tests import cast, staff

pytestmark = pytest.mark.django_db(transaction=True)

UNREACHED = ["failed", "undelivered"]


@pytest.fixture(autouse=True)
def english():
    """Sentences as they stand in the code."""
    with override("en"):
        yield


@pytest.fixture
def greeting(account, gateway, noon) -> Message:
    """A greeting of which five arrived, three failed, two were not delivered and one is unknown."""
    cast.crowd(11)
    now = clock.now()
    message = messages.freeze(
        cast.template(),
        name="新年问候",
        price="0.045",
        send_after=now,
        send_until=now + timedelta(hours=4),
        by=None,
        now=now,
    )
    deliveries.plan(message, Customer.objects.all(), occasion="campaign-1:2027-02-06", now=now)
    sending.drain("bulk", seconds=10, clock=clock.now)
    ids = list(Delivery.objects.order_by("id").values_list("id", flat=True))
    for count, status, reason in (
        (3, "failed", "gave_up"),
        (2, "undelivered", "DB:0101"),
        (1, "unknown", "ambiguous"),
    ):
        Delivery.objects.filter(pk__in=ids[:count]).update(status=status, reason=reason)
        ids = ids[count:]
    return message


def again(message, *, statuses=UNREACHED, seen=5, **options):
    return resending.resend([message], statuses=statuses, seen=seen, by=None, now=clock.now(), **options)


def offered(message, statuses=UNREACHED):
    return resending.offer([message], statuses=statuses, now=clock.now())


def drain() -> Counter:
    return sending.drain("bulk", seconds=10, clock=clock.now)


def test_only_those_whom_it_did_not_reach_get_it_again(greeting, gateway):
    told = offered(greeting)

    (twin,) = again(greeting)
    drain()

    assert told.counts == {"undelivered": 2, "failed": 3, "unknown": 1}
    assert (told.chosen, told.will_send, told.uncertain) == (5, 5, 0)
    assert twin.again_of == greeting
    assert (twin.body, twin.signature, twin.opt_out_wording) == (
        greeting.body,
        greeting.signature,
        greeting.opt_out_wording,
    )
    assert set(twin.deliveries.values_list("occasion", "status")) == {("campaign-1:2027-02-06/again-1", "sent")}
    assert Counter(Counter(gateway.numbers()).values()) == {2: 5, 1: 6}
    assert told.cost == sum(twin.deliveries.values_list("cost", flat=True))


def test_a_second_click_finds_nobody_left(greeting, gateway):
    again(greeting)

    with pytest.raises(resending.CannotResend, match="Nobody is left"):
        again(greeting)
    assert offered(greeting).chosen == 0
    assert Message.objects.count() == 2


def test_two_clicks_at_once_send_it_once(greeting, gateway):
    refused = []

    def click():
        try:
            again(greeting)
        except resending.CannotResend as refusal:
            refused.append(str(refusal))
        finally:
            connection.close()

    clicks = [threading.Thread(target=click) for _ in range(4)]
    for one in clicks:
        one.start()
    for one in clicks:
        one.join()

    assert len(refused) == 3
    assert Delivery.objects.filter(occasion__endswith="/again-1").count() == 5


def test_an_opt_out_since_the_first_try_holds(greeting, gateway):
    left = Delivery.objects.filter(status="failed").first().customer_id
    Consent.objects.filter(customer_id=left).update(status="withdrawn")

    told = offered(greeting)
    (twin,) = again(greeting)

    assert told.will_send == 4
    assert [(step.code, step.count) for step in told.steps] == [("opted_out", 1)]
    assert twin.deliveries.get(customer_id=left).reason == "opted_out"


def test_the_cap_counts_what_may_have_reached_them(greeting, gateway):
    FrequencyCap.objects.create(name="一天一条", limit=1, window="days")

    told = offered(greeting, ["undelivered"])

    assert (told.chosen, told.will_send) == (2, 0)
    assert [(step.code, step.count) for step in told.steps] == [("over_cap", 2)]


def test_whom_the_cap_held_back_can_be_tried_once_more(greeting, gateway):
    FrequencyCap.objects.create(name="一天一条", limit=1, window="days")
    again(greeting)
    ClockOffset.objects.update(offset=clock_offset() + timedelta(days=1))

    (twin,) = again(greeting)
    drain()

    assert set(twin.deliveries.values_list("occasion", "status")) == {("campaign-1:2027-02-06/again-2", "sent")}


def test_what_failed_again_is_sent_again_from_the_second_try(greeting, gateway):
    (second,) = again(greeting)
    drain()
    second.deliveries.update(status="failed", reason="gave_up")

    (third,) = again(second)

    assert set(third.deliveries.values_list("occasion", flat=True)) == {"campaign-1:2027-02-06/again-2"}
    assert offered(greeting).chosen == 0


def test_one_delivery_alone_can_be_sent_again(greeting, gateway):
    chosen = Delivery.objects.filter(status="unknown").get()

    told = resending.offer([greeting], statuses=["unknown"], delivery_id=chosen.pk, now=clock.now())
    again(greeting, statuses=["unknown"], seen=1, delivery_id=chosen.pk)
    drain()

    assert (told.chosen, told.uncertain) == (1, 1)
    assert Counter(gateway.numbers())[chosen.address] == 2
    assert offered(greeting).chosen == 5


def test_people_who_arrived_meanwhile_make_it_another_act(greeting, gateway):
    Delivery.objects.filter(status="undelivered").update(status="delivered", reason="")

    with pytest.raises(resending.CannotResend, match="has become 3 people"):
        again(greeting)


def test_a_canceled_paused_or_test_message_is_not_sent_again(greeting, gateway, account):
    for change in ({"paused_at": clock.now()}, {"paused_at": None, "canceled_at": clock.now()}):
        Message.objects.update(**change)
        with pytest.raises(resending.CannotResend):
            again(greeting)
        greeting.refresh_from_db()
        assert offered(greeting).obstacles
    Message.objects.update(canceled_at=None)
    type(account).objects.update(is_active=False)
    with pytest.raises(resending.CannotResend, match="No provider account"):
        again(greeting)


def test_what_a_person_sent_again_is_not_queued_again_by_itself(account, gateway, noon):
    cast.chen_jie()
    gateway.set(fault="drop")
    now = clock.now()
    message = messages.freeze(
        cast.template("您的订单已发货", purpose=Purpose.TRANSACTIONAL),
        name="发货",
        price="0.045",
        send_after=now,
        send_until=now + timedelta(hours=4),
        by=None,
        now=now,
    )
    deliveries.plan(message, Customer.objects.all(), occasion="order-1", now=now)
    sending.drain("urgent", seconds=10, clock=clock.now)
    gateway.set(fault="")
    again(message, statuses=["unknown"], seen=1)
    for minutes in (2, 8):
        ClockOffset.objects.update(offset=clock_offset() + timedelta(minutes=minutes))
        reconciling.reconcile(now=clock.now(), seconds=10)

    sending.drain("urgent", seconds=10, clock=clock.now)

    assert gateway.numbers() == ["13800000004"]
    assert Counter(Delivery.objects.values_list("occasion", "status")) == {
        ("order-1", "failed"): 1,
        ("order-1/again-1", "sent"): 1,
    }


def clock_offset() -> timedelta:
    return ClockOffset.objects.get().offset


RESEND = "admin:notifications_delivery_resend"


def test_the_page_shows_the_numbers_and_a_click_sends_it_again(greeting, gateway, empty_queue):
    client = staff.signed_in("marketer")
    client.get(reverse("admin:notifications_message_change", args=[greeting.pk]))

    page = client.get(reverse(RESEND), {"message": greeting.pk})
    answer = client.post(
        f"{reverse(RESEND)}?message={greeting.pk}",
        {"chosen": "1", "state": UNREACHED, "seen": page.context["offer"].chosen},
        follow=True,
    )
    drain()

    assert "Send again to 5 people" in page.text
    assert "may reach them twice" not in page.text
    twin = Message.objects.get(again_of=greeting)
    assert answer.redirect_chain[-1][0] == reverse("admin:notifications_message_change", args=[twin.pk])
    assert "Planned again for 5 people" in answer.text
    assert twin.created_by.username == "marketer"
    assert set(twin.deliveries.values_list("status", flat=True)) == {"sent"}
    entry = LogEntry.objects.get()
    assert entry.object_id == str(greeting.pk)
    assert "Sent again to 5 people" in entry.change_message


def test_the_page_warns_that_an_unknown_one_may_reach_them_twice(greeting, gateway):
    client = staff.signed_in("marketer")

    page = client.get(reverse(RESEND), {"message": greeting.pk, "chosen": "1", "state": "unknown"})

    assert "may reach them twice" in page.text
    assert "Send again to 1 person" in page.text


def test_a_second_click_on_the_page_says_that_nobody_is_left(greeting, gateway, empty_queue):
    client = staff.signed_in("owner")
    form = {"chosen": "1", "state": UNREACHED, "seen": 5}
    address = f"{reverse(RESEND)}?message={greeting.pk}"
    client.post(address, form)

    answer = client.post(address, form, follow=True)

    assert "Nobody is left" in answer.text
    assert Message.objects.count() == 2


def test_a_delivery_leads_to_its_second_try_and_back(greeting, gateway, empty_queue):
    client = staff.signed_in("owner")
    first = Delivery.objects.filter(status="undelivered").first()
    own_page = reverse("admin:notifications_delivery_change", args=[first.pk])

    offered_on_page = "Send again …" in client.get(own_page).text
    page = client.get(reverse(RESEND), {"delivery": first.pk})
    client.post(f"{reverse(RESEND)}?delivery={first.pk}", {"seen": page.context["offer"].chosen})

    assert offered_on_page
    second = Delivery.objects.get(message__again_of=greeting)
    assert second.customer_id == first.customer_id
    second_page = reverse("admin:notifications_delivery_change", args=[second.pk])
    assert second_page in client.get(own_page).text
    assert own_page in client.get(second_page).text


@pytest.mark.parametrize("role", ["clerk", "auditor"])
def test_who_may_not_start_campaigns_may_not_send_again(greeting, gateway, role):
    client = staff.signed_in(role)

    assert client.get(reverse(RESEND), {"message": greeting.pk}).status_code == 403
    assert client.post(f"{reverse(RESEND)}?message={greeting.pk}", {"seen": 5}).status_code == 403
    delivery = Delivery.objects.filter(status="failed").first()
    assert "Send again" not in client.get(reverse("admin:notifications_delivery_change", args=[delivery.pk])).text


@pytest.mark.parametrize(
    "question", ["", "?message=", "?message=x,99999999", "?delivery=1;drop", f"?message={'9' * 40}"]
)
def test_an_address_without_a_message_is_not_found(account, gateway, question):
    assert staff.signed_in("owner").get(reverse(RESEND) + question).status_code == 404
