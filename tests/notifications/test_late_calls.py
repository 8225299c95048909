"""Calls that wait before they begin, and answers that come when nobody expected them any more."""

import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from customers import clock
from notifications.models import Delivery, Message, ProviderAccount
from notifications.providers.base import Answer, Outcome, Outgoing
from notifications.providers.generic_http import GatewaySettings, GenericHttp
from notifications.services import authorizing, clearance, first_calls, resending, sending, settling
from notifications.services.authorizing import Authorized
from notifications.services.progress import progress
from notifications.services.submissions import Leased
from tests.notifications.providers.scripted_server import ScriptedServer, http
from tests.notifications.test_caps import move_clock
from tests.notifications.test_lifecycle import drain, planned
from tests.notifications.test_sending import states

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_calls_that_waited_for_the_first_one_are_made_side_by_side():
    def answer_slowly(connection, _request):
        time.sleep(0.3)
        connection.sendall(http(b'{"messages": []}'))

    server = ScriptedServer(answer_slowly)
    provider = GenericHttp(GatewaySettings(server.url, private_hosts={server.host}))
    begun = time.monotonic()
    with clearance.Desk() as desk, ThreadPoolExecutor(16) as threads:
        allowed = clearance.Clearance(desk, Message(), Leased(1, 1, uuid.uuid4(), 1), Authorized(clock.now()))
        for place in range(16):
            threads.submit(
                first_calls.send,
                provider,
                [Outgoing(f"r-{place}", "13800000000", "text")],
                call_reference=f"call-{place}",
                registered=None,
                clearance=allowed,
            )

    assert len(server.requests) == 16
    assert time.monotonic() - begun < 16 * 0.3 / 2


def test_a_machine_that_wakes_up_makes_no_call_that_was_allowed_long_ago(account, gateway, noon, monkeypatch):
    message = planned(100)
    (batch,) = sending._next_batches("bulk", clock.now())
    monkeypatch.setattr(first_calls, "STALE_AFTER", 0.0)
    monkeypatch.setattr(clearance, "BEGIN_WITHIN", 0.0)
    with clearance.Desk() as desk, ThreadPoolExecutor(1) as threads:
        flight = sending._launch(threads, desk, batch)
    move_clock(minutes=2)
    settling.recover_lost(now=clock.now())
    as_lost = progress([message.pk], now=clock.now()).cost

    flight.settle(clock.now)

    assert gateway.numbers() == []
    assert states() == {"queued": 100}
    assert as_lost == 100 * account.price
    assert progress([message.pk], now=clock.now()).cost == 0
    monkeypatch.undo()
    move_clock(minutes=1)
    drain()
    assert sorted(gateway.numbers()) == sorted(Delivery.objects.values_list("address", flat=True))


def test_whoever_was_sent_it_again_by_hand_does_not_get_it_once_more_for_a_late_refusal(account, gateway, noon):
    message = planned(10)
    (batch,) = sending._next_batches("bulk", clock.now())
    authorized = authorizing.authorize(message, batch.leased, batch.prepared, unsendable={}, account=account)
    move_clock(minutes=2)
    settling.recover_lost(now=clock.now())
    (twin,) = resending.resend([message], statuses=["unknown"], seen=10, by=None, now=clock.now())
    late = [Answer(f"{row.id}", Outcome.REFUSED_LATER, "", "throttled", "", is_for_all=True) for row in batch.prepared]

    settling.settle(message, [settling.Call(batch.leased[0], batch.prepared, late)], authorized, now=clock.now())
    move_clock(minutes=1)
    drain()

    assert states_of(message) == {("failed", "not_taken")}
    assert states_of(twin) == {("sent", "")}
    assert len(gateway.numbers()) == len(set(gateway.numbers())) == 10


def states_of(message):
    return set(Delivery.objects.filter(message=message).values_list("status", "reason"))


def test_an_account_is_paused_also_by_a_refusal_without_words(account, gateway, noon):
    message = planned(10)
    (batch,) = sending._next_batches("bulk", clock.now())
    authorized = authorizing.authorize(message, batch.leased, batch.prepared, unsendable={}, account=account)
    told = [Answer(f"{row.id}", Outcome.REFUSED_ACCOUNT, "", "E77", "", is_for_all=True) for row in batch.prepared]

    settling.settle(message, [settling.Call(batch.leased[0], batch.prepared, told)], authorized, now=clock.now())

    assert ProviderAccount.objects.get().paused_for == "unknown code E77"
    assert states() == {"queued": 10}


def test_a_call_that_goes_wrong_in_our_own_code_costs_the_others_nothing(account, gateway, noon):
    planned(300)
    (batch,) = sending._next_batches("bulk", clock.now())
    with clearance.Desk() as desk, ThreadPoolExecutor(3) as threads:
        flight = sending._launch(threads, desk, batch)
    broken = Future()
    broken.set_exception(KeyError("a bug of an adapter"))
    flight.calls[1] = (*flight.calls[1][:2], broken)

    flight.settle(clock.now)

    assert states() == {"sent": 200, "ambiguous": 100}
