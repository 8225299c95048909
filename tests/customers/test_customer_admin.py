"""The customer's page: facts, masked addresses, consents with evidence, stale tabs."""

import pytest
from django.contrib.admin.models import LogEntry
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse

from customers import clock
from customers.choices import Channel, ConsentSource, ConsentStatus, SuppressionReason, SuppressionScope
from customers.models import Consent, ConsentChange, ContactPoint, Customer, Suppression, Tag, Tier
from customers.services import consent
from tests import cast
from tests.customers import shop

pytestmark = pytest.mark.django_db
NEW = {"name": "孙丽", "phone": "139 1234 5678", "email": "Sun.Li@Example.com", "gender": "female"}
ADD = shop.LIST + "add/"


@pytest.fixture
def clerk(db):
    return shop.browser(shop.staff(*shop.CLERK))


@pytest.fixture
def owner(db):
    return shop.browser(shop.staff(*shop.CLERK, "view_full_address", "erase_customer", name="owner"))


def addresses(person) -> dict[str, str]:
    return dict(person.contact_points.values_list("channel", "address"))


# Addresses are masked ------------------------------------------------------------------------


def test_the_list_and_the_page_show_masked_addresses_even_to_those_who_may_see_them_whole(clerk, owner):
    person = cast.customer("李娜", phone="13812348000", email="li.na@example.com")

    for reader in (clerk, owner):
        for page in (shop.LIST, shop.page_of(person)):
            content = reader.get(page).content.decode()
            assert "138****8000" in content
            assert "13812348000" not in content
            assert "li.na@example.com" not in content


def test_looking_at_a_whole_number_needs_permission_and_is_written_down_without_it(clerk, owner):
    person = cast.customer("李娜", phone="13812348000")
    reveal = reverse("admin:customers_customer_reveal", args=[person.pk])
    point = {"point": person.contact_points.get().pk}

    refused = clerk.post(reveal, point)
    shown = owner.post(reveal, point)

    assert refused.status_code == 403
    assert "13812348000" in shown.content.decode()
    assert "no-store" in shown["Cache-Control"]
    entry = LogEntry.objects.get()
    assert (entry.user.username, entry.object_id) == ("owner", str(person.pk))
    assert "13812348000" not in entry.change_message + entry.object_repr
    assert "李娜" not in entry.change_message + entry.object_repr


def test_a_number_is_not_shown_by_a_mere_link_nor_under_another_customers_name(owner):
    person, other = cast.li_na(), cast.chen_jie()
    reveal = reverse("admin:customers_customer_reveal", args=[other.pk])

    assert owner.get(reveal).status_code == 405
    for point in (person.contact_points.get().pk, "", "x", "9" * 30):
        assert owner.post(reveal, {"point": point}).status_code == 404
    assert not LogEntry.objects.exists()


def test_a_name_that_is_html_or_a_template_is_shown_as_it_is_written(clerk):
    person = cast.customer("<script>alert(1)</script>{{7*7}}", phone="13812348000")

    for page in (shop.LIST, shop.page_of(person), shop.page_of(person).replace("change", "record_consent")):
        content = clerk.get(page).content.decode()
        assert "<script>alert(1)" not in content
        assert "{{7*7}}" in content


# Adding and changing -------------------------------------------------------------------------


def test_a_customer_is_added_with_addresses_tags_tier_and_birthday(clerk):
    tag, tier = Tag.objects.create(name="老客"), Tier.objects.create(name="金卡")

    clerk.post(ADD, NEW | {"carried_tags": [tag.pk], "tier": tier.pk, "birth_month": 2, "birth_day": 29})

    person = Customer.objects.get()
    assert addresses(person) == {"sms": "13912345678", "email": "sun.li@example.com"}
    assert list(person.tags.all()) == [tag]
    assert (person.tier, person.birth_year, person.birth_month, person.birth_day) == (tier, None, 2, 29)
    assert not Consent.objects.exists()


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"phone": "1380013800"}, "Not eleven digits long. Compare with the original and correct the number."),
        ({"phone": "1.38E+10"}, "Digits were lost to scientific notation"),
        ({"phone": "138****8000"}, "The number is hidden by asterisks"),
        ({"email": "sun.li@"}, "This is no e-mail address. Write it like name@example.com"),
        ({"birth_month": "2", "birth_day": "30"}, "This day does not exist"),
        ({"birth_month": "", "birth_day": "3"}, "Enter month and day of the birthday, or leave all of it empty."),
        ({"birth_year": "1850", "birth_month": "3", "birth_day": "3"}, "Enter a year from"),
        ({"birth_year": "1990", "birth_month": "", "birth_day": ""}, "Enter month and day of the birthday"),
        ({"name": "", "phone": "", "email": ""}, "Enter at least a name"),
        ({"name": "孙\x00丽"}, "Null characters are not allowed"),
        ({"name": "孙" * 61}, "at most 60"),
        ({"tier": "77"}, "not one of the available choices"),
    ],
)
def test_what_cannot_be_saved_is_told_with_a_remedy_and_nothing_is_stored(clerk, typed, sentence):
    response = clerk.post(ADD, NEW | typed)

    assert sentence in shop.sentences(response)
    assert not Customer.objects.exists()
    assert not ContactPoint.objects.exists()


def test_a_number_that_another_customer_has_is_refused_with_the_way_to_that_customer(clerk):
    person = cast.customer("李娜", phone="13912345678")

    response = clerk.post(ADD, NEW)

    assert f"Customer {person.pk} already has this address" in shop.sentences(response)
    assert Customer.objects.count() == 1


def test_an_untouched_form_keeps_the_addresses_it_does_not_show(clerk):
    person = cast.customer("李娜", phone="13812348000", email="li.na@example.com")

    clerk.post(shop.page_of(person), shop.form_of(clerk.get(shop.page_of(person))) | {"city": "杭州市"})

    person.refresh_from_db()
    assert person.city == "杭州市"
    assert addresses(person) == {"sms": "13812348000", "email": "li.na@example.com"}


def test_a_new_number_takes_the_place_of_the_old_and_consent_stays_with_the_person(clerk):
    person = cast.li_na()

    clerk.post(shop.page_of(person), shop.form_of(clerk.get(shop.page_of(person))) | {"phone": "13911112222"})

    assert addresses(person) == {"sms": "13911112222"}
    assert set(person.consents.values_list("status", flat=True)) == {ConsentStatus.GRANTED}


def test_an_address_is_removed_by_its_box_and_not_by_an_empty_field(clerk):
    person = cast.customer("李娜", phone="13812348000", email="li.na@example.com")

    clerk.post(shop.page_of(person), shop.form_of(clerk.get(shop.page_of(person))) | {"remove_email": "on"})

    assert addresses(person) == {"sms": "13812348000"}


def test_a_stale_tab_overwrites_nothing_and_is_told_so(clerk):
    person = cast.customer("李娜", phone="13812348000")
    stale = shop.form_of(clerk.get(shop.page_of(person)))
    clerk.post(shop.page_of(person), stale | {"city": "杭州市"})

    response = clerk.post(shop.page_of(person), stale | {"city": "上海市", "phone": "13911112222"})

    person.refresh_from_db()
    assert "was changed while your page was open" in shop.sentences(response)
    assert person.city == "杭州市"
    assert addresses(person) == {"sms": "13812348000"}


@pytest.mark.parametrize("token", ["", "yesterday", "2020-01-01"])
def test_a_page_without_its_token_overwrites_nothing(clerk, token):
    person = cast.li_na()

    clerk.post(shop.page_of(person), {"name": "王五", "seen": token})

    person.refresh_from_db()
    assert person.name == "李娜"


def test_fields_that_are_not_on_the_page_cannot_be_set_by_adding_them_to_the_request(clerk):
    person = cast.li_na()
    form = shop.form_of(clerk.get(shop.page_of(person)))

    clerk.post(shop.page_of(person), form | {"erased_at_0": "2026-01-01", "erased_at": "2026-01-01", "id": "77"})

    person.refresh_from_db()
    assert person.erased_at is None


def test_the_history_of_changes_names_no_customer(clerk):
    clerk.post(ADD, NEW)
    person = Customer.objects.get()
    clerk.post(shop.page_of(person), shop.form_of(clerk.get(shop.page_of(person))) | {"city": "杭州市"})

    texts = " ".join(f"{entry.object_repr} {entry.change_message}" for entry in LogEntry.objects.all())
    assert LogEntry.objects.count() == 2
    for secret in ("孙丽", "13912345678", "sun.li@example.com"):
        assert secret not in texts


def test_who_may_only_look_sees_the_page_and_can_change_nothing():
    reader = shop.browser(shop.staff("view_customer"))
    person = cast.li_na()

    page = reader.get(shop.page_of(person))

    assert page.status_code == 200
    assert "138****0001" in page.content.decode()
    assert reader.post(shop.page_of(person), {"name": "王五"}).status_code == 403
    for small_page in ("record_consent", "record_opt_out", "erase"):
        assert reader.post(shop.page_of(person).replace("change", small_page)).status_code == 403


def test_customers_are_never_deleted(owner):
    person = cast.li_na()
    boss = shop.browser(shop.staff("view_customer", "delete_customer", "change_customer", name="boss"))

    assert boss.post(f"{shop.LIST}{person.pk}/delete/", {"post": "yes"}).status_code == 403
    assert boss.post(shop.LIST, {"action": "delete_selected", "_selected_action": person.pk}).status_code in (200, 302)
    assert Customer.objects.filter(pk=person.pk).exists()


def test_changes_need_the_token_against_forged_requests():
    person = cast.li_na()
    forger = Client(enforce_csrf_checks=True)
    forger.force_login(
        shop.staff(*shop.CLERK, "view_full_address", "erase_customer"),
        backend="django.contrib.auth.backends.ModelBackend",
    )

    for page in ("change", "record_consent", "record_opt_out", "erase", "reveal"):
        assert forger.post(f"{shop.LIST}{person.pk}/{page}/", {}).status_code == 403


# Consent -------------------------------------------------------------------------------------


def test_consent_is_recorded_with_who_when_and_in_what_words(clerk):
    person = cast.chen_jie()
    answer = {"channels": ["sms"], "purposes": ["marketing"], "happened_on": "2026-01-05", "wording": "店内登记表勾选"}

    clerk.post(shop.page_of(person).replace("change", "record_consent"), answer)

    evidence = ConsentChange.objects.get(customer=person)
    assert evidence.status == ConsentStatus.GRANTED
    assert (evidence.source, evidence.wording) == (ConsentSource.STAFF, "店内登记表勾选")
    assert evidence.actor.username == "clerk"
    assert evidence.happened_at.astimezone(clock.shop_zone()).isoformat()[:10] == "2026-01-05"
    page = shop.sentences(clerk.get(shop.page_of(person)))
    for shown in ("店内登记表勾选", "recorded by clerk", "Entered by staff"):
        assert shown in page


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        ({"wording": " "}, "without evidence the consent does not count"),
        ({"channels": []}, "Choose at least one channel."),
        ({"purposes": ["transactional"]}, "not one of the available choices"),
        ({"happened_on": "2999-01-01"}, "This day is in the future"),
    ],
)
def test_consent_without_its_evidence_is_refused(clerk, mistake, sentence):
    person = cast.chen_jie()
    answer = {"channels": ["sms"], "purposes": ["marketing"], "happened_on": "2026-01-05", "wording": "登记表"}

    response = clerk.post(shop.page_of(person).replace("change", "record_consent"), answer | mistake)

    assert sentence in shop.sentences(response)
    assert not Consent.objects.exists()


def test_an_opt_out_is_taken_without_a_reason(clerk):
    person = cast.li_na()
    answer = {"channels": ["sms"], "purposes": ["care", "marketing"], "happened_on": "2026-01-05", "wording": ""}

    clerk.post(shop.page_of(person).replace("change", "record_opt_out"), answer)

    assert set(person.consents.filter(channel=Channel.SMS).values_list("status", flat=True)) == {"withdrawn"}
    assert ConsentChange.objects.filter(customer=person, status=ConsentStatus.WITHDRAWN).count() == 2


def test_new_consent_of_a_closed_number_is_recorded_and_the_number_stays_closed(clerk):
    person = cast.wang_wei()
    Suppression.objects.create(
        channel=Channel.SMS,
        address="13800000002",
        scope=SuppressionScope.MARKETING,
        reason=SuppressionReason.OPTED_OUT,
    )
    answer = {"channels": ["sms"], "purposes": ["marketing"], "happened_on": "2026-01-05", "wording": "登记表"}

    response = clerk.post(shop.page_of(person).replace("change", "record_consent"), answer, follow=True)

    assert "on the “Do not contact” list and stays closed" in shop.sentences(response)
    assert Suppression.objects.count() == 1


def test_the_page_shows_that_and_why_an_address_is_closed(clerk):
    person = cast.wang_wei()
    Suppression.objects.create(
        channel=Channel.SMS, address="13800000002", scope=SuppressionScope.ALL, reason=SuppressionReason.COMPLAINED
    )

    page = shop.sentences(clerk.get(shop.page_of(person)))

    assert "Complained" in page
    assert "Closed for: Every message" in page


def test_evidence_can_be_changed_and_deleted_by_nobody():
    person = cast.chen_jie()
    consent.withdraw([person.pk], channels=[Channel.SMS], source=ConsentSource.REPLY, wording="TD", now=clock.now())
    evidence = ConsentChange.objects.first()
    boss = shop.browser(
        shop.staff("view_consentchange", "change_consentchange", "delete_consentchange", "add_consentchange")
    )
    page = f"/admin/customers/consentchange/{evidence.pk}/"

    assert boss.get("/admin/customers/consentchange/").status_code == 200
    assert boss.get(page + "change/").status_code == 200
    assert boss.post(page + "change/", {"wording": "好的"}).status_code == 403
    assert boss.post(page + "delete/", {"post": "yes"}).status_code == 403
    assert boss.get("/admin/customers/consentchange/add/").status_code == 403
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE customers_consentchange SET wording = '好的'")


# Tags, closed addresses ------------------------------------------------------------------------


def test_an_address_is_closed_by_hand_in_any_way_of_writing_and_found_again():
    keeper = shop.browser(shop.staff("view_suppression", "add_suppression", name="keeper"))
    add = "/admin/customers/suppression/add/"
    closing = {"channel": "sms", "address": "+86 138-0013-8000", "scope": "marketing", "note": "打来电话"}

    keeper.post(add, closing)
    again = keeper.post(add, closing)

    closed = Suppression.objects.get()
    assert (closed.address, closed.reason, closed.actor.username) == ("13800138000", "staff", "keeper")
    assert "closed already" in shop.sentences(again)
    found = keeper.get("/admin/customers/suppression/", {"q": "138 0013 8000"})
    assert found.context["cl"].result_list == [closed]
    assert "13800138000" not in found.content.decode()


def test_what_is_no_address_is_not_closed():
    keeper = shop.browser(shop.staff("view_suppression", "add_suppression", name="keeper"))

    response = keeper.post(
        "/admin/customers/suppression/add/", {"channel": "sms", "address": "138001", "scope": "all", "note": ""}
    )

    assert "Compare with the original" in shop.sentences(response)
    assert not Suppression.objects.exists()


def test_deleting_a_tag_asks_with_the_number_of_its_customers_and_lists_none():
    keeper = shop.browser(shop.staff("view_tag", "delete_tag", "view_customer", name="keeper"))
    tag = Tag.objects.create(name="老客")
    for person in (cast.li_na(), cast.wang_wei()):
        person.customertag_set.create(tag=tag)
    page = f"/admin/customers/tag/{tag.pk}/delete/"

    asked = shop.sentences(keeper.get(page))
    keeper.post(page, {"post": "yes"})

    assert "老客 (2 customers lose it)" in asked
    assert "李娜" not in asked
    assert not Tag.objects.exists()
    assert Customer.objects.count() == 2


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize(
    "page", ["customer", "customer/add", "suppression", "suppression/add", "tag", "tier", "consentchange"]
)
def test_every_page_opens_in_both_languages(page, language):
    boss = shop.staff(name="boss")
    boss.is_superuser = True
    boss.save()
    cast.li_na()

    assert shop.browser(boss, language).get(f"/admin/customers/{page}/").status_code == 200
