"""Our own JSON-over-HTTP protocol, and every gateway that differs from it in names only."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from customers.msgid import _
from notifications.providers import callbacks
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
from notifications.providers.http import CallFailed, HttpAnswer, HttpClient, Limits, RefusedAddress, check_key
from notifications.providers.json_values import (
    dump,
    load,
    plain_number,
    same_number,
    text_of,
    value_at,
)
from notifications.providers.mapping import completed
from notifications.providers.verdicts import (
    CONTRADICTION,
    REDIRECT,
    SERVER_ERROR,
    STATUSES,
    UNREADABLE,
    Verdict,
    for_all,
    verdict_of_failure,
)

logger = logging.getLogger(__name__)

CODES = {
    "ok": (Outcome.TAKEN, ""),
    "invalid_number": (Outcome.REFUSED_NUMBER, _("Not a valid number")),
    "blocked_number": (Outcome.REFUSED_NUMBER, _("The gateway sends nothing to this number")),
    "empty_text": (Outcome.REFUSED_CONTENT, _("The text is empty")),
    "text_too_long": (Outcome.REFUSED_CONTENT, _("The text is too long for the gateway")),
    "content_refused": (
        Outcome.REFUSED_CONTENT,
        _("The gateway does not allow this text or signature"),
    ),
    "no_balance": (Outcome.REFUSED_ACCOUNT, _("The account at the gateway has no balance left")),
    "bad_key": (Outcome.REFUSED_ACCOUNT, _("The gateway does not accept the API key")),
    "bad_request": (
        Outcome.REFUSED_ACCOUNT,
        _("The gateway does not understand our request; check its field names"),
    ),
    "too_many": (Outcome.REFUSED_ACCOUNT, _("The gateway takes fewer numbers in one call")),
    "throttled": (Outcome.REFUSED_LATER, _("The gateway limits the rate; it is tried again")),
    "number_limit": (
        Outcome.REFUSED_LATER,
        _("The gateway limits the messages to this number; it is tried again"),
    ),
    # An earlier call had this reference, and we cannot tell what that one handed over.
    "call_reference_reused": (
        Outcome.UNKNOWN,
        _("The gateway knows this call with other messages in it"),
    ),
}

FOREIGN = _("The gateway answered about something else; it may have taken the message.")
MISSING = _("The gateway's answer leaves this message out; it may have been taken.")
NO_QUERY = _("This gateway cannot be asked about earlier messages.")


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """One account at a gateway; `mapping` holds what differs from our protocol (docs)."""

    send_url: str
    query_url: str = ""
    account: str = ""
    api_key: str = field(default="", repr=False)
    key_header: str = "Authorization"
    key_prefix: str = "Bearer "
    callback_url: str = field(default="", repr=False)
    batch_size: int = 100
    private_hosts: Collection[str] = frozenset()
    mapping: Mapping[str, Any] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)


class GenericHttp:
    """A gateway that speaks JSON over HTTP. Raises BadMapping or ValueError for bad settings."""

    needs_registered_text = False
    # What a callback is answered with.
    acknowledgement = b'{"code": "ok"}'
    closing_codes = {
        "no_such_number": Closing.DEAD,
        "invalid_number": Closing.DEAD,
        "blocked_number": Closing.OPTED_OUT,
    }

    def __init__(self, settings: GatewaySettings, *, client: HttpClient | None = None):
        self.settings = settings
        self.batch_size = settings.batch_size
        self.can_tell_not_found = bool(settings.query_url)
        self._names = completed(settings.mapping)
        self._codes = CODES | {
            code: (Outcome(outcome), CODES.get(code, (None, ""))[1]) for code, outcome in self._names["codes"].items()
        }
        self._client = client or HttpClient(private_hosts=settings.private_hosts, limits=settings.limits)
        self._headers = {"Content-Type": "application/json; charset=utf-8"}
        if settings.api_key:
            check_key(settings.key_prefix + settings.api_key)
            check_key(settings.key_header)
            self._headers[settings.key_header] = settings.key_prefix + settings.api_key

    def close(self) -> None:
        """Close the connections kept open between calls."""
        self._client.close()

    def send(
        self,
        batch: Sequence[Outgoing],
        *,
        call_reference: str,
        registered: RegisteredText | None = None,
        withheld: Withheld = nobody,
    ) -> list[Answer]:
        """Hand over a batch in one call, so that there is nothing to ask about; answers in the order of the batch."""
        if not batch:
            return []
        references = [outgoing.reference for outgoing in batch]
        try:
            answer = self._client.post(
                self.settings.send_url,
                body=self._send_body(batch, call_reference),
                headers=self._headers,
            )
        except (CallFailed, RefusedAddress) as failure:
            return for_all(references, verdict_of_failure(failure))
        document, whole = self._read_call(answer)
        if whole is not None:
            return for_all(references, whole)
        names = self._names["answer"]
        echoed = text_of(value_at(document, names["call_reference"]))
        if echoed and echoed != call_reference:
            return for_all(references, (Outcome.UNKNOWN, "foreign_answer", FOREIGN))
        items = value_at(document, names["messages"]) if names["messages"] else None
        if not isinstance(items, list):
            verdict = self._call_verdict(document)
            if verdict[0] is Outcome.TAKEN and names["messages"]:
                verdict = (Outcome.UNKNOWN, "unreadable_answer", UNREADABLE)
            return for_all(references, verdict, text_of(value_at(document, names["call_id"])))
        return self._match(batch, items)

    def query(self, asked: Sequence[Asked]) -> list[Answer | NotFound]:
        """Ask what became of earlier messages; only a definite no is NotFound."""
        if not asked:
            return []
        references = [message.reference for message in asked]
        if not self.settings.query_url:
            return for_all(references, (Outcome.UNKNOWN, "no_query", NO_QUERY))
        names = self._names["query"]
        request = {names["references"]: references, names["account"]: self.settings.account}
        request.pop("", None)
        try:
            answer = self._client.post(self.settings.query_url, body=dump(request), headers=self._headers)
        except (CallFailed, RefusedAddress) as failure:
            code, words = verdict_of_failure(failure)[1:]
            return for_all(references, (Outcome.UNKNOWN, code, words))
        document, whole = self._read_call(answer)
        items = value_at(document, names["messages"])
        if whole is not None or not isinstance(items, list):
            code, words = (whole or (None, "unreadable_answer", UNREADABLE))[1:]
            return for_all(references, (Outcome.UNKNOWN, code, words))
        found = by_key(items, names["reference"])
        return [self._found(reference, found.get(reference)) for reference in references]

    def read_reports(self, body: bytes) -> Reports:
        """Read the receipts of one callback: the good half, and the bad half as problems."""
        return callbacks.read_reports(body, names=self._names["receipt"])

    def read_replies(self, body: bytes) -> Replies:
        """Read the replies of one callback: the good half, and the bad half as problems."""
        return callbacks.read_replies(body, names=self._names["reply"])

    def _send_body(self, batch: Sequence[Outgoing], call_reference: str) -> bytes:
        names = self._names["request"]
        reference, number, text = names["reference"], names["number"], names["text"]
        request = dict(self._names["constants"])
        request[names["call_reference"]] = call_reference
        request[names["account"]] = self.settings.account
        request[names["callback_url"]] = self.settings.callback_url
        request[names["messages"]] = [
            {reference: outgoing.reference, number: outgoing.number, text: outgoing.text} for outgoing in batch
        ]
        request.pop("", None)
        return dump(request)

    def _read_call(self, answer: HttpAnswer) -> tuple[Any, Verdict | None]:
        """The answer as JSON, and a verdict if one holds for the whole call already."""
        if answer.status >= 500:
            return None, (Outcome.UNKNOWN, f"http_{answer.status}", SERVER_ERROR)
        if 300 <= answer.status < 400:
            return None, (Outcome.UNKNOWN, f"http_{answer.status}", REDIRECT)
        document = load(answer.body)
        if answer.status >= 400:
            verdict = self._call_verdict(document)
            if verdict[0] in (Outcome.TAKEN, Outcome.UNKNOWN) and answer.status in STATUSES:
                outcome, words = STATUSES[answer.status]
                return document, (outcome, f"http_{answer.status}", words)
            if verdict[0] is Outcome.TAKEN:
                return document, (Outcome.UNKNOWN, f"http_{answer.status}", CONTRADICTION)
            return document, verdict
        if not isinstance(document, dict | list):
            return None, (Outcome.UNKNOWN, "unreadable_answer", UNREADABLE)
        return document, None

    def _call_verdict(self, document: Any) -> Verdict:
        names = self._names["answer"]
        return self._verdict(
            text_of(value_at(document, names["call_code"])),
            text_of(value_at(document, names["call_outcome"])),
            value_at(document, names["call_words"]),
        )

    def _verdict(self, code: str, outcome: str, words: Any) -> Verdict:
        """
        Translate what a gateway said.

        A code of the table decides; an unknown code falls into the class the answer names; with
        neither, the message may have been taken.
        """
        known = self._codes.get(code)
        named = OUTCOMES.get(outcome)
        if known is not None:
            if named is not None and (named is Outcome.TAKEN) != (known[0] is Outcome.TAKEN):
                return Outcome.UNKNOWN, code, CONTRADICTION
            return known[0], code, known[1] or text_of(words)
        if named is Outcome.TAKEN:
            return named, code, ""
        if code:
            return named or Outcome.UNKNOWN, code, unknown_code(code, text_of(words))
        if named is not None:
            return named, "", text_of(words)
        return Outcome.UNKNOWN, "unreadable_answer", UNREADABLE

    def _match(self, batch: Sequence[Outgoing], items: list) -> list[Answer]:
        names = self._names["answer"]
        if names["reference"]:
            found = by_key(items, names["reference"])
            keys = [outgoing.reference for outgoing in batch]
        else:
            found = by_key(items, names["number"], key=plain_number)
            keys = [plain_number(outgoing.number) for outgoing in batch]
        verdicts: dict[tuple, Verdict] = {}
        answer = self._answer
        answers = [
            answer(outgoing, found.get(key), verdicts, names) for outgoing, key in zip(batch, keys, strict=True)
        ]
        if len(items) != len(batch):
            logger.warning("A gateway answered for %d of %d messages.", len(items), len(batch))
        return answers

    def _answer(
        self, outgoing: Outgoing, item: dict | None, verdicts: dict[tuple, Verdict], names: Mapping[str, str]
    ) -> Answer:
        if item is None:
            return Answer(outgoing.reference, Outcome.UNKNOWN, "", "missing", MISSING)
        number = item.get(names["number"])
        if item is CONFLICT or not (
            number is None or number == outgoing.number or same_number(number, outgoing.number)
        ):
            words = CONTRADICTION if item is CONFLICT else FOREIGN
            return Answer(outgoing.reference, Outcome.UNKNOWN, "", "foreign_answer", words)
        said = (item.get(names["code"]), item.get(names["outcome"]), item.get(names["words"]))
        try:
            verdict = verdicts.get(said)
        except TypeError:
            # A list or an object, where words should be.
            verdict = self._verdict(text_of(said[0]), text_of(said[1]), said[2])
        if verdict is None:
            # Most messages of a call are answered alike.
            verdict = verdicts[said] = self._verdict(text_of(said[0]), text_of(said[1]), said[2])
        return Answer(outgoing.reference, verdict[0], text_of(item.get(names["provider_id"])), *verdict[1:])

    def _found(self, reference: str, item: dict | None) -> Answer | NotFound:
        names = self._names["query"]
        status = text_of(item.get(names["status"])) if item else ""
        if status in names["not_found"]:
            return NotFound(reference)
        delivered = status in names["delivered"]
        if not (delivered or status in names["undelivered"] or status in names["taken"]):
            return Answer(reference, Outcome.UNKNOWN, "", "missing", MISSING)
        code, words = callbacks.receipt_words(
            text_of(item.get(names["code"])), text_of(item.get(names["words"])), delivered=delivered
        )
        provider_id = text_of(item.get(names["provider_id"]))
        final = None if status in names["taken"] else delivered
        return Answer(reference, Outcome.TAKEN, provider_id, code, words, delivered=final)


OUTCOMES = {outcome.value: outcome for outcome in Outcome}
CONFLICT: dict = {}


def by_key(items: list, name: str, *, key: Callable[[Any], str] = text_of) -> dict[str, dict]:
    """Items of an answer by reference or number; two that differ about one key are a CONFLICT."""
    found: dict[str, dict] = {}
    for item in items:
        if not isinstance(item, dict):
            continue
        value = key(item.get(name))
        earlier = found.setdefault(value, item)
        if earlier is not item and earlier != item:
            found[value] = CONFLICT
    return found
