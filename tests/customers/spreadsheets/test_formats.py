"""Old and foreign formats give the same rows as a fresh workbook (S14, S16, S25)."""

import zipfile
from datetime import date, datetime

import pytest
import xlsxwriter

from customers.spreadsheets import reader
from customers.spreadsheets.cells import Formula
from tests.customers import old_files

HEADER = ["姓名", "手机号", "生日", "备注"]
BORN = date(1990, 5, 31)
ROWS = [["王燕娜", 13800138000, BORN, "老客"], ["㐂田", "13900139000", "", "爱喝茶\n不要香菜"]]


def contents(path, name=""):
    with reader.open_sheet(path, name) as sheet:
        rows = list(sheet.rows())
        return sheet.headers, rows, [sentence % values for sentence, values in sheet.notices]


def code_of(path) -> str:
    with pytest.raises(reader.Unreadable) as refusal, reader.open_sheet(path) as sheet:
        list(sheet.rows())
    return refusal.value.code


def expected(born):
    return [(2, ["王燕娜", 13800138000.0, born, "老客"]), (3, ["㐂田", "13900139000", "", "爱喝茶\n不要香菜"])]


def test_an_old_workbook_gives_its_rows(tmp_path):
    headers, rows, notices = contents(old_files.xls(tmp_path / "list.xls", [HEADER, *ROWS]))

    assert (headers, rows, notices) == (HEADER, expected(BORN), [])


def test_an_open_document_gives_its_rows(tmp_path):
    headers, rows, notices = contents(old_files.ods(tmp_path / "list.ods", {"客户": [HEADER, *ROWS]}))

    assert (headers, rows, notices) == (HEADER, expected(BORN), [])


def test_a_workbook_in_the_xml_of_excel_2003_gives_its_rows(tmp_path):
    headers, rows, notices = contents(old_files.spreadsheet_xml(tmp_path / "list.xls", [HEADER, *ROWS]))

    assert (headers, rows) == (HEADER, expected(datetime(1990, 5, 31)))
    assert notices == ["The file is named .xls but is really XML (Excel 2003); it was read as that."]


@pytest.mark.parametrize(
    ("encoding", "meta"),
    [("utf-8", None), ("gb18030", "gb2312"), ("gb18030", ""), ("utf-8-sig", ""), ("utf-16", ""), ("utf-8", "gb2312")],
)
def test_a_web_page_named_xls_gives_the_rows_of_its_table(tmp_path, encoding, meta):
    rows = [HEADER, ["王燕娜", "13800138000", "1990-05-31", "A & B <茶>"], ["㐂田", "13900139000", "", ""]]

    headers, found, notices = contents(old_files.page(tmp_path / "list.xls", rows, encoding=encoding, meta=meta))

    assert headers == HEADER
    assert found == [(2, rows[1]), (3, rows[2])]
    assert notices == ["The file is named .xls but is really HTML; it was read as that."]


def test_the_bytes_decide_for_every_format_and_not_the_name(tmp_path):
    with xlsxwriter.Workbook(tmp_path / "really.xlsx") as book:
        for number, row in enumerate([HEADER, ["王", "13800138000", "", ""]]):
            book.worksheets_objs or book.add_worksheet()
            book.worksheets_objs[0].write_row(number, 0, row)
    old_files.xls(tmp_path / "really.xls", [HEADER, *ROWS])
    old_files.ods(tmp_path / "really.ods", {"客户": [HEADER, *ROWS]})

    for really in ("xlsx", "xls", "ods"):
        for named in ("csv", "xls", "xlsx", "ods", "html"):
            path = tmp_path / f"list.{named}"
            path.write_bytes((tmp_path / f"really.{really}").read_bytes())
            with reader.open_sheet(path) as sheet:
                assert sheet.format == really
                assert sheet.headers == HEADER
                assert len(sheet.notices) == (named != really)


def test_both_calendars_of_old_workbooks_are_read(tmp_path):
    for is_1904 in (False, True):
        path = old_files.xls(tmp_path / "list.xls", [HEADER, *ROWS], is_1904=is_1904)
        with reader.open_sheet(path) as sheet:
            assert sheet.is_1904 is is_1904
            assert next(sheet.rows())[1][2] == BORN


def test_hidden_sheets_and_rows_of_old_workbooks_are_told(tmp_path):
    def prepare(book, sheet):
        book.add_sheet("内部").visibility = 1
        book.add_sheet("机密").visibility = 2
        sheet.row(1).hidden = True

    _, rows, notices = contents(old_files.xls(tmp_path / "list.xls", [HEADER, *ROWS], prepare=prepare))

    assert len(rows) == 2
    assert notices == ["Hidden sheets are not read: 内部, 机密.", "1 hidden rows are read too."]


def test_hidden_sheets_and_rows_of_open_documents_are_told(tmp_path):
    first = old_files.ods_rows([HEADER, ROWS[0]])
    hidden = old_files.ods_rows([ROWS[1]]).replace("<table:table-row>", '<table:table-row table:visibility="filter">')
    path = old_files.ods(tmp_path / "list.ods", {"内部": [HEADER, *ROWS], "客户": first + hidden}, hidden=["内部"])

    _, rows, notices = contents(path)

    assert rows == expected(BORN)
    assert notices == ["Hidden sheets are not read: 内部.", "1 hidden rows are read too."]


def test_repeated_and_covered_cells_of_open_documents_stand_in_their_columns(tmp_path):
    header = old_files.ods_rows([["手机号", "省", "市", "区", "姓名"]])
    row = (
        "<table:table-row><table:table-cell office:value-type='string'><text:p>13800138000</text:p></table:table-cell>"
        "<table:table-cell table:number-columns-repeated='2' office:value-type='string'><text:p>北京</text:p>"
        "</table:table-cell><table:covered-table-cell/><table:table-cell office:value-type='string'>"
        "<office:annotation><text:p>a note</text:p></office:annotation><text:p>王<text:s/><text:span>燕</text:span>"
        "<text:tab/>娜</text:p></table:table-cell></table:table-row>"
    )
    twice = row.replace("<table:table-row>", "<table:table-row table:number-rows-repeated='2'>", 1)
    gap = '<table:table-row table:number-rows-repeated="5"><table:table-cell/></table:table-row>'
    path = old_files.ods(tmp_path / "list.ods", {"客户": header + gap + twice})

    _, rows, _ = contents(path)

    cells = ["13800138000", "北京", "北京", "", "王 燕\t娜"]
    assert rows == [(7, cells), (8, cells)]


def test_a_formula_that_was_never_calculated_is_told_in_every_format(tmp_path):
    cell = '<table:table-cell table:formula="of:=[.A1]"/>'
    rows = old_files.ods_rows([HEADER]) + f"<table:table-row>{cell}{old_files.ods_rows([['13800138000']])[17:]}"
    in_ods = old_files.ods(tmp_path / "list.ods", {"客户": rows})
    xml = "".join(f'<Cell><Data ss:Type="String">{name}</Data></Cell>' for name in HEADER)
    in_xml = old_files.spreadsheet_xml(
        tmp_path / "list.xml",
        f'<Row>{xml}</Row><Row><Cell ss:Formula="=R1C1"/><Cell><Data ss:Type="Number">13800138000</Data></Cell></Row>',
    )

    for path in (in_ods, in_xml):
        _, found, notices = contents(path)
        assert isinstance(found[0][1][0], Formula)
        assert "first in cell A2" in notices[0]


def test_gaps_hidden_rows_and_comments_of_excel_2003_are_understood(tmp_path):
    cell = '<Cell{0}><Data ss:Type="String">{1}</Data></Cell>'
    header = "".join(cell.format("", name) for name in HEADER)
    row = cell.format(' ss:Index="2" ss:MergeDown="1"', "13800138000") + cell.format(
        ' ss:Index="4"', "茶</Data><Comment><ss:Data>说明</ss:Data></Comment><Data ss:Type='String'>"
    ).replace("<Data ss:Type='String'></Data>", "")
    hidden = '<Worksheet ss:Name="内部"><Table/><x:WorksheetOptions><x:Visible>SheetHidden</x:Visible>'
    path = old_files.spreadsheet_xml(
        tmp_path / "list.xml",
        f'<Row>{header}</Row><Row ss:Index="5" ss:Hidden="1">{row}</Row>',
        encoding="gb2312",
        extra=hidden + "</x:WorksheetOptions></Worksheet>",
    )

    _, rows, notices = contents(path)

    assert rows == [(5, ["", "13800138000", "", "茶"])]
    assert "Hidden sheets are not read: 内部." in notices
    assert "1 hidden rows are read too." in notices
    assert any("1 areas of merged cells" in notice for notice in notices)


def test_a_page_with_merged_cells_nested_tables_and_numbers_of_excel_keeps_its_columns(tmp_path):
    path = tmp_path / "list.xls"
    path.write_text(
        "<html><body><table><tr><td>外框<table id=inner>"
        "<caption>客户</caption><thead><tr><th>姓名<th>手机号<th colspan=2>地址&nbsp;<th>备注</thead>"
        '<tr><td rowspan="2">王&amp;李<td x:num="13800138000">1.38E+10<td>浙江<td>杭州<td>一<br>二<p>三</p></tr>'
        "<!-- <tr><td>nothing</td></tr> --><script>var x = '<tr><td>1</td></tr>';</script>"
        "<tr style='display:none'><td>13900139000<td colspan=3 title='a>b'>全部</tr>"
        "<tr><td>周<td>13700137000<td><td><td>x"
        "</table></td></tr></table></body></html>",
        encoding="utf-8",
    )

    headers, rows, notices = contents(path)

    assert headers[:3] == ["姓名", "手机号", "地址"] and headers[4] == "备注"
    assert rows[0] == (2, ["王&李", 13800138000.0, "浙江", "杭州", "一\n二\n三"])
    assert rows[1][1][:2] == ["", "13900139000"]
    assert rows[2] == (4, ["周", "13700137000", "", "", "x"])
    assert "1 hidden rows are read too." in notices


def test_a_long_list_printed_as_many_tables_is_one_list(tmp_path):
    head = "".join(f"<td>{name}" for name in HEADER)
    pages = "".join(
        f"<table><tr>{head}{''.join(f'<tr><td>王<td>1380013{page}{n:03}<td><td>' for n in range(50))}</table>"
        for page in range(3)
    )
    path = tmp_path / "list.xls"
    path.write_text(f"<table><tr><td>会员名单</table>{pages}")

    _, rows, notices = contents(path)

    assert len(rows) == 150
    assert any("2 lines repeat the column names" in notice for notice in notices)


@pytest.mark.parametrize("length", [9, 600, 3_000])
def test_a_truncated_old_workbook_is_refused(tmp_path, length):
    path = old_files.xls(tmp_path / "list.xls", [HEADER, *ROWS])
    path.write_bytes(path.read_bytes()[:length])

    assert code_of(path) == "damaged"


def test_workbooks_protected_by_a_password_are_told_in_every_format(tmp_path):
    encrypted = old_files.container(
        tmp_path / "new.xlsx", {"EncryptionInfo": b"x" * 5_000, "EncryptedPackage": b"x" * 9_000}
    )
    manifest = "<manifest><file-entry><encryption-data/></file-entry></manifest>"
    document = old_files.ods(tmp_path / "list.ods", {"客户": [HEADER]}, manifest=manifest)
    begin = bytes.fromhex("0908100000060500bb0dcc07410000000600000 0".replace(" ", ""))
    password = b"\x2f\x00\x36\x00" + b"\x01" * 54
    old = old_files.container(tmp_path / "old.xls", {"Workbook": begin + password + b"\x0a\0\0\0"})

    assert [code_of(path) for path in (encrypted, document, old)] == ["encrypted"] * 3


def test_other_office_files_are_told_from_workbooks(tmp_path):
    assert code_of(old_files.container(tmp_path / "letter.xls", {"WordDocument": b"x"})) == "document"
    assert code_of(old_files.container(tmp_path / "setup.xls", {"Package": b"x"})) == "not_a_table"


def test_macros_are_ignored(tmp_path):
    path = tmp_path / "list.xlsm"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1, 0, ["王", "13800138000", "", ""])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/vbaProject.bin", b"\xd0\xcf\x11\xe0" + b"macro" * 100)

    assert contents(path)[1:] == ([(2, ["王", "13800138000", "", ""])], [])
