"""Reads dates as shops write them; a date that is not certain is refused with a reason, never shifted."""

import re
import unicodedata
from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta

from customers.phone import EMPTY_WORDS
from customers.spreadsheets import lunar
from customers.spreadsheets.options import DAY_FIRST, MONTH_FIRST

# Customers are younger; older dates are what systems write for nothing, or slips.
EARLIEST_YEAR = 1900
LATEST_YEAR = 2100
CONTRADICTORY = "contradictory"
# Day 0 of Excel's calendar for days after the leap day 1900-02-29 that it believes in.
_EPOCH = date(1899, 12, 30)
# Workbooks made on old Macintoshes count from here; the same number is four years and a day later.
_EPOCH_1904 = date(1904, 1, 1)
_FIRST_SERIAL, _LAST_SERIAL = 366, 73_415
# What systems write for "not set".
_UNSET = frozenset(["0001-01-01", "0000-00-00", "1900-01-01", "1900-01-00", "1899-12-30", "1899-12-31"])

_TIME = (
    r"(?:[T\s]*(?:(?:上午|下午|AM|PM)\s*)?(?:[01]?[0-9]|2[0-4]):[0-5]?[0-9](?::[0-9]{1,2}(?:\.[0-9]+)?)?"
    r"\s*(?:Z|(?:UTC|GMT)?\s*[+-][0-9]{2}:?[0-9]{2}|[AP]M|UTC|GMT|CST)?)?"
)
_YEAR_FIRST = re.compile(rf"([0-9]{{4}})-([0-9]{{1,2}})-([0-9]{{1,2}}){_TIME}", re.I)
_EIGHT_DIGITS = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:\.0+)?")
_NO_YEAR = re.compile(r"(?:--)?([0-9]{1,2})-([0-9]{1,2})")
_YEAR_LAST = re.compile(rf"([0-9]{{1,2}})-([0-9]{{1,2}})-([0-9]{{4}}){_TIME}", re.I)
_SHORT_YEAR = re.compile(r"[0-9]{2}-[0-9]{1,2}-[0-9]{1,2}|[0-9]{1,2}-[0-9]{1,2}-[0-9]{2}")
_INCOMPLETE = re.compile(r"(?:19|20)[0-9]{2}(?:-[0-9]{1,2})?")
_SERIAL = re.compile(r"([0-9]{3,5})(?:\.[0-9]+)?")
_SLASHES = re.compile(r"\s*[-./年月_]\s*")
_DAY = re.compile("[日号]")
# Excel's long date says the day of the week too.
_WEEKDAY = re.compile(r"\s*\(?(?:星期|周)[一二三四五六日天]\)?(?=\s|$)")
# Only these leave open which is the day: month and day without a year come so in all of China, unless by slashes.
_OPEN = re.compile(r"([0-9]{1,2})\s*(?:/\s*([0-9]{1,2})|[-/.]\s*([0-9]{1,2})\s*[-/.]\s*[0-9]{4}(?![0-9]).*)", re.S)
_NAMES = "jan january,feb february,mar march,apr april,may,jun june,jul july,aug august,sep sept september,oct october"
_MONTH_NAMES = {
    name: number
    for number, names in enumerate(f"{_NAMES},nov november,dec december".split(","), start=1)
    for name in names.split()
}
_NAMED_MONTH = re.compile(
    rf"(?:([0-9]{{1,2}})(?:st|nd|rd|th)?[\s-]+([a-z]{{3,9}})\.?|([a-z]{{3,9}})\.?[\s-]+([0-9]{{1,2}})(?:st|nd|rd|th)?)"
    rf"(?:[\s,-]+([0-9]{{4}}))?{_TIME}",
    re.I,
)


def parse(
    raw: object, *, today: date | None = None, order: str = "", is_1904: bool = False, is_lunar: bool = False
) -> tuple[date | str | None, str]:
    """Read a cell as a date, as "--MM-DD" where the year is missing, or as nothing, with the reason if refused.

    A lunar date comes as `lunar.read` writes it. With `today`, days after it are refused. `order` says what
    5/3/1990 means in this column, `is_1904` from where the workbook counts days, `is_lunar` what its header says.
    """
    if isinstance(raw, str):
        found = _from_text(raw, order=order, is_1904=is_1904, is_lunar=is_lunar, today=today)
    elif isinstance(raw, datetime):
        found = (raw.date(), "")
    elif isinstance(raw, date):
        found = (raw, "")
    elif isinstance(raw, bool):
        found = (None, "unknown_date")
    elif isinstance(raw, (int, float)):
        found = _from_number(raw, is_1904=is_1904)
    else:
        found = (None, "" if raw is None else "unknown_date")
    day, reason = found
    if isinstance(day, date) and not EARLIEST_YEAR < day.year <= LATEST_YEAR:
        return None, "" if day.isoformat() in _UNSET else "unlikely_year"
    if is_lunar and day is not None and not str(day).startswith("L"):
        day, reason = lunar.of_solar_form(day, today=today)
    elif isinstance(day, date) and today is not None and day > today:
        return None, "future_date"
    return day, reason


def order_of(cells: Iterable[object]) -> str:
    """Decide by a whole column whether 5/3/1990 is the fifth of March or the third of May.

    "day_first", "month_first", "contradictory" where cells prove both, "" where no cell decides.
    """
    return concluded({order_of_cell(cell) for cell in cells})


def concluded(orders: Collection[str]) -> str:
    """What the orders of single cells say together."""
    proven = set(orders) - {""}
    if len(proven) > 1:
        return CONTRADICTORY
    return proven.pop() if proven else ""


def is_open(cell: object) -> bool:
    """Whether a cell is a date of the kind in which day and month could be swapped."""
    return isinstance(cell, str) and len(cell) < 60 and _OPEN.fullmatch(_bare(cell)) is not None


def order_of_cell(cell: object) -> str:
    """The order that a single cell proves: 13/02/1990 has the day first, 02/13/1990 the month."""
    if not isinstance(cell, str) or len(cell) >= 60:
        return ""
    match = _OPEN.fullmatch(_bare(cell))
    if match is None:
        return ""
    first, second = int(match[1]), int(match[2] or match[3])
    if 12 < first <= 31 and 1 <= second <= 12:
        return DAY_FIRST
    return MONTH_FIRST if 1 <= first <= 12 < second <= 31 else ""


def _bare(raw: str) -> str:
    text = unicodedata.normalize("NFKC", raw[:100]).strip().strip("'’\"").removeprefix("=").strip('"').strip()
    return " ".join(text.split())


def _from_text(
    raw: str, *, order: str, is_1904: bool, is_lunar: bool, today: date | None
) -> tuple[date | str | None, str]:
    written = _WEEKDAY.sub("", _bare(raw))
    text = _DAY.sub("", _SLASHES.sub("-", written)).strip("- ") if not written.startswith("--") else written
    if not written or written.lower() in EMPTY_WORDS or text[:10] in _UNSET:
        return None, ""
    if is_lunar or lunar.is_told(written):
        found = lunar.read(written, today=today)
        if found[1] != "lunar_date" or lunar.is_told(written):
            return found
    match = _YEAR_FIRST.fullmatch(text) or _EIGHT_DIGITS.fullmatch(text)
    if match:
        return _day(int(match[1]), int(match[2]), int(match[3]))
    match = _NO_YEAR.fullmatch(text)
    if match:
        return _without_year(int(match[1]), int(match[2]), order if _OPEN.fullmatch(written) else "")
    match = _YEAR_LAST.fullmatch(text)
    if match:
        return _year_last(int(match[1]), int(match[2]), int(match[3]), order)
    if _SHORT_YEAR.fullmatch(text):
        return None, "short_year"
    if _INCOMPLETE.fullmatch(text):
        return None, "incomplete_date"
    match = _NAMED_MONTH.fullmatch(written)
    if match:
        return _with_month_name(match)
    if lunar.UNMARKED.fullmatch(written):
        return None, "unclear_calendar"
    serial = _SERIAL.fullmatch(text.replace("-", "."))
    return _from_number(float(serial[1]), is_1904=is_1904) if serial else (None, "unknown_date")


def _from_number(raw: float, *, is_1904: bool) -> tuple[date | None, str]:
    if raw != raw:
        return None, ""
    whole = int(raw) if abs(raw) < 1e12 else 0
    if 10_000_000 <= whole <= 99_999_999 and whole == raw:
        return _day(whole // 10_000, whole // 100 % 100, whole % 100)
    if EARLIEST_YEAR <= raw <= LATEST_YEAR:
        return None, "incomplete_date"
    if _FIRST_SERIAL <= whole <= _LAST_SERIAL:
        return (_EPOCH_1904 if is_1904 else _EPOCH) + timedelta(days=whole), ""
    return None, "" if raw == 0 else "unknown_date"


def _day(year: int, month: int, day: int) -> tuple[date | None, str]:
    try:
        return date(year, month, day), ""
    except ValueError:
        return None, "no_such_date"


def _without_year(first: int, second: int, order: str) -> tuple[str | None, str]:
    """The month comes first, as everywhere in China, unless the column proves otherwise."""
    if order == CONTRADICTORY and first != second and first <= 12 and second <= 12:
        return None, "ambiguous_date"
    is_day_first = order == DAY_FIRST or (order == CONTRADICTORY and first > 12)
    month, day = (second, first) if is_day_first else (first, second)
    # 2000 has a 29 February.
    exists = _day(2000, month, day)[0]
    return (f"--{month:02}-{day:02}", "") if exists else (None, "no_such_date")


def _year_last(first: int, second: int, year: int, order: str) -> tuple[date | None, str]:
    """Day and month in either order are taken where one order is possible, or the column has decided it."""
    if first > 12 or (order == DAY_FIRST and second <= 12):
        return _day(year, second, first)
    if second > 12 or order == MONTH_FIRST or first == second:
        return _day(year, first, second)
    return None, "ambiguous_date"


def _with_month_name(match: re.Match[str]) -> tuple[date | str | None, str]:
    month = _MONTH_NAMES.get((match[2] or match[3]).lower())
    if month is None:
        return None, "unknown_date"
    day = int(match[1] or match[4])
    return _day(int(match[5]), month, day) if match[5] else _without_year(month, day, "")
