"""An account spends no more than its budget of the day, whoever sends, and gives back what it did not use."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection

from customers import clock
from notifications.models import AccountGauge, Message, ProviderAccount, Submission
from notifications.services import budgets, routing, sending
from tests import cast
from tests.gateway import Gateway, magic
from tests.notifications.test_caps import move_clock
from tests.notifications.test_pacing import planned
from tests.notifications.test_sending import freeze, states

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def second_gateway(tmp_path, process_environment, settings, account):
    """Another gateway, without an account yet."""
    running = Gateway(tmp_path / "second", "--no-receipts", environment=process_environment)
    settings.GATEWAY_PRIVATE_HOSTS = [*settings.GATEWAY_PRIVATE_HOSTS, running.host]
    yield running
    running.stop()


def work(_number=0):
    """One worker until nothing is due."""
    try:
        return sending.drain("bulk", seconds=10, clock=clock.now)
    finally:
        connection.close()


def spent(account):
    return AccountGauge.objects.get(account=account).spent


def test_four_workers_never_overspend(account, gateway, noon):
    ProviderAccount.objects.update(daily_budget="4.00", batch_size=7)
    planned(cast.template(), 280, now=noon)

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(work, range(4)))

    sent = len(gateway.numbers())
    assert spent(account) == sent * Decimal("0.045") <= 4
    # All that a whole call of seven still fits into.
    assert sent == 84
    assert states() == {"sent": 84, "queued": 196}


def test_what_the_budget_leaves_over_waits_until_tomorrow_and_says_why(account, gateway, noon):
    ProviderAccount.objects.update(daily_budget="1.00", batch_size=10)
    Message.objects.filter(pk=planned(cast.template(), 50, now=noon).pk).update(send_until=noon + timedelta(days=2))

    work()

    assert states() == {"sent": 20, "queued": 30}
    waiting = Submission.objects.filter(status="queued")
    assert {(one.held_for, one.send_after) for one in waiting} == {("budget", budgets.renewed_at(noon))}

    move_clock(hours=22)
    work()

    assert states() == {"sent": 40, "queued": 10}


def test_another_account_goes_on_where_one_is_used_up(account, gateway, second_gateway, noon):
    ProviderAccount.objects.update(daily_budget="1.00", batch_size=10)
    cast.account(second_gateway.url, batch_size=10)
    planned(cast.template(), 200, now=noon)

    work()
    move_clock(seconds=2)
    work()

    assert states() == {"sent": 200}
    assert len(gateway.numbers()) <= 22
    assert len(set(gateway.numbers() + second_gateway.numbers())) == 200


def test_what_was_definitely_not_taken_is_given_back(account, gateway, noon):
    ProviderAccount.objects.update(daily_budget="1.00")
    planned(cast.template(), 3, now=noon)
    planned(cast.template(name="另一条"), 1, now=noon, first_phone=int(magic("0001")), occasion="greeting-2")

    work()

    assert states() == {"sent": 3, "refused_number": 1}
    assert spent(account) == 3 * Decimal("0.045")


def test_a_code_may_use_what_a_campaign_had_to_leave(account, gateway, noon):
    ProviderAccount.objects.update(daily_budget="1.00", batch_size=10)
    planned(cast.template(), 50, now=noon)
    work()
    template = cast.template("您的验证码是123456", purpose="transactional")
    planned(template, 1, now=noon, first_phone=13700000000, occasion="code-1")

    sending.drain("urgent", seconds=2, clock=clock.now)

    assert "13700000000" in gateway.numbers()


def test_a_higher_budget_lets_what_waits_go_on(account, gateway, noon):
    ProviderAccount.objects.update(daily_budget="1.00", batch_size=10)
    planned(cast.template(), 50, now=noon)
    work()
    ProviderAccount.objects.update(daily_budget="10.00")

    budgets.release(account, now=clock.now())
    work()

    assert states() == {"sent": 50}


def test_accounts_share_the_calls_as_staff_said(account, second_gateway, noon):
    other = cast.account(second_gateway.url)
    ProviderAccount.objects.filter(pk=account.pk).update(share=70)
    ProviderAccount.objects.filter(pk=other.pk).update(share=30)
    message = freeze(cast.template(), now=noon)

    chosen = [routing.route_for(message, now=noon).account.pk for _ in range(600)]

    # Six standard deviations: once in a billion runs it is chance.
    assert 0.59 < chosen.count(account.pk) / 600 < 0.81


def test_a_poor_health_lessens_the_share(account, second_gateway, noon):
    other = cast.account(second_gateway.url)
    AccountGauge.objects.create(account=other, health=5)
    message = freeze(cast.template(), now=noon)

    chosen = [routing.route_for(message, now=noon).account.pk for _ in range(600)]

    assert 1 <= chosen.count(other.pk) < 100


def test_an_account_that_rests_leaves_its_calls_to_the_other(account, second_gateway, noon):
    other = cast.account(second_gateway.url)
    AccountGauge.objects.create(account=account, rests_until=noon + timedelta(hours=1))
    message = freeze(cast.template(), now=noon)

    assert {routing.route_for(message, now=noon).account for _ in range(20)} == {other}


def test_a_lone_account_without_limits_costs_no_statement_more(account, noon, django_assert_num_queries):
    message = freeze(cast.template(), now=noon)

    with django_assert_num_queries(1):
        routing.route_for(message, now=noon)
