"""The switch that stops everything holds from the moment it is moved."""

import pytest
from django.db import IntegrityError, connection, transaction

from customers import clock
from customers.models import Customer
from notifications.choices import StopReason
from notifications.models import SendingSwitch
from notifications.services import authorizing, deliveries, sending, switch
from tests import cast
from tests.notifications.test_sending import freeze, states

pytestmark = pytest.mark.django_db(transaction=True)


def drain():
    return sending.drain("bulk", seconds=10, clock=clock.now)


def planned(size=250):
    cast.crowd(size)
    message = freeze(cast.template(), now=clock.now())
    deliveries.plan(message, Customer.objects.present(), occasion="greeting-1", now=clock.now())
    return message


def test_nothing_leaves_while_everything_is_stopped_and_all_of_it_afterwards(account, gateway, noon):
    planned()
    switch.stop(now=noon)

    while_stopped = drain()
    switch.start()
    drain()

    assert not while_stopped
    assert len(gateway.numbers()) == len(set(gateway.numbers())) == 250


def test_what_a_worker_leased_before_the_stop_is_not_handed_over(account, gateway, noon):
    message = planned(50)
    (batch,) = sending._next_batches("bulk", clock.now())
    switch.stop(now=noon)

    assert authorizing.authorize(message, batch.leased, batch.prepared, unsendable={}, account=account) is None
    assert states() == {"queued": 50}


def test_the_numbers_after_a_stop_say_who_has_it_and_who_does_not(account, gateway, noon):
    message = planned(150)
    batches = sending._next_batches("bulk", clock.now())
    one = [batches[0].leased[0]]
    authorizing.authorize(message, one, batches[0].prepared, unsendable={}, account=account)
    switch.stop(now=noon)

    (standing,) = switch.standings(since=noon)

    assert (standing.in_the_air, standing.waiting, standing.handed_over) == (100, 50, 0)


def test_a_second_stop_changes_nothing(noon):
    assert switch.stop(now=noon)
    assert not switch.stop(now=noon, reason=StopReason.RESTORED)

    assert switch.stopped().reason == StopReason.STAFF


def test_the_switch_is_one_row(noon):
    switch.stop(now=noon)

    with pytest.raises(IntegrityError), transaction.atomic():
        SendingSwitch.objects.create(id=2)


def test_a_switch_is_never_off_without_a_reason(noon):
    switch.stop(now=noon)

    with pytest.raises(IntegrityError), transaction.atomic():
        SendingSwitch.objects.update(reason="")


def test_a_stop_is_saved_although_an_import_of_opt_outs_holds_the_gate(noon, monkeypatch):
    monkeypatch.setattr(switch, "WAIT_FOR_WORKERS", "100ms")
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [0x486F6E67])

    switch.stop(now=noon)

    assert switch.stopped()
    other.close()
