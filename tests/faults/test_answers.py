"""Gateways that lose, cut, bend and contradict their answers: everybody gets what was promised, and no more."""

import pytest

from customers.choices import Purpose
from customers.models import ClockOffset
from notifications import jobs
from notifications.models import ProviderAccount
from tests import cast, registered
from tests.faults import oracle, work
from tests.gateways.aliyun import AliyunProcess
from tests.gateways.tencent import TencentProcess

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
# Each question about one of them takes a twentieth of a second, as Tencent Cloud wants it.
EVERYBODY = 20
LOST = ("drop", "truncate", "html", "500", "foreign", "bomb", "redirect")
ROWS = ("permuted", "missing", "alien", "duplicated", "contradictory")
both = pytest.mark.parametrize("purpose", [Purpose.MARKETING, Purpose.TRANSACTIONAL])


@pytest.fixture
def aliyun(tmp_path, noon, settings):
    """A local Aliyun in the shop's time."""
    service = AliyunProcess(tmp_path / "aliyun", offset=ClockOffset.objects.get().offset.total_seconds())
    settings.GATEWAY_PRIVATE_HOSTS = [service.host]
    yield service
    service.stop()


@pytest.fixture
def tencent(tmp_path, noon, settings):
    """A local Tencent Cloud in the shop's time, which approves texts at once."""
    service = TencentProcess(
        tmp_path / "tencent",
        offset=ClockOffset.objects.get().offset.total_seconds(),
        review=0,
        signatures={"鸿雁花店": [0, ""]},
    )
    settings.GATEWAY_PRIVATE_HOSTS = [service.host]
    yield service
    service.stop()


def send_under(service, account, purpose, name: str, values) -> dict[int, int]:
    """One message to everybody under each value of a setting; answers whom each of them was for."""
    audience = {}
    for value in values:
        message = work.plan(purpose, occasion=f"{name} {value}", approved_by=account)
        service.set(**{name: value})
        jobs.send_due(queue=Purpose(purpose).queue)
        service.set(**{name: ""})
        audience[message.pk] = EVERYBODY
    return audience


@both
def test_answers_that_are_lost_after_everybody_was_taken(aliyun, purpose):
    cast.crowd(EVERYBODY)
    account = registered.account_at(aliyun, is_sandbox=True, batch_size=10)
    audience = send_under(aliyun, account, purpose, "fault", [f"taken_{fault}" for fault in LOST])
    in_doubt = work.states()
    aliyun.set(receipt="3")

    work.finish(purpose)

    ledger = oracle.of_aliyun(aliyun.ledger())
    oracle.satisfied(ledger, audience=audience, all_reached=True)
    assert in_doubt == {"unknown ambiguous": EVERYBODY * len(LOST)}
    assert len(ledger) == EVERYBODY * len(LOST)
    assert work.states() == {"delivered": EVERYBODY * len(LOST)}


@both
def test_answers_that_say_nothing_although_nobody_was_taken(aliyun, purpose):
    cast.crowd(EVERYBODY)
    account = registered.account_at(aliyun, is_sandbox=True, batch_size=10)
    audience = send_under(aliyun, account, purpose, "fault", LOST)
    assert aliyun.ledger() == []
    aliyun.set(receipt="3")

    work.finish(purpose)

    oracle.satisfied(oracle.of_aliyun(aliyun.ledger()), audience=audience, all_reached=True)
    assert not ProviderAccount.objects.exclude(paused_for="").exists()


@both
def test_rows_of_answers_that_do_not_fit_their_calls(tencent, purpose):
    cast.crowd(EVERYBODY)
    account = registered.account_at_tencent(tencent, is_sandbox=True, batch_size=10)
    audience = send_under(tencent, account, purpose, "rows", ROWS)

    work.finish(purpose)

    ledger = oracle.of_tencent(tencent.ledger())
    oracle.satisfied(ledger, audience=audience, all_reached=True)
    assert len(ledger) == EVERYBODY * len(ROWS)
    assert work.states() == {"delivered": EVERYBODY * len(ROWS)}
