"""Which files can be read, and what the others are told."""

import csv
import io
import zipfile
from datetime import datetime

import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers.spreadsheets import reader
from customers.spreadsheets.faults import SENTENCES, Unreadable

HEADER = ["姓名", "手机号", "备注"]
ROWS = [["王燕娜", "13800138000", "𠮷"], ["㐂田", "13900139000", "老客"]]


def delimited(rows, delimiter=","):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue()


@pytest.fixture
def file(tmp_path):
    """Writes bytes to a file and gives its path."""

    def write(content: bytes | str, name: str = "customers.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def workbook(tmp_path):
    """Writes a workbook with one sheet of rows and gives its path."""

    def write(rows, name="customers.xlsx", prepare=lambda book, sheet: None):
        path = tmp_path / name
        with xlsxwriter.Workbook(path) as book:
            sheet = book.add_worksheet("客户")
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
            prepare(book, sheet)
        return path

    return write


def contents(path, name=""):
    with reader.open_sheet(path, name) as sheet:
        return sheet.headers, list(sheet.rows())


def refused(path) -> Unreadable:
    with pytest.raises(Unreadable) as refusal, reader.open_sheet(path) as sheet:
        list(sheet.rows())
    assert refusal.value.message == SENTENCES[refusal.value.code]
    assert "%(" not in str(refusal.value)
    return refusal.value


@pytest.mark.parametrize(
    ("encoding", "named"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("gb18030", "gb18030"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
    ],
)
@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_text_is_read_in_every_encoding_and_with_every_delimiter(file, encoding, named, delimiter):
    path = file(delimited([HEADER, *ROWS], delimiter).encode(encoding))

    with reader.open_sheet(path) as sheet:
        assert (sheet.encoding, sheet.delimiter) == (named, delimiter)
        assert sheet.headers == HEADER
        assert list(sheet.rows()) == [(2, ROWS[0]), (3, ROWS[1])]


def test_gbk_is_read_where_names_are_common(file):
    path = file(delimited([HEADER, ["王燕娜", "13800138000", "老客"]]).encode("gbk"))

    assert contents(path)[1] == [(2, ["王燕娜", "13800138000", "老客"])]


def test_a_workbook_gives_the_rows_of_its_sheet(workbook):
    headers, rows = contents(workbook([HEADER, ["王燕娜", 13800138000, ""], ["李", "13900139000", 1.5]]))

    assert headers == HEADER
    assert rows == [(2, ["王燕娜", 13800138000.0, ""]), (3, ["李", "13900139000", 1.5])]


def test_the_first_bytes_decide_and_not_the_name(workbook, file):
    as_text = file(delimited([HEADER, *ROWS]), "customers.xlsx")
    as_workbook = workbook([HEADER, *ROWS], "customers.csv")

    with reader.open_sheet(as_text) as sheet:
        assert sheet.format == "csv"
        assert [sentence % values for sentence, values in sheet.notices] == [
            "The file is named .xlsx but is really CSV; it was read as that."
        ]
    with reader.open_sheet(as_workbook) as sheet:
        assert sheet.format == "xlsx"
        assert len(list(sheet.rows())) == 2
    with reader.open_sheet(as_workbook, "名单.xlsx") as sheet:
        assert sheet.notices == []


def test_rows_can_be_read_again_and_again(workbook, file):
    for path in (workbook([HEADER, *ROWS]), file(delimited([HEADER, *ROWS]))):
        with reader.open_sheet(path) as sheet:
            assert list(sheet.rows()) == list(sheet.rows()) == [(2, ROWS[0]), (3, ROWS[1])]


def test_titles_blanks_and_repeated_headers_are_passed_over_and_counted(file, workbook):
    table = [["会员名单 2026"], ["导出时间：2026-01-01"], [], HEADER, ROWS[0], ["", " ", ""], HEADER, ROWS[1], []]

    for path in (file(delimited(table)), workbook(table)):
        with reader.open_sheet(path) as sheet:
            assert sheet.header_row == 4
            assert [number for number, _ in sheet.rows()] == [5, 8]
            assert sheet.skipped["title"] == 2
            assert sheet.skipped["repeated_header"] == 1


def test_line_breaks_in_cells_do_not_shift_the_record_numbers(file):
    path = file(delimited([HEADER, ["王", "13800138000", 'likes "tea"\nand cake'], ROWS[1]]))

    assert [number for number, _ in contents(path)[1]] == [2, 3]


def test_headers_with_blanks_and_marks_make_the_same_layout(file):
    plain = file(delimited([HEADER, ROWS[0]]), "plain.csv")
    marked = file(delimited([["* 姓名 ", "手机号（必填）", "备注\n"], ROWS[0]]), "marked.csv")
    other = file(delimited([["姓名", "备注", "手机号"], ROWS[0]]), "other.csv")

    keys = []
    for path in (plain, marked, other):
        with reader.open_sheet(path) as sheet:
            keys.append(sheet.layout_key)

    assert keys[0] == keys[1] != keys[2]


def test_short_rows_are_filled_and_a_row_cut_off_at_the_end_is_told(file):
    path = file("姓名,手机号,备注\n王,13800138000\n李,139001")

    with reader.open_sheet(path) as sheet:
        assert list(sheet.rows()) == [(2, ["王", "13800138000", ""]), (3, ["李", "139001", ""])]
        assert [sentence % values for sentence, values in sheet.notices] == [
            "The last row 3 is shorter than the header; the file may have been cut off."
        ]


def test_a_line_that_names_the_separator_is_believed(file):
    assert contents(file("sep=;\r\n姓名;手机号\r\n王;13800138000\r\n"))[1] == [(3, ["王", "13800138000"])]


def test_nul_bytes_are_left_out_with_a_notice(file):
    path = file(b"name,phone,note\n" + b"li,13800138000,plain text that goes on\n" * 5 + b"wang,139\x0000139000,x\n")

    with reader.open_sheet(path) as sheet:
        assert list(sheet.rows())[-1] == (7, ["wang", "13900139000", "x"])
        assert sheet.notices[0][1] == {"line": 7}


def test_hidden_sheets_are_not_read_and_hidden_rows_are_both_with_a_notice(workbook):
    def prepare(book, sheet):
        book.add_worksheet("内部").hide()
        book.add_worksheet("说明").write(0, 0, "请看第一页")
        sheet.set_row(2, None, None, {"hidden": True})

    with reader.open_sheet(workbook([HEADER, *ROWS], prepare=prepare)) as sheet:
        assert sheet.sheet_name == "客户"
        assert len(list(sheet.rows())) == 2
        assert {sentence % values for sentence, values in sheet.notices} == {
            "Hidden sheets are not read: 内部.",
            "The sheet “客户” is read; other sheets are not: 说明.",
            "1 hidden rows are read too.",
        }


def test_merged_cells_have_a_value_in_their_first_row_only_and_staff_is_told(workbook):
    def prepare(book, sheet):
        sheet.merge_range(1, 2, 2, 2, "老客")

    with reader.open_sheet(workbook([HEADER, *(row[:2] for row in ROWS)], prepare=prepare)) as sheet:
        assert [cells[2] for _, cells in sheet.rows()] == ["老客", ""]
        assert "1 areas of merged cells" in sheet.notices[0][0] % sheet.notices[0][1]


def test_a_cover_sheet_is_passed_over(tmp_path):
    path = tmp_path / "customers.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("封面")
        sheet = book.add_worksheet("会员")
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1, 0, ROWS[0])

    with reader.open_sheet(path) as sheet:
        assert sheet.sheet_name == "会员"


def test_a_workbook_whose_table_starts_elsewhere_keeps_the_numbers_of_its_rows(tmp_path):
    path = tmp_path / "customers.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(4, 2, HEADER)
        sheet.write_row(7, 2, ROWS[0])

    headers, rows = contents(path)

    assert headers == HEADER
    assert rows == [(8, ROWS[0])]


def test_dates_come_as_dates_in_both_calendars_of_excel(tmp_path):
    for name, options in (("1900.xlsx", {}), ("1904.xlsx", {"date_1904": True})):
        path = tmp_path / name
        with xlsxwriter.Workbook(path, options) as book:
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, ["手机号", "生日"])
            sheet.write(1, 0, "13800138000")
            sheet.write_datetime(1, 1, datetime(1990, 5, 31), book.add_format({"num_format": "yyyy-mm-dd"}))

        assert str(contents(path)[1][0][1][1]) == "1990-05-31"


def test_formulas_without_stored_results_are_told_and_not_taken_for_empty(workbook):
    def prepare(book, sheet):
        sheet.write_formula(1, 1, '="138"&"00138000"', None, "")

    with reader.open_sheet(workbook([HEADER, ["王", "", ""], ROWS[1]], prepare=prepare)) as sheet:
        assert next(sheet.rows())[1][1] == '="138"&"00138000"'
        assert "first in cell B2" in sheet.notices[0][0] % sheet.notices[0][1]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"\r\n \r\n", "empty"),
        (b",,,\n,,,\n", "empty"),
        (b"%PDF-1.7\n%\xe2\xe3", "pdf"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "picture"),
        (b"Rar!\x1a\x07\x00", "archive"),
        (b"\x1f\x8b\x08\x00", "archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "damaged"),
        (b"\x09\x08\x08\x00\x00\x05\x05\x00" + b"\0" * 600, "old_excel"),
        (b"<html><table><tr><td>1</td></tr></table></html>", "no_header"),
        (b"<html><body>see the attachment</body></html>", "html"),
        (b'\xef\xbb\xbf<?xml version="1.0"?><Workbook/>', "html"),
        (b'<?xml version="1.0"?><svg xmlns="x"/>', "not_a_table"),
        (b"MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=x\r\n\r\n", "html"),
        (b'{"name": "x"}', "not_a_table"),
        (bytes(range(256)) * 20, "not_a_table"),
        (b"PK\x03\x04" + b"broken" * 50, "damaged"),
        ("姓名,手机号,备注\n", "no_rows"),
        ("13800138000,王\n13900139000,李\n", "no_header"),
        ("138****8000,王\n139****9000,李\n", "no_header"),
        ("姓名,手机号\n" + "王燕娜,13800138000\n" * 9 + "王\xff\xfe,13800138000\n", None),
        (("姓名,手机号\n" + "王燕娜,13800138000\n" * 9).encode() + b"\xff\xff,13800138000\n", "encoding"),
        (("姓名,手机号\n" + "王燕娜,13800138000\n" * 9 + "王").encode()[:-1], "cut_off"),
        ('姓名,手机号\n王,13800138000\n"李,13900139000\n周,13700137000\n', "open_quote"),
        ('姓名,手机号,城\n王,13800138000,A\n"李,1,B\n周,2,B\n吴,3,"B\n', "swallowed_rows"),
        ('姓名,手机号\n王,"' + "a\n" * 70_000 + '"\n', "open_quote"),
        ("姓名,手机号" + ",x" * 999 + "\n王,13800138000\n", "far_cell"),
        ("姓名,手机号\n王," + "a" * 140_000 + "\n", "long_line"),
        ("姓名,手机号\n" + "a" * 6_000_000, "long_line"),
    ],
)
def test_a_file_that_is_no_customer_list_is_refused_with_a_remedy(file, content, code):
    path = file(content)

    if code is None:
        assert contents(path)[0] == ["姓名", "手机号"]
    else:
        assert refused(path).code == code


def test_a_refusal_names_the_line(file):
    path = file('姓名,手机号\n王,13800138000\n"李,13900139000\n周,13700137000\n')

    assert "line 3" in str(refused(path))


def test_a_file_that_is_gone_is_told(tmp_path):
    assert refused(tmp_path / "nothing.csv").code == "missing"


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"word/document.xml": "x"}, "document"),
        ({"xl/workbook.bin": "x"}, "binary_excel"),
        ({"mimetype": "application/vnd.oasis.opendocument.spreadsheet"}, "damaged"),
        ({"mimetype": "application/vnd.oasis.opendocument.text"}, "document"),
        ({"customers.csv": "姓名,手机号"}, "archive"),
        ({"xl/worksheets/sheet1.xml": "<worksheet/>"}, "damaged"),
        ({"xl/workbook.xml": "<workbook/>"}, "damaged"),
    ],
)
def test_archives_are_told_apart(tmp_path, parts, code):
    path = tmp_path / "customers.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)

    assert refused(path).code == code


def test_a_truncated_workbook_is_refused(workbook):
    path = workbook([HEADER, *ROWS])
    whole = path.read_bytes()

    for length in (10, len(whole) // 2, len(whole) - 10):
        path.write_bytes(whole[:length])
        assert refused(path).code == "damaged"


def test_every_refusal_says_what_to_do():
    assert all(sentence.endswith(".") and len(sentence.split()) > 5 for sentence in SENTENCES.values())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.text(alphabet="王李a1 ,;\t\"'\n\r|", max_size=12),
            st.text(alphabet="0123456789", min_size=11, max_size=11),
            st.text(alphabet='x,"\n', max_size=5),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_what_a_spreadsheet_writes_is_what_is_read(tmp_path, rows):
    path = tmp_path / "round.csv"
    # One cell per row is long and quoted, as spreadsheets do; several rows inside one cell are refused on purpose.
    written = [["王" + name.replace("\n", " ").replace("\r", " "), phone, note] for name, phone, note in rows]
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle, quoting=csv.QUOTE_ALL).writerows([HEADER, *written])

    with reader.open_sheet(path) as sheet:
        assert [cells for _, cells in sheet.rows()] == written


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=600))
def test_bytes_of_any_kind_are_read_or_refused_with_a_sentence(tmp_path, content):
    path = tmp_path / "bytes.csv"
    path.write_bytes(content)

    try:
        contents(path)
    except Unreadable as refusal:
        assert "%(" not in str(refusal)
