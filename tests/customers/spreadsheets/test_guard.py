"""Workbooks that would harm the machine are refused, quickly and without harm."""

import resource
import zipfile

import pytest
import xlsxwriter

from customers.spreadsheets import guard, limits, reader
from customers.spreadsheets.faults import Unreadable

NAMESPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
ROW_ONE = (
    '<row r="1">'
    + "".join(
        f'<c r="{cell}" t="inlineStr"><is><t>{name}</t></is></c>' for cell, name in (("A1", "手机号"), ("B1", "姓名"))
    )
    + "</row>"
)


def relations(kind: str, target: str) -> str:
    """The part of a workbook that says where another part lies."""
    relation = f'<Relationship Id="rId1" Type="{RELATIONS}/{kind}" Target="{target}"/>'
    return f'<Relationships xmlns="{PACKAGE}/relationships">{relation}</Relationships>'


@pytest.fixture
def crafted(tmp_path):
    """Writes a workbook around the given XML of its sheet and gives its path."""

    def write(sheet_data: str | bytes, *, prolog: str = "", shared: str | None = None):
        path = tmp_path / "crafted.xlsx"
        if isinstance(sheet_data, str):
            sheet_data = (
                f'<?xml version="1.0" encoding="UTF-8"?>{prolog}<worksheet {NAMESPACE}><dimension ref="A1:B2"/>'
                f"<sheetData>{sheet_data}</sheetData></worksheet>"
            ).encode()
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(
                "[Content_Types].xml",
                f'<Types xmlns="{PACKAGE}/content-types">'
                '<Default Extension="xml" ContentType="application/xml"/></Types>',
            )
            archive.writestr(
                "xl/workbook.xml",
                f'<workbook {NAMESPACE} xmlns:r="{RELATIONS}"><sheets>'
                '<sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>',
            )
            archive.writestr("_rels/.rels", relations("officeDocument", "xl/workbook.xml"))
            archive.writestr("xl/_rels/workbook.xml.rels", relations("worksheet", "worksheets/sheet1.xml"))
            archive.writestr("xl/worksheets/sheet1.xml", sheet_data)
            if shared is not None:
                archive.writestr("xl/sharedStrings.xml", shared)
        return path

    return write


def row(number, phone="13800138000"):
    return f'<row r="{number}"><c r="A{number}"><v>{phone}</v></c><c r="B{number}"><v>1</v></c></row>'


def refusal_of(path) -> str:
    with pytest.raises(Unreadable) as refusal, reader.open_sheet(path) as sheet:
        list(sheet.rows())
    return refusal.value.code


def memory_of_children() -> int:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024


def test_a_dimension_that_lies_hides_no_row(crafted):
    path = crafted(ROW_ONE + "".join(map(row, range(2, 3_002))))

    with reader.open_sheet(path) as sheet:
        assert sum(1 for _ in sheet.rows()) == 3_000


def test_a_zip_bomb_is_refused_before_it_is_unpacked(crafted):
    filler = "<row><c><v>" + "1" * 3_000 + "</v></c></row>"
    path = crafted(ROW_ONE + filler * 20_000)

    assert path.stat().st_size < 1_000_000
    assert refusal_of(path) == "bomb"


def test_an_archive_that_claims_more_than_it_holds_is_refused(crafted):
    path = crafted(ROW_ONE + row(2))
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"PK\x01\x02")
    content[entry + 20 : entry + 24] = (len(content) * 2).to_bytes(4, "little")
    path.write_bytes(content)

    assert refusal_of(path) == "bomb"


@pytest.mark.parametrize("cell", ["XFD1048576", "ZZ100000", "AAAA1", "A1048576"])
def test_a_cell_far_away_from_the_table_is_refused_by_its_name(crafted, cell):
    digits = cell.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    path = crafted(ROW_ONE + row(2) + f'<row r="{digits}"><c r="{cell}"><v>1</v></c></row>')

    if cell == "A1048576":
        # A column of a million cells is a long list, not an attack.
        with reader.open_sheet(path) as sheet:
            assert [number for number, _ in sheet.rows()] == [2, 1048576]
    else:
        with pytest.raises(Unreadable) as refusal:
            reader.open_sheet(path)
        assert refusal.value.code == "far_cell"
        assert cell in str(refusal.value)


@pytest.mark.parametrize(
    "hidden",
    [
        "<row r='3'><c r='XFD1048576'><v>1</v></c></row>",
        '<row r="3"><c  s="0" r="XFD1048576"><v>1</v></c></row>',
        '<row r="3"><c r="&#88;FD1048576"><v>1</v></c></row>',
        '<row r="3"><c r="A3"><v>1</v></c><c r="XFD1048576"><v>1</v></c></row>',
        '<row r="3"><c r="B1048576"><v>1</v></c></row><row r="4"><c r="XFC4"><v>1</v></c></row>',
    ],
)
def test_a_far_cell_written_in_unusual_ways_harms_nobody(crafted, hidden):
    before = memory_of_children()

    assert refusal_of(crafted(ROW_ONE + row(2) + hidden)) in ("far_cell", "bomb", "damaged")
    assert memory_of_children() < max(before, 1_000)


def test_a_sheet_with_prefixes_is_read_all_the_same(crafted):
    sheet = (
        '<x:worksheet xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><x:sheetData>'
        + (ROW_ONE + row(2)).replace("</", "\0").replace("<", "<x:").replace("\0", "</x:")
        + "</x:sheetData></x:worksheet>"
    )

    with reader.open_sheet(crafted(sheet.encode())) as opened:
        assert [number for number, _ in opened.rows()] == [2]


def test_billion_laughs_and_outside_entities_are_refused(crafted):
    laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
    outside = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'

    assert refusal_of(crafted(ROW_ONE + row(2), prolog=laughs)) == "doctype"
    assert refusal_of(crafted(ROW_ONE + row(2), prolog=outside)) == "doctype"
    assert refusal_of(crafted(ROW_ONE + row(2), shared=laughs + f"<sst {NAMESPACE}/>")) == "doctype"
    assert refusal_of(crafted(ROW_ONE + row(2), prolog=f"<!--{'x' * 200_000}-->" + laughs)) == "doctype"


def test_a_definition_in_another_encoding_is_refused_too(crafted):
    sheet = f'<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE x><worksheet {NAMESPACE}/>'

    assert refusal_of(crafted(sheet.encode("utf-16"))) == "doctype"


def test_broken_xml_is_refused(crafted):
    assert refusal_of(crafted(ROW_ONE + row(2) + "<row><c></row>")) == "damaged"


def test_an_encrypted_part_is_refused(crafted):
    path = crafted(ROW_ONE + row(2))
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        position = -1
        while (position := content.find(mark, position + 1)) >= 0:
            content[position + offset] |= 1
    path.write_bytes(content)

    assert refusal_of(path) == "encrypted"


def test_one_long_text_in_a_hundred_thousand_cells_takes_nobody_along(crafted):
    texts = f"<sst {NAMESPACE}><si><t>{'x' * 30_000}</t></si></sst>"
    cells = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(2, 100_000))

    assert refusal_of(crafted(ROW_ONE + cells, shared=texts)) == "bomb"
    assert memory_of_children() < 1_000


def test_no_process_is_left_behind(crafted):
    path = crafted(ROW_ONE + "".join(map(row, range(2, 20_000))))

    sheet = reader.open_sheet(path)
    child = sheet._source._first._children[0]
    rows = sheet.rows()
    next(rows)
    sheet.close()

    assert child.poll() is not None
    assert sheet._source._first._children == []


def test_both_scans_count_the_same(tmp_path):
    path = tmp_path / "both.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for number in range(400):
            sheet.write_row(number, 0, ['王 <&> r="ZZ9"', 13800138000 + number, "x" * (number % 7)])
        sheet.set_row(7, None, None, {"hidden": True})
        sheet.write_formula(5, 30, '=A1&"<b>"', None, "")
        sheet.write_formula(6, 3, "=1+1", None, 2)
        sheet.write_blank(600, 2, None, book.add_format({"bold": True}))
    parts = guard.inspect(path).parts

    with zipfile.ZipFile(path) as archive:
        quick = guard._scan_quickly(archive.open(parts[0].path))
        exact = guard._scan_exactly(archive.open(parts[0].path))

    assert quick == exact
    assert (exact.last_row, exact.last_column, exact.last_filled_row, exact.hidden_rows) == (601, 31, 400, 1)
    assert exact.formulas == {(6, 31): '=A1&"<b>"'}


def test_columns_are_counted_as_spreadsheets_name_them():
    for number, letters in ((1, "A"), (26, "Z"), (27, "AA"), (703, "AAA"), (16384, "XFD")):
        assert limits.column_letters(number) == letters
        assert guard.column_number(letters) == number
