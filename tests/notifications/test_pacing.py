"""An account's pace is kept whoever sends, and whoever waits for a message goes before a campaign."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from django.db import connection

from customers import clock
from customers.models import Customer
from notifications.models import AccountGauge, ProviderAccount, Submission
from notifications.services import deliveries, sending
from tests import cast
from tests.notifications.test_sending import freeze, states

pytestmark = pytest.mark.django_db(transaction=True)


def planned(template, size, *, now, first_phone=13900000000, occasion="greeting-1"):
    """A message to so many people, ready to go."""
    ids = cast.crowd(size, first_phone=first_phone)
    message = freeze(template, now=now)
    deliveries.plan(message, Customer.objects.filter(pk__in=ids), occasion=occasion, now=now)
    return message


def work(queue="bulk", *, seconds):
    """One worker for so long."""
    try:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            sending.drain(queue, seconds=ends - time.monotonic(), clock=clock.now)
            time.sleep(0.1)
    finally:
        connection.close()


def moments(gateway):
    """When the gateway took each message, in seconds, in order."""
    return sorted(datetime.fromisoformat(entry["time"]).timestamp() for entry in gateway.ledger())


def test_two_workers_together_keep_the_pace(account, gateway, noon):
    ProviderAccount.objects.update(pace=50, batch_size=10)
    planned(cast.template(), 200, now=noon)

    with ThreadPoolExecutor(2) as workers:
        for done in [workers.submit(work, seconds=6) for _ in range(2)]:
            done.result()

    taken = moments(gateway)
    assert states() == {"sent": 200}
    # One call may be late by a moment, and carries ten.
    assert max(sum(start <= moment < start + 1 for moment in taken) for start in taken) <= 60
    assert taken[-1] - taken[0] >= 3.5


def test_a_code_goes_out_within_five_seconds_beside_a_campaign(account, gateway, noon):
    ProviderAccount.objects.update(pace=50)
    planned(cast.template(), 2_000, now=noon)
    campaign = threading.Thread(target=work, kwargs={"seconds": 7})
    campaign.start()
    time.sleep(2)
    template = cast.template("您的验证码是123456", purpose="transactional")
    planned(template, 1, now=noon, first_phone=13700000000, occasion="code-1")
    started = time.monotonic()

    while "13700000000" not in gateway.numbers() and time.monotonic() < started + 10:
        sending.drain("urgent", seconds=1, clock=clock.now)
        time.sleep(0.1)

    took = time.monotonic() - started
    campaign.join()
    assert took < 5
    assert states()["sent"] > 100


def test_calls_carry_no_more_than_a_second_of_the_pace(account, noon):
    ProviderAccount.objects.update(pace=20)
    planned(cast.template(), 50, now=noon)

    assert sorted(Submission.objects.values_list("size", flat=True)) == [10, 20, 20]


def test_a_fast_account_is_not_cut_to_the_pace_of_a_slow_one(account, gateway, noon):
    ProviderAccount.objects.update(pace=20)
    cast.account(f"{gateway.url}/").save()

    assert deliveries.batch_size(freeze(cast.template(), now=noon)) == 100


def test_what_does_not_fit_waits_for_its_turn_and_says_so(account, gateway, noon):
    ProviderAccount.objects.update(pace=20)
    AccountGauge.objects.create(account=account, paced_until=noon + timedelta(minutes=5))
    planned(cast.template(), 100, now=noon)

    sending.drain("bulk", seconds=0, clock=clock.now)

    assert gateway.numbers() == []
    assert set(Submission.objects.values_list("status", "held_for")) == {("queued", "pace")}


def test_a_clock_that_was_set_back_stops_nothing(account, gateway, noon):
    ProviderAccount.objects.update(pace=50)
    AccountGauge.objects.create(account=account, paced_until=noon + timedelta(days=1))
    planned(cast.template(), 20, now=noon)

    work(seconds=1)

    assert len(gateway.numbers()) == 20
