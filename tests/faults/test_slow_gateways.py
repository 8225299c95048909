"""A gateway that becomes slow: calls shift away from it by what was measured, and come back without swinging."""

from collections import Counter
from itertools import pairwise

import pytest

from customers import clock
from customers.choices import Purpose
from notifications import jobs
from notifications.models import AccountGauge, ProviderAccount, Submission
from notifications.services import account_health
from tests import cast
from tests.faults import oracle, storms, work
from tests.gateway import Gateway
from tests.notifications.test_caps import move_clock

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
EVERYBODY = 40
SLOW_MS, QUICK_MS = 600, 5


@pytest.fixture
def other_gateway(tmp_path, process_environment, settings, account):
    """A second gateway, as quick as the first."""
    running = Gateway(tmp_path / "other", "--no-receipts", "--not-idempotent", environment=process_environment)
    settings.GATEWAY_PRIVATE_HOSTS = [*settings.GATEWAY_PRIVATE_HOSTS, running.host]
    yield running
    running.stop()


@pytest.fixture
def pair(account, gateway, other_gateway, monkeypatch) -> tuple[ProviderAccount, ProviderAccount]:
    """Two accounts with one call for each person; what is slow begins earlier than in a shop, or tests would wait."""
    monkeypatch.setattr(account_health, "SLOW_SECONDS", 0.35)
    # Accounts are drawn by lot: of forty calls one gets fewer than twenty every other time, fewer than eight never.
    monkeypatch.setattr(account_health, "FEWEST_CALLS", 8)
    storms.without_brake()
    cast.crowd(EVERYBODY)
    other = cast.account(other_gateway.url)
    ProviderAccount.objects.update(batch_size=1)
    gateway.set(latency_ms=QUICK_MS)
    other_gateway.set(latency_ms=QUICK_MS)
    return account, other


def health(account: ProviderAccount) -> int:
    gauge = AccountGauge.objects.filter(account=account).first()
    return gauge.health if gauge else account_health.FULL_HEALTH


def minutes(account: ProviderAccount, count: int, *, since: int = 0) -> tuple[list[int], Counter]:
    """A message to everybody each minute: an account's health after each, and who carried how many calls."""
    healths = []
    before = set(Submission.objects.values_list("pk", flat=True))
    for minute in range(since, since + count):
        work.plan(Purpose.MARKETING, occasion=f"minute-{minute}")
        jobs.send_due(queue="bulk")
        jobs.review_accounts()
        healths.append(health(account))
        move_clock(minutes=1, seconds=1)
    fresh = Submission.objects.exclude(pk__in=before).filter(status="settled")
    return healths, Counter(fresh.values_list("account_id", flat=True))


def test_calls_shift_away_from_a_slow_gateway_and_come_back_without_swinging(pair, gateway, other_gateway, noon):
    slow, quick = pair
    gateway.set(latency_ms=SLOW_MS)

    falling, _calls = minutes(slow, 4)
    kept_low, calls = minutes(slow, 8, since=4)
    gateway.set(latency_ms=QUICK_MS)
    recovering, _calls = minutes(slow, 17, since=12)

    assert falling[1] <= 75
    assert min(falling) <= 25
    # It is tried with few calls again and again, and gets no more while it is slow.
    assert max(kept_low) <= 45
    assert 0 < calls[slow.pk] * 4 < calls[quick.pk]
    steps = [later - earlier for earlier, later in pairwise(kept_low)]
    assert max(steps) <= account_health.RECOVERS
    # What it was slow with stays in sight for five minutes; from then on it only goes up.
    rising = recovering[5:]
    assert rising == sorted(rising)
    assert recovering[-1] == 100
    assert health(quick) == 100
    ledger = [*gateway.ledger(), *other_gateway.ledger()]
    oracle.satisfied(oracle.of_sandbox(ledger), audience={})


def test_nothing_shifts_while_all_gateways_are_slow(pair, gateway, other_gateway, noon):
    gateway.set(latency_ms=SLOW_MS)
    other_gateway.set(latency_ms=SLOW_MS)

    healths, calls = minutes(pair[0], 3)

    assert healths == [100] * 3
    assert health(pair[1]) == 100
    # Neither falls to what a slow account is left with; how many each gets is drawn by lot.
    assert min(calls.values()) > EVERYBODY // 2
    assert clock.now() > noon
