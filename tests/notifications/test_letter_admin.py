"""Writing letters and entering a mail server: what the forms ask for, refuse and show."""

import pytest
import staff
from django.core.cache import cache
from django.urls import reverse

from customers import clock
from customers.models import ContactPoint
from notifications import secrets
from notifications.models import ProviderAccount, Template
from notifications.providers.smtp import Smtp
from notifications.services import gateways, messages
from tests import cast

pytestmark = pytest.mark.django_db

ADD = "admin:notifications_template_add"
ADD_ACCOUNT = "admin:notifications_provideraccount_add"
HTML = '<h1>新年快乐</h1><p>亲爱的{{ name or "顾客" }}，<a href="https://shop.example/new">看新品</a></p>'


@pytest.fixture(autouse=True)
def no_remembered_samples():
    cache.clear()


def form(**changes) -> dict:
    """What the browser sends; the changes on top."""
    sent = {
        "name": "新年来信", "purpose": "marketing", "channel": "email", "signature": cast.signature().pk,
        "subject": '{{ name or "您" }}的新年礼物', "body": '{{ name or "顾客" }}，新年快乐！', "html": HTML,
        "opt_out_wording": "拒收请回复R",
    }  # fmt: skip
    return sent | changes


def errors_of(answer) -> dict:
    return {name: str(found[0]) for name, found in answer.context["adminform"].form.errors.items()}


def preview(client, **changes) -> str:
    return client.post(reverse("admin:notifications_template_preview"), form(**changes)).content.decode()


# Letters


def test_a_marketer_saves_a_letter_as_it_was_written():
    answer = staff.signed_in("marketer").post(reverse(ADD), form())

    assert answer.status_code == 302
    template = Template.objects.get()
    assert (template.channel, template.subject, template.html) == ("email", '{{ name or "您" }}的新年礼物', HTML)


def test_what_the_channel_has_no_use_for_is_not_kept():
    client = staff.signed_in("marketer")
    client.post(reverse(ADD), form(channel="sms", name="短信"))
    client.post(reverse(ADD), form(channel="inbox", name="站内信", purpose="service"))

    kept = {template.channel: (template.subject, template.html) for template in Template.objects.all()}
    assert kept == {"sms": ("", ""), "inbox": ('{{ name or "您" }}的新年礼物', "")}


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("subject", "", "Write a subject"),
        ("subject", "第一行\n第二行", "one line"),
        ("subject", "{{ nmae }}", "Did you mean “name”?"),
        ("subject", "长" * 101, "at most 100"),
        ("body", "字" * 20_001, "20000"),
        ("html", "<script>alert(1)</script>", "<script> is not possible"),
        ("html", "<form action='https://x.example'><input></form>", "<form> is not possible"),
        ("html", "<link rel='stylesheet' href='https://x.example/a.css'>", "<link> is not possible"),
        ("html", "<p onclick='go()'>a</p>", "would run a script"),
        ("html", "<p style='background:url(https://x.example)'>a</p>", "is not possible in style"),
        ("html", "<a href='javascript:go()'>a</a>", "must begin with https://"),
        ("html", "<a href='{{ name }}'>a</a>", "must begin with https://"),
        ("html", "<p {% if name %}style='color:red'{% endif %}>a</p>", "between the tags"),
        ("html", "<{% if name %}script{% endif %}>", "begins no tag"),
        ("html", "{# {{ #}<script>go()</script>{# }} #}", "<script> is not possible"),
        ("html", "<div style='display:none'>", "never closed"),
        ("html", "{% if city %}<div>{% endif %}", "inside a condition"),
        ("html", "{% if city %}<div>{% endif %}a</div>", "inside a condition"),
        ("html", "<p>{{ nmae }}</p>", "Did you mean “name”?"),
        ("html", "<!--[if mso]>a<![endif]-->", "comments"),
        ("html", "<![x", "begins no tag"),
        ("html", "<![x[a]]>", "comments"),
    ],
)
def test_a_letter_that_cannot_be_sent_is_refused_with_a_sentence(field, value, said):
    answer = staff.signed_in("marketer").post(reverse(ADD), form(**{field: value}))

    assert answer.status_code == 200
    assert said in errors_of(answer)[field]
    assert not Template.objects.exists()


def test_an_sms_stays_as_short_as_it_was():
    answer = staff.signed_in("marketer").post(reverse(ADD), form(channel="sms", body="字" * 2_001))

    assert "at most 2000" in errors_of(answer)["body"]


def test_a_letter_changed_behind_the_page_is_checked_again_before_it_is_sent():
    template = cast.letter(html="<p>a</p>")
    Template.objects.update(html="<script>go()</script>")
    template.refresh_from_db()

    with pytest.raises(messages.CannotFreeze, match="<script> is not possible"):
        messages.check(template)


def test_braces_written_as_characters_stay_characters():
    template = cast.letter(html='<p title="&#123;&#123; 7*7 }}">&#123;&#123; 7*7 }}</p>')

    messages.check(template)


def test_the_preview_shows_subject_formatted_and_plain_text_and_the_way_out():
    ContactPoint.objects.create(customer=cast.customer("<b>李娜</b>"), channel="email", address="lina@example.com")

    shown = preview(staff.signed_in("marketer"))

    assert "（广告）" in shown and "的新年礼物" in shown
    assert "srcdoc=" in shown and "sandbox" in shown
    assert "&amp;lt;b&amp;gt;李娜" in shown
    assert "https://shop.example.com/u/" in shown
    assert "SMS" not in shown and "【" not in shown


def test_the_preview_tells_what_is_wrong_with_the_formatted_text():
    assert "is not possible in a letter" in preview(staff.signed_in("marketer"), html="<iframe></iframe>")


def test_a_letter_of_service_shows_no_way_out():
    assert "Unsubscribe" not in preview(staff.signed_in("marketer"), purpose="service")


# Mail servers


def account_form(**changes) -> dict:
    """What the browser sends for a mail server; the changes on top."""
    sent = {
        "name": "企业邮箱", "channel": "sms", "gateway": "smtp", "mail_host": "smtp.exmail.qq.com",
        "mail_port": "", "mail_security": "smtps", "key_id": "hello@shop.example", "secret": "auth-code",
        "from_address": "Hello@店铺.com", "from_name": "鸿雁花店", "batch_size": 50, "price": "0.01",
        "field_names": "{}", "is_active": "on",
    }  # fmt: skip
    return sent | changes


def test_a_mail_server_is_kept_with_its_secret_encrypted():
    owner = staff.signed_in("owner")

    answer = owner.post(reverse(ADD_ACCOUNT), account_form())

    assert answer.status_code == 302, errors_of(answer)
    account = ProviderAccount.objects.get()
    assert (account.channel, account.url) == ("email", "smtps://smtp.exmail.qq.com:465")
    assert account.from_address == "Hello@xn--hxtq42j.com"
    assert b"auth-code" not in bytes(account.encrypted_secret)
    assert secrets.decrypt(bytes(account.encrypted_secret)) == "auth-code"
    assert isinstance(gateways.provider_for(account), Smtp)
    page = owner.get(reverse("admin:notifications_provideraccount_change", args=[account.pk]))
    assert b"auth-code" not in page.content
    assert 'value="smtp.exmail.qq.com"' in page.content.decode() and 'value="465"' in page.content.decode()


def test_whoever_may_only_look_sees_the_server_and_no_secret():
    staff.signed_in("owner").post(reverse(ADD_ACCOUNT), account_form())
    account = ProviderAccount.objects.get()

    page = staff.signed_in("auditor").get(reverse("admin:notifications_provideraccount_change", args=[account.pk]))

    assert page.status_code == 200
    assert "smtps://smtp.exmail.qq.com:465" in page.content.decode()
    assert "auth-code" not in page.content.decode()


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"mail_host": ""}, "mail_host", "Enter the name of the mail server"),
        ({"mail_host": "smtp exmail"}, "mail_host", "not the name of a mail server"),
        ({"mail_host": "https://smtp.qq.com"}, "mail_host", "not the name of a mail server"),
        ({"mail_host": "127.0.0.1"}, "mail_host", "private network"),
        ({"mail_host": "localhost"}, "mail_host", "private network"),
        ({"mail_host": "0x7f000001"}, "mail_host", "not the name of a mail server"),
        ({"mail_port": "0"}, "mail_port", "1 to 65535"),
        ({"mail_port": "70000"}, "mail_port", "1 to 65535"),
        ({"mail_port": "-1"}, "mail_port", "1 to 65535"),
        ({"mail_security": "smtp"}, "mail_security", "travel readable"),
        ({"mail_security": "gopher"}, "mail_security", "valid choice"),
        ({"from_address": ""}, "from_address", "not an e-mail address"),
        ({"from_address": "hello"}, "from_address", "not an e-mail address"),
        ({"from_address": "a@b.com\r\nBcc: c@d.com"}, "from_address", "not an e-mail address"),
        ({"from_address": "两个@b.com"}, "from_address", "not an e-mail address"),
        ({"secret": ""}, "secret", "authorization code"),
        ({"batch_size": 201}, "batch_size", "1 to 200"),
    ],
)
def test_a_mail_server_that_cannot_work_is_refused_with_a_sentence(changes, field, said):
    answer = staff.signed_in("owner").post(reverse(ADD_ACCOUNT), account_form(**changes))

    assert answer.status_code == 200
    assert said in errors_of(answer)[field]
    assert not ProviderAccount.objects.exists()


def test_a_server_without_a_password_needs_none(settings):
    settings.GATEWAY_PRIVATE_HOSTS = ["mail.internal:25"]
    fields = account_form(mail_host="mail.internal", mail_security="smtp", key_id="", secret="")

    answer = staff.signed_in("owner").post(reverse(ADD_ACCOUNT), fields)

    assert answer.status_code == 302, errors_of(answer)
    assert ProviderAccount.objects.get().url == "smtp://mail.internal:25"


def test_the_connection_is_tried_from_the_page(settings):
    settings.GATEWAY_PRIVATE_HOSTS = ["127.0.0.1"]
    account = cast.mail_account("smtp://127.0.0.1:9")
    client = staff.signed_in("owner")
    page = reverse("admin:notifications_provideraccount_change", args=[account.pk])

    button = reverse("admin:notifications_provideraccount_try_out", args=[account.pk])
    answer = client.post(button, {"dialog": "1"}, follow=True)

    assert "Try the connection" in client.get(page, headers={"accept-language": "en"}).content.decode()
    assert answer.status_code == 200


def test_a_message_keeps_subject_and_formatted_text_as_they_were():
    template = cast.letter(html="<p>a</p>", subject="一")
    now = clock.now()
    message = messages.freeze(
        template, name="a", price=0, send_after=now, send_until=now.replace(year=now.year + 1), by=None, now=now
    )
    Template.objects.update(html="<p>b</p>", subject="二")

    message.refresh_from_db()
    assert (message.subject, message.html) == ("一", "<p>a</p>")
