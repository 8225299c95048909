"""Writes files that would harm the machine that reads them."""

import zipfile
from pathlib import Path

import xlwt

from tests.customers import old_files

_CELL = '<table:table-cell{0} office:value-type="string"><text:p>{1}</text:p></table:table-cell>'
_NAMES = "".join(_CELL.format("", name) for name in ("姓名", "手机号"))
HEADER = f"<table:table-row>{_NAMES}</table:table-row>"


def repeated_cells(path: Path) -> Path:
    """One cell that says it stands sixteen thousand times in a million rows."""
    cell = _CELL.format(' table:number-columns-repeated="16384"', "x")
    row = f'<table:table-row table:number-rows-repeated="1048576">{cell}</table:table-row>'
    return old_files.ods(path, {"S": HEADER + row})


def repeated_rows(path: Path) -> Path:
    """One row that says it stands a million times."""
    row = f'<table:table-row table:number-rows-repeated="1000000">{_CELL.format("", "13800138000")}</table:table-row>'
    return old_files.ods(path, {"S": HEADER + row})


def absurd_count(path: Path) -> Path:
    """A cell repeated as often as a number of five thousand digits says."""
    cell = _CELL.format(f' table:number-columns-repeated="{"9" * 5_000}"', "x")
    return old_files.ods(path, {"S": f"{HEADER}<table:table-row>{cell}</table:table-row>"})


def far_cell_of_open_document(path: Path) -> Path:
    """A cell in the last column of the last row."""
    gap = '<table:table-row table:number-rows-repeated="1048574"><table:table-cell/></table:table-row>'
    far = f'<table:table-row><table:table-cell table:number-columns-repeated="16383"/>{_CELL.format("", "x")}'
    return old_files.ods(path, {"S": HEADER + gap + far + "</table:table-row>"})


def packed_open_document(path: Path) -> Path:
    """A hundred megabytes of blanks in a hundred kilobytes."""
    old_files.ods(path, {"S": HEADER})
    with zipfile.ZipFile(path) as archive:
        start, end = archive.read("content.xml").split(b"</table:table>", 1)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", old_files.SPREADSHEET, zipfile.ZIP_STORED)
        with archive.open("content.xml", "w") as content:
            content.write(start)
            for _ in range(100):
                content.write(b" " * 1_000_000)
            content.write(b"</table:table>" + end)
    return path


def laughing_open_document(path: Path) -> Path:
    """A document that defines entities."""
    old_files.ods(path, {"S": HEADER})
    with zipfile.ZipFile(path) as archive:
        content = archive.read("content.xml").decode()
    laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", old_files.SPREADSHEET, zipfile.ZIP_STORED)
        archive.writestr(
            "content.xml", content.replace("<office:document-content", laughs + "<office:document-content")
        )
    return path


def far_cell_of_old_workbook(path: Path) -> Path:
    """A cell in the last column of the last row of an old workbook."""

    def prepare(_book: xlwt.Workbook, sheet: xlwt.Worksheet) -> None:
        sheet.write(65535, 255, "x")

    return old_files.xls(path, [["姓名", "手机号"], ["王", "13800138000"]], prepare=prepare)


def long_text_in_old_workbook(path: Path) -> Path:
    """One text of thirty thousand characters, kept once, in sixty thousand cells: two gigabytes to a parser."""
    text = "x" * 30_000
    return old_files.xls(path, [["姓名", "手机号"], *[[text, "13800138000"]] * 60_000])


def circle_in_container(path: Path) -> Path:
    """An old workbook whose chain of sectors comes back to itself."""
    old_files.container(path, {"Workbook": b"\x09\x08" + b"\0" * 5_000})
    content = bytearray(path.read_bytes())
    content[512 + 4 * 2 : 512 + 4 * 3] = (2).to_bytes(4, "little")
    path.write_bytes(content)
    return path


def far_cell_of_excel_2003(path: Path) -> Path:
    """A cell far away, in the XML of Excel 2003."""
    cell = '<Cell ss:Index="16384"><Data ss:Type="String">x</Data></Cell>'
    return old_files.spreadsheet_xml(path, f'<Row><Cell/></Row><Row ss:Index="1048576">{cell}</Row>')


def laughing_excel_2003(path: Path) -> Path:
    """A workbook in XML that reads a file of the machine."""
    path.write_text(
        '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
        '<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"><Worksheet><Table><Row><Cell>'
        "<Data>&a;</Data></Cell></Row></Table></Worksheet></Workbook>"
    )
    return path


def wide_page(path: Path) -> Path:
    """A page whose cells span a million columns."""
    path.write_text("<table><tr><td colspan=1000000>姓名<td>手机号</table>")
    return path


def deep_page(path: Path) -> Path:
    """A page of a hundred thousand tables within each other."""
    path.write_text("<table><tr><td>" * 100_000)
    return path


def open_tags(path: Path) -> Path:
    """A page of nothing but the beginnings of tags, quotation marks and comments."""
    path.write_text("<table><tr><td>姓名<td a='" + "<a <b \"<!- <script x='" * 100_000)
    return path


def lying_directory(path: Path, workbook: Path) -> Path:
    """A workbook whose directory says that its shared texts are small, and which unpack to 300 MB."""
    text = "<si><t>" + "x" * 1_000 + "</t></si>"
    with zipfile.ZipFile(workbook) as whole, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in whole.namelist():
            if name != "xl/sharedStrings.xml":
                archive.writestr(name, whole.read(name))
        with archive.open("xl/sharedStrings.xml", "w") as texts:
            for _ in range(300):
                texts.write(text.encode() * 1_000)
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"xl/sharedStrings.xml") - 46
    content[entry + 24 : entry + 28] = (10_000).to_bytes(4, "little")
    path.write_bytes(content)
    return path


def two_tables_in_one_sheet(path: Path, workbook: Path) -> Path:
    """A sheet torn in two, of which a parser reads the first part alone."""
    with zipfile.ZipFile(workbook) as whole, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in whole.namelist():
            content = whole.read(name)
            if name == "xl/worksheets/sheet1.xml":
                content = content.replace(b'<row r="3"', b'</sheetData><sheetData><row r="3"')
            archive.writestr(name, content)
    return path
