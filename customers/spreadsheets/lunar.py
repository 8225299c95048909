"""Reads dates of the lunar calendar as people write them: 农历八月十五, 阴历闰四月初三, 农历1990年腊月三十."""

import re
from datetime import date

from borax.calendars.lunardate import LunarDate

_ONES = {character: value for value, character in enumerate("零一二三四五六七八九")} | {"〇": 0, "○": 0}
_MONTHS = {"正": 1, "冬": 11, "腊": 12, "臘": 12}
_MARK = re.compile(r"\(?(?:农历|農曆|阴历|陰曆|旧历|夏历|古历|lunar|(?<=\()农(?=\))|^农|农$)\)?[:\s]*", re.I)
# Words that only this calendar has.
_TELLING = re.compile(
    r"农历|農曆|阴历|陰曆|旧历|夏历|古历|lunar|\(农\)|^农|农$|[正冬腊臘]月|闰|閏|初[一二三四五六七八九十]|廿|卅", re.I
)
_SOLAR = re.compile(r"公历|公曆|阳历|陽曆|新历|西历|solar|gregorian", re.I)
_YEAR = r"(?:([0-9]{4}|[零〇○一二三四五六七八九]{4})\s*[-./年]?\s*)?"
_MONTH = r"(闰|閏)?\s*([0-9]{1,2}|十[一二]?|[正冬腊臘一二三四五六七八九])\s*[-./月]\s*"
_DAY = (
    r"(初[一二三四五六七八九十]|[二三]?十[一二三四五六七八九]?|[廿卅][一二三四五六七八九十]?"
    r"|[0-9]{1,2}|[一二三四五六七八九])\s*[日号號]?"
)
_WRITTEN = re.compile(_YEAR + _MONTH + _DAY)
_EIGHT_DIGITS = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_OURS = re.compile(r"L(?:([0-9]{4})|-)-([0-9]{2})([-+])([0-9]{2})")
# In Chinese numerals, but of which calendar is not said.
UNMARKED = re.compile(
    r"(?:[一二三四五六七八九]|十[一二]?)月(?:[二三]?十[一二三四五六七八九]?|[一二三四五六七八九])[日号號]?"
)


def is_told(text: str) -> bool:
    """Whether a cell or a header says that it speaks of the lunar calendar."""
    return _TELLING.search(text) is not None or _OURS.fullmatch(text) is not None


def is_named(header: str) -> bool:
    """Whether a header says that all of its column is lunar; one that offers both calendars leaves it to the cells."""
    return is_told(header) and not _SOLAR.search(header)


def read(text: str, *, today: date | None = None) -> tuple[str | None, str]:
    """Read a lunar date as "L1990-08-15", "L--08-15" without its year, "+" before the day of a leap month.

    The text is in NFKC. With `today`, days after it are refused.
    """
    ours = _OURS.fullmatch(text)
    if ours:
        return _checked(int(ours[1] or 0), int(ours[2]), int(ours[4]), is_leap=ours[3] == "+", today=today)
    bare = _MARK.sub("", text).strip(" ()")
    digits = _EIGHT_DIGITS.fullmatch(bare)
    if digits:
        return _checked(int(digits[1]), int(digits[2]), int(digits[3]), is_leap=False, today=today)
    # The mark may stand behind the year, and its time of day behind the date, where a system wrote midnight.
    written = _WRITTEN.fullmatch(re.sub(r"[T\s]+0{1,2}:00(?::00)?$", "", bare))
    if written is None:
        return None, "lunar_date"
    year, leap, month, day = written.groups()
    return _checked(_year(year), _month(month), _day(day), is_leap=bool(leap), today=today)


def of_solar_form(day: date | str, *, today: date | None = None) -> tuple[str | None, str]:
    """Take a date of a column that is called lunar for what it is: month and day of the lunar calendar."""
    if isinstance(day, date):
        return _checked(day.year, day.month, day.day, is_leap=False, today=today)
    return _checked(0, int(day[2:4]), int(day[5:7]), is_leap=False, today=today)


def _checked(year: int, month: int, day: int, *, is_leap: bool, today: date | None) -> tuple[str | None, str]:
    if not (1 <= month <= 12 and 1 <= day <= 30):
        return None, "no_such_date"
    if year:
        if not 1900 < year <= 2100:
            return None, "unlikely_year"
        try:
            solar = LunarDate(year, month, day, int(is_leap)).to_solar_date()
        except ValueError:
            return None, "no_such_date"
        if today is not None and solar > today:
            return None, "future_date"
    return f"L{year or '-'}-{month:02}{'+' if is_leap else '-'}{day:02}", ""


def _year(written: str | None) -> int:
    if not written:
        return 0
    return int(written) if written.isascii() else int("".join(str(_ONES[character]) for character in written))


def _month(written: str) -> int:
    return _MONTHS[written] if written in _MONTHS else _number(written)


def _day(written: str) -> int:
    if written.startswith("初"):
        return _number(written[1:])
    if written[0] in "廿卅":
        rest = written[1:].replace("十", "")
        return (20 if written[0] == "廿" else 30) + (_number(rest) if rest else 0)
    return _number(written)


def _number(written: str) -> int:
    if written.isascii():
        return int(written)
    tens, mark, ones = written.rpartition("十")
    return (10 * (_ONES[tens] if tens else 1) if mark else 0) + (_ONES[ones] if ones else 0)
