"""The column names are found below titles, in two rows, in two languages, and repeated; footers are told (S15)."""

import csv

import pytest
import xlsxwriter

from customers.spreadsheets import footers, layouts, reader, rows


@pytest.fixture
def table(tmp_path):
    """Writes rows as CSV and as a workbook, and gives both paths."""

    def write(*lines):
        text = tmp_path / "list.csv"
        with text.open("w", encoding="utf-8", newline="") as handle:
            csv.writer(handle).writerows(lines)
        with xlsxwriter.Workbook(tmp_path / "list.xlsx") as book:
            sheet = book.add_worksheet()
            for number, line in enumerate(lines):
                sheet.write_row(number, 0, line)
        return text, tmp_path / "list.xlsx"

    return write


def read(path):
    with reader.open_sheet(path) as sheet:
        found = list(sheet.rows())
        return sheet.header_row, sheet.headers, found, [sentence % values for sentence, values in sheet.notices]


def test_titles_above_the_names_are_told(table):
    for path in table(["会员名单"], ["导出时间：2026-01-01"], [], ["姓名", "手机号"], ["王", "13800138000"]):
        row, headers, found, notices = read(path)

        assert (row, headers, found) == (4, ["姓名", "手机号"], [(5, ["王", "13800138000"])])
        assert notices == ["The column names are in row 4; the 2 lines above are not imported."]


def test_a_row_of_groups_above_the_names_is_no_part_of_them(table):
    groups = ["基本信息", "", "", "联系方式", ""]
    for path in table(groups, ["姓名", "性别", "生日", "手机号", "邮箱"], ["王", "男", "", "13800138000", "a@b.cn"]):
        row, headers, found, notices = read(path)

        assert (row, headers) == (2, ["姓名", "性别", "生日", "手机号", "邮箱"])
        assert len(found) == 1
        assert notices == []


def test_names_merged_over_both_rows_stand_beside_those_below_their_group(table):
    upper = ["姓名", "联系方式", "", "消费", "", "备注"]
    lower = ["", "手机号", "邮箱", "次数", "金额", ""]
    for path in table(["会员名单"], upper, lower, ["王", "13800138000", "a@b.cn", "3", "99", "茶"]):
        row, headers, found, _ = read(path)

        assert (row, headers) == (3, ["姓名", "手机号", "邮箱", "次数", "金额", "备注"])
        assert found == [(4, ["王", "13800138000", "a@b.cn", "3", "99", "茶"])]


def test_unknown_names_below_known_groups_are_found_too(table):
    upper, lower = ["姓名", "手机号", "去年", "", ""], ["", "", "次数", "金额", "件数"]
    for path in table(upper, lower, ["王", "13800138000", 1, 2, 3], ["李", "13900139000", 1, 2, 3]):
        row, headers, found, _ = read(path)

        assert (row, headers) == (2, ["姓名", "手机号", "次数", "金额", "件数"])
        assert len(found) == 2


def test_names_that_stand_in_two_groups_are_told_apart(table):
    upper = ["收货人", "", "下单人", ""]
    for path in table(upper, ["姓名", "电话", "姓名", "电话"], ["王", "13800138000", "李", "13900139000"]):
        assert read(path)[1] == ["收货人姓名", "收货人电话", "下单人姓名", "下单人电话"]


def test_the_same_name_twice_stays_two_columns(table):
    for path in table(["姓名", "手机号", "手机号"], ["王", "", "13800138000"], ["李", "13900139000", ""]):
        with reader.open_sheet(path) as sheet:
            columns = layouts.guess(sheet.headers, [cells for _, cells in sheet.sample()])

        assert sheet.headers == ["姓名", "手机号", "手机号"]
        assert [column.field for column in columns].count("phone") == 1


def test_names_in_a_second_language_are_no_customer(table):
    for path in table(["姓名", "手机号", "邮箱"], ["Name", "Mobile", "E-mail"], ["王", "13800138000", "a@b.cn"]):
        row, headers, found, _ = read(path)

        assert (row, headers, len(found)) == (2, ["姓名", "手机号", "邮箱"], 1)


def test_a_first_customer_with_few_cells_is_not_taken_for_names(table):
    for path in table(
        ["姓名", "手机号", "备注", "标签"], ["会员", "", "", ""], ["", "", "茶", "咖啡"], ["王", "139", "", ""]
    ):
        assert read(path)[0] == 1


def test_names_and_titles_repeated_on_each_printed_page_are_left_out_and_told(table):
    page = [["会员名单", ""], ["* 姓名 ", "手机号\n（必填）"]]
    for path in table(*page, ["王", "13800138000"], *page, ["李", "13900139000"]):
        _, _, found, notices = read(path)

        assert [number for number, _ in found] == [3, 6]
        assert "2 lines repeat the column names or the title and were left out, the first in row 4." in notices


@pytest.mark.parametrize(
    "line",
    [
        *[
            "合计",
            "总计：3 人",
            "小计 12",
            "共 3 条",
            "第 1 页 共 3 页",
            "制表人：王五",
            "打印时间：2026-01-01",
            "备注：内部",
        ],
        *["Total", "Total: 3", "Page 1 of 2", "—— 以下空白 ——", "--- END ---", "数据截至 2026-01-01", "共3位会员"],
    ],
)
def test_a_footer_is_no_customer(line):
    assert footers.is_footer(["", line, "", 3.0])


@pytest.mark.parametrize(
    "line", ["王合计", "总经理", "孙总", "共青团", "第一美发", "Page Turner", "13800138000", 3.0, "注意安全"]
)
def test_a_customer_is_no_footer(line):
    assert not footers.is_footer([line, "", ""])
    assert not footers.is_footer(["合计", "a@b.cn"])


def test_footers_are_skipped_and_said(table):
    for path in table(["姓名", "手机号"], ["王", "13800138000"], ["合计", "1"], ["制表人：李", ""]):
        with reader.open_sheet(path) as sheet:
            columns = layouts.guess(sheet.headers, [cells for _, cells in sheet.sample()])
            interpretation = rows.interpret(sheet, columns)

            assert [row.outcome for row in interpretation] == ["valid", "skip", "skip"]
            assert [sentence % values for sentence, values in interpretation.notices] == [
                "2 lines with totals, remarks or page numbers were left out, the first in row 3."
            ]
