"""What became of calls whose answer or receipts never came: the gateway is asked, and what it says is written down."""

import json
import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.db import close_old_connections, connection
from django.db.models import F

from customers import clock
from customers.choices import Purpose
from customers.models import ClockOffset, Customer
from notifications.models import Delivery, FrequencyCap, Message, RecentSends, Submission
from notifications.services import cap_memory, deliveries, messages, reconciling, sending, settling
from tests import cast
from tests.gateway import Gateway
from tests.notifications.providers.scripted_server import ScriptedServer, http

pytestmark = pytest.mark.django_db(transaction=True)


def later(**length) -> None:
    """Move the shop's clock on."""
    ClockOffset.objects.update(offset=F("offset") + timedelta(**length))


def send(purpose=Purpose.MARKETING, *, occasion="greeting-1", window=timedelta(hours=4)) -> Message:
    """Plan a message to everybody and send what is due."""
    now = clock.now()
    message = messages.freeze(
        cast.template("您的订单有新进展", purpose=purpose, name=f"{purpose} {occasion}"),
        name="问候",
        price="0.045",
        send_after=now,
        send_until=now + window,
        by=None,
        now=now,
    )
    deliveries.plan(message, Customer.objects.present(), occasion=occasion, now=now)
    drain(purpose)
    return message


def drain(purpose=Purpose.MARKETING) -> Counter:
    return sending.drain(Purpose(purpose).queue, seconds=10, clock=clock.now)


def ask() -> Counter:
    """One run of the job."""
    return reconciling.reconcile(now=clock.now(), seconds=10)


def states() -> Counter:
    return Counter(" ".join(filter(None, pair)) for pair in Delivery.objects.values_list("status", "reason"))


def calls_without_answer(gateway, fault: str, purpose=Purpose.MARKETING, **options) -> Message:
    """A message whose calls the gateway left without an answer, and works again."""
    gateway.set(fault=fault)
    message = send(purpose, **options)
    gateway.set(fault="")
    return message


def test_a_message_that_was_taken_without_an_answer_is_found_and_not_sent_again(account, gateway, noon):
    cast.crowd(250)
    calls_without_answer(gateway, "drop_after")
    assert states() == {"unknown ambiguous": 250}

    later(minutes=2)
    ask()

    assert states() == {"delivered": 250}
    assert len(gateway.ledger()) == 250
    found = Delivery.objects.first()
    assert found.sent_at == found.submission.called_at
    assert found.provider_id == {entry["number"]: entry["id"] for entry in gateway.ledger()}[found.address]
    assert set(Submission.objects.values_list("ask_at", "asks")) == {(None, 1)}


def test_nobody_is_asked_about_before_two_minutes_are_over(account, gateway, noon):
    cast.li_na()
    calls_without_answer(gateway, "drop_after")

    later(seconds=100)

    assert not ask()
    assert states() == {"unknown ambiguous": 1}


def test_marketing_that_the_gateway_never_took_is_failed_after_the_second_look(account, gateway, noon):
    cast.crowd(150)
    calls_without_answer(gateway, "drop")
    costly = Delivery.objects.first().cost

    later(minutes=2)
    ask()
    once = states()
    later(minutes=5)
    assert not ask()
    later(minutes=3)
    ask()
    drain()

    assert once == {"unknown not_found": 150}
    assert states() == {"failed not_taken": 150}
    assert gateway.ledger() == []
    assert costly > 0 == Delivery.objects.first().cost
    assert set(Submission.objects.values_list("ask_at", flat=True)) == {None}


@pytest.mark.parametrize("purpose", [Purpose.TRANSACTIONAL, Purpose.SERVICE])
def test_an_order_message_that_was_not_taken_goes_out_after_the_second_look(account, gateway, noon, purpose):
    cast.crowd(3)
    calls_without_answer(gateway, "drop", purpose)

    later(minutes=2)
    ask()
    later(minutes=8)
    ask()
    drain(purpose)

    assert states() == {"sent": 3}
    assert Counter(gateway.numbers()).most_common(1)[0][1] == 1
    assert set(Delivery.objects.values_list("attempts", flat=True)) == {2}


def test_an_order_message_is_handed_over_three_times_at_most(account, gateway, noon):
    cast.chen_jie()
    gateway.set(fault="drop")
    send(Purpose.TRANSACTIONAL)
    for _attempt in range(4):
        later(minutes=2)
        gateway.set(fault="")
        ask()
        later(minutes=8)
        ask()
        gateway.set(fault="drop")
        drain(Purpose.TRANSACTIONAL)

    assert states() == {"failed not_taken": 1}
    assert Delivery.objects.get().attempts == 3


def test_an_order_message_that_is_not_valid_any_more_is_not_sent_late(account, gateway, noon):
    cast.chen_jie()
    calls_without_answer(gateway, "drop", Purpose.TRANSACTIONAL, window=timedelta(minutes=5))

    later(minutes=2)
    ask()
    later(minutes=8)
    ask()
    drain(Purpose.TRANSACTIONAL)

    assert states() == {"failed not_taken": 1}
    assert gateway.ledger() == []


def test_a_canceled_order_message_stays_at_home(account, gateway, noon):
    cast.chen_jie()
    message = calls_without_answer(gateway, "drop", Purpose.TRANSACTIONAL)
    messages.cancel([message.pk], now=clock.now())

    later(minutes=2)
    ask()
    later(minutes=8)
    ask()

    assert states() == {"failed not_taken": 1}


def test_what_was_not_taken_gives_its_place_under_the_cap_back(account, gateway, noon):
    cast.li_na()
    FrequencyCap.objects.create(name="一天一条", limit=1, window="days")
    calls_without_answer(gateway, "drop")
    assert any(RecentSends.objects.values_list("sends", flat=True))

    later(minutes=2)
    ask()
    later(minutes=8)
    ask()

    assert not any(RecentSends.objects.values_list("sends", flat=True))
    send(occasion="greeting-2")
    assert gateway.numbers() == ["13800000001"]
    remembered = dict(RecentSends.objects.values_list("subject", "sends"))
    cap_memory.rebuild(now=clock.now())
    assert {subject: sends for subject, sends in remembered.items() if sends} == dict(
        RecentSends.objects.values_list("subject", "sends")
    )


def test_receipts_that_are_blocked_for_25_minutes_are_asked_for(account, gateway, noon):
    cast.crowd(120)
    send()
    assert states() == {"sent": 120}

    later(minutes=25)
    ask()

    assert states() == {"delivered": 120}
    assert Counter(gateway.numbers()).total() == 120


def test_a_message_without_a_receipt_is_asked_for_until_three_days_are_over(account, gateway, noon):
    cast.li_na()
    send()
    account.query_url = ""
    account.save()

    for hours in (1, 24, 72):
        later(hours=hours)
        ask()

    assert Delivery.objects.with_state().get().state == "no_receipt"
    assert set(Submission.objects.values_list("ask_at", "asks")) == {(None, 3)}


def test_a_gateway_that_cannot_be_asked_leaves_it_unknown_and_says_so(account, gateway, noon):
    cast.li_na(), cast.chen_jie()
    account.query_url = ""
    account.save()
    calls_without_answer(gateway, "drop", Purpose.TRANSACTIONAL)

    for minutes in (2, 8, 60, 1440):
        later(minutes=minutes)
        ask()
    drain(Purpose.TRANSACTIONAL)

    assert states() == {"unknown cannot_tell": 2}
    assert gateway.ledger() == []


def test_a_lost_worker_s_call_is_asked_for_and_settled(account, gateway, noon):
    cast.crowd(10)
    calls_without_answer(gateway, "drop_after")
    Submission.objects.update(status="called", lease_until=clock.now(), settled_at=None, ask_at=None)
    Delivery.objects.update(status="queued", reason="", attempts=0)
    later(seconds=1)
    settling.recover_lost(now=clock.now())
    assert states() == {"unknown no_answer": 10}

    later(minutes=2)
    ask()

    assert states() == {"delivered": 10}
    assert set(Submission.objects.values_list("status", flat=True)) == {"settled"}


def test_a_gateway_that_is_away_is_asked_again_soon(account, gateway, noon):
    cast.li_na()
    gateway.set(fault="drop")
    send(Purpose.TRANSACTIONAL)
    query_url = account.query_url
    type(account).objects.update(query_url="http://127.0.0.1:9/query")

    later(minutes=2)
    ask()
    assert states() == {"unknown ambiguous": 1}
    type(account).objects.update(query_url=query_url)
    later(seconds=70)
    ask()

    assert states() == {"unknown not_found": 1}


def test_a_dead_gateway_stalls_no_other(account, gateway, noon, tmp_path, process_environment, settings):
    cast.crowd(200)
    calls_without_answer(gateway, "drop_after")
    other = Gateway(tmp_path / "other", "--no-receipts", environment=process_environment)
    settings.GATEWAY_PRIVATE_HOSTS = [gateway.host, other.host]
    try:
        type(account).objects.update(is_active=False)
        cast.account(other.url)
        calls_without_answer(other, "drop_after", occasion="greeting-2")
        gateway.stop()

        later(minutes=2)
        ask()

        assert Counter(Delivery.objects.values_list("occasion", "status")) == {
            ("greeting-1", "unknown"): 200,
            ("greeting-2", "delivered"): 200,
        }
    finally:
        other.stop()
        gateway.process.stdout.close()


def test_a_worker_that_dies_while_it_asks_costs_only_its_lease(account, gateway, noon, monkeypatch):
    cast.crowd(20)
    calls_without_answer(gateway, "drop_after")
    later(minutes=2)

    # What a killed worker leaves: calls that are taken, and nothing written.
    assert reconciling._take(set(), clock.now())
    assert not ask()
    assert states() == {"unknown ambiguous": 20}
    later(minutes=5, seconds=1)
    ask()

    assert states() == {"delivered": 20}


def test_two_workers_that_ask_at_once_send_nothing_twice(account, gateway, noon):
    cast.crowd(60)
    calls_without_answer(gateway, "drop", Purpose.TRANSACTIONAL)
    later(minutes=2)
    ask()
    later(minutes=8)
    now = clock.now()

    def work():
        reconciling.reconcile(now=now, seconds=10)
        # One that was held up beyond its lease asks once more.
        Submission.objects.filter(ask_at__isnull=False).update(ask_at=now)
        reconciling.reconcile(now=now, seconds=10)
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    close_old_connections()
    drain(Purpose.TRANSACTIONAL)

    assert states() == {"sent": 60}
    assert set(Counter(gateway.numbers()).values()) == {1}
    assert set(Delivery.objects.values_list("attempts", flat=True)) == {2}


def test_a_receipt_that_comes_while_the_gateway_is_asked_wins(account, gateway, noon):
    cast.li_na()
    calls_without_answer(gateway, "drop")
    later(minutes=2)
    now = clock.now()
    calls = reconciling._take(set(), now)
    reconciling._load(calls, now)
    Delivery.objects.update(status="undelivered", reason="UNKNOWN_NUMBER", sent_at=now, finished_at=now)

    reconciling._ask(calls, Counter(), set(), now=now, ends=float("inf"))

    assert states() == {"undelivered UNKNOWN_NUMBER": 1}
    assert Submission.objects.get().ask_at is None


NONSENSE = [
    b"<html>busy</html>",
    b"",
    [],
    {"messages": {}},
    {"messages": [None, 3, "delivered", {"reference": 5, "status": []}]},
    {"messages": [{"reference": "REFERENCE", "status": "exploded"}]},
    {"messages": [{"reference": "REFERENCE", "status": ["delivered"]}]},
    {"messages": [{"reference": "somebody-else", "status": "delivered"}]},
    {"messages": [{"reference": "REFERENCE", "status": status} for status in ("delivered", "not_found")]},
]


@pytest.mark.parametrize("answer", NONSENSE, ids=str)
def test_nonsense_from_a_gateway_leaves_the_message_unknown(account, gateway, noon, settings, answer):
    cast.li_na()
    calls_without_answer(gateway, "drop_after")
    later(minutes=2)

    ask_a_gateway_that_says(answer, account, settings)

    assert states() == {"unknown ambiguous": 1}
    later(minutes=8)
    ask()
    assert states() == {"delivered": 1}


def test_an_odd_code_and_number_of_a_gateway_are_stored_as_far_as_they_fit(account, gateway, noon, settings):
    cast.li_na()
    calls_without_answer(gateway, "drop_after")
    later(minutes=2)
    odd = {"reference": "REFERENCE", "status": "undelivered", "code": "坏\0\ud800" * 90, "id": "9\0" * 900}

    ask_a_gateway_that_says({"messages": [odd]}, account, settings)

    assert Delivery.objects.get().status == "undelivered"
    assert Delivery.objects.get().reason.startswith("坏")
    assert len(Delivery.objects.get().provider_id) <= 80


def ask_a_gateway_that_says(answer: bytes | list | dict, account, settings) -> None:
    """Run the job once while the account's queries are answered so; REFERENCE stands for the message's own."""
    delivery = Delivery.objects.select_related("submission").get()
    reference = f"{delivery.submission.token.hex}-{delivery.pk}"
    body = answer if isinstance(answer, bytes) else json.dumps(answer).replace("REFERENCE", reference).encode()
    server = ScriptedServer(lambda connection, _request: connection.sendall(http(body)))
    usual = account.query_url
    settings.GATEWAY_PRIVATE_HOSTS = [*settings.GATEWAY_PRIVATE_HOSTS, server.host]
    type(account).objects.update(query_url=server.url)
    ask()
    assert server.requests
    type(account).objects.update(query_url=usual)
    server.listener.close()
