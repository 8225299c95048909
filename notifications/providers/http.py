"""The one way to talk HTTP to a provider: bounded in time and size, and never to a private address."""

import gzip
import io
import os
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property

import urllib3
from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from requests.certs import where
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.connection import create_connection

from customers.msgid import _
from notifications.providers.addresses import Address, RefusedAddress, check_resolved, check_url, ip_literal

Resolve = Callable[[str, int], list[str]]

# We ask for no compression: 100 answers are a few kilobytes, and a bomb has to come unasked.
HEADERS = {"User-Agent": "hongyan", "Accept": "application/json", "Accept-Encoding": "identity"}


BAD_KEY = _("The API key holds characters that a key cannot have; copy it anew.")


class CallFailed(Exception):
    """A call without a usable answer: a short code, and words for staff."""

    def __init__(self, code: str, words: str):
        super().__init__(words)
        self.code = code
        self.words = words


class NothingSent(CallFailed):
    """No byte of the request left this machine: certainly nothing was taken."""


class AnswerLost(CallFailed):
    """The request may have arrived, but no readable answer came back: anything is possible."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a call may take, in seconds, and how much it may answer, in bytes."""

    connect: float = 3.0
    read: float = 10.0
    total: float = 20.0
    answer: int = 1024 * 1024
    # Servers close idle connections after 2 s (gunicorn) to 75 s (nginx). Writing into that moment
    # makes 100 messages `unknown`; a new connection costs a millisecond.
    idle: float = 1.0


# More calls than a worker has in flight; one that finds no room would be closed after each call.
KEPT_CONNECTIONS = 128
# A provider has two or three addresses; more are remembered for nobody.
MOST_WRITTEN = 16


@dataclass(slots=True)
class HttpAnswer:
    """A complete answer, decompressed and within the size limit."""

    status: int
    body: bytes


class HttpClient:
    """
    Posts to one provider, with kept connections; safe in threads and across forks.

    Uses the adapter of requests without a session: all that a session adds – redirects, cookies,
    proxies and passwords of the environment – must not happen to a message.
    """

    def __init__(
        self,
        *,
        private_hosts: Collection[str] = (),
        limits: Limits | None = None,
        resolve: Resolve | None = None,
        certificates: str | None = None,
    ):
        self.private_hosts = frozenset(private_hosts)
        self.limits = limits or Limits()
        self.resolve = resolve or resolve_host
        self.certificates = certificates or where()
        self._adapter, self._process = GuardedAdapter(pool_maxsize=KEPT_CONNECTIONS), os.getpid()
        self._written: dict[str, str] = {}

    def post(self, url: str, *, body: bytes, headers: Mapping[str, str], query: str = "") -> HttpAnswer:
        """
        Post once; `query` is a signed one, encoded, that goes out to the byte as it is.

        Raises RefusedAddress and NothingSent (not taken), AnswerLost (who knows).
        """
        request = self._request(url, body, headers)
        if query:
            request.url += f"?{query}"
        if self._process != os.getpid():
            # After a fork both processes hold the same connections: answers would get mixed up.
            self._adapter, self._process = GuardedAdapter(pool_maxsize=KEPT_CONNECTIONS), os.getpid()
        call = CALL.set(Call(self, time.monotonic() + self.limits.total))
        try:
            timeouts = (self.limits.connect, self.limits.read)
            with closing(self._adapter.send(request, stream=True, timeout=timeouts)) as answer:
                return HttpAnswer(answer.status_code, bounded_body(answer.raw, limit=self.limits.answer))
        except RefusedAddress:
            raise
        except (urllib3.exceptions.HTTPError, OSError, ValueError, EOFError, zlib.error):
            # Whatever fails before the first byte is NothingSent; so this came after it.
            raise AnswerLost(
                "answer_broken", _("The gateway's answer broke off; it may have taken the message.")
            ) from None
        finally:
            CALL.reset(call)

    def _request(self, url: str, body: bytes, headers: Mapping[str, str]) -> PreparedRequest:
        """A request whose address was checked and written once: both say the same of the same every time."""
        request = PreparedRequest()
        request.prepare_method("POST")
        if url not in self._written:
            request.prepare_url(check_url(url, private_hosts=self.private_hosts).url, None)
            if len(self._written) >= MOST_WRITTEN:
                self._written.clear()
            self._written[url] = request.url
        request.url = self._written[url]
        request.prepare_headers({**HEADERS, **headers})
        request.prepare_body(body, None)
        return request

    def close(self) -> None:
        """Close all kept connections; a later call opens new ones."""
        self._adapter.close()

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """What secure connections trust, loaded once: it takes 20 ms of processor time."""
        # The system's authorities too: a shop's own gateway may have a certificate of its own.
        context = ssl.create_default_context()
        context.load_verify_locations(self.certificates)
        context.sslsocket_class = BoundedTlsSocket
        return context


@dataclass(frozen=True, slots=True)
class Call:
    """One call while it runs."""

    client: HttpClient
    deadline: float

    def seconds(self, limit: float) -> float:
        """The seconds one step may take; never quite zero, which sockets take for "do not wait"."""
        return max(min(limit, self.deadline - time.monotonic()), 0.001)


# urllib3 opens connections by itself and hands nothing of ours down to them.
CALL: ContextVar[Call] = ContextVar("call")


class AnswerReader(io.BufferedReader):
    """Reads one answer, and notices at its end whether more was said."""

    def __init__(self, raw: io.RawIOBase, sock: "Bounded"):
        super().__init__(raw)
        self.sock = sock

    def close(self) -> None:
        """Close as http.client does after the last byte of the answer."""
        if not self.closed:
            self.sock.answered = True
            with suppress(OSError):
                self.sock.said_more = bool(self.peek(1))
        super().close()


class Bounded:
    """
    Puts a socket under two clocks: each wait, and the whole call.

    The time-out of requests starts anew with every byte, so a server that drips one byte a second
    would hold a worker for hours.
    """

    answered = False
    said_more = False
    heard_at = 0.0

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        call = CALL.get()
        try:
            if call.deadline <= time.monotonic():
                raise TimeoutError
            self.settimeout(call.seconds(call.client.limits.read))
            yield
        except TimeoutError:
            raise AnswerLost(
                "no_answer_in_time", _("The gateway did not answer in time; it may have taken the message.")
            ) from None

    def sendall(self, *arguments) -> None:
        """Send all, in time."""
        self.answered = False
        with self._in_time():
            super().sendall(*arguments)

    def send(self, *arguments) -> int:
        """Send one record of a secure connection, in time."""
        with self._in_time():
            return super().send(*arguments)

    def recv_into(self, *arguments) -> int:
        """Receive, in time; after the end of the answer take what is there, without waiting."""
        if self.answered:
            self.settimeout(0)
            return super().recv_into(*arguments)
        with self._in_time():
            count = super().recv_into(*arguments)
        self.heard_at = time.monotonic()
        return count

    def makefile(self, mode: str) -> AnswerReader:
        """What http.client reads one answer from."""
        return AnswerReader(super().makefile(mode, buffering=0), self)


class BoundedSocket(Bounded, socket.socket):
    """A plain socket under two clocks."""


class BoundedTlsSocket(Bounded, ssl.SSLSocket):
    """A secure socket under two clocks."""


class Guarded:
    """Lets a connection lead only to checked IP addresses; whatever fails here, nothing was sent."""

    def _new_conn(self) -> BoundedSocket:
        call = CALL.get()
        address = Address(False, self.host, self.port, "/")
        ips = resolved(call, address)
        check_resolved(address, ips, private_hosts=call.client.private_hosts)
        for ip in ips:
            seconds = call.seconds(call.client.limits.connect)
            with suppress(OSError):
                opened = create_connection((ip, self.port), seconds, socket_options=self.socket_options)
                sock = BoundedSocket(fileno=opened.detach())
                sock.settimeout(seconds)
                return sock
        raise NothingSent(
            "no_connection", _("The gateway could not be reached; the message waits and is tried again.")
        )

    @property
    def is_connected(self) -> bool:
        """Whether the connection can carry another call."""
        if self.sock is None or self.sock.said_more:
            return False
        idle = time.monotonic() - self.sock.heard_at
        return idle <= CALL.get().client.limits.idle and super().is_connected


class PlainConnection(Guarded, HTTPConnection):
    """A connection by http://."""


class TlsConnection(Guarded, HTTPSConnection):
    """A connection by https://; certificate and SNI are those of the name, not of the IP address."""

    def connect(self) -> None:
        """Connect and shake hands. Raises NothingSent."""
        self.ssl_context, self.ca_certs = CALL.get().client.tls, None
        try:
            super().connect()
        except ssl.SSLCertVerificationError:
            raise NothingSent(
                "bad_certificate", _("The gateway's certificate is not valid for its name; nothing was sent.")
            ) from None
        except OSError:
            raise NothingSent(
                "no_secure_connection", _("No secure connection to the gateway came about; it is tried again.")
            ) from None


class GuardedAdapter(HTTPAdapter):
    """The adapter of requests, with our connections in its pools."""

    def get_connection_with_tls_context(self, *arguments, **keywords) -> urllib3.HTTPConnectionPool:
        """The pool for a request."""
        pool = super().get_connection_with_tls_context(*arguments, **keywords)
        pool.ConnectionCls = TlsConnection if pool.scheme == "https" else PlainConnection
        return pool


def check_key(key: str) -> None:
    """Refuse a key that cannot stand in a header, or would begin one of its own. Raises ValueError."""
    if not (key.isascii() and key.isprintable()):
        raise ValueError(BAD_KEY)


def resolve_host(host: str, port: int) -> list[str]:
    """All IP addresses of a host, in the order of the resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(entry[4][0] for entry in found))


def resolved(call: Call, address: Address) -> list[str]:
    """
    The IP addresses of a host. Raises NothingSent.

    Under a time limit, which getaddrinfo lacks: one dead name server can cost 30 s.
    """
    if ip_literal(address.host):
        return [address.host]
    answer: Future[list[str]] = Future()

    def work() -> None:
        try:
            answer.set_result(call.client.resolve(address.host, address.port))
        except (OSError, UnicodeError) as failure:
            answer.set_exception(failure)

    threading.Thread(target=work, name="resolve", daemon=True).start()
    with suppress(OSError, UnicodeError):
        if ips := answer.result(call.seconds(call.client.limits.connect)):
            return ips
    raise NothingSent("unknown_host", _("The host name of the gateway could not be resolved; it is tried again."))


def bounded_body(answer: urllib3.HTTPResponse, *, limit: int) -> bytes:
    """The whole body, decompressed. Raises AnswerLost above the limit, and others if it is cut short."""
    # One byte more than allowed tells "too large" from "exactly as large as allowed".
    body = b""
    while len(body) <= limit and (part := answer.read(limit + 1 - len(body), decode_content=False)):
        body += part
    encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding == "gzip" and len(body) <= limit:
        body = gzip.GzipFile(fileobj=io.BytesIO(body)).read(limit + 1)
    elif encoding not in ("identity", "gzip"):
        raise ValueError(f"We did not ask for {encoding}.")
    if len(body) > limit:
        raise AnswerLost("answer_too_large", _("The gateway's answer was too large; it may have taken the message."))
    return body
