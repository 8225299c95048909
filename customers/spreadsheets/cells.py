"""Turns single cells into values; each parser returns (value, reason), where a reason says why there is no value."""

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from customers import phone
from customers.msgid import _
from customers.spreadsheets import dates

YES, NO, OPT_OUT, UNKNOWN = "yes", "no", "opt_out", "unknown"


class Formula(str):
    """A formula of a workbook that has no stored result; text that merely begins with "=" is plain text."""

    __slots__ = ()


class ShownWithoutYear(date):
    """A date of a workbook that shows month and day alone; Excel itself added the year in which it was typed."""

    __slots__ = ()


# Who shops by themselves was born before; a later year behind a date shown as 2月28日 is that of the typing.
TYPED_YEARS = 2010

REASONS: dict[str, tuple[str, str]] = {
    "no_such_date": (_("This day does not exist"), _("Correct the date in the file.")),
    "unknown_date": (_("Not a date"), _("Write the date like 1990-05-31.")),
    "short_year": (_("The year has only two digits"), _("Write the year with four digits.")),
    "incomplete_date": (_("Month or day is missing"), _("Write the whole date, or month and day like 05-31.")),
    "ambiguous_date": (_("Day and month could be swapped"), _("Write the date like 1990-05-31.")),
    "lunar_date": (
        _("A date of the lunar calendar that cannot be read"),
        _("Write it like 农历八月十五, or write the date of the solar calendar."),
    ),
    "unclear_calendar": (
        _("Solar or lunar calendar is not said"),
        _("Write 农历 in front of a lunar date, or a solar date like 05-31."),
    ),
    "future_date": (_("The date lies in the future"), _("Correct the date in the file.")),
    "unlikely_year": (_("An unlikely year"), _("Correct the date in the file.")),
    "no_solar_date": (_("A date of the lunar calendar"), _("Write the date of the solar calendar.")),
    "no_year": (_("The year is missing"), _("Write the date like 1990-05-31.")),
    "unknown_gender": (_("Not a gender"), _("Write 男, 女, male or female, or leave the cell empty.")),
    "unknown_consent": (
        _("Neither a clear yes nor a clear no"),
        _("Write 是 or 否; until then the customer counts as not having agreed."),
    ),
    "hidden_name": (
        _("The platform hides the name"),
        _("Messages to this customer go out without the name; fill it in if you know it."),
    ),
    "not_an_email": (_("Not an e-mail address"), _("Write the address like name@example.com.")),
    "masked_email": (
        _("Stars hide part of the address"),
        _("Fill in the whole address, or have the list exported by somebody who may see whole addresses."),
    ),
    "not_an_amount": (_("Not an amount of money"), _("Write the amount like 128.50.")),
    "too_long": (_("Too long"), _("Shorten the text in the file.")),
    "formula": (
        _("A formula without a stored result"),
        _("Open the file in Excel or WPS, save it, and upload it again."),
    ),
    "damaged_text": (
        _("Characters were lost when the file was saved"),
        _("Export the list again as .xlsx or as CSV in UTF-8."),
    ),
    "too_many_cells": (
        _("The row has more cells than the header, so its columns may have shifted"),
        _("Look for a comma or tab inside a cell; no consent is taken from this row."),
    ),
}

YES_WORDS = frozenset(
    {"是", "是的", "同意", "已同意", "接受", "允许", "愿意", "可以", "订阅", "已订阅", "接收", "开", "开启", "已开启"}
    | {"√", "✓", "✔", "☑", "✅", "1", "y", "yes", "t", "true", "on", "subscribed", "optin", "opt-in", "opted in"}
    | {"agree", "agreed", "accepted"}
)
NO_WORDS = frozenset(
    {
        "否",
        "不",
        "不是",
        "不同意",
        "未同意",
        "拒绝",
        "已拒绝",
        "未订阅",
    }
    | {
        "不接受",
        "不接收",
        "不允许",
        "不愿意",
        "不可以",
        "不要",
        "关",
        "关闭",
        "已关闭",
        "×",
        "✗",
        "✘",
        "❌",
        "0",
    }
    | {"n", "no", "f", "false", "off", "not subscribed", "disagree", "declined", "never"}
)
# Said by somebody who got messages and wants no more: it closes the door to every later file as well.
OPT_OUT_WORDS = frozenset(
    {"拒收", "退订", "已退订", "取消订阅", "已取消", "已取消订阅", "td", "unsubscribed", "unsubscribe"}
    | {"optout", "opt-out", "opted out"}
)
GENDERS = {
    **dict.fromkeys(["男", "男性", "男士", "先生", "m", "male", "man", "mr"], "male"),
    **dict.fromkeys(["女", "女性", "女士", "小姐", "f", "female", "woman", "ms", "mrs"], "female"),
    **dict.fromkeys(["保密", "其他", "其它", "other", "unknown", "不愿透露"], ""),
}

# Control characters, marks that turn the direction of writing, halves of characters; the joiner of emoji stays.
_ODD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff\ue000]"
)
# What most cells are; anything else takes the longer way.
_PLAIN = re.compile(r"[^\W_][\w@.,+:/（）()、，&#~!·•-]*(?: [\w@.,+:/（）()、，&#~!·•-]+)*").fullmatch
_ARMOR = re.compile(r'="(.*)"|=([0-9.+-]+)', re.S)
_SPACES = re.compile(r"\s+")
_BETWEEN_HAN = re.compile(r"(?<=[\u3400-\u9fff\U00020000-\U0003ffff]) (?=[\u3400-\u9fff\U00020000-\U0003ffff])")
# Taobao adds the extension of the virtual number to the name of the buyer.
_PRIVACY_CODE = re.compile(r"\s*\[[0-9]{3,6}\]")
_HIDDEN_NAME = re.compile(r"^(?:##|\$\$|~)|[*＊]{2}|^[*＊]|[*＊]$")
_TAG_BREAKS = re.compile(r"[,，、;；|｜\n\t]+")
_QUOTED_TAG = re.compile(
    r'(?:^|(?<=[,，、;；|｜\n\t]))\s*"((?:[^"]|"")+)"\s*(?=[,，、;；|｜\n\t]|$)|([^,，、;；|｜\n\t]+)'
)
_APOSTROPHES = ("'", "’")
_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_][\w-]{1,62}"
).fullmatch
_AMOUNT = re.compile(
    r"(?:[¥￥$€£]|rmb|cny|人民币)?\s*(-?)\s*[¥￥$€£]?\s*([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(\.[0-9]+)?"
    r"\s*(万)?\s*(?:元整?|rmb|cny|圆整?|块)?",
    re.I,
)


def text(raw: object, *, longest: int = 100) -> tuple[str, str]:
    """Read one line of text without what cannot be seen or stored."""
    if raw.__class__ is str and len(raw) <= longest and _PLAIN(raw) and raw.lower() not in phone.EMPTY_WORDS:
        return raw, ""
    value, reason = _unwrapped(raw)
    if reason:
        return "", reason
    value = _SPACES.sub(" ", value)
    return (value, "") if len(value) <= longest else ("", "too_long")


def note(raw: object, *, longest: int = 2000) -> tuple[str, str]:
    """Read text of several lines."""
    if raw.__class__ is str and len(raw) <= longest and _PLAIN(raw) and raw.lower() not in phone.EMPTY_WORDS:
        return raw, ""
    value, reason = _unwrapped(raw)
    if reason:
        return "", reason
    return (value, "") if len(value) <= longest else ("", "too_long")


def name(raw: object, *, longest: int = 100) -> tuple[str, str]:
    """Read a name that a person can be addressed by; spaces that only line up Chinese characters go."""
    value, reason = text(raw, longest=longest)
    if " " in value:
        value = _BETWEEN_HAN.sub("", value)
    if value.endswith("]"):
        value = _PRIVACY_CODE.sub("", value)
    if _HIDDEN_NAME.search(value):
        return "", "hidden_name"
    return value, reason


def tags(raw: object, *, longest: int = 50) -> tuple[tuple[str, ...], str]:
    """Read tags divided by any of the usual marks, each once, in their order."""
    value, reason = _unwrapped(raw)
    if reason or not value:
        return (), reason
    found = dict.fromkeys(_SPACES.sub(" ", part).strip() for part in _divided(value))
    kept = tuple(tag for tag in found if tag and tag.lower() not in phone.EMPTY_WORDS)
    if any(len(tag) > longest for tag in kept):
        return tuple(tag for tag in kept if len(tag) <= longest), "too_long"
    return kept, ""


def _divided(value: str) -> list[str]:
    """The parts of a cell; in quotes, as our own exports write them, marks are part of a tag."""
    if '"' not in value:
        return _TAG_BREAKS.split(value)
    return [
        quoted.replace('""', '"') if quoted else plain
        for quoted, plain in _QUOTED_TAG.findall(value)
        if quoted or plain
    ]


def gender(raw: object, *, longest: int = 0) -> tuple[str, str]:
    """Read a gender: "male", "female" or nothing."""
    value, reason = _unwrapped(raw)
    if reason or not value:
        return "", reason
    known = GENDERS.get(unicodedata.normalize("NFKC", value).lower().strip("."))
    return ("", "unknown_gender") if known is None else (known, "")


def consent(raw: object, *, longest: int = 0) -> tuple[str, str]:
    """Read a yes, a no or an opt-out; what is none of them is unknown and never consent."""
    if isinstance(raw, bool):
        return (YES if raw else NO), ""
    value, reason = _unwrapped(raw)
    if reason:
        return UNKNOWN, reason
    if not value:
        return UNKNOWN, ""
    word = unicodedata.normalize("NFKC", value).lower().strip(" .。!！")
    if word in YES_WORDS:
        return YES, ""
    if word in OPT_OUT_WORDS:
        return OPT_OUT, ""
    return (NO, "") if word in NO_WORDS else (UNKNOWN, "unknown_consent")


def email(raw: object, *, longest: int = 254) -> tuple[str, str]:
    """Read an e-mail address, in lower case."""
    if raw.__class__ is str and raw[:1] in _APOSTROPHES:
        # Armor of an export; the rules of addresses would take it for a part of one.
        raw = raw[1:]
    if raw.__class__ is not str or not _EMAIL(raw):
        value, reason = _unwrapped(raw)
        if reason or not value:
            return "", reason
        raw = unicodedata.normalize("NFKC", value).strip()
        if raw[:7].lower() == "mailto:":
            raw = raw[7:]
    if "**" in raw:
        return "", "masked_email"
    if len(raw) > longest or ".." in raw or raw[0] == "." or ".@" in raw or not _EMAIL(raw):
        return "", "not_an_email"
    return raw.lower(), ""


def amount(raw: object, *, longest: int = 0) -> tuple[Decimal | None, str]:
    """Read an amount of money in yuan."""
    if isinstance(raw, float) and math.isfinite(raw) and abs(raw) < 1e12:
        return Decimal(repr(round(raw, 2))), ""
    value, reason = _unwrapped(raw)
    if reason or not value:
        return None, reason
    match = _AMOUNT.fullmatch(unicodedata.normalize("NFKC", value).replace("−", "-"))
    if match is None or len(match[2]) > 15:
        return None, "not_an_amount"
    try:
        value = Decimal(match[1] + match[2].replace(",", "") + (match[3] or ""))
        return (value * 10_000 if match[4] else value), ""
    except InvalidOperation:
        return None, "not_an_amount"


def birthday(raw: object, *, longest: int = 0, **column: Any) -> tuple[date | str | None, str]:
    """Read a birthday: a date, "--MM-DD" where the year is missing, a lunar date like "L--08-15", or nothing.

    `column` is what `dates.parse` may know about the column.
    """
    if raw.__class__ is ShownWithoutYear and raw.year >= TYPED_YEARS:
        raw = f"--{raw.month:02}-{raw.day:02}"
    return dates.parse(raw, **column)


def day(raw: object, *, longest: int = 0, **column: Any) -> tuple[date | None, str]:
    """Read a solar date with its year."""
    value, reason = dates.parse(raw, **column)
    if isinstance(value, str):
        return None, "no_solar_date" if value.startswith("L") else "no_year"
    return value, reason


def region(raw: object, *, longest: int = 50) -> tuple[tuple[str, str], str]:
    """Read "中国 浙江 杭州" or "浙江省/杭州市" as province and city."""
    value, reason = text(raw, longest=2 * longest)
    parts = [part for part in re.split(r"[\s/,，·-]+", value) if part and part not in ("中国", "China")]
    if reason or not parts:
        return ("", ""), reason
    return (parts[0], parts[1] if len(parts) > 1 else ""), ""


def shown(raw: object) -> str:
    """The cell as staff may see it and a database can keep it: short, on one line, nothing invisible."""
    value = " ".join(_ODD.sub("", "" if raw is None else str(raw)[:1000]).split())
    return value if len(value) <= 100 else value[:99] + "…"


PARSERS: dict[str, Callable[..., tuple]] = {
    **{"text": text, "name": name, "note": note, "tags": tags, "gender": gender, "consent": consent},
    **{"email": email, "amount": amount, "birthday": birthday, "date": day, "region": region},
}

_ABOUT_A_NUMBER = frozenset(phone.REMEDIES) - {"empty", "text", "formula", "service_number"}


def fitting(kind: str, contents: Sequence[object]) -> tuple[int, int]:
    """Count how many cells fit a kind of field, of how many that are not empty; (0, -1) where anything fits."""
    if kind in ("text", "name", "note", "tags", "region"):
        return 0, -1
    fit, count = 0, 0
    for raw in contents:
        if kind == "phone":
            number, reason = phone.normalize(raw)
            value, empty = number or reason in _ABOUT_A_NUMBER, reason == "empty"
        else:
            value, reason = PARSERS[kind](raw)
            empty = not reason and (not value or value == UNKNOWN)
            # A day of which nobody can tell the month, or of the other calendar, is a day all the same.
            value = not reason or reason in ("ambiguous_date", "lunar_date")
        fit += bool(value) and not empty
        count += not empty
    return fit, count


def _unwrapped(raw: object) -> tuple[str, str]:
    """The cell as text without armor, or "" where it says nothing."""
    if isinstance(raw, str):
        if isinstance(raw, Formula):
            return "", "formula"
        value = _ODD.sub("", raw.replace("\r\n", "\n").replace("\r", "\n")).strip()
        armored = _ARMOR.fullmatch(value)
        if armored:
            value = (armored[1] if armored[1] is not None else armored[2]).strip()
        elif value.startswith(("'", "’")):
            bare = value[1:].strip()
            # An apostrophe that protects a number goes, that of a name like 't Hooft stays.
            value = value if bare[:1].islower() and bare.lower() not in phone.EMPTY_WORDS else bare
        if "\ufffd" in value:
            return "", "damaged_text"
        return ("", "") if value.lower() in phone.EMPTY_WORDS else (value, "")
    if raw is None:
        return "", ""
    if isinstance(raw, bool):
        return str(raw).upper(), ""
    if isinstance(raw, float):
        if not math.isfinite(raw):
            return "", ""
        return (str(int(raw)) if raw.is_integer() and abs(raw) < 1e15 else repr(raw)), ""
    if isinstance(raw, datetime):
        return raw.isoformat(" "), ""
    return str(raw), ""
