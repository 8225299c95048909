"""Tells what a file really is by its first bytes; names lie."""

import re
import zipfile
from pathlib import Path

from customers.spreadsheets import compound
from customers.spreadsheets.faults import refusal

# 300 MB holds a million rows of 12 columns as text with room to spare.
LARGEST_FILE = 300 * 1024 * 1024

_FOREIGN = [
    (b"%PDF", "pdf"),
    (b"\x89PNG", "picture"),
    (b"\xff\xd8\xff", "picture"),
    (b"GIF8", "picture"),
    (b"Rar!", "archive"),
    (b"7z\xbc\xaf\x27\x1c", "archive"),
    (b"\x1f\x8b", "archive"),
    (b"BZh", "archive"),
    (b"\xfd7zXZ", "archive"),
    (b"{\\rtf", "document"),
    (b"SQLite format", "not_a_table"),
    (b"\x7fELF", "not_a_table"),
    (b"MZ\x90", "not_a_table"),
]
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_MARKUP = re.compile(
    r"\s*<(?:!doctype\s|\?xml|\??mso|html|table|meta|head|body|style|div|!--|center|form|script|thead|tr|font|h[1-6]|p\b"
    r"|span|workbook|\w+:(?:html|workbook))",
    re.I,
)
_SPREADSHEET_XML = re.compile(r"<(?:\w+:)?Workbook\b[^>]*urn:schemas-microsoft-com:office:spreadsheet", re.S)
_OTHER_XML = re.compile(r"<(?:\?xml[^>]*>\s*)?(?:svg|rss|feed|plist|office:document|w:wordDocument|kml)\b", re.I)
_JSON = re.compile(r"\s*(?:\{\s*[\"}]|\[\s*[\[{\]])")
_MAIL = re.compile(r"\s*(?:MIME-Version|Content-Type|From|Subject): ?\S", re.I)
# Records that begin workbooks of before 1993, which have no container.
_ANCIENT = (b"\x09\x00\x04\x00", b"\x09\x02\x06\x00", b"\x09\x04\x06\x00", b"\x09\x08\x08\x00\x00\x05")


def kind(path: Path) -> str:
    """Name the format of the file: "xlsx", "xls", "ods", "html", "xml" or "text".

    Raises Unreadable for everything else, naming what it is.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as handle:
            head = handle.read(8192)
    except OSError as error:
        raise refusal("missing") from error
    if size > LARGEST_FILE:
        raise refusal("too_big", limit=LARGEST_FILE // 1024 // 1024)
    if not head.strip(b"\x00 \t\r\n\xef\xbb\xbf\xff\xfe"):
        raise refusal("empty" if size <= len(head) else "not_a_table")
    if head.startswith(b"PK\x03\x04") or head.startswith(b"PK\x05\x06"):
        return _kind_of_archive(path)
    if head.startswith(compound.MAGIC[:4]):
        return _kind_of_container(path)
    if head.startswith(_ANCIENT):
        raise refusal("old_excel")
    for mark, code in _FOREIGN:
        if head.startswith(mark):
            raise refusal(code)
    return _kind_of_text(head)


def _kind_of_container(path: Path) -> str:
    """Old Office files, and new ones that are protected by a password."""
    try:
        with compound.CompoundFile(path) as container:
            names = container.names()
    except (compound.Broken, OSError) as error:
        raise refusal("damaged") from error
    if "EncryptedPackage" in names:
        raise refusal("encrypted")
    if names & {"Workbook", "Book"}:
        return "xls"
    raise refusal("document" if names & {"WordDocument", "PowerPoint Document"} else "not_a_table")


def _kind_of_archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            first = archive.read("mimetype")[:200] if "mimetype" in names else b""
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError) as error:
        raise refusal("damaged") from error
    if "xl/workbook.xml" in names:
        return "xlsx"
    if "xl/workbook.bin" in names:
        raise refusal("binary_excel")
    if b"opendocument.spreadsheet" in first:
        if "content.xml" not in names:
            raise refusal("damaged")
        return "ods"
    if any(name.startswith(("word/", "ppt/")) for name in names) or first:
        raise refusal("document")
    if any(name.startswith("xl/") for name in names):
        raise refusal("damaged")
    raise refusal("archive")


def _kind_of_text(head: bytes) -> str:
    even, odd = head[::2].count(0), head[1::2].count(0)
    is_wide = min(even, odd) * 8 <= max(even, odd) and max(even, odd) * 8 > len(head) // 2
    if head.startswith(_UTF16_MARKS):
        text = head.decode("utf-16", "ignore")
    elif is_wide:
        text = head.decode("utf-16-le" if odd > even else "utf-16-be", "ignore")
    else:
        # The marks that tell formats apart are the same in every other encoding.
        text = head.removeprefix(b"\xef\xbb\xbf").decode("latin-1")
    if _MARKUP.match(text):
        return _kind_of_markup(text)
    if _JSON.match(text):
        raise refusal("not_a_table")
    if _MAIL.match(text) and "multipart/related" in text:
        raise refusal("html")
    # Text in any encoding has hardly a control character; UTF-16 has NUL bytes on one side only.
    controls = sum(byte < 9 or (13 < byte < 32 and byte != 27) for byte in head)
    if not is_wide and not head.startswith(_UTF16_MARKS) and controls * 10 > len(head):
        raise refusal("not_a_table")
    return "text"


def _kind_of_markup(text: str) -> str:
    if _SPREADSHEET_XML.search(text):
        return "xml"
    if _OTHER_XML.search(text):
        raise refusal("not_a_table")
    return "html"
