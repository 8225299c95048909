"""Reads moments as platforms write them: a day with an hour, in the shop's zone where none is named."""

import re
import unicodedata
from datetime import date, datetime, timedelta, tzinfo

from customers.phone import EMPTY_WORDS
from customers.spreadsheets import dates

# What systems write for "not yet".
_UNSET_YEARS = frozenset([1, 1899, 1900, 1970])
_EARLIEST_YEAR, _LATEST_YEAR = 1990, 2100
_EPOCH, _EPOCH_1904 = datetime(1899, 12, 30), datetime(1904, 1, 1)
_ZONED = re.compile(r"(.*?[0-9])\s*(Z|UTC|[+-][0-9]{2}:?[0-9]{2})", re.I | re.S)
_HOUR = re.compile(
    r"(.*?)[T\s,]*(?<![0-9:.])(上午|下午|[AP]M)?\s*([0-9]{1,2})[:时点]([0-9]{1,2})(?:[:分]([0-9]{1,2})(?:[.,][0-9]+)?)?[秒分]?\s*(上午|下午|[AP]M)?",
    re.I | re.S,
)
_COMPACT = re.compile(r"((?:19|20)[0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})")
_SERIAL = re.compile(r"[0-9]{5}(?:\.[0-9]+)?")


def parse(raw: object, *, zone: tzinfo, is_1904: bool = False) -> tuple[datetime | None, str]:
    """Read a cell as a moment; nothing where it is empty or unset, with the reason if refused.

    `is_1904` says from where the workbook counts days.
    """
    if isinstance(raw, str):
        try:
            # What nine files of ten hold, at a fifth of the price.
            found = datetime.fromisoformat(raw) if len(raw) == 19 and raw[4] == "-" else None
        except ValueError:
            found = None
        found, reason = (found, "") if found else _from_text(raw, is_1904=is_1904)
    elif isinstance(raw, datetime):
        found, reason = raw, ""
    elif isinstance(raw, date):
        found, reason = datetime(raw.year, raw.month, raw.day), ""
    elif isinstance(raw, (int, float)) and not isinstance(raw, bool):
        found, reason = _from_number(raw, is_1904=is_1904)
    else:
        found, reason = None, "" if raw is None else "not_a_moment"
    if found is None:
        return None, reason
    if not _EARLIEST_YEAR <= found.year <= _LATEST_YEAR:
        return None, "" if found.year in _UNSET_YEARS else "unlikely_year"
    return (found if found.tzinfo else found.replace(tzinfo=zone)), ""


def _from_text(raw: str, *, is_1904: bool = False) -> tuple[datetime | None, str]:
    text = unicodedata.normalize("NFKC", raw[:100]).strip().strip("'’\"").removeprefix("=").strip('"').strip()
    if text.lower() in EMPTY_WORDS or not text or text.startswith("0000"):
        return None, ""
    compact = _COMPACT.fullmatch(text)
    if compact:
        return _at(*map(int, compact.groups()))
    if _SERIAL.fullmatch(text):
        return _from_number(float(text), is_1904=is_1904)
    offset = ""
    zoned = _ZONED.fullmatch(text)
    if zoned and ":" in zoned[1]:
        text, offset = zoned[1], zoned[2].upper()
    day_text, hours = text, (0, 0, 0)
    timed = _HOUR.fullmatch(text)
    if timed:
        day_text, hours = timed[1], _hours(timed)
    day, reason = dates.parse(day_text.strip(" T,"))
    if not isinstance(day, date):
        if reason == "unknown_date" or not day_text:
            return None, "not_a_moment"
        return None, reason or ("no_year" if day else "")
    found, reason = _at(day.year, day.month, day.day, *hours)
    if found and offset:
        zone = "+00:00" if offset in ("Z", "UTC") else offset
        try:
            found = datetime.fromisoformat(f"{found.isoformat()}{zone}")
        except ValueError:
            return None, "not_a_moment"
    return found, reason


def _hours(timed: re.Match) -> tuple[int, int, int]:
    half = (timed[2] or timed[6] or "").upper()
    hour = int(timed[3])
    if half in ("PM", "下午") and hour < 12:
        hour += 12
    elif half in ("AM", "上午") and hour == 12:
        hour = 0
    return hour, int(timed[4]), int(timed[5] or 0)


def _from_number(raw: float, *, is_1904: bool = False) -> tuple[datetime | None, str]:
    if raw != raw or raw == 0:
        return None, ""
    if 20_000 <= raw < 80_000:
        return (_EPOCH_1904 if is_1904 else _EPOCH) + timedelta(seconds=round(raw * 86_400)), ""
    if 19_900_101_000_000 <= raw <= 21_001_231_235_959:
        return _from_text(str(int(raw)))
    # Seconds or milliseconds since 1970, as systems export them.
    seconds = raw / 1000 if raw > 1e11 else raw
    if 631_152_000 <= seconds <= 4_102_444_800:
        return datetime.fromisoformat("1970-01-01T00:00:00+00:00") + timedelta(seconds=round(seconds)), ""
    return None, "not_a_moment"


def _at(year: int, month: int, day: int, hour: int, minute: int, second: int) -> tuple[datetime | None, str]:
    try:
        found = datetime(year, month, day) + timedelta(hours=hour, minutes=minute, seconds=second)
    except ValueError:
        return None, "no_such_date"
    is_hour = hour <= 24 and minute < 60 and second <= 60
    return (found, "") if is_hour else (None, "not_a_moment")
