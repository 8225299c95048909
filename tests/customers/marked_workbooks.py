"""Workbooks as shops keep them, to be marked: titles, merged cells, formats, hidden sheets, macros."""

import datetime
import io
import zipfile
from collections.abc import Callable, Mapping

import openpyxl
from openpyxl.comments import Comment
from openpyxl.styles import Border, Font, PatternFill, Side
from openpyxl.worksheet.datavalidation import DataValidation

HEAD = ("姓名", "手机号", "生日", "消费")
MACROS = b"not really a macro, but nobody may touch it"


def messy() -> bytes:
    """A list with a title over merged cells, styles, a hidden row and sheet, notes, a filter, rules and a total."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "会员"
    sheet["A1"] = "七月会员名单"
    sheet["A1"].font = Font(bold=True, size=16)
    sheet.merge_cells("A1:D1")
    sheet.append(HEAD)
    for cell in sheet[2]:
        cell.fill, cell.font = PatternFill("solid", fgColor="FF4472C4"), Font(color="FFFFFFFF")
    for number in range(8):
        sheet.append([f"客户{number}", str(13800000000 + number), datetime.date(1990, 1, 1 + number), 12.5 * number])
        row = sheet.max_row
        sheet.cell(row, 3).number_format = "yyyy年m月d日"
        sheet.cell(row, 4).number_format, sheet.cell(row, 4).border = "¥#,##0.00", Border(left=Side("thin"))
    sheet["B5"] = "1380000000"
    sheet["B7"] = None
    sheet["C8"] = "1990/2/29"
    sheet["C8"].number_format = "yyyy年m月d日"
    sheet.append(["合计", None, None, 350])
    sheet.column_dimensions["A"].width = 22
    sheet.row_dimensions[6].hidden = True
    sheet["A4"].comment = Comment("老客户", "店长")
    sheet.freeze_panes, sheet.auto_filter.ref = "A3", "A2:D10"
    rule = DataValidation(type="list", formula1='"是,否"')
    rule.add("D3:D10")
    sheet.add_data_validation(rule)
    hidden = book.create_sheet("成本")
    hidden["A1"], hidden.sheet_state = "内部", "hidden"
    return _bytes(book)


def with_macros() -> bytes:
    """The same list as an xlsm with a macro part."""
    main = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
    macro = b'<Override PartName="/xl/vbaProject.bin" ContentType="application/vnd.ms-office.vbaProject"/></Types>'
    edit = {
        "[Content_Types].xml": lambda part: part.replace(
            main, b"application/vnd.ms-excel.sheet.macroEnabled.main+xml"
        ).replace(b"</Types>", macro)
    }
    return rewritten(messy(), edit, added={"xl/vbaProject.bin": MACROS})


def monthly() -> bytes:
    """A table that goes on upon a second sheet, whose columns lie in another order."""
    book = openpyxl.Workbook()
    first = book.active
    first.title = "一月"
    for row in (("姓名", "手机号", "城市"), ("王一", "13800000001", "杭州"), ("王二", "138", "杭州")):
        first.append(row)
    second = book.create_sheet("二月")
    for row in (("二月名单",), ("手机号", "城市", "姓名"), ("13800000003", "宁波", "王三"), ("139", "宁波", "王四")):
        second.append(row)
    return _bytes(book)


def in_two_rows() -> bytes:
    """Column names in two rows, the upper ones over merged cells."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["姓名", "联系方式", None, "生日"])
    sheet.append([None, "手机号", "邮箱", None])
    sheet.merge_cells("B1:C1")
    sheet.append(["王一", "13800000001", "wang@example.com", "1990-01-01"])
    sheet.append(["王二", "138", "li@example.com", "1990-01-02"])
    return _bytes(book)


def written_otherwise(document: bytes, *, prefix: bool = False, bare: bool = False, reordered: bool = False) -> bytes:
    """The same workbook as other programs write it: with a prefix, without cell references, attributes swapped."""

    def edit(part: bytes) -> bytes:
        if reordered:
            part = part.replace(b'<row r="', b'<row  r="').replace(b'<c r="', b'<c  r="')
        if bare:
            part = _without_references(part)
        return _prefixed(part) if prefix else part

    names = {"xl/worksheets/sheet1.xml": edit}
    if prefix:
        names["xl/styles.xml"] = _prefixed
    return rewritten(document, names)


def rewritten(
    document: bytes, edits: Mapping[str, Callable[[bytes], bytes]], *, added: Mapping[str, bytes] | None = None
) -> bytes:
    """A workbook with some of its parts changed, and parts added."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(document)) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            part = old.read(name)
            new.writestr(name, edits[name](part) if name in edits else part)
        for name, part in (added or {}).items():
            new.writestr(name, part)
    return target.getvalue()


def parts(document: bytes) -> dict[str, bytes]:
    """Every part of a workbook by its name."""
    with zipfile.ZipFile(io.BytesIO(document)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _without_references(part: bytes) -> bytes:
    head, rows = part.split(b"<sheetData>")
    for column in b"ABCDEFGH":
        for row in range(1, 40):
            rows = rows.replace(b' r="%c%d"' % (column, row), b"")
    return head + b"<sheetData>" + rows


def _prefixed(part: bytes) -> bytes:
    opened = part.replace(b"</", b"\x00").replace(b"<?", b"\x01").replace(b"<", b"<x:")
    return opened.replace(b"\x00", b"</x:").replace(b"\x01", b"<?").replace(b" xmlns=", b" xmlns:x=")


def _bytes(book: openpyxl.Workbook) -> bytes:
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()
