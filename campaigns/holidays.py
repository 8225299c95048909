"""Holidays a shop greets on, solar and lunar, as data; and when they come next."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from borax.calendars.lunardate import LunarDate, TermUtils
from django.utils.translation import gettext_lazy as _

# borax knows the lunar years 1900 to 2100.
LAST_YEAR = 2099


class UnknownHoliday(LookupError):
    """A key that names no holiday."""


@dataclass(frozen=True)
class Solar:
    """A fixed day of the solar calendar."""

    month: int
    day: int

    def in_year(self, year: int) -> date:
        """The day in a solar year."""
        return date(year, self.month, self.day)


@dataclass(frozen=True)
class Lunar:
    """A day of the lunar calendar, or some days before or after it."""

    month: int
    day: int
    days_later: int = 0

    def in_year(self, year: int) -> date:
        """The day in the lunar year that begins in this solar year."""
        return LunarDate(year, self.month, self.day).to_solar_date() + timedelta(self.days_later)


@dataclass(frozen=True)
class Term:
    """The day of a solar term, in borax's words."""

    name: str

    def in_year(self, year: int) -> date:
        """The day in a solar year."""
        return TermUtils.day_start_from_term(year, self.name)


@dataclass(frozen=True)
class NthWeekday:
    """The nth weekday of a month; Monday is 0."""

    month: int
    nth: int
    weekday: int

    def in_year(self, year: int) -> date:
        """The day in a solar year."""
        first = date(year, self.month, 1)
        return first + timedelta((self.weekday - first.weekday()) % 7 + 7 * (self.nth - 1))


@dataclass(frozen=True)
class Holiday:
    """One holiday: its key in the database, its name for staff, and the rule that finds its day."""

    key: str
    name: str
    rule: Solar | Lunar | Term | NthWeekday


HOLIDAYS = {
    holiday.key: holiday
    for holiday in [
        Holiday("new_year", _("New Year's Day"), Solar(1, 1)),
        Holiday("laba", _("Laba Festival"), Lunar(12, 8)),
        # Not the 30th of the 12th month: in many years, 2027 among them, that month has 29 days.
        Holiday("new_years_eve", _("Chinese New Year's Eve"), Lunar(1, 1, days_later=-1)),
        Holiday("spring_festival", _("Chinese New Year"), Lunar(1, 1)),
        Holiday("valentines_day", _("Valentine's Day"), Solar(2, 14)),
        Holiday("lantern_festival", _("Lantern Festival"), Lunar(1, 15)),
        Holiday("womens_day", _("Women's Day"), Solar(3, 8)),
        Holiday("consumer_day", _("Consumer Rights Day"), Solar(3, 15)),
        Holiday("qingming", _("Qingming Festival"), Term("清明")),
        Holiday("labor_day", _("Labor Day"), Solar(5, 1)),
        Holiday("youth_day", _("Youth Day"), Solar(5, 4)),
        Holiday("mothers_day", _("Mother's Day"), NthWeekday(5, 2, 6)),
        Holiday("day_520", _("520"), Solar(5, 20)),
        Holiday("childrens_day", _("Children's Day"), Solar(6, 1)),
        Holiday("dragon_boat", _("Dragon Boat Festival"), Lunar(5, 5)),
        Holiday("fathers_day", _("Father's Day"), NthWeekday(6, 3, 6)),
        Holiday("sale_618", _("618 sale"), Solar(6, 18)),
        Holiday("qixi", _("Qixi Festival"), Lunar(7, 7)),
        Holiday("teachers_day", _("Teachers' Day"), Solar(9, 10)),
        Holiday("mid_autumn", _("Mid-Autumn Festival"), Lunar(8, 15)),
        Holiday("national_day", _("National Day"), Solar(10, 1)),
        Holiday("double_ninth", _("Double Ninth Festival"), Lunar(9, 9)),
        Holiday("double_eleven", _("Double 11 sale"), Solar(11, 11)),
        Holiday("double_twelve", _("Double 12 sale"), Solar(12, 12)),
        Holiday("winter_solstice", _("Winter Solstice"), Term("冬至")),
        Holiday("christmas_eve", _("Christmas Eve"), Solar(12, 24)),
        Holiday("christmas", _("Christmas Day"), Solar(12, 25)),
    ]
}


def name_of(key: str) -> str:
    """The holiday's name in the reader's language; the key itself where nobody knows it."""
    return str(HOLIDAYS[key].name) if key in HOLIDAYS else key


def next_dates(key: str, *, after: date, count: int = 3) -> list[date]:
    """
    The next days of a holiday, the given day included, soonest first.

    Fewer where the calendar ends, in 2099. Raises UnknownHoliday.
    """
    days = _days(key, since=after)
    return [day for day, _number in zip(days, range(count), strict=False)]


def next_moment(key: str, at: time, *, after: datetime, zone: ZoneInfo) -> datetime:
    """The first time a holiday reaches this hour after a moment. Raises UnknownHoliday."""
    for day in _days(key, since=after.astimezone(zone).date()):
        moment = datetime.combine(day, at, tzinfo=zone)
        if moment > after:
            return moment
    raise UnknownHoliday(key)


def coming(*, after: date) -> list[tuple[date, Holiday]]:
    """The next day of every holiday, soonest first."""
    return sorted(
        (
            (days[0], holiday)
            for holiday in HOLIDAYS.values()
            if (days := next_dates(holiday.key, after=after, count=1))
        ),
        key=lambda pair: pair[0],
    )


def _days(key: str, *, since: date) -> Iterator[date]:
    if key not in HOLIDAYS:
        raise UnknownHoliday(key)
    rule = HOLIDAYS[key].rule
    # A lunar year's last months fall into the next solar year, so the year before counts too.
    for year in range(since.year - 1, LAST_YEAR + 1):
        day = rule.in_year(year)
        if day >= since:
            yield day
