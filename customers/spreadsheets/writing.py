"""Writes rows as CSV or as a workbook that no spreadsheet program reads as formulas; pure, of flat memory."""

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from functools import cache
from typing import BinaryIO
from xml.sax.saxutils import escape

from customers.spreadsheets.guard import column_letters

# What spreadsheet programs take for the beginning of a formula, in both widths, behind blanks too.
_FORMULA = re.compile(r"\s*[=+\-@＝＋－﹣＠\t\r\n]")
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_BYTE_ORDER_MARK = "\ufeff"
# Excel takes no more rows on a sheet, and no more characters in a cell.
ROWS_ON_A_SHEET = 1_048_576
_LONGEST_CELL = 32_767

_CONTENT_TYPES = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/xl/workbook.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/styles.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/>'
    '<Override PartName="/xl/worksheets/sheet1.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>'
)
_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELATIONS = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>'
)
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_WORKBOOK = (
    f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?><workbook xmlns="{_MAIN}" xmlns:r="{_RELATION}">'
    '<sheets><sheet name="{}" sheetId="1" r:id="rId1"/></sheets></workbook>'
)
# Style 0 for text, style 1 for the bold header; both say "text", so that nobody's editing turns a phone
# number into 1.38E+10.
_STYLES = (
    f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?><styleSheet xmlns="{_MAIN}">'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>'
    '</fills><borders count="1"><border/></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="2"><xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="49" fontId="1" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
    "</styleSheet>"
)

_letters = cache(column_letters)


def harmless(cell: object) -> str:
    """The cell as text, with an apostrophe before what would otherwise be calculated."""
    text = "" if cell is None else str(cell)
    return f"'{text}" if _FORMULA.match(text) else text


def write_csv(file: BinaryIO, rows: Iterable[Sequence[object]]) -> int:
    """Write rows, the first of them the header, as UTF-8 that Excel recognizes; returns how many."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    text.write(_BYTE_ORDER_MARK)
    writer = csv.writer(text)
    count = 0
    for row in rows:
        writer.writerow([harmless(cell).replace("\0", "") for cell in row])
        count += 1
    text.detach()
    return count


def write_workbook(file: BinaryIO, rows: Iterable[Sequence[object]], *, sheet_name: str = "Sheet1") -> int:
    """
    Write rows, the first of them the header, as a workbook of one sheet of text cells; returns how many.

    Rows beyond the 1,048,576 that Excel can open are not written: compare the number returned.
    """
    count = 0
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        archive.writestr("[Content_Types].xml", _CONTENT_TYPES)
        archive.writestr("_rels/.rels", _RELATIONS.format(_relation("rId1", "officeDocument", "xl/workbook.xml")))
        archive.writestr("xl/workbook.xml", _WORKBOOK.format(_xml(sheet_name[:31])))
        parts = _relation("rId1", "worksheet", "worksheets/sheet1.xml") + _relation("rId2", "styles", "styles.xml")
        archive.writestr("xl/_rels/workbook.xml.rels", _RELATIONS.format(parts))
        archive.writestr("xl/styles.xml", _STYLES)
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            sheet.write(
                f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?><worksheet xmlns="{_MAIN}">'
                '<sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" '
                'state="frozen"/></sheetView></sheetViews><sheetData>'.encode()
            )
            for row in rows:
                if count == ROWS_ON_A_SHEET:
                    break
                count += 1
                sheet.write(_row(count, row))
            sheet.write(b"</sheetData></worksheet>")
    return count


def _row(number: int, row: Sequence[object]) -> bytes:
    style = 1 if number == 1 else 0
    cells = "".join(
        f'<c r="{_letters(column)}{number}" s="{style}" t="inlineStr"><is>'
        f'<t xml:space="preserve">{_xml(text[:_LONGEST_CELL])}</t></is></c>'
        for column, text in enumerate(map(harmless, row), start=1)
        if text
    )
    return f'<row r="{number}">{cells}</row>'.encode()


def _xml(text: str) -> str:
    return escape(_NOT_IN_XML.sub("", text), {'"': "&quot;"})


def _relation(key: str, kind: str, target: str) -> str:
    return f'<Relationship Id="{key}" Type="{_RELATION}/{kind}" Target="{target}"/>'
