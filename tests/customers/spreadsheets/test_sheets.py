"""Several sheets in a workbook: the same names make one table, all else is named and left alone (S14, S15)."""

import pytest
import xlsxwriter

from customers.spreadsheets import layouts, reader, rows
from tests.customers import old_files

HEADER = ["姓名", "手机号", "备注"]


@pytest.fixture
def workbook(tmp_path):
    """Writes a workbook with these sheets, each a list of rows, and gives its path."""

    def write(sheets: dict[str, list], prepare=lambda book: None):
        path = tmp_path / "list.xlsx"
        with xlsxwriter.Workbook(path) as book:
            for name, table in sheets.items():
                sheet = book.add_worksheet(name)
                for number, row in enumerate(table):
                    sheet.write_row(number, 0, row)
            prepare(book)
        return path

    return write


def numbers(count: int, start: int = 0) -> list[list[str]]:
    return [[f"王{n}", f"138001380{n:02}", ""] for n in range(start, start + count)]


def notices(sheet) -> list[str]:
    return [sentence % values for sentence, values in sheet.notices]


def test_sheets_with_the_same_names_are_one_table_in_which_the_numbers_run_on(workbook):
    path = workbook({"一店": [HEADER, *numbers(3)], "二店": [["二店名单"], [], HEADER, *numbers(2, 3)]})

    with reader.open_sheet(path) as sheet:
        found = list(sheet.rows())

        assert [number for number, _ in found] == [2, 3, 4, 8, 9]
        assert [sheet.position(number) for number, _ in found] == [
            ("一店", 2),
            ("一店", 3),
            ("一店", 4),
            ("二店", 4),
            ("二店", 5),
        ]
        assert notices(sheet) == ["2 sheets with the same column names are read as one table: 一店, 二店."]
        assert list(sheet.rows()) == found


def test_a_customer_on_two_sheets_is_one_customer(workbook):
    path = workbook({"一店": [HEADER, *numbers(2)], "二店": [HEADER, *numbers(2, 1)]})

    with reader.open_sheet(path) as sheet:
        columns = layouts.guess(sheet.headers, [cells for _, cells in sheet.sample()])
        found = list(rows.interpret(sheet, columns))

    assert [row.phone for row in found] == ["13800138000", "13800138001", "13800138001", "13800138002"]
    assert [row.outcome for row in found] == ["valid", "valid", "duplicate", "valid"]


def test_a_sheet_whose_columns_lie_in_another_order_is_read_by_their_names(workbook):
    other = [["手机号（必填）", "备注 ", "*姓名"], ["13900139000", "茶", "李"]]

    with reader.open_sheet(workbook({"一店": [HEADER, *numbers(1)], "二店": other})) as sheet:
        assert [cells for _, cells in sheet.rows()] == [["王0", "13800138000", ""], ["李", "13900139000", "茶"]]


def test_sheets_with_other_names_are_named_and_empty_ones_are_not_worth_a_word(workbook):
    path = workbook(
        {
            "会员": [HEADER, *numbers(1)],
            "统计": [["月份", "人数"], ["一月", 3]],
            "Sheet3": [],
            "其他": [["手机号", "姓名"], ["13700137000", "周"]],
        }
    )

    with reader.open_sheet(path) as sheet:
        assert len(list(sheet.rows())) == 1
        assert notices(sheet) == ["The sheet “会员” is read; other sheets are not: 统计, 其他."]


def test_instructions_that_look_like_a_table_are_passed_over_for_the_customers(workbook):
    instructions = [["字段名", "填写要求", "示例"], ["姓名", "必填", "张三"], ["手机号", "必填", "11位数字"]]

    with reader.open_sheet(workbook({"填写说明": instructions, "名单": [HEADER, *numbers(2)]})) as sheet:
        assert sheet.sheet_name == "名单"
        assert len(list(sheet.rows())) == 2
        assert notices(sheet) == ["The sheet “名单” is read; other sheets are not: 填写说明."]


def test_hidden_sheets_are_never_part_of_the_table(workbook):
    path = workbook(
        {"一店": [HEADER, *numbers(1)], "机密": [HEADER, *numbers(5)]},
        prepare=lambda book: book.get_worksheet_by_name("机密").very_hidden(),
    )

    with reader.open_sheet(path) as sheet:
        assert len(list(sheet.rows())) == 1
        assert notices(sheet) == ["Hidden sheets are not read: 机密."]


def test_sheets_of_open_documents_are_one_table_too(tmp_path):
    path = old_files.ods(tmp_path / "list.ods", {"一店": [HEADER, *numbers(2)], "二店": [HEADER, *numbers(2, 2)]})

    with reader.open_sheet(path) as sheet:
        assert [number for number, _ in sheet.rows()] == [2, 3, 5, 6]


def test_a_table_that_is_left_in_the_middle_leaves_no_process_behind(workbook):
    path = workbook({"一店": [HEADER, *numbers(90)], "二店": [HEADER, *numbers(9)]})

    sheet = reader.open_sheet(path)
    for number, _ in sheet.rows():
        if number > 92:
            break
    sheet.close()

    assert all(not source._children for source in (sheet._source._first, *sheet._source._behind))


def test_a_line_merged_across_the_table_heads_a_group_and_is_no_customer(workbook):
    def merge(book):
        book.get_worksheet_by_name("名单").merge_range("A3:C3", "—— 金卡会员 ——")
        book.get_worksheet_by_name("名单").merge_range("A5:C5", "13900139000")
        book.get_worksheet_by_name("二店").merge_range("A3:C3", "银卡会员")

    table = [HEADER, *numbers(1), [], *numbers(1, 1), [], *numbers(1, 2)]
    path = workbook({"名单": table, "二店": [HEADER, *numbers(1, 3), [], *numbers(1, 4)]}, merge)

    with reader.open_sheet(path) as sheet:
        found = [number for number, _cells in sheet.rows()]

        assert found == [2, 4, 5, 6, 8, 10]
        assert sheet.skipped["group"] == 2
        assert "2 lines that only head a group were left out, the first in row 3." in notices(sheet)
