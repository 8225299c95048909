"""The exports of real systems, row by row as expected."""

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from customers import phone
from customers.spreadsheets import layouts, reader, rows

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
REASONS_OF_THEIR_OWN = {"masked", "virtual_extension", "encrypted", "scientific_lossy", "empty"}


def interpreted(path):
    """All rows of a sample, read with what is guessed about its columns."""
    with reader.open_sheet(path) as sheet:
        columns = layouts.guess(sheet.headers, [cells for _, cells in sheet.sample()])
        return sheet, list(rows.interpret(sheet, columns))


def group(reason: str) -> str:
    return reason if reason in REASONS_OF_THEIR_OWN or not reason else "wrong number"


@pytest.mark.parametrize("name", ["youzan_customers_sample.csv", "shopify_customers_export_sample.csv"])
def test_every_row_of_a_customer_export_ends_as_expected(name):
    _, found = interpreted(SAMPLES / name)
    with (SAMPLES / f"{name}.expected_rows.csv").open(encoding="utf-8-sig", newline="") as handle:
        expected = list(csv.DictReader(handle))

    assert [str(row.number) for row in found] == [line["row"] for line in expected]
    for row, line in zip(found, expected, strict=True):
        assert row.outcome == line["outcome"], line
        if row.outcome == "invalid":
            assert group(row.reason) == group(line["reason"]), line
        if row.outcome == "valid":
            assert row.phone == line["phone"]
            assert row.birthday_text == line.get("birthday", row.birthday_text), line
            assert row.sms_consent == line.get("sms_consent", row.sms_consent), line
            assert row.email_consent == line.get("email_consent", row.email_consent), line


def test_the_encodings_of_the_samples_are_recognized():
    encodings = {
        path.name.split("_")[0]: reader.open_sheet(path).encoding
        for path in SAMPLES.glob("*.csv")
        if not path.name.endswith("expected_rows.csv")
    }

    assert encodings == {
        "douyin": "utf-8-sig",
        "jd": "gb18030",
        "pdd": "utf-8-sig",
        "shopify": "utf-8",
        "youzan": "utf-8-sig",
    }


def test_shopify_names_tags_and_notes_are_read_whole():
    _, found = interpreted(SAMPLES / "shopify_customers_export_sample.csv")

    assert found[0].name == "胡涵伟"
    assert found[0].external_id == "3655563664899"
    assert found[0].note == 'likes "tea"\nand cake'
    assert found[10].tags == ("vip", "horeca")
    assert found[5].name == "诸葛亮"


def test_youzan_regions_become_province_and_city():
    _, found = interpreted(SAMPLES / "youzan_customers_sample.csv")

    assert (found[0].province, found[0].city) == ("广东", "深圳")
    assert (found[6].province, found[6].city) == ("浙江", "杭州")
    assert found[1].name == ""


def test_douyin_cipher_text_is_never_taken_for_a_number():
    expected = json.loads((SAMPLES / "douyin_orders_sample.csv.expected.json").read_text())

    _, found = interpreted(SAMPLES / "douyin_orders_sample.csv")

    assert len(found) == expected["sub_order_rows"]
    assert sum(row.reason == "encrypted" for row in found) == expected["rows_with_encrypted_phone"]
    assert len({row.phone for row in found} - {None}) == expected["distinct_usable_phones"]
    assert not any(row.name.startswith("##") for row in found)


def test_jd_orders_give_the_numbers_that_are_whole():
    expected = json.loads((SAMPLES / "jd_orders_sample.csv.expected.json").read_text())

    sheet, found = interpreted(SAMPLES / "jd_orders_sample.csv")

    assert len(found) == expected["item_rows"]
    assert len({row.phone for row in found} - {None}) == expected["distinct_usable_phones"]
    assert (
        Counter(row.reason for row in found if row.outcome == "invalid")
        == (expected["rows_without_usable_phone_by_reason"])
    )
    assert layouts.recognize(sheet.headers).key == "jd_orders"


def test_pinduoduo_orders_are_refused_as_a_customer_list():
    with reader.open_sheet(SAMPLES / "pdd_orders_sample.csv") as sheet:
        sample = [cells for _, cells in sheet.sample()]
        columns = layouts.guess(sheet.headers, sample)

        with pytest.raises(reader.Unreadable) as refusal:
            layouts.require_contact(columns, sample)

    assert refusal.value.code == "pinduoduo_orders"


@pytest.mark.real_data
def test_taobao_orders_give_the_numbers_that_are_whole(shared):
    path = shared / "data" / "samples" / "taobao_ExportOrderList_sample.csv"
    with path.with_name(path.name + ".expected_rows.csv").open(encoding="utf-8-sig", newline="") as handle:
        expected = list(csv.DictReader(handle))

    _, found = interpreted(path)

    assert len(found) == len(expected)
    for row, line in zip(found, expected, strict=True):
        assert (row.phone or "") == line["phone"]
        assert (row.reason if row.outcome == "invalid" else "") == line["phone_problem"]


@pytest.mark.real_data
def test_no_expectation_beside_a_sample_is_missed(shared):
    with_rows = {path.name for path in (shared / "data" / "samples").glob("*customers*.expected_rows.csv")}

    assert with_rows == {path.name for path in SAMPLES.glob("*.expected_rows.csv")}


def test_the_reasons_of_the_samples_have_words():
    for name in ("youzan_customers_sample.csv", "douyin_orders_sample.csv"):
        for row in interpreted(SAMPLES / name)[1]:
            assert row.reason in ("", "duplicate") or row.reason in phone.REMEDIES
