"""Alerts: once per cause, to whom it concerns, in their language, and again only after a while."""

import json
from datetime import timedelta

import pytest
from django.core import mail
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from notifications import secrets
from notifications.choices import AlertKind
from notifications.models import Alert, AlertChannel, AlertNotice
from notifications.services import alerts, telling
from notifications.services.alerts import Cause
from tests import cast
from tests.notifications.providers.scripted_server import ScriptedServer, answer_json

pytestmark = pytest.mark.django_db

NOON = cast.at("2027-02-05 12:00")


@pytest.fixture
def bot(settings):
    """A bot that takes everything."""
    server = ScriptedServer(answer_json({"errcode": 0}))
    settings.GATEWAY_PRIVATE_HOSTS = [server.host]
    yield server
    server.listener.close()


def channel(bot, name="运营群", **columns) -> AlertChannel:
    columns.setdefault("language", "en")
    return AlertChannel.objects.create(name=name, kind="wecom", encrypted_address=secrets.encrypt(bot.url), **columns)


def cause(key="account-1", kind=AlertKind.GATEWAY, page="/admin/") -> Cause:
    return Cause(kind, key, lambda: str(_("Gateway down")), page)


def send(now=NOON):
    return telling.send_due(now=now, moment=lambda: now)


def texts(bot) -> list[str]:
    return [json.loads(request.partition(b"\r\n\r\n")[2])["text"]["content"] for request in bot.requests]


def test_a_cause_is_told_once_however_often_it_is_seen(bot):
    channel(bot)

    for minute in range(5):
        alerts.keep([cause()], now=NOON + timedelta(minutes=minute))
        send(NOON + timedelta(minutes=minute))

    (text,) = texts(bot)
    assert "Gateway down" in text
    assert "http://localhost:8000/admin/" in text


def test_an_alert_ends_with_its_cause():
    alerts.keep([cause()], now=NOON)

    assert alerts.keep([], now=NOON + timedelta(minutes=1))["ended"] == 1
    assert not Alert.objects.open().exists()


def test_a_cause_that_comes_and_goes_is_told_again_only_after_the_gap(bot):
    channel(bot, minimum_gap_minutes=30)
    for minute in (0, 10, 20, 31):
        alerts.keep([cause()], now=NOON + timedelta(minutes=minute))
        send(NOON + timedelta(minutes=minute))
        alerts.keep([], now=NOON + timedelta(minutes=minute + 1))

    assert Alert.objects.count() == 4
    assert len(texts(bot)) == 2


def test_another_cause_is_told_at_once(bot):
    channel(bot)
    alerts.keep([cause("account-1")], now=NOON)
    send()
    alerts.keep([cause("account-1"), cause("account-2")], now=NOON)
    send()

    assert len(texts(bot)) == 2


def test_many_at_once_are_one_text(bot):
    channel(bot)
    alerts.keep([cause(f"account-{number}") for number in range(12)], now=NOON)

    assert send()["told"] == 12
    (text,) = texts(bot)
    assert text.count("Gateway down") >= 12


def test_a_channel_is_told_only_what_it_asked_for_and_in_its_language(bot):
    channel(bot, "老板", alert_kinds=["balance"], language="zh-hans")
    alerts.keep([cause(), cause("account-2", AlertKind.BALANCE)], now=NOON)

    assert send()["told"] == 1
    (text,) = texts(bot)
    assert "Balance" not in text


def test_a_channel_that_is_off_is_not_told(bot):
    channel(bot, is_active=False)
    alerts.keep([cause()], now=NOON)

    assert not send()


def test_a_bot_that_refuses_is_tried_again_and_says_why(bot):
    one = channel(bot)
    bot.script = answer_json({"errcode": 93000, "errmsg": "invalid webhook url"})
    alerts.keep([cause()], now=NOON)

    assert send()["not_told"] == 1
    one.refresh_from_db()
    assert "does not know this address" in telling.problem_in_words(one) or "地址" in telling.problem_in_words(one)
    assert not send(NOON + timedelta(seconds=10))
    bot.script = answer_json({"errcode": 0})
    assert send(NOON + timedelta(minutes=1))["told"] == 1
    one.refresh_from_db()
    assert one.problem == ""


def test_nobody_is_told_for_ever(bot):
    channel(bot)
    bot.script = answer_json({"errcode": 93000})
    alerts.keep([cause()], now=NOON)

    for hour in range(20):
        send(NOON + timedelta(hours=hour))

    assert len(bot.requests) <= telling.TRIES


def test_what_somebody_else_is_sending_is_left_to_them(bot):
    one = channel(bot)
    alerts.keep([cause()], now=NOON)

    assert len(telling._claim(one, NOON)) == 1
    assert telling._claim(one, NOON) == []
    assert not send()


def test_an_address_under_another_key_says_so(bot):
    one = channel(bot)
    AlertChannel.objects.update(encrypted_address=b"nonsense")
    alerts.keep([cause()], now=NOON)

    assert send()["not_told"] == 1
    one.refresh_from_db()
    assert one.problem == telling.UNREADABLE


def test_a_mailbox_is_told_by_e_mail(settings):
    settings.EMAIL_IS_SET = True
    AlertChannel.objects.create(name="老板", kind="email", recipients="a@shop.cn, b@shop.cn", language="en")
    alerts.keep([cause()], now=NOON)

    assert send()["told"] == 1
    (letter,) = mail.outbox
    assert letter.to == ["a@shop.cn", "b@shop.cn"]
    assert "Gateway down" in letter.subject


def test_without_a_mail_server_the_channel_says_what_to_do():
    one = AlertChannel.objects.create(name="老板", kind="email", recipients="a@shop.cn")

    with pytest.raises(telling.NotTold, match="EMAIL_URL"):
        telling.test(one)


def test_an_alert_is_open_once_per_cause():
    Alert.objects.create(kind="balance", cause="account-1", raised_at=NOON)

    with pytest.raises(IntegrityError), transaction.atomic():
        Alert.objects.create(kind="balance", cause="account-1", raised_at=NOON)
    Alert.objects.update(ended_at=NOON)
    Alert.objects.create(kind="balance", cause="account-1", raised_at=NOON)


@pytest.mark.parametrize("columns", [{"kind": "wecom"}, {"kind": "email"}])
def test_a_channel_without_an_address_is_refused(columns):
    with pytest.raises(IntegrityError), transaction.atomic():
        AlertChannel.objects.create(name="nowhere", **columns)


def test_a_clock_that_was_set_back_ends_alerts_all_the_same():
    alerts.keep([cause()], now=NOON)

    assert alerts.keep([], now=NOON - timedelta(days=30))["ended"] == 1


def test_a_notice_is_one_per_alert_and_channel(bot):
    one = channel(bot)
    alerts.keep([cause()], now=NOON)

    with pytest.raises(IntegrityError), transaction.atomic():
        AlertNotice.objects.create(alert=Alert.objects.get(), channel=one, send_after=NOON)
