"""Gateways that are away, throttle, or say strange things: nobody is given up for it, and nothing runs hot."""

from collections import Counter
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection

from customers import clock
from customers.models import Customer
from notifications import jobs, secrets
from notifications.choices import CallbackKind
from notifications.models import Delivery, Message, ProviderAccount, Receipt, Submission
from notifications.providers.base import Answer, Outcome
from notifications.services import authorizing, callbacks, deliveries, receipts, sending, settling
from tests import cast
from tests.notifications.test_caps import move_clock
from tests.notifications.test_lifecycle import drain, planned, post, report_all
from tests.notifications.test_sending import freeze, send, states

pytestmark = pytest.mark.django_db(transaction=True)

NOBODY_LISTENS = "127.0.0.1:9"


def test_an_outage_of_hours_gives_nobody_up(account, gateway, noon, settings):
    settings.GATEWAY_PRIVATE_HOSTS = [gateway.host, NOBODY_LISTENS]
    ProviderAccount.objects.update(url=f"http://{NOBODY_LISTENS}/send")
    planned(250)

    for _ in range(8):
        drain()
        move_clock(minutes=20)
    during = states()
    ProviderAccount.objects.update(url=account.url)
    drain()

    assert during == {"queued": 250}
    assert states() == {"sent": 250}
    assert len(set(gateway.numbers())) == len(gateway.numbers()) == 250


def test_a_gateway_that_is_away_is_tried_with_a_few_calls_only(account, gateway, noon, settings):
    settings.GATEWAY_PRIVATE_HOSTS = [NOBODY_LISTENS]
    ProviderAccount.objects.update(url=f"http://{NOBODY_LISTENS}/send")
    planned(3000)

    drain()

    assert Submission.objects.filter(status="settled").count() <= 2 * settings.CALLS_IN_FLIGHT


def test_while_an_account_is_paused_its_messages_are_not_rendered_again_and_again(account, gateway, noon):
    planned(2000)
    ProviderAccount.objects.update(paused_for="no balance")

    sending._next_batches("bulk", clock.now())

    assert not Submission.objects.filter(status="leased").exists()
    assert set(Submission.objects.values_list("held_for", flat=True)) == {"retry"}
    ProviderAccount.objects.update(paused_for="")
    move_clock(minutes=1)
    drain()
    assert states() == {"sent": 2000}


def test_a_gateway_with_very_long_numbers_of_its_own_is_understood(account, gateway, noon):
    message = planned(1)
    message.refresh_from_db()
    (batch,) = sending._next_batches("bulk", clock.now())
    authorized = authorizing.authorize(message, batch.leased, batch.prepared, unsendable={}, account=account)
    answer = Answer("", Outcome.TAKEN, "n" * 200, "ok", "")

    settling.settle(message, [settling.Call(batch.leased[0], batch.prepared, [answer])], authorized, now=clock.now())

    assert states() == {"sent": 1}


def test_one_refused_name_does_not_stop_a_campaign(account, gateway, noon):
    cast.crowd(20)
    cast.customer("词", phone="19999990006", consent="granted")

    send(freeze(cast.template(), now=noon))

    assert states() == {"sent": 20, "refused_content": 1}
    assert not Message.objects.filter(paused_at__isnull=False).exists()


def test_receipts_of_an_account_that_cannot_be_read_hold_up_no_other(account, gateway, noon, client):
    planned(5)
    drain()
    broken = ProviderAccount.objects.create(
        name="broken", url="https://example.com/", callback_token="broken", is_sandbox=True, field_names={"no": "such"}
    )
    for number in range(60):
        body = b'[{"reference": "%d"}]' % number
        callbacks.store(broken, body, kind=CallbackKind.RECEIPTS, now=clock.now() - timedelta(minutes=1))
    post(client, account, report_all("delivered"))

    found = receipts.apply(now=clock.now())

    assert found["delivered"] == 5
    assert Receipt.objects.filter(account=broken, applied_at=None).count() == 60


def test_receipts_need_no_secret(account, gateway, noon, client, settings):
    planned(5)
    drain()
    post(client, account, report_all("delivered"))
    ProviderAccount.objects.update(encrypted_secret=secrets.encrypt("key of the shop"))
    settings.SECRET_KEY = "another-key-" + "0123456789" * 5

    assert receipts.apply(now=clock.now())["delivered"] == 5


def test_a_callback_without_a_length_is_not_taken_for_an_empty_one(account, client):
    answer = client.generic(
        "POST",
        f"/callbacks/{account.callback_token}/receipts",
        b"",
        CONTENT_LENGTH="",
        HTTP_TRANSFER_ENCODING="chunked",
    )

    assert answer.status_code == 411
    assert not Receipt.objects.exists()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"reference": "x"}', 200),
        ('[{"reference": "你好"}]'.encode("gb18030"), 200),
        (b"\xff\xfe\x00", 200),
        (b"[" * 100_000, 200),
        (b'[{"reference": "\\ud800", "number": "\\u0000", "status": "delivered", "code": "\\u0000"}]', 200),
        (b"x" * (1024 * 1024 + 1), 413),
    ],
)
def test_strange_callbacks_break_nothing(account, client, noon, body, status):
    answer = client.post(
        f"/callbacks/{account.callback_token}/receipts", body, content_type="application/octet-stream"
    )
    receipts.apply(now=clock.now())

    jobs.apply_replies()

    assert answer.status_code == status
    assert not Receipt.objects.filter(applied_at=None).exists()


@pytest.mark.parametrize("first", ["delivered", "undelivered"])
def test_the_better_of_two_contradicting_receipts_stands(account, gateway, noon, client, first):
    planned(1)
    drain()
    for status in (first, "undelivered" if first == "delivered" else "delivered"):
        post(client, account, report_all(status))
        receipts.apply(now=clock.now())

    assert Delivery.objects.get().status == "delivered"


def test_a_receipt_through_another_accounts_door_moves_nothing(account, gateway, noon, client):
    planned(3)
    drain()
    other = cast.account("http://127.0.0.1:1")
    post(client, other, report_all("delivered"))

    assert receipts.apply(now=clock.now())["foreign"] == 3
    assert states() == {"sent": 3}
    assert Customer.objects.count() == 3


def test_an_answer_that_cannot_be_written_down_takes_no_other_with_it(account, gateway, noon):
    cast.crowd(5)
    for occasion in ("greeting-1", "greeting-2"):
        message = freeze(cast.template(name=occasion), now=noon)
        deliveries.plan(message, Customer.objects.present(), occasion=occasion, now=noon)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            CREATE FUNCTION disk_is_full() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = 'data_exception'; END $$;
            CREATE TRIGGER disk_is_full BEFORE UPDATE ON notifications_delivery FOR EACH ROW
            WHEN (NEW.status = 'sent' AND NEW.occasion = 'greeting-1') EXECUTE FUNCTION disk_is_full();
            """
        )
    try:
        with pytest.raises(DatabaseError, match="no space left"):
            drain()
        written = Counter(Delivery.objects.values_list("occasion", "status"))
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER disk_is_full ON notifications_delivery; DROP FUNCTION disk_is_full();")

    assert written == {("greeting-1", "queued"): 5, ("greeting-2", "sent"): 5}
