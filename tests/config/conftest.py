"""Fixtures of the tests about wiring: running sandbox gateways and a shop to call back."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from running_sandbox import Sandbox, Shop


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[..., Sandbox]]:
    """Starts sandbox gateways, all in one directory unless told otherwise."""
    running: list[Sandbox] = []

    def begin(*options: str, directory: Path = tmp_path / "sand box", **keywords) -> Sandbox:
        running.append(Sandbox(directory, *options, **keywords))
        return running[-1]

    yield begin
    for sandbox in running:
        if sandbox.process.poll() is None:
            sandbox.stop(signal.SIGKILL)


@pytest.fixture
def sandbox(start) -> Sandbox:
    return start()


@pytest.fixture(scope="module")
def lasting(tmp_path_factory) -> Iterator[Sandbox]:
    """One gateway for all tests that leave no trace, or one under a name of their own."""
    sandbox = Sandbox(tmp_path_factory.mktemp("sandbox"))
    yield sandbox
    sandbox.stop()


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.server.shutdown()
    shop.server.server_close()
