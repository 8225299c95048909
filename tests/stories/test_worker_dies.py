"""Workers are killed in the middle of a campaign: nobody gets it twice, and what cannot be known is unknown."""

from collections import Counter
from collections.abc import Callable

import psutil
import pytest
from django.conf import settings
from django.db import connection

from notifications.models import Delivery, Submission
from tests import cast
from tests.gateway import wait_until
from tests.notifications.test_caps import move_clock
from tests.stories.watching import is_finished, seen, states, wait_for_sent

pytestmark = [pytest.mark.stories, pytest.mark.django_db(transaction=True)]
# A killed worker leaves up to 1,600 people waiting for the end of its lease; enough others have to be left.
EVERYBODY = 12_000
MOMENTS = (500, 1_500, 3_000)


def kill_at_each_moment(campaign, candidates: Callable[[], list[psutil.Process]]) -> None:
    """Kill one of the candidates whenever so many messages were sent."""
    for moment in MOMENTS:
        assert wait_for_sent(campaign, moment)
        assert wait_until(lambda: killed_one_of(candidates()), seconds=10, every=0.01)


def killed_one_of(processes: list[psutil.Process]) -> bool:
    """Kill the first; False when there is none."""
    for process in processes[:1]:
        process.kill()
    return bool(processes)


def finish(campaign) -> None:
    """Let the living send all they can, then let the leases of the dead run out."""
    assert wait_until(lambda: not Submission.objects.filter(status="queued").exists(), seconds=60)
    move_clock(minutes=2)
    assert wait_until(lambda: is_finished(campaign), seconds=60)


def check_the_ledger(gateway) -> None:
    """Nobody twice; whoever was told to be sent has it; whoever got it otherwise is unknown."""
    found = Counter(gateway.numbers())
    addresses = {status: set() for status in ("sent", "unknown")}
    for status, address in Delivery.objects.values_list("status", "address"):
        addresses[status].add(address)
    assert set(found.values()) == {1}
    assert addresses["sent"] <= set(found)
    assert set(found) <= addresses["sent"] | addresses["unknown"]
    assert len(addresses["sent"]) + len(addresses["unknown"]) == EVERYBODY


def test_a_killed_work_horse_leaves_only_its_calls_unknown(account, gateway, noon, deploy, schedule):
    cast.crowd(EVERYBODY)
    deployment = deploy("urgent", "bulk", "bulk", "default")
    (campaign,) = schedule("New Year")

    kill_at_each_moment(campaign, lambda: deployment.horses("bulk"))
    finish(campaign)

    check_the_ledger(gateway)
    assert states()["no_answer"] <= len(MOMENTS) * settings.CALLS_IN_FLIGHT * account.batch_size
    assert set(states()) <= {"sent", "no_answer"}
    assert seen(campaign).total == EVERYBODY


def test_a_killed_worker_leaves_nothing_behind_because_its_work_horse_goes_on(
    account, gateway, noon, deploy, schedule
):
    cast.crowd(EVERYBODY)
    deployment = deploy("urgent", "bulk", "bulk", "default")
    (campaign,) = schedule("New Year")

    kill_at_each_moment(campaign, lambda: deployment.workers("bulk", at_work=True))
    finish(campaign)

    check_the_ledger(gateway)
    assert wait_until(lambda: states() == {"sent": EVERYBODY}, seconds=10)
    assert wait_until(lambda: len(deployment.workers("bulk")) == 2, seconds=20)


def test_cut_connections_to_the_database_lose_no_answer(account, gateway, noon, deploy, schedule):
    cast.crowd(EVERYBODY)
    deploy("urgent", "bulk", "bulk", "default")
    (campaign,) = schedule("New Year")

    for moment in MOMENTS:
        assert wait_for_sent(campaign, moment)
        cut_connections_of_others()
    finish(campaign)

    check_the_ledger(gateway)
    assert wait_until(lambda: states() == {"sent": EVERYBODY}, seconds=10)


def test_a_restart_in_mid_campaign_leaves_nothing_unknown(account, gateway, noon, deploy, schedule):
    cast.crowd(EVERYBODY)
    before = deploy("urgent", "bulk", "bulk", "default")
    (campaign,) = schedule("New Year")

    assert wait_for_sent(campaign, MOMENTS[0])
    before.stop()
    in_hand = Submission.objects.filter(status__in=["leased", "called"]).count()
    deploy("urgent", "bulk", "bulk", "default")

    assert in_hand == 0
    assert wait_until(lambda: is_finished(campaign), seconds=60)
    check_the_ledger(gateway)
    assert wait_until(lambda: states() == {"sent": EVERYBODY}, seconds=10)


def cut_connections_of_others() -> None:
    """End every session of this database but our own, as a restart of PostgreSQL does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
