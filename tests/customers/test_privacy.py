"""A customer asks to be erased."""

import pytest

from customers import clock
from customers.choices import (
    Channel,
    ConsentSource,
    ConsentStatus,
    ImportStatus,
    RowOutcome,
    SuppressionReason,
    SuppressionScope,
)
from customers.models import (
    Consent,
    ConsentChange,
    ContactPoint,
    Customer,
    CustomerTag,
    ImportedRow,
    SpreadsheetImport,
    Suppression,
    Tag,
)
from customers.services import consent, privacy
from tests import cast
from tests.customers import shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(db):
    return shop.staff("view_customer", "change_customer", "erase_customer", name="owner")


@pytest.fixture
def li_na(db):
    """Li Na with everything a shop can know."""
    person = cast.customer("李娜", phone="13812348000", email="li.na@example.com")
    now = clock.now()
    Customer.objects.filter(pk=person.pk).update(
        city="杭州市", note="喜欢绿茶", birth_year=1990, birth_month=5, birth_day=4, external_id="M1"
    )
    CustomerTag.objects.create(customer=person, tag=Tag.objects.create(name="老客"))
    by = shop.staff(name="clerk")
    wording = "登记表勾选"
    consent.grant(
        [person.pk],
        channels=[Channel.SMS],
        purposes=["marketing"],
        source=ConsentSource.STAFF,
        wording=wording,
        now=now,
        by=by,
    )
    file = SpreadsheetImport.objects.create(
        file_name="会员.xlsx", status=ImportStatus.DONE, created_at=now, finished_at=now
    )
    ImportedRow.objects.create(
        spreadsheet_import=file,
        number=2,
        outcome=RowOutcome.CREATED,
        customer=person,
        name="李娜",
        phone="13812348000",
        email="li.na@example.com",
        external_id="M1",
    )
    ImportedRow.objects.create(
        spreadsheet_import=file,
        number=3,
        outcome=RowOutcome.REJECTED,
        reason="x",
        name="李娜",
        email="li.na@example.com",
        problems=[{"cell": "13812348000"}],
    )
    return person


def test_nothing_personal_is_left_of_an_erased_customer(li_na, owner):
    privacy.erase(li_na.pk, by=owner, now=clock.now())

    li_na.refresh_from_db()
    assert (li_na.name, li_na.city, li_na.note, li_na.external_id, li_na.birth_month) == ("", "", "", "", None)
    assert li_na.erased_at is not None
    assert not ContactPoint.objects.exists()
    assert not CustomerTag.objects.exists()
    for row in ImportedRow.objects.all():
        assert (row.name, row.phone, row.email, row.external_id, row.problems) == ("", "", "", "", [])


def test_the_evidence_of_consent_outlives_the_customer(li_na, owner):
    privacy.erase(li_na.pk, by=owner, now=clock.now())

    evidence = ConsentChange.objects.filter(customer=li_na.pk)
    assert "登记表勾选" in set(evidence.values_list("wording", flat=True))
    assert evidence.latest("id").status == ConsentStatus.WITHDRAWN
    assert not Consent.objects.filter(status=ConsentStatus.GRANTED).exists()


def test_the_addresses_of_an_erased_customer_stay_closed(li_na, owner):
    privacy.erase(li_na.pk, by=owner, now=clock.now())

    closed = Suppression.objects.all()
    assert {(each.channel, each.address) for each in closed} == {
        ("sms", "13812348000"),
        ("email", "li.na@example.com"),
    }
    assert {(each.scope, each.reason) for each in closed} == {(SuppressionScope.MARKETING, SuppressionReason.ERASED)}


def test_a_number_that_was_closed_for_everything_stays_so(li_na, owner):
    Suppression.objects.create(
        channel=Channel.SMS, address="13812348000", scope=SuppressionScope.ALL, reason=SuppressionReason.COMPLAINED
    )

    privacy.erase(li_na.pk, by=owner, now=clock.now())

    assert Suppression.objects.get(channel=Channel.SMS).scope == SuppressionScope.ALL


def test_the_same_number_under_a_new_record_gains_no_consent_except_from_staff(li_na, owner):
    privacy.erase(li_na.pk, by=owner, now=clock.now())
    again = cast.customer("李娜", phone="13812348000")

    changed = consent.grant(
        [again.pk],
        channels=[Channel.SMS],
        purposes=["marketing"],
        source=ConsentSource.API,
        wording="",
        now=clock.now(),
    )

    assert changed == 0
    assert not Consent.objects.filter(customer=again).exists()


def test_nobody_is_erased_twice(li_na, owner):
    privacy.erase(li_na.pk, by=owner, now=clock.now())

    with pytest.raises(privacy.CannotErase):
        privacy.erase(li_na.pk, by=owner, now=clock.now())


def test_the_page_asks_with_numbers_and_erases_only_with_the_box_ticked(li_na, owner):
    browser = shop.browser(owner)
    page = shop.page_of(li_na).replace("change", "erase")

    asked = shop.sentences(browser.get(page))
    refused = shop.sentences(browser.post(page, {}))

    assert "2 addresses" in asked
    assert "the copies in 1 row of an imported file" in asked or "the copy in 1 row" in asked
    assert "Tick the box" in refused
    assert Customer.objects.present().exists()

    browser.post(page, {"is_certain": "on"})

    assert not Customer.objects.present().exists()


def test_an_erased_customer_is_gone_from_the_list_and_cannot_be_changed(li_na, owner):
    privacy.erase(li_na.pk, by=owner, now=clock.now())
    browser = shop.browser(owner)

    assert shop.names_in(browser.get(shop.LIST)) == []
    assert "personal data was erased" in shop.sentences(browser.get(shop.page_of(li_na)))
    assert browser.post(shop.page_of(li_na), {"name": "李娜"}).status_code == 403
    assert browser.get(shop.page_of(li_na).replace("change", "record_consent")).status_code == 403


def test_erasing_needs_its_permission(li_na):
    clerk = shop.browser(shop.staff(*shop.CLERK, name="someone"))

    assert clerk.post(shop.page_of(li_na).replace("change", "erase"), {"is_certain": "on"}).status_code == 403
    assert Customer.objects.present().exists()
