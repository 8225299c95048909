"""Fixtures of the provider tests: scripted servers, and clients that talk to them."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
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


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> str:
    """A certificate for gateway.example.com that nobody but us trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gateway.example.com")])
    today = datetime.now(UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("gateway.example.com")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "gateway.pem"
    path.write_bytes(
        built.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return str(path)
