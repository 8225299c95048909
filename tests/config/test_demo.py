"""The demo shop: what it holds, that it really went through the engine, and what it refuses."""

import csv
import re
from collections import Counter
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.db.models import Count
from django.test import override_settings

from campaigns import segmentation
from campaigns.choices import CampaignStatus
from campaigns.models import Campaign, Segment
from config.demo import people
from customers import clock, phone
from customers.choices import Channel, ConsentStatus, Purpose
from customers.models import ClockOffset, Consent, ConsentChange, ContactPoint, Customer, Suppression
from notifications import rendering, screening, text
from notifications.models import Delivery, Message, ProviderAccount, Receipt, RecentSends, Signature, Template
from notifications.services import progress, starter_texts

GATEWAY = "http://127.0.0.1:8999"
SAMPLES = Path(__file__).resolve().parent.parent / "data" / "samples"


@pytest.fixture(scope="module")
def said(django_db_setup, django_db_blocker):
    """What the command said; the shop is there for this module, and gone after it."""
    output = StringIO()
    with django_db_blocker.unblock(), transaction.atomic():
        with override_settings(EMBEDDED=True, SANDBOX_GATEWAY_URL=GATEWAY):
            call_command("demo", stdout=output)
        yield output.getvalue()
        transaction.set_rollback(True)


@pytest.fixture
def shop(said) -> None:
    """The demo shop in the database."""


@pytest.fixture
def finished(shop) -> Campaign:
    return Campaign.objects.get(status=CampaignStatus.FINISHED)


@pytest.fixture
def scheduled(shop) -> Campaign:
    return Campaign.objects.get(status=CampaignStatus.SCHEDULED)


def test_the_command_says_what_there_is_now(said, finished, scheduled):
    assert "2,000 customers" in said
    assert str(finished) in said and str(scheduled) in said


def test_two_thousand_customers_are_as_mixed_as_in_life(shop):
    customers = Customer.objects.all()

    assert customers.count() == people.HOW_MANY
    assert customers.filter(name="").exists() and customers.filter(birth_month=None).exists()
    assert customers.filter(birth_month__isnull=False, birth_year=None).exists()
    assert customers.values("city").distinct().count() > 40
    assert customers.filter(tier__name="黑金会员").exists() and customers.filter(tags__name="花艺课学员").exists()
    assert customers.exclude(contact_points__channel=Channel.SMS).exists()


def test_its_numbers_are_valid_made_up_and_in_no_sample_file(shop):
    numbers = set(ContactPoint.objects.filter(channel=Channel.SMS).values_list("address", flat=True))
    in_samples = {
        number
        for file in SAMPLES.glob("*.csv")
        for number in re.findall(r"1[3-9][0-9]{9}", file.read_bytes().decode("gb18030", "replace"))
    }

    assert all(phone.normalize(number).number == number for number in numbers)
    assert all(re.fullmatch(r"1[0-9]{2}0000[0-9]{4}|1740599[0-9]{4}|1999999[0-9]{4}", number) for number in numbers)
    assert not numbers & in_samples


def test_some_customers_share_a_phone(shop):
    points = ContactPoint.objects.filter(channel=Channel.SMS)

    assert points.values("address").annotate(owners=Count("id")).filter(owners=2).count() >= 2


def test_about_three_in_five_agreed_and_every_answer_has_its_evidence(shop):
    consents = Consent.objects.filter(channel=Channel.SMS, purpose=Purpose.MARKETING)
    answers = Counter(consents.values_list("status", flat=True))

    assert 1_100 < answers[ConsentStatus.GRANTED] < 1_300
    assert answers[ConsentStatus.WITHDRAWN] > 100
    assert not ConsentChange.objects.filter(wording="").exists()
    for consent in Consent.objects.order_by("?")[:50]:
        evidence = consent.customer.consent_changes.filter(channel=consent.channel, purpose=consent.purpose)
        assert evidence.latest("recorded_at").status == consent.status
        assert evidence.earliest("recorded_at").happened_at >= consent.customer.created_at


def test_some_addresses_are_closed_whoever_owns_them(shop):
    scopes = set(Suppression.objects.values_list("reason", flat=True))

    assert scopes >= {"dead", "complained", "staff", "opted_out"}


def test_one_signature_is_approved_and_one_is_pending(shop):
    assert sorted(Signature.objects.values_list("status", flat=True)) == ["approved", "pending"]


def test_every_starter_text_is_a_template_that_can_be_read(shop):
    assert Template.objects.count() == len(starter_texts.read_all()) >= 20


def test_the_campaign_that_is_over_went_through_the_engine_six_days_ago(finished):
    found = progress.progress(finished.message_ids, now=clock.now())
    message = Message.objects.get(pk=finished.message_ids[0])
    age = clock.shop_date(clock.now()) - clock.shop_date(finished.launched_at)

    assert found.total == people.HOW_MANY
    assert found.remaining == 0
    assert found.count("delivered") > 1_000
    assert {part.state for part in found.parts} == {"delivered", "sent", "undelivered", "failed", "skipped"}
    assert age == timedelta(days=6)
    assert message.deliveries.filter(sent_at__gte=clock.now() - timedelta(days=5)).count() == 0
    assert Receipt.objects.filter(problem="").exists() and not Receipt.objects.filter(applied_at=None).exists()
    assert RecentSends.objects.exclude(sends=[]).exists()


def test_its_people_were_left_out_for_many_reasons(finished):
    reasons = set(Delivery.objects.filter(status="skipped").values_list("reason", flat=True))

    assert reasons >= {"no_consent", "opted_out", "suppressed", "no_address", "duplicate_address"}


def test_every_reason_it_shows_has_words(finished):
    shown = set(Delivery.objects.exclude(reason="").values_list("reason", flat=True))

    assert "absent" in shown
    assert shown <= set(screening.LABELS)


def test_what_was_promised_before_it_started_is_what_was_sent(finished):
    handed_over = Delivery.objects.exclude(status="skipped").count()

    assert finished.estimate["will_send"] == handed_over


def test_a_greeting_waits_for_the_next_great_holiday(scheduled):
    assert scheduled.holiday in (
        "new_year",
        "spring_festival",
        "labor_day",
        "dragon_boat",
        "mid_autumn",
        "national_day",
    )
    assert scheduled.scheduled_for - clock.now() >= timedelta(days=13)
    assert scheduled.estimate["will_send"] > 0


def test_every_segment_has_people(shop):
    for segment in Segment.objects.all():
        assert segmentation.people(segment.conditions, now=clock.now()).exists(), segment.name


def test_the_clock_and_the_gateway_are_set_right_again(shop, settings):
    account = ProviderAccount.objects.get(channel="sms")

    assert ClockOffset.objects.get().offset == timedelta(0)
    assert (account.url, account.query_url) == (f"{GATEWAY}/send", f"{GATEWAY}/query")
    assert account.is_sandbox and not account.paused_for
    others = ProviderAccount.objects.exclude(channel="sms")
    assert {(other.channel, other.is_sandbox) for other in others} == {("email", True), ("inbox", True)}
    assert settings.PUBLIC_URL == "http://localhost:8000" and settings.GATEWAY_PRIVATE_HOSTS == []


def test_a_shop_that_exists_is_left_as_it_is(shop, settings):
    settings.EMBEDDED = True

    with pytest.raises(CommandError, match="There is a shop here already"):
        call_command("demo")

    assert Customer.objects.count() == people.HOW_MANY


@pytest.mark.django_db
def test_a_database_of_ones_own_is_refused(settings):
    settings.EMBEDDED = False

    with pytest.raises(CommandError, match="embedded database only"):
        call_command("demo")

    assert not Customer.objects.exists()


def test_the_same_people_come_every_time():
    assert people.everybody() == people.everybody()


@pytest.mark.parametrize("starter", starter_texts.read_all(), ids=lambda starter: starter.name)
def test_a_chinese_starter_text_fits_one_segment_and_says_nothing_that_is_forbidden(starter):
    values = {
        "name": "欧阳晓燕",
        "tier": "银卡会员",
        "city": "呼和浩特",
        "phone_tail": "8000",
    }
    opt_out = text.DEFAULT_OPT_OUT if starter.purpose.needs_consent else ""
    template = rendering.parse(starter.body)

    said = template.compose(values, signature="鸿雁花店", opt_out=opt_out)
    without_values = template.compose(
        dict.fromkeys(values, "") | {"phone_tail": "8000"}, signature="鸿雁花店", opt_out=opt_out
    )

    assert text.segments(said) <= (2 if "English" in starter.name else 1)
    assert text.notes(said) == []
    assert without_values
    assert not opt_out or text.has_opt_out_wording(said)


def test_family_names_come_with_their_licence():
    folder = people.FOLDER
    with (folder / "family_names.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 150

    assert "Apache License" in (folder / "LICENSE.family_names").read_text()
