"""Writes the same rows in the formats that shops hold besides .xlsx and .csv, as their programs write them."""

import struct
import zipfile
from collections.abc import Callable, Sequence
from datetime import date
from html import escape
from pathlib import Path

import xlwt

Rows = Sequence[Sequence[object]]

_OPEN = (
    '<?xml version="1.0" encoding="UTF-8"?><office:document-content '
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" '
    'xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0" office:version="1.3">'
    '<office:automatic-styles><style:style style:name="ta2" style:family="table">'
    '<style:table-properties table:display="false"/></style:style></office:automatic-styles>'
    "<office:body><office:spreadsheet>"
)
_CLOSE = "</office:spreadsheet></office:body></office:document-content>"
SPREADSHEET = "application/vnd.oasis.opendocument.spreadsheet"


def ods(
    path: Path, sheets: dict[str, Rows | str], *, hidden: Sequence[str] = (), manifest: str = "<manifest/>"
) -> Path:
    """An OpenDocument spreadsheet as LibreOffice writes it; a sheet may be given as the XML of its rows."""
    tables = "".join(
        f'<table:table table:name="{name}" table:style-name="{"ta2" if name in hidden else "ta1"}">'
        f"{rows if isinstance(rows, str) else ods_rows(rows)}"
        # Behind every table LibreOffice writes the rest of the sheet as one repeated row.
        '<table:table-row table:number-rows-repeated="1048000">'
        '<table:table-cell table:number-columns-repeated="1024"/></table:table-row></table:table>'
        for name, rows in sheets.items()
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", SPREADSHEET, zipfile.ZIP_STORED)
        archive.writestr("content.xml", _OPEN + tables + _CLOSE)
        archive.writestr("META-INF/manifest.xml", manifest)
    return path


def ods_rows(rows: Rows) -> str:
    """The XML of rows."""
    return "".join(f"<table:table-row>{''.join(map(_ods_cell, row))}</table:table-row>" for row in rows)


def _ods_cell(value: object) -> str:
    if value == "":
        return "<table:table-cell/>"
    if isinstance(value, float | int):
        return (
            f'<table:table-cell office:value-type="float" office:value="{value}" calcext:value-type="float">'
            f"<text:p>1.38E+10</text:p></table:table-cell>"
        )
    if isinstance(value, date):
        return (
            f'<table:table-cell office:value-type="date" office:date-value="{value.isoformat()}">'
            f"<text:p>{value:%d.%m.%y}</text:p></table:table-cell>"
        )
    paragraphs = "".join(f"<text:p>{escape(line)}</text:p>" for line in str(value).split("\n"))
    return f'<table:table-cell office:value-type="string">{paragraphs}</table:table-cell>'


def xls(path: Path, rows: Rows, *, is_1904: bool = False, prepare: Callable = lambda book, sheet: None) -> Path:
    """An old Excel workbook."""
    book = xlwt.Workbook(encoding="utf-8")
    book.dates_1904 = is_1904
    sheet = book.add_sheet("客户")
    day = xlwt.easyxf(num_format_str="yyyy-mm-dd")
    for number, row in enumerate(rows):
        for column, value in enumerate(row):
            if value != "":
                sheet.write(number, column, value, *([day] if isinstance(value, date) else []))
    prepare(book, sheet)
    book.save(str(path))
    return path


def page(path: Path, rows: Rows, *, encoding: str = "utf-8", meta: str | None = None) -> Path:
    """A web page as back offices name .xls."""
    charset = meta if meta is not None else encoding
    head = f'<meta http-equiv="Content-Type" content="text/html; charset={charset}">' if charset else ""
    body = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>\r\n" for row in rows)
    text = f'<html xmlns:x="urn:schemas-microsoft-com:office:excel"><head>{head}</head><table border=1>{body}</table>'
    path.write_bytes(text.encode(encoding))
    return path


def spreadsheet_xml(path: Path, rows: Rows | str, *, encoding: str = "utf-8", extra: str = "") -> Path:
    """A workbook in the XML of Excel 2003; the sheet may be given as the XML of its rows."""
    body = rows if isinstance(rows, str) else "".join(f"<Row>{''.join(map(_xml_cell, row))}</Row>" for row in rows)
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?>\n<?mso-application progid="Excel.Sheet"?>\n'
        '<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" '
        'xmlns:x="urn:schemas-microsoft-com:office:excel" xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet">'
        f'<Worksheet ss:Name="客户"><Table ss:ExpandedRowCount="2">{body}</Table></Worksheet>{extra}</Workbook>'
    )
    path.write_bytes(text.encode(encoding))
    return path


def _xml_cell(value: object) -> str:
    if isinstance(value, float | int):
        kind, shown = "Number", str(value)
    elif isinstance(value, date):
        kind, shown = "DateTime", f"{value.isoformat()}T00:00:00.000"
    else:
        kind, shown = "String", escape(str(value))
    return f'<Cell><Data ss:Type="{kind}">{shown}</Data></Cell>'


def container(path: Path, streams: dict[str, bytes]) -> Path:
    """An OLE container with streams of at least 4,096 bytes each, as protected workbooks are."""
    sector = 512
    table, blocks, entries = [0xFFFFFFFD, 0xFFFFFFFE], [b"", b""], []
    for name, content in streams.items():
        content = content.ljust(4096, b"\0")
        count = -(-len(content) // sector)
        first = len(table)
        table += [*range(first + 1, first + count), 0xFFFFFFFE]
        blocks += [content[n * sector : (n + 1) * sector].ljust(sector, b"\0") for n in range(count)]
        entries.append((name, 2, first, len(content)))
    directory = b""
    for name, kind, first, size in [("Root Entry", 5, 0xFFFFFFFE, 0), *entries]:
        written = name.encode("utf-16-le") + b"\0\0"
        directory += written.ljust(64, b"\0") + struct.pack("<HBB", len(written), kind, 1)
        directory += struct.pack("<III", *[0xFFFFFFFF] * 3).ljust(48, b"\0") + struct.pack("<IQ", first, size)
    blocks[0] = struct.pack(f"<{len(table)}I", *table).ljust(sector, b"\xff")
    blocks[1] = directory.ljust(sector, b"\0")
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(24, b"\0") + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6)
    head = head.ljust(44, b"\0") + struct.pack("<IIIIIIIII", 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0, 0)
    path.write_bytes(head.ljust(512, b"\xff") + b"".join(blocks))
    return path
