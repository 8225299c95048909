"""Sending over Aliyun and Tencent Cloud: registered texts with parameters, composed there as staff saw them here."""

from collections import Counter

import pytest
import registered

from customers import clock
from customers.models import Consent, Customer
from notifications import secrets
from notifications.choices import GatewayKind
from notifications.models import Delivery, Message, ProviderAccount, RegisteredText
from notifications.services import deliveries, registrations
from tests import cast
from tests.gateways import tencent
from tests.gateways.aliyun import Aliyun
from tests.notifications.test_sending import freeze, send, states

pytestmark = pytest.mark.django_db(transaction=True)

BODY = '亲爱的{{ name or "顾客" }}，新年快乐！您的等级是{{ tier or "普通会员" }}。'


@pytest.fixture
def aliyun(tmp_path, settings):
    with Aliyun(tmp_path / "aliyun") as service:
        settings.GATEWAY_PRIVATE_HOSTS = [service.host]
        yield service


@pytest.fixture
def tencent_cloud(tmp_path, settings):
    with tencent.Tencent(tmp_path / "tencent") as service:
        service.script.review = 0
        service.script.signatures = {"鸿雁花店": [0, ""]}
        settings.GATEWAY_PRIVATE_HOSTS = [service.host]
        yield service


def account_at_tencent(service) -> ProviderAccount:
    return ProviderAccount.objects.create(
        name="腾讯云",
        gateway=GatewayKind.TENCENT_SMS,
        url=service.url,
        key_id=tencent.KEY_ID,
        app_id=tencent.APP_ID,
        encrypted_secret=secrets.encrypt(tencent.SECRET),
        callback_token="token-tencent",
        batch_size=200,
        is_sandbox=True,
    )


def approved(template, account):
    row = registrations.hand_in(template, account, by=None, now=clock.now())
    registrations.sync(now=clock.now())
    row.refresh_from_db()
    assert row.status == "approved", row.words
    return row


def test_aliyun_composes_what_staff_saw(aliyun, noon):
    cast.li_na(), cast.wang_wei()
    template = cast.template(BODY)
    approved(template, registered.account_at(aliyun, is_sandbox=True))

    send(freeze(template, now=noon))

    (sent,) = aliyun.ledger()
    assert sent["text"] == "【鸿雁花店】亲爱的李娜，新年快乐！您的等级是普通会员。拒收请回复R"
    assert states() == {"sent": 1, "opted_out": 1}


def test_aliyun_takes_a_hundred_personal_texts_in_a_call(aliyun, noon):
    cast.crowd(250)
    template = cast.template(BODY)
    approved(template, registered.account_at(aliyun, is_sandbox=True))

    send(freeze(template, now=noon))

    assert Counter(entry["number"] for entry in aliyun.ledger()) == {str(13900000000 + n): 1 for n in range(250)}
    assert len({entry["out_id"] for entry in aliyun.ledger()}) == 3


def test_a_text_that_is_not_approved_pauses_its_message_before_a_call(aliyun, noon):
    cast.li_na()
    template = cast.template(BODY)
    row = approved(template, registered.account_at(aliyun, is_sandbox=True))
    message = freeze(template, now=noon)
    RegisteredText.objects.filter(pk=row.pk).update(status="rejected")

    send(message)

    assert aliyun.ledger() == []
    assert "has approved" in Message.objects.get().paused_for
    assert states() == {"queued": 1}


def test_who_refuses_at_aliyun_is_asked_no_more(aliyun, noon):
    cast.crowd(3)
    template = cast.template(BODY)
    approved(template, registered.account_at(aliyun, is_sandbox=True))
    aliyun.script.number_codes = {"13900000001": "isv.CUSTOMER_REFUSED"}

    send(freeze(template, now=noon))

    assert states() == {"sent": 2, "refused_number": 1}
    assert_withdrawn("13900000001")


def assert_withdrawn(address):
    """Whoever has this number agreed once, and no longer does."""
    customer = Delivery.objects.get(address=address).customer
    assert set(Consent.objects.filter(customer=customer).values_list("status", flat=True)) == {"withdrawn"}


def test_a_wrong_key_pauses_the_account_and_everybody_waits(aliyun, noon):
    cast.crowd(1500)
    template = cast.template(BODY)
    approved(template, registered.account_at(aliyun, is_sandbox=True))
    ProviderAccount.objects.update(encrypted_secret=secrets.encrypt("wrong"))

    send(freeze(template, now=noon))

    assert "does not belong to this key ID" in ProviderAccount.objects.get().paused_for
    assert aliyun.calls["SendBatchSms"] == 1
    assert states() == {"queued": 1500}
    assert aliyun.ledger() == []


def test_a_value_that_the_cloud_would_refuse_costs_no_call(aliyun, noon):
    cast.li_na()
    Customer.objects.filter(pk__in=cast.crowd(1)).update(name="www.example.com")
    template = cast.template(BODY)
    approved(template, registered.account_at(aliyun, is_sandbox=True))

    send(freeze(template, now=noon))

    assert [entry["number"] for entry in aliyun.ledger()] == ["13800000001"]
    assert states() == {"sent": 1, "value_with_link": 1}


def test_tencent_sends_equal_texts_two_hundred_at_a_time(tencent_cloud, noon):
    cast.crowd(450)
    template = cast.template("新年快乐，全场八折！")
    approved(template, account_at_tencent(tencent_cloud))

    send(freeze(template, now=noon))

    assert Counter(entry["number"] for entry in tencent_cloud.ledger()) == {
        str(13900000000 + n): 1 for n in range(450)
    }
    assert states() == {"sent": 450}


def test_a_stop_waits_for_few_calls_where_everybody_gets_a_text_of_their_own(tencent_cloud, noon):
    cast.crowd(25)
    account = account_at_tencent(tencent_cloud)
    for body, sizes in ((BODY, [5, 10, 10]), ("{{ tier }}您好，全场八折！", [25]), ("全场八折！", [25])):
        template = cast.template(body, name=body)
        approved(template, account)
        message = freeze(template, now=noon)
        deliveries.plan(message, Customer.objects.present(), occasion=body, now=noon)
        assert sorted(message.submissions.values_list("size", flat=True)) == sizes


def test_tencent_composes_what_staff_saw(tencent_cloud, noon):
    cast.li_na()
    template = cast.template(BODY)
    approved(template, account_at_tencent(tencent_cloud))

    send(freeze(template, now=noon))

    (sent,) = tencent_cloud.ledger()
    assert sent["text"] == "【鸿雁花店】亲爱的李娜，新年快乐！您的等级是普通会员。拒收请回复R"


def test_who_refuses_at_tencent_is_asked_no_more(tencent_cloud, noon):
    cast.crowd(3)
    template = cast.template("新年快乐，全场八折！")
    approved(template, account_at_tencent(tencent_cloud))
    tencent_cloud.script.number_codes = {"13900000001": "FailedOperation.PhoneNumberInBlacklist"}

    send(freeze(template, now=noon))

    assert states() == {"sent": 2, "refused_number": 1}
    assert_withdrawn("13900000001")
