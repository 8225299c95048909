"""Scripted servers: real sockets that answer one call in whatever bad way a test asks for."""

import json
import socket
import threading
from collections.abc import Callable
from typing import BinaryIO

from notifications.providers.http import Limits

QUICK = Limits(connect=1.0, read=0.5, total=1.0, answer=10_000)

Script = Callable[[socket.socket, bytes], object]


class ScriptedServer:
    """Reads whole requests and hands each to a script, which writes to the socket or closes it."""

    def __init__(self, script: Script, *, wrap: Callable[[socket.socket], socket.socket] | None = None):
        self.script = script
        self.wrap = wrap
        self.requests: list[bytes] = []
        self.connection_count = 0
        self.closed = threading.Semaphore(0)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://{self.host}/send"

    def _accept(self) -> None:
        while True:
            try:
                connection, _peer = self.listener.accept()
            except OSError:
                return
            self.connection_count += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            connection = self.wrap(connection) if self.wrap else connection
            with connection, connection.makefile("rb") as reader:
                while head := read_head(reader):
                    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                    self.requests.append(head + b"\r\n" + reader.read(length))
                    if self.script(connection, self.requests[-1]) == "close":
                        return
        except (OSError, ValueError):
            # Reset by the other side, or a TLS greeting where a request was expected.
            return
        finally:
            self.closed.release()


def read_head(reader: BinaryIO) -> bytes:
    """Request line and headers, or nothing at the end of the connection."""
    lines = []
    while (line := reader.readline()).strip():
        lines.append(line)
    return b"".join(lines)


def http(body: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    """A whole answer."""
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


def answer_json(value: object, *, status: str = "200 OK") -> Script:
    """A script that answers every call with one JSON value."""
    return lambda connection, _request: connection.sendall(http(json.dumps(value).encode(), status=status))
