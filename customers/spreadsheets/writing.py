"""Writes rows as CSV or as a workbook that no spreadsheet program reads as formulas; pure, of flat memory."""

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from itertools import chain, islice
from typing import BinaryIO
from xml.sax.saxutils import escape

from customers.spreadsheets.guard import column_letters

# What spreadsheet programs take for the beginning of a formula, in both widths, behind blanks too. An apostrophe of
# the shop's own gets one more, because whoever reads the file back takes one away.
_TO_ARMOR = re.compile(r"\s*[=+\-@＝＋－﹣＠\t\r\n]|['’]")
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
# Most cells: nothing to armor, nothing to escape. One look instead of three saves a third of the time.
_PLAIN = re.compile(r'\w[^\x00-\x1f&<>"\ufffe\uffff\ud800-\udfff]{0,32000}').fullmatch
_BYTE_ORDER_MARK = "\ufeff"
# Excel takes no more rows on a sheet, and no more characters in a cell or in the name of a sheet.
ROWS_ON_A_SHEET = 1_048_576
_LONGEST_CELL = 32_767
_LONGEST_SHEET_NAME = 31
_NOT_IN_SHEET_NAMES = re.compile(r"[\[\]:*?/\\]")
# Day 0 of Excel's calendar; it believes in a 29 February 1900, so that earlier days stand one off and stay text.
_DAY_ZERO = date(1899, 12, 30)
_FIRST_RIGHT_DAY = date(1900, 3, 1)
_SECONDS_OF_A_DAY = 86_400

_HEADER, _TEXT, _NUMBER, _DATE, _MOMENT = 1, 0, 2, 3, 4
_SHEET_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"
# Sheets are the default, so that this part can be written before anybody knows how many there will be.
_CONTENT_TYPES = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Default Extension="xml" ContentType="{_SHEET_TYPE}"/>'
    '<Override PartName="/xl/workbook.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/styles.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/></Types>'
)
_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELATIONS = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>'
)
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_WORKBOOK = (
    f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?><workbook xmlns="{_MAIN}" xmlns:r="{_RELATION}">'
    "<sheets>{}</sheets></workbook>"
)
_SHEET = (
    f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?><worksheet xmlns="{_MAIN}">'
    '<sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" '
    'state="frozen"/></sheetView></sheetViews><sheetFormatPr defaultColWidth="16" defaultRowHeight="15"/><sheetData>'
)
# Text and the bold header say "text", so that nobody's editing turns a phone number into 1.38E+10.
_FORMATS = ((49, 0), (49, 1), (0, 0), (164, 0), (165, 0))
_STYLES = (
    f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?><styleSheet xmlns="{_MAIN}">'
    '<numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/>'
    '<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>'
    '</fills><borders count="1"><border/></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    f'<cellXfs count="{len(_FORMATS)}">'
    + "".join(
        f'<xf numFmtId="{number}" fontId="{font}" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"'
        ' applyFont="1"/>'
        for number, font in _FORMATS
    )
    + '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)

_letters = cache(column_letters)


def harmless(cell: object) -> str:
    """The cell as text, with an apostrophe before what would otherwise be calculated."""
    text = "" if cell is None else str(cell)
    return f"'{text}" if _TO_ARMOR.match(text) else text


def write_csv(file: BinaryIO, rows: Iterable[Sequence[object]]) -> int:
    """Write rows, the first of them the header, as UTF-8 that Excel recognizes; returns how many."""
    text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
    text.write(_BYTE_ORDER_MARK)
    writer = csv.writer(text)
    count = 0
    for row in rows:
        writer.writerow([_as_text(cell) for cell in row])
        count += 1
    text.flush()
    text.detach()
    return count


def write_workbook(file: BinaryIO, rows: Iterable[Sequence[object]], *, sheet_name: str = "Sheet1") -> int:
    """Write rows, the first of them the header, as a workbook; returns how many."""
    with Workbook(file) as workbook:
        return workbook.sheet(sheet_name, rows)


class Workbook:
    """
    A workbook written row by row, sheet after sheet.

    Text is a cell of type text, numbers are numbers, dates and moments (without a zone) are those of Excel.
    """

    def __init__(self, file: BinaryIO):
        self._archive = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=3)
        self._names: list[str] = []

    def __enter__(self) -> "Workbook":
        self._archive.writestr("[Content_Types].xml", _CONTENT_TYPES)
        self._archive.writestr(
            "_rels/.rels", _RELATIONS.format(_relation("rId1", "officeDocument", "xl/workbook.xml"))
        )
        self._archive.writestr("xl/styles.xml", _STYLES)
        return self

    def __exit__(self, kind, trouble, traceback) -> None:
        if kind is None:
            self._write_parts()
        self._archive.close()

    def sheet(self, name: str, rows: Iterable[Sequence[object]]) -> int:
        """
        Add a sheet, the first of its rows being the header; returns how many rows there were, the header included.

        More than the 1,048,576 rows that Excel can open go on upon another sheet, below the same header.
        """
        coming = iter(rows)
        header = next(coming, ())
        first, count, part = next(coming, None), 1, 1
        while first is not None or part == 1:
            on_this = chain([header], [] if first is None else [first], islice(coming, ROWS_ON_A_SHEET - 2))
            count += self._one_sheet(name if part == 1 else f"{name} {part}", on_this) - 1
            first, part = next(coming, None), part + 1
        return count

    def _one_sheet(self, name: str, rows: Iterable[Sequence[object]]) -> int:
        self._names.append(self._unused(name))
        count = 0
        with self._archive.open(f"xl/worksheets/sheet{len(self._names)}.xml", "w", force_zip64=True) as sheet:
            sheet.write(_SHEET.encode())
            for row in rows:
                count += 1
                sheet.write(_row(count, row))
            sheet.write(b"</sheetData></worksheet>")
        return count

    def _unused(self, name: str) -> str:
        plain = _NOT_IN_SHEET_NAMES.sub(" ", name).strip(" '")[:_LONGEST_SHEET_NAME] or "Sheet"
        taken = {known.lower() for known in self._names}
        return plain if plain.lower() not in taken else f"{plain[: _LONGEST_SHEET_NAME - 4]} {len(taken) + 1}"

    def _write_parts(self) -> None:
        numbered = list(enumerate(self._names, start=1))
        sheets = "".join(f'<sheet name="{_xml(name)}" sheetId="{n}" r:id="rId{n}"/>' for n, name in numbered)
        parts = "".join(_relation(f"rId{n}", "worksheet", f"worksheets/sheet{n}.xml") for n, _name in numbered)
        parts += _relation(f"rId{len(numbered) + 1}", "styles", "styles.xml")
        self._archive.writestr("xl/workbook.xml", _WORKBOOK.format(sheets))
        self._archive.writestr("xl/_rels/workbook.xml.rels", _RELATIONS.format(parts))


def _row(number: int, row: Sequence[object]) -> bytes:
    cells = []
    for column, cell in enumerate(row, start=1):
        if cell is None or cell == "":
            continue
        place = f"{_letters(column)}{number}"
        if cell.__class__ is str:
            style = _HEADER if number == 1 else _TEXT
            text = cell if _PLAIN(cell) else _xml(harmless(cell)[:_LONGEST_CELL])
        else:
            style, text = _typed(cell)
        if style > _HEADER:
            cells.append(f'<c r="{place}" s="{style}"><v>{text}</v></c>')
        else:
            cells.append(f'<c r="{place}" s="{style}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>')
    return f'<row r="{number}">{"".join(cells)}</row>'.encode()


def _typed(cell: object) -> tuple[int, str]:
    """The style of a cell that is no text, and its value as it stands in the file."""
    if isinstance(cell, (int, float, Decimal)) and not isinstance(cell, bool):
        return _NUMBER, format(cell, "f") if isinstance(cell, Decimal) else repr(cell)
    if isinstance(cell, date):
        day = cell.date() if isinstance(cell, datetime) else cell
        if day >= _FIRST_RIGHT_DAY:
            serial = (day - _DAY_ZERO).days
            if not isinstance(cell, datetime):
                return _DATE, str(serial)
            seconds = cell.hour * 3600 + cell.minute * 60 + cell.second
            return _MOMENT, f"{serial + seconds / _SECONDS_OF_A_DAY:.10f}"
    return _TEXT, _xml(harmless(_as_text(cell))[:_LONGEST_CELL])


def _as_text(cell: object) -> str:
    """The cell as it stands in CSV: text armored, the rest as programs read it."""
    if cell.__class__ is str:
        return harmless(cell).replace("\0", "")
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, Decimal):
        return format(cell, "f")
    return str(cell) if isinstance(cell, (int, float)) else harmless(cell).replace("\0", "")


def _xml(text: str) -> str:
    return escape(_NOT_IN_XML.sub("", text), {'"': "&quot;"})


def _relation(key: str, kind: str, target: str) -> str:
    return f'<Relationship Id="{key}" Type="{_RELATION}/{kind}" Target="{target}"/>'
