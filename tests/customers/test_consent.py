"""Consent: given in words, taken back everywhere, never brought back by anything but a person with evidence."""

import threading
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction
from django.urls import reverse

from customers.choices import Channel, ConsentSource, ConsentStatus, Purpose
from customers.models import Consent, ConsentChange, Suppression
from customers.services import consent, gate
from tests import cast, staff

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
PHONE = "13800000002"


@pytest.fixture
def clerk(db) -> User:
    """Somebody of the staff."""
    return User.objects.create_user("clerk")


def standing(customer, channel=Channel.SMS) -> dict[str, str]:
    """The customer's answers on a channel by purpose."""
    return dict(Consent.objects.filter(customer=customer, channel=channel).values_list("purpose", "status"))


def opt_out(customer) -> int:
    """The customer replies TD."""
    return consent.withdraw([customer.pk], channels=[Channel.SMS], source=ConsentSource.REPLY, wording="TD", now=NOW)


def test_a_customer_who_agrees_is_written_down_with_the_words(db):
    chen_jie = cast.chen_jie()

    changed = consent.grant(
        [chen_jie.pk],
        channels=[Channel.SMS],
        purposes=[Purpose.MARKETING],
        source=ConsentSource.API,
        wording="勾选了“接收优惠短信”",
        now=NOW,
    )

    assert changed == 1
    assert standing(chen_jie) == {"marketing": "granted"}
    evidence = ConsentChange.objects.get(customer=chen_jie)
    assert (evidence.status, evidence.source, evidence.wording) == ("granted", "api", "勾选了“接收优惠短信”")


def test_agreeing_twice_is_one_change(db):
    chen_jie = cast.chen_jie()
    asked = {"channels": [Channel.SMS], "purposes": [Purpose.CARE], "source": ConsentSource.API, "wording": "是"}

    assert consent.grant([chen_jie.pk], **asked, now=NOW) == 1
    assert consent.grant([chen_jie.pk], **asked, now=NOW) == 0
    assert ConsentChange.objects.count() == 1


def test_an_opt_out_closes_every_purpose_and_is_evidence(db):
    li_na = cast.li_na()

    assert opt_out(li_na) == 2

    assert standing(li_na) == {"care": "withdrawn", "marketing": "withdrawn"}
    assert ConsentChange.objects.filter(customer=li_na, status="withdrawn", wording="TD").count() == 2
    assert opt_out(li_na) == 0


def test_an_opt_out_reaches_every_record_with_the_same_number(db):
    li_na = cast.li_na()
    twin = cast.customer("李娜（店员代录）", phone="13800000001", consent=ConsentStatus.GRANTED)
    stranger = cast.customer("别人", phone="13800000009", consent=ConsentStatus.GRANTED)

    opt_out(li_na)

    assert set(standing(twin).values()) == {"withdrawn"}
    assert set(standing(stranger).values()) == {"granted"}


def test_a_customer_never_asked_can_opt_out(db):
    chen_jie = cast.chen_jie()

    opt_out(chen_jie)

    assert set(standing(chen_jie).values()) == {"withdrawn"}


def test_an_opt_out_on_sms_leaves_email_alone(db):
    both = cast.customer("两用", phone="13800000008", email="both@example.com", consent=ConsentStatus.GRANTED)

    opt_out(both)

    assert set(standing(both, Channel.EMAIL).values()) == {"granted"}


def test_an_opt_out_by_number_finds_its_owner(db):
    li_na = cast.li_na()

    consent.withdraw_everywhere("13800000001", channel=Channel.SMS, source=ConsentSource.REPLY, now=NOW)

    assert set(standing(li_na).values()) == {"withdrawn"}
    assert not Suppression.objects.exists()


def test_an_opt_out_from_an_unknown_number_closes_the_number(db):
    consent.withdraw_everywhere("13900009999", channel=Channel.SMS, source=ConsentSource.REPLY, now=NOW)

    closed = Suppression.objects.get()
    assert (closed.address, closed.scope, closed.reason) == ("13900009999", "marketing", "opted_out")


@pytest.mark.parametrize("source", [ConsentSource.API, ConsentSource.PROVIDER, ConsentSource.REPLY])
def test_no_system_revives_an_opt_out(db, source):
    wang_wei = cast.wang_wei()

    changed = consent.grant(
        [wang_wei.pk], channels=["sms"], purposes=["care", "marketing"], source=source, wording="是", now=NOW
    )

    assert changed == 0
    assert set(standing(wang_wei).values()) == {"withdrawn"}


def test_no_system_grants_what_a_record_with_the_same_number_refused(db):
    cast.wang_wei()
    twin = cast.customer("王先生", phone=PHONE)

    changed = consent.grant(
        [twin.pk], channels=["sms"], purposes=["marketing"], source=ConsentSource.API, wording="是", now=NOW
    )

    assert changed == 0


def test_staff_record_that_a_customer_agreed_again(db, clerk):
    wang_wei = cast.wang_wei()

    consent.grant(
        [wang_wei.pk],
        channels=["sms"],
        purposes=["marketing"],
        source=ConsentSource.STAFF,
        wording="到店签字：重新同意接收短信",
        by=clerk,
        now=NOW,
    )

    assert standing(wang_wei) == {"marketing": "granted", "care": "withdrawn"}
    assert ConsentChange.objects.get(customer=wang_wei).actor == clerk


def test_staff_without_words_record_nothing(db, clerk):
    wang_wei = cast.wang_wei()

    with pytest.raises(consent.CannotGrant):
        consent.grant(
            [wang_wei.pk],
            channels=["sms"],
            purposes=["marketing"],
            source=ConsentSource.STAFF,
            wording="  ",
            by=clerk,
            now=NOW,
        )


@pytest.mark.parametrize("source", [ConsentSource.IMPORT, ConsentSource.DECLARATION])
def test_a_file_has_no_way_in_but_its_import(db, source):
    with pytest.raises(consent.CannotGrant):
        consent.grant([1], channels=["sms"], purposes=["marketing"], source=source, wording="是", now=NOW)


def test_consent_is_not_kept_for_transaction_notices(db):
    with pytest.raises(ValueError, match="transactional"):
        consent.withdraw([1], channels=["sms"], purposes=["transactional"], source=ConsentSource.REPLY, now=NOW)


def test_evidence_is_neither_changed_nor_deleted(db):
    opt_out(cast.li_na())

    with pytest.raises(DatabaseError), transaction.atomic():
        ConsentChange.objects.update(status="granted")
    with pytest.raises(DatabaseError), transaction.atomic():
        ConsentChange.objects.all().delete()


def test_an_opt_out_waits_for_messages_that_are_being_handed_over(transactional_db):
    li_na = cast.li_na()
    handing_over, withdrawn = threading.Event(), threading.Event()

    def reply_td():
        handing_over.wait(10)
        opt_out(li_na)
        withdrawn.set()
        connection.close()

    customer_replies = threading.Thread(target=reply_td)
    customer_replies.start()
    with transaction.atomic():
        gate.hold_open()
        handing_over.set()
        assert not withdrawn.wait(0.3)
    customer_replies.join(10)

    assert withdrawn.is_set()


def test_closing_an_address_by_hand_waits_for_messages_that_are_being_handed_over(transactional_db):
    client = staff.signed_in("owner")
    values = {"channel": "sms", "address": "13800138000", "scope": "all", "note": ""}
    closed = threading.Event()

    def close_by_hand():
        client.post(reverse("admin:customers_suppression_add"), values)
        closed.set()
        connection.close()

    closing = threading.Thread(target=close_by_hand)
    with transaction.atomic():
        gate.hold_open()
        closing.start()
        assert not closed.wait(2)
        assert not Suppression.objects.exists()
    closing.join(10)

    assert closed.is_set()
    assert Suppression.objects.get().address == "13800138000"
