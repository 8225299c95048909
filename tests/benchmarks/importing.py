"""A spreadsheet of customers: our import, the leanest there could be, and django-import-export."""

from collections.abc import Callable
from pathlib import Path

from customers import clock
from customers.models import ContactPoint, Customer
from customers.services import imports
from tests.benchmarks import measuring
from tests.benchmarks.measuring import Scale, Stopwatch, seconds_of
from tests.benchmarks.report import Report, Target, say
from tests.benchmarks.rivals import lean_import, stock_import, stock_tables
from tests.benchmarks.rivals.models import PlainCustomer
from tests.benchmarks.workbooks import write

# Named one by one: nothing in the database leads from an address or a consent to its customer.
OUR_TABLES = ("customers_customer", "customers_contactpoint", "customers_consent", "customers_consentchange")
OUR_TABLES += ("customers_tag", "customers_customertag", "customers_tier", "customers_suppression")
OUR_TABLES += ("customers_spreadsheetimport", "customers_importedrow", "customers_importedchange")
OUR_TABLES += ("customers_layoutmemory",)
LEANEST, OURS, WHOLE = "leanest", "ours, import", "ours, with upload and preview"
SAME_TABLES = "django-import-export, bulk, into the same tables"
ONE_TABLE = "django-import-export, bulk, into one flat table"
BLIND = "django-import-export, bulk, into one flat table, nobody looked up"
METHODS = {
    LEANEST: "calamine, COPY and one merge into one flat table; nothing checked",
    OURS: "the job that a worker runs: customers, addresses, tags, consents with evidence, what became of each row",
    WHOLE: "storing the file and working out its preview, then the job",
    SAME_TABLES: "use_bulk and skip_diff as documented, known rows looked up, foreign keys remembered; one resource "
    "for each of customers, addresses, tags and consents, without evidence and without what became of each row",
    ONE_TABLE: "use_bulk and skip_diff as documented, known rows looked up; twelve columns of text in one table",
    BLIND: "the same with force_init_instance: a customer who is known already would stop it",
}
CHUNK_BYTES = 1024 * 1024


def run(scale: Scale, place: Path) -> Report:
    """Each way reads the same workbook into empty tables, in turn."""
    sizes = {"rows": scale.of(100_000, 20_000, 1_000), "rows for the slow one": scale.of(5_000, 1_000, 200)}
    large, small = place / "large.xlsx", place / "small.xlsx"
    write(large, sizes["rows"])
    write(small, sizes["rows for the slow one"])
    rounds, worked, memory = [], [], {}
    for number in range(1, scale.rounds + 1):
        say(f"  round {number} …")
        seconds, found, cpu = _round(large, small, sizes)
        rounds.append(seconds)
        worked.append(cpu)
        memory = {way: max(peak, memory.get(way, 0.0)) for way, peak in found.items()}
    middle, work = measuring.middle(rounds), measuring.middle(worked)
    rows = [
        {"way": way, "seconds": seconds, "rows per second": sizes["rows"] / seconds}
        | {"times the leanest": seconds / middle[LEANEST], "peak MB": memory.get(way, memory[OURS])}
        # Other programs on the machine stretch the seconds, and hardly these.
        | {"CPU s, Python and PostgreSQL": work.get(way, "")}
        for way, seconds in middle.items()
    ]
    ratios = measuring.middle(
        {"lean": each[OURS] / each[LEANEST], "whole": each[WHOLE] / each[LEANEST]}
        | {way: each[way] / each[OURS] for way in (SAME_TABLES, ONE_TABLE, BLIND)}
        for each in rounds
    )
    targets = [
        Target("times calamine, COPY, one merge", ratios["lean"], 3, is_ceiling=True),
        Target("times as fast as django-import-export in bulk mode, into the same tables", ratios[SAME_TABLES], 20),
    ]
    notes = {
        "times the processor seconds of the leanest": work[OURS] / work[LEANEST],
        "times the leanest, upload and preview included": ratios["whole"],
        "times as fast as django-import-export in bulk mode into one flat table": ratios[ONE_TABLE],
        "times as fast as the same that looks nobody up": ratios[BLIND],
    }
    return Report(sizes, rows, targets, notes, {"methods": METHODS, "rounds": rounds, "CPU seconds": worked})


def _round(large: Path, small: Path, sizes: dict[str, int]) -> tuple[dict[str, float], ...]:
    """Seconds, peak memory and processor seconds of each way; times of the slow one are scaled to the large file."""
    seconds: dict[str, float] = {}
    memory: dict[str, float] = {}
    cpu: dict[str, float] = {}
    programs = [measuring.myself(), measuring.postgres()]

    def measured(way: str, work: Callable[[], object]) -> None:
        measuring.settle_disk()
        before = measuring.cpu_seconds(programs)
        with measuring.peak_memory(lambda: [measuring.myself()]) as peak:
            seconds[way] = seconds_of(work)
        memory[way], cpu[way] = peak.together, measuring.cpu_seconds(programs) - before

    measuring.empty(PlainCustomer._meta.db_table)
    measured(LEANEST, lambda: lean_import.load(large))
    _expect(PlainCustomer.objects.count(), sizes["rows"])

    measuring.empty(*OUR_TABLES)
    watch = Stopwatch()
    imported = upload(large)
    before = watch.seconds
    imports.start(imported)
    measured(OURS, lambda: imports.run(imported.pk, now=clock.now))
    seconds[WHOLE] = before + seconds[OURS]
    _expect(Customer.objects.count(), sizes["rows"])

    slow, factor = sizes["rows for the slow one"], sizes["rows"] / sizes["rows for the slow one"]
    measuring.empty(*OUR_TABLES)
    measured(SAME_TABLES, lambda: stock_tables.load(small))
    seconds[SAME_TABLES] *= factor
    cpu[SAME_TABLES] *= factor
    _expect(ContactPoint.objects.values("customer").distinct().count(), slow)
    for way, resource in ((ONE_TABLE, stock_import.BulkResource), (BLIND, stock_import.BlindResource)):
        measuring.empty(PlainCustomer._meta.db_table)
        measured(way, lambda: stock_import.load(small, resource))  # noqa: B023 - called at once
        seconds[way] *= factor
        cpu[way] *= factor
        _expect(PlainCustomer.objects.count(), slow)
    return seconds, memory, cpu


def upload(path: Path):
    """Store and read the file as the page does."""
    with path.open("rb") as handle:
        chunks = iter(lambda: handle.read(CHUNK_BYTES), b"")
        imported = imports.upload(chunks, file_name=path.name, by=None, now=clock.now())
    imports.read(imported, now=clock.now())
    return imported


def _expect(found: int, wanted: int) -> None:
    if found != wanted:
        raise RuntimeError(f"{wanted} customers should be there; there are {found}.")
