"""What single cells mean, and why some are refused."""

from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.spreadsheets import cells

ANYTHING = st.one_of(
    st.text(), st.floats(), st.integers(), st.none(), st.booleans(), st.dates(), st.datetimes(), st.times()
)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("1990-05-31", date(1990, 5, 31)),
        ("1990/5/31", date(1990, 5, 31)),
        ("1990.5.31", date(1990, 5, 31)),
        ("1990年5月31日", date(1990, 5, 31)),
        ("１９９０-０５-３１", date(1990, 5, 31)),
        ("19900531", date(1990, 5, 31)),
        ("1990-05-31 00:00:00", date(1990, 5, 31)),
        ("31/12/1990", date(1990, 12, 31)),
        ("12/31/1990", date(1990, 12, 31)),
        (date(1990, 5, 31), date(1990, 5, 31)),
        (datetime(1990, 5, 31, 8, 30), date(1990, 5, 31)),
        (32933.0, date(1990, 3, 1)),
        ("32933", date(1990, 3, 1)),
        (19900531.0, date(1990, 5, 31)),
        ("2月28日", "--02-28"),
        ("02-29", "--02-29"),
        ("--12-25", "--12-25"),
    ],
)
def test_a_birthday_is_read_as_it_is_written(raw, expected):
    assert cells.birthday(raw) == (expected, "")


@pytest.mark.parametrize(
    "raw", ["", "?", "—", "-", "null", "N/A", "无", None, "0001-01-01 00:00:00", "0000-00-00", 0.0]
)
def test_a_birthday_that_is_not_known_is_no_mistake(raw):
    assert cells.birthday(raw) == (None, "")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("1990/2/29", "no_such_date"),
        ("13月1日", "no_such_date"),
        ("90-2-3", "short_year"),
        ("5/3/1990", "ambiguous_date"),
        ("1990-05", "incomplete_date"),
        ("1990", "incomplete_date"),
        ("1066-10-14", "unlikely_year"),
        ("2031-01-01", "future_date"),
        ("明年", "unknown_date"),
        (True, "unknown_date"),
        (1e300, "unknown_date"),
    ],
)
def test_a_birthday_that_is_not_certain_is_refused_and_never_shifted(raw, reason):
    assert cells.birthday(raw, today=date(2030, 1, 1)) == (None, reason)


@pytest.mark.parametrize("raw", ["是", "Y", "yes", "TRUE", "√", "同意", "1", 1.0, True, " 已订阅 "])
def test_a_clear_yes_is_consent(raw):
    assert cells.consent(raw) == (cells.YES, "")


@pytest.mark.parametrize("raw", ["否", "N", "no", "False", "×", "不同意", "0", 0.0, False, "未订阅"])
def test_a_clear_no_is_a_refusal(raw):
    assert cells.consent(raw) == (cells.NO, "")


@pytest.mark.parametrize("raw", ["已退订", "TD", "拒收", "Unsubscribed", "取消订阅"])
def test_who_has_opted_out_is_told_from_who_never_agreed(raw):
    assert cells.consent(raw) == (cells.OPT_OUT, "")


@pytest.mark.parametrize("raw", ["", None, "-", "?", "未知", "null"])
def test_an_empty_cell_is_not_consent(raw):
    assert cells.consent(raw) == (cells.UNKNOWN, "")


@pytest.mark.parametrize("raw", ["x", "maybe", "同意?", "是/否", "2", 2.0, date(2020, 1, 1), "yes no"])
def test_what_is_neither_yes_nor_no_is_never_consent(raw):
    assert cells.consent(raw) == (cells.UNKNOWN, "unknown_consent")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("  张　三 ", "张三"),
        ("Li  Na", "Li Na"),
        ("程霞静[9803]", "程霞静"),
        ("a\u202eb\u200b\x00c", "abc"),
        ("半\ud83d个", "半个"),
        ('="张三"', "张三"),
        ("'t Hooft", "'t Hooft"),
        ("=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("{{7*7}}", "{{7*7}}"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),
        ("𠮷田㐂", "𠮷田㐂"),
        (42.0, "42"),
        ("—", ""),
    ],
)
def test_a_name_keeps_what_can_be_read_and_loses_what_cannot_be_seen(raw, expected):
    assert cells.name(raw) == (expected, "")


@pytest.mark.parametrize("raw", ["张**", "*三", "##d17337957715f2cf##"])
def test_a_name_hidden_by_the_platform_addresses_nobody(raw):
    assert cells.name(raw) == ("", "hidden_name")


def test_a_name_damaged_by_a_wrong_encoding_is_refused():
    assert cells.name("张\ufffd\ufffd") == ("", "damaged_text")
    assert cells.name("长" * 101) == ("", "too_long")


def test_a_formula_without_result_is_told_from_text_that_looks_like_one():
    assert cells.text(cells.Formula("=A1&B1")) == ("", "formula")
    assert cells.text("=A1&B1") == ("=A1&B1", "")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("VIP,老客，新品、茶;咖啡；VIP|面包", ("VIP", "老客", "新品", "茶", "咖啡", "面包")),
        ("vip, horeca", ("vip", "horeca")),
        (" , ,", ()),
        ("-", ()),
    ],
)
def test_tags_are_divided_by_any_of_the_usual_marks(raw, expected):
    assert cells.tags(raw) == (expected, "")


def test_a_gender_is_taken_from_its_words_only():
    assert cells.gender("男") == ("male", "")
    assert cells.gender("女士") == ("female", "")
    assert cells.gender("Female") == ("female", "")
    assert cells.gender("未知") == ("", "")
    assert cells.gender("1") == ("", "unknown_gender")


@pytest.mark.parametrize("raw", ["A.B@Example.com", " a.b@example.com ", "mailto:a.b@example.com", "a.b＠example.com"])
def test_an_address_is_written_in_one_way(raw):
    assert cells.email(raw) == ("a.b@example.com", "")


@pytest.mark.parametrize(
    "raw", ["a@b", "a b@example.com", "a@example.com\nBcc: b@example.com", "a..b@example.com", "@"]
)
def test_what_is_no_address_is_refused(raw):
    assert cells.email(raw) == ("", "not_an_email")


@pytest.mark.parametrize("raw", ["l****@example.com", "'l****@example.com", "li**@qq.com"])
def test_a_masked_address_is_no_address(raw):
    assert cells.email(raw) == ("", "masked_email")


def test_an_address_loses_the_apostrophe_that_kept_it_from_being_calculated():
    assert cells.email("'+li@example.com") == ("+li@example.com", "")
    assert cells.email("''o@example.com") == ("'o@example.com", "")


@pytest.mark.parametrize(
    ("raw", "tags"),
    [
        ('"A,B"、老客', ("A,B", "老客")),
        ('"说""好""的" , VIP', ('说"好"的', "VIP")),
        ('5" 屏、大', ('5" 屏', "大")),
        ('"没有结尾', ('"没有结尾',)),
        ("老客,VIP；新", ("老客", "VIP", "新")),
    ],
)
def test_a_tag_in_quotes_may_hold_a_divider(raw, tags):
    assert cells.tags(raw) == (tags, "")


def test_amounts_lose_their_armor():
    assert cells.amount("1,234.50元") == (Decimal("1234.50"), "")
    assert cells.amount("¥98.9") == (Decimal("98.9"), "")
    assert cells.amount("CNY 1,234.5") == (Decimal("1234.5"), "")
    assert cells.amount("１２８．５０ 元") == (Decimal("128.50"), "")
    assert cells.amount("1.2万") == (Decimal("12000"), "")
    assert cells.amount("-￥5") == (Decimal("-5"), "")
    assert cells.amount("168.99\t") == (Decimal("168.99"), "")
    assert cells.amount(12.340000001) == (Decimal("12.34"), "")
    assert cells.amount("一百") == (None, "not_an_amount")


def test_regions_are_province_and_city():
    assert cells.region("中国 浙江 杭州") == (("浙江", "杭州"), "")
    assert cells.region("广东 深圳") == (("广东", "深圳"), "")
    assert cells.region("—") == (("", ""), "")


@given(st.sampled_from(sorted(cells.PARSERS)), ANYTHING)
def test_no_cell_whatever_breaks_a_parser(kind, raw):
    value, reason = cells.PARSERS[kind](raw)

    assert reason == "" or reason in cells.REASONS
    assert not (isinstance(value, str) and ("\0" in value or any("\ud800" <= c <= "\udfff" for c in value)))
    assert reason == "" or value in (None, "", (), cells.UNKNOWN, ("", "")) or kind == "tags"


@given(ANYTHING)
def test_consent_comes_from_listed_words_only(raw):
    value, _ = cells.consent(raw)

    assert value != cells.YES or raw is True or raw == 1 or str(raw).strip()
