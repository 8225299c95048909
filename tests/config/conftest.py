"""Fixtures of the tests about wiring: running sandbox gateways and a shop to call back."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.gateway import Gateway, Shop


def gateway_in(directory: Path, *options: str, environment: dict[str, str] | None = None) -> Gateway:
    """A gateway that pushes receipts at once, in real time unless the environment names a database."""
    surroundings = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    defaults = ("--receipt-delay-ms", "0", "--receipt-jitter-ms", "0")
    return Gateway(directory, *defaults, *options, environment=surroundings | (environment or {}))


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[..., Gateway]]:
    """Starts sandbox gateways, all in one directory unless told otherwise."""
    running: list[Gateway] = []

    def begin(*options: str, directory: Path = tmp_path / "sand box", **keywords) -> Gateway:
        running.append(gateway_in(directory, *options, **keywords))
        return running[-1]

    yield begin
    for sandbox in running:
        if sandbox.process.poll() is None:
            sandbox.stop(signal.SIGKILL)


@pytest.fixture
def sandbox(start) -> Gateway:
    return start()


@pytest.fixture(scope="module")
def lasting(tmp_path_factory) -> Iterator[Gateway]:
    """One gateway for all tests that leave no trace, or one under a name of their own."""
    sandbox = gateway_in(tmp_path_factory.mktemp("sandbox"))
    yield sandbox
    sandbox.stop()


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.server.shutdown()
    shop.server.server_close()
