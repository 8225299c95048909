"""A spreadsheet of customers: our import, the leanest there could be, and django-import-export."""

from collections.abc import Callable
from pathlib import Path

from customers import clock
from customers.models import Customer
from customers.services import imports
from tests.benchmarks import measuring
from tests.benchmarks.measuring import Scale, Stopwatch, seconds_of
from tests.benchmarks.report import Report, Target, say
from tests.benchmarks.rivals import lean_import, stock_import
from tests.benchmarks.rivals.models import PlainCustomer
from tests.benchmarks.workbooks import write

OUR_TABLES = ("customers_customer", "customers_tag", "customers_tier", "customers_consentchange")
OUR_TABLES += ("customers_spreadsheetimport", "customers_importedrow", "customers_layoutmemory")
STOCK = {
    "django-import-export, bulk": stock_import.BulkResource,
    "django-import-export, bulk, nobody looked up": stock_import.BlindResource,
}
CHUNK_BYTES = 1024 * 1024


def run(scale: Scale, place: Path) -> Report:
    """Each way reads the same workbook into empty tables, in turn."""
    sizes = {"rows": scale.of(100_000, 20_000, 1_000), "rows for the slow one": scale.of(5_000, 1_000, 200)}
    large, small = place / "large.xlsx", place / "small.xlsx"
    write(large, sizes["rows"])
    write(small, sizes["rows for the slow one"])
    rounds, memory = [], {}
    for number in range(1, scale.rounds + 1):
        say(f"  round {number} …")
        seconds, found = _round(large, small, sizes)
        rounds.append(seconds)
        memory = {way: max(peak, memory.get(way, 0.0)) for way, peak in found.items()}
    middle = measuring.middle(rounds)
    rows = [
        {"way": way, "seconds": seconds, "rows per second": sizes["rows"] / seconds}
        | {"times the leanest": seconds / middle["leanest"], "peak MB": memory.get(way, memory["ours, import"])}
        for way, seconds in middle.items()
    ]
    ratios = measuring.middle(
        {
            "lean": each["ours, import"] / each["leanest"],
            "whole": each["ours, with upload and preview"] / each["leanest"],
            "stock": each["django-import-export, bulk"] / each["ours, import"],
            "blind": each["django-import-export, bulk, nobody looked up"] / each["ours, import"],
        }
        for each in rounds
    )
    targets = [
        Target("times calamine, COPY, one merge", ratios["lean"], 3, is_ceiling=True),
        Target("times as fast as django-import-export in bulk mode", ratios["stock"], 20),
    ]
    notes = {
        "times the leanest, upload and preview included": ratios["whole"],
        "times as fast as django-import-export that looks nobody up": ratios["blind"],
    }
    return Report(sizes, rows, targets, notes, {"rounds": rounds})


def _round(large: Path, small: Path, sizes: dict[str, int]) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds and peak memory of each way; those of the slow one are scaled to the large file."""
    seconds: dict[str, float] = {}
    memory: dict[str, float] = {}

    def measured(way: str, work: Callable[[], object]) -> None:
        measuring.settle_disk()
        with measuring.peak_memory(lambda: [measuring.myself()]) as peak:
            seconds[way] = seconds_of(work)
        memory[way] = peak.together

    measuring.empty(PlainCustomer._meta.db_table)
    measured("leanest", lambda: lean_import.load(large))
    _expect(PlainCustomer.objects.count(), sizes["rows"])

    measuring.empty(*OUR_TABLES)
    upload = Stopwatch()
    imported = _upload(large)
    before = upload.seconds
    imports.start(imported)
    measured("ours, import", lambda: imports.run(imported.pk, now=clock.now))
    seconds["ours, with upload and preview"] = before + seconds["ours, import"]
    _expect(Customer.objects.count(), sizes["rows"])

    for way, resource in STOCK.items():
        measuring.empty(PlainCustomer._meta.db_table)
        measured(way, lambda: stock_import.load(small, resource))  # noqa: B023 - called at once
        seconds[way] *= sizes["rows"] / sizes["rows for the slow one"]
        _expect(PlainCustomer.objects.count(), sizes["rows for the slow one"])
    return seconds, memory


def _upload(path: Path):
    """Store and read the file as the page does."""
    with path.open("rb") as handle:
        chunks = iter(lambda: handle.read(CHUNK_BYTES), b"")
        imported = imports.upload(chunks, file_name=path.name, by=None, now=clock.now())
    imports.read(imported, now=clock.now())
    return imported


def _expect(found: int, wanted: int) -> None:
    if found != wanted:
        raise RuntimeError(f"{wanted} customers should be there; there are {found}.")
