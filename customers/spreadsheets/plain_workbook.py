"""Writes records of a file of another format into a workbook of one sheet, each cell with the value that was read."""

import re
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from typing import BinaryIO
from xml.sax.saxutils import escape

from customers.spreadsheets.guard import column_letters

SHEET = "xl/worksheets/sheet1.xml"
# Excel takes no more rows on a sheet, and no more characters in a cell.
MOST_ROWS = 1_048_576
LONGEST_CELL = 32_767
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_DAY_ZERO = datetime(1899, 12, 30)
# Excel believes in a 29 February 1900, so that earlier days stand one off and stay text.
_FIRST_RIGHT_DAY = datetime(1900, 3, 1)
_GENERAL, _TEXT, _DATE, _MOMENT = range(4)

_DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>'
        f'<Override PartName="/{SHEET}" ContentType="{_TYPE}.worksheet+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_RELATION}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATION}">'
        '<sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_RELATION}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="rId2" Type="{_RELATION}/styles" Target="styles.xml"/></Relationships>'
    ),
    "xl/styles.xml": (
        f'<styleSheet xmlns="{_MAIN}"><numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/>'
        '<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
        '<fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>'
        '<fills count="2"><fill><patternFill patternType="none"/></fill>'
        '<fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border/></borders>'
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
        '<cellXfs count="4">'
        + "".join(
            f'<xf numFmtId="{number}" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
            for number in (0, 49, 164, 165)
        )
        + '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
    ),
}

_letters = cache(column_letters)


class TooManyRows(Exception):
    """More rows than Excel opens."""


def write(target: BinaryIO, records: Iterable[tuple[int, Sequence[object]]]) -> int:
    """
    Write numbered records into the rows of these numbers, and return the last one.

    Text stays text, even where it looks like a number or a formula. Raises TooManyRows.
    """
    number = 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, part in _PARTS.items():
            archive.writestr(zipfile.ZipInfo(name), _DECLARATION + part)
        entry = zipfile.ZipInfo(SHEET)
        entry.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(entry, "w", force_zip64=True) as sheet:
            sheet.write(
                f'{_DECLARATION}<worksheet xmlns="{_MAIN}"><sheetFormatPr defaultColWidth="16" '
                'defaultRowHeight="15"/><sheetData>'.encode()
            )
            for number, record in records:
                if number > MOST_ROWS:
                    raise TooManyRows(number)
                sheet.write(_row(number, record))
            sheet.write(b"</sheetData></worksheet>")
    return number


def _row(number: int, record: Sequence[object]) -> bytes:
    cells = []
    for column, cell in enumerate(record, start=1):
        if cell is None or cell == "":
            continue
        place = f"{_letters(column)}{number}"
        style, value = _typed(cell)
        if style is _TEXT:
            text = escape(_NOT_IN_XML.sub("", value)[:LONGEST_CELL])
            cells.append(f'<c r="{place}" s="1" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>')
        else:
            cells.append(f'<c r="{place}" s="{style}"><v>{value}</v></c>')
    return f'<row r="{number}">{"".join(cells)}</row>'.encode()


def _typed(cell: object) -> tuple[int, str]:
    """The style of a cell and its value as it stands in the file."""
    if isinstance(cell, (str, bool)):
        return _TEXT, str(cell)
    if isinstance(cell, (int, float, Decimal)):
        whole = isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15
        return _GENERAL, str(int(cell)) if whole else str(cell)
    if isinstance(cell, (datetime, date)):
        moment = cell if isinstance(cell, datetime) else datetime.combine(cell, time())
        if moment.replace(tzinfo=None) >= _FIRST_RIGHT_DAY:
            serial = (moment.replace(tzinfo=None) - _DAY_ZERO) / timedelta(days=1)
            is_day = serial == int(serial)
            return (_DATE, str(int(serial))) if is_day else (_MOMENT, f"{serial:.10f}")
    return _TEXT, str(cell)
