"""The work list of calls: what staff see of it, and what one click does."""

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.urls import reverse

from customers import clock
from customers.models import ContactPoint, Customer, FollowUp, Order, Tier
from customers.services import follow_ups
from customers.services.follow_ups import NewFollowUp
from notifications.models import Concern, Delivery, Message, Reply
from notifications.services import deliveries, messages
from tests import cast, staff
from tests.notifications import handed_over

pytestmark = pytest.mark.django_db

LIST = reverse("admin:customers_followup_changelist")


@pytest.fixture(autouse=True)
def gateway_account():
    return handed_over.account()


@pytest.fixture
def now():
    return clock.now()


def opened(customer, now, **facts):
    facts = {"occasion": f"fact-{customer.pk}-{FollowUp.objects.count()}", "reason": "order_exception"} | facts
    facts = {"due_at": now + timedelta(hours=4)} | facts
    follow_ups.open_for([NewFollowUp(customer_id=customer.pk, **facts)], now)
    return FollowUp.objects.latest("pk")


def page(follow_up):
    return reverse("admin:customers_followup_change", args=[follow_up.pk])


def click(client, follow_up, act, **fields):
    return client.post(reverse(f"admin:customers_followup_{act}", args=[follow_up.pk]), fields, follow=True)


def said(response):
    return [str(sentence) for sentence in response.context["messages"]]


def shown(client, **asked):
    return [str(row.customer) for row in client.get(LIST, asked).context_data["cl"].result_list]


def test_the_work_list_shows_the_most_urgent_first_and_its_parts(now):
    clerk = staff.signed_in("clerk")
    me = User.objects.get(username="clerk")
    opened(cast.li_na(), now, due_at=now + timedelta(hours=9))
    late = opened(cast.wang_wei(), now - timedelta(hours=3), due_at=now - timedelta(hours=1))
    opened(cast.chen_jie(), now, owner_id=me.pk)
    done = opened(cast.zhang_min(), now)
    follow_ups.finish(done, "reached", "", me, now)

    assert shown(clerk) == ["王伟", "陈洁", "李娜"]
    assert shown(clerk, show="mine") == ["陈洁"]
    assert shown(clerk, show="unassigned") == ["王伟", "李娜"]
    assert shown(clerk, show="overdue") == [late.customer.name]
    assert shown(clerk, show="done") == shown(clerk, show="all", outcome="reached") == ["张敏"]
    assert shown(clerk, q="王伟") == ["王伟"]
    assert shown(clerk, reason="question") == []
    assert shown(clerk, show="all", owner="nobody") == ["王伟", "李娜"]
    assert "1 h overdue" in clerk.get(LIST).content.decode()


def test_the_menu_counts_what_waits_for_me_or_nobody_in_one_question(now, django_assert_num_queries):
    clerk = staff.signed_in("clerk")
    opened(cast.li_na(), now)
    opened(cast.wang_wei(), now, owner_id=User.objects.create_user("other").pk)
    home = clerk.get(LIST).content.decode()

    entry = home[home.index("Follow-ups") :][:1500]
    assert re.search(r">\s*1\s*<", entry)


def test_taking_it_in_the_list_answers_with_who_has_it(now):
    clerk = staff.signed_in("clerk")
    follow_up = opened(cast.li_na(), now)
    take = reverse("admin:customers_followup_take", args=[follow_up.pk])

    mine = clerk.post(take, headers={"HX-Request": "true"}).content.decode()
    late = staff.signed_in("marketer").post(take, headers={"HX-Request": "true"}).content.decode()

    assert "You" in mine
    assert "clerk was faster" in late
    assert FollowUp.objects.get().owner.username == "clerk"


def test_the_page_has_everything_for_the_call(now):
    li_na = cast.li_na()
    li_na.tier = Tier.objects.create(name="黑金", is_vip=True)
    li_na.save()
    order = Order.objects.create(
        platform="taobao", number="TB1001", customer=li_na, status="paid", status_at=now, total=800
    )
    order.lines.create(key="1", product="红玫瑰 99 枝", quantity=1)
    order.shipments.create(carrier="顺丰", number="SF123", moved_at=now)
    order.exceptions.create(kind="out_of_stock", note="仓库没货", happened_at=now)
    follow_up = opened(li_na, now, order_id=order.pk, detail="仓库没货", script="先道歉")

    shown = staff.signed_in("clerk").get(page(follow_up)).content.decode()

    for words in ("李娜", "黑金", "138****0001", "TB1001", "红玫瑰 99 枝", "SF123", "仓库没货", "先道歉", "Take"):
        assert words in shown
    assert "13800000001" not in shown
    assert reverse("admin:notifications_customer_deliveries", args=[li_na.pk]) in shown


def test_an_auditor_looks_and_moves_nothing(now):
    auditor = staff.signed_in("auditor")
    follow_up = opened(cast.li_na(), now)

    shown = auditor.get(page(follow_up)).content.decode()
    statuses = {click(auditor, follow_up, act, outcome="reached").status_code for act in ("take", "finish", "drop")}

    assert "Take" not in shown
    assert statuses == {403}
    assert FollowUp.objects.get().owner is None


def test_a_call_goes_from_taking_to_finishing(now):
    clerk = staff.signed_in("clerk")
    follow_up = opened(cast.li_na(), now)

    click(clerk, follow_up, "take")
    click(clerk, follow_up, "called")
    answer = click(clerk, follow_up, "finish", outcome="reached", note="Waits for the new parcel")

    follow_up.refresh_from_db()
    assert said(answer) == ["Finished."]
    assert (follow_up.status, follow_up.outcome, follow_up.note) == ("done", "reached", "Waits for the new parcel")
    assert LogEntry.objects.filter(object_id=str(follow_up.pk)).count() == 3


def test_who_is_late_is_told_who_was_faster_and_can_take_over(now):
    clerk, marketer = staff.signed_in("clerk"), staff.signed_in("marketer")
    follow_up = opened(cast.li_na(), now)
    click(clerk, follow_up, "take")

    refused = click(marketer, follow_up, "take")
    over = click(marketer, follow_up, "hand_over", owner=User.objects.get(username="clerk").pk)
    again = click(clerk, follow_up, "finish", outcome="reached")

    assert said(refused) == ["clerk was faster and takes care of it. Take it over if they cannot."]
    assert said(over) == ["It is yours now."]
    assert said(again) == ["marketer was faster and takes care of it. Take it over if they cannot."]


@pytest.mark.parametrize(
    "fields, complaint",
    [
        ({}, "Choose what came of the call."),
        ({"outcome": "bored"}, "Select a valid choice"),
        ({"outcome": "wrong_number"}, "Enter the right number"),
        ({"outcome": "wrong_number", "number": "1380000000"}, "Not eleven digits long"),
        ({"outcome": "wrong_number", "number": "13800000002"}, "already has this address"),
        ({"outcome": "not_reached", "again_at": "2020-01-01T10:00"}, "This moment is over"),
        ({"outcome": "not_reached", "again_at": "soon"}, "Choose a day and an hour."),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence_and_nothing_is_closed(now, fields, complaint):
    cast.wang_wei()
    follow_up = opened(cast.li_na(), now)

    answer = click(staff.signed_in("clerk"), follow_up, "finish", **fields)

    assert complaint in answer.content.decode()
    assert FollowUp.objects.open().get() == follow_up
    assert ContactPoint.objects.filter(customer=follow_up.customer).get().address == "13800000001"


def test_not_reached_today_is_called_again_tomorrow(now):
    clerk = staff.signed_in("clerk")
    follow_up = opened(cast.li_na(), now)
    tomorrow = (now + timedelta(days=1)).astimezone(clock.shop_zone()).replace(hour=10, minute=0)

    click(clerk, follow_up, "finish", outcome="not_reached", again_at=f"{tomorrow:%Y-%m-%dT%H:%M}")

    following = FollowUp.objects.open().get()
    assert (f"{following.due_at.astimezone(clock.shop_zone()):%Y-%m-%d %H:%M}", following.owner.username) == (
        f"{tomorrow:%Y-%m-%d %H:%M}",
        "clerk",
    )


def test_a_finished_call_answers_what_the_customer_had_written(now, gateway_account):
    li_na = cast.li_na()
    reply = Reply.objects.create(
        account=gateway_account, customer=li_na, number="13800000001", text="什么时候发货?", said_at=now,
        received_at=now, fingerprint=b"1", meaning="conversation",
    )  # fmt: skip
    follow_up = opened(li_na, now, reason="question", occasion=f"reply-{reply.pk}")

    click(staff.signed_in("clerk"), follow_up, "finish", outcome="reached")

    reply.refresh_from_db()
    assert (reply.handled_as, reply.handled_by.username) == ("answered", "clerk")


# A wrong number ------------------------------------------------------------------------------------


@pytest.fixture
def undelivered(now):
    """Li Na and Wang Wei got none of a notice about an order; hers failed because of the number."""
    li_na, wang_wei = cast.li_na(), cast.wang_wei()
    message = messages.freeze(
        cast.template("您的包裹已发出", purpose="service"), name="发货提醒", price="0.045", send_after=now,
        send_until=now + timedelta(hours=4), by=None, now=now,
    )  # fmt: skip
    deliveries.plan(message, Customer.objects.filter(pk__in=[li_na.pk, wang_wei.pk]), occasion="notice", now=now)
    Delivery.objects.update(status="undelivered", reason="no_such_number", sent_at=now, finished_at=now)
    order = Order.objects.create(platform="taobao", number="TB1", customer=li_na, status="shipped", status_at=now)
    hers = Delivery.objects.get(customer=li_na)
    Concern.objects.create(delivery=hers, order=order)
    return opened(li_na, now, occasion=f"delivery-{hers.pk}", reason="bad_address", detail="no_such_number")


def test_a_corrected_number_gets_the_one_message_and_nobody_else_does(undelivered, empty_queue, now):
    clerk = staff.signed_in("clerk")
    promised = clerk.get(page(undelivered)).content.decode()

    answer = click(clerk, undelivered, "finish", outcome="wrong_number", number="139 0000 0009", note="chat")

    undelivered.refresh_from_db()
    twin = Message.objects.get(again_of__isnull=False)
    again = twin.deliveries.get()
    assert "takes the place of 138****0001" in promised
    assert "“发货提醒”" in promised
    assert said(answer) == ["The number is corrected, and “发货提醒” goes to it now."]
    assert (undelivered.status, undelivered.outcome) == ("done", "wrong_number")
    assert list(undelivered.customer.contact_points.values_list("address", "is_primary")) == [("13900000009", True)]
    assert (again.customer, again.address, again.status) == (undelivered.customer, "13900000009", "queued")
    assert [concern.order.number for concern in again.concerns.all()] == ["TB1"]


def test_a_second_click_corrects_nothing_and_sends_nothing(undelivered, empty_queue):
    clerk = staff.signed_in("clerk")
    click(clerk, undelivered, "finish", outcome="wrong_number", number="13900000009")

    answer = click(clerk, undelivered, "finish", outcome="wrong_number", number="13900000008")

    assert said(answer) == ["It is closed already. Nothing was changed."]
    assert Message.objects.filter(again_of__isnull=False).count() == 1
    assert ContactPoint.objects.filter(address="13900000008").count() == 0


def test_a_message_that_may_not_follow_leaves_the_number_corrected_and_says_why(undelivered, empty_queue, now):
    Message.objects.update(canceled_at=now)

    answer = click(staff.signed_in("clerk"), undelivered, "finish", outcome="wrong_number", number="13900000009")

    assert said(answer) == ["The number is corrected. The message was canceled: nobody gets it any more."]
    assert undelivered.customer.contact_points.get().address == "13900000009"


def test_a_call_about_an_order_resends_what_failed_about_that_order(undelivered, empty_queue, now):
    about = opened(undelivered.customer, now, order_id=Order.objects.get().pk)

    click(staff.signed_in("clerk"), about, "finish", outcome="wrong_number", number="13900000009")

    assert Message.objects.filter(again_of__isnull=False).count() == 1


# Planned by staff, and the report ---------------------------------------------------------------------


def test_staff_plan_a_call_on_the_customers_page(now):
    clerk, li_na = staff.signed_in("clerk"), cast.li_na()
    add = f"{reverse('admin:customers_followup_add')}?customer={li_na.pk}"
    tomorrow = now + timedelta(days=1)

    form = clerk.get(add)
    clerk.post(add, {"detail": "Ask about the sofa", "due_at": f"{tomorrow:%Y-%m-%dT%H:%M}", "is_mine": "on"})
    customer_page = clerk.get(reverse("admin:customers_customer_change", args=[li_na.pk])).content.decode()

    follow_up = FollowUp.objects.get()
    assert form.status_code == 200
    assert (follow_up.reason, follow_up.detail, follow_up.owner.username) == ("staff", "Ask about the sofa", "clerk")
    assert page(follow_up) in customer_page


@pytest.mark.parametrize("asked", ["", "?customer=0", "?customer=abc", "?customer=1%00", "?customer=" + "9" * 30])
def test_a_call_to_nobody_is_not_planned(asked):
    answer = staff.signed_in("clerk").get(reverse("admin:customers_followup_add") + asked, follow=True)

    assert said(answer) == ["Plan a call from the page of the customer or of the order."]


def test_the_report_measures_the_first_call_and_its_numbers_lead_to_the_rows(now):
    auditor = staff.signed_in("auditor")
    mei = User.objects.create_user("mei", is_staff=True)
    for hours in range(1, 11):
        begun = now - timedelta(days=2)
        follow_up = opened(Customer.objects.create(name=f"客户{hours}"), begun, due_at=begun + timedelta(hours=9))
        follow_ups.call(follow_up, begun + timedelta(hours=hours), by=mei)
    follow_ups.finish(follow_up, "reached", "", mei, now)
    opened(cast.li_na(), now, reason="question")
    opened(cast.wang_wei(), now - timedelta(days=40))

    report = auditor.get(reverse("admin:customers_followup_report"))

    rows = {row["label"]: row for table in report.context["tables"] for row in table["rows"]}
    mine = rows["mei"]
    assert (mine["opened"], mine["uncalled"], mine["late"], mine["median"], mine["slow"]) == (
        10, 0, 1, "5.5 h", "9.1 h",
    )  # fmt: skip
    assert (rows["Nobody"]["opened"], rows["Nobody"]["uncalled"], rows["Nobody"]["median"]) == (1, 1, "–")
    for row in rows.values():
        for name in ("opened", "uncalled", "late"):
            assert auditor.get(row[f"{name}_url"]).context_data["cl"].result_count == row[name]
    assert [(label, count) for label, count, _link in report.context["outcomes"]] == [("Reached, settled", 1)]


def test_a_shop_without_calls_has_an_empty_report():
    assert staff.signed_in("clerk").get(reverse("admin:customers_followup_report")).status_code == 200


def test_the_page_of_an_order_shows_the_calls_about_it(now):
    li_na = cast.li_na()
    order = Order.objects.create(platform="taobao", number="TB1", customer=li_na, status="paid", status_at=now)
    follow_up = opened(li_na, now, order_id=order.pk)

    shown = staff.signed_in("clerk").get(reverse("admin:customers_order_change", args=[order.pk])).content.decode()

    assert page(follow_up) in shown
    assert f"?customer={li_na.pk}&amp;order={order.pk}" in shown
