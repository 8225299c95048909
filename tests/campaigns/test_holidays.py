"""When holidays come, against the published calendar."""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from campaigns import holidays

SHANGHAI = ZoneInfo("Asia/Shanghai")

PUBLISHED = {
    "spring_festival": ["2026-02-17", "2027-02-06", "2028-01-26", "2029-02-13", "2030-02-03"],
    "lantern_festival": ["2026-03-03", "2027-02-20", "2028-02-09", "2029-02-27", "2030-02-17"],
    "dragon_boat": ["2026-06-19", "2027-06-09", "2028-05-28", "2029-06-16", "2030-06-05"],
    "qixi": ["2026-08-19", "2027-08-08", "2028-08-26", "2029-08-16", "2030-08-05"],
    "mid_autumn": ["2026-09-25", "2027-09-15", "2028-10-03", "2029-09-22", "2030-09-12"],
    "double_ninth": ["2026-10-18", "2027-10-08", "2028-10-26", "2029-10-16", "2030-10-05"],
}


@pytest.mark.parametrize("key", PUBLISHED)
def test_lunar_holidays_fall_on_their_published_days(key):
    days = holidays.next_dates(key, after=date(2026, 1, 1), count=5)

    assert [day.isoformat() for day in days] == PUBLISHED[key]


def test_new_years_eve_is_the_day_before_even_when_the_month_has_no_thirtieth():
    assert holidays.next_dates("new_years_eve", after=date(2026, 12, 1), count=1) == [date(2027, 2, 5)]


def test_the_eighth_of_the_last_month_is_found_across_the_turn_of_the_year():
    assert holidays.next_dates("laba", after=date(2027, 1, 1), count=1) == [date(2027, 1, 15)]


@pytest.mark.parametrize(
    ("key", "day"),
    [
        ("qingming", date(2027, 4, 5)),
        ("winter_solstice", date(2027, 12, 22)),
        ("mothers_day", date(2027, 5, 9)),
        ("fathers_day", date(2027, 6, 20)),
        ("national_day", date(2027, 10, 1)),
        ("double_eleven", date(2027, 11, 11)),
    ],
)
def test_other_holidays_follow_their_rule(key, day):
    assert holidays.next_dates(key, after=date(2027, 1, 1), count=1) == [day]


def test_the_day_itself_counts_as_next():
    assert holidays.next_dates("national_day", after=date(2027, 10, 1), count=1) == [date(2027, 10, 1)]


def test_a_holiday_whose_hour_has_passed_today_comes_next_year():
    noon = datetime(2027, 10, 1, 12, tzinfo=SHANGHAI)

    assert holidays.next_moment("national_day", time(9), after=noon, zone=SHANGHAI).year == 2028
    assert holidays.next_moment("national_day", time(15), after=noon, zone=SHANGHAI).year == 2027


def test_an_unknown_holiday_is_refused():
    with pytest.raises(holidays.UnknownHoliday):
        holidays.next_dates("talk_like_a_pirate_day", after=date(2027, 1, 1))


def test_every_holiday_has_a_next_day_and_they_come_soonest_first():
    coming = [day for day, _holiday in holidays.coming(after=date(2026, 11, 23))]

    assert len(coming) == len(holidays.HOLIDAYS)
    assert coming == sorted(coming)
