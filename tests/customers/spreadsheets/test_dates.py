"""Dates as shops write them: two calendars, two epochs, and the order of day and month by the column (S16)."""

import csv
from datetime import date, datetime

import pytest
import xlsxwriter
from borax.calendars.lunardate import LunarDate
from hypothesis import given
from hypothesis import strategies as st

from customers.spreadsheets import dates, layouts, lunar, reader, rows
from customers.spreadsheets.options import Options

TODAY = date(2030, 1, 1)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("农历八月十五", "L--08-15"),
        ("农历1990年八月十五", "L1990-08-15"),
        ("1990年农历腊月廿三", "L1990-12-23"),
        ("一九九〇年正月初一", "L1990-01-01"),
        ("阴历闰四月初三", "L--04+03"),
        ("农历1990年闰五月初一", "L1990-05+01"),
        ("正月初一", "L--01-01"),
        ("腊月三十", "L--12-30"),
        ("冬月十二", "L--11-12"),
        ("农历十月初十", "L--10-10"),
        ("农历8月15日", "L--08-15"),
        ("8月15日（农历）", "L--08-15"),
        ("(农)8.15", "L--08-15"),
        ("农历1990-8-15", "L1990-08-15"),
        ("农历19900815", "L1990-08-15"),
        ("陰曆八月十五", "L--08-15"),
        ("L1990-08-15", "L1990-08-15"),
        ("L--08-15", "L--08-15"),
        ("L1990-05+15", "L1990-05+15"),
    ],
)
def test_a_lunar_birthday_is_read_as_one(raw, expected):
    assert dates.parse(raw, today=TODAY) == (expected, "")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("农历1990年闰四月初一", "no_such_date"),
        ("农历八月三十一", "no_such_date"),
        ("农历13月1日", "no_such_date"),
        ("农历2030年十二月初一", "future_date"),
        ("农历正月", "lunar_date"),
        ("农历马年八月十五", "lunar_date"),
        ("八月十五", "unclear_calendar"),
        ("二月二十八日", "unclear_calendar"),
    ],
)
def test_a_lunar_birthday_that_is_not_certain_is_refused(raw, reason):
    assert dates.parse(raw, today=TODAY) == (None, reason)


def test_in_a_column_that_is_called_lunar_every_date_is_one():
    for raw in ("8-15", "8月15日", "八月十五", "--08-15"):
        assert dates.parse(raw, is_lunar=True) == ("L--08-15", "")
    for raw in ("1990-08-15", "19900815", date(1990, 8, 15), datetime(1990, 8, 15, 8), 33100.0):
        assert dates.parse(raw, is_lunar=True) == ("L1990-08-15", "")
    # February of the moon has a thirtieth, and a month of 29 days no thirty-first.
    assert dates.parse("1990-02-30", is_lunar=True) == ("L1990-02-30", "")
    assert dates.parse("1990-01-31", is_lunar=True) == (None, "no_such_date")
    assert dates.parse("", is_lunar=True) == (None, "")


@given(st.dates(date(1901, 3, 1), date(2029, 12, 31)))
def test_every_lunar_day_is_read_back_as_it_is_written(day):
    moon = LunarDate.from_solar_date(day.year, day.month, day.day)
    leap = "闰" if moon.leap else ""
    written = f"L{moon.year}-{moon.month:02}{'+' if moon.leap else '-'}{moon.day:02}"

    assert dates.parse(written, today=TODAY) == (written, "")
    assert dates.parse(f"农历{moon.year}年{leap}{moon.cn_month}月{moon.cn_day}", today=TODAY) == (written, "")


@given(st.text(alphabet="农历闰正腊冬月初十廿卅一二三九〇0123456789-+L年日 .", max_size=20))
def test_nothing_that_looks_like_a_lunar_date_breaks_the_reading(text):
    value, reason = lunar.read(text, today=TODAY)

    assert (value is None) == bool(reason)


@pytest.mark.parametrize(
    ("cells", "order"),
    [
        (["13/02/1990", "05/03/1990", ""], "day_first"),
        (["02/13/1990", "05/03/1990"], "month_first"),
        (["05/03/1990", "1/1/1990", "明年", None, 3.0], ""),
        (["13/02/1990", "02/13/1990"], "contradictory"),
        (["31/05", "05/06"], "day_first"),
        (["13.02.1990"], "day_first"),
        (["1990/2/13", "1990-13-02", "2-13", "32/13/1990"], ""),
        (["13-02-1990 08:00"], "day_first"),
    ],
)
def test_the_whole_column_decides_which_number_is_the_day(cells, order):
    assert dates.order_of(cells) == order


def test_an_order_is_obeyed_and_never_bends_what_is_certain():
    assert dates.parse("5/3/1990") == (None, "ambiguous_date")
    assert dates.parse("5/5/1990") == (date(1990, 5, 5), "")
    assert dates.parse("5/3/1990", order="day_first") == (date(1990, 3, 5), "")
    assert dates.parse("5/3/1990", order="month_first") == (date(1990, 5, 3), "")
    assert dates.parse("5/3/1990", order="contradictory") == (None, "ambiguous_date")
    assert dates.parse("13/2/1990", order="month_first") == (date(1990, 2, 13), "")
    assert dates.parse("1990-05-03", order="day_first") == (date(1990, 5, 3), "")
    assert dates.parse("5-3", order="day_first") == ("--05-03", "")
    assert dates.parse("5/3", order="day_first") == ("--03-05", "")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("31 May 1990", date(1990, 5, 31)),
        ("May 31, 1990", date(1990, 5, 31)),
        ("31-May-1990 08:00", date(1990, 5, 31)),
        ("31-May", "--05-31"),
        ("1990-5-31 上午 8:00:00", date(1990, 5, 31)),
        ("1990 - 5 - 31", date(1990, 5, 31)),
        ("1990-05-31 10:00:00 +0800", date(1990, 5, 31)),
    ],
)
def test_months_by_their_names_and_odd_hours_are_read(raw, expected):
    assert dates.parse(raw) == (expected, "")


def test_the_same_number_is_another_day_in_a_workbook_that_counts_from_1904():
    assert dates.parse(32933.0) == (date(1990, 3, 1), "")
    assert dates.parse(31471.0, is_1904=True) == (date(1990, 3, 1), "")
    assert dates.parse("31471", is_1904=True) == (date(1990, 3, 1), "")


def birthdays(path, options=None):
    with reader.open_sheet(path) as sheet:
        columns = layouts.guess(sheet.headers, [cells for _, cells in sheet.sample()])
        return [
            row.birthday_text or row.problems[0][2]
            for row in rows.interpret(sheet, columns, today=TODAY, options=options or Options())
        ]


@pytest.fixture
def column(tmp_path):
    """Writes a file with a column of birthdays."""

    def write(*cells, header="生日"):
        path = tmp_path / "list.csv"
        with path.open("w", encoding="utf-8", newline="") as handle:
            lines = [[f"138001{number:05}", cell] for number, cell in enumerate(cells)]
            csv.writer(handle).writerows([["手机号", header], *lines])
        return path

    return write


def test_a_day_far_below_decides_for_the_first_rows_too(column):
    path = column(*["05/03/1990"] * 300, "13/02/1990")

    assert set(birthdays(path)[:300]) == {"1990-03-05"}


def test_what_no_cell_decides_is_asked_and_the_answer_is_obeyed(column):
    path = column("05/03/1990", "04/04/1990")

    assert birthdays(path) == ["ambiguous_date", "1990-04-04"]
    assert birthdays(path, Options(day_order="day_first")) == ["1990-03-05", "1990-04-04"]
    assert birthdays(path, Options(day_order="month_first")) == ["1990-05-03", "1990-04-04"]


def test_cells_beat_the_answer_and_contradictions_are_not_guessed(column):
    assert birthdays(column("05/03/1990", "13/02/1990"), Options(day_order="month_first"))[0] == "1990-03-05"
    assert birthdays(column("05/03/1990", "13/02/1990", "02/13/1990")) == [
        "ambiguous_date",
        "1990-02-13",
        "1990-02-13",
    ]


def test_a_column_called_lunar_is_lunar(column):
    assert birthdays(column("1990-08-15", "8-15", header="生日（农历）")) == ["L1990-08-15", "L--08-15"]


def test_serial_numbers_are_days_in_both_calendars_of_a_workbook(tmp_path):
    for options, serial in (({}, 32933), ({"date_1904": True}, 31471)):
        path = tmp_path / "list.xlsx"
        with xlsxwriter.Workbook(path, options) as book:
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, ["手机号", "生日"])
            sheet.write_row(1, 0, ["13800138000", serial])

        assert birthdays(path) == ["1990-03-01"]


@pytest.mark.parametrize("shown", ['m"月"d"日";@', '[$-804]m"月"d"日";@', "mm-dd", 58, 16])
def test_a_birthday_that_is_shown_without_its_year_has_none(tmp_path, shown):
    # Excel makes a date of the running year of what somebody types as 2月28日.
    path = tmp_path / "list.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["手机号", "生日"])
        for row, (born, code) in enumerate([((2026, 2, 28), shown), ((1990, 2, 28), shown), ((2026, 2, 28), 14)]):
            sheet.write(row + 1, 0, f"1380013800{row}")
            sheet.write_datetime(row + 1, 1, datetime(*born), book.add_format({"num_format": code}))

    assert birthdays(path) == ["--02-28", "1990-02-28", "2026-02-28"]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("农历生日", True),
        ("生日（农历）", True),
        ("阴历出生日期", True),
        ("生日", False),
        ("生日（公历/农历）", False),
        ("公历或农历生日", False),
        ("Birthday (solar or lunar)", False),
    ],
)
def test_a_header_that_offers_both_calendars_leaves_it_to_the_cells(header, expected):
    assert lunar.is_named(header) is expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("1990年5月31日星期四", date(1990, 5, 31)),
        ("1990/5/31 周四", date(1990, 5, 31)),
        ("1990-05-31 (星期四) 00:00:00", date(1990, 5, 31)),
        ("5月31日 星期四", "--05-31"),
    ],
)
def test_the_day_of_the_week_may_stand_beside_a_date(raw, expected):
    assert dates.parse(raw, today=TODAY) == (expected, "")
