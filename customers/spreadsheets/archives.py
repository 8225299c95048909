"""Judges archives and XML before anything is unpacked or parsed: bombs, passwords, DOCTYPE and entities."""

import zipfile
from xml.parsers import expat

from customers.spreadsheets.faults import refusal

# A million rows of 12 columns unpack to about 650 MB, at most 40 times their packed size.
LARGEST_UNPACKED = 2 * 1024 * 1024 * 1024
SMALL = 20 * 1024 * 1024
HIGHEST_RATIO = 100
MOST_PARTS = 5_000

ERRORS = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    OSError,
    EOFError,
    ValueError,
    KeyError,
    expat.ExpatError,
    zipfile.zlib.error,
)


def refuse_bombs(archive: zipfile.ZipFile, file_size: int) -> int:
    """Judge an archive by its directory alone, and return its unpacked size.

    Raises Unreadable.
    """
    parts = archive.infolist()
    unpacked = sum(part.file_size for part in parts)
    packed = sum(part.compress_size for part in parts)
    if len(parts) > MOST_PARTS or unpacked > LARGEST_UNPACKED or packed > file_size:
        raise refusal("bomb")
    for part in parts:
        if part.flag_bits & 1:
            raise refusal("encrypted")
        if part.file_size > SMALL and part.file_size > HIGHEST_RATIO * part.compress_size:
            raise refusal("bomb")
    return unpacked


def refuse_doctype(head: bytes) -> None:
    """Refuse XML that begins with definitions of its own.

    Raises Unreadable.
    """
    if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
        raise refusal("doctype")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) and "<!DOCTYPE" in head.decode("utf-16", "ignore"):
        raise refusal("doctype")


def parser(namespace_separator: str | None = None) -> expat.XMLParserType:
    """An XML parser that refuses definitions wherever they stand."""
    made = expat.ParserCreate(namespace_separator=namespace_separator)

    def refuse(*_: object) -> None:
        raise refusal("doctype")

    made.StartDoctypeDeclHandler = refuse
    made.EntityDeclHandler = refuse
    return made
