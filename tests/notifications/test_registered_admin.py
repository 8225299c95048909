"""The section of a template's page on which texts are handed in, taken over and asked about."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.urls import reverse

from customers import clock
from notifications.models import RegisteredText
from notifications.services import registrations
from tests import cast, registered, staff
from tests.gateways.aliyun import Aliyun

pytestmark = pytest.mark.django_db

NEW_YEAR = "亲爱的${name}，新年快乐！拒收请回复R"


@pytest.fixture(autouse=True)
def no_remembered_samples():
    cache.clear()


@pytest.fixture
def aliyun(tmp_path, settings):
    with Aliyun(tmp_path / "aliyun") as service:
        settings.GATEWAY_PRIVATE_HOSTS = [service.host]
        yield service


@pytest.fixture
def account(aliyun):
    return registered.account_at(aliyun)


@pytest.fixture
def template():
    return cast.template('亲爱的{{ name or "顾客" }}，新年快乐！', name="新年")


def page_of(template) -> str:
    return reverse("admin:notifications_template_change", args=[template.pk])


def act(client, name, template, account, **fields):
    """Press a button and look at the page that follows."""
    address = reverse(f"admin:notifications_template_{name}", args=[template.pk, account.pk])
    return client.post(address, fields, follow=True).content.decode()


def test_a_shop_whose_gateway_takes_every_text_sees_no_such_section(template):
    cast.account("http://127.0.0.1:9")

    assert 'id="registered"' not in staff.signed_in("marketer").get(page_of(template)).content.decode()


def test_the_page_shows_what_would_be_handed_in(account, template):
    page = staff.signed_in("marketer").get(page_of(template)).content.decode()

    assert "Not handed in" in page
    assert NEW_YEAR in page
    assert "Hand in for approval at 阿里云" in page


def test_a_marketer_hands_a_text_in(aliyun, account, template):
    aliyun.script.review = "0"

    page = act(staff.signed_in("marketer"), "hand_in", template, account, remark="会员关怀")

    row = RegisteredText.objects.get()
    assert (row.status, row.submitted_by.username) == ("in_review", "marketer")
    assert "阿里云 says of the text: In review." in page
    assert row.code in page
    assert "Hand in for approval at" not in page


def test_the_reason_of_a_rejection_stands_on_the_page(aliyun, account, template):
    client = staff.signed_in("marketer")
    act(client, "hand_in", template, account)
    aliyun.register(RegisteredText.objects.get().code, NEW_YEAR, status="2", reason="变量含义不明")

    page = act(client, "ask_again", template, account)

    assert "变量含义不明" in page
    assert "Hand in for approval at" in page


def test_a_code_of_another_text_is_refused_with_the_difference(aliyun, account, template):
    aliyun.register("SMS_7", NEW_YEAR.replace("新年", "中秋"))

    page = act(staff.signed_in("marketer"), "adopt", template, account, code="SMS_7")

    assert "The text SMS_7 at 阿里云 is another one." in page
    assert "中秋快乐" in page
    assert not RegisteredText.objects.exists()


def test_a_code_of_the_same_text_is_used(aliyun, account, template):
    aliyun.register("SMS_7", NEW_YEAR)

    page = act(staff.signed_in("marketer"), "adopt", template, account, code="SMS_7")

    assert "阿里云 says of the text: Approved." in page


def test_a_text_with_conditions_says_why_it_cannot_be_registered(account):
    template = cast.template("您好{% if city %}，{{ city }}{% endif %}")

    page = staff.signed_in("marketer").get(page_of(template)).content.decode()

    assert "cannot be registered" in page
    assert "Hand in for approval at" not in page


def test_asking_before_anything_was_handed_in_is_a_sentence(account, template):
    assert "was not handed in" in act(staff.signed_in("marketer"), "ask_again", template, account)


def test_the_same_words_approved_for_another_template_are_shown_as_approved(account, template):
    twin = cast.template(template.body, name="新年二")
    now = clock.now()
    registrations.hand_in(twin, account, by=None, now=now)
    registrations.sync(now=now + timedelta(minutes=1))

    page = staff.signed_in("marketer").get(page_of(template)).content.decode()

    assert "Approved with the template “新年二”" in page


@pytest.mark.parametrize("role", ["clerk", "auditor"])
@pytest.mark.parametrize("name", ["hand_in", "adopt", "ask_again"])
def test_who_may_not_change_templates_hands_nothing_in(aliyun, account, template, role, name):
    client = staff.signed_in(role)
    address = reverse(f"admin:notifications_template_{name}", args=[template.pk, account.pk])

    assert client.post(address, {"code": "SMS_7"}).status_code == 403
    assert 'id="registered"' in client.get(page_of(template)).content.decode()
    assert "Hand in for approval at" not in client.get(page_of(template)).content.decode()
    assert not aliyun.calls


def test_buttons_are_no_links(account, template):
    address = reverse("admin:notifications_template_hand_in", args=[template.pk, account.pk])

    assert staff.signed_in("marketer").get(address).status_code == 405


@pytest.mark.parametrize("code", ["\x00", "SMS_7" * 50, "'; DROP TABLE x; --", ""])
def test_strange_codes_are_sentences(account, template, code):
    client = staff.signed_in("marketer")
    address = reverse("admin:notifications_template_adopt", args=[template.pk, account.pk])

    assert client.post(address, {"code": code}).status_code == 302
    assert not RegisteredText.objects.exists()


def test_the_preview_shows_the_registered_form(account, template):
    shown = staff.signed_in("marketer").post(
        reverse("admin:notifications_template_preview"),
        {"body": template.body, "purpose": "marketing", "signature": template.signature_id, "channel": "sms"},
    )

    assert f">{NEW_YEAR}<" in shown.content.decode()


def test_the_preview_of_a_text_that_cannot_be_registered_says_why(account, template):
    shown = staff.signed_in("marketer").post(
        reverse("admin:notifications_template_preview"),
        {"body": "您好{{ name or '' }}", "purpose": "marketing", "signature": template.signature_id},
    )

    assert "Not for 阿里云: " in shown.content.decode()


def test_the_page_of_the_account_lists_its_texts_and_signatures(account, template):
    now = clock.now()
    registrations.hand_in(template, account, by=None, now=now)
    registrations.sync(now=now)

    page = staff.signed_in("owner").get(reverse("admin:notifications_provideraccount_change", args=[account.pk]))

    assert f"{page_of(template)}#registered" in page.content.decode()
    assert "【鸿雁花店】" in page.content.decode()
