"""The page on reliability speaks of every fault in the catalog, with a test or with the reason why there is none."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "reliability.md"
FAULTS = {"Q": 27, "D": 14, "P": 23, "R": 15, "C": 4, "H": 10, "S": 28, "X": 8}


def test_every_fault_of_the_catalog_is_spoken_of():
    wanted = {f"{letter}{number:02}" for letter, count in FAULTS.items() for number in range(1, count + 1)} | {"A17"}
    rows = [line for line in PAGE.read_text().splitlines() if re.match(r"\| [A-Z]\d\d", line)]
    named = {fault for row in rows for fault in re.findall(r"\b[A-Z]\d\d\b", row.split("|")[1])}

    assert wanted - named == set()
    assert [row for row in rows if not re.search(r"`test_\w+`", row)] == []
