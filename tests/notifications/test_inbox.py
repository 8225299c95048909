"""The inbox as a channel: planned and screened as the others, written into our own tables, arrived at once."""

from collections import Counter
from datetime import timedelta

import pytest
import staff
from django.urls import reverse

from customers import clock
from customers.models import Consent, Customer
from notifications.choices import SubmissionStatus
from notifications.models import Delivery, FrequencyCap, InboxItem, ProviderAccount, Submission
from notifications.services import deliveries, inbox, messages, reconciling, sending, settling
from tests import cast

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(transactional_db):
    """The account of the inbox."""
    return cast.inbox_account()


def freeze(template, *, now):
    """A message that may go out from now on for four hours."""
    window = {"send_after": now, "send_until": now + timedelta(hours=4)}
    return messages.freeze(template, name="站内通知", price=0, by=None, now=now, **window)


def template(**columns):
    """A service notice of the inbox."""
    return cast.letter(**{"channel": "inbox", "purpose": "service", "subject": "给{{ name or '您' }}的通知"} | columns)


def send(message, *, occasion="inbox-1"):
    """Plan a message to everybody and send what is due."""
    deliveries.plan(message, Customer.objects.present(), occasion=occasion, now=clock.now())
    queue = "bulk" if message.purpose in ("care", "marketing") else "urgent"
    return sending.drain(queue, seconds=10, clock=clock.now)


def states():
    """How many deliveries stand in each state, or were skipped for each reason."""
    return Counter(reason or status for status, reason in Delivery.objects.values_list("status", "reason"))


def test_everybody_has_an_inbox_and_what_stands_in_it_has_arrived(account, noon):
    li_na = cast.li_na()
    li_na.external_id = "VIP-1"
    li_na.save()
    nameless = cast.customer("")

    send(freeze(template(), now=noon))

    assert states() == {"delivered": 2}
    addresses = dict(Delivery.objects.values_list("customer_id", "address"))
    assert addresses == {li_na.pk: "VIP-1", nameless.pk: f"#{nameless.pk}"}
    item = InboxItem.objects.get(customer=li_na)
    assert (item.subject, item.body) == ("给李娜的通知", "李娜，您好！")
    first = Delivery.objects.get(customer=li_na)
    assert first.finished_at and first.sent_at and first.cost == 0 and first.segments == 1
    assert Submission.objects.get().ask_at is None


def test_a_greeting_in_the_inbox_needs_consent_and_obeys_its_caps(account, noon):
    li_na = cast.li_na()
    cast.chen_jie()
    for purpose in ("care", "marketing"):
        Consent.objects.create(
            customer=li_na, channel="inbox", purpose=purpose, status="granted", changed_at=clock.now()
        )
    FrequencyCap.objects.create(name="站内一天一条", channel="inbox", limit=1, window="days")
    send(freeze(template(purpose="marketing", name="one"), now=noon))

    send(freeze(template(purpose="marketing", name="two"), now=noon), occasion="inbox-2")

    assert states() == {"delivered": 1, "over_cap": 1, "no_consent": 2}
    assert InboxItem.objects.get().subject == "给李娜的通知"


def test_a_number_of_the_shop_that_looks_like_ours_disturbs_nobody(account, noon):
    li_na = cast.li_na()
    Customer.objects.create(name="冒名", external_id=f"#{li_na.pk}")

    send(freeze(template(), now=noon))

    assert states() == {"delivered": 2}


def test_a_new_number_in_the_shops_system_keeps_nobody_from_the_inbox(account, noon):
    li_na = cast.li_na()
    message = freeze(template(), now=noon)
    deliveries.plan(message, Customer.objects.present(), occasion="inbox-1", now=clock.now())
    Customer.objects.filter(pk=li_na.pk).update(external_id="VIP-2")

    sending.drain("urgent", seconds=10, clock=clock.now)

    assert states() == {"delivered": 1}


def test_a_call_that_was_lost_after_it_was_written_is_found_and_not_written_twice(account, noon):
    cast.li_na()
    send(freeze(template(), now=noon))
    Delivery.objects.update(status="queued", sent_at=None, finished_at=None)
    Submission.objects.update(
        status=SubmissionStatus.CALLED, settled_at=None, lease_until=clock.now() - timedelta(seconds=1)
    )

    settling.recover_lost(now=clock.now())
    reconciling.reconcile(now=clock.now() + timedelta(minutes=3), seconds=5)

    assert states() == {"delivered": 1}
    assert InboxItem.objects.count() == 1


def test_an_erased_customer_gets_nothing_and_shows_nothing(account, noon):
    li_na = cast.li_na()
    send(freeze(template(name="one"), now=noon))
    Customer.objects.filter(pk=li_na.pk).update(erased_at=clock.now())
    li_na.refresh_from_db()

    send(freeze(template(name="two"), now=noon), occasion="inbox-2")

    assert InboxItem.objects.count() == 1
    assert inbox.items(li_na) == []


# What the shop's own site does with it


def test_the_site_reads_pages_marks_and_removes(account, noon):
    li_na, other = cast.li_na(), cast.chen_jie()
    for number in range(3):
        send(freeze(template(subject=f"第{number}条", name=f"t{number}"), now=noon), occasion=f"inbox-{number}")

    newest = inbox.items(li_na, limit=2)
    rest = inbox.items(li_na, after=newest[-1].pk)
    everybody = [*newest, *rest]

    assert [item.subject for item in everybody] == ["第2条", "第1条", "第0条"]
    ids = [item.pk for item in everybody]
    assert inbox.mark_read(other, ids, now=noon) == 0
    assert inbox.mark_read(li_na, ids[:2], now=noon) == 2
    assert inbox.mark_read(li_na, ids[:2], now=noon) == 0
    assert [item.subject for item in inbox.items(li_na, unread_only=True)] == ["第0条"]
    assert inbox.unread_count(li_na) == 1
    assert inbox.hide(li_na, ids[2:], now=noon) == 1
    assert inbox.unread_count(li_na) == 0
    assert len(inbox.items(li_na)) == 2
    assert inbox.items(li_na, limit=-5) == []


def test_staff_see_on_the_customers_page_what_stands_in_the_inbox(account, noon):
    li_na = cast.li_na()
    send(freeze(template(), now=noon))
    inbox.mark_read(li_na, [InboxItem.objects.get().pk], now=noon)

    page = staff.signed_in("clerk").get(reverse("admin:notifications_customer_deliveries", args=[li_na.pk]))

    assert "给李娜的通知" in page.content.decode()
    assert page.context["inbox"][0].read_at == noon


def test_the_inbox_is_an_account_without_address_and_secret(transactional_db):
    client = staff.signed_in("owner")
    fields = {
        "name": "站内信", "channel": "sms", "gateway": "inbox", "url": "http://127.0.0.1/", "batch_size": 200,
        "price": "0", "is_active": "on", "field_names": "{}",
    }  # fmt: skip

    answer = client.post(reverse("admin:notifications_provideraccount_add"), fields)

    assert answer.status_code == 302
    stored = ProviderAccount.objects.get()
    assert (stored.channel, stored.gateway, stored.url) == ("inbox", "inbox", "")
