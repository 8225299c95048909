"""Turns the cells that only orders have into values: numbers of orders, quantities, goods, platforms."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from customers.spreadsheets import cells

LONGEST_CODE = 64
LONGEST_PRODUCT = 200
# PostgreSQL's integer, and more than anybody orders.
MOST_PIECES = 1_000_000

PLATFORMS = {
    **dict.fromkeys(
        ["淘宝", "天猫", "淘宝网", "天猫商城", "淘系", "taobao", "tmall", "taobaoandtmall", "淘宝天猫", "淘宝/天猫"],
        "taobao",
    ),
    **dict.fromkeys(["抖音", "抖店", "抖音小店", "抖音电商", "放心购", "douyin"], "douyin"),
    **dict.fromkeys(["京东", "京东商城", "jd", "jd.com", "jingdong"], "jd"),
    **dict.fromkeys(["拼多多", "pdd", "pinduoduo"], "pinduoduo"),
    **dict.fromkeys(["有赞", "有赞微商城", "youzan"], "youzan"),
    **dict.fromkeys(["微店", "weidian"], "weidian"),
    **dict.fromkeys(["shopify", "shopifystore", "shopify店铺"], "shopify"),
    **dict.fromkeys(["olist", "oliststore", "olist店铺"], "olist"),
}
CURRENCIES = {"人民币": "CNY", "rmb": "CNY", "¥": "CNY", "元": "CNY", "$": "USD", "€": "EUR", "£": "GBP"}

_LOSSY = re.compile(r"[0-9](?:\.[0-9]+)?[eE]\+?[0-9]{1,3}")
_NUMBER = re.compile(r"^No[:：.]\s*", re.I)
_COMMA = re.compile(r"[,，]")
_TOTAL = re.compile(
    r"(?:合计|总计|小计|共计|汇总|总数|本页|备注|注|说明|制表|制表人|导出时间|打印时间|导出人|数据来源"
    r"|total|grand ?total|sum)"
    r"\s*(?:[:：(（].*|[0-9].*)?|(?:共|第)\s*[0-9]+\s*[条行页单笔].*",
    re.I | re.S,
)
_PIECES = re.compile(r"([0-9]{1,9})(?:\.0+)?\s*[件个只双套盒瓶包条份]?")


def order_number(raw: object) -> tuple[str, str]:
    """Read the number of an order; one that a spreadsheet has rounded is none."""
    value, reason = code(raw)
    return (value, "") if value else ("", "no_order_number" if reason else "")


def code(raw: object) -> tuple[str, str]:
    """Read a number that is a name: digits stay as they are written, and lost ones are not guessed."""
    if isinstance(raw, float):
        if not raw.is_integer() or abs(raw) >= 1e15:
            return "", "scientific_lossy"
        return str(int(raw)), ""
    value, reason = cells.text(raw, longest=200)
    if reason:
        return "", reason
    if _LOSSY.fullmatch(value) or len(value) > LONGEST_CODE:
        return "", "too_long" if len(value) > LONGEST_CODE else "scientific_lossy"
    value = value.removesuffix(".0") if value.removesuffix(".0").isdigit() else value
    return value, ""


def buyer(raw: object) -> tuple[str, str]:
    """Read the name of a buyer's account; a hidden or encrypted one is shared by many, and so is none."""
    value, reason = cells.text(raw, longest=100)
    if "*" in value or "＊" in value or value.startswith(("##", "$$", "~")):
        return "", "hidden_name"
    return value, reason


def closed_reason(raw: object) -> tuple[str, str]:
    """Read why an order was closed; Taobao says of the others that they were not."""
    value, reason = cells.text(raw, longest=100)
    return ("", "") if value == "订单未关闭" else (value, reason)


def tracking_number(raw: object) -> tuple[str, str]:
    """Read the number of a parcel, without the "No:" that Taobao puts in front."""
    value, reason = code(raw)
    return _NUMBER.sub("", value), reason


def platform(raw: object) -> tuple[str, str]:
    """Read the name of a platform; one we do not know is another place."""
    value, reason = cells.text(raw, longest=60)
    if not value:
        return "", reason
    return PLATFORMS.get("".join(unicodedata.normalize("NFKC", value).lower().split()), "other"), ""


def currency(raw: object) -> tuple[str, str]:
    """Read a currency as its three letters, or nothing."""
    value, _reason = cells.text(raw, longest=20)
    found = CURRENCIES.get(value.lower(), value.upper())
    return (found, "") if len(found) == 3 and found.isascii() and found.isalpha() else ("", "")


def product(raw: object) -> tuple[str, str]:
    """Read what was bought; several goods may share the cell."""
    return cells.text(raw, longest=4000)


def quantity(raw: object) -> tuple[int | None, str]:
    """Read a number of pieces."""
    value, reason = cells.text(raw)
    if not value:
        return None, reason
    match = _PIECES.fullmatch(unicodedata.normalize("NFKC", value))
    if match is None or int(match[1]) > MOST_PIECES:
        return None, "not_a_quantity"
    return int(match[1]), ""


def goods(
    text: str, *, kinds: int | None, quantity: int | None, total_quantity: int | None
) -> tuple[tuple[str, ...], int | None]:
    """
    Divide a cell of several goods, and say how many of each there are.

    Taobao joins them by commas, which titles hold too: only where the parts are as many as the kinds, they are goods.
    """
    if not text:
        return (), quantity or total_quantity
    parts = [part.strip() for part in _COMMA.split(text)]
    if kinds and kinds > 1 and len(parts) == kinds and all(parts):
        each = 1 if total_quantity == kinds else None
        return tuple(part[:LONGEST_PRODUCT] for part in parts), quantity or each
    return (text[:LONGEST_PRODUCT],), quantity or total_quantity


def status_by_times(said: Mapping[str, Any]) -> str:
    """The status of an order of which only times and amounts are told."""
    refund, total = said.get("refund") or 0, said.get("total") or 0
    if said.get("paid_at") and refund > 0 and (refund >= total or not said.get("paid")):
        return "refunded"
    for key, status in (
        ("closed_at", "closed"),
        ("completed_at", "completed"),
        ("delivered_at", "delivered"),
        ("shipped_at", "shipped"),
        ("paid_at", "paid"),
        ("ordered_at", "unpaid"),
    ):
        if said.get(key):
            return status
    return ""


def contradictions(status: str, said: Mapping[str, Any], fields: frozenset[str]) -> Iterator[tuple[str, str, str]]:
    """What cannot be all true of the times and the status of a row, as problems of it."""
    ordered, paid, shipped = said.get("ordered_at"), said.get("paid_at"), said.get("shipped_at")
    delivered, completed = said.get("delivered_at"), said.get("completed_at")
    if ordered and paid and paid < ordered:
        yield "", cells.shown(paid), "paid_before_ordered"
    if paid and shipped and shipped < paid:
        yield "", cells.shown(shipped), "shipped_before_paid"
    if shipped and delivered and delivered < shipped:
        yield "", cells.shown(delivered), "delivered_before_shipped"
    if completed and any(earlier and completed < earlier for earlier in (ordered, paid, shipped)):
        yield "", cells.shown(completed), "completed_too_early"
    if status == "closed" and delivered:
        yield "", cells.shown(delivered), "closed_but_delivered"
    if status == "unpaid" and paid:
        yield "", cells.shown(paid), "unpaid_but_paid_at"
    if status in ("paid", "shipped", "delivered", "completed") and not paid and "paid_at" in fields:
        yield "", "", "paid_without_time"
    if status in ("delivered", "completed") and "delivered_at" in fields and not delivered:
        yield "", "", "delivered_without_time"


def is_no_order(record: Sequence[object]) -> bool:
    """A line below or between the orders: totals, notes, page numbers."""
    filled = [cell for cell in record if cell not in ("", None)]
    first = filled[0] if filled else ""
    return isinstance(first, str) and bool(_TOTAL.fullmatch(first.strip()))
