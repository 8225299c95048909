"""What the faults share: gateways that obey a script, a deployment to kill, and jobs that clean up after it."""

import time
from collections.abc import Callable, Iterator

import pytest

from campaigns.models import Campaign
from customers import doorbell
from notifications.models import ProviderAccount
from tests import cast
from tests.gateway import Gateway
from tests.notifications.conftest import noon  # noqa: F401 - a fixture
from tests.stories.conftest import deploy, schedule, valkey  # noqa: F401 - fixtures

# Longer than it takes to count the audience again.
SOON = 0.3


@pytest.fixture
def gateway(tmp_path, process_environment) -> Iterator[Gateway]:
    """The sandbox gateway, which takes a call like every other however often it comes, as the clouds do."""
    arguments = ("--no-receipts", "--latency-ms", "50", "--not-idempotent")
    running = Gateway(tmp_path / "gateway", *arguments, environment=process_environment)
    yield running
    running.stop()


@pytest.fixture
def account(transactional_db, gateway, settings) -> ProviderAccount:
    """An account at that gateway, in calls of 25 so that many are in the air."""
    settings.GATEWAY_PRIVATE_HOSTS = [gateway.host]
    return cast.account(gateway.url, batch_size=25)


@pytest.fixture
def launch(schedule) -> Callable[..., list[Campaign]]:  # noqa: F811 - the fixture
    """Schedules campaigns, and rings at their moment for what the timetable would start within seconds."""

    def commit(*names: str) -> list[Campaign]:
        campaigns = schedule(*names, seconds=SOON)
        time.sleep(SOON)
        doorbell.ring("campaigns.jobs.launch_due", queue="bulk")
        return campaigns

    return commit
