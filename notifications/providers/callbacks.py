"""Reads what gateways push to us: receipts and replies, the good half of whatever comes."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from customers.msgid import _
from notifications.providers.base import Problem, Replies, Reply, Report, Reports, unknown_code
from notifications.providers.json_values import (
    clean,
    clean_text,
    load,
    moment,
    plain_number,
    text_of,
    value_at,
)

RECEIPT_CODES = {
    "": "",
    "delivered": "",
    "absent": _("The phone was switched off or out of reach"),
    "no_such_number": _("The number does not exist"),
    "stopped": _("The number is out of service"),
    "blocked": _("The carrier or the phone blocked the message"),
    "full": _("The phone could not store the message"),
    "expired": _("The carrier gave up after several tries"),
}

NOT_JSON = _("The callback is not readable JSON.")
NOT_A_LIST = _("The callback holds no list of items.")
NOT_AN_OBJECT = _("The item is not an object.")
NO_REFERENCE = _("The receipt names no message.")
UNKNOWN_STATUS = _("The receipt's status is neither delivered nor undelivered.")
NO_NUMBER = _("The reply names no number.")
NO_TEXT = _("The reply holds no text.")


def read_reports(body: bytes, *, names: Mapping[str, Any]) -> Reports:
    """Read receipts; an item that cannot be read becomes a problem and harms no other."""
    return Reports(*read_items(body, lambda item: report_of(item, names), path=names["messages"]))


def read_replies(body: bytes, *, names: Mapping[str, Any]) -> Replies:
    """Read replies; an item that cannot be read becomes a problem and harms no other."""
    return Replies(*read_items(body, lambda item: reply_of(item, names), path=names["messages"]))


def read_items(body: bytes, read: Callable[[dict], Any], *, path: str = "") -> tuple[list, list[Problem]]:
    """Read each item of a callback; `read` gives its meaning, or as text the words why it cannot be read."""
    items, problems = items_of(body, path)
    meanings, unread = read_each(items, read)
    return meanings, problems + unread


def read_each(items: list, read: Callable[[dict], Any]) -> tuple[list, list[Problem]]:
    """Read each item of a list, as `read_items` does."""
    meanings, problems = [], []
    for item in items:
        meaning = read(item) if isinstance(item, dict) else NOT_AN_OBJECT
        if isinstance(meaning, str):
            problems.append(Problem(shortened(item), meaning))
        else:
            meanings.append(meaning)
    return meanings, problems


def items_of(body: bytes, path: str) -> tuple[list, list[Problem]]:
    """The items of a callback; one lone object counts as a list of one."""
    document = load(body)
    if document is None:
        return [], [Problem(clean(body[:500].decode("utf-8", "replace")), NOT_JSON)]
    found = value_at(document, path) if path else document
    if isinstance(found, dict):
        found = [found]
    if not isinstance(found, list):
        return [], [Problem(shortened(document), NOT_A_LIST)]
    return found, []


def report_of(item: dict, names: Mapping[str, Any]) -> Report | str:
    """One receipt, or the words why it cannot be read."""
    reference = text_of(item.get(names["reference"]))
    if not reference:
        return NO_REFERENCE
    status = text_of(item.get(names["status"]))
    delivered = status in names["delivered"]
    if not delivered and status not in names["undelivered"]:
        return UNKNOWN_STATUS
    code, words = receipt_words(
        text_of(item.get(names["code"])), text_of(item.get(names["words"])), delivered=delivered
    )
    number = plain_number(item.get(names["number"]))
    return Report(reference, number, delivered, code, words, moment(item.get(names["at"])))


def receipt_words(code: str, words: str, *, delivered: bool) -> tuple[str, str]:
    """The code of a receipt with words for staff; good news need no words."""
    if code in RECEIPT_CODES:
        return code, RECEIPT_CODES[code] or ("" if delivered else clean(words))
    return code, "" if delivered else unknown_code(code, clean(words))


def reply_of(item: dict, names: Mapping[str, Any]) -> Reply | str:
    """One reply, or the words why it cannot be read."""
    number = plain_number(item.get(names["number"]))
    if not number:
        return NO_NUMBER
    text = item.get(names["text"])
    if not isinstance(text, str) or not clean_text(text).strip():
        return NO_TEXT
    return Reply(number, clean_text(text), moment(item.get(names["at"])))


def shortened(item: Any) -> str:
    """An unreadable item, short enough to be kept for a person to look at."""
    try:
        return clean(json.dumps(item, ensure_ascii=False)[:500])
    except RecursionError:
        # Nested so deeply that it can be read but not be written.
        return ""
