"""Which numbers can be texted, and why the others cannot."""

import csv
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers import phone

PHONES = Path(__file__).parents[1] / "data" / "phones"
# Where the shop knows better than the library: cells of spreadsheets, and data cards that take text messages.
DELIBERATE = {
    "13800001234.0": "13800001234",
    "1.3800001234E+10": "13800001234",
    "14900001234": "14900001234",
}


@pytest.mark.parametrize(
    "raw",
    [
        "13800138000",
        "１３８００１３８０００",
        " 138 0013 8000 ",
        "138-0013-8000",
        "+8613800138000",
        "'+8613800138000",
        "0086 138 0013 8000",
        "8613800138000",
        "(86)138-0013-8000",
        "013800138000",
        "13800138000.0",
        13800138000,
        13800138000.0,
        8613800138000.0,
        '="13800138000"',
        "\t13800138000",
        "\u200b138\u200b00138000\u202c",
        "138\u00a00013\u00a08000",
        "13800138000\x00",
        "手机：13800138000",
        "联系电话: 138 0013 8000",
        "13800138000（微信同号）",
        "13800138000,",
        "13800138000。",
        "13,800,138,000",
        "(+86)13800138000",
        "86-138-0013-8000",
        "+86-013800138000",
        "138.0013.8000",
        "1 3 8 0 0 1 3 8 0 0 0",
        "13800138000.00",
        "1.3800138000e+010",
    ],
)
def test_a_number_is_recognized_however_it_was_written(raw):
    assert phone.normalize(raw) == ("13800138000", "")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("138****8000", "masked"),
        ("138＊＊＊＊8000", "masked"),
        ("138xxxx8000", "masked"),
        ("13800138000-1234", "virtual_extension"),
        ("13800138000转1234", "virtual_extension"),
        ("13800138000,1234", "virtual_extension"),
        ("13800138000[1234]", "virtual_extension"),
        ("13800138000#1234", "virtual_extension"),
        ("138----8000", "masked"),
        ("138####8000", "masked"),
        ("138……8000", "masked"),
        ("138••••8000", "masked"),
        ("***********", "masked"),
        ("1**********", "masked"),
        ("xxxxxxxxxxx", "masked"),
        ("138****8000-1234", "masked"),
        ("13800138000转分机1234", "virtual_extension"),
        ("13800138000（分机：1234）", "virtual_extension"),
        ("13800138000 转 1234", "virtual_extension"),
        ("13800138000ext.1234", "virtual_extension"),
        ("13800138000*1234", "virtual_extension"),
        ("13800138000_1234", "virtual_extension"),
        ("13800138000/1234", "virtual_extension"),
        ("13800138000【1234】", "virtual_extension"),
        ("[1234]13800138000", "virtual_extension"),
        ("138-0013-8000-1234", "virtual_extension"),
        ("+86 13800138000-1234", "virtual_extension"),
        ("13800138000(虚拟号)", "virtual_extension"),
        ("MTM4MDAxMzgwMDA=", "encrypted"),
        ("a1b2c3d4e5f6a7b8c9d0e1f2", "encrypted"),
        ("AbCd1234EfGh5678", "encrypted"),
        ("#bqYf1MZ2#", "encrypted"),
        ("enc(8f3a)", "encrypted"),
        ("已加密", "encrypted"),
        ("##2ab0f==##", "encrypted"),
        ("$$675d7c62e07e$$", "encrypted"),
        ("~AgAAAAKvqT0HBwAx~0~", "encrypted"),
        ("1.38E+10", "scientific_lossy"),
        ("1.38001E10", "scientific_lossy"),
        ("1.380013800E+10", "scientific_lossy"),
        ("", "empty"),
        (None, "empty"),
        (float("nan"), "empty"),
        ("—", "empty"),
        ("'null", "empty"),
        ("无", "empty"),
        ("1380013800", "wrong_length"),
        ("138001380001", "wrong_length"),
        (13800138000.5, "wrong_length"),
        ("1440012345678", "wrong_length"),
        ("14200138000", "bad_prefix"),
        ("17490138000", "bad_prefix"),
        ("23800138000", "bad_prefix"),
        ("010-12345678", "landline"),
        ("(0571) 88886666-123", "landline"),
        ("88886666", "landline"),
        ("400-800-1234", "service_number"),
        ("95588", "service_number"),
        ("10086", "service_number"),
        ("+852 9123 4567", "not_mainland"),
        ("0085291234567", "not_mainland"),
        ("85291234567", "not_mainland"),
        ("+12025550152", "not_mainland"),
        ("13800138000/13900139000", "several_numbers"),
        ("13800138000、13900139000", "several_numbers"),
        ("13800138000 13900139000", "several_numbers"),
        ("13800138000-13900139000", "several_numbers"),
        ("13800138000\n13900139000", "several_numbers"),
        ("13800138000;0571-88886666", "several_numbers"),
        ("010-12345678/13800138000", "several_numbers"),
        ("0912345678", "not_mainland"),
        ("853 6612 3456", "not_mainland"),
        ("00000000000", "wrong_length"),
        ("wechat_zhangsan88", "text"),
        ("LINA20200101ABC", "text"),
        ("原号13800138000已停用", "text"),
        ('=HYPERLINK("tel:13800138000","call")', "formula"),
        ("l38OO138000", "text"),
        ("١٣٨٠٠١٣٨٠٠٠", "text"),
        ("见备注", "text"),
        (True, "text"),
    ],
)
def test_a_number_that_cannot_be_texted_is_refused_with_its_reason(raw, reason):
    assert phone.normalize(raw) == (None, reason)


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        ("13800138000/13900139000", "13800138000"),
        ("０１０-12345678、13900139000", "13900139000"),
        ("+86 139 0013 9000 或 13800138000", "13900139000"),
        ("14200138000/13900139000", "13900139000"),
        ("010-12345678/0571-88886666", None),
    ],
)
def test_of_several_numbers_the_first_that_can_be_texted_is_offered(raw, number):
    assert phone.first_usable(raw).number == number


def test_every_reason_has_words_and_a_remedy_for_staff():
    assert all(words and remedy.endswith(".") for words, remedy in phone.REMEDIES.values())


def test_the_library_agrees_except_where_the_shop_knows_better():
    answers = json.loads((PHONES / "libphonenumber_answers.json").read_text())["answers"]

    for answer in answers:
        texted = answer.get("type") == "MOBILE" and answer["region"] == "CN" and not answer["extension"]
        expected = answer["e164"].removeprefix("+86") if texted else DELIBERATE.get(answer["input"])

        assert phone.normalize(answer["input"]).number == expected, answer["input"]


def test_every_published_mobile_prefix_is_taken_and_no_unallocated_one():
    not_for_people = ("物联网", "卫星", "应急", "未见分配")
    with (PHONES / "mobile_prefixes.csv").open(encoding="utf-8") as handle:
        prefixes = [(row[0], row[1]) for row in csv.reader(handle)][1:]

    for prefix, operator in prefixes:
        first, _, last = prefix.partition("-")
        for number in range(int(first), int(last or first) + 1):
            taken = phone.normalize(f"{number}".ljust(11, "5")).number is not None
            assert taken != operator.startswith(not_for_people), (number, operator)


def test_a_masked_number_shows_only_its_ends():
    assert phone.mask("13800138000") == "138****8000"
    assert phone.mask("123") == "****"


@given(st.one_of(st.text(), st.floats(), st.integers(), st.none(), st.booleans(), st.dates()))
def test_no_cell_whatever_breaks_the_reading(raw):
    number, reason = phone.normalize(raw)

    assert (number is None) == (reason in phone.REMEDIES)
    assert number is None or (len(number) == 11 and number.isascii() and number.isdigit())


@given(st.text(alphabet="0123456789+-(). ", max_size=20))
def test_what_was_normalized_once_stays_as_it_is(raw):
    number = phone.normalize(raw).number

    assert number is None or phone.normalize(number) == (number, "")
