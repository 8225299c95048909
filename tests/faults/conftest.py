"""What the faults share: gateways that obey a script, a deployment to kill, and jobs that clean up after it."""

from collections.abc import Iterator

import pytest

from notifications.models import ProviderAccount
from tests import cast
from tests.gateway import Gateway
from tests.notifications.conftest import noon  # noqa: F401 - a fixture
from tests.stories.conftest import deploy, schedule, valkey  # noqa: F401 - fixtures


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
