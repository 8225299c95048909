"""E-mail by SMTP: one connection for the whole batch of a call, and an answer for each letter."""

import re
import smtplib
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from customers.msgid import _
from notifications.providers import mail_letters
from notifications.providers.base import (
    Answer,
    Asked,
    NotFound,
    Outcome,
    Outgoing,
    RegisteredText,
    Replies,
    Reports,
    Withheld,
    nobody,
    unknown_code,
)
from notifications.providers.closing import Closing
from notifications.providers.http import CallFailed, HttpClient, RefusedAddress, check_key
from notifications.providers.mail_letters import BadAddress, Sender, checked_address
from notifications.providers.mail_servers import BAD_CERTIFICATE, NO_ENCRYPTION, NOT_REACHED, Line, Server, connected
from notifications.providers.verdicts import OUT_OF_TIME, UNREADABLE, Verdict, for_all, verdict_of_failure

# So long after the last look it is asked again who of the batch may still be written to.
STALE_AFTER = 1.0
# No letter is begun after this part of the time: the one in hand has the rest.
BEGIN_WITHIN = 0.7
LONGEST_WORDS = 120
# What a connection can end with; nothing else is expected, and nothing else is hidden.
TROUBLE = (RefusedAddress, CallFailed, smtplib.SMTPException, OSError)
ENHANCED = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
GOODBYE = 421
START_OF_DATA = 354

# Enhanced codes of RFC 3463.
CODES = {
    "5.1.1": _("There is no such mailbox"),
    "5.1.2": _("The domain of the address takes no mail"),
    "5.1.3": _("Not a valid e-mail address"),
    "5.1.6": _("The mailbox has moved"),
    "5.1.10": _("The domain of the address takes no mail"),
    "5.2.1": _("The mailbox is closed"),
    "5.2.2": _("The mailbox is full"),
    "5.7.1": _("The receiving server does not take this letter"),
}
CLOSING_CODES = dict.fromkeys(("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"), Closing.DEAD)
INVALID_ADDRESS = _("Not a valid e-mail address")
BAD_LETTER = _("The letter cannot be written as an e-mail. Look at its subject.")
BAD_LOGIN = _("The mail server does not accept user name and password")
NO_LOGIN = _("The mail server takes no user name and password at this port")
BAD_SENDER = _("The mail server does not take letters from this sender's address")
NO_RELAY = _("The mail server does not pass letters on to others; it may want user name and password")
LATER = _("The mail server puts the letter off; it is tried again")
BROKEN_OFF = _("The connection to the mail server broke off before the letter was taken; it is tried again.")
LOST = _("The connection to the mail server broke off behind the letter; it may have been taken.")
NO_QUERY = _("A mail server cannot be asked about earlier letters.")


@dataclass(frozen=True, slots=True)
class MailSettings:
    """One account at a mail server."""

    server: Server
    sender: Sender
    user: str = ""
    password: str = field(default="", repr=False)
    batch_size: int = 50


class Smtp:
    """A mail server. It knows no receipts: a letter that it took is sent, and nothing more is ever known."""

    needs_registered_text = False
    can_tell_not_found = False
    acknowledgement = b""
    closing_codes = CLOSING_CODES

    def __init__(self, settings: MailSettings, *, client: HttpClient):
        check_key(settings.user)
        check_key(settings.password)
        checked_address(settings.sender.address)
        self.settings = settings
        self.batch_size = settings.batch_size
        self._client = client

    def close(self) -> None:
        """Nothing is kept between calls."""

    def send(
        self,
        batch: Sequence[Outgoing],
        *,
        call_reference: str,
        registered: RegisteredText | None = None,
        withheld: Withheld = nobody,
    ) -> list[Answer]:
        """Hand over a batch on one connection, one letter after the other; answers in the order of the batch."""
        answers: dict[str, Answer] = {}
        total = self._client.limits.total
        ends = time.monotonic() + total * BEGIN_WITHIN
        try:
            with connected(self.settings.server, client=self._client, total=total, local_name=self._domain) as line:
                self._log_in(line)
                self._deliver(line, batch, answers, withheld, ends)
        except TROUBLE as trouble:
            verdict = _verdict_of(trouble)
            rest = [outgoing.reference for outgoing in batch if outgoing.reference not in answers]
            answers |= {answer.reference: answer for answer in for_all(rest, verdict)}
        return [answers[outgoing.reference] for outgoing in batch]

    def try_out(self) -> Verdict | None:
        """Log in and name the sender, without a letter; what refuses it, or None."""
        try:
            total = self._client.limits.total
            with connected(self.settings.server, client=self._client, total=total, local_name=self._domain) as line:
                self._log_in(line)
                code, words = line.mail(self.settings.sender.address)
                if code != 250:
                    return _of_sender(code, words)
                line.rset()
        except TROUBLE as trouble:
            return _verdict_of(trouble)
        return None

    def query(self, asked: Sequence[Asked]) -> list[Answer | NotFound]:
        """SMTP has no such question."""
        return for_all([message.reference for message in asked], (Outcome.UNKNOWN, "no_query", NO_QUERY))

    def read_reports(self, body: bytes) -> Reports:
        """Mail servers push nothing."""
        return Reports([], [])

    def read_replies(self, body: bytes) -> Replies:
        """Mail servers push nothing."""
        return Replies([], [])

    @property
    def _domain(self) -> str:
        # What the library would ask the resolver for, which can take half a minute.
        return self.settings.sender.domain

    def _log_in(self, line: Line) -> None:
        if self.settings.user:
            line.login(self.settings.user, self.settings.password)
        else:
            line.ehlo_or_helo_if_needed()

    def _deliver(
        self, line: Line, batch: Sequence[Outgoing], answers: dict[str, Answer], withheld: Withheld, ends: float
    ) -> None:
        """Hand over one letter after the other, as long as the connection and the time last."""
        looked_at = time.monotonic()
        for place, outgoing in enumerate(batch):
            now = time.monotonic()
            rest = [one for one in batch[place:] if one.reference not in answers]
            if now > ends:
                answers |= {answer.reference: answer for answer in for_all([r.reference for r in rest], OUT_OF_TIME)}
                return
            if now > looked_at + STALE_AFTER:
                answers |= {answer.reference: answer for answer in withheld(rest)}
                looked_at = time.monotonic()
            if outgoing.reference not in answers:
                answers[outgoing.reference] = self._hand_over(line, outgoing)

    def _hand_over(self, line: Line, outgoing: Outgoing) -> Answer:
        """One letter; raises what ends the connection, unless the letter may have been taken."""
        try:
            to = checked_address(outgoing.number)
            letter = mail_letters.written(outgoing, sender=self.settings.sender, to=to)
        except BadAddress:
            return _answer(outgoing, (Outcome.REFUSED_NUMBER, "5.1.3", INVALID_ADDRESS))
        except ValueError:
            return _answer(outgoing, (Outcome.REFUSED_CONTENT, "bad_letter", BAD_LETTER))
        for command, argument, expected, verdict_of in (
            (line.mail, self.settings.sender.address, 250, _of_sender),
            (line.rcpt, to, 250, _of_recipient),
            (line.docmd, "DATA", START_OF_DATA, _of_content),
        ):
            code, words = command(argument)
            if code != expected and not (command == line.rcpt and code == 251):
                if code == GOODBYE:
                    raise smtplib.SMTPServerDisconnected(str(words))
                line.rset()
                return _answer(outgoing, verdict_of(code, words))
        # Whatever breaks off in here never brought the last dot.
        line.send(re.sub(rb"(?m)^\.", b"..", letter).removesuffix(b"\r\n") + b"\r\n.\r\n")
        try:
            code, words = line.getreply()
        except (smtplib.SMTPException, OSError):
            line.close()
            return _answer(outgoing, (Outcome.UNKNOWN, "connection_lost", LOST))
        if 200 <= code < 300:
            return _answer(outgoing, (Outcome.TAKEN, str(code), ""))
        if not 400 <= code < 600:
            return _answer(outgoing, (Outcome.UNKNOWN, "unreadable_answer", UNREADABLE))
        return _answer(outgoing, _of_content(code, words))


def _answer(outgoing: Outgoing, verdict: Verdict) -> Answer:
    outcome, code, words = verdict
    return Answer(outgoing.reference, outcome, "", code, words)


def _of_sender(code: int, words: bytes) -> Verdict:
    """What a refused sender means: it is that of every letter."""
    if code < 500:
        return Outcome.REFUSED_LATER, _code(code, words), LATER
    return Outcome.REFUSED_ACCOUNT, _code(code, words), BAD_SENDER


def _of_recipient(code: int, words: bytes) -> Verdict:
    """What a refused receiver means; a server that passes nothing on refuses every one."""
    if code < 500:
        return Outcome.REFUSED_LATER, _code(code, words), LATER
    if b"relay" in words.lower():
        return Outcome.REFUSED_ACCOUNT, _code(code, words), NO_RELAY
    return Outcome.REFUSED_NUMBER, _code(code, words), _words(code, words)


def _of_content(code: int, words: bytes) -> Verdict:
    """What a refusal of the letter itself means: most servers say here too that there is no such mailbox."""
    if code < 500:
        return Outcome.REFUSED_LATER, _code(code, words), LATER
    said = _code(code, words)
    is_mailbox = said.startswith(("5.1.", "5.2.")) or said in ("550", "551", "553")
    return Outcome.REFUSED_NUMBER if is_mailbox else Outcome.REFUSED_CONTENT, said, _words(code, words)


def _code(code: int, words: bytes) -> str:
    """The enhanced code where the server gives one, else the plain one."""
    found = ENHANCED.match(words.decode("ascii", "replace"))
    return found[1] if found else str(code)


def _words(code: int, words: bytes) -> str:
    said = _code(code, words)
    shown = " ".join(words.decode("utf-8", "replace").split())[:LONGEST_WORDS]
    return CODES.get(said) or unknown_code(str(code), shown)


def _verdict_of(trouble: Exception) -> Verdict:
    """What a connection that ended, or never began, means for the letters that it did not take."""
    match trouble:
        case RefusedAddress() | CallFailed():
            return verdict_of_failure(trouble)
        case smtplib.SMTPAuthenticationError():
            if trouble.smtp_code < 500:
                return Outcome.REFUSED_LATER, str(trouble.smtp_code), LATER
            return Outcome.REFUSED_ACCOUNT, str(trouble.smtp_code), BAD_LOGIN
        case smtplib.SMTPNotSupportedError():
            words = NO_ENCRYPTION if "STARTTLS" in str(trouble) else NO_LOGIN
            return Outcome.REFUSED_ACCOUNT, "not_supported", words
        case ssl.SSLCertVerificationError():
            return Outcome.REFUSED_ACCOUNT, "bad_certificate", BAD_CERTIFICATE
        case smtplib.SMTPServerDisconnected():
            return Outcome.REFUSED_LATER, "broken_off", BROKEN_OFF
    return Outcome.REFUSED_LATER, "no_connection", NOT_REACHED
