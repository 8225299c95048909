"""Two people, two workers, or a worker and an import at the same rows: nobody is forgotten, nothing locks up."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction

from customers import clock
from customers.models import ClockOffset, Customer
from notifications.models import Delivery, FrequencyCap, Hold, Message, Submission
from notifications.services import authorizing, deliveries, messages, sending, settling, submissions
from tests import cast
from tests.notifications.test_caps import move_clock
from tests.notifications.test_lifecycle import drain, planned
from tests.notifications.test_sending import freeze, send, states

pytestmark = pytest.mark.django_db(transaction=True)


def growing(audience):
    """An audience into which an import brings 450 people right after it was counted."""

    def count(self):
        counted = super(type(self), self).count()
        cast.crowd(450, first_phone=13600000000)
        return counted

    audience.__class__ = type("Growing", (audience.__class__,), {"count": count})
    return audience


def test_people_who_join_while_a_campaign_is_planned_are_not_forgotten(account, gateway, noon):
    cast.crowd(50)
    message = freeze(cast.template(), now=noon)

    deliveries.plan(message, growing(Customer.objects.present()), occasion="greeting-1", now=noon)
    drain()

    assert states() == {"sent": 500}
    assert sum(Submission.objects.values_list("size", flat=True)) == 500


def test_an_audience_that_can_hold_nobody_is_planned_as_nobody(account, noon):
    message = freeze(cast.template(), now=noon)

    assert deliveries.plan(message, Customer.objects.filter(pk__in=[]), occasion="greeting-1", now=noon) == {}


def test_canceling_while_held_people_are_regrouped_locks_nothing_up(account, gateway, noon):
    cast.crowd(30)
    FrequencyCap.objects.create(name="每小时一条", limit=1, window="hours")
    template = cast.template()
    send(freeze(template, now=noon))
    send(freeze(template, now=noon, cap_policy="hold"), occasion="greeting-2")
    message = Message.objects.latest("id")
    move_clock(hours=1, minutes=1)
    half_way, regrouping = threading.Event(), threading.Event()

    def cancel():
        with transaction.atomic():
            Message.objects.filter(pk=message.pk).cancel(clock.now())
            messages._cancel_deliveries([message.pk], clock.now())
            half_way.set()
            regrouping.wait(2)
            Hold.objects.filter(message=message).delete()
        connection.close()

    def regroup():
        half_way.wait(5)
        threading.Timer(0.5, regrouping.set).start()
        try:
            return deliveries.regroup(now=clock.now())
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(cancel), pool.submit(regroup)]:
            done.result()

    assert states() == {"sent": 30, "staff": 30}
    assert not Hold.objects.exists()


def test_a_row_without_a_way_out_is_closed_with_its_window(account, gateway, noon):
    message = planned(10)
    Delivery.objects.update(submission=None)
    Submission.objects.update(status="empty")
    move_clock(hours=5)

    deliveries.close_overdue(now=clock.now())

    assert states() == {"too_late": 10}
    assert Message.objects.get() == message


def test_setting_the_clock_back_does_not_leave_work_with_dead_workers(account, gateway, noon):
    message = planned(200)
    offset = ClockOffset.objects.get().offset
    move_clock(days=2)
    Message.objects.update(send_until=clock.now() + timedelta(hours=4))
    message.refresh_from_db()
    first, second = submissions.lease("bulk", limit=2, now=clock.now())
    prepared, _ = sending.preparing.prepare(message, [first.id])
    authorizing.authorize(message, [first], prepared, unsendable={}, account=account)
    ClockOffset.objects.update(offset=offset)

    found = settling.recover_lost(now=clock.now())
    drain()

    assert found == {"requeued": 1, "lost": 1, "unknown": 100}
    assert states() == {"no_answer": 100, "sent": 100}
    assert second.id


def test_quiet_hours_and_the_last_check_take_the_same_rows_in_one_order(account, gateway, noon):
    message = planned(2000)
    opens_at = clock.now() + timedelta(hours=1)

    def check():
        try:
            leased = submissions.lease("bulk", limit=5, now=clock.now())
            prepared, _ = sending.preparing.prepare(message, [taken.id for taken in leased])
            authorizing.authorize(message, leased, prepared, unsendable={}, account=account)
        finally:
            connection.close()

    def hold():
        try:
            submissions.hold_for_quiet_hours(message, opens_at=opens_at)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work) for work in (check, hold, check, hold)]:
            done.result()

    assert sum(Submission.objects.values_list("size", flat=True)) == 2000
    assert not Submission.objects.filter(status="leased").exists()
