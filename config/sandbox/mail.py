"""The mail side of the sandbox gateway: takes letters by SMTP and writes them into the ledger; none leaves."""

import email
import itertools
import re
import socketserver
import threading
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from config.sandbox.clock import DeploymentClock
from config.sandbox.ledger import Entry, Ledger
from customers.msgid import _

LARGEST_LETTER = 2 * 1024 * 1024
LONGEST_LINE = 2048
IDLE_SECONDS = 60
ACCOUNT = "smtp"
ADDRESS = re.compile(r"(?:FROM|TO):\s*<([^<>\s]*)>", re.IGNORECASE)
DROP = ""

# What a letter meets whose address begins with one of these: words, at which command, and the answer.
MAGIC = {
    "later": (_("Put off: greylisted"), "RCPT", "450 4.2.0 Greylisted, try again later"),
    "nobody": (_("Refused: there is no such mailbox"), "RCPT", "550 5.1.1 No such user here"),
    "spam": (_("Refused: the letter looks like spam"), "DOT", "554 5.6.0 Message refused as spam"),
    "drop": (_("The connection drops before the letter"), "RCPT", DROP),
    "lost": (_("Taken, then the connection drops without an answer"), "DOT", DROP),
}


class MailServer(socketserver.ThreadingTCPServer):
    """Takes letters from this machine until it is told to stop."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], *, ledger: Ledger, clock: DeploymentClock, directory: Path):
        super().__init__(address, Conversation)
        self.ledger = ledger
        self.clock = clock
        # As they came in, header by header, for whoever wants to look closely.
        self.letters = directory / "letters"
        self.letters.mkdir(mode=0o700, exist_ok=True)
        self._numbers = itertools.count(len(list(self.letters.iterdir())) + 1)
        self._lock = threading.Lock()

    @property
    def port(self) -> int:
        """The port that was taken."""
        return self.server_address[1]

    def keep(self, raw: bytes, receiver: str) -> None:
        """Write a letter into the ledger."""
        with self._lock:
            number = next(self._numbers)
        (self.letters / f"{number:06}.eml").write_bytes(raw)
        letter = email.message_from_bytes(raw, policy=default)
        reference = str(letter["Message-ID"] or "").strip("<> ").partition("@")[0] or f"letter-{number}"
        words = f"{letter['Subject'] or ''}\n\n{_plain(letter)}"
        entry = Entry(reference, receiver, words, "delivered", f"M{number}")
        at = self.clock.now().isoformat(timespec="milliseconds")
        self.ledger.append([entry], account=ACCOUNT, time=at, call_reference=f"M{number}", callback=0)


class Conversation(socketserver.StreamRequestHandler):
    """One connection: the few commands of RFC 5321 that a client needs."""

    server: MailServer
    timeout = IDLE_SECONDS

    def handle(self) -> None:
        """Answer commands until the client, or a magic address, ends it."""
        self.sender, self.receiver = "", ""
        self._say("220 sandbox ready; nothing leaves this machine")
        while line := self.rfile.readline(LONGEST_LINE):
            verb, _blank, rest = line.decode("utf-8", "replace").strip().partition(" ")
            answer = self._answer(verb.upper(), rest)
            if answer == DROP:
                return
            self._say(answer)
            if verb.upper() == "QUIT":
                return

    def _answer(self, verb: str, rest: str) -> str:
        match verb:
            case "EHLO" | "HELO":
                return "250 sandbox"
            case "MAIL":
                self.sender, self.receiver = _address(rest), ""
                return "250 2.1.0 Ok" if self.sender else "501 5.5.4 Write MAIL FROM:<address>"
            case "RCPT":
                return self._receive(_address(rest))
            case "DATA":
                return self._take() if self.receiver else "503 5.5.1 RCPT first"
            case "RSET" | "NOOP":
                return "250 2.0.0 Ok"
            case "QUIT":
                return "221 2.0.0 Bye"
        return "502 5.5.2 Command not known"

    def _receive(self, address: str) -> str:
        if not address:
            return "501 5.5.4 Write RCPT TO:<address>"
        if (fate := _magic(address)) and fate[1] == "RCPT":
            return fate[2]
        self.receiver = address
        return "250 2.1.5 Ok"

    def _take(self) -> str:
        self._say("354 End with a dot on a line of its own")
        lines, size = [], 0
        while (line := self.rfile.readline(LARGEST_LETTER)) not in (b".\r\n", b".\n"):
            size += len(line)
            if not line or size > LARGEST_LETTER:
                return DROP
            lines.append(line[1:] if line.startswith(b"..") else line)
        fate = _magic(self.receiver)
        if fate and fate[2] != DROP:
            return fate[2]
        self.server.keep(b"".join(lines), self.receiver)
        return DROP if fate else "250 2.0.0 Ok, kept in the ledger"

    def _say(self, words: str) -> None:
        self.wfile.write(f"{words}\r\n".encode())


def _address(rest: str) -> str:
    found = ADDRESS.match(rest)
    return found[1] if found else ""


def _magic(address: str) -> tuple[str, str, str] | None:
    return MAGIC.get(address.partition("@")[0])


def _plain(letter: EmailMessage) -> str:
    part = letter.get_body(("plain",))
    return part.get_content() if part else ""
