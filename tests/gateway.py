"""The sandbox gateway as its own process, its ledger, and what calls it and is called by it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue

import requests

from config.sandbox.rules import MAGIC_PREFIX
from notifications.providers.base import Asked, Outgoing
from notifications.providers.generic_http import GatewaySettings, GenericHttp
from notifications.providers.http import Limits

ROOT = Path(__file__).resolve().parent.parent
# Longer than anything here should take, shorter than anybody's patience.
PATIENCE = 20


class Gateway:
    """A running sandbox gateway."""

    def __init__(self, directory: Path, *arguments: str, environment: dict[str, str] | None = None):
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "config.sandbox_gateway", "--port", "0", "--directory", str(directory), *arguments],
            cwd=ROOT,
            env=environment or dict(os.environ),
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = self._address()

    def _address(self) -> str:
        self.mail_url = ""
        for line in self.process.stdout:
            for word in line.split():
                if word.startswith("smtp://"):
                    self.mail_url = word
                if word.startswith("http://"):
                    return word.rstrip("/.")
        raise RuntimeError("The sandbox gateway did not start.")

    @property
    def host(self) -> str:
        """What GATEWAY_PRIVATE_HOSTS must name."""
        return self.url.removeprefix("http://")

    def call(self, method: str, path: str, content: object = None, **headers: str) -> tuple[int, str]:
        """Status and text of any call."""
        body = content if isinstance(content, bytes | None) else json.dumps(content).encode()
        sent = {"Content-Type": "application/json"} | {name.replace("_", "-"): it for name, it in headers.items()}
        with requests.Session() as session:
            # No proxy of the environment knows this machine's ports.
            session.trust_env = False
            answer = session.request(method, self.url + path, data=body, headers=sent, timeout=PATIENCE)
        return answer.status_code, answer.text

    def get(self, path: str) -> dict:
        """What stands at a path."""
        return json.loads(self.call("GET", path)[1])

    def set(self, **settings) -> None:
        """Change how the gateway behaves."""
        status, text = self.call("PUT", "/settings", settings)
        assert status == 200, text

    def ledger(self) -> list[dict]:
        """Every message the gateway accepted."""
        found, after = [], 0
        while True:
            page = self.get(f"/ledger.json?after={after}")
            found += page["messages"]
            if not page["messages"] or page["next"] is None or page["next"] == after:
                return found
            after = page["next"]

    def letters(self) -> list[EmailMessage]:
        """Every letter that its mail server took, as it came in."""
        folder = self.directory / "letters"
        return [message_from_bytes(file.read_bytes(), policy=default) for file in sorted(folder.iterdir())]

    def numbers(self) -> list[str]:
        """The numbers of the ledger, with repetitions."""
        return [entry["number"] for entry in self.ledger()]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the process, and tell how it ended."""
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        return code


class Shop:
    """The shop's callback: counts what arrives, and fails as often as it is told to."""

    def __init__(self):
        self.receipts: Queue[dict] = Queue()
        self.call_sizes: list[int] = []
        self.failures = 0
        shop = self

        class Callback(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if shop.failures:
                    shop.failures -= 1
                    self.send_error(503)
                    return
                items = json.loads(body)
                shop.call_sizes.append(len(items))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()
                for item in items:
                    shop.receipts.put(item)

            def log_message(self, *_arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Callback)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/callbacks/t0ken/"

    def next(self) -> dict:
        return self.receipts.get(timeout=PATIENCE)

    def has_quiet(self, seconds: float) -> bool:
        try:
            self.receipts.get(timeout=seconds)
        except Empty:
            return True
        return False


def provider_of(
    gateway: Gateway, *, account: str = "main", callback_url: str = "", read: float = 10.0, **settings
) -> GenericHttp:
    return GenericHttp(
        GatewaySettings(
            send_url=f"{gateway.url}/send",
            query_url=f"{gateway.url}/query",
            account=account,
            callback_url=callback_url,
            private_hosts={gateway.host},
            limits=Limits(read=read),
            **settings,
        )
    )


def batch(*numbers: str) -> list[Outgoing]:
    return [Outgoing(f"ref-{number}", number, f"中秋快乐 {number}") for number in numbers]


def send(provider: GenericHttp, *numbers: str, call: str = "call-1") -> list[str]:
    return [answer.outcome for answer in provider.send(batch(*numbers), call_reference=call)]


def magic(ending: str) -> str:
    return MAGIC_PREFIX + ending


def vars_of(outgoing: Outgoing) -> dict[str, str]:
    return {"reference": outgoing.reference, "number": outgoing.number, "text": outgoing.text}


def wait_until(condition, *, seconds: float = 30, every: float = 0.1) -> bool:
    """Whether a condition came true in time."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if condition():
            return True
        time.sleep(every)
    return False


def asked(*references: str) -> list[Asked]:
    """Messages as their fate is asked for, where the reference alone tells them apart."""
    return [Asked(reference, "", "", "", datetime(2026, 5, 1, 2, tzinfo=UTC)) for reference in references]
