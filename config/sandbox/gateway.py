"""What the sandbox gateway does with a call: judge, write into the ledger, plan receipts, answer."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

from config.sandbox.clock import DeploymentClock
from config.sandbox.ledger import Entry, Ledger
from config.sandbox.receipts import ReceiptPusher
from config.sandbox.rules import Rule, rule_for
from config.sandbox.settings import Settings

MOST_MESSAGES = 1000
LONGEST_NAME = 200
# Calls whose first answer is remembered: with 100 numbers each, the last two million messages.
REMEMBERED_CALLS = 20_000
REMEMBERED_LINES_AT_START = 100_000
SLOW_SECONDS = 15

Message = tuple[str, str, str]


class Reply(NamedTuple):
    """A status and a JSON value; `fault` names what goes wrong on the way back."""

    status: int
    content: dict[str, Any]
    fault: str = ""
    seconds: float = 0.0


class BadCall(Exception):
    """A call that is refused whole: a status, a code of the protocol, and words for developers."""

    def __init__(self, status: int, outcome: str, code: str, words: str):
        super().__init__(words)
        self.reply = Reply(status, {"outcome": outcome, "code": code, "words": words})


REFUSALS = {
    "throttled": (429, "refused_later", "throttled", "Too many calls."),
    "no_balance": (402, "refused_account", "no_balance", "The account has no balance left."),
    "bad_key": (401, "refused_account", "bad_key", "This API key is not known."),
    "content_refused": (422, "refused_content", "content_refused", "The signature is not approved."),
}


class Gateway:
    """The sandbox gateway without its HTTP; every method may be called from any thread."""

    def __init__(self, *, ledger: Ledger, pusher: ReceiptPusher, clock: DeploymentClock, settings: Settings):
        self.ledger = ledger
        self.pusher = pusher
        self.clock = clock
        self.settings = settings
        # Call reference → what it handed over and its number, to answer a repetition like the first time.
        self._calls: OrderedDict[str, tuple[int, str]] = OrderedDict()
        self._lock = threading.Lock()
        self._remember_ledger()

    def send(self, request: Any, *, key: str) -> Reply:
        """Take a batch. Raises BadCall for a call that is refused whole."""
        self._check_key(key)
        fault = self.settings.fault
        if fault in REFUSALS:
            raise BadCall(*REFUSALS[fault])
        if fault == "down":
            return Reply(503, {"words": "Down for maintenance."})
        if fault == "drop":
            return Reply(200, {}, "drop")
        call = read_call(request)
        rules = [rule_for(number, text) for _reference, number, text in call.messages]
        at = self.clock.now().isoformat(timespec="milliseconds")
        with self._lock:
            call_id, early = self._accept(call, rules, at)
        for entry in early:
            self.pusher.push_early(call.callback_url, entry)
        fault = fault.removesuffix("_after") or next((rule.fault for rule in rules if rule.fault), "")
        seconds = SLOW_SECONDS if fault == "slow" else self.settings.latency_ms / 1000
        content = {
            "call_reference": call.reference,
            "outcome": "taken",
            "code": "ok",
            "messages": [
                {
                    "reference": reference,
                    "number": number,
                    "outcome": rule.outcome,
                    "code": rule.code,
                    "id": f"{call_id}-{position}" if rule.ledger else "",
                }
                for position, ((reference, number, _text), rule) in enumerate(zip(call.messages, rules, strict=True))
                if not rule.is_left_out
            ],
        }
        return Reply(200, content, fault, seconds)

    def query(self, request: Any, *, key: str) -> Reply:
        """Tell what became of messages by the shop's references. Raises BadCall."""
        self._check_key(key)
        references = request.get("references") if isinstance(request, dict) else None
        if not is_list_of_text(references) or len(references) > MOST_MESSAGES:
            raise bad_request(f"references must be a list of up to {MOST_MESSAGES} texts.")
        found = self.ledger.find(references)
        items = [status_of(found[reference][0]) for reference in dict.fromkeys(references) if reference in found]
        items += [
            {"reference": reference, "status": "not_found"}
            for reference in dict.fromkeys(references)
            if reference not in found
        ]
        return Reply(200, {"messages": items}, seconds=self.settings.latency_ms / 1000)

    def change_settings(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Change settings and return them all. Raises BadSetting."""
        self.settings.change(changes)
        self.pusher.settings_changed()
        return self.settings.as_dict()

    def _accept(self, call: "Call", rules: list[Rule], at: str) -> tuple[str, list[Entry]]:
        """Write what is accepted, unless the same call did before; its id, and whose receipt is early."""
        accepted = [(message, rule) for message, rule in zip(call.messages, rules, strict=True) if rule.ledger]
        fingerprint = hash(tuple(message for message, _rule in accepted))
        earlier = self._calls.get(call.reference) if self.settings.idempotent else None
        if earlier is not None:
            if earlier[0] != fingerprint:
                raise BadCall(409, "unknown", "call_reference_reused", "This call had other messages before.")
            return earlier[1], []
        call_id = f"S{len(self.ledger) + 1}"
        if not accepted:
            return call_id, []
        positions = {message: position for position, message in enumerate(call.messages)}
        entries = [Entry(*message, rule.ledger, f"{call_id}-{positions[message]}") for message, rule in accepted]
        first = self.ledger.append(
            entries,
            account=call.account,
            time=at,
            call_reference=call.reference,
            callback=self.pusher.callback_number(call.callback_url),
        )
        self._remember(call.reference, fingerprint, call_id)
        kept = [rule for _message, rule in accepted]
        self.pusher.plan(call.callback_url, entries, kept, first_line=first)
        return call_id, [entry for entry, rule in zip(entries, kept, strict=True) if rule.is_early]

    def _check_key(self, key: str) -> None:
        if self.settings.api_key and key != self.settings.api_key:
            raise BadCall(*REFUSALS["bad_key"])

    def _remember(self, reference: str, fingerprint: int, call_id: str) -> None:
        self._calls[reference] = (fingerprint, call_id)
        if len(self._calls) > REMEMBERED_CALLS:
            self._calls.popitem(last=False)

    def _remember_ledger(self) -> None:
        start = max(0, len(self.ledger) - REMEMBERED_LINES_AT_START)
        calls: dict[str, tuple[str, list[Message]]] = {}
        for line in self.ledger.messages(start):
            call_id = line["id"].rpartition("-")[0]
            _id, messages = calls.setdefault(line["call_reference"], (call_id, []))
            messages.append((line["reference"], line["number"], line["text"]))
        for reference, (call_id, messages) in calls.items():
            self._remember(reference, hash(tuple(messages)), call_id)


class Call(NamedTuple):
    """A send call, read and found well-formed."""

    reference: str
    account: str
    callback_url: str
    messages: list[Message]


def read_call(request: Any) -> Call:
    """Read a send call. Raises BadCall."""
    if not isinstance(request, dict):
        raise bad_request("The body must be a JSON object.")
    reference, account = request.get("call_reference"), request.get("account", "")
    callback_url, items = request.get("callback_url", ""), request.get("messages")
    if not is_name(reference) or not reference:
        raise bad_request("call_reference must be a text of 1 to 200 characters.")
    if not is_name(account) or not isinstance(callback_url, str):
        raise bad_request("account and callback_url must be texts.")
    if not isinstance(items, list) or not items:
        raise bad_request("messages must be a list of messages.")
    if len(items) > MOST_MESSAGES:
        raise BadCall(413, "refused_account", "too_many", f"At most {MOST_MESSAGES} messages in one call.")
    try:
        messages = [(item["reference"], item["number"], item["text"]) for item in items]
    except (TypeError, KeyError):
        raise bad_request("Every message needs reference, number and text.") from None
    if {type(value) for message in messages for value in message} != {str}:
        raise bad_request("reference, number and text of a message must be texts.")
    references = {message[0] for message in messages}
    if len(references) < len(messages) or "" in references or max(map(len, references)) > LONGEST_NAME:
        raise bad_request("Every message needs a reference of its own, of 1 to 200 characters.")
    return Call(reference, account, callback_url, messages)


def status_of(line: dict[str, Any]) -> dict[str, Any]:
    """The answer to a query about one message of the ledger."""
    receipts = rule_for(line["number"], line["text"]).receipts
    code = receipts[0][1] if receipts else ""
    return {
        "reference": line["reference"],
        "number": line["number"],
        "status": line["outcome"],
        "code": code or line["outcome"],
        "id": line["id"],
    }


def bad_request(words: str) -> BadCall:
    """A call that is not written as the protocol has it."""
    return BadCall(400, "refused_account", "bad_request", words)


def is_name(value: Any) -> bool:
    """Whether this is a text short enough to name something."""
    return isinstance(value, str) and len(value) <= LONGEST_NAME


def is_list_of_text(value: Any) -> bool:
    """Whether this is a list or tuple of texts."""
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
