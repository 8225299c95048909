"""The HTTP side of the sandbox gateway: HTTP/1.1 with kept connections, a thread for each."""

import json
import logging
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from config.sandbox.gateway import BadCall, Gateway, Reply, bad_request
from config.sandbox.page import ledger_page
from config.sandbox.replies import NOT_PUSHED, PUSHED, read_form, reply, reply_page
from config.sandbox.settings import BadSetting

logger = logging.getLogger(__name__)

LARGEST_BODY = 4 * 1024 * 1024
LARGEST_PAGE = 100_000
IDLE_SECONDS = 60
FORM_TYPE = "application/x-www-form-urlencoded"
JSON_TYPE = "application/json; charset=utf-8"
encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Server(ThreadingHTTPServer):
    """Serves a gateway until it is told to stop."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], gateway: Gateway):
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, Handler)
        self.gateway = gateway
        self._busy = 0
        self._idle = threading.Condition()

    @property
    def port(self) -> int:
        """The port that was taken."""
        return self.server_address[1]

    def begin(self) -> None:
        """Note that a call is being answered."""
        with self._idle:
            self._busy += 1

    def end(self) -> None:
        """Note that a call was answered."""
        with self._idle:
            self._busy -= 1
            self._idle.notify_all()

    def drain(self, *, seconds: float) -> None:
        """Wait until calls in hand are answered, so that a restart makes nothing unknown."""
        with self._idle:
            self._idle.wait_for(lambda: self._busy == 0, timeout=seconds)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "HongyanSandbox"
    sys_version = ""
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer readers: the page, the ledger, the settings, the state of health."""
        address = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(address.query).items()}
        gateway = self.server.gateway
        if not self._is_host_ours():
            self._answer_json(421, {"words": "This gateway is not reachable under that name."})
        elif address.path == "/":
            self._answer_page(200, ledger_page(gateway, query, self.headers.get("Accept-Language", "")))
        elif address.path == "/reply":
            self._answer_page(200, reply_page(query.get("number", ""), self.headers.get("Accept-Language", "")))
        elif address.path == "/ledger.json":
            self._answer_ledger(query)
        elif address.path == "/settings":
            self._answer_json(200, gateway.settings.as_dict())
        elif address.path == "/healthz":
            health = {
                "status": "ok",
                "accepted": len(gateway.ledger),
                "receipts_waiting": gateway.pusher.waiting_count(),
            }
            self._answer_json(200, health)
        else:
            self._answer_json(404, {"words": "There is nothing here. The protocol is in docs/gateway-protocol.md."})

    def do_POST(self) -> None:
        """Answer the shop: send, query, settings; and the form for replies."""
        self.server.begin()
        try:
            if self.path == "/reply" and self.headers.get_content_type() == FORM_TYPE:
                self._take_form()
                return
            reply = self._reply()
            if reply.seconds:
                time.sleep(reply.seconds)
            self._give(reply)
        finally:
            self.server.end()

    do_PUT = do_POST

    def _reply(self) -> Reply:
        gateway = self.server.gateway
        try:
            request = self._request()
            match self.path:
                case "/send":
                    return gateway.send(request, key=self._key())
                case "/query":
                    return gateway.query(request, key=self._key())
                case "/reply":
                    words = request if isinstance(request, dict) else {}
                    return Reply(200, {"pushed": reply(gateway, words.get("number"), words.get("text"))})
                case "/settings":
                    return Reply(200, gateway.change_settings(request))
        except BadCall as refusal:
            return refusal.reply
        except BadSetting as refusal:
            return Reply(400, {"code": "bad_setting", "words": str(refusal)})
        except OSError as failure:
            logger.error("A call failed: %s", failure)
            return Reply(500, {"words": "The ledger could not be written."})
        return Reply(404, {"words": "There is nothing here. The protocol is in docs/gateway-protocol.md."})

    def _take_form(self) -> None:
        """Push what was typed into the form, which only our own page may send."""
        origin = urlsplit(self.headers.get("Origin", "")).netloc
        accepted = self.headers.get("Accept-Language", "")
        try:
            fields = read_form(self._body())
            if not self._is_host_ours() or origin != self.headers.get("Host"):
                raise BadCall(403, "refused_account", "bad_request", "Send the form from its own page.")
            number = fields.get("number", "")
            is_pushed = reply(self.server.gateway, number, fields.get("text", ""))
        except BadCall as refusal:
            self._answer_json(refusal.reply.status, refusal.reply.content)
            return
        words = PUSHED if is_pushed else NOT_PUSHED
        self._answer_page(200, reply_page(number, accepted, words=words, is_good=is_pushed))

    def _request(self) -> Any:
        body = self._body()
        # A page in a browser cannot send this type to another origin without being allowed to.
        if self.headers.get_content_type() != "application/json" or not self._is_host_ours():
            raise BadCall(415, "refused_account", "bad_request", "Send JSON, as application/json.")
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise bad_request("The body is not readable JSON.") from None

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit():
            self.close_connection = True
            raise BadCall(411, "refused_account", "bad_request", "Content-Length is missing.")
        if int(length) > LARGEST_BODY:
            self.close_connection = True
            raise BadCall(413, "refused_account", "too_many", "The body is larger than 4 MiB.")
        return self.rfile.read(int(length))

    def _key(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def _is_host_ours(self) -> bool:
        """Whether a local gateway was called by a local name: a foreign page must not read the ledger."""
        if self.server.server_address[0] not in ("127.0.0.1", "::1"):
            return True
        name = self.headers.get("Host", "").rsplit(":", 1)[0]
        return name in ("127.0.0.1", "localhost", "[::1]")

    def _give(self, reply: Reply) -> None:
        body = encode(reply.content).encode("utf-8", "replace")
        match reply.fault:
            case "drop":
                self.close_connection = True
            case "error":
                self._answer(500, b"<h1>Internal Server Error</h1>", "text/html")
            case "cut":
                self._answer(200, body, JSON_TYPE, cut=True)
            case _:
                self._answer(reply.status, body, JSON_TYPE)

    def _answer_ledger(self, query: dict[str, str]) -> None:
        try:
            after = max(int(query.get("after", 0)), 0)
            limit = min(max(int(query.get("limit", LARGEST_PAGE)), 1), LARGEST_PAGE)
        except ValueError:
            self._answer_json(400, {"words": "after and limit must be numbers."})
            return
        account = query.get("account")
        ledger = self.server.gateway.ledger
        lines, following = ledger.page(after=after, limit=limit, account=account)
        head = f'{{"count": {ledger.count(account)}, "next": {following}, "messages": [\n'
        body = head.encode() + b",".join(lines) + b"]}\n"
        self._answer(200, body, JSON_TYPE)

    def _answer_page(self, status: int, page: str) -> None:
        self._answer(status, page.encode("utf-8", "replace"), "text/html; charset=utf-8")

    def _answer_json(self, status: int, content: dict[str, Any]) -> None:
        self._answer(status, encode(content).encode("utf-8", "replace"), JSON_TYPE)

    def _answer(self, status: int, body: bytes, content_type: str, *, cut: bool = False) -> None:
        lines = [
            f"HTTP/1.1 {status} {self.responses.get(status, ('',))[0]}",
            f"Content-Type: {content_type}",
            f"Content-Length: {len(body)}",
            "Cache-Control: no-store",
            "X-Content-Type-Options: nosniff",
            "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
        ]
        if cut:
            body = body[: len(body) // 2]
            self.close_connection = True
        if self.close_connection:
            lines.append("Connection: close")
        self.wfile.write("\r\n".join([*lines, "\r\n"]).encode("latin-1") + body)

    def handle(self) -> None:
        """Answer until the other side goes away, which is nothing to report."""
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def log_message(self, *_arguments: Any) -> None:
        """Stay quiet: the ledger is the log."""
