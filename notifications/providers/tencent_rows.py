"""Reads the receipts and replies of Tencent Cloud, pushed or pulled, the good half of whatever comes."""

from typing import Any

from notifications.providers.base import Replies, Reply, Report, Reports, unknown_code
from notifications.providers.callbacks import NO_NUMBER, NO_REFERENCE, NO_TEXT, UNKNOWN_STATUS, read_items
from notifications.providers.json_values import clean_text, moment, plain_number, text_of
from notifications.providers.tencent_codes import BLACKLISTED, NO_SUCH_NUMBER, OPTED_OUT, RECEIPT_WORDS

# There is no complete list of receipt codes, and each carrier has its own; the description is Tencent Cloud's.
BLACKLIST_WORDS = ("黑名单", "免打扰")
# "空号/停机/关机" says only that one of them is true: tomorrow the phone may be on again.
ALIVE_WORDS = ("停机", "关机", "无法接通", "不在服务区")


def read_reports(body: bytes) -> Reports:
    """Read the receipts of one push: an array of up to 100."""
    return Reports(*read_items(body, pushed_report))


def read_replies(body: bytes) -> Replies:
    """Read the reply of one push: a single object; an array is taken too."""
    return Replies(*read_items(body, pushed_reply))


def pushed_report(item: dict) -> Report | str:
    """One pushed receipt, or why it cannot be read; the call is named only where support has enabled `ext`."""
    return report_of(
        reference=item.get("ext") or item.get("SessionContext"),
        number=item.get("mobile"),
        status=item.get("report_status"),
        code=text_of(item.get("errmsg")),
        description=text_of(item.get("description")),
        at=item.get("user_receive_time"),
        serial=item.get("sid"),
    )


def pulled_report(row: dict) -> Report | str:
    """One pulled receipt, or why it cannot be read; its description is a code, or words instead."""
    description = text_of(row.get("Description"))
    is_code = description.isascii()
    return report_of(
        reference=row.get("SessionContext"),
        number=row.get("PhoneNumber") or row.get("SubscriberNumber"),
        status=row.get("ReportStatus"),
        code=description if is_code else text_of(row.get("ReportStatus")),
        description="" if is_code else description,
        at=row.get("UserReceiveTime"),
        serial=row.get("SerialNo"),
    )


def report_of(
    *, reference: Any, number: Any, status: Any, code: str, description: str, at: Any, serial: Any
) -> Report | str:
    """A receipt from its parts, or the words why they make none."""
    reference, serial = text_of(reference), text_of(serial)
    if not (reference or serial):
        return NO_REFERENCE
    delivered = status == "SUCCESS"
    if not delivered and status != "FAIL":
        return UNKNOWN_STATUS
    words = ""
    if not delivered:
        code = told_code(code, description)
        words = RECEIPT_WORDS.get(code) or unknown_code(code, description)
    return Report(reference, plain_number(number), delivered, code, words, moment(at), serial)


def told_code(code: str, description: str) -> str:
    """The code of a bad receipt: ours where the description tells of an opt-out, a blocked or a dead number."""
    if "退订" in description:
        return OPTED_OUT
    if any(word in description for word in BLACKLIST_WORDS):
        return BLACKLISTED
    if "空号" in description and not any(word in description for word in ALIVE_WORDS):
        return NO_SUCH_NUMBER
    return code


def pushed_reply(item: dict) -> Reply | str:
    """One pushed reply, or why it cannot be read."""
    return reply_of(number=item.get("mobile"), text=item.get("text"), at=item.get("time"), signature=item.get("sign"))


def pulled_reply(row: dict) -> Reply | str:
    """One pulled reply, or why it cannot be read."""
    return reply_of(
        number=row.get("PhoneNumber") or row.get("SubscriberNumber"),
        text=row.get("ReplyContent"),
        at=row.get("ReplyTime"),
        signature=row.get("SignName"),
    )


def reply_of(*, number: Any, text: Any, at: Any, signature: Any) -> Reply | str:
    """A reply from its parts, or the words why they make none; it has no number of its own at Tencent Cloud."""
    digits = plain_number(number)
    if not digits:
        return NO_NUMBER
    if not isinstance(text, str) or not clean_text(text).strip():
        return NO_TEXT
    return Reply(digits, clean_text(text), moment(at), signature=text_of(signature).strip("【】"))
