"""What Tencent Cloud makes of registered texts, and what it pushes about messages that were sent."""

import json
import re
from datetime import datetime, timedelta, timezone
from math import ceil

from tests.gateways.tc3_check import Refused

CHINA = timezone(timedelta(hours=8))
VARIABLE = re.compile(r"\{(\d+)\}")
LINK = re.compile(r"https?://|www\.|[a-z0-9-]+\.(?:com|cn)\b", re.IGNORECASE)
OPT_OUT = "拒收请回复R"
MARKETING = 1


def composed(content: str, values: list[str]) -> str:
    """The text that reaches the customer, without its signature. Raises Refused."""
    parts = VARIABLE.split(content)
    if sorted(map(int, parts[1::2])) != list(range(1, len(values) + 1)):
        raise Refused("FailedOperation.TemplateParamSetNotMatchApprovedTemplate")
    for value in values:
        if LINK.search(value):
            raise Refused("InvalidParameterValue.ProhibitedUseUrlInTemplateParameter")
    return "".join(values[int(part) - 1] if place % 2 else part for place, part in enumerate(parts))


def check_text(content: str, *, kind: int) -> None:
    """Refuse a text that breaks a rule. Raises Refused."""
    places = [int(place) for place in VARIABLE.findall(content)]
    if places != list(range(1, len(places) + 1)) or "}{" in content or not VARIABLE.sub("", content):
        raise Refused("InvalidParameterValue.InvalidTemplateFormat")
    if kind == MARKETING and not content.endswith(OPT_OUT):
        raise Refused("InvalidParameterValue.MarketingTemplateWithoutUnsubscribe", "营销短信必须包含退订方式")
    if kind not in (1, 2, 3):
        raise Refused("InvalidParameterValue.InvalidSmsType")


def segments(text: str) -> int:
    """The parts of a text that are billed."""
    length = len(text.encode("utf-16-le")) // 2
    return 1 if length <= 70 else ceil(length / 67)


def receipts_of(entries: list[dict], *, error: str = "", description: str = "", has_ext: bool = True) -> bytes:
    """What is pushed for some entries of a ledger once the carrier has reported; good news without an error."""
    items = []
    for entry in entries:
        at = datetime.fromtimestamp(entry["at"] + 3, CHINA).strftime("%Y-%m-%d %H:%M:%S")
        item = {"user_receive_time": at, "nationcode": "86", "mobile": entry["number"]}
        item |= {"report_status": "FAIL" if error else "SUCCESS", "errmsg": error or "DELIVRD"}
        item |= {"description": description or "用户短信送达成功", "sid": entry["serial"]}
        items.append(item | ({"ext": entry["session"]} if has_ext else {}))
    return json.dumps(items, ensure_ascii=False).encode()


def reply_of(number: str, text: str, *, at: float, signature: str) -> bytes:
    """What is pushed when a customer has replied."""
    pushed = {"extend": "", "mobile": number, "nationcode": "86", "sign": signature, "text": text, "time": int(at)}
    return json.dumps(pushed, ensure_ascii=False).encode()
