"""Calls shift away from an account that fails or is slow, come back, and stay where all are as bad."""

import uuid
from datetime import timedelta

import pytest

from customers import clock
from notifications.models import AccountGauge, HealthChange, Submission
from notifications.services import account_health
from tests import cast
from tests.notifications.test_sending import freeze, send

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def pair(account):
    """Two accounts of one channel."""
    return account, cast.account("http://127.0.0.1:1")


def calls(account, count, *, now, failed=0, seconds=0.2):
    """Calls of the last minute, of which so many failed."""
    message = freeze(cast.template(name=str(uuid.uuid4())), now=now)
    called_at = now - timedelta(seconds=30)
    Submission.objects.bulk_create(
        Submission(
            message=message,
            account=account,
            queue="bulk",
            status="settled",
            send_after=now,
            token=uuid.uuid4(),
            called_at=called_at,
            settled_at=called_at + timedelta(seconds=seconds),
            has_failed=place < failed,
        )
        for place in range(count)
    )


def health(account):
    gauge = AccountGauge.objects.filter(account=account).first()
    return gauge.health if gauge else 100


def test_an_account_that_fails_gets_fewer_calls_and_says_why(pair, noon):
    bad, good = pair
    calls(bad, 20, failed=5, now=noon)
    calls(good, 20, now=noon)

    assert account_health.review(now=noon) == {"fell": 1}

    assert (health(bad), health(good)) == (75, 100)
    change = HealthChange.objects.get()
    assert change.words["en"] == "5 of 20 calls of the last five minutes were lost or put off."
    assert set(change.words) == {"en", "zh-hans"}


def test_an_account_that_is_slow_beside_the_best_gets_fewer_calls(pair, noon):
    bad, good = pair
    calls(bad, 20, seconds=4, now=noon)
    calls(good, 20, seconds=0.5, now=noon)

    account_health.review(now=noon)

    assert (health(bad), health(good)) == (75, 100)


@pytest.mark.parametrize("trouble", [{"failed": 20}, {"seconds": 9}])
def test_nothing_shifts_where_all_are_as_bad(pair, noon, trouble):
    for account in pair:
        calls(account, 20, now=noon, **trouble)

    assert account_health.review(now=noon) == {}


def test_a_few_calls_prove_nothing(pair, noon):
    calls(pair[0], 19, failed=19, now=noon)

    assert account_health.review(now=noon) == {}


def test_health_moves_once_a_minute_and_keeps_a_rest(pair, noon):
    calls(pair[0], 20, failed=20, now=noon)

    moments = [noon + timedelta(seconds=10 * step) for step in range(25)]
    healths = []
    for moment in moments:
        account_health.review(now=moment)
        healths.append(health(pair[0]))

    assert sorted(set(healths), reverse=True) == [75, 50, 25, 5]
    assert healths[:7] == [75] * 6 + [50]


def test_an_account_recovers_by_quiet_minutes(pair, noon):
    AccountGauge.objects.create(account=pair[0], health=75, health_changed_at=noon)

    for minutes in range(5):
        account_health.review(now=noon + timedelta(minutes=minutes))

    assert health(pair[0]) == 100
    assert list(HealthChange.objects.order_by("id").values_list("health", flat=True)) == [85, 95, 100]


def test_a_lone_account_has_no_health_to_lose(account, noon):
    calls(account, 20, failed=20, now=noon)

    assert account_health.review(now=noon) == {}


@pytest.mark.parametrize(("fault", "has_failed"), [("", False), ("throttled", True), ("drop_after", True)])
def test_a_call_that_nobody_took_for_sure_counts_as_failed(account, gateway, noon, fault, has_failed):
    cast.crowd(5)
    gateway.set(fault=fault)

    send(freeze(cast.template(), now=clock.now()))

    assert Submission.objects.filter(status="settled").first().has_failed is has_failed
