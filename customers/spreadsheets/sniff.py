"""Tells what a file really is by its first bytes; names lie."""

import re
import zipfile
from pathlib import Path

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
_MARKUP = re.compile(rb"\s*(?:<!doctype\s|<\?xml|<html|<table|<meta|<head|<body|<style|<div|<!--)", re.I)
_JSON = re.compile(rb"\s*(?:\{\s*[\"}]|\[\s*[\[{\]])")
_OLE_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")


def kind(path: Path) -> str:
    """Name the format of the file: "xlsx" or "text".

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
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise refusal("encrypted" if _OLE_ENCRYPTED in _whole(path, size) else "old_excel")
    for mark, code in _FOREIGN:
        if head.startswith(mark):
            raise refusal(code)
    return _kind_of_text(head)


def _whole(path: Path, size: int) -> bytes:
    """The directory of an OLE file lies anywhere; a few MB are enough to meet it."""
    with path.open("rb") as handle:
        start = handle.read(4 * 1024 * 1024)
        handle.seek(max(0, size - 4 * 1024 * 1024))
        return start + handle.read()


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
        raise refusal("open_document")
    if any(name.startswith(("word/", "ppt/")) for name in names) or first:
        raise refusal("document")
    if any(name.startswith("xl/") for name in names):
        raise refusal("damaged")
    raise refusal("archive")


def _kind_of_text(head: bytes) -> str:
    if head.startswith(_UTF16_MARKS):
        return "text"
    bare = head.removeprefix(b"\xef\xbb\xbf")
    if _MARKUP.match(bare):
        raise refusal("html")
    if _JSON.match(bare):
        raise refusal("not_a_table")
    # Text in any encoding has hardly a control character; UTF-16 has NUL bytes on one side only.
    controls = sum(byte < 9 or (13 < byte < 32 and byte != 27) for byte in head)
    even, odd = head[::2].count(0), head[1::2].count(0)
    if min(even, odd) * 8 <= max(even, odd) and max(even, odd) * 8 > len(head) // 2:
        return "text"
    if controls * 10 > len(head):
        raise refusal("not_a_table")
    return "text"
