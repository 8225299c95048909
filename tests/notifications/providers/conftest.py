"""Fixtures of the provider tests: scripted servers, and clients that talk to them."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from scripted_server import QUICK, Script, ScriptedServer
from tencent_cast import MORNING, TEXT

from notifications.providers.generic_http import GatewaySettings, GenericHttp
from notifications.providers.http import HttpClient
from tests.gateways.tencent import Tencent


@pytest.fixture
def scripted() -> Iterator[Callable[..., ScriptedServer]]:
    """Starts servers from scripts."""
    servers: list[ScriptedServer] = []

    def start(script: Script, **options) -> ScriptedServer:
        servers.append(ScriptedServer(script, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.listener.close()


@pytest.fixture
def client() -> Iterator[HttpClient]:
    """A client that is allowed to reach this machine, with short limits."""
    with closing(HttpClient(private_hosts={"127.0.0.1"}, limits=QUICK)) as client:
        yield client


@pytest.fixture
def gateway(scripted) -> Callable[..., GenericHttp]:
    """Makes an adapter that talks to a script."""

    def make(script: Script, **settings) -> GenericHttp:
        server = scripted(script)
        provider = GenericHttp(
            GatewaySettings(
                send_url=server.url,
                query_url=server.url,
                private_hosts={"127.0.0.1"},
                limits=QUICK,
                **({"account": "main", "api_key": "secret"} | settings),
            )
        )
        provider.server = server
        return provider

    return make


@pytest.fixture
def tencent(tmp_path) -> Iterator[Tencent]:
    """A gateway in the shape of Tencent Cloud, on a morning of its own, that knows one text."""
    with Tencent(tmp_path, clock=lambda: MORNING) as gateway:
        gateway.register("1110", TEXT)
        yield gateway
