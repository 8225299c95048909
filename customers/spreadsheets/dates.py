"""Reads dates as shops write them; a date that is not certain is refused with a reason, never shifted."""

import re
import unicodedata
from datetime import date, datetime, timedelta

from customers.phone import EMPTY_WORDS

# Customers are younger; older dates are what systems write for nothing, or slips.
EARLIEST_YEAR = 1900
LATEST_YEAR = 2100
# Day 0 of Excel's calendar for days after the leap day 1900-02-29 that it believes in.
_EPOCH = date(1899, 12, 30)
_FIRST_SERIAL, _LAST_SERIAL = 366, 73_415
# What systems write for "not set".
_UNSET = frozenset(["0001-01-01", "0000-00-00", "1900-01-01", "1900-01-00", "1899-12-30", "1899-12-31"])

_TIME = (
    r"(?:[T\s]*(?:[01]?[0-9]|2[0-4]):[0-5]?[0-9](?::[0-9]{1,2}(?:\.[0-9]+)?)?\s*(?:Z|[+-][0-9]{2}:?[0-9]{2}|[AP]M)?)?"
)
_YEAR_FIRST = re.compile(rf"([0-9]{{4}})-([0-9]{{1,2}})-([0-9]{{1,2}}){_TIME}", re.I)
_EIGHT_DIGITS = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:\.0+)?")
_NO_YEAR = re.compile(r"(?:--)?([0-9]{1,2})-([0-9]{1,2})")
_YEAR_LAST = re.compile(rf"([0-9]{{1,2}})-([0-9]{{1,2}})-([0-9]{{4}}){_TIME}", re.I)
_SHORT_YEAR = re.compile(r"[0-9]{2}-[0-9]{1,2}-[0-9]{1,2}|[0-9]{1,2}-[0-9]{1,2}-[0-9]{2}")
_INCOMPLETE = re.compile(r"(?:19|20)[0-9]{2}(?:-[0-9]{1,2})?")
_SERIAL = re.compile(r"([0-9]{3,5})(?:\.[0-9]+)?")
_LUNAR = re.compile("农历|阴历|旧历|正月|腊月|冬月|闰|初[一二三四五六七八九十]|廿")
_SLASHES = re.compile(r"\s*[./年月_]\s*")
_DAY = re.compile("[日号]")


def parse(raw: object, *, today: date | None = None) -> tuple[date | str | None, str]:
    """Read a cell as a date, as "--MM-DD" where the year is missing, or as nothing, with the reason if refused.

    With `today`, days after it are refused.
    """
    if isinstance(raw, datetime):
        found: tuple[date | str | None, str] = (raw.date(), "")
    elif isinstance(raw, date):
        found = (raw, "")
    elif isinstance(raw, bool):
        found = (None, "unknown_date")
    elif isinstance(raw, (int, float)):
        found = _from_number(raw)
    elif isinstance(raw, str):
        found = _from_text(raw)
    else:
        found = (None, "" if raw is None else "unknown_date")
    day, reason = found
    if isinstance(day, date):
        if not EARLIEST_YEAR < day.year <= LATEST_YEAR:
            return None, "" if day.isoformat() in _UNSET else "unlikely_year"
        if today is not None and day > today:
            return None, "future_date"
    return day, reason


def _from_text(raw: str) -> tuple[date | str | None, str]:
    text = unicodedata.normalize("NFKC", raw[:100]).strip().strip("'’\"").removeprefix("=").strip('"').strip()
    if text.lower() in EMPTY_WORDS or not text:
        return None, ""
    if _LUNAR.search(text):
        return None, "lunar_date"
    text = _DAY.sub("", _SLASHES.sub("-", text)).strip("- ") if not text.startswith("--") else text
    if text[:10] in _UNSET:
        return None, ""
    match = _YEAR_FIRST.fullmatch(text) or _EIGHT_DIGITS.fullmatch(text)
    if match:
        return _day(int(match[1]), int(match[2]), int(match[3]))
    match = _NO_YEAR.fullmatch(text)
    if match:
        return _without_year(int(match[1]), int(match[2]))
    match = _YEAR_LAST.fullmatch(text)
    if match:
        return _year_last(int(match[1]), int(match[2]), int(match[3]))
    if _SHORT_YEAR.fullmatch(text):
        return None, "short_year"
    if _INCOMPLETE.fullmatch(text):
        return None, "incomplete_date"
    serial = _SERIAL.fullmatch(text.replace("-", "."))
    return _from_number(float(serial[1])) if serial else (None, "unknown_date")


def _from_number(raw: float) -> tuple[date | None, str]:
    if raw != raw:
        return None, ""
    whole = int(raw) if abs(raw) < 1e12 else 0
    if 10_000_000 <= whole <= 99_999_999 and whole == raw:
        return _day(whole // 10_000, whole // 100 % 100, whole % 100)
    if EARLIEST_YEAR <= raw <= LATEST_YEAR:
        return None, "incomplete_date"
    if _FIRST_SERIAL <= whole <= _LAST_SERIAL:
        return _EPOCH + timedelta(days=whole), ""
    return None, "" if raw == 0 else "unknown_date"


def _day(year: int, month: int, day: int) -> tuple[date | None, str]:
    try:
        return date(year, month, day), ""
    except ValueError:
        return None, "no_such_date"


def _without_year(month: int, day: int) -> tuple[str | None, str]:
    # 2000 has a 29 February.
    exists = _day(2000, month, day)[0]
    return (f"--{month:02}-{day:02}", "") if exists else (None, "no_such_date")


def _year_last(first: int, second: int, year: int) -> tuple[date | None, str]:
    """Day and month in either order are taken only where one order is possible."""
    if first != second and first <= 12 and second <= 12:
        return None, "ambiguous_date"
    return _day(year, first, second) if first <= 12 else _day(year, second, first)
