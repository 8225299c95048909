"""A mail server that answers as it is told, with encryption and passwords where a test wants them."""

import base64
import socketserver
import ssl
import threading
import time
from collections.abc import Mapping

USER, PASSWORD = "hello@shop.example", "auth-code"


class ScriptedMail(socketserver.ThreadingTCPServer):
    """Answers each command by its first word; `None` breaks the connection off, a number waits so many seconds."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, answers: Mapping[str, str | float | None] | None = None, *, tls: ssl.SSLContext | None = None,
                 is_tls_at_once: bool = False, wants_password: bool = False):  # fmt: skip
        super().__init__(("127.0.0.1", 0), _Talk)
        self.answers = dict(answers or {})
        self.tls = tls
        self.is_tls_at_once = is_tls_at_once
        self.wants_password = wants_password
        self.commands: list[str] = []
        self.letters: list[bytes] = []
        self.connections = 0
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def port(self) -> int:
        """The port that was taken."""
        return self.server_address[1]

    def __exit__(self, *_trouble) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, *_request) -> None:
        """A client that breaks off is no news."""


class _Talk(socketserver.BaseRequestHandler):
    server: ScriptedMail

    def handle(self) -> None:
        self.server.connections += 1
        if self.server.is_tls_at_once:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        self.file = self.request.makefile("rb")
        self._say(self.server.answers.get("", "220 scripted"))
        while line := self.file.readline():
            words = line.decode().strip()
            verb = words.split(" ")[0].upper().partition(":")[0]
            self.server.commands.append(words)
            answer = self.server.answers.get(verb, self._usual(verb, words))
            if isinstance(answer, float):
                time.sleep(answer)
                answer = self._usual(verb, words)
            if answer is None:
                return
            self._say(answer)
            if verb == "STARTTLS" and answer.startswith("220"):
                self.request = self.server.tls.wrap_socket(self.request, server_side=True)
                self.file = self.request.makefile("rb")
            if verb == "DATA" and answer.startswith("354"):
                self.server.letters.append(self._letter())
                last = self.server.answers.get(".", "250 2.0.0 taken")
                if isinstance(last, float):
                    time.sleep(last)
                    last = None
                if last is None:
                    return
                self._say(last)

    def _usual(self, verb: str, words: str) -> str:
        if verb == "EHLO":
            offers = ["250-scripted"]
            offers += ["250-STARTTLS"] if self.server.tls and not self.server.is_tls_at_once else []
            offers += ["250-AUTH PLAIN"] if self.server.wants_password else []
            return "\r\n".join([*offers, "250 SIZE 1000000"])
        if verb == "AUTH":
            given = base64.b64decode(words.split(" ")[2]).decode().split("\0")
            return "235 2.7.0 welcome" if given[1:] == [USER, PASSWORD] else "535 5.7.8 wrong password"
        return {"DATA": "354 go on", "STARTTLS": "220 go on", "QUIT": "221 bye"}.get(verb, "250 2.0.0 ok")

    def _letter(self) -> bytes:
        lines = []
        while (line := self.file.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b"..") else line)
        return b"".join(lines)

    def _say(self, words: str) -> None:
        self.request.sendall(f"{words}\r\n".encode())
