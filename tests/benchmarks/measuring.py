"""Seconds, processor time and memory of whole trees of processes."""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

import psutil
from django.db import connection

MEGABYTE = 1024 * 1024
# Often enough to see a process that lives for a second.
SAMPLED_EVERY = 0.1


@dataclass(frozen=True)
class Scale:
    """How large the runs are: full for figures, quick for a look, tiny to try the benchmark itself."""

    size: str
    rounds: int

    def of(self, full: int, quick: int, tiny: int) -> int:
        """The number for this size."""
        return {"full": full, "quick": quick, "tiny": tiny}[self.size]


class Stopwatch:
    """Seconds since it was made, by the clock and of this process's own work."""

    def __init__(self):
        self._began = time.perf_counter()
        self._worked = time.process_time()

    @property
    def seconds(self) -> float:
        """So far."""
        return time.perf_counter() - self._began

    @property
    def work(self) -> float:
        """Processor seconds of this process, which other programs on the machine do not stretch."""
        return time.process_time() - self._worked


def seconds_of(work: Callable[[], Any]) -> float:
    """How long a piece of work takes."""
    watch = Stopwatch()
    work()
    return watch.seconds


def middle(rounds: Iterable[dict[str, Any]]) -> dict[str, float]:
    """The median of each figure of several rounds."""
    found = list(rounds)
    return {name: median(figures[name] for figures in found) for name in found[0]}


def tree(root: psutil.Process) -> list[psutil.Process]:
    """A process and all below it that live."""
    try:
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(roots: Iterable[psutil.Process]) -> float:
    """Processor time of some trees, with that of children that ended and were buried."""
    total = 0.0
    for root in roots:
        for process in tree(root):
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system + times.children_user + times.children_system
    return total


def postgres() -> psutil.Process:
    """The server behind this connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int")
        return psutil.Process(cursor.fetchone()[0])


def myself() -> psutil.Process:
    """This process."""
    return psutil.Process(os.getpid())


@dataclass
class Peak:
    """The most memory that was seen, in megabytes: of one process, and of all together."""

    largest: float = 0.0
    together: float = 0.0


@contextmanager
def peak_memory(roots: Callable[[], Iterable[psutil.Process]]) -> Iterator[Peak]:
    """Watch the memory of some trees for as long as the block lasts."""
    peak, is_over = Peak(), threading.Event()

    def look() -> None:
        sizes = [_resident(process) for root in roots() for process in tree(root)]
        peak.largest = max([peak.largest, *sizes])
        peak.together = max(peak.together, sum(sizes))

    def watch() -> None:
        while not is_over.wait(SAMPLED_EVERY):
            look()

    look()
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        is_over.set()
        watcher.join()


def _resident(process: psutil.Process) -> float:
    try:
        return process.memory_info().rss / MEGABYTE
    except psutil.NoSuchProcess:
        return 0.0


def settle_disk() -> None:
    """Let no round pay for the writing of the one before."""
    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")


def empty(*tables: str) -> None:
    """Forget the rows of some tables and whatever points at them."""
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(tables)} CASCADE")
