"""What the stories share: a gateway, processes that send, noon in the shop, campaigns that the timetable starts."""

import socket
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from campaigns.models import Campaign
from campaigns.services import campaigns, reviews
from customers import clock, doorbell
from notifications.models import ProviderAccount
from tests import cast
from tests.campaigns import shop
from tests.gateway import Gateway
from tests.notifications.conftest import noon  # noqa: F401 - a fixture
from tests.stories.deployment import Deployment
from tests.stories.own_valkey import Valkey

# Long enough for calls to be in the air when something happens.
LATENCY_MS = 400


@pytest.fixture
def gateway(tmp_path, process_environment) -> Iterator[Gateway]:
    """A sandbox gateway that takes its time and pushes no receipts."""
    arguments = ("--no-receipts", "--latency-ms", str(LATENCY_MS))
    running = Gateway(tmp_path / "gateway", *arguments, environment=process_environment)
    yield running
    running.stop()


@pytest.fixture
def account(transactional_db, gateway, settings) -> ProviderAccount:
    """The sandbox account at that gateway."""
    settings.GATEWAY_PRIVATE_HOSTS = [gateway.host]
    return cast.account(gateway.url)


@pytest.fixture
def deploy(tmp_path, process_environment, gateway, empty_queue) -> Iterator[Callable[..., Deployment]]:
    """Starts workers and the timetable: deploy("urgent", "bulk", "bulk", "default")."""
    running: list[Deployment] = []

    def start(*queues: str, pages: socket.socket | None = None, **environment: str) -> Deployment:
        # With few calls in flight a story can stop a campaign of thousands in its middle.
        hosts = {"GATEWAY_PRIVATE_HOSTS": gateway.host, "LOG_LEVEL": "INFO", "CALLS_IN_FLIGHT": "4"}
        deployment = Deployment(tmp_path / f"deployment-{len(running)}", process_environment | hosts | environment)
        running.append(deployment)
        deployment.start(queues, pages=pages)
        return deployment

    yield start
    for deployment in running:
        deployment.stop()


@pytest.fixture
def valkey(tmp_path, remove_servers, settings) -> Iterator[Valkey]:
    """A queue of the story's own; the test's pages ring it too."""
    running = Valkey(tmp_path / "valkey")
    settings.REDIS_URL = running.url
    doorbell.connection.cache_clear()
    yield running
    doorbell.connection.cache_clear()
    remove_servers(tmp_path / "valkey")


@pytest.fixture
def schedule(account) -> Callable[..., Campaign]:
    """Schedules campaigns to everybody, all in the same moment; the timetable starts them."""

    def commit(*names: str, seconds: float = 2, **columns) -> list[Campaign]:
        moment = clock.now() + timedelta(seconds=seconds)
        drafts = [shop.draft(name, planned_for=moment, **columns) for name in names]
        for draft in drafts:
            now = clock.now()
            seen = reviews.review(draft, now=now).estimate.will_send
            campaigns.schedule(draft, version=draft.version, seen=seen, by=None, now=now)
        return drafts

    return commit
