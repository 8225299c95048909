"""Accounts at Aliyun and Tencent Cloud: what the form asks for, refuses and hides, and the steps beside it."""

import logging

import pytest
import staff
from django.contrib.admin.models import LogEntry
from django.db import IntegrityError, transaction
from django.urls import reverse

from notifications import secrets
from notifications.admin import guides
from notifications.models import ProviderAccount
from notifications.providers.aliyun_sms import AliyunSms
from notifications.providers.tencent_sms import TencentSms
from notifications.services import gateways
from tests import cast
from tests.gateways.aliyun import KEY_ID, KEY_SECRET, Aliyun

pytestmark = pytest.mark.django_db

ADD = "admin:notifications_provideraccount_add"
SECRET = "s3cret-that-nobody-sees"


@pytest.fixture
def owner():
    return staff.signed_in("owner")


@pytest.fixture
def aliyun(tmp_path, settings):
    """An Aliyun on this machine, which the deployment lists."""
    with Aliyun(tmp_path / "aliyun") as service:
        settings.GATEWAY_PRIVATE_HOSTS = [service.host]
        yield service


def form(**changes) -> dict:
    sent = {
        "name": "阿里云短信", "channel": "sms", "gateway": "aliyun_sms", "url": "", "query_url": "", "region": "",
        "key_id": "LTAI5tExample", "secret": SECRET, "app_id": "", "batch_size": 100, "price": "0.045",
        "field_names": "{}", "is_active": "on",
    }  # fmt: skip
    return sent | changes


def tencent(**changes) -> dict:
    return form(name="腾讯云短信", gateway="tencent_sms", key_id="AKIDexample", app_id="1400006666") | changes


def stored_from(client, fields: dict) -> ProviderAccount:
    answer = client.post(reverse(ADD), fields)
    assert answer.status_code == 302, errors_of(answer)
    return ProviderAccount.objects.get()


def errors_of(answer) -> dict:
    return {name: str(found[0]) for name, found in answer.context["adminform"].form.errors.items()}


def page_of(account: ProviderAccount, name: str = "change") -> str:
    return reverse(f"admin:notifications_provideraccount_{name}", args=[account.pk])


# What is kept


def test_an_aliyun_account_needs_a_key_and_nothing_else(owner):
    account = stored_from(owner, form())

    assert (account.url, account.region) == ("https://dysmsapi.aliyuncs.com", "cn-hangzhou")
    assert (account.connect_timeout, account.read_timeout, account.total_timeout) == (3, 10, 20)
    assert isinstance(gateways.provider_for(account), AliyunSms)


def test_a_tencent_account_needs_its_application_too(owner):
    account = stored_from(owner, tencent())

    assert (account.url, account.region) == ("https://sms.tencentcloudapi.com", "ap-guangzhou")
    assert isinstance(gateways.provider_for(account), TencentSms)


def test_what_was_filled_in_for_another_kind_is_not_kept(owner):
    account = stored_from(
        owner, form(app_id="1400006666", query_url="nonsense", field_names='{"answer": {"number": "mobile"}}')
    )

    assert (account.app_id, account.query_url, account.field_names) == ("", "", {})


def test_an_adapter_is_kept_as_long_as_its_account_stays_as_it_is(owner):
    account = stored_from(owner, form())
    kept = gateways.provider_for(account)

    same = gateways.provider_for(ProviderAccount.objects.get())
    account.read_timeout = 5
    other = gateways.provider_for(account)

    assert same is kept
    assert other is not kept
    assert other.settings.limits.read == 5


# What is refused


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"region": "cn-atlantis"}, "region", "There is no such region"),
        ({"url": "dysmsapi.aliyuncs.com"}, "url", "must begin with https://"),
        ({"url": "https://dysmsapi.aliyuncs.com/send"}, "url", "scheme and host alone"),
        ({"url": "http://dysmsapi.aliyuncs.com"}, "url", "Begin with https://"),
        ({"url": "https://"}, "url", "names no host"),
        ({"url": "http://10.0.0.8"}, "url", "private network"),
        ({"url": "http://169.254.169.254"}, "url", "private network"),
        ({"key_id": ""}, "key_id", "Enter the ID of the key"),
        ({"key_id": "LTAI,SignedHeaders=host"}, "key_id", "copy it anew"),
        ({"key_id": "钥匙"}, "key_id", "copy it anew"),
        ({"secret": ""}, "secret", "Enter the secret"),
        ({"secret": "密钥"}, "secret", "copy it anew"),
        ({"batch_size": 1001}, "batch_size", "1 to 1,000"),
        ({"gateway": "tencent_sms", "app_id": "1400006666", "batch_size": 201}, "batch_size", "1 to 200"),
        ({"gateway": "tencent_sms", "app_id": ""}, "app_id", "SdkAppId"),
        ({"gateway": "tencent_sms", "app_id": "abc"}, "app_id", "SdkAppId"),
        ({"gateway": "tencent_sms", "app_id": "1", "region": "cn-hangzhou"}, "region", "ap-guangzhou"),
        ({"gateway": "generic_http", "url": ""}, "url", "Enter the address"),
        ({"total_timeout": 60}, "total_timeout", "0.1 to 25"),
        ({"connect_timeout": 0}, "connect_timeout", "0.1 to 10"),
        ({"gateway": "smoke signals"}, "gateway", "valid choice"),
    ],
)
def test_what_cannot_work_is_refused_with_a_sentence(owner, changes, field, sentence):
    answer = owner.post(reverse(ADD), form(**changes))

    assert sentence in errors_of(answer)[field]
    assert not ProviderAccount.objects.exists()


def test_a_local_server_is_taken_where_the_deployment_lists_it(owner, aliyun):
    assert stored_from(owner, form(url=aliyun.url)).url == aliyun.url


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"gateway": "aliyun_sms", "key_id": ""}, "provider_account_of_a_cloud_names_its_key"),
        ({"gateway": "tencent_sms", "key_id": "k"}, "provider_account_of_tencent_names_its_application"),
        ({"total_timeout": 26}, "provider_account_waits_for_a_bounded_time"),
        ({"connect_timeout": 0}, "provider_account_waits_for_a_bounded_time"),
    ],
)
def test_the_database_keeps_what_the_form_promises(changes, constraint):
    cast.account("http://127.0.0.1:1")

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        ProviderAccount.objects.update(**changes)


def test_an_account_that_has_received_keeps_its_kind(owner, client):
    account = stored_from(owner, form())
    client.post(f"/callbacks/{account.callback_token}/receipts", b"[]", content_type="application/json")

    answer = owner.post(page_of(account), tencent(name=account.name))

    assert "keeps its kind" in errors_of(answer)["gateway"]


# Secrets


def test_the_secret_of_a_cloud_is_in_no_page_no_log_and_no_history(owner, aliyun, caplog):
    caplog.set_level(logging.DEBUG)
    account = stored_from(owner, form(url=aliyun.url))
    owner.post(page_of(account), form(url=aliyun.url, secret="", price="0.05"))
    owner.post(page_of(account, "try_out"), {"_form_submitted": "True"})

    pages = [owner.get(page_of(account, name)) for name in ("change", "history", "connect")]
    pages.append(owner.get(reverse("admin:notifications_provideraccount_changelist")))

    assert [page.status_code for page in pages] == [200] * 4
    assert not any(SECRET in page.content.decode() for page in pages)
    assert SECRET not in caplog.text
    assert not any(SECRET in entry.change_message + entry.object_repr for entry in LogEntry.objects.all())
    assert SECRET not in repr(gateways.provider_for(account).settings) + str(vars(account))
    assert secrets.decrypt(ProviderAccount.objects.get().encrypted_secret) == SECRET


def test_who_may_only_look_sees_neither_key_nor_steps(owner):
    account = stored_from(owner, form())
    auditor = staff.signed_in("auditor")

    page = auditor.get(page_of(account)).content.decode()

    assert "LTAI5tExample" not in page
    assert account.callback_token not in page
    assert auditor.get(page_of(account, "connect")).status_code == 403
    assert auditor.post(page_of(account, "try_out"), {"_form_submitted": "True"}).status_code == 403


# The connection


def test_a_right_key_is_told_so_and_costs_nothing(owner, aliyun):
    cast.signature("鸿雁花店")
    account = stored_from(owner, form(url=aliyun.url, key_id=KEY_ID, secret=KEY_SECRET))

    page = owner.post(page_of(account, "try_out"), {"_form_submitted": "True"}, follow=True)

    assert said(page) == ["The key works. The signature 【鸿雁花店】 there: Approved."]
    assert aliyun.calls == {"GetSmsSign": 1}


def test_a_right_key_of_a_shop_without_a_signature_is_told_what_comes_next(owner, aliyun):
    account = stored_from(owner, form(url=aliyun.url, key_id=KEY_ID, secret=KEY_SECRET))

    page = owner.post(page_of(account, "try_out"), {"_form_submitted": "True"}, follow=True)

    assert "Enter your signature" in said(page)[0]


def test_a_wrong_key_is_told_in_one_sentence_after_one_call(owner, aliyun):
    account = stored_from(owner, form(url=aliyun.url, key_id=KEY_ID))

    page = owner.post(page_of(account, "try_out"), {"_form_submitted": "True"}, follow=True)

    refusal = "The AccessKey secret does not belong to this key ID. Enter both again."
    assert said(page) == [f"{refusal} The account is paused: nothing is sent by it until somebody resumes it."]
    assert aliyun.calls == {"GetSmsSign": 1}
    assert ProviderAccount.objects.get().paused_for == refusal


def test_a_gateway_that_is_away_pauses_nothing_when_the_connection_is_tried(owner, aliyun):
    account = stored_from(owner, form(url=aliyun.url, key_id=KEY_ID, secret=KEY_SECRET))
    aliyun.script.fault = "500"

    owner.post(page_of(account, "try_out"), {"_form_submitted": "True"}, follow=True)

    assert ProviderAccount.objects.get().paused_for == ""


def said(page) -> list[str]:
    return [str(sentence) for sentence in page.context["messages"] if "successfully" not in str(sentence)]


def test_asking_about_the_connection_takes_a_click_and_no_link(owner, aliyun):
    account = stored_from(owner, form(url=aliyun.url))

    owner.get(page_of(account, "try_out"))

    assert aliyun.calls == {}


@pytest.mark.parametrize(("fields", "language"), [(form(), "en"), (form(), "zh-hans"), (tencent(), "en")])
def test_the_steps_name_the_addresses_of_the_account(owner, fields, language):
    account = stored_from(owner, fields)

    page = owner.get(page_of(account, "connect"), headers={"accept-language": language}).content.decode()

    assert gateways.callback_url(account.callback_token) in page
    assert gateways.replies_url(account.callback_token) in page
    assert "PUBLIC_URL" in page


def test_the_steps_can_be_read_before_there_is_a_key(owner):
    add = owner.get(reverse(ADD)).content.decode()
    page = owner.get(reverse("admin:notifications_provideraccount_guide", args=["aliyun_sms"]))

    assert reverse("admin:notifications_provideraccount_guide", args=["tencent_sms"]) in add
    assert "hongyan.example.com/callbacks" in page.content.decode()
    assert owner.get(reverse("admin:notifications_provideraccount_guide", args=["generic_http"])).status_code == 404


def test_an_account_of_another_kind_has_no_steps(owner):
    account = cast.account("http://127.0.0.1:1")

    assert owner.get(page_of(account, "connect")).status_code == 404
    assert b"Try the connection" not in owner.get(page_of(account)).content


def test_the_console_s_check_of_the_address_is_answered_in_its_words(owner, client):
    account = stored_from(owner, form())

    answer = client.get(f"/callbacks/{account.callback_token}/receipts")

    assert answer.json() == {"code": 0, "msg": "成功"}


@pytest.mark.parametrize("name", ["aliyun", "tencent"])
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_a_guide_is_read_whole(name, language):
    html = guides.guide(name, language=language, addresses={"receipts": "https://r", "replies": "https://s"})

    assert "<ol" in html
    assert not {"**", "](", "```", "|--"} & {sign for sign in ("**", "](", "```", "|--") if sign in html}
    assert "https://r" in html
    assert "https://s" in html
    assert "hongyan.example.com" not in html


def test_a_guide_shows_markup_as_text():
    html = guides.as_html("# T\n\n<script>alert(1)</script> [x](javascript:alert(1)) `<b>` **f\u00fcr** *alle*")

    assert "<script>" not in html
    assert "javascript" not in html
    assert '<code class="hy-word">&lt;b&gt;</code> <strong>für</strong> <em>alle</em>' in html
