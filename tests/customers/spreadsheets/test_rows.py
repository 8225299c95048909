"""What becomes of each row."""

import csv
from datetime import date

import pytest

from customers.spreadsheets import layouts, reader, report, rows

TODAY = date(2030, 1, 1)


@pytest.fixture
def interpreted(tmp_path):
    """Writes a table as CSV and reads it as customers."""

    def read(*table):
        path = tmp_path / "customers.csv"
        with path.open("w", encoding="utf-8", newline="") as handle:
            csv.writer(handle).writerows(table)
        sheet = reader.open_sheet(path)
        columns = layouts.guess(sheet.headers, [cells for _, cells in sheet.sample()])
        return rows.interpret(sheet, columns, today=TODAY)

    return read


def test_a_row_becomes_a_customer(interpreted):
    columns = {
        **{"姓名": "王燕娜", "手机号": "+86 138 0013 8000", "邮箱": "A@B.cn", "生日": "1990-5-31", "性别": "女"},
        **{"标签": "VIP，老客", "会员等级": "金卡", "城市": "杭州", "会员编号": "'0017", "备注": "喜欢茶"},
        **{"短信同意": "是", "注册时间": "2024-01-02 08:00"},
    }

    [row] = interpreted(columns.keys(), columns.values())

    assert (row.number, row.outcome, row.reason, row.problems) == (2, "valid", "", ())
    assert (row.phone, row.email, row.name, row.gender) == ("13800138000", "a@b.cn", "王燕娜", "female")
    assert (row.birthday, row.birthday_text) == (date(1990, 5, 31), "1990-05-31")
    assert (row.tags, row.tier, row.city, row.external_id) == (("VIP", "老客"), "金卡", "杭州", "0017")
    assert (row.note, row.sms_consent, row.email_consent) == ("喜欢茶", "yes", "unknown")
    assert row.created_on == date(2024, 1, 2)


def test_a_later_row_with_the_same_number_is_a_duplicate(interpreted):
    read = interpreted(["姓名", "手机号"], ["王", "13800138000"], ["李", "138-0013-8000"], ["周", "+8613800138000"])

    assert [(row.outcome, row.duplicate_of) for row in read] == [("valid", None), ("duplicate", 2), ("duplicate", 2)]
    assert read.counts == {"valid": 1, "duplicate": 2}
    assert read.reasons == {"duplicate": 2}


def test_a_row_without_a_usable_number_is_invalid_but_may_be_reached_by_mail(interpreted):
    read = interpreted(["手机号", "Email"], ["138****8000", "a@example.com"], ["", "b@example.com"], ["—", ""])

    masked, empty, nothing = read

    assert (masked.outcome, masked.reason, masked.email) == ("invalid", "masked", "a@example.com")
    assert masked.problems == (("手机号", "138****8000", "masked"),)
    assert (empty.outcome, empty.reason, empty.problems) == ("invalid", "empty", ())
    assert (nothing.outcome, nothing.reason) == ("invalid", "empty")
    assert read.reachable == 2


def test_bad_cells_are_listed_and_do_not_cost_the_row(interpreted):
    [row] = interpreted(["手机号", "生日", "邮箱", "短信同意"], ["13800138000", "1990/2/29", "nobody", "maybe"])

    assert row.outcome == "valid"
    assert row.birthday_text == "" and row.email == "" and row.sms_consent == "unknown"
    assert row.problems == (
        ("生日", "1990/2/29", "no_such_date"),
        ("邮箱", "nobody", "not_an_email"),
        ("短信同意", "maybe", "unknown_consent"),
    )


def test_a_refused_cell_is_shown_short_and_without_what_cannot_be_stored(interpreted):
    [row] = interpreted(["手机号", "邮箱"], ["13800138000", "a\x01\u202e" + "b" * 300])

    assert row.problems == (("邮箱", "a" + "b" * 98 + "…", "not_an_email"),)


def test_totals_and_notes_below_the_table_are_skipped(interpreted):
    read = interpreted(
        ["姓名", "手机号", "累计消费"],
        ["王", "13800138000", "5"],
        ["合计", "1", "5"],
        ["备注：本表由系统导出", "", ""],
        ["共 1 条", "", ""],
        ["合计", "13900139000", "1"],
    )

    assert [row.outcome for row in read] == ["valid", "skip", "skip", "skip", "valid"]


def test_a_birthday_without_year_keeps_month_and_day(interpreted):
    [row] = interpreted(["手机号", "生日"], ["13800138000", "2月29日"])

    assert (row.birthday, row.birthday_text) == (None, "--02-29")


def test_a_birthday_after_today_is_refused(interpreted):
    [row] = interpreted(["手机号", "生日"], ["13800138000", "2030-01-02"])

    assert row.problems == (("生日", "2030-01-02", "future_date"),)


def test_names_in_two_columns_are_joined_as_their_language_does(interpreted):
    header = ["First Name", "Last Name", "Phone"]
    read = interpreted(header, ["涵伟", "胡", "13800138000"], ["Jane", "Doe", "13900139000"], ["", "李", ""])

    assert [row.name for row in read] == ["胡涵伟", "Jane Doe", "李"]


def test_a_consent_for_every_channel_spreads_where_no_other_column_speaks(interpreted):
    both = interpreted(["手机号", "是否接受营销"], ["13800138000", "是"], ["13900139000", "否"], ["13700137000", ""])
    assert [(row.consent, row.sms_consent, row.email_consent) for row in both] == [
        ("yes", "yes", "yes"),
        ("no", "no", "no"),
        ("unknown", "unknown", "unknown"),
    ]

    mixed = interpreted(
        ["手机号", "是否接受营销", "短信同意"],
        ["13800138000", "是", ""],
        ["13900139000", "否", "是"],
        ["13700137000", "是", "否"],
    )
    assert [(row.sms_consent, row.email_consent) for row in mixed] == [
        ("unknown", "yes"),
        ("no", "no"),
        ("no", "yes"),
    ]


def test_a_file_without_a_consent_column_brings_none(interpreted):
    [row] = interpreted(["手机号"], ["13800138000"])

    assert {row.consent, row.sms_consent, row.email_consent} == {"unknown"}


def test_a_shifted_row_brings_no_consent(interpreted):
    [row] = interpreted(["手机号", "备注", "短信同意"], ["13800138000", "茶", "是", "咖啡"])

    assert row.outcome == "valid"
    assert row.sms_consent == "unknown"
    assert row.problems == (("", "咖啡", "too_many_cells"),)


def test_numbers_whose_digits_were_probably_lost_are_pointed_out(interpreted):
    read = interpreted(["手机号"], ["13800000000"], ["13900000000"], ["13800138000"])

    list(read)

    [(sentence, values)] = read.notices
    assert values == {"count": 2, "row": 2}
    assert "seven zeros" in sentence


def test_a_file_in_which_nobody_can_be_reached_is_refused(interpreted):
    read = interpreted(["姓名", "手机号"], ["王", "138****8000"], ["李", ""])
    list(read)

    with pytest.raises(reader.Unreadable) as refusal:
        read.refuse_if_unreachable()

    assert refusal.value.code == "no_contacts"
    assert "None of the 2 rows" in str(refusal.value)


def test_dangerous_names_are_plain_text(interpreted):
    names = ["=cmd|' /C calc'!A0", "<img src=x onerror=alert(1)>", "{{7*7}}", "a\u202eb\x00c"]
    read = interpreted(["姓名", "手机号"], *([name, f"1380013800{index}"] for index, name in enumerate(names)))

    assert [row.name for row in read] == [*names[:3], "abc"]


def test_two_columns_cannot_fill_one_field(interpreted):
    sheet = interpreted(["手机号", "电话"], ["13800138000", ""]).sheet
    columns = [layouts.Column(index, "", "phone", "", {}, 1.0) for index in (0, 1)]

    with pytest.raises(ValueError, match="same field"):
        rows.interpret(sheet, columns)


def test_the_report_has_the_columns_that_reports_are_compared_by(interpreted, tmp_path):
    read = interpreted(
        ["手机号", "生日", "短信同意"],
        ["13800138000", "5月31日", "是"],
        ["13800138000", "", ""],
        ["138****8000", "", "否"],
    )

    report.write(tmp_path / "report.csv", read, read.columns)

    with (tmp_path / "report.csv").open(encoding="utf-8-sig", newline="") as handle:
        assert list(csv.reader(handle)) == [
            ["row", "outcome", "reason", "phone", "birthday", "consent", "sms_consent"],
            ["2", "valid", "", "13800138000", "--05-31", "yes", "yes"],
            ["3", "duplicate", "same phone as row 2", "13800138000", "", "unknown", "unknown"],
            ["4", "invalid", "masked", "", "", "no", "no"],
        ]


@pytest.mark.parametrize("header", ["是否退订", "退订时间", "拒收短信", "Unsubscribed", "opt_out"])
@pytest.mark.parametrize("said", ["是", "Y", "1", "已退订", "2024-05-01 10:00"])
def test_a_column_of_opt_outs_beats_every_yes_beside_it(interpreted, header, said):
    out, no, blank = interpreted(
        ["手机号", "短信同意", header],
        ["13800138000", "是", said],
        ["13900139000", "是", "否"],
        ["13700137000", "是", ""],
    )

    assert (out.sms_consent, out.email_consent) == ("opt_out", "opt_out")
    assert [row.sms_consent for row in (no, blank)] == ["yes", "yes"]


@pytest.mark.parametrize("word", ["未退订", "正常", "订阅中", "未拒收", "subscribed", "0", "无"])
def test_a_word_for_still_subscribed_is_no_opt_out(interpreted, word):
    [row] = interpreted(["手机号", "短信同意", "退订状态"], ["13800138000", "否", word])

    assert row.sms_consent == "no"
