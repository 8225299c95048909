"""Files of the size that peers refuse: ours end to end, against the same reader and one plain INSERT … SELECT."""

from collections.abc import Callable
from pathlib import Path

from customers import clock
from customers.choices import ImportStatus
from customers.models import Consent, ConsentChange, Customer
from customers.services import imports
from tests.benchmarks import measuring
from tests.benchmarks.importing import OUR_TABLES, upload
from tests.benchmarks.measuring import Scale, seconds_of
from tests.benchmarks.report import Report, Target, say
from tests.benchmarks.rivals import plain_import
from tests.benchmarks.workbooks import write, write_text

PLAIN, OURS, PREVIEW = "plain", "ours, import", "ours, upload and preview"
METHODS = {
    PLAIN: "the same reader and cell rules, one COPY, and a plain INSERT … SELECT into each of the same tables",
    OURS: "the job that a worker runs, with consent, evidence and what an undo needs",
    PREVIEW: "storing the file and working out its preview",
}
TIMES, MEGABYTES = 3, 500


def run(scale: Scale, place: Path) -> Report:
    """Each way reads each file into empty tables, in turn."""
    sizes = {
        "rows of 10 columns, CSV": scale.of(1_000_000, 100_000, 5_000),
        "rows of 12 columns, XLSX": scale.of(200_000, 20_000, 2_000),
    }
    files = {name: place / f"large-{position}" for position, name in enumerate(sizes)}
    for (name, count), make in zip(sizes.items(), (write_text, write), strict=True):
        make(files[name], count)
    rounds: list[dict[str, float]] = []
    memory: dict[str, float] = {}
    worked: list[dict[str, float]] = []
    for number in range(1, scale.rounds + 1):
        say(f"  round {number} …")
        seconds, cpu = {}, {}
        for name, count in sizes.items():
            for way, (taken, work, peak) in _each_way(files[name], count).items():
                seconds[f"{way}: {name}"], cpu[f"{way}: {name}"] = taken, work
                memory[f"{way}: {name}"] = max(peak, memory.get(f"{way}: {name}", 0.0))
        rounds.append(seconds)
        worked.append(cpu)
    return _report(sizes, rounds, worked, memory)


def _report(
    sizes: dict[str, int], rounds: list[dict[str, float]], worked: list[dict[str, float]], memory: dict[str, float]
) -> Report:
    middle, work = measuring.middle(rounds), measuring.middle(worked)
    rows = [
        {"way": key, "seconds": seconds, "rows per second": sizes[key.split(": ")[1]] / seconds}
        | {"peak MB, worker and child": memory[key], "CPU s, Python and PostgreSQL": work[key]}
        for key, seconds in middle.items()
    ]
    ratios = measuring.middle(
        {name: each[f"{OURS}: {name}"] / each[f"{PLAIN}: {name}"] for name in sizes} for each in rounds
    )
    targets = [Target(f"times the plain way, {name}", ratios[name], TIMES, is_ceiling=True) for name in sizes]
    targets += [
        Target(f"MB, {way}: {name}", memory[f"{way}: {name}"], MEGABYTES, is_ceiling=True)
        for name in sizes
        for way in (OURS, PREVIEW)
    ]
    return Report(sizes, rows, targets, {}, {"methods": METHODS, "rounds": rounds, "CPU seconds": worked})


def _each_way(path: Path, count: int) -> dict[str, tuple[float, float, float]]:
    """Seconds, processor seconds and peak memory of each way."""
    found = {}
    programs = [measuring.myself(), measuring.postgres()]

    def measured(way: str, work: Callable[[], object]) -> None:
        measuring.settle_disk()
        before = measuring.cpu_seconds(programs)
        with measuring.peak_memory(lambda: [measuring.myself()]) as peak:
            seconds = seconds_of(work)
        found[way] = seconds, measuring.cpu_seconds(programs) - before, peak.together

    measuring.empty(*OUR_TABLES)
    measured(PLAIN, lambda: plain_import.load(path, now=clock.now()))
    expected = _counts(count)
    measuring.empty(*OUR_TABLES)
    uploaded = []
    measured(PREVIEW, lambda: uploaded.append(upload(path)))
    (imported,) = uploaded
    imports.start(imported)
    measured(OURS, lambda: imports.run(imported.pk, now=clock.now))
    imported.refresh_from_db()
    if imported.status != ImportStatus.DONE or _counts(count) != expected:
        raise RuntimeError(f"The two ways differ: {expected}, {_counts(count)}.")
    return found


def _counts(wanted: int) -> tuple[int, int, int]:
    """Customers, consents and evidence."""
    found = Customer.objects.count(), Consent.objects.count(), ConsentChange.objects.count()
    if found[0] != wanted:
        raise RuntimeError(f"{wanted} customers should be there; there are {found[0]}.")
    return found
