"""A mail server: where it is, and one connection to it that is bounded in time and leads to no private address."""

import re
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import NamedTuple

from customers.msgid import _
from notifications.providers.addresses import (
    PRIVATE,
    Address,
    RefusedAddress,
    check_resolved,
    check_url,
    is_listed,
)
from notifications.providers.http import Call, HttpClient, resolved


class Security(StrEnum):
    """How a connection is kept from being read; the scheme of its address."""

    TLS = "smtps"
    STARTTLS = "smtp+starttls"
    NONE = "smtp"


USUAL_PORTS = {Security.TLS: 465, Security.STARTTLS: 587, Security.NONE: 25}
SERVER = re.compile(r"(smtps|smtp\+starttls|smtp)://(.+):([0-9]{1,5})")

BAD_HOST = _("This is not the name of a mail server. Write it like smtp.example.com.")
BAD_PORT = _("The port must be a number from 1 to 65535.")
READABLE = _(
    "Without encryption names and addresses of customers would travel readable. Choose TLS or STARTTLS, or have an "
    "administrator list the server in GATEWAY_PRIVATE_HOSTS."
)
NOT_REACHED = _("The mail server could not be reached; the letter waits and is tried again.")
BAD_CERTIFICATE = _("The mail server's certificate is not valid for its name; nothing was sent.")
NO_ENCRYPTION = _("The mail server offers no encryption (STARTTLS). Choose another port, such as 465 with TLS.")


class Server(NamedTuple):
    """A mail server taken apart."""

    security: Security
    host: str
    port: int

    @property
    def url(self) -> str:
        """The server in one line, as an account stores it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.security}://{host}:{self.port}"

    @property
    def address(self) -> Address:
        """What the rules about addresses look at."""
        return Address(self.security is Security.TLS, self.host, self.port, "/")


def server_at(url: str) -> Server:
    """Take the address of a server apart. Raises RefusedAddress."""
    found = SERVER.fullmatch(url)
    if not found:
        raise RefusedAddress(BAD_HOST)
    return Server(Security(found[1]), found[2].strip("[]"), int(found[3]))


def checked_server(security: Security, host: str, port: int, *, private_hosts: Collection[str]) -> Server:
    """A server that may be connected to, its host in the one spelling. Raises RefusedAddress with a sentence."""
    if not 1 <= port <= 65535:
        raise RefusedAddress(BAD_PORT)
    host = host.strip()
    bracketed = f"[{host}]" if ":" in host else host
    if set(bracketed) & set("/?#@"):
        raise RefusedAddress(BAD_HOST)
    try:
        address = check_url(f"https://{bracketed}:{port}/", private_hosts=private_hosts)
    except RefusedAddress as refusal:
        # The other sentences speak of gateways by HTTP.
        raise RefusedAddress(PRIVATE if str(refusal) == PRIVATE else BAD_HOST) from None
    if security is Security.NONE and not is_listed(address, private_hosts=private_hosts):
        raise RefusedAddress(READABLE)
    return Server(security, address.host, port)


class Line(smtplib.SMTP):
    """A connection to checked IP addresses of a server."""

    def __init__(
        self, server: Server, *, ips: Collection[str], connect: float, read: float, local_name: str, certificates: str
    ):
        super().__init__(timeout=connect, local_hostname=local_name)
        self._host = server.host
        self.server = server
        self.ips = ips
        self.read = read
        self.certificates = certificates

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        trouble = OSError("no address")
        for ip in self.ips:
            try:
                found = socket.create_connection((ip, port), timeout)
            except OSError as failure:
                trouble = failure
                continue
            if self.server.security is Security.TLS:
                found = trusted(self.certificates).wrap_socket(found, server_hostname=host)
            found.settimeout(self.read)
            return found
        raise trouble

    def break_off(self) -> None:
        """End whatever waits on this connection, from another thread."""
        with suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)


@contextmanager
def connected(server: Server, *, client: HttpClient, total: float, local_name: str) -> Iterator[Line]:
    """
    A greeted connection, encrypted as its server says, broken off after `total` seconds.

    `client` brings the limits, the resolver and the hosts that are allowed. Raises RefusedAddress, NothingSent,
    ssl.SSLCertVerificationError, smtplib.SMTPException and OSError; all of them before any letter.
    """
    call = Call(client, time.monotonic() + total)
    ips = resolved(call, server.address)
    check_resolved(server.address, ips, private_hosts=client.private_hosts)
    limits = client.limits
    line = Line(
        server, ips=ips, connect=call.seconds(limits.connect), read=limits.read, local_name=local_name,
        certificates=client.certificates,
    )  # fmt: skip
    # The time-outs of a socket begin anew with every byte: a server that drips would hold a worker for hours.
    watch = threading.Timer(call.seconds(total), line.break_off)
    watch.daemon = True
    watch.start()
    try:
        code, words = line.connect(server.host, server.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, words)
        if server.security is Security.STARTTLS:
            line.starttls(context=trusted(client.certificates))
        yield line
        with suppress(smtplib.SMTPException, OSError):
            line.quit()
    finally:
        watch.cancel()
        line.close()


def trusted(certificates: str) -> ssl.SSLContext:
    """What encrypted connections trust: the authorities of the system, and those of a file."""
    context = ssl.create_default_context()
    context.load_verify_locations(certificates)
    return context
