"""A gateway for the length of one campaign: the deployment's own ledger stays empty."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from threading import Thread
from urllib.parse import urlsplit

import requests
from django.conf import settings

from notifications.choices import CallbackKind
from notifications.models import ProviderAccount, Receipt
from notifications.services import callbacks, receipts

PATIENCE = 20
LOCAL = "127.0.0.1"


class NoGateway(RuntimeError):
    """The gateway did not start, or its receipts did not come; the text says which."""


@dataclass
class Rehearsal:
    """A running gateway, and the receipts that it pushed so far."""

    address: str
    pushed: SimpleQueue = field(default_factory=SimpleQueue)

    def apply_receipts(self, account: ProviderAccount, *, now: datetime) -> int:
        """
        Store and apply every receipt of what was sent; answers how many calls brought them.

        Raises NoGateway when they do not all come.
        """
        calls = 0
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            done = not requests.get(f"{self.address}/healthz", timeout=PATIENCE).json()["receipts_waiting"]
            while body := self._next():
                callbacks.store(account, body, kind=CallbackKind.RECEIPTS, now=now)
                calls += 1
            receipts.apply(now=now)
            if done and self.pushed.empty() and not Receipt.objects.filter(applied_at=None).exists():
                return calls
            time.sleep(0.05)
        raise NoGateway("The sandbox gateway did not report on everything it had accepted.")

    def _next(self) -> bytes | None:
        try:
            return self.pushed.get_nowait()
        except Empty:
            return None


@contextmanager
def gateway() -> Iterator[Rehearsal]:
    """A sandbox gateway in a directory of its own that calls back here. Raises NoGateway."""
    with tempfile.TemporaryDirectory(prefix="hongyan-") as directory:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "config.sandbox_gateway", "--port", "0", "--directory", directory),
                *("--receipt-delay-ms", "0", "--receipt-jitter-ms", "0"),
            ],
            cwd=settings.ROOT,
            # Without a database it lives in the machine's time; its receipts are dated by whoever applies them.
            env={name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            said = process.stdout.readline().split()
            if not said:
                raise NoGateway("The sandbox gateway did not start.")
            rehearsal = Rehearsal(said[-1].rstrip("/"))
            with _callbacks(rehearsal) as address, _reachable(rehearsal.address, callbacks=address):
                yield rehearsal
        finally:
            process.terminate()
            process.wait(PATIENCE)
            process.stdout.close()


@contextmanager
def _callbacks(rehearsal: Rehearsal) -> Iterator[str]:
    """Where the gateway pushes: a server that keeps what comes, because no thread here may write to the database."""

    class Callback(BaseHTTPRequestHandler):
        def do_POST(self):
            rehearsal.pushed.put(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments):
            """Stay silent: the terminal belongs to the command."""

    server = ThreadingHTTPServer((LOCAL, 0), Callback)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"http://{LOCAL}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def _reachable(address: str, *, callbacks: str) -> Iterator[None]:
    """Two ports that nobody knew before, in place of those in the settings."""
    usual = settings.GATEWAY_PRIVATE_HOSTS, settings.PUBLIC_URL
    settings.GATEWAY_PRIVATE_HOSTS, settings.PUBLIC_URL = [urlsplit(address).netloc], callbacks
    try:
        yield
    finally:
        settings.GATEWAY_PRIVATE_HOSTS, settings.PUBLIC_URL = usual
