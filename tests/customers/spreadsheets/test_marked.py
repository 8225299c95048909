"""The shop's own workbook back: colors and words where they belong, and everything else as it was."""

import io
from pathlib import Path
from xml.parsers import expat

import openpyxl
import pytest

from customers.spreadsheets import marked, reader
from customers.spreadsheets.marked_styles import COLORS
from customers.spreadsheets.marks import KNOW, MEND, Mark
from tests.customers import marked_workbooks

RED, AMBER = COLORS[MEND].decode(), COLORS[KNOW].decode()
HEADING = "处理办法 / What to do (#7)"
SHORT = Mark(5, "● “手机号”: Not eleven digits long. Correct the <number> & save.", MEND, {1: MEND})
EMPTY = Mark(7, "● “手机号”: No phone number.", MEND, {1: MEND, 2: KNOW})
TWIN = Mark(9, "○ Same customer as row 4.", KNOW, {})
MARKS = (SHORT, EMPTY, TWIN)


def write(document: bytes, tmp_path: Path, *, marks=MARKS, name: str = "会员.xlsx", **options):
    """Mark a file, and return what was written and its bytes."""
    path = tmp_path / name
    path.write_bytes(document)
    with reader.open_sheet(path, name) as sheet:
        target = io.BytesIO()
        written = marked.write(path, sheet, target, marks=lambda: iter(marks), reference=7, **options)
    return written, target.getvalue()


def opened(document: bytes):
    """The first sheet as openpyxl sees it."""
    return openpyxl.load_workbook(io.BytesIO(document)).worksheets[0]


def color(cell) -> str:
    """The color of a cell, "" without one."""
    return cell.fill.fgColor.rgb if cell.fill.fill_type else ""


def test_bad_cells_are_colored_and_a_last_column_says_what_to_do(tmp_path):
    written, document = write(marked_workbooks.messy(), tmp_path)

    sheet = opened(document)
    assert written == ("xlsx", True)
    assert (sheet["E2"].value, sheet["E5"].value, sheet["E7"].value) == (HEADING, SHORT.text, EMPTY.text)
    assert (color(sheet["B5"]), color(sheet["E5"]), sheet["B5"].value) == (RED, RED, "1380000000")
    assert (color(sheet["B7"]), color(sheet["C7"])) == (RED, AMBER)
    assert (color(sheet["E9"]), sheet["E9"].value) == (AMBER, TWIN.text)
    assert not any(color(cell) for row in (3, 4, 6, 8, 10, 11) for cell in sheet[row])


def test_the_color_leaves_number_format_border_and_font_of_the_cell(tmp_path):
    mark = Mark(8, "● “生日”: This day does not exist.", MEND, {2: MEND, 3: MEND})

    _written, document = write(marked_workbooks.messy(), tmp_path, marks=[mark])

    sheet = opened(document)
    assert (sheet["C8"].number_format, sheet["C8"].value) == ("yyyy年m月d日", "1990/2/29")
    assert (sheet["D8"].number_format, sheet["D8"].border.left.style, sheet["D8"].value) == ("¥#,##0.00", "thin", 62.5)
    assert color(sheet["E2"]) == "FF4472C4"


def test_all_else_of_the_workbook_stays_byte_for_byte(tmp_path):
    messy = marked_workbooks.with_macros()

    written, document = write(messy, tmp_path, name="会员.xlsm")

    before, after = marked_workbooks.parts(messy), marked_workbooks.parts(document)
    changed = {name for name in before if before[name] != after.get(name)}
    assert written.extension == "xlsm"
    assert changed == {"xl/worksheets/sheet1.xml", "xl/styles.xml"}
    assert list(after) == [name for name in before if name != "xl/styles.xml"] + ["xl/styles.xml"]
    assert after["xl/vbaProject.bin"] == marked_workbooks.MACROS


def test_titles_widths_notes_filters_rules_and_hidden_rows_stay(tmp_path):
    _written, document = write(marked_workbooks.messy(), tmp_path)

    sheet = opened(document)
    assert (sheet["A1"].value, [str(area) for area in sheet.merged_cells.ranges]) == ("七月会员名单", ["A1:D1"])
    assert (sheet.column_dimensions["A"].width, sheet.column_dimensions["E"].width) == (22, 60)
    assert sheet.row_dimensions[6].hidden and sheet["A4"].comment.text == "老客户"
    assert (sheet.freeze_panes, sheet.auto_filter.ref, sheet.dimensions) == ("A3", "A2:D10", "A1:E11")
    assert sheet.data_validations.dataValidation[0].sqref.ranges and sheet["A11"].value == "合计"
    assert sheet.parent.sheetnames == ["会员", "成本"] and sheet.parent["成本"].sheet_state == "hidden"


def test_only_the_rows_to_mend_come_below_titles_and_column_names(tmp_path):
    _written, document = write(marked_workbooks.messy(), tmp_path, marks=MARKS[:2], only_marked=True)

    sheet = opened(document)
    values = [[cell.value for cell in row][:2] for row in sheet.iter_rows()]
    assert values == [["七月会员名单", None], ["姓名", "手机号"], ["客户2", "1380000000"], ["客户4", None]]
    assert (color(sheet["B3"]), color(sheet["B4"]), sheet["E4"].value) == (RED, RED, EMPTY.text)
    assert sheet["C3"].number_format == "yyyy年m月d日" and sheet.column_dimensions["A"].width == 22
    assert [str(area) for area in sheet.merged_cells.ranges] == ["A1:D1"] and sheet["A4"].comment is None
    assert not any(dimension.hidden for dimension in sheet.row_dimensions.values())


def test_a_formula_in_a_row_that_moves_becomes_its_result(tmp_path):
    def calculated(part: bytes) -> bytes:
        return part.replace(b'<c r="D5" s="4"', b'<c r="D5" s="4" ').replace(b"<v>25</v>", b"<f>D4*2</f><v>25</v>")

    messy = marked_workbooks.rewritten(marked_workbooks.messy(), {"xl/worksheets/sheet1.xml": calculated})
    kept = opened(write(messy, tmp_path)[1])
    moved = opened(write(messy, tmp_path, marks=MARKS[:2], only_marked=True)[1])

    assert (kept["D5"].value, moved["D3"].value) == ("=D4*2", 25)


@pytest.mark.parametrize(
    "style", [{"prefix": True}, {"bare": True}, {"reordered": True}], ids=lambda style: next(iter(style))
)
@pytest.mark.parametrize("only_marked", [False, True])
def test_however_the_workbook_is_written_it_is_edited_in_place(style, only_marked, tmp_path):
    otherwise = marked_workbooks.written_otherwise(marked_workbooks.messy(), **style)

    written, document = write(otherwise, tmp_path, marks=MARKS[:2], only_marked=only_marked)

    for name, part in marked_workbooks.parts(document).items():
        if name.endswith((".xml", ".rels")):
            expat.ParserCreate().Parse(part, True)
    assert written.is_own
    with reader.open_sheet(_stored(document, tmp_path)) as sheet:
        said = {number: sheet.remark for number, _record in sheet.rows() if sheet.remark}
        assert sheet.headers == list(marked_workbooks.HEAD)
    assert list(said.values()) == [SHORT.text, EMPTY.text]
    assert said.keys() == ({3, 4} if only_marked else {5, 7})


def test_a_sheet_that_cannot_be_edited_becomes_a_new_workbook_with_the_same_values(tmp_path):
    def with_comment(part: bytes) -> bytes:
        return part.replace(b"<sheetData>", b"<sheetData><!-- printed by nobody knows what -->")

    odd = marked_workbooks.rewritten(marked_workbooks.messy(), {"xl/worksheets/sheet1.xml": with_comment})

    written, document = write(odd, tmp_path)

    sheet = opened(document)
    assert written == ("xlsx", False)
    assert (sheet["B5"].value, color(sheet["B5"]), sheet["E5"].value) == ("1380000000", RED, SHORT.text)


def test_each_sheet_of_a_table_gets_its_own_colors(tmp_path):
    marks = [Mark(3, "● short", MEND, {1: MEND}), Mark(7, "● short too", MEND, {1: MEND})]

    _written, document = write(marked_workbooks.monthly(), tmp_path, marks=marks)
    _written, bad = write(marked_workbooks.monthly(), tmp_path, marks=marks, only_marked=True)

    book = openpyxl.load_workbook(io.BytesIO(document))
    january, february = book["一月"], book["二月"]
    assert (color(january["B3"]), january["D3"].value, january["D1"].value) == (RED, "● short", HEADING)
    assert (february["A4"].value, color(february["A4"]), february["D4"].value) == ("139", RED, "● short too")
    assert (february["A1"].value, february["D2"].value) == ("二月名单", HEADING)
    few = openpyxl.load_workbook(io.BytesIO(bad))
    assert [few["一月"].max_row, few["二月"].max_row] == [2, 3]
    with reader.open_sheet(_stored(document, tmp_path)) as sheet:
        said = {number: (record, sheet.remark) for number, record in sheet.rows()}
    assert said[3] == (["王二", "138", "杭州"], "● short") and said[7] == (["王四", "139", "宁波"], "● short too")


def test_column_names_in_two_rows_are_found_again(tmp_path):
    marks = [Mark(4, "● short", MEND, {1: MEND})]

    for only_marked in (False, True):
        _written, document = write(marked_workbooks.in_two_rows(), tmp_path, marks=marks, only_marked=only_marked)
        with reader.open_sheet(_stored(document, tmp_path)) as sheet:
            assert sheet.headers == ["姓名", "手机号", "邮箱", "生日"]
            assert [number for number, _record in sheet.rows() if sheet.remark] == [3 if only_marked else 4]


def test_a_mended_copy_that_is_marked_again_keeps_nothing_of_the_first_time(tmp_path):
    _written, first = write(marked_workbooks.messy(), tmp_path)

    _written, second = write(first, tmp_path, marks=[EMPTY])

    sheet = opened(second)
    assert [sheet.cell(row, 5).value for row in (2, 5, 7, 9)] == [HEADING, None, EMPTY.text, None]
    assert (color(sheet["B5"]), color(sheet["B7"]), color(sheet["C7"])) == ("", RED, AMBER)
    assert (sheet["C7"].number_format, sheet.max_column) == ("yyyy年m月d日", 5)


def test_our_column_stands_behind_notes_outside_the_table(tmp_path):
    book = openpyxl.load_workbook(io.BytesIO(marked_workbooks.messy()))
    book.worksheets[0]["F9"], book.worksheets[0]["G4"] = "问过店长", "=D4*2"
    target = io.BytesIO()
    book.save(target)

    _written, document = write(target.getvalue(), tmp_path)

    sheet = opened(document)
    assert (sheet["F9"].value, sheet["G4"].value, sheet["H2"].value) == ("问过店长", "=D4*2", HEADING)


def test_words_are_text_and_never_a_formula(tmp_path):
    marks = [Mark(5, '=HYPERLINK("http://x")', MEND, {1: MEND})]

    _written, document = write(marked_workbooks.messy(), tmp_path, marks=marks)

    assert opened(document)["E5"].data_type != "f"


def _stored(document: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "again.xlsx"
    path.write_bytes(document)
    return path
