"""
A server in the shape of Aliyun SMS that believes no signature and keeps an append-only ledger.

In a test: `Aliyun(directory)` within this process. As a process of its own:
`python -m tests.gateways.aliyun --port 0 --directory var/aliyun`, and `AliyunProcess` to steer it.
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
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from json.encoder import encode_basestring as quoted
from pathlib import Path

from tests.gateways.acs3_check import Refused, verify
from tests.gateways.process import GatewayProcess
from tests.gateways.server import GatewayServer, Reply, Request, misled

ROOT = Path(__file__).resolve().parent.parent.parent
CHINA = timezone(timedelta(hours=8))
KEY_ID, KEY_SECRET = "LTAItestKeyId", "testKeySecret"
MOBILE = re.compile(r"(?:\+?86|0086)?(1[3-9]\d{9})")
VARIABLE = re.compile(r"\$\{(\w+)\}")
LINK = re.compile(r"https?://|www\.|[a-z0-9-]+\.(?:com|cn)\b", re.IGNORECASE)
ENCODED = re.compile(rb"(?:%[0-9A-Fa-f]{2})+")
OPT_OUT = "拒收请回复R"
PATIENCE = 20


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
    status: int = 200
    # Refuses a whole call in which one of these numbers stands.
    number_codes: dict[str, str] = field(default_factory=dict)
    # How every answer goes wrong: drop, truncate, drip, html, 500, foreign, bomb, redirect; with "taken_" before it
    # once it was taken.
    fault: str = ""
    # What queries say: "" the truth, "hidden" nothing yet, "empty" a count without a list.
    query: str = ""
    # Receipts by number; the others are waiting (1) unless `receipt` says delivered (3) or failed (2).
    receipt: str = "1"
    receipts: dict[str, str] = field(default_factory=dict)
    # Per signature, text and number within 24 hours.
    number_limit: int = 50
    review: str = "1"
    signatures: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=lambda: {KEY_ID: KEY_SECRET})
    # Code of the text → its content, how far it is (0, 1, 2, 10), and why.
    templates: dict[str, list[str]] = field(default_factory=dict)
    # Seconds by which this server's calendar is shifted; signatures are held against the real clock.
    offset: float = 0


class Answered(Exception):
    """A code that answers the whole call."""

    def __init__(self, code: str, words: str = "", status: int = 200):
        super().__init__(words or code)
        self.code = code
        self.status = status


class Aliyun:
    """The service without its process; `server.url` is where it listens once started."""

    def __init__(self, directory: Path, *, port: int = 0, clock: Callable[[], float] = time.time, **script):
        directory.mkdir(parents=True, exist_ok=True)
        self.script = Script(**script)
        self.path = directory / "ledger.jsonl"
        self.clock = clock
        self.calls: Counter[str] = Counter()
        self._nonces: set[str] = set()
        self._random = random.Random(self.script.seed)
        self._lock = threading.Lock()
        self._by_number: dict[str, list[dict]] = defaultdict(list)
        self._count = 0
        for entry in read_ledger(self.path):
            self._remember(entry)
        self._ledger = self.path.open("a", encoding="utf-8")
        self.server = GatewayServer(self.answer, port=port)

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def host(self) -> str:
        return self.server.host

    def __enter__(self) -> "Aliyun":
        self.server.start()
        return self

    def __exit__(self, *_trouble) -> None:
        self.server.stop()
        self._ledger.close()

    def register(self, code: str, text: str, *, status: str = "1", reason: str = "") -> None:
        """Let a text be known under a code."""
        self.script.templates[code] = [text, status, reason]

    def ledger(self) -> list[dict]:
        """Every message that was taken."""
        return read_ledger(self.path)

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        if request.path == "/test/script":
            return self._steer(request)
        seconds = self.script.latency_ms / 1000
        action = request.headers.get("x-acs-action", "")
        is_taken = False
        with self._lock:
            self.calls[action] += 1
            try:
                verify(request, secrets=self.script.keys, now=self.clock(), nonces=self._nonces)
                self._refuse_as_told(action)
                content, status = self._do(action, parameters_of(request)), 200
                is_taken = action in ("SendSms", "SendBatchSms")
            except (Refused, Answered) as refusal:
                content, status = {"Code": refusal.code, "Message": str(refusal)}, refusal.status
            is_dropped = is_taken and self._random.random() * 100 < self.script.drop_percent
            number = self._count
        body = json.dumps({"RequestId": f"R{number}", "Code": "OK", "Message": "OK"} | content, ensure_ascii=False)
        return spoilt(Reply(status, body.encode(), seconds, "drop" if is_dropped else ""), self._fault(is_taken))

    def _steer(self, request: Request) -> Reply:
        """Change the script of a process from outside, and tell what it is."""
        with self._lock:
            changes = json.loads(request.body or b"{}")
            for name, value in changes.items():
                if name not in {known.name for known in fields(Script)}:
                    return Reply(400, json.dumps({"unknown": name}).encode())
                setattr(self.script, name, value)
            if "seed" in changes:
                self._random = random.Random(self.script.seed)
            return Reply(200, json.dumps(asdict(self.script) | {"calls": self.calls}).encode())

    def _fault(self, is_taken: bool) -> str:
        fault = self.script.fault
        if fault.startswith("taken_"):
            return fault.removeprefix("taken_") if is_taken else ""
        return fault

    def _refuse_as_told(self, action: str) -> None:
        fault = self.script.fault
        if fault and not fault.startswith("taken_"):
            raise Answered("InternalError", status=500)
        if self.script.next_codes:
            raise Answered(self.script.next_codes.pop(0), status=self.script.status)
        if self.script.code:
            raise Answered(self.script.code, status=self.script.status)

    def _do(self, action: str, parameters: dict[str, str]) -> dict:
        actions = {
            "SendSms": self._send_equal,
            "SendBatchSms": self._send_personal,
            "QuerySendDetails": self._query,
            "CreateSmsTemplate": self._create_template,
            "GetSmsTemplate": self._get_template,
            "GetSmsSign": self._get_signature,
        }
        if action not in actions:
            raise Answered("InvalidAction.NotFound", "Specified api is not found.", 404)
        return actions[action](parameters)

    def _send_equal(self, given: dict[str, str]) -> dict:
        numbers = needed(given, "PhoneNumbers").split(",")
        if len(numbers) > 1000:
            raise Answered("isv.MOBILE_COUNT_OVER_LIMIT")
        values = read_json(given.get("TemplateParam") or "{}", dict)
        signature = needed(given, "SignName")
        return self._take(given, [(number, signature, values) for number in numbers])

    def _send_personal(self, given: dict[str, str]) -> dict:
        numbers = read_json(needed(given, "PhoneNumberJson"), list)
        signatures = read_json(needed(given, "SignNameJson"), list)
        values = read_json(given.get("TemplateParamJson") or json.dumps([{}] * len(numbers)), list)
        if not len(numbers) == len(signatures) == len(values):
            raise Answered("isv.INVALID_PARAMETERS", "The arrays differ in length.")
        if len(numbers) > 100:
            raise Answered("isv.MOBILE_COUNT_OVER_LIMIT")
        return self._take(given, list(zip(numbers, signatures, values, strict=True)))

    def _take(self, given: dict[str, str], messages: list[tuple[str, str, dict]]) -> dict:
        """Take all messages of a call, or none; one refusal is the whole call's."""
        code = needed(given, "TemplateCode")
        content, status, _reason = self.script.templates.get(code, ("", "", ""))
        if status != "1":
            raise Answered("isv.SMS_TEMPLATE_ILLEGAL", "该账号下找不到对应模板")
        self._count += 1
        now = self.clock() + self.script.offset
        biz_id = f"{int(now)}{self._count:08}^0"
        entries = []
        for number, signature, values in messages:
            found = MOBILE.fullmatch(number)
            if not found:
                raise Answered("isv.MOBILE_NUMBER_ILLEGAL", f"{number}invalid mobile number")
            if told := self.script.number_codes.get(found[1]):
                raise Answered(told, "触发天级流控Permits:50" if "LIMIT" in told else told)
            if self.script.signatures.get(signature, "1") != "1":
                raise Answered("isv.SMS_SIGNATURE_ILLEGAL", "该账号下找不到对应签名")
            self._check_limit(signature, code, found[1], now)
            entries.append(
                {
                    "at": now, "number": found[1], "text": f"【{signature}】{composed(content, values)}",
                    "out_id": given.get("OutId", ""), "biz_id": biz_id, "template": code, "sign_name": signature,
                    "call": self._count,
                }
            )  # fmt: skip
        self._ledger.write("".join(map(line_of, entries)))
        self._ledger.flush()
        for entry in entries:
            self._remember(entry)
        return {"BizId": biz_id}

    def _check_limit(self, signature: str, code: str, number: str, now: float) -> None:
        same = [
            1
            for entry in self._by_number.get(number, ())
            if entry["at"] > now - 86_400 and (entry["sign_name"], entry["template"]) == (signature, code)
        ]
        if len(same) >= self.script.number_limit:
            raise Answered("isv.BUSINESS_LIMIT_CONTROL", f"触发天级流控Permits:{self.script.number_limit}")

    def _remember(self, entry: dict) -> None:
        self._by_number[entry["number"]].append(entry)
        self._count = max(self._count, entry["call"])

    def _query(self, given: dict[str, str]) -> dict:
        size, page = int(needed(given, "PageSize")), int(needed(given, "CurrentPage"))
        if not 1 <= size <= 50:
            raise Answered("isv.INVALID_PARAMETERS", "PageSize")
        found = [] if self.script.query == "hidden" else self._sent(given)
        shown = [] if self.script.query == "empty" else found[(page - 1) * size : page * size]
        return {"TotalCount": str(len(found)), "SmsSendDetailDTOs": {"SmsSendDetailDTO": shown}}

    def _sent(self, given: dict[str, str]) -> list[dict]:
        entries = self._by_number.get(needed(given, "PhoneNumber"), [])
        return [
            self._detail(entry)
            for entry in reversed(entries)
            if datetime.fromtimestamp(entry["at"], CHINA).strftime("%Y%m%d") == needed(given, "SendDate")
            if given.get("BizId", entry["biz_id"]) == entry["biz_id"]
        ]

    def _detail(self, entry: dict) -> dict:
        status = self.script.receipts.get(entry["number"], self.script.receipt)
        return {
            "PhoneNum": entry["number"], "SendStatus": int(status[0]), "TemplateCode": entry["template"],
            "ErrCode": status[2:] or ("DELIVERED" if status == "3" else ""), "Content": entry["text"],
            "SendDate": beijing(entry["at"]), "OutId": entry["out_id"],
        }  # fmt: skip

    def _create_template(self, given: dict[str, str]) -> dict:
        name, content = needed(given, "TemplateName"), needed(given, "TemplateContent")
        is_marketing = needed(given, "TemplateType") == "2"
        names = VARIABLE.findall(content)
        if len(name) > 30 or len(content) > 500:
            raise Answered("isv.PARAM_LENGTH_LIMIT")
        if names and set(read_json(needed(given, "TemplateRule"), dict)) != set(names):
            raise Answered("isv.INVALID_PARAMETERS", "TemplateRule")
        reason = ""
        if content.endswith(OPT_OUT) != is_marketing:
            reason = "推广短信模板末尾须带“拒收请回复R”，通知短信模板不得包含退订信息"
        elif len(names) != len(set(names)) or re.search(r"\}\$\{", content) or VARIABLE.sub("", content) == "":
            reason = "模板变量不符合规范"
        code = f"SMS_{100_000_001 + len(self.script.templates)}"
        self.register(code, content, status="2" if reason else self.script.review, reason=reason)
        return {"TemplateCode": code, "TemplateName": name, "OrderId": f"9{len(self.script.templates)}"}

    def _get_template(self, given: dict[str, str]) -> dict:
        code = needed(given, "TemplateCode")
        if code not in self.script.templates:
            raise Answered("isv.SMS_TEMPLATE_ILLEGAL", "模板不存在")
        content, status, reason = self.script.templates[code]
        audit = {"RejectInfo": reason} if reason else {}
        return {"TemplateCode": code, "TemplateContent": content, "TemplateStatus": status, "AuditInfo": audit}

    def _get_signature(self, given: dict[str, str]) -> dict:
        name = needed(given, "SignName")
        status = self.script.signatures.get(name, "1")
        if status == "unknown":
            raise Answered("isv.SMS_SIGNATURE_ILLEGAL", "签名不存在")
        return {"SignName": name, "SignStatus": int(status), "AuditInfo": {"RejectInfo": "营业执照不清晰"}}


def parameters_of(request: Request) -> dict[str, str]:
    """The parameters of a call, from its query and its form."""
    pairs = [pair.partition("=")[::2] for pair in f"{request.query}&{request.body.decode()}".split("&")]
    return {name: decoded(value) for name, value in pairs if name}


def decoded(value: str) -> str:
    """A value of a query or a form; urllib takes three times as long for 100 sets of parameters."""
    raw = ENCODED.sub(lambda run: bytes.fromhex(run[0].decode().replace("%", "")), value.replace("+", " ").encode())
    return raw.decode()


def needed(given: dict[str, str], name: str) -> str:
    if not given.get(name):
        raise Answered(f"Missing{name}", f"{name} is mandatory for this action.", 400)
    return given[name]


def read_json(text: str, kind: type):
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, kind):
        raise Answered("isv.INVALID_JSON_PARAM", text[:50])
    return value


def composed(content: str, values: dict[str, str]) -> str:
    """The text that reaches the customer, without its signature."""
    for value in values.values():
        if not isinstance(value, str):
            raise Answered("isv.INVALID_JSON_PARAM", "values must be strings")
        if len(value) > 35:
            raise Answered("isv.PARAM_LENGTH_LIMIT", value)
        if "." in value and LINK.search(value):
            raise Answered("isv.PARAM_NOT_SUPPORT_URL", value)
    parts = parts_of(content)
    if missing := [name for name in parts[1::2] if not values.get(name)]:
        raise Answered("isv.TEMPLATE_MISSING_PARAMETERS", ",".join(missing))
    return "".join([values[part] if place % 2 else part for place, part in enumerate(parts)])


@lru_cache
def parts_of(content: str) -> list[str]:
    """Words and names of variables, by turns."""
    return VARIABLE.split(content)


def line_of(entry: dict) -> str:
    """One line of the ledger; json.dumps would take half of the server's time."""
    pairs = (f"{quoted(name)}: {quoted(value) if isinstance(value, str) else value}" for name, value in entry.items())
    return f"{{{', '.join(pairs)}}}\n"


def spoilt(reply: Reply, fault: str) -> Reply:
    """An answer with what goes wrong with it."""
    if answer := misled(reply, fault):
        return answer
    if fault == "html":
        return Reply(200, b"<html><body>504 Gateway Time-out</body></html>", reply.seconds)
    if fault == "500":
        return Reply(500, b'{"Code":"InternalError","Message":"try again"}', reply.seconds)
    if fault == "foreign":
        return Reply(200, b'{"hello":"world"}', reply.seconds)
    return Reply(reply.status, reply.body, reply.seconds, fault or reply.fault)


def beijing(at: float) -> str:
    """A moment as Aliyun writes it."""
    return datetime.fromtimestamp(at, CHINA).strftime("%Y-%m-%d %H:%M:%S")


def receipts_of(entries: list[dict], *, code: str = "DELIVERED", at: float | None = None) -> bytes:
    """What SmsReport would push for some entries of a ledger."""
    items = [
        {
            "phone_number": entry["number"], "send_time": beijing(entry["at"]),
            "report_time": beijing(at or entry["at"] + 3), "success": code == "DELIVERED", "err_code": code,
            "err_msg": "用户接收成功" if code == "DELIVERED" else "", "sms_size": "1",
            "biz_id": entry["biz_id"], "out_id": entry["out_id"],
        }
        for entry in entries
    ]  # fmt: skip
    return json.dumps(items, ensure_ascii=False).encode()


def read_ledger(path: Path) -> list[dict]:
    """The entries of a ledger; a line that is still being written is left out."""
    if not path.exists():
        return []
    whole = path.read_bytes().rpartition(b"\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


class AliyunProcess(GatewayProcess):
    """The same server as a process of its own."""

    module = "tests.gateways.aliyun"

    def register(self, code: str, text: str, *, status: str = "1", reason: str = "") -> None:
        """Let a text be known under a code."""
        self.set(templates=self.set()["templates"] | {code: [text, status, reason]})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--drop-percent", type=float, default=0)
    parser.add_argument("--key", default=f"{KEY_ID}:{KEY_SECRET}", help="id:secret")
    options = parser.parse_args()
    key_id, _colon, secret = options.key.partition(":")
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    with Aliyun(
        options.directory,
        port=options.port,
        latency_ms=options.latency_ms,
        drop_percent=options.drop_percent,
        keys={key_id: secret},
    ) as service:
        started = datetime.now(UTC).isoformat(timespec="seconds")
        sys.stdout.write(f"{started} An SMS gateway in the shape of Aliyun listens at {service.url}\n")
        sys.stdout.flush()
        signal.pause()


if __name__ == "__main__":
    main()
