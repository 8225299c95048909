"""The column “what to do” of a marked file: the heading by which a mended copy is known, and signs in its cells."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

# In both languages, whoever downloads the file: it is what the file is recognized by when it comes back.
HEADING = "处理办法 / What to do"
# GB18030 and the fonts of every Windows have both; not everybody tells the colors apart.
TO_MEND, TO_KNOW = "●", "○"

_HEADING = re.compile(r"\s*处理办法\s*/\s*what\s+to\s+do\s*(?:[(（]\s*[#＃]?\s*([0-9]{1,18})\s*[)）]?)?\s*", re.I)


class Marker(NamedTuple):
    """Where the column stands in a file, counted from 0, and of which marked file it is; "" where that was lost."""

    index: int
    reference: str


def heading(reference: object) -> str:
    """The heading for one marked file."""
    return f"{HEADING} (#{reference})"


def find(names: Iterable[object]) -> Marker | None:
    """Our column among the column names of a file, if it is a marked one."""
    for index, name in enumerate(names):
        found = _HEADING.fullmatch(name) if isinstance(name, str) and "处理办法" in name else None
        if found:
            return Marker(index, found[1] or "")
    return None


def without(marker: Marker | None, record: Sequence) -> list:
    """The cells of the shop, without our column and the empty ones that spreadsheet programs leave behind it."""
    if marker is None:
        return list(record)
    return [*record[: marker.index], *record[marker.index + 1 :]]


def is_to_mend(remark: object) -> bool:
    """Whether a cell of our column once said that something in its row has to be mended."""
    return isinstance(remark, str) and remark.lstrip(" '\t").startswith(TO_MEND)
