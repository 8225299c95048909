"""The gallery: every ready-made reminder is one that could be sent, in both languages."""

from datetime import timedelta

import pytest
from django.utils import translation

from campaigns import gallery
from campaigns.choices import ReminderTrigger
from campaigns.models import Reminder
from campaigns.services.reminders import fitting, from_gallery, ways
from customers import clock
from customers.choices import Channel, Purpose
from notifications import rendering, text
from notifications.models import ProviderAccount, Signature, Template
from tests import cast
from tests.campaigns import shop

pytestmark = pytest.mark.django_db

ENTRIES = pytest.mark.parametrize("entry", gallery.ENTRIES, ids=lambda entry: entry.key)
LANGUAGES = pytest.mark.parametrize("language", list(gallery.LANGUAGES))
LISTED = {
    *("order_received", "unpaid", "paid", "shipped", "out_for_delivery", "delivered", "how_is_it", "review_request"),
    *("buy_again", "after_sale", "refund_done"),
    *("out_of_stock", "payment_failed", "logistics_delayed", "canceled_by_shop", "address_not_deliverable"),
    *("appointment_confirmed", "appointment_coming", "appointment_after", "membership_expiring", "service_expiring"),
    *("coupon_expiring", "points_expiring", "bill_due", "security_notice"),
    *("not_bought", "first_order_only", "cart_left"),
}


@pytest.fixture
def signature():
    return Signature.objects.create(name="鸿雁花店")


@pytest.fixture
def accounts():
    """A shop that can send SMS and e-mail and has an inbox."""
    shop.account()
    ProviderAccount.objects.create(
        name="Mail", channel=Channel.EMAIL, url="http://127.0.0.1:9/mail", callback_token="mail", is_sandbox=True
    )
    ProviderAccount.objects.create(name="Inbox", channel=Channel.INBOX, gateway="inbox", callback_token="inbox")


def _texts(entry, language):
    names = {name for step in entry.steps for name in (step.text, step.merged) if name}
    return [gallery.text_of(name, language) for name in sorted(names)]


def _rule(entry):
    return Reminder(
        name=str(entry.title),
        **{name: getattr(entry, name) for name in from_gallery.SAME},
        stop_when=list(entry.stops),
    )


def test_the_gallery_has_every_reminder_that_a_shop_asks_for():
    assert set(gallery.BY_KEY) >= LISTED
    assert len(gallery.BY_KEY) == len(gallery.ENTRIES)


@ENTRIES
def test_every_entry_looks_for_something_and_stops_for_what_can_happen(entry):
    rule = _rule(entry)

    rule.full_clean(exclude=["created_by"])

    assert fitting.rule_refusals(rule) == {}
    assert [sentence for step in entry.steps if (sentence := fitting.delay_refusal(rule, step.delay))] == []


@ENTRIES
def test_every_entry_becomes_a_reminder_that_could_be_switched_on(entry, signature, accounts):
    reminder = from_gallery.create(entry, signature=signature, by=None, now=clock.now(), with_optional=True)

    reminder.full_clean()
    assert fitting.problems(reminder) == []
    assert not reminder.is_active
    assert reminder.steps.count() == len(entry.steps)
    for template in Template.objects.all():
        template.full_clean()


@ENTRIES
@LANGUAGES
def test_every_text_is_of_the_class_of_its_reminder_and_fits_two_sms(entry, language):
    values = {variable.key: variable.example for variable in rendering.VARIABLES.values()}
    opt_out = text.DEFAULT_OPT_OUT if entry.purpose.needs_consent else ""

    for starter in _texts(entry, language):
        seen = rendering.preview(rendering.parse(starter.body), values, signature="鸿雁花店", opt_out=opt_out)

        assert starter.purpose == entry.purpose, starter.name
        assert starter.subject, starter.name
        assert "{{" not in seen.text
        if Channel.SMS in entry.channels:
            assert seen.segments <= 2, (starter.name, seen.units)
            # Gateways that compose the message themselves must be able to register the text.
            rendering.parse(starter.body).skeleton(lambda place, name: f"${{{name}}}", is_marketing=None)


@ENTRIES
def test_no_chinese_sms_uses_words_that_gateways_or_the_law_refuse(entry):
    values = {variable.key: variable.example for variable in rendering.VARIABLES.values()}

    for starter in _texts(entry, "zh-hans"):
        seen = rendering.preview(rendering.parse(starter.body), values, signature="鸿雁花店")

        assert Channel.SMS not in entry.channels or seen.notes == ()


@ENTRIES
@LANGUAGES
def test_a_text_never_fails_for_what_may_be_missing(entry, language):
    sure = {"order_number", "order_count", "due_date", "due_time", "days_left"}
    values = {key: rendering.VARIABLES[key].example for key in sure}

    for starter in _texts(entry, language):
        assert rendering.parse(starter.body).render(values)


@ENTRIES
def test_what_went_wrong_is_said_with_the_order_and_an_apology(entry):
    if entry.group == gallery.Group.EXCEPTIONS:
        for starter in _texts(entry, "zh-hans"):
            assert "抱歉" in starter.body
            assert "order_number" in rendering.parse(starter.body).variables
        assert entry.trigger == ReminderTrigger.ORDER_DATE or entry.steps[0].delay in (timedelta(0), timedelta(days=1))


def test_what_gateways_forbid_as_sms_says_so():
    forbidden = {entry.key for entry in gallery.ENTRIES if Channel.SMS not in entry.channels}

    assert forbidden >= {"review_request", "coupon_expiring", "points_expiring", "not_bought"}
    assert all(gallery.BY_KEY[key].refused_by_sms for key in forbidden)


def test_marketing_by_sms_carries_the_way_out(signature, accounts):
    reminder = from_gallery.create(gallery.BY_KEY["cart_left"], signature=signature, by=None, now=clock.now())

    sms = Template.objects.get(reminder_texts__step__reminder=reminder, channel=Channel.SMS)
    assert (sms.purpose, sms.opt_out_wording) == (Purpose.MARKETING, text.DEFAULT_OPT_OUT)


def test_a_channel_without_an_account_cannot_be_chosen_and_says_what_it_waits_for(signature):
    shop.account()
    review = gallery.BY_KEY["review_request"]

    with translation.override("en"), pytest.raises(from_gallery.CannotCreate, match="waits for an e-mail account"):
        from_gallery.create(review, signature=signature, by=None, now=clock.now(), channels=["email"])
    with translation.override("en"), pytest.raises(from_gallery.CannotCreate, match="do not approve"):
        from_gallery.create(review, signature=signature, by=None, now=clock.now(), channels=["sms"])

    assert Reminder.objects.count() == 0
    assert ways.working() == [Channel.SMS]


def test_the_second_step_of_unpaid_is_an_option(signature, accounts):
    plain = from_gallery.create(gallery.BY_KEY["unpaid"], signature=signature, by=None, now=clock.now())
    both = from_gallery.create(
        gallery.BY_KEY["unpaid"], signature=signature, by=None, now=clock.now(), with_optional=True
    )

    assert [step.delay for step in plain.steps.all()] == [timedelta(minutes=20)]
    assert [step.delay for step in both.steps.all()] == [timedelta(minutes=20), timedelta(hours=12)]
    assert plain.name != both.name


def test_a_template_that_is_there_already_is_used_as_staff_left_it(signature, accounts):
    entry = gallery.BY_KEY["paid"]
    first = from_gallery.create(entry, signature=signature, by=None, now=clock.now())
    Template.objects.filter(reminder_texts__step__reminder=first, channel="sms").update(
        body="谢谢，{{ order_number }}"
    )

    second = from_gallery.create(entry, signature=signature, by=None, now=clock.now())

    texts = Template.objects.filter(reminder_texts__step__reminder=second, channel="sms")
    assert texts.get().body == "谢谢，{{ order_number }}"


def test_another_signature_gets_its_own_templates(signature, accounts):
    entry = gallery.BY_KEY["paid"]
    from_gallery.create(entry, signature=signature, by=None, now=clock.now())
    other = cast.template(name="Something else").signature

    second = from_gallery.create(entry, signature=other, by=None, now=clock.now())

    assert {said.template.signature for said in second.steps.get().texts.all()} == {other}


def test_an_english_shop_writes_english(signature, accounts):
    reminder = from_gallery.create(
        gallery.BY_KEY["unpaid"], signature=signature, by=None, now=clock.now(), language="en"
    )

    assert reminder.steps.get().texts.first().template.body.startswith("Hi ")
