"""An undo beside what happens at the same moment, on another connection."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction

from customers import clock
from customers.choices import Channel, ConsentSource
from customers.models import Consent, ContactPoint, Customer, Suppression, UndoFinding
from customers.services import consent, customers, import_undo, removals, undo_steps
from notifications.models import Delivery
from notifications.services import deliveries, messages
from tests import cast
from tests.customers.files import imported, table

LI_NA = {"姓名": "李娜", "手机号": "13800000001", "短信同意": "是"}


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """A directory of the test's own for uploaded files."""
    settings.UPLOADS = tmp_path / "uploads"


@pytest.fixture
def beside():
    """Start something on a connection of its own; it has ended with the test."""
    threads = []

    def start(work) -> threading.Event:
        done = threading.Event()

        def run():
            try:
                work()
                done.set()
            finally:
                connection.close()

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return done

    yield start
    for thread in threads:
        thread.join(20)


def during_the_undo(monkeypatch, work) -> None:
    """Do something when everything is judged and nothing is taken back yet."""
    take_back = undo_steps.take_back

    def take_back_meanwhile(*arguments, **named):
        work()
        return take_back(*arguments, **named)

    monkeypatch.setattr(undo_steps, "take_back", take_back_meanwhile)


@pytest.mark.parametrize("way", ["by number", "by customer"])
def test_an_opt_out_that_arrives_during_the_undo_is_never_lost(transactional_db, monkeypatch, beside, way):
    file = imported(table(LI_NA))
    customer = Customer.objects.get()
    told = []

    def opt_out():
        if way == "by number":
            consent.withdraw_everywhere(
                "13800000001", channel=Channel.SMS, source=ConsentSource.REPLY, wording="TD", now=clock.now()
            )
        else:
            consent.withdraw([customer.pk], channels=[Channel.SMS], source=ConsentSource.STAFF, now=clock.now())

    def meanwhile():
        told.append(beside(opt_out))
        assert not told[0].wait(0.5)

    during_the_undo(monkeypatch, meanwhile)
    import_undo.start(file, by=None, now=clock.now())
    import_undo.run(file.pk, clock=clock.now)

    assert told[0].wait(10)
    assert not Customer.objects.exists()
    assert not Consent.objects.exists()
    assert Suppression.objects.get().address == "13800000001"


def test_a_campaign_that_is_planned_during_the_undo_writes_to_nobody_who_goes(transactional_db, monkeypatch, beside):
    file = imported(table(LI_NA))
    stays = cast.li_na()
    now = clock.now()
    message = messages.freeze(
        cast.template(),
        name="问候",
        price="0.045",
        send_after=now,
        send_until=now + timedelta(days=1),
        by=None,
        now=now,
    )
    planned = []

    def meanwhile():
        planned.append(beside(lambda: deliveries.plan(message, Customer.objects.present(), occasion="a", now=now)))
        assert not planned[0].wait(0.5)

    during_the_undo(monkeypatch, meanwhile)
    import_undo.start(file, by=None, now=now)
    import_undo.run(file.pk, clock=clock.now)

    assert planned[0].wait(10)
    assert list(Delivery.objects.values_list("customer", flat=True)) == [stays.pk]


def test_whoever_is_being_written_to_stays(transactional_db, monkeypatch, beside):
    """The undo waits until the campaign is planned, without making anybody queue behind it."""
    monkeypatch.setattr(import_undo, "BUSY_FOR", 0.05)
    file = imported(table(LI_NA))
    import_undo.start(file, by=None, now=clock.now())
    customer = Customer.objects.get()

    with transaction.atomic():
        removals.hold_off()
        undone = beside(lambda: import_undo.run(file.pk, clock=clock.now))
        assert not undone.wait(0.5)
        other = beside(removals_of_another)
        assert other.wait(5)
        Delivery.objects.create(
            message=messages.freeze(
                cast.template(), name="问候", price="0.045", send_after=clock.now(),
                send_until=clock.now() + timedelta(days=1), by=None, now=clock.now(),
            ),
            customer=customer, occasion="a", address="13800000001", created_at=clock.now(),
        )  # fmt: skip

    assert undone.wait(10)
    assert Customer.objects.get() == customer
    assert UndoFinding.objects.get().reason == "written"


def removals_of_another() -> None:
    """Somebody else holds removals off at the same time."""
    with transaction.atomic():
        removals.hold_off()


def test_a_page_that_is_being_saved_is_waited_for_and_counts(transactional_db, beside):
    file = imported(table(LI_NA))
    import_undo.start(file, by=None, now=clock.now())
    customer = Customer.objects.get()

    with transaction.atomic():
        customers.hold(customer, seen=customer.updated_at)
        undone = beside(lambda: import_undo.run(file.pk, clock=clock.now))
        assert not undone.wait(0.5)
        customer.note = "老朋友"
        customers.save(customer, addresses={}, tags=None, now=clock.now())

    assert undone.wait(10)
    assert Customer.objects.get().note == "老朋友"
    assert ContactPoint.objects.exists()
    assert UndoFinding.objects.get().reason == "edited"


def test_a_second_worker_takes_nothing_back_twice(transactional_db, monkeypatch, beside):
    file = imported(table(LI_NA))
    import_undo.start(file, by=None, now=clock.now())
    results = []

    def meanwhile():
        assert beside(lambda: results.append(import_undo.run(file.pk, clock=clock.now))).wait(5)

    during_the_undo(monkeypatch, meanwhile)
    counts = import_undo.run(file.pk, clock=clock.now)

    assert results == [{}]
    assert counts["removed"] == 1
