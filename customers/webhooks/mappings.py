"""Reading the facts of orders out of a push, by a mapping that says where they stand."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn
from urllib.parse import unquote_plus

from customers.msgid import _

MOMENTS = frozenset({
    "happened_at", "ordered_at", "paid_at", "shipped_at", "delivered_at", "completed_at", "closed_at", "ship_by_at",
    "promised_at",
})  # fmt: skip
AMOUNTS = frozenset({"total", "paid", "refund", "freight", "price"})
TEXTS = frozenset({
    "number", "platform_status", "after_sale_status", "external_id", "phone", "email", "account", "shop_name",
    "currency", "closed_reason", "carrier", "tracking_number", "receiver_name", "province", "city", "note",
})  # fmt: skip
OF_LINES = frozenset({"key", "product", "product_id", "sku", "category", "quantity", "price"})
KEYS = frozenset({
    "unwrap", "topic", "event_id", "items", "happened_at", "status", "fields", "by_topic", "lines", "ignored_topics",
})  # fmt: skip
STATUSES = frozenset({
    "unpaid", "paid", "shipped", "out_for_delivery", "delivered", "completed", "closed", "refunded", "after_sale",
    "locked",
})  # fmt: skip
MOST_ORDERS, MOST_LINES = 500, 200
FIRST_YEAR, LAST_YEAR = 2000, 2100
LONGEST_TEXT = 500
# The length of a number of milliseconds since 1970.
MILLISECONDS = 13

NOT_JSON = _("The body is not JSON.")
NO_NUMBER = _("No order number stands in it.")
TOO_MANY = _("It holds more than 500 orders; none was read.")
NOT_A_MOMENT = _("A time in it cannot be read.")
NOT_AN_AMOUNT = _("An amount in it cannot be read.")
MAPPING_IS_WRONG = _("The mapping has to be an object with “fields”, and paths such as order.number.")
UNKNOWN_KEY = _("The mapping knows no such entry; see docs/api.md for those that there are.")


class CannotRead(Exception):
    """A push, or a mapping, that makes no sense; the text is a msgid."""


@dataclass
class Pushed:
    """One order as a push tells of it: its facts by their names, and its goods."""

    facts: dict[str, Any]
    lines: list[dict[str, Any]] = field(default_factory=list)


def topic_of(mapping: Mapping[str, Any], body: bytes) -> tuple[str, str]:
    """The topic and the number of a push whose headers do not name them; '' where the body does not either."""
    try:
        told = _json(body)
    except CannotRead:
        return "", ""
    topic = _text(_at(told, mapping.get("topic", ""), told))
    return topic[:60], _text(_at(told, mapping.get("event_id", ""), told))[:100]


def check(mapping: Any) -> None:
    """Raises CannotRead for a mapping that could never be read."""
    if not isinstance(mapping, dict) or not isinstance(mapping.get("fields"), dict):
        raise CannotRead(MAPPING_IS_WRONG)
    lines = mapping.get("lines", {})
    if mapping.keys() - KEYS or mapping["fields"].keys() - TEXTS - AMOUNTS - MOMENTS:
        raise CannotRead(UNKNOWN_KEY)
    if not isinstance(lines, dict) or not isinstance(lines.get("fields", {}), dict):
        raise CannotRead(MAPPING_IS_WRONG)
    if lines.keys() - {"at", "fields"} or lines.get("fields", {}).keys() - OF_LINES:
        raise CannotRead(UNKNOWN_KEY)
    status = mapping.get("status", {})
    words = status.get("words", {}) if isinstance(status, dict) else None
    if not isinstance(words, dict) or set(map(str, words.values())) - STATUSES:
        raise CannotRead(MAPPING_IS_WRONG)
    paths = [*mapping["fields"].values(), *lines.get("fields", {}).values()]
    if not all(_is_path(path) for path in paths):
        raise CannotRead(MAPPING_IS_WRONG)


def read(mapping: Mapping[str, Any], body: bytes, *, topic: str, zone: tzinfo) -> list[Pushed]:
    """
    The orders that a push tells of; none for a topic that is about something else.

    Times without a zone are the shop's. Raises CannotRead.
    """
    if topic in mapping.get("ignored_topics", ()):
        return []
    whole = told = _json(body)
    if "unwrap" in mapping:
        wrapped = _at(told, mapping["unwrap"], told)
        told = _json(unquote_plus(wrapped).encode()) if isinstance(wrapped, str) else wrapped
    items = _at(told, mapping["items"], whole) if "items" in mapping else None
    items = items if isinstance(items, list) else [told]
    if len(items) > MOST_ORDERS:
        raise CannotRead(TOO_MANY)
    return [_order(mapping, item, whole, topic, zone) for item in items]


def _order(mapping: Mapping[str, Any], item: Any, whole: Any, topic: str, zone: tzinfo) -> Pushed:
    paths = {**mapping["fields"], **mapping.get("by_topic", {}).get(topic, {})}
    if "happened_at" in mapping:
        paths["happened_at"] = mapping["happened_at"]
    facts = {name: _value(name, _at(item, path, whole), zone) for name, path in paths.items()}
    facts = {name: value for name, value in facts.items() if value not in (None, "")}
    if not facts.get("number"):
        raise CannotRead(NO_NUMBER)
    facts |= _status(mapping.get("status", {}), item, whole, facts)
    lines = mapping.get("lines", {})
    goods = _at(item, lines["at"], whole) if "at" in lines else None
    found = []
    for good in goods[:MOST_LINES] if isinstance(goods, list) else []:
        line = {name: _value(name, _at(good, path, whole), zone) for name, path in lines["fields"].items()}
        found.append({name: value for name, value in line.items() if value not in (None, "")})
    return Pushed(facts, found)


def _status(rule: Mapping[str, Any], item: Any, whole: Any, facts: Mapping[str, Any]) -> dict[str, str]:
    """The status as one of ours; otherwise the shop system's own words, which staff may have taught."""
    for when in rule.get("when", ()):
        value = _at(item, when["path"], whole)
        if "is" in when and value:
            return {"status": when["is"]}
        if "in" in when and isinstance(value, str) and value in when["in"]:
            return {"status": when["in"][value]}
    word = _text(_at(item, rule.get("path", ""), whole))
    status = rule.get("words", {}).get(word, word)
    if status in STATUSES:
        return {"status": status}
    return {"platform_status": word[:60]} if word and not facts.get("platform_status") else {}


def _value(name: str, value: Any, zone: tzinfo) -> Any:
    if value is None or value == "" or isinstance(value, dict | list | bool):
        return None
    if name in MOMENTS:
        return _moment(value, zone)
    if name in AMOUNTS:
        return _amount(value)
    if name == "quantity":
        number = _amount(value)
        return int(number) if number is not None and number == int(number) and number >= 0 else None
    return _text(value)


def _moment(value: Any, zone: tzinfo) -> datetime | None:
    try:
        text = str(value).strip()
        if text.isascii() and text.isdigit():
            seconds = int(text) / (1000 if len(text) >= MILLISECONDS else 1)
            moment = datetime.fromtimestamp(seconds, zone)
        else:
            moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        _refuse(NOT_A_MOMENT)
    if not FIRST_YEAR <= moment.year < LAST_YEAR:
        _refuse(NOT_A_MOMENT)
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _amount(value: Any) -> Decimal:
    try:
        amount = Decimal(str(value).strip())
        if not amount.is_finite() or abs(amount) >= 10**10:
            _refuse(NOT_AN_AMOUNT)
        return round(amount, 2)
    except InvalidOperation:
        _refuse(NOT_AN_AMOUNT)


def _text(value: Any) -> str:
    """A value as text; whole numbers are numbers of orders and of people."""
    return str(value).strip()[:LONGEST_TEXT] if isinstance(value, str | int | Decimal) else ""


def _at(item: Any, paths: str | Sequence[str], whole: Any) -> Any:
    """The first value that stands at one of the paths."""
    for path in [paths] if isinstance(paths, str) else paths:
        value = whole if path.startswith("$.") else item
        for part in path.removeprefix("$.").split(".") if path else ():
            if isinstance(value, dict):
                value = value.get(part)
            elif isinstance(value, list) and part.isascii() and part.isdigit() and int(part) < len(value):
                value = value[int(part)]
            else:
                value = None
        if path and value not in (None, "", [], {}):
            return value
    return None


def _is_path(paths: Any) -> bool:
    listed = [paths] if isinstance(paths, str) else paths
    return isinstance(listed, list) and bool(listed) and all(isinstance(path, str) and path for path in listed)


def _json(body: bytes) -> Any:
    try:
        told = json.loads(body.decode("utf-8-sig"), parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError, InvalidOperation):
        raise CannotRead(NOT_JSON) from None
    if not isinstance(told, dict | list):
        raise CannotRead(NOT_JSON)
    return told


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)


def _refuse(words: str) -> NoReturn:
    raise CannotRead(words)
