"""The end of a campaign as its page foresees it: by what was seen lately, within the pace of the accounts."""

import uuid
from datetime import timedelta

import pytest

from customers import clock
from notifications.models import ProviderAccount, Submission
from notifications.services import switch
from notifications.services.progress import RATE_WINDOW, foresee, progress
from tests import cast
from tests.notifications import handed_over
from tests.notifications.test_lifecycle import planned

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(db):
    return handed_over.account(batch_size=10)


def settle(count, account):
    """Some calls of the message are over."""
    now = clock.now()
    for submission in Submission.objects.order_by("id")[:count]:
        Submission.objects.filter(pk=submission.pk).update(
            status="settled", token=uuid.uuid4(), called_at=now, settled_at=now, account=account
        )


def foreseen(message):
    now = clock.now()
    return foresee(progress([message.pk], now=now), [message.pk], now=now), now


def test_a_pace_says_the_end_before_the_first_call(account):
    ProviderAccount.objects.update(pace=5)
    message = planned(100)

    found, now = foreseen(message)

    assert found.finishes_at - now == timedelta(seconds=20)


def test_a_quick_beginning_promises_no_end_that_the_pace_forbids(account):
    message = planned(100)
    settle(6, account)
    ProviderAccount.objects.update(pace=1)

    found, now = foreseen(message)

    assert found.rate_per_second == 60 / RATE_WINDOW.total_seconds()
    assert found.finishes_at - now == timedelta(seconds=found.remaining)


@pytest.mark.parametrize(("kind", "calls"), [(handed_over.ALIYUN, 3), (handed_over.TENCENT, 30)])
def test_where_every_text_is_a_call_of_its_own_there_are_as_many_calls_as_people(account, kind, calls):
    message = planned(100)
    settle(3, account)
    ProviderAccount.objects.update(**(kind | {"batch_size": 10, "url": "https://gateway.example.com"}))

    found, _now = foreseen(message)

    assert found.calls_per_second == pytest.approx(calls / RATE_WINDOW.total_seconds())


def test_what_was_over_before_the_stop_is_not_shown_as_stopped(account):
    handed_over.sent(account, 5, now=clock.now() - timedelta(hours=1), occasion="over")
    Submission.objects.update(settled_at=clock.now() - timedelta(hours=1))
    cast.crowd(10, first_phone=13600000000)
    running = handed_over.freeze(cast.template("另一条"), now=clock.now())
    handed_over.deliveries.plan(running, handed_over.Customer.objects.present(), occasion="running", now=clock.now())

    switch.stop(now=clock.now())

    assert [standing.message_id for standing in switch.standings(since=switch.stopped().stopped_at)] == [running.pk]
