"""A small, quick HTTP server for gateways of tests: hands over raw requests and misbehaves as it is told."""

import gzip
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

LONGEST_BODY = 16 * 1024 * 1024
# Twenty megabytes in twenty kilobytes.
BOMB = gzip.compress(b"0" * 20_000_000)


@dataclass(frozen=True, slots=True)
class Request:
    """A request to the byte, with header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]


@dataclass(frozen=True, slots=True)
class Reply:
    """
    An answer, and what happens to it on its way.

    `fault`: "drop" closes the connection without a byte, "truncate" after half of the answer, "drip" sends a
    byte every 50 ms.
    """

    status: int
    body: bytes
    seconds: float = 0.0
    fault: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json; charset=utf-8"})


def misled(reply: Reply, fault: str) -> Reply | None:
    """An answer that is a gzip bomb or leads elsewhere; None for any other fault."""
    if fault == "bomb":
        return Reply(200, BOMB, reply.seconds, headers={"Content-Encoding": "gzip"})
    if fault == "redirect":
        return Reply(302, b"", reply.seconds, headers={"Location": "http://127.0.0.1:9/"})
    return None


class GatewayServer(socketserver.ThreadingTCPServer):
    """Serves `answer` on a port of this machine, one thread for each connection."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answer: Callable[[Request], Reply], *, port: int = 0):
        super().__init__(("127.0.0.1", port), Connection)
        self.answer = answer
        self.host = f"127.0.0.1:{self.server_address[1]}"
        self.url = f"http://{self.host}"

    def start(self) -> None:
        """Serve in a thread of this process."""
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """Take no further connection."""
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address) -> None:
        """A client that went away is no news; anything else is a bug of the test."""
        super().handle_error(request, client_address)


class Connection(socketserver.StreamRequestHandler):
    """One connection, kept open from call to call."""

    disable_nagle_algorithm = True
    server: GatewayServer

    def handle(self) -> None:
        try:
            while request := self._read():
                reply = self.server.answer(request)
                if reply.seconds:
                    time.sleep(reply.seconds)
                if not self._write(reply):
                    return
        except (ConnectionError, TimeoutError, BrokenPipeError):
            return

    def _read(self) -> Request | None:
        line = self.rfile.readline(65_537)
        if not line.strip():
            return None
        method, target, _version = line.decode("latin-1").split()
        headers: dict[str, str] = {}
        while (line := self.rfile.readline(65_537)).strip():
            name, _colon, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        length = min(int(headers.get("content-length", "0")), LONGEST_BODY)
        return Request(method, target, headers, self.rfile.read(length) if length else b"")

    def _write(self, reply: Reply) -> bool:
        if reply.fault == "drop":
            self.connection.shutdown(socket.SHUT_RDWR)
            return False
        head = f"HTTP/1.1 {reply.status} X\r\nContent-Length: {len(reply.body)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
        whole = head.encode() + b"\r\n" + reply.body
        if reply.fault == "truncate":
            self.connection.sendall(whole[: -max(len(reply.body) // 2, 1)])
            return False
        if reply.fault == "drip":
            for place in range(len(whole)):
                self.connection.sendall(whole[place : place + 1])
                time.sleep(0.05)
            return False
        self.connection.sendall(whole)
        return True
