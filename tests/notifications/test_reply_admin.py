"""What staff see of replies, and what one click does."""

import pytest
from django.urls import reverse

from customers import clock
from customers.models import Consent
from notifications.choices import CallbackKind
from notifications.models import Reply
from notifications.services import callbacks, replies
from tests import cast, staff
from tests.notifications import handed_over
from tests.notifications.handed_over import encoded

pytestmark = pytest.mark.django_db

LIST = reverse("admin:notifications_reply_changelist")
LI_NA = "13800000001"


@pytest.fixture
def account():
    return handed_over.account()


@pytest.fixture
def talk(account):
    """Li Na says three things, and a stranger one."""
    cast.li_na()
    said = [(LI_NA, "什么时候发货"), (LI_NA, "别再发了"), ("13900000009", "退订"), ("13900000009", "你们是谁")]
    items = [
        {"number": number, "text": text, "at": f"2026-05-01T10:0{place}:00+08:00"}
        for place, (number, text) in enumerate(said)
    ]
    callbacks.store(account, encoded(items), kind=CallbackKind.REPLIES, now=clock.now())
    replies.apply(now=clock.now())


def handle(client, text, act):
    reply = Reply.objects.get(text=text)
    return client.post(reverse("admin:notifications_reply_handle", args=[reply.pk]), {"as": act})


def shown(client, **question):
    page = client.get(LIST, question).content.decode()
    return {text for text in ("什么时候发货", "别再发了", "退订", "你们是谁") if f">{text}<" in page}


def test_the_list_shows_what_needs_a_person_until_one_has_decided(talk):
    clerk = staff.signed_in("clerk")
    before = shown(clerk)

    answer = handle(clerk, "别再发了", "no_opt_out")

    assert before == {"什么时候发货", "别再发了", "你们是谁"}
    assert "No opt-out · clerk" in answer.content.decode()
    assert shown(clerk) == {"什么时候发货", "你们是谁"}
    assert shown(clerk, show="opt_outs") == {"退订"}
    assert shown(clerk, show="handled") == {"别再发了"}
    assert shown(clerk, show="all") == {"什么时候发货", "别再发了", "退订", "你们是谁"}
    assert shown(clerk, q=LI_NA) == shown(clerk, q="李娜") == {"什么时候发货", "别再发了"}


def test_one_click_makes_a_suggestion_an_opt_out(talk):
    answer = handle(staff.signed_in("marketer"), "别再发了", "opted_out")

    assert "Taken as an opt-out · marketer" in answer.content.decode()
    assert set(Consent.objects.filter(channel="sms").values_list("status", flat=True)) == {"withdrawn"}


def test_a_second_click_of_somebody_else_changes_nothing_and_shows_the_first(talk):
    handle(staff.signed_in("clerk"), "别再发了", "answered")

    answer = handle(staff.signed_in("marketer"), "别再发了", "opted_out")

    assert "Answered · clerk" in answer.content.decode()
    assert set(Consent.objects.filter(channel="sms").values_list("status", flat=True)) == {"granted"}


def test_an_auditor_reads_masked_numbers_and_decides_nothing(talk):
    auditor = staff.signed_in("auditor")

    page = auditor.get(LIST).content.decode()
    refused = handle(auditor, "别再发了", "opted_out")

    assert "138****0001" in page and LI_NA not in page
    assert "hx-post" not in page.split("changelist-form")[-1]
    assert refused.status_code == 403
    assert not Reply.objects.filter(handled_at__isnull=False).exists()


def test_an_auditor_reads_no_number_that_a_customer_wrote_either(account):
    customer = cast.li_na()
    item = {"number": LI_NA, "text": "打我13912345678,单号6213912345678", "at": "2026-05-01T10:00:00+08:00"}
    callbacks.store(account, encoded([item]), kind=CallbackKind.REPLIES, now=clock.now())
    replies.apply(now=clock.now())
    panel = reverse("admin:notifications_customer_deliveries", args=[customer.pk])
    auditor, clerk = staff.signed_in("auditor"), staff.signed_in("clerk")

    for address in (LIST, panel):
        assert "打我139****5678,单号6213912345678" in auditor.get(address).content.decode()
        assert "打我13912345678,单号6213912345678" in clerk.get(address).content.decode()


@pytest.mark.parametrize("act", ["", "whatever", "opt_out"])
def test_an_act_that_is_none_is_not_found(talk, act):
    assert handle(staff.signed_in("clerk"), "别再发了", act).status_code == 404


def test_the_customers_page_tells_the_conversation_in_its_order(account):
    now = clock.now()
    (one,) = handed_over.sent(account, 1, now=now)
    delivery = handed_over.Delivery.objects.get(pk=one)
    item = {"number": delivery.address, "text": "谢谢，收到了", "at": now.isoformat()}
    callbacks.store(account, encoded([item]), kind=CallbackKind.REPLIES, now=now)
    replies.apply(now=clock.now())
    panel = reverse("admin:notifications_customer_deliveries", args=[delivery.customer_id])

    page = staff.signed_in("clerk").get(panel).content.decode()

    assert 0 < page.index("谢谢，收到了") < page.index("The whole story")


def test_the_dashboard_counts_what_waits(talk):
    page = staff.signed_in("clerk").get(reverse("admin:index")).content.decode()

    assert "3 replies wait for a person." in page
    assert LIST in page


def test_a_reply_has_a_page_of_its_own(talk):
    reply = Reply.objects.get(text="你们是谁")
    page = staff.signed_in("clerk").get(reverse("admin:notifications_reply_change", args=[reply.pk]))

    assert "Not a customer yet" in page.content.decode()


def test_a_reply_cannot_turn_the_page_around(account):
    cast.li_na()
    turned = "别再发\u202e1000000831\u202c了\u2067吗\u200f"
    items = [{"number": LI_NA, "text": turned, "at": "2026-05-01T10:00:00+08:00"}]
    callbacks.store(account, encoded(items), kind=CallbackKind.REPLIES, now=clock.now())
    replies.apply(now=clock.now())
    customer = Consent.objects.values_list("customer_id", flat=True).distinct().get()

    owner = staff.signed_in("owner")
    pages = [
        owner.get(address).content.decode()
        for address in (LIST, reverse("admin:customers_customer_change", args=[customer]))
    ]

    assert Reply.objects.get().text == turned
    assert "别再发1000000831了吗" in pages[0]
    assert not [
        page for page in pages if set(page) & set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067")
    ]
