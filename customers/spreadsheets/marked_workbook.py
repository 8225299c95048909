"""Writes a workbook again with one sheet marked; every other part is copied as it is, macros and pictures too."""

import re
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from customers.spreadsheets.marked_sheet import SheetEditor
from customers.spreadsheets.marked_styles import EMPTY, Styles
from customers.spreadsheets.marks import CannotMark, Mark, Place

# Level 6 takes twice as long for a file that is a tenth smaller.
LEVEL = 3
_CONTENT_TYPES, _WORKBOOK_RELATIONS = "[Content_Types].xml", "xl/_rels/workbook.xml.rels"
_CALCULATION_ORDER = "xl/calcChain.xml"
_STYLES_TYPE = b"application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"
_RELATION = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships"
# Relations of a sheet that have nothing to do with its rows.
_KEPT_RELATIONS = (b"/printerSettings", b"/image", b"/customProperty")
_STYLES_TARGET = re.compile(
    rb'<(?:\w+:)?Relationship\b(?=[^>]*/relationships/styles["\'])[^>]*?\sTarget\s*=\s*["\']([^"\']+)["\']'
)


def write(
    source: Path | BinaryIO,
    target: BinaryIO,
    *,
    places: Sequence[Place],
    marks: Iterator[Mark],
    heading: str,
    only_marked: bool = False,
    told: Callable[[int], None] = lambda row: None,
) -> None:
    """
    Write the workbook with the marks; with `only_marked`, without the rows below the header that have none.

    The table lies at `places`, on one sheet or several; the numbers of the marks run on from one to the next. Raises
    CannotMark where a sheet or the styles are written in an unusual way.
    """
    with (
        zipfile.ZipFile(source) as old,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as new,
    ):
        styles_part = _styles_part(old)
        styles = Styles(old.read(styles_part) if styles_part in old.NameToInfo else EMPTY)
        edits = _edits(old, [place.part for place in places], styles_part, only_marked=only_marked)

        def mark_sheets() -> None:
            coming = _Coming(marks)
            for place in places:
                editor = SheetEditor(place=place, heading=heading, styles=styles, only_marked=only_marked, told=told)
                with new.open(_copied(old.NameToInfo[place.part]), "w") as written, old.open(place.part) as sheet:
                    editor.copy(sheet, written, coming.until(_end(place, places), place.offset))

        sheets, are_marked = {place.part for place in places}, False
        for part in old.NameToInfo.values():
            if part.filename == styles_part or edits.get(part.filename) == b"":
                continue
            if part.filename in sheets:
                # All of them at the first, because the marks come in their order and not in the archive's.
                if not are_marked:
                    mark_sheets()
                are_marked = True
                continue
            with new.open(_copied(part), "w") as written:
                if part.filename in edits:
                    written.write(edits[part.filename])
                else:
                    with old.open(part) as stream:
                        shutil.copyfileobj(stream, written, 1024 * 1024)
        # Behind the sheet, because only now it is known which styles its cells need.
        known = old.NameToInfo.get(styles_part) or zipfile.ZipInfo(styles_part)
        new.writestr(_copied(known), styles.document())


class _Coming:
    """The marks of one sheet after the other, out of one stream."""

    def __init__(self, marks: Iterator[Mark]):
        self._marks = marks
        self._next = next(marks, None)

    def until(self, end: int | None, offset: int) -> Iterator[Mark]:
        """The marks of a sheet, numbered as its rows are."""
        while self._next is not None and (end is None or self._next.number <= end):
            mark, self._next = self._next, next(self._marks, None)
            yield mark._replace(number=mark.number - offset)


def _end(place: Place, places: Sequence[Place]) -> int | None:
    """The last number of a place; None for the last one."""
    return min((other.offset for other in places if other.offset > place.offset), default=None)


def _copied(part: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """The entry of a part in the new archive, packed like the old one."""
    entry = zipfile.ZipInfo(part.filename, part.date_time)
    entry.compress_type = part.compress_type if part.compress_type == zipfile.ZIP_STORED else zipfile.ZIP_DEFLATED
    entry._compresslevel = LEVEL
    entry.external_attr, entry.create_system = part.external_attr, part.create_system
    # By this the library sees whether the part needs the format of large archives.
    entry.file_size = part.file_size
    return entry


def _styles_part(archive: zipfile.ZipFile) -> str:
    """Where the styles lie, or where they will lie in a workbook without any."""
    found = _STYLES_TARGET.search(archive.read(_WORKBOOK_RELATIONS))
    target = found[1].decode() if found else "styles.xml"
    return target[1:] if target.startswith("/") else f"xl/{target}"


def _edits(
    archive: zipfile.ZipFile, sheets: Sequence[str], styles_part: str, *, only_marked: bool
) -> dict[str, bytes]:
    """The small parts that change; b"" for those that are left out."""
    edits = {}
    if styles_part not in archive.NameToInfo:
        edits[_CONTENT_TYPES] = _with_element(
            edits.get(_CONTENT_TYPES, archive.read(_CONTENT_TYPES)),
            b"Types",
            b'<%%bOverride PartName="/%b" ContentType="%b"/>' % (styles_part.encode(), _STYLES_TYPE),
        )
        edits[_WORKBOOK_RELATIONS] = _with_element(
            archive.read(_WORKBOOK_RELATIONS),
            b"Relationships",
            b'<%%bRelationship Id="rIdStyles" Type="%b/styles" Target="/%b"/>' % (_RELATION, styles_part.encode()),
        )
    if only_marked:
        for sheet in sheets:
            folder, _slash, name = sheet.rpartition("/")
            relations = f"{folder}/_rels/{name}.rels"
            if relations in archive.NameToInfo:
                edits[relations] = _without(archive.read(relations), b"Relationship", _is_bound_to_rows)
        if _CALCULATION_ORDER in archive.NameToInfo:
            # It lists cells with formulas, of which the marked sheet keeps only the results.
            edits[_CALCULATION_ORDER] = b""
            for part, element in ((_CONTENT_TYPES, b"Override"), (_WORKBOOK_RELATIONS, b"Relationship")):
                edits[part] = _without(edits.get(part) or archive.read(part), element, lambda tag: b"calcChain" in tag)
    return edits


def _is_bound_to_rows(relation: bytes) -> bool:
    return not any(kept + quote in relation for kept in _KEPT_RELATIONS for quote in (b'"', b"'"))


def _without(document: bytes, name: bytes, is_unwanted: Callable[[bytes], bool]) -> bytes:
    """The document without some of its elements."""
    element = re.compile(rb"<(?:\w+:)?%b\b[^>]*?(?:/>|>\s*</(?:\w+:)?%b>)" % (name, name))
    return element.sub(lambda found: b"" if is_unwanted(found[0]) else found[0], document)


def _with_element(document: bytes, root: bytes, element: bytes) -> bytes:
    """The document with one more element at its end."""
    closing = re.search(rb"</((?:\w+:)?)%b\s*>\s*\Z" % root, document)
    if closing is None:
        raise CannotMark("parts")
    return document[: closing.start()] + element % closing[1] + document[closing.start() :]
