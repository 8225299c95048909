"""The pages of alerts: secrets go in and never come out, and a test says what became of it."""

import pytest
from django.urls import reverse

from customers import clock
from notifications import secrets
from notifications.choices import AlertKind
from notifications.models import Alert, AlertChannel, BrakeRule
from notifications.services import alerts
from notifications.services.alerts import Cause
from tests import staff
from tests.notifications.providers.scripted_server import ScriptedServer, answer_json

pytestmark = pytest.mark.django_db

ADD = "admin:notifications_alertchannel_add"
FIELDS = {
    "name": "运营群", "kind": "dingtalk", "address": "https://oapi.dingtalk.com/robot/send?access_token=top-secret-token",
    "secret": "SECvery-secret", "recipients": "", "alert_kinds": AlertKind.values, "language": "zh-hans",
    "minimum_gap_minutes": "60", "is_active": "on",
}  # fmt: skip


@pytest.fixture
def owner():
    return staff.signed_in("owner")


def add(client, **changes):
    return client.post(reverse(ADD), FIELDS | changes)


def test_the_address_and_the_key_are_stored_encrypted_and_never_shown(owner):
    add(owner)

    channel = AlertChannel.objects.get()
    page = owner.get(reverse("admin:notifications_alertchannel_change", args=[channel.pk])).content.decode()
    assert secrets.decrypt(channel.encrypted_address).endswith("top-secret-token")
    assert b"secret" not in bytes(channel.encrypted_address)
    assert "top-secret-token" not in page
    assert "SECvery-secret" not in page


def test_an_empty_field_keeps_what_is_stored(owner):
    add(owner)
    channel = AlertChannel.objects.get()

    owner.post(
        reverse("admin:notifications_alertchannel_change", args=[channel.pk]),
        FIELDS | {"name": "客服群", "address": "", "secret": ""},
    )

    changed = AlertChannel.objects.get()
    assert changed.name == "客服群"
    assert bytes(changed.encrypted_secret) == bytes(channel.encrypted_secret)


@pytest.mark.parametrize(
    "changes",
    [
        {"address": ""},
        {"address": "https://example.com/hook"},
        {"address": "http://169.254.169.254/"},
        {"kind": "wecom"},
        {"kind": "email", "recipients": ""},
        {"kind": "email", "recipients": "nobody"},
        {"alert_kinds": []},
        {"minimum_gap_minutes": "0"},
        {"kind": "pigeon"},
        {"name": "x" * 100},
    ],
)
def test_what_cannot_work_is_refused_with_a_sentence(owner, changes):
    page = add(owner, **changes)

    assert page.status_code == 200
    assert page.context["adminform"].form.errors
    assert not AlertChannel.objects.exists()


def test_a_mailbox_needs_no_address_of_a_bot(owner):
    add(owner, kind="email", address="", secret="", recipients="a@shop.cn，b@shop.cn")

    assert AlertChannel.objects.get().recipients == "a@shop.cn, b@shop.cn"


@pytest.mark.parametrize(("answer", "said"), [({"errcode": 0}, "took the test"), ({"errcode": 93000}, "copy it anew")])
def test_the_test_tells_the_answer_in_a_sentence(owner, settings, answer, said):
    server = ScriptedServer(answer_json(answer))
    settings.GATEWAY_PRIVATE_HOSTS = [server.host]
    add(owner, kind="wecom", address=server.url, secret="")
    channel = AlertChannel.objects.get()

    page = owner.post(
        reverse("admin:notifications_alertchannel_test", args=[channel.pk]), {"_form_submitted": "True"}, follow=True
    )

    assert said in page.content.decode()
    assert len(server.requests) == 1
    server.listener.close()


@pytest.mark.parametrize("role", ["marketer", "clerk", "auditor"])
def test_only_the_owner_sets_channels_up(role):
    assert add(staff.signed_in(role)).status_code == 403


def test_the_list_says_what_is_wrong_and_who_was_told(owner):
    AlertChannel.objects.create(name="老板", kind="email", recipients="a@shop.cn")
    alerts.keep([Cause(AlertKind.BALANCE, "account-1", lambda: "No money <b>left</b>", "/admin/")], now=clock.now())

    page = owner.get(reverse("admin:notifications_alert_changelist")).content.decode()

    assert "No money &lt;b&gt;left&lt;/b&gt;" in page
    assert "老板" in page
    assert Alert.objects.open().count() == 1


def limits(**changes):
    values = {
        "error_percent": "20", "error_minimum": "50", "error_minutes": "5", "opt_out_percent": "2",
        "complaint_percent": "", "answer_minimum": "200", "canary_percent": "1", "canary_minimum": "200",
        "canary_minutes": "15", "canary_undelivered_percent": "10",
    }  # fmt: skip
    return values | changes


def test_the_limits_of_the_brake_are_saved_by_the_owner(owner):
    page = owner.post(reverse("brake"), limits(error_percent="35"), follow=True)

    assert page.status_code == 200
    assert BrakeRule.objects.get().error_percent == 35
    assert BrakeRule.objects.get().complaint_percent is None


@pytest.mark.parametrize("changes", [{"error_percent": "0"}, {"error_minimum": "1"}, {"canary_minutes": ""},
                                     {"canary_percent": "101"}, {"error_percent": "viele"}])  # fmt: skip
def test_limits_without_sense_are_refused_with_a_sentence(owner, changes):
    page = owner.post(reverse("brake"), limits(**changes))

    assert page.status_code == 200
    assert page.context["form"].errors
    assert not BrakeRule.objects.exists()


def test_others_may_look_at_the_limits_and_not_change_them():
    client = staff.signed_in("marketer")

    assert client.get(reverse("brake")).status_code == 200
    assert client.post(reverse("brake"), limits()).status_code == 403
