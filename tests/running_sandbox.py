"""The sandbox gateway and a shop's callback as real processes and servers, for tests that send."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue

from config.sandbox.rules import MAGIC_PREFIX
from notifications.providers.base import Outgoing
from notifications.providers.generic_http import GatewaySettings, GenericHttp
from notifications.providers.http import Limits

ROOT = Path(__file__).resolve().parent.parent
# Longer than anything here should take, shorter than anybody's patience.
PATIENCE = 20


class Sandbox:
    """A running sandbox gateway, as another process."""

    def __init__(self, directory: Path, *options: str, environment: dict[str, str] | None = None):
        command = [sys.executable, "-m", "config.sandbox_gateway", "--port", "0", "--directory", str(directory)]
        defaults = ["--receipt-delay-ms", "0", "--receipt-jitter-ms", "0"]
        surroundings = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        self.process = subprocess.Popen(
            [*command, *defaults, *options],
            cwd=ROOT,
            env=surroundings | (environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.url = self.process.stdout.readline().split()[-1]
        self.host = self.url.split("/")[2]

    def call(self, method: str, path: str, content: object = None, **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.host, timeout=PATIENCE)
        body = content if isinstance(content, bytes | None) else json.dumps(content).encode()
        sent = {"Content-Type": "application/json"} | {name.replace("_", "-"): it for name, it in headers.items()}
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def get(self, path: str) -> dict:
        return json.loads(self.call("GET", path)[1])

    def set(self, **settings) -> None:
        status, text = self.call("PUT", "/settings", settings)
        assert status == 200, text

    def numbers(self) -> list[str]:
        return [message["number"] for message in self.get("/ledger.json")["messages"]]

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        self.process.stderr.close()
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
    sandbox: Sandbox, *, account: str = "main", callback_url: str = "", read: float = 10.0, **settings
) -> GenericHttp:
    return GenericHttp(
        GatewaySettings(
            send_url=f"{sandbox.url}send",
            query_url=f"{sandbox.url}query",
            account=account,
            callback_url=callback_url,
            private_hosts={sandbox.host},
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
