"""
A server in the shape of Tencent Cloud SMS that believes no signature and keeps an append-only ledger.

In a test: `Tencent(directory)` within this process. As a process of its own:
`python -m tests.gateways.tencent --port 0 --directory var/tencent`, and `TencentProcess` to steer it.
"""

import argparse
import json
import os
import random
import re
import signal
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from tests.gateways.ledger import Ledger
from tests.gateways.process import GatewayProcess
from tests.gateways.server import GatewayServer, Reply, Request, misled
from tests.gateways.tc3_check import Refused, verify
from tests.gateways.tencent_texts import check_text, composed, segments

KEY_ID, SECRET, APP_ID = "AKIDtestSecretId", "testSecretKey", "1400006666"
MOBILE = re.compile(r"(?:\+?86|0086)?(1[3-9]\d{9})")
PARAMETERS = {
    "SendSms": {
        "PhoneNumberSet", "SmsSdkAppId", "TemplateId", "SignName", "TemplateParamSet", "ExtendCode", "SessionContext",
        "SenderId",
    },
    "PullSmsSendStatusByPhoneNumber": {"PhoneNumber", "SmsSdkAppId", "BeginTime", "EndTime", "Limit", "Offset"},
    "PullSmsSendStatus": {"SmsSdkAppId", "Limit"},
    "PullSmsReplyStatus": {"SmsSdkAppId", "Limit"},
    "AddSmsTemplate": {"TemplateName", "TemplateContent", "SmsType", "International", "Remark"},
    "DescribeSmsTemplateList": {"International", "TemplateIdSet", "Limit", "Offset"},
    "DescribeSmsSignList": {"International", "SignIdSet", "Limit", "Offset"},
}  # fmt: skip


@dataclass
class Script:
    """How the server behaves; every field can be set while it runs."""

    latency_ms: float = 0
    # Of the calls that were taken, so many in a hundred get no answer.
    drop_percent: float = 0
    seed: int = 1
    # The code of every further call, or the codes of the next ones, each once.
    code: str = ""
    next_codes: list[str] = field(default_factory=list)
    # Codes by number without +86: in the number's row, or as the answer to the whole call.
    number_codes: dict[str, str] = field(default_factory=dict)
    number_codes_spoil_the_call: bool = False
    # How every answer goes wrong: drop, truncate, drip, html, 500, foreign, bomb, redirect; with "taken_" before it
    # once it was taken.
    fault: str = ""
    # What happens to the rows of an answer: permuted, missing, alien, duplicated, contradictory.
    rows: str = ""
    content_type: str = "application/json"
    # What the carrier reported: SUCCESS, "FAIL 002 words", or "" for nothing yet; for all, and by number.
    report: str = "SUCCESS"
    reports: dict[str, str] = field(default_factory=dict)
    # Whether support has enabled SessionContext in receipts.
    sessions_in_reports: bool = True
    keys: dict[str, str] = field(default_factory=lambda: {KEY_ID: SECRET})
    applications: list[str] = field(default_factory=lambda: [APP_ID])
    # Name → state and reason; any name is good while there is none.
    signatures: dict[str, list] = field(default_factory=dict)
    # Number → content, state (0 usable, 1 in review, 2 not yet in effect, -1 rejected), reason.
    templates: dict[str, list] = field(default_factory=dict)
    # The state of a text that is handed in.
    review: int = 1
    # Replies that wait to be pulled: number, text, signature.
    replies: list[list[str]] = field(default_factory=list)
    # Seconds by which this server's calendar is shifted; signatures are held against the real clock.
    offset: float = 0


class Tencent:
    """The service; `url` is where it listens once started."""

    def __init__(self, directory: Path, *, port: int = 0, clock: Callable[[], float] = time.time, **script):
        self.script = Script(**script)
        self._ledger = Ledger(directory)
        self.clock = clock
        self.calls: Counter[str] = Counter()
        self._random = random.Random(self.script.seed)
        self._lock = threading.Lock()
        self._entries: list[dict] = []
        self._by_number: dict[str, list[dict]] = defaultdict(list)
        self._pulled = 0
        for entry in self._ledger.entries():
            self._remember(entry)
        self.server = GatewayServer(self.answer, port=port)
        self.url, self.host = self.server.url, self.server.host

    def __enter__(self) -> "Tencent":
        self.server.start()
        return self

    def __exit__(self, *_trouble) -> None:
        self.server.stop()
        self._ledger.close()

    def register(self, code: str, text: str, *, state: int = 0, reason: str = "") -> None:
        """Let a text be known under a number."""
        self.script.templates[code] = [text, state, reason]

    def ledger(self) -> list[dict]:
        """Every message that was taken."""
        return self._ledger.entries()

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        if request.path == "/test/script":
            return self._steer(request)
        seconds, headers = self.script.latency_ms / 1000, {"Content-Type": self.script.content_type}
        action, is_taken = request.headers.get("x-tc-action", ""), False
        with self._lock:
            self.calls[action] += 1
            try:
                verify(request, secrets=self.script.keys, host=self.host, now=self.clock())
                self._refuse_as_told()
                content = self._do(action, read(request, action))
                is_taken = action == "SendSms"
            except Refused as refusal:
                content = {"Error": {"Code": refusal.code, "Message": str(refusal)}}
            is_dropped = is_taken and self._random.random() * 100 < self.script.drop_percent
            content["RequestId"] = f"request-{self.calls.total()}"
        body = json.dumps({"Response": content}, ensure_ascii=False).encode()
        fault = "drop" if is_dropped else self._fault(is_taken=is_taken)
        return spoilt(Reply(200, body, seconds, headers=headers), fault)

    def _steer(self, request: Request) -> Reply:
        """Change the script of a process from outside, and tell what it is."""
        with self._lock:
            changes = json.loads(request.body or b"{}")
            unknown = set(changes) - {known.name for known in fields(Script)}
            if unknown:
                return Reply(400, json.dumps({"unknown": sorted(unknown)}).encode())
            for name, value in changes.items():
                setattr(self.script, name, value)
            if "seed" in changes:
                self._random = random.Random(self.script.seed)
            return Reply(200, json.dumps(asdict(self.script) | {"calls": self.calls}).encode())

    def _fault(self, *, is_taken: bool) -> str:
        fault = self.script.fault
        if fault.startswith("taken_"):
            return fault.removeprefix("taken_") if is_taken else ""
        return fault

    def _refuse_as_told(self) -> None:
        fault = self.script.fault
        if fault and not fault.startswith("taken_"):
            raise Refused("InternalError")
        if self.script.next_codes:
            raise Refused(self.script.next_codes.pop(0))
        if self.script.code:
            raise Refused(self.script.code)

    def _do(self, action: str, given: dict) -> dict:
        if given.get("SmsSdkAppId", APP_ID) not in self.script.applications:
            raise Refused("InvalidParameterValue.SdkAppIdNotExist")
        actions = {
            "SendSms": self._send,
            "PullSmsSendStatusByPhoneNumber": self._pull_by_number,
            "PullSmsSendStatus": self._pull_reports,
            "PullSmsReplyStatus": self._pull_replies,
            "AddSmsTemplate": self._add_template,
            "DescribeSmsTemplateList": self._list_templates,
            "DescribeSmsSignList": self._list_signatures,
        }
        return actions[action](given)

    def _send(self, given: dict) -> dict:
        numbers, values = needed(given, "PhoneNumberSet", list), given.get("TemplateParamSet", [])
        if not numbers:
            raise Refused("MissingParameter.EmptyPhoneNumberSet")
        if len(numbers) > 200:
            raise Refused("LimitExceeded.PhoneNumberCountLimit")
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise Refused("InvalidParameter", "TemplateParamSet")
        session = given.get("SessionContext", "")
        if len(session.encode()) >= 512:
            raise Refused("InvalidParameter", "SessionContext")
        signature = needed(given, "SignName", str)
        if self.script.signatures.get(signature, [0 if not self.script.signatures else -1])[0] != 0:
            raise Refused("FailedOperation.SignatureIncorrectOrUnapproved")
        code = needed(given, "TemplateId", str)
        content, state, _reason = self.script.templates.get(code, ["", -1, ""])
        if state != 0:
            raise Refused("FailedOperation.TemplateUnapprovedOrNotExist")
        text = f"【{signature}】{composed(content, values)}"
        call, rows, entries = self.calls["SendSms"], [], []
        for number in numbers:
            found = MOBILE.fullmatch(number)
            told = (
                self.script.number_codes.get(found[1], "") if found else "InvalidParameterValue.IncorrectPhoneNumber"
            )
            if told and self.script.number_codes_spoil_the_call:
                raise Refused(told)
            serial = "" if told else f"2640:{int(self.clock())}{len(self._entries) + len(entries):09}"
            row = {"SerialNo": serial, "PhoneNumber": number, "Fee": 0 if told else segments(text)}
            row |= {
                "SessionContext": session,
                "Code": told or "Ok",
                "Message": told or "send success",
                "IsoCode": "CN",
            }
            rows.append(row)
            if not told:
                at = self.clock() + self.script.offset
                entry = {"at": at, "number": found[1], "text": text, "session": session, "serial": serial}
                entries.append(entry | {"template": code, "sign_name": signature, "call": call})
        self._ledger.append(entries)
        for entry in entries:
            self._remember(entry)
        return {"SendStatusSet": mishandled(rows, self.script.rows, self._random)}

    def _remember(self, entry: dict) -> None:
        self._entries.append(entry)
        self._by_number[entry["number"]].append(entry)

    def _pull_by_number(self, given: dict) -> dict:
        found, begins = MOBILE.fullmatch(needed(given, "PhoneNumber", str)), needed(given, "BeginTime", int)
        ends = given.get("EndTime", self.clock() + self.script.offset)
        if not found:
            raise Refused("InvalidParameterValue.IncorrectPhoneNumber")
        if begins >= ends or begins < self.clock() - 7 * 86_400:
            raise Refused("InvalidParameterValue.BeginTimeVerifyFail")
        if given.get("Offset") != 0 or not 1 <= needed(given, "Limit", int) <= 100:
            raise Refused("InvalidParameterValue.LimitVerifyFail")
        entries = [entry for entry in self._by_number[found[1]] if begins <= entry["at"] - self.script.offset <= ends]
        return {"PullSmsSendStatusSet": self._reports_of(entries)[: given["Limit"]]}

    def _pull_reports(self, given: dict) -> dict:
        entries = self._entries[self._pulled : self._pulled + needed(given, "Limit", int)]
        self._pulled += len(entries)
        return {"PullSmsSendStatusSet": self._reports_of(entries)}

    def _pull_replies(self, given: dict) -> dict:
        limit, waiting = needed(given, "Limit", int), self.script.replies
        taken, self.script.replies = waiting[:limit], waiting[limit:]
        rows = [
            {
                "ExtendCode": "", "CountryCode": "86", "PhoneNumber": f"+86{number}", "SubscriberNumber": number,
                "SignName": signature, "ReplyContent": text, "ReplyTime": int(self.clock()),
            }
            for number, text, signature in taken
        ]  # fmt: skip
        return {"PullSmsReplyStatusSet": rows}

    def _reports_of(self, entries: list[dict]) -> list[dict]:
        rows = []
        for entry in entries:
            status, _space, rest = self.script.reports.get(entry["number"], self.script.report).partition(" ")
            if status:
                session = entry["session"] if self.script.sessions_in_reports else ""
                row = {"UserReceiveTime": int(entry["at"]) + 3, "CountryCode": "86", "SerialNo": entry["serial"]}
                row |= {"SubscriberNumber": entry["number"], "PhoneNumber": f"+86{entry['number']}"}
                row |= {"ReportStatus": status, "Description": rest or "DELIVRD", "SessionContext": session}
                rows.append(row)
        return rows

    def _add_template(self, given: dict) -> dict:
        check_text(needed(given, "TemplateContent", str), kind=needed(given, "SmsType", int))
        needed(given, "TemplateName", str)
        needed(given, "International", int)
        code = str(1_110_001 + len(self.script.templates))
        self.register(code, given["TemplateContent"], state=self.script.review)
        return {"AddTemplateStatus": {"TemplateId": code}}

    def _list_templates(self, given: dict) -> dict:
        wanted = needed(given, "TemplateIdSet", list)
        if not all(type(code) is int for code in wanted) or len(wanted) > 100:
            raise Refused("InvalidParameter", "TemplateIdSet")
        if missing := [code for code in wanted if str(code) not in self.script.templates]:
            raise Refused("FailedOperation.TemplateIdNotExist", f"{missing}")
        rows = []
        for code in reversed(wanted):
            content, state, reason = self.script.templates[str(code)]
            row = {"TemplateId": code, "International": 0, "StatusCode": state, "ReviewReply": reason}
            rows.append(row | {"TemplateName": f"template {code}", "TemplateContent": content, "CreateTime": 1})
        return {"DescribeTemplateStatusSet": rows}

    def _list_signatures(self, given: dict) -> dict:
        first, limit = needed(given, "Offset", int), needed(given, "Limit", int)
        if limit > 100 or given.get("SignIdSet"):
            raise Refused("InvalidParameterValue.LimitVerifyFail")
        rows = [
            {"SignId": 500 + place, "International": 0, "StatusCode": state, "ReviewReply": reason, "SignName": name}
            for place, (name, (state, reason)) in enumerate(self.script.signatures.items())
        ]
        return {"DescribeSignListStatusSet": rows[first : first + limit]}


def read(request: Request, action: str) -> dict:
    """The parameters of a call. Raises Refused."""
    if action not in PARAMETERS:
        raise Refused("InvalidAction", action)
    try:
        given = json.loads(request.body)
    except ValueError:
        raise Refused("InvalidParameter", "The body is no JSON.") from None
    if unknown := set(given) - PARAMETERS[action]:
        raise Refused("UnknownParameter", f"{sorted(unknown)}")
    return given


def needed(given: dict, name: str, kind: type):
    """A parameter that has to be there, of its kind. Raises Refused."""
    if name not in given:
        raise Refused("MissingParameter", name)
    if type(given[name]) is not kind:
        raise Refused("InvalidParameter", f"{name} has the wrong type.")
    return given[name]


def mishandled(rows: list[dict], how: str, chance: random.Random) -> list[dict]:
    """Rows as a script wants them."""
    match how:
        case "permuted":
            return chance.sample(rows, len(rows))
        case "missing":
            return rows[1:]
        case "alien":
            return [rows[0] | {"PhoneNumber": "+8619999999999", "SerialNo": "2640:alien"}, *rows]
        case "duplicated":
            return [rows[0], *rows]
        case "contradictory":
            return [rows[0] | {"Code": "FailedOperation.PhoneNumberInBlacklist", "SerialNo": ""}, *rows]
    return rows


def spoilt(reply: Reply, fault: str) -> Reply:
    """An answer with what goes wrong with it."""
    if answer := misled(reply, fault):
        return answer
    if fault == "html":
        return Reply(200, b"<html><body>504 Gateway Time-out</body></html>", reply.seconds)
    if fault == "500":
        return Reply(500, b'{"Response":{"Error":{"Code":"InternalError"}}}', reply.seconds)
    if fault == "foreign":
        return Reply(200, b'{"hello":"world"}', reply.seconds)
    return Reply(reply.status, reply.body, reply.seconds, fault, reply.headers)


class TencentProcess(GatewayProcess):
    """The same server as a process of its own."""

    module = "tests.gateways.tencent"

    def register(self, code: str, text: str, *, state: int = 0, reason: str = "") -> None:
        """Let a text be known under a number."""
        self.set(templates=self.set()["templates"] | {code: [text, state, reason]})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--directory", type=Path, required=True)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    with Tencent(options.directory, port=options.port) as service:
        sys.stdout.write(f"An SMS gateway in the shape of Tencent Cloud listens at {service.url}\n")
        sys.stdout.flush()
        while True:
            signal.pause()


if __name__ == "__main__":
    main()
