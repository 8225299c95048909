"""Conditions as data: whom they find, what they refuse, and how they read."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from campaigns import segmentation
from campaigns.models import Campaign, Segment, Variant
from customers.models import Consent, ContactPoint, Customer, CustomerTag, ImportedRow, SpreadsheetImport, Tag, Tier
from notifications.models import Delivery, Message, RecentSends, Signature, Template

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


@pytest.fixture
def tags():
    return {name: Tag.objects.create(name=name) for name in ("VIP", "Tea")}


@pytest.fixture
def tiers():
    return {name: Tier.objects.create(name=name, rank=rank) for rank, name in enumerate(["Silver", "Gold", "Black"])}


@pytest.fixture
def shop(tags, tiers):
    """Li Na loves tea and is Gold, Wang Wei is Silver, Zhang Min has nothing, Erased is gone."""
    li_na = _customer("Li Na", city="杭州", gender="female", tier=tiers["Gold"], birthday=(11, 25))
    wang_wei = _customer("Wang Wei", city="上海", gender="male", tier=tiers["Silver"], birthday=(2, 29))
    zhang_min = _customer("Zhang Min", city="杭州")
    erased = _customer("Erased", city="杭州", tier=tiers["Gold"])
    Customer.objects.filter(pk=erased.pk).update(erased_at=NOW)
    for customer, names in [(li_na, ["VIP", "Tea"]), (wang_wei, ["VIP"]), (erased, ["VIP"])]:
        for name in names:
            CustomerTag.objects.create(customer=customer, tag=tags[name])
    Consent.objects.create(customer=li_na, channel="sms", purpose="marketing", status="granted", changed_at=NOW)
    Consent.objects.create(customer=wang_wei, channel="sms", purpose="marketing", status="withdrawn", changed_at=NOW)
    ContactPoint.objects.create(customer=li_na, channel="sms", address="13800138000")
    ContactPoint.objects.create(customer=zhang_min, channel="email", address="zm@example.com")
    RecentSends.objects.create(subject=li_na.pk, sends=[_slot(60), _slot(5)])
    RecentSends.objects.create(subject=wang_wei.pk, sends=[_slot(40)])
    return {"Li Na": li_na, "Wang Wei": wang_wei, "Zhang Min": zhang_min}


@pytest.fixture
def sent_campaign(shop, django_user_model):
    """A campaign that reached Li Na and was refused for Wang Wei."""
    signature = Signature.objects.create(name="鸿雁小店")
    template = Template.objects.create(name="Greeting", signature=signature, body="Hello")
    message = Message.objects.create(
        template=template,
        name="Greeting",
        channel="sms",
        purpose="marketing",
        body="Hello",
        opt_out_wording="拒收请回复R",
        send_after=NOW,
        send_until=NOW + timedelta(hours=1),
        created_at=NOW,
    )
    campaign = Campaign.objects.create(
        name="Autumn",
        segment=Segment.objects.create(name="All"),
        status="finished",
        scheduled_for=NOW,
        launched_at=NOW,
    )
    Variant.objects.create(campaign=campaign, template=template, message=message)
    common = {"message": message, "occasion": "campaign-1:2026-11-23", "created_at": NOW}
    Delivery.objects.create(
        customer=shop["Li Na"], address="13800138000", status="delivered", sent_at=NOW, finished_at=NOW, **common
    )
    Delivery.objects.create(
        customer=shop["Wang Wei"], address="13800138001", status="failed", reason="refused_number", **common
    )
    return campaign


def _customer(name, *, birthday=(None, None), **columns):
    return Customer.objects.create(name=name, birth_month=birthday[0], birth_day=birthday[1], **columns)


def _slot(days_ago):
    return int((NOW - timedelta(days_ago)).timestamp() * 1000) << 8 | 1 << 4 | 4


def _ask(field, operator, value=None):
    return {"field": field, "operator": operator, "value": value}


def _names(*groups, now=NOW):
    return sorted(customer.name for customer in segmentation.people(list(groups), now=now))


def test_no_condition_means_everyone_who_was_not_erased(shop):
    assert _names() == ["Li Na", "Wang Wei", "Zhang Min"]


def test_tags_are_asked_for_any_all_and_none(shop, tags):
    both = [tags["VIP"].pk, tags["Tea"].pk]

    assert _names([_ask("tag", "any", both)]) == ["Li Na", "Wang Wei"]
    assert _names([_ask("tag", "all", both)]) == ["Li Na"]
    assert _names([_ask("tag", "none", both)]) == ["Zhang Min"]


def test_tiers_are_compared_by_rank(shop, tiers):
    gold = tiers["Gold"].pk

    assert _names([_ask("tier", "any", [gold])]) == ["Li Na"]
    assert _names([_ask("tier", "none", [gold])]) == ["Wang Wei", "Zhang Min"]
    assert _names([_ask("tier", "at_least", tiers["Silver"].pk)]) == ["Li Na", "Wang Wei"]
    assert _names([_ask("tier", "below", gold)]) == ["Wang Wei", "Zhang Min"]
    assert _names([_ask("tier", "unset")]) == ["Zhang Min"]


def test_names_and_places_are_matched_as_typed(shop):
    assert _names([_ask("name", "starts_with", "Li")]) == ["Li Na"]
    assert _names([_ask("name", "starts_with", "%")]) == []
    assert _names([_ask("name", "not_starts_with", "Li")]) == ["Wang Wei", "Zhang Min"]
    assert _names([_ask("city", "any", "杭州，上海")]) == ["Li Na", "Wang Wei", "Zhang Min"]
    assert _names([_ask("city", "none", ["杭州"])]) == ["Wang Wei"]
    assert _names([_ask("gender", "any", ["unknown"])]) == ["Zhang Min"]


def test_birthdays_are_found_by_month_and_ahead(shop):
    assert _names([_ask("birthday", "month", [11])]) == ["Li Na"]
    assert _names([_ask("birthday", "within_days", 2)]) == ["Li Na"]
    assert _names([_ask("birthday", "within_days", 1)]) == []
    assert _names([_ask("birthday", "unknown")]) == ["Zhang Min"]


def test_a_birthday_on_29_february_is_kept_on_the_28th_in_a_common_year(shop):
    late_february = datetime(2027, 2, 25, 4, 0, tzinfo=UTC)

    assert _names([_ask("birthday", "within_days", 3)], now=late_february) == ["Wang Wei"]
    assert _names([_ask("birthday", "within_days", 2)], now=late_february) == []


def test_today_is_the_shops_day_and_not_the_servers(shop):
    still_the_24th_in_utc = datetime(2026, 11, 24, 16, 30, tzinfo=UTC)

    assert _names([_ask("birthday", "within_days", 0)], now=still_the_24th_in_utc) == ["Li Na"]


def test_consent_is_granted_withdrawn_or_was_never_asked_for(shop):
    permission = "sms:marketing"

    assert _names([_ask("consent", "granted", permission)]) == ["Li Na"]
    assert _names([_ask("consent", "withdrawn", permission)]) == ["Wang Wei"]
    assert _names([_ask("consent", "never", permission)]) == ["Zhang Min"]


def test_people_are_found_by_the_channels_they_can_be_reached_on(shop):
    assert _names([_ask("address", "has", "sms")]) == ["Li Na"]
    assert _names([_ask("address", "has_not", "sms")]) == ["Wang Wei", "Zhang Min"]


def test_the_last_contact_is_remembered(shop):
    assert _names([_ask("contacted", "within_days", 7)]) == ["Li Na"]
    assert _names([_ask("contacted", "not_for_days", 30)]) == ["Wang Wei", "Zhang Min"]
    assert _names([_ask("contacted", "never")]) == ["Zhang Min"]


def test_people_are_found_by_what_became_of_an_earlier_campaign(shop, sent_campaign):
    assert _names([_ask("campaign", "got", sent_campaign.pk)]) == ["Li Na"]
    assert _names([_ask("campaign", "delivered", sent_campaign.pk)]) == ["Li Na"]
    assert _names([_ask("campaign", "failed", sent_campaign.pk)]) == ["Wang Wei"]
    assert _names([_ask("campaign", "not_got", sent_campaign.pk)]) == ["Wang Wei", "Zhang Min"]


def test_people_are_found_by_the_file_they_came_in(shop):
    uploaded = SpreadsheetImport.objects.create(file_name="members.xlsx", created_at=NOW)
    ImportedRow.objects.create(
        spreadsheet_import=uploaded, number=2, outcome="created", customer_id=shop["Zhang Min"].pk
    )

    assert _names([_ask("import", "in", uploaded.pk)]) == ["Zhang Min"]
    assert _names([_ask("import", "not_in", uploaded.pk)]) == ["Li Na", "Wang Wei"]


def test_new_customers_are_told_from_old_ones(shop):
    Customer.objects.filter(pk=shop["Li Na"].pk).update(created_at=NOW - timedelta(3))
    Customer.objects.exclude(pk=shop["Li Na"].pk).update(created_at=NOW - timedelta(300))

    assert _names([_ask("created", "within_days", 30)]) == ["Li Na"]
    assert _names([_ask("created", "before_days", 30)]) == ["Wang Wei", "Zhang Min"]


def test_all_groups_must_hold_and_one_condition_of_each(shop, tags, tiers):
    loves_tea_or_lives_in_shanghai = [_ask("tag", "any", [tags["Tea"].pk]), _ask("city", "any", ["上海"])]
    contacted_or_silver = [_ask("contacted", "within_days", 7), _ask("tier", "any", [tiers["Silver"].pk])]
    not_gold = [_ask("tier", "none", [tiers["Gold"].pk])]

    assert _names(loves_tea_or_lives_in_shanghai) == ["Li Na", "Wang Wei"]
    assert _names(loves_tea_or_lives_in_shanghai, contacted_or_silver) == ["Li Na", "Wang Wei"]
    assert _names(loves_tea_or_lives_in_shanghai, not_gold) == ["Wang Wei"]


def test_a_group_may_join_a_question_and_the_opposite_of_another(shop, tags):
    group = [_ask("tag", "none", [tags["VIP"].pk]), _ask("tier", "unset"), _ask("consent", "granted", "sms:marketing")]

    assert _names(group) == ["Li Na", "Zhang Min"]


def test_a_segment_is_one_query(shop, tags):
    groups = [[_ask("city", "any", ["杭州"]), _ask("contacted", "never")], [_ask("address", "has", "sms")]]
    people = segmentation.people(groups, now=NOW)

    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert [customer.name for customer in people] == ["Li Na"]

    assert len(queries) == 1


@pytest.mark.parametrize(
    ("conditions", "sentence"),
    [
        ("everyone", "cannot be read"),
        ([{"field": "tag"}], "cannot be read"),
        ([["tag"]], "cannot be read"),
        ([[_ask("password", "any", "x")]], "asks something unknown"),
        ([[_ask(["tag"], "any", "x")]], "asks something unknown"),
        ([[_ask("tag__name", "any", "x")]], "asks something unknown"),
        ([[_ask("name", "regex", "(a+)+")]], "compares in an unknown way"),
        ([[_ask("name", "starts_with", " ")]], "Enter a text"),
        ([[_ask("name", "starts_with", "x" * 10_000)]], "longer than 60 characters"),
        ([[_ask("name", "starts_with", "a\x00b")]], "cannot be searched for"),
        ([[_ask("name", "starts_with", {"$ne": ""})]], "Enter a text"),
        ([[_ask("tag", "any", [999_999])]], "no longer exists"),
        ([[_ask("tag", "any", [])]], "Choose at least one value"),
        ([[_ask("tag", "any", ["1 OR 1=1"])]], "no longer exists"),
        ([[_ask("tier", "at_least", "")]], "Choose a value"),
        ([[_ask("contacted", "within_days", "-1")]], "whole number from 1 to 3650"),
        ([[_ask("contacted", "within_days", "3651")]], "must be from 1 to 3650"),
        ([[_ask("contacted", "within_days", True)]], "whole number"),
        ([[_ask("contacted", "within_days", "9" * 500)]], "whole number"),
        ([[_ask("consent", "granted", "sms:transactional")]], "no longer exists"),
        ([[]] * 21, "20 groups"),
        ([[_ask("tier", "unset")] * 21], "20 groups of 20 conditions"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_sentence(conditions, sentence):
    with pytest.raises(segmentation.BadConditions, match=sentence):
        segmentation.people(conditions, now=NOW)


def test_a_value_of_an_attacker_is_a_value_and_nothing_else(shop):
    assert _names([_ask("city", "any", ["'; DROP TABLE customers_customer; --"])]) == []
    assert Customer.objects.exists()


def test_conditions_are_stored_as_they_were_understood(tags):
    raw = [[_ask("tag", "any", [str(tags["VIP"].pk)])], [], [_ask("city", "any", "杭州、 上海,杭州")]]

    assert segmentation.stored(raw) == [
        [_ask("tag", "any", [tags["VIP"].pk])],
        [_ask("city", "any", ["杭州", "上海"])],
    ]


def test_a_segment_reads_as_a_sentence(tags, tiers):
    groups = [
        [_ask("tag", "any", [tags["VIP"].pk, tags["Tea"].pk]), _ask("tier", "at_least", tiers["Gold"].pk)],
        [_ask("contacted", "not_for_days", 30)],
    ]

    assert segmentation.as_sentence(groups) == (
        "(has any of the tags VIP, Tea or is in tier Gold or higher) and was not contacted for 30 days"
    )
    assert segmentation.as_sentence([]) == "Every customer"


def test_every_operator_has_words_in_its_menu_and_its_sentence():
    for field in segmentation.FIELDS.values():
        for operator in field.operators.values():
            assert str(operator.label)
            assert ("%(value)s" in str(operator.sentence)) == (operator.value.kind != "nothing")


def test_the_count_is_exact_while_it_is_quick(shop):
    assert segmentation.count(segmentation.people([], now=NOW)) == segmentation.Count(3, is_exact=True)


def test_a_slow_count_becomes_an_estimate_that_says_so(shop):
    people = segmentation.people([], now=NOW).extra(where=["(SELECT true FROM pg_sleep(0.05))"])

    counted = segmentation.count(people, patience=10)

    assert not counted.is_exact
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone()[0] == "0"
