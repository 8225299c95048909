"""A batch that takes several calls: who stops, pauses, cancels or opts out between two of them is heard."""

import threading
from collections import Counter
from contextlib import contextmanager

import pytest
from django.db import connection

from customers import clock
from customers.choices import Channel, ConsentSource
from customers.models import Customer
from customers.services import consent
from notifications.models import AccountGauge, Delivery, Message, ProviderAccount, RecentSends
from notifications.services import clearance, deliveries, messages, switch
from notifications.services.progress import progress
from tests import cast, registered
from tests.faults import storms
from tests.gateway import wait_until
from tests.gateways.aliyun import Aliyun
from tests.gateways.tencent import Tencent
from tests.notifications.test_cloud_sending import approved
from tests.notifications.test_lifecycle import drain
from tests.notifications.test_sending import freeze, states

pytestmark = pytest.mark.django_db(transaction=True)
BODY = '亲爱的{{ name or "顾客" }}，新年快乐！'
CROWD = 10
# Of a call here: long enough for somebody to do something meanwhile.
LATENCY_MS = 300


@pytest.fixture
def tencent(tmp_path, settings):
    with Tencent(tmp_path / "tencent", review=0, signatures={"鸿雁花店": [0, ""]}) as service:
        settings.GATEWAY_PRIVATE_HOSTS = [service.host]
        yield service


@pytest.fixture
def aliyun(tmp_path, settings):
    with Aliyun(tmp_path / "aliyun") as service:
        settings.GATEWAY_PRIVATE_HOSTS = [service.host]
        yield service


@pytest.fixture
def at_tencent(tencent, noon) -> ProviderAccount:
    return registered.account_at_tencent(tencent, is_sandbox=True, batch_size=200, price="0.05", daily_budget=100)


@pytest.fixture
def at_aliyun(aliyun, noon) -> ProviderAccount:
    return registered.account_at(aliyun, is_sandbox=True, batch_size=100, price="0.05", daily_budget=100)


def planned_at(account: ProviderAccount, size: int = CROWD) -> Message:
    """A message in which everybody's text is another, in one submission."""
    cast.crowd(size)
    template = cast.template(BODY)
    approved(template, account)
    message = freeze(template, now=clock.now())
    deliveries.plan(message, Customer.objects.present(), occasion="greeting-1", now=clock.now())
    assert message.submissions.count() == 1
    return message


def work():
    """What a worker does, in a thread of its own."""
    try:
        drain()
    finally:
        connection.close()


@contextmanager
def sending_from_call(service, action: str, calls: int = 1):
    """A worker that is in the middle of its calls when the block begins, and has ended when it is over."""
    service.script.latency_ms = LATENCY_MS
    before = service.calls[action]
    worker = threading.Thread(target=work)
    worker.start()
    assert wait_until(lambda: service.calls[action] >= before + calls, every=0.005)
    yield
    worker.join()
    service.script.latency_ms = 0


def spent() -> int:
    """For how many messages the day's budget is used."""
    return round(AccountGauge.objects.get().spent / ProviderAccount.objects.get().price)


def counted() -> int:
    """To how many customers the caps count a message."""
    return RecentSends.objects.filter(subject__gt=0).exclude(sends=[]).count()


def stop_everything(_message):
    switch.stop(now=clock.now())


def pause(message):
    messages.pause([message.pk], now=clock.now())


def cancel(message):
    messages.cancel([message.pk], now=clock.now())


@pytest.mark.parametrize("act", [stop_everything, pause, cancel])
def test_nothing_is_handed_over_later_than_one_call_after_a_stop(tencent, at_tencent, act):
    message = planned_at(at_tencent)

    with sending_from_call(tencent, "SendSms"):
        act(message)
        by_then = tencent.calls["SendSms"]

    taken = len(tencent.ledger())
    assert taken == tencent.calls["SendSms"] == by_then
    assert 0 < taken < CROWD
    assert spent() == counted() == taken
    shown = progress([message.pk], now=clock.now())
    assert (shown.total, shown.count("sent")) == (CROWD, taken)
    if act is cancel:
        deliveries.close_overdue(now=clock.now())
    assert states() == {"sent": taken, "staff" if act is cancel else "queued": CROWD - taken}


def test_what_a_pause_kept_back_goes_out_once_when_staff_let_it_go_on(tencent, at_tencent):
    message = planned_at(at_tencent)
    with sending_from_call(tencent, "SendSms"):
        pause(message)
    assert set(states()) == {"sent", "queued"}

    messages.resume([message.pk])
    drain()

    assert states() == {"sent": CROWD}
    assert Counter(Counter(entry["number"] for entry in tencent.ledger()).values()) == {1: CROWD}
    assert spent() == counted() == CROWD
    assert set(Delivery.objects.values_list("attempts", flat=True)) == {1}


def test_who_opts_out_between_two_calls_gets_nothing_and_the_others_do(tencent, at_tencent):
    planned_at(at_tencent)
    last = Delivery.objects.latest("id").address

    with sending_from_call(tencent, "SendSms"):
        consent.withdraw_everywhere(last, channel=Channel.SMS, source=ConsentSource.REPLY, now=clock.now())

    assert last not in {entry["number"] for entry in tencent.ledger()}
    assert states() == {"sent": CROWD - 1, "opted_out": 1}
    assert spent() == counted() == CROWD - 1
    skipped = Delivery.objects.get(address=last)
    assert skipped.finished_at and skipped.cost == skipped.segments == 0


def test_connections_that_are_cut_between_two_calls_cost_nobody_the_message(tencent, at_tencent):
    planned_at(at_tencent)

    with sending_from_call(tencent, "SendSms", calls=2):
        storms.cut_others()()
    drain()

    assert states() == {"sent": CROWD}
    assert Counter(Counter(entry["number"] for entry in tencent.ledger()).values()) == {1: CROWD}
    assert spent() == counted() == CROWD


def test_nothing_is_handed_over_after_a_stop_while_aliyun_looks_for_one_bad_number(aliyun, at_aliyun):
    message = planned_at(at_aliyun, 100)
    aliyun.script.number_codes = {"13900000099": "isv.MOBILE_NUMBER_ILLEGAL"}

    with sending_from_call(aliyun, "SendBatchSms", calls=2):
        stop_everything(message)
        by_then = aliyun.calls.total()

    assert aliyun.calls.total() == by_then
    assert states() == {"sent": 50, "queued": 50}
    assert spent() == counted() == 50


def test_who_opts_out_while_aliyun_looks_for_one_bad_number_gets_nothing(aliyun, at_aliyun):
    planned_at(at_aliyun, 100)
    aliyun.script.number_codes = {"13900000000": "isv.MOBILE_NUMBER_ILLEGAL"}
    last = Delivery.objects.latest("id").address

    with sending_from_call(aliyun, "SendBatchSms"):
        consent.withdraw_everywhere(last, channel=Channel.SMS, source=ConsentSource.REPLY, now=clock.now())

    assert last not in {entry["number"] for entry in aliyun.ledger()}
    assert states() == {"sent": 98, "opted_out": 1, "refused_number": 1}
    assert spent() == counted() == 98


def test_a_search_that_runs_out_of_time_goes_on_where_it_stopped(aliyun, at_aliyun, monkeypatch):
    planned_at(at_aliyun, 100)
    bad = {f"139000000{place:02}": "isv.MOBILE_NUMBER_ILLEGAL" for place in (3, 50, 97)}
    aliyun.script.number_codes = bad
    aliyun.script.latency_ms = 40
    # So little that no try gets beyond its first calls.
    monkeypatch.setattr(clearance, "BEGIN_WITHIN", 0.1)

    drain()

    assert states() == {"sent": 97, "refused_number": 3}
    assert Counter(Counter(entry["number"] for entry in aliyun.ledger()).values()) == {1: 97}
    # No part is asked about twice: each call halves one, or is the last word on it.
    assert aliyun.calls.total() < 60
