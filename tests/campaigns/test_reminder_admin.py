"""The pages of reminders: three clicks from the gallery, what is refused, and who may do what."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from campaigns import gallery, jobs
from campaigns.models import KeptBacktest, Reminder, ReminderOccasion
from campaigns.services.reminders import from_gallery, kept_backtests
from campaigns.services.reminders.backtest import Backtest, Example
from campaigns.services.reminders.comparing import Comparison, Share
from customers import clock
from customers.choices import Channel, OrderStatus
from customers.models import Order
from notifications.choices import SignatureStatus
from notifications.models import AlertChannel, ProviderAccount, Signature, Template
from tests import cast, staff
from tests.campaigns import shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def signature():
    return Signature.objects.create(name="鸿雁花店", status=SignatureStatus.APPROVED)


@pytest.fixture
def sms(signature):
    """A shop that can send SMS."""
    return shop.account()


@pytest.fixture
def marketer(sms):
    return staff.signed_in("marketer")


@pytest.fixture
def unpaid(sms, signature):
    """The reminder to pay, from the gallery, off."""
    return made("unpaid")


def made(key, **options):
    signature = Signature.objects.get(name="鸿雁花店")
    return from_gallery.create(gallery.BY_KEY[key], signature=signature, by=None, now=clock.now(), **options)


def url(name, *args):
    return reverse(f"admin:campaigns_reminder_{name}", args=args)


def page(client, name, *args, status=200):
    answer = client.get(url(name, *args))
    assert answer.status_code == status, answer.status_code
    return re.sub(r"\s+", " ", answer.content.decode())


def posted(client, address, fields=None):
    answer = client.post(address, fields or {}, follow=True)
    assert answer.status_code == 200, answer.status_code
    return re.sub(r"\s+", " ", answer.content.decode())


def form_of(reminder, **changes):
    """What the browser sends when somebody saves the form of a reminder from the gallery."""
    fields = {
        "name": reminder.name,
        "purpose": reminder.purpose,
        "trigger": reminder.trigger,
        "order_status": reminder.order_status,
        "exception_kind": reminder.exception_kind,
        "event_kind": reminder.event_kind,
        "order_date": reminder.order_date,
        "at_hour": reminder.at_hour or "",
        "first_order": "",
        "categories": "",
        "stop_when": reminder.stop_when,
        "valid_for_0": "12",
        "valid_for_1": "hours",
        "merge_within_0": "5",
        "merge_within_1": "minutes",
        "goal_within_0": "1",
        "goal_within_1": "days",
        "call_within_0": "4",
        "call_within_1": "hours",
        "night": reminder.night,
        "cap_policy": reminder.cap_policy,
        "compensation": "",
        "goal": reminder.goal,
        "held_out_percent": "0",
        "follow_up": reminder.follow_up,
        "follow_up_for": reminder.follow_up_for,
        "call_script": "",
        "version": reminder.version,
        "steps-TOTAL_FORMS": reminder.steps.count(),
        "steps-INITIAL_FORMS": reminder.steps.count(),
    }
    for number, step in enumerate(reminder.steps.all()):
        fields |= {
            f"steps-{number}-id": step.pk,
            f"steps-{number}-reminder": reminder.pk,
            f"steps-{number}-length_0": abs(step.delay) // timedelta(minutes=1),
            f"steps-{number}-length_1": "minutes",
            f"steps-{number}-side": "before" if step.delay < timedelta(0) else "after",
            f"steps-{number}-first": "sms",
        }
        for said in step.texts.filter(receiver="buyer"):
            fields[f"steps-{number}-{said.channel}"] = said.template_id
            fields[f"steps-{number}-{said.channel}_several"] = said.merged_template_id or ""
    return fields | changes


def saved(client, reminder, **changes):
    return posted(client, url("change", reminder.pk), form_of(reminder, **changes))


# The gallery


def test_the_gallery_shows_every_entry_and_what_it_waits_for(marketer):
    shown = page(marketer, "gallery")

    assert {entry.key for entry in gallery.ENTRIES} == set(re.findall(r'data-entry="(\w+)"', shown))
    assert "E-mail waits for an e-mail account" in shown
    assert "do not approve requests for reviews as SMS" in shown


@pytest.mark.parametrize("key", list(gallery.BY_KEY))
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_card_opens(sms, signature, key, language):
    client = staff.signed_in("marketer", language=language)

    assert "hy-said" in page(client, "choose", key)


def test_three_clicks_switch_a_reminder_on(marketer, signature):
    shown = posted(
        marketer, url("choose", "unpaid"), {"signature": signature.pk, "channels": ["sms"], "language": "zh-hans"}
    )

    reminder = Reminder.objects.get()
    assert "is ready and still off" in shown
    assert "When an order stays “Waiting for payment” for 20 minutes" in shown
    assert "switch-on" in page(marketer, "backtest", reminder.pk)

    shown = posted(marketer, url("on", reminder.pk), {"version": reminder.version})

    assert "The reminder is on" in shown
    assert Reminder.objects.get().is_active


def test_a_channel_that_waits_for_an_account_is_refused_with_the_remedy(marketer, signature):
    shown = posted(
        marketer, url("choose", "unpaid"), {"signature": signature.pk, "channels": ["email"], "language": "en"}
    )

    assert "Add or resume one under Settings" in shown
    assert not Reminder.objects.exists()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"signature": "x", "channels": "sms", "language": "en"},
        {"signature": "9" * 30, "channels": "sms", "language": "en"},
        {"signature": "1", "channels": "pigeon", "language": "en"},
        {"signature": "1", "channels": "sms", "language": "klingon"},
        {"signature": "\0", "channels": "\0", "language": "\0", "with_optional": "\0"},
    ],
)
def test_a_gallery_form_that_makes_no_sense_makes_no_reminder(marketer, fields):
    shown = posted(marketer, url("choose", "unpaid"), fields)

    assert "hy-errors" in shown
    assert not Reminder.objects.exists()


def test_a_card_that_does_not_exist_is_not_found(marketer):
    assert marketer.get(url("choose", "nothing")).status_code == 404


def test_without_a_signature_the_card_says_what_is_missing():
    shop.account()

    assert "There is no signature yet" in page(staff.signed_in("marketer"), "choose", "unpaid")


def test_without_any_account_the_card_says_what_it_waits_for(signature):
    assert "SMS waits for an account that works" in page(staff.signed_in("marketer"), "choose", "unpaid")


# Who may do what


def test_a_clerk_sees_reminders_and_switches_nothing(unpaid):
    clerk = staff.signed_in("clerk")

    assert "switch-on" not in page(clerk, "backtest", unpaid.pk)
    assert "When an order stays" in page(clerk, "page", unpaid.pk)
    assert clerk.get(url("change", unpaid.pk)).status_code == 302
    for name in ("on", "off"):
        assert clerk.post(url(name, unpaid.pk), {"version": 1}).status_code == 403
    assert clerk.post(url("choose", "unpaid"), {}).status_code == 403
    assert not Reminder.objects.active().exists()


def test_the_menu_leads_to_the_reminders(marketer):
    assert url("changelist") in marketer.get(reverse("admin:index")).content.decode()


def test_the_overview_shows_sent_after_paid(marketer):
    assert 'id="sent-after-paid">0<' in marketer.get(reverse("admin:index")).content.decode()


# The page, on and off


def test_a_page_that_is_older_than_the_reminder_does_not_switch_it_on(marketer, unpaid):
    shown = posted(marketer, url("on", unpaid.pk), {"version": unpaid.version + 1})

    assert "changed the reminder since you opened the page" in shown
    assert not Reminder.objects.active().exists()


@pytest.mark.parametrize("version", ["", "x", "-1", "9" * 40, "１", "\0"])
def test_a_version_that_is_no_number_switches_nothing_on(marketer, unpaid, version):
    posted(marketer, url("on", unpaid.pk), {"version": version})

    assert not Reminder.objects.active().exists()


def test_a_reminder_whose_channel_lost_its_account_cannot_be_switched_on(marketer, unpaid):
    ProviderAccount.objects.update(is_active=False)

    assert "SMS waits for an account that works" in page(marketer, "page", unpaid.pk)
    shown = posted(marketer, url("on", unpaid.pk), {"version": unpaid.version})

    assert "SMS waits for an account that works" in shown
    assert not Reminder.objects.active().exists()


def test_switching_off_twice_is_said(marketer, unpaid):
    posted(marketer, url("on", unpaid.pk), {"version": unpaid.version})

    assert "The reminder is off." in posted(marketer, url("off", unpaid.pk))
    assert "is off already" in posted(marketer, url("off", unpaid.pk))


def test_the_list_says_in_words_what_each_looks_for(marketer, unpaid):
    made("appointment_coming")
    shown = page(marketer, "changelist")

    assert "When an order stays “Waiting for payment” for 20 minutes" in shown
    assert "3 days before the date of this: Appointment or event, at 08:00 (and 1 more step)" in shown
    assert "Sent after paid, in 30 days: <strong data-count=" in shown


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("key", list(gallery.BY_KEY))
def test_every_reminder_of_the_gallery_has_a_page_and_a_form(sms, signature, key, language):
    mail_and_inbox()
    reminder = made(key, with_optional=True)
    client = staff.signed_in("marketer", language=language)

    for name in ("page", "backtest", "change"):
        assert page(client, name, reminder.pk)


def mail_and_inbox():
    ProviderAccount.objects.create(
        name="Mail", channel=Channel.EMAIL, url="http://127.0.0.1:9/mail", callback_token="mail", is_sandbox=True
    )
    ProviderAccount.objects.create(name="Inbox", channel=Channel.INBOX, gateway="inbox", callback_token="inbox")


# The form


@pytest.mark.parametrize("key", list(gallery.BY_KEY))
def test_what_the_gallery_makes_can_be_saved_as_it_stands(marketer, key):
    mail_and_inbox()
    reminder = made(key, with_optional=True)
    before = [(step.delay, [said.template_id for said in step.texts.all()]) for step in reminder.steps.all()]

    shown = saved(marketer, reminder, valuable_from=reminder.valuable_from or "")

    assert "What it does" in shown, re.findall(r"errorlist.*?</ul>", shown)
    after = [(step.delay, [said.template_id for said in step.texts.all()]) for step in reminder.steps.all()]
    assert after == before
    assert Reminder.objects.get().version == reminder.version + 1


def test_a_length_of_time_is_shown_in_the_unit_in_which_it_was_said(marketer, unpaid):
    shown = page(marketer, "change", unpaid.pk)

    parts = re.findall(r'<(?:input|select)[^>]* name="(?:valid_for|goal_within|merge_within)_[01]"[^>]*>', shown)
    assert len(parts) == 6
    assert not any("x-model" in part for part in parts)
    assert re.search(r'name="valid_for_0" value="12"', shown) or 'value="12" min="0"' in shown
    assert '<option value="hours" selected>' in shown


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": ""}, "This field is required"),
        ({"trigger": "doomsday"}, "Select a valid choice"),
        ({"order_status": ""}, "Choose what the reminder looks for"),
        ({"order_status": "locked"}, "Select a valid choice"),
        ({"order_status": "paid"}, "these would stop every message or none: the order is paid"),
        ({"stop_when": ["settled"]}, "these would stop every message or none: the event is settled"),
        ({"stop_when": ["moonlight"]}, "Select a valid choice"),
        ({"goal": "settled"}, "Only events are settled"),
        ({"valid_for_0": "0"}, "Choose a time from 1 minute to 60 days"),
        ({"valid_for_0": "61", "valid_for_1": "days"}, "Choose a time from 1 minute to 60 days"),
        ({"valid_for_0": "x"}, "Enter a whole number"),
        ({"valid_for_0": "9" * 40}, "less than or equal to"),
        ({"merge_within_0": "2", "merge_within_1": "hours"}, "Choose a time from 0 minutes to 1 hour"),
        ({"held_out_percent": "51"}, "less than or equal to 50"),
        ({"minimum_amount": "100", "maximum_amount": "10"}, "nobody would be reminded"),
        ({"categories": "花" * 61}, "A category has at most 60 characters"),
        ({"follow_up": "beside", "follow_up_for": "valuable"}, "from which amount an order is valuable"),
        ({"steps-0-side": "before"}, "“Before” is possible for dates only"),
        ({"steps-0-length_0": "0"}, "Say how long it has to last"),
        ({"steps-0-length_0": "800", "steps-0-length_1": "days"}, "Choose a time from 0 minutes to 730 days"),
        ({"steps-0-sms": "", "steps-0-sms_several": ""}, "this step would say nothing"),
        ({"steps-0-sms": ""}, "Choose the text for a single one as well"),
        ({"steps-0-sms": "999999"}, "Select a valid choice"),
        ({"steps-0-staff_text": "Look!"}, "Choose the bot and write its text"),
        ({"steps-0-DELETE": "on"}, "Add a step with a text"),
    ],
)
def test_a_form_that_makes_no_sense_is_refused_with_a_sentence(marketer, unpaid, changes, sentence):
    shown = saved(marketer, unpaid, **changes)

    assert sentence in shown
    assert Reminder.objects.get().version == unpaid.version


def test_a_text_with_a_variable_that_the_trigger_cannot_give_is_refused(marketer, signature):
    reminder = made("appointment_confirmed")
    other = Template.objects.create(
        name="Tracking", purpose="service", signature=signature, body="单号{{ tracking_number }}"
    )

    shown = saved(marketer, reminder, **{"steps-0-sms": other.pk})

    assert "uses Tracking number, which is unknown for “An event of a customer is told”" in shown


def test_a_text_of_another_class_is_refused(marketer, unpaid, signature):
    other = Template.objects.create(name="Sale", purpose="marketing", signature=signature, body="打折了")

    assert "is of the class “Marketing”, the reminder of" in saved(marketer, unpaid, **{"steps-0-sms": other.pk})


def test_marketing_by_sms_without_the_way_out_is_refused(marketer, signature):
    reminder = made("cart_left")
    other = Template.objects.create(
        name="Sale", purpose="marketing", signature=signature, body="打折了", opt_out_wording=""
    )

    assert "does not say how to opt out" in saved(marketer, reminder, **{"steps-0-sms": other.pk})


def test_an_email_text_cannot_be_chosen_before_there_is_an_account(marketer, unpaid, signature):
    letter = Template.objects.create(
        name="Letter", purpose="service", channel="email", signature=signature, subject="Hi", body="付款了吗"
    )

    assert "E-mail waits for an e-mail account" in saved(marketer, unpaid, **{"steps-0-email": letter.pk})


def test_a_second_tab_does_not_overwrite_the_first(marketer, unpaid):
    stale = form_of(unpaid, name="Second")
    saved(marketer, unpaid, name="First")

    shown = posted(marketer, url("change", unpaid.pk), stale)

    assert "Somebody else saved or switched this reminder" in shown
    assert Reminder.objects.get().name == "First"


def test_steps_are_kept_in_the_order_of_their_delays(marketer, unpaid):
    text = unpaid.steps.get().texts.get().template_id

    saved(
        marketer,
        unpaid,
        **{
            "steps-TOTAL_FORMS": 3,
            "steps-1-reminder": unpaid.pk,
            "steps-1-length_0": "2",
            "steps-1-length_1": "hours",
            "steps-1-side": "after",
            "steps-1-sms": text,
            "steps-2-reminder": unpaid.pk,
            "steps-2-length_0": "10",
            "steps-2-length_1": "minutes",
            "steps-2-side": "after",
            "steps-2-sms": text,
        },
    )

    delays = [step.delay for step in unpaid.steps.order_by("position")]
    assert delays == [timedelta(minutes=10), timedelta(minutes=20), timedelta(hours=2)]
    assert [step.position for step in unpaid.steps.order_by("position")] == [1, 2, 3]


def test_two_steps_at_the_same_time_are_refused(marketer, unpaid):
    text = unpaid.steps.get().texts.get().template_id

    shown = saved(
        marketer,
        unpaid,
        **{
            "steps-TOTAL_FORMS": 2, "steps-1-reminder": unpaid.pk, "steps-1-length_0": "20",
            "steps-1-length_1": "minutes", "steps-1-side": "after", "steps-1-sms": text,
        },
    )  # fmt: skip

    assert "Two steps would go out at the same time" in shown


def test_a_bot_and_a_second_contact_get_texts_of_their_own(marketer, unpaid):
    bot = AlertChannel.objects.create(name="值班群", kind="email", recipients="shop@example.com")
    text = unpaid.steps.get().texts.get().template_id

    saved(marketer, unpaid, **{"steps-0-bot": bot.pk, "steps-0-staff_text": "有人没付款", "steps-0-second": text})

    assert set(unpaid.steps.get().texts.values_list("receiver", "staff_text")) == {
        ("buyer", ""), ("second", ""), ("staff", "有人没付款"),
    }  # fmt: skip
    saved(marketer, Reminder.objects.get(), **{"steps-0-bot": "", "steps-0-staff_text": ""})
    assert [said.receiver for said in unpaid.steps.get().texts.all()] == ["buyer"]


def test_the_form_of_a_reminder_that_is_on_says_what_happens_to_what_waits(marketer, unpaid):
    assert "while-on" not in page(marketer, "change", unpaid.pk)
    posted(marketer, url("on", unpaid.pk), {"version": unpaid.version})

    assert "Messages that still wait are taken back and looked at again" in page(marketer, "change", unpaid.pk)
    assert "the change holds at once" in saved(marketer, Reminder.objects.get(), name="Pay, please")


def test_a_reminder_that_found_something_is_not_deleted(marketer, unpaid):
    ReminderOccasion.objects.create(
        reminder=unpaid, step=unpaid.steps.get(), key="order-1", happened_at=clock.now(), due_at=clock.now(),
        outcome="no_customer",
    )  # fmt: skip

    assert marketer.post(url("delete", unpaid.pk), {"post": "yes"}).status_code == 403
    assert Reminder.objects.exists()


def test_a_new_rule_of_ones_own_can_be_made(marketer, unpaid):
    fields = form_of(unpaid, name="Mine") | {
        "steps-INITIAL_FORMS": 0, "steps-0-id": "", "steps-0-reminder": "", "version": "",
    }  # fmt: skip

    shown = posted(marketer, url("add"), fields)

    assert "What it does" in shown
    assert Reminder.objects.get(name="Mine").steps.get().texts.exists()


# The backtest


def orders(count, *, minutes=60, **columns):
    person = cast.li_na()
    ordered = clock.now() - timedelta(minutes=minutes)
    return Order.objects.bulk_create(
        Order(
            platform="taobao",
            number=f"100{place}",
            status=OrderStatus.UNPAID,
            status_at=ordered,
            ordered_at=ordered,
            customer=person,
            total=Decimal("88.00"),
            **columns,
        )
        for place in range(count)
    )


def test_the_backtest_shows_numbers_a_picture_and_examples_and_sends_nothing(marketer, unpaid):
    orders(3)

    shown = page(marketer, "backtest", unpaid.pk)

    assert "What it would have done in the last 30 days" in shown
    assert 'id="backtest-total" data-count="' in shown
    assert not ReminderOccasion.objects.exists()


def test_the_backtest_of_a_shop_without_orders_says_so(marketer, unpaid):
    assert "Nothing that it looks for happened" in page(marketer, "backtest", unpaid.pk)


@pytest.mark.django_db(transaction=True)
def test_a_long_backtest_is_counted_by_a_worker_and_then_shown(marketer, unpaid, monkeypatch, empty_queue):
    monkeypatch.setattr(kept_backtests, "quick", lambda reminder, *, now: None)
    assert "a worker counts" in page(marketer, "backtest", unpaid.pk)
    assert "a worker counts" in posted(marketer, url("backtest_count", unpaid.pk))

    assert jobs.count_backtests() == {"counted": 1}

    assert "Nothing that it looks for happened" in posted(marketer, url("backtest_count", unpaid.pk))
    assert "Nothing that it looks for happened" in page(marketer, "backtest", unpaid.pk)


def test_without_a_worker_the_page_counts_by_itself(marketer, unpaid, monkeypatch, empty_queue):
    monkeypatch.setattr(kept_backtests, "quick", lambda reminder, *, now: None)
    posted(marketer, url("backtest_count", unpaid.pk))
    KeptBacktest.objects.update(asked_at=clock.now() - timedelta(seconds=5))

    assert "Nothing that it looks for happened" in posted(marketer, url("backtest_count", unpaid.pk))


def test_what_was_counted_is_deleted_when_it_is_no_longer_fresh(unpaid):
    kept_backtests.ask(unpaid, now=clock.now())
    assert kept_backtests.count_waiting(now=clock.now(), ends=clock.now) == 1
    KeptBacktest.objects.update(counted_at=clock.now() - timedelta(minutes=11))

    kept_backtests.count_waiting(now=clock.now(), ends=clock.now)

    assert not KeptBacktest.objects.exists()


def test_a_kept_backtest_comes_back_as_it_was():
    now = clock.now()
    found = Backtest(
        days=[(clock.shop_date(now), 3)], hours=[0] * 24, total=3, cost=Decimal("0.14"),
        examples=[Example("1001", now, "138****0001", "李娜，您好")],
    )  # fmt: skip

    assert kept_backtests.backtest_of(KeptBacktest(result=kept_backtests.as_json(found))) == found


def test_a_changed_reminder_is_counted_anew(unpaid):
    before = kept_backtests.fingerprint(unpaid)

    Template.objects.filter(reminder_texts__step__reminder=unpaid).update(version=7)

    assert kept_backtests.fingerprint(unpaid) != before


# What it achieved


def test_a_difference_is_said_with_its_span():
    found = Comparison(Share(300, 1000), Share(200, 1000))

    low, high = found.span
    assert 0.06 < low < found.difference < high < 0.14
    assert found.is_sure
    # Newcombe's own example: 56 of 70 against 48 of 80.
    low, high = Comparison(Share(56, 70), Share(48, 80)).span
    assert (round(low, 4), round(high, 4)) == (0.0524, 0.3339)


def test_too_few_are_not_compared():
    found = Comparison(Share(9, 10), Share(0, 10))

    assert not found.is_enough and not found.is_sure


def test_the_report_says_what_was_found_and_how_many_paid(marketer, unpaid):
    posted(marketer, url("on", unpaid.pk), {"version": unpaid.version})
    step, due = unpaid.steps.get(), clock.now() - timedelta(days=2)
    for place, order in enumerate(orders(60, minutes=4000)):
        is_held_out = place < 20
        ReminderOccasion.objects.create(
            reminder=unpaid, step=step, key=f"order-{order.pk}", order=order, customer_id=order.customer_id,
            happened_at=due, due_at=due, outcome="held_out" if is_held_out else "no_customer",
        )  # fmt: skip

    shown = page(marketer, "page", unpaid.pk)

    assert "Got none on purpose, for comparison" in shown
    assert "Nobody knows whose order it is" in shown
