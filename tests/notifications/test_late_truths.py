"""Truths that come late: what it cost, what the caps count and what the day's budget holds stay exact."""

import threading
from collections import Counter
from itertools import permutations

import pytest
from django.db import connection, transaction

from customers import clock
from customers.choices import Purpose
from notifications.choices import CallbackKind
from notifications.models import AccountGauge, Delivery, DeliveryTally, ProviderAccount, RecentSends
from notifications.providers.base import Answer, Outcome
from notifications.services import authorizing, callbacks, receipts, resending, sending, settling
from notifications.services.cap_memory import rebuild
from notifications.services.findings import Finding
from notifications.services.findings import write as write_findings
from tests import cast
from tests.notifications import handed_over
from tests.notifications.test_caps import move_clock
from tests.notifications.test_lifecycle import drain, planned
from tests.notifications.test_reconciling import ask, calls_without_answer, later, states

pytestmark = pytest.mark.django_db(transaction=True)


def spent():
    return AccountGauge.objects.get().spent


def cost():
    """What the sums of all campaigns say, and what the rows say."""
    told = sum(row.cost for row in DeliveryTally.objects.all())
    assert told == sum(Delivery.objects.values_list("cost", flat=True))
    return told


def counted():
    """What the caps count, which is what they would count if it were worked out anew."""
    found = {subject: sends for subject, sends in RecentSends.objects.values_list("subject", "sends") if sends}
    rebuild(now=clock.now())
    assert found == dict(RecentSends.objects.values_list("subject", "sends"))
    return sum(subject > 0 for subject in found)


def never_found(gateway, size, purpose=Purpose.MARKETING):
    """Messages whose calls were lost, and of which the gateway twice knows nothing."""
    ProviderAccount.objects.update(daily_budget=100)
    cast.crowd(size)
    message = calls_without_answer(gateway, "drop", purpose)
    assert spent() == cost() > 0
    later(minutes=2)
    ask()
    later(minutes=8)
    ask()
    return message


def push(account, ids, status="delivered", **told):
    items = [handed_over.report(id, status, **told) for id in ids]
    callbacks.store(account, handed_over.encoded(items), kind=CallbackKind.RECEIPTS, now=clock.now())
    receipts.apply(now=clock.now())


def test_what_was_never_taken_gives_the_days_budget_back(account, gateway, noon):
    never_found(gateway, 150)

    assert states() == {"failed not_taken": 150}
    assert spent() == cost() == counted() == 0


def test_an_order_message_that_goes_out_again_is_paid_for_once(account, gateway, noon):
    never_found(gateway, 20, Purpose.SERVICE)
    assert spent() == cost() == 0

    drain_of(Purpose.SERVICE)

    assert states() == {"sent": 20}
    assert spent() == cost() == 20 * Delivery.objects.first().segments * account.price
    assert counted() == 20


def drain_of(purpose):
    return sending.drain(Purpose(purpose).queue, seconds=10, clock=clock.now)


@pytest.mark.parametrize("status", ["delivered", "undelivered"])
def test_what_was_given_up_and_arrives_after_all_costs_and_counts_again(account, gateway, noon, status):
    never_found(gateway, 30)
    late = list(Delivery.objects.order_by("id").values_list("id", flat=True)[:10])

    push(account, late, status, code="E-1")
    push(account, late, status, code="E-1")

    assert Counter(Delivery.objects.values_list("status", flat=True)) == {status: 10, "failed": 20}
    assert spent() == cost() == 10 * Delivery.objects.get(pk=late[0]).segments * account.price
    assert counted() == 10


def test_a_receipt_that_overtakes_a_refusal_keeps_its_slot_and_its_cost(account, gateway, noon):
    ProviderAccount.objects.update(daily_budget=100)
    message = planned(10)
    (batch,) = sending._next_batches("bulk", clock.now())
    route = ProviderAccount.objects.get()
    authorized = authorizing.authorize(message, batch.leased, batch.prepared, unsendable={}, account=route)
    move_clock(minutes=2)
    settling.recover_lost(now=clock.now())
    late = [Answer(f"{row.id}", Outcome.REFUSED_NUMBER, "", "E-1", "") for row in batch.prepared]
    push(route, [row.id for row in batch.prepared[:4]])

    settling.settle(message, [settling.Call(batch.leased[0], batch.prepared, late)], authorized, now=clock.now())

    assert states() == {"delivered": 4, "failed refused_number": 6}
    assert spent() == cost() == 4 * account.price
    assert counted() == 4


FAILURES = [
    {"code": "absent", "at": None},
    {"code": "full", "at": None},
    {"code": "E-1", "at": "2026-05-01T10:00:05+08:00"},
]


def test_of_failures_that_contradict_each_other_the_same_one_stands_in_any_order(account, noon):
    outcomes = set()
    for place, order in enumerate(permutations(FAILURES)):
        (one,) = handed_over.sent(account, 1, now=cast.at("2026-05-01 10:00"), occasion=f"order-{place}",
                                  first_phone=13700000000 + place)[-1:]  # fmt: skip
        for told in order:
            push(account, [one], "undelivered", **told)
        outcomes.add(Delivery.objects.values_list("status", "reason", "finished_at").get(pk=one))

    assert outcomes == {("undelivered", "E-1", cast.at("2026-05-01 10:00:05"))}


@pytest.mark.parametrize("is_asked_first", [True, False])
def test_a_carriers_report_stands_before_what_the_gateway_said_when_asked(account, noon, is_asked_first):
    (one,) = handed_over.sent(account, 1, now=clock.now())
    delivery = Delivery.objects.get(pk=one)
    type(delivery.submission).objects.update(ask_at=clock.now())
    said = Answer("", Outcome.TAKEN, "", "asked", "", delivered=False)
    move_clock(minutes=5)
    acts = [
        lambda: write_findings([Finding(delivery.submission_id, taken={one: said})], now=clock.now()),
        lambda: push(account, [one], "undelivered", code="carrier", at=(clock.now()).isoformat()),
    ]

    for act in acts if is_asked_first else reversed(acts):
        act()

    delivery.refresh_from_db()
    assert (delivery.status, delivery.reason) == ("undelivered", "carrier")


def test_a_late_refusal_in_the_very_moment_of_sending_again_lets_one_of_both_go(account, gateway, noon):
    message = planned(10)
    (batch,) = sending._next_batches("bulk", clock.now())
    authorized = authorizing.authorize(message, batch.leased, batch.prepared, unsendable={}, account=account)
    move_clock(minutes=2)
    settling.recover_lost(now=clock.now())
    late = [Answer(f"{row.id}", Outcome.REFUSED_LATER, "", "throttled", "", is_for_all=True) for row in batch.prepared]
    landed = [settling.Call(batch.leased[0], batch.prepared, late)]

    def settle():
        try:
            settling.settle(message, landed, authorized, now=clock.now())
        finally:
            connection.close()

    worker = threading.Thread(target=settle)
    with transaction.atomic():
        resending.resend([message], statuses=["unknown"], seen=10, by=None, now=clock.now())
        # The twins are written, and nobody else can see them yet.
        worker.start()
        worker.join(0.5)
        assert worker.is_alive()
    worker.join()
    move_clock(minutes=1)
    drain()

    assert states() == {"failed not_taken": 10, "sent": 10}
    assert len(gateway.numbers()) == len(set(gateway.numbers())) == 10
