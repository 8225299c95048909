"""The one way to talk HTTP to a provider: bounded in time and size, and never to a private address."""

import io
import os
import select
import socket
import ssl
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPException, HTTPResponse

import certifi

from customers.msgid import _
from notifications.providers.addresses import (
    Address,
    RefusedAddress,
    check_resolved,
    check_url,
    ip_literal,
)

__all__ = [
    "AnswerLost",
    "HttpAnswer",
    "HttpClient",
    "Limits",
    "NothingSent",
    "RefusedAddress",
    "check_url",
]

Resolve = Callable[[str, int], list[str]]


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


@dataclass(slots=True)
class HttpAnswer:
    """A complete answer, decompressed and within the size limit."""

    status: int
    body: bytes


class DeadlineReader(io.RawIOBase):
    """
    Reads a socket under two clocks: each wait, and the whole call.

    The time-out of a socket starts anew with every byte, so a server that drips one byte a
    second would hold a worker for hours.
    """

    def __init__(self, sock: socket.socket):
        self.sock = sock
        self.deadline = 0.0
        self.wait = 0.0
        self.paused = False

    def readable(self) -> bool:
        """Tell io.BufferedReader that this stream can be read."""
        return True

    def readinto(self, buffer) -> int | None:
        """Fill the buffer with what the socket has; nothing while paused."""
        if self.paused:
            return None
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.sock.settimeout(min(self.wait, left))
        return self.sock.recv_into(buffer)


class KeptReader(io.BufferedReader):
    """A buffer that outlives the answers read from it; HTTPResponse closes what it has read."""

    def close(self) -> None:
        """Stay open for the next answer."""


class Connection:
    """One open connection, with what was read ahead from it."""

    def __init__(self, sock: socket.socket):
        self.sock = sock
        self.raw = DeadlineReader(sock)
        self.reader = KeptReader(self.raw, 65536)
        self.idle_since = 0.0

    def makefile(self, _mode: str) -> KeptReader:
        """What HTTPResponse reads from."""
        return self.reader

    def is_clean(self) -> bool:
        """Whether nothing came after the end of the answer, not even a close."""
        self.raw.paused = True
        leftover = self.reader.peek(1)
        self.raw.paused = False
        ahead = self.sock.pending() if isinstance(self.sock, ssl.SSLSocket) else 0
        return not leftover and not ahead and not is_readable(self.sock)

    def close(self) -> None:
        """Close the socket, whatever state it is in."""
        self.sock.close()


class HttpClient:
    """
    Posts to one provider, with kept connections; safe in threads and across forks.

    No redirects, no retries, no cookies, no proxies. Written on http.client rather than
    requests: a fifth of the processor time per call, and only here can a call tell "no byte
    left" (try again) from "the answer is lost" (never blindly again).
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
        self._resolve = resolve or resolve_host
        self._certificates = certificates or certifi.where()
        self._pools: dict[tuple[bool, str, int], deque[Connection]] = {}
        self._process = os.getpid()

    def post(self, url: str, *, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        """Post once. Raises RefusedAddress and NothingSent (not taken), AnswerLost (who knows)."""
        address = check_url(url, private_hosts=self.private_hosts)
        request = request_bytes(address, body=body, headers=headers)
        deadline = time.monotonic() + self.limits.total
        connection = self._kept(address) or self._connect(address, deadline=deadline)
        connection.raw.deadline = deadline
        connection.raw.wait = self.limits.read
        try:
            write(connection.sock, request, seconds=min(self.limits.read, left(deadline)))
            answer, reusable = self._read(connection)
        except BaseException:
            connection.close()
            raise
        if reusable and connection.is_clean():
            connection.idle_since = time.monotonic()
            self._pool(address).append(connection)
        else:
            connection.close()
        return answer

    def close(self) -> None:
        """Close all kept connections; a later call opens new ones."""
        for pool in list(self._pools.values()):
            while pool:
                pool.pop().close()

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        # The system's authorities too: a shop's own gateway may have a certificate of its own.
        context = ssl.create_default_context()
        context.load_verify_locations(self._certificates)
        return context

    def _pool(self, address: Address) -> deque[Connection]:
        if self._process != os.getpid():
            # After a fork both processes hold the same sockets: answers would get mixed up.
            self._pools = {}
            self._process = os.getpid()
        return self._pools.setdefault((address.secure, address.host, address.port), deque())

    def _kept(self, address: Address) -> Connection | None:
        pool = self._pool(address)
        oldest = time.monotonic() - self.limits.idle
        while True:
            try:
                connection = pool.pop()
            except IndexError:
                return None
            if connection.idle_since >= oldest and not is_readable(connection.sock):
                return connection
            connection.close()

    def _connect(self, address: Address, *, deadline: float) -> Connection:
        """Resolve once, check every IP address, and connect to one of exactly those."""
        ips = self._addresses(address)
        check_resolved(address, ips, private_hosts=self.private_hosts)
        failure = NothingSent("no_connection", NO_CONNECTION)
        for ip in ips:
            seconds = min(self.limits.connect, left(deadline))
            try:
                sock = socket.create_connection((ip, address.port), timeout=seconds)
            except OSError:
                continue
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if address.secure:
                    sock.settimeout(min(self.limits.read, left(deadline)))
                    sock = self._tls.wrap_socket(sock, server_hostname=address.host)
            except ssl.SSLCertVerificationError:
                sock.close()
                failure = NothingSent("bad_certificate", BAD_CERTIFICATE)
            except OSError:
                sock.close()
                failure = NothingSent("no_secure_connection", NO_SECURE_CONNECTION)
            except BaseException:
                sock.close()
                raise
            else:
                return Connection(sock)
        raise failure

    def _addresses(self, address: Address) -> list[str]:
        if ip_literal(address.host):
            return [address.host]
        try:
            ips = in_time(self._resolve, address.host, address.port, seconds=self.limits.connect)
        except (OSError, UnicodeError, TimeoutError):
            ips = []
        if not ips:
            raise NothingSent("unknown_host", UNKNOWN_HOST)
        return ips

    def _read(self, connection: Connection) -> tuple[HttpAnswer, bool]:
        response = HTTPResponse(connection, method="POST")
        try:
            response.begin()
            body = bounded_body(response, limit=self.limits.answer)
        except TimeoutError:
            raise AnswerLost("no_answer_in_time", NO_ANSWER_IN_TIME) from None
        except (OSError, HTTPException, ValueError, zlib.error):
            raise AnswerLost("answer_broken", ANSWER_BROKEN) from None
        answer = HttpAnswer(response.status, body)
        return answer, not response.will_close


NO_CONNECTION = _("The gateway could not be reached; the message waits and is tried again.")
UNKNOWN_HOST = _("The host name of the gateway could not be resolved; it is tried again.")
BAD_CERTIFICATE = _("The gateway's certificate is not valid for its name; nothing was sent.")
NO_SECURE_CONNECTION = _("No secure connection to the gateway came about; it is tried again.")
NO_ANSWER_IN_TIME = _("The gateway did not answer in time; it may have taken the message.")
ANSWER_BROKEN = _("The gateway's answer broke off; it may have taken the message.")
ANSWER_TOO_LARGE = _("The gateway's answer was too large; it may have taken the message.")


def resolve_host(host: str, port: int) -> list[str]:
    """All IP addresses of a host, in the order of the resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(entry[4][0] for entry in found))


def in_time(resolve: Resolve, host: str, port: int, *, seconds: float) -> list[str]:
    """
    Resolve under a time limit, which getaddrinfo lacks: one dead name server can cost 30 s.

    Raises TimeoutError, and what the resolver raises.
    """
    results: list[list[str] | BaseException] = []

    def work() -> None:
        try:
            results.append(resolve(host, port))
        except (OSError, UnicodeError) as failure:
            results.append(failure)

    thread = threading.Thread(target=work, name="resolve", daemon=True)
    thread.start()
    thread.join(seconds)
    if not results:
        raise TimeoutError
    if isinstance(results[0], BaseException):
        raise results[0]
    return results[0]


def left(deadline: float) -> float:
    """Seconds until the deadline, never quite zero: a socket takes zero for "do not wait"."""
    return max(deadline - time.monotonic(), 0.001)


def is_readable(sock: socket.socket) -> bool:
    """Whether bytes, or the end of the connection, wait to be read."""
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    return bool(poller.poll(0))


def request_bytes(address: Address, *, body: bytes, headers: Mapping[str, str]) -> bytes:
    """A POST request as it goes over the wire."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    if address.port != (443 if address.secure else 80):
        host += f":{address.port}"
    lines = [
        f"POST {address.path} HTTP/1.1",
        f"Host: {host}",
        "User-Agent: hongyan",
        "Accept: application/json",
        "Accept-Encoding: identity",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
        "\r\n",
    ]
    return "\r\n".join(lines).encode("latin-1") + body


def write(sock: socket.socket, request: bytes, *, seconds: float) -> None:
    """Write a whole request. Raises NothingSent if not one byte went out, AnswerLost if some did."""
    sock.settimeout(seconds)
    try:
        sent = sock.send(request)
    except TimeoutError:
        raise AnswerLost("no_answer_in_time", NO_ANSWER_IN_TIME) from None
    except OSError:
        if isinstance(sock, ssl.SSLSocket):
            # OpenSSL may have written some records before the one that failed.
            raise AnswerLost("answer_broken", ANSWER_BROKEN) from None
        raise NothingSent("no_connection", NO_CONNECTION) from None
    try:
        if sent < len(request):
            sock.sendall(memoryview(request)[sent:])
    except TimeoutError:
        raise AnswerLost("no_answer_in_time", NO_ANSWER_IN_TIME) from None
    except OSError:
        raise AnswerLost("answer_broken", ANSWER_BROKEN) from None


def bounded_body(response: HTTPResponse, *, limit: int) -> bytes:
    """The whole body, decompressed. Raises AnswerLost above the limit, ValueError if cut short."""
    # Reading one byte more than allowed tells "too large" from "exactly as large as allowed".
    body = response.read(limit + 1)
    if len(body) > limit:
        raise AnswerLost("answer_too_large", ANSWER_TOO_LARGE)
    if response.length:
        raise ValueError("The connection closed before the end of the answer.")
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding == "identity":
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise ValueError(f"We did not ask for {encoding}.")
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)
    body = unpacker.decompress(body, limit + 1)
    if len(body) > limit:
        raise AnswerLost("answer_too_large", ANSWER_TOO_LARGE)
    if not unpacker.eof:
        raise ValueError("The compressed answer is cut short.")
    return body
