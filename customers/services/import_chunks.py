"""Writes the chunks of an import, each in one transaction; two side by side where neither can see the other."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import connection, connections, transaction
from django.db.backends.utils import CursorWrapper

from customers.crash_points import reach
from customers.models import SpreadsheetImport
from customers.services import import_merge, import_plan
from customers.services.import_plan import Batch
from customers.spreadsheets.options import Options

LEASE = timedelta(minutes=2)

# A power cut may take the last chunks with it, all of each; the next attempt goes on behind those that are left. The
# commit that closes the import waits for the disk, for itself and for them.
FOR_ONE_CHUNK = "SET LOCAL work_mem = '32MB'; SET LOCAL jit = off; SET LOCAL synchronous_commit = off"
LOCK = "SELECT pg_advisory_xact_lock(%s)"
# After a chunk that had to wait for the one before it, so many go one by one: its plan was made in vain.
ONE_BY_ONE = 6


class LeaseLost(Exception):
    """Another worker has taken the import over; this one writes nothing more."""


class Work(NamedTuple):
    """What all chunks of one attempt share."""

    file: import_merge.File
    token: UUID
    options: Options
    clock: Callable[[], datetime]


def record_progress(import_id: int, token: UUID, count: int, counts: Counter[str], *, now: datetime) -> None:
    """Add a chunk to the import's numbers; raises LeaseLost, and undoes the chunk, if the lease is another's."""
    leased = SpreadsheetImport.objects.filter(pk=import_id).leased(token)
    imported = leased.select_for_update().first()
    if not imported:
        raise LeaseLost
    leased.update(
        rows_done=imported.rows_done + count,
        rows_total=max(imported.rows_total, imported.rows_done + count),
        counts=Counter(imported.counts) + counts,
        lease_until=now + LEASE,
    )


class Chunks:
    """
    Writes chunks in their order, on connections of its own once there are two to write.

    One backend of PostgreSQL writes for four times as long as this process reads, so that a second processor waited.
    Two chunks are written at the same time if no phone, e-mail address or customer number stands in both and the
    second meets no customer the shop knows: then neither reads what the other writes. The second commits after the
    first, so that a killed worker leaves a beginning of the file and never a hole. A context manager.
    """

    def __init__(self, work: Work):
        self._work = work
        self._lanes: list[_Lane] = []
        self._known_up_to = 0
        self._one_by_one = 0
        self._has_begun = False
        # Whoever writes inside a transaction, as most tests do, is seen by no other connection.
        self.may_pair = not connection.in_atomic_block
        with connection.cursor() as cursor:
            import_plan.prepare(cursor)

    def __enter__(self) -> "Chunks":
        return self

    def __exit__(self, *_error: object) -> None:
        for lane in self._lanes:
            lane.close()

    def write(self, batch: Batch) -> None:
        """Write one chunk."""
        self._one_by_one = max(0, self._one_by_one - 1)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(LOCK, [import_merge.ONE_FILE_AT_A_TIME])
            _stage(cursor, batch)
            self._known_up_to = _plan(cursor, batch, self._work, known_up_to=self._known_up_to)
            _merge(cursor, batch, self._work)
            if not self._has_begun:
                self._has_begun = True
                import_merge.analyze_the_first(cursor)
        reach("after_import_chunk")

    def write_both(self, first: Batch, second: Batch) -> None:
        """Write two chunks, at the same time if that changes nothing."""
        if self._one_by_one or not self.may_pair or first.keys & second.keys:
            self.write(first)
            self.write(second)
            return
        if not self._lanes:
            self._lanes = [_Lane(), _Lane()]
        pair = _Pair(self._work, first, second)
        one, other = self._lanes
        # This transaction does nothing but keep other files away until both have committed.
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(LOCK, [import_merge.ONE_FILE_AT_A_TIME])
            begun: list[Future] = []
            try:
                begun.append(one.submit(pair.write_first, one))
                begun.append(other.submit(pair.write_second, other, begun[0]))
            finally:
                wait(begun)
            for future in begun:
                future.result()
        if pair.had_to_wait:
            self._one_by_one = ONE_BY_ONE


class _Lane:
    """A thread with a connection of its own, and up to which row it knows whom the file has taken."""

    def __init__(self):
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="import")
        self.known_up_to = 0
        self.submit(self._prepare).result()

    def submit(self, work: Callable, *arguments: object) -> Future:
        """Have something done on this connection."""
        return self._thread.submit(work, *arguments)

    def close(self) -> None:
        """Give the connection back."""
        self.submit(connections.close_all).result()
        self._thread.shutdown()

    @staticmethod
    def _prepare() -> None:
        with connection.cursor() as cursor:
            import_plan.prepare(cursor)


class _Pair:
    """Two chunks that are written together; each method runs in the thread of its lane."""

    def __init__(self, work: Work, first: Batch, second: Batch):
        self._work = work
        self._first = first
        self._second = second
        self._first_holds_gate = threading.Event()
        self.had_to_wait = False

    def write_first(self, lane: _Lane) -> None:
        """Write the first chunk, and let the second begin to write once this one waits for nothing any more."""
        with ExitStack() as afterwards:
            afterwards.callback(self._first_holds_gate.set)
            with transaction.atomic(), connection.cursor() as cursor:
                _stage(cursor, self._first)
                lane.known_up_to = _plan(cursor, self._first, self._work, known_up_to=lane.known_up_to)
                _merge(cursor, self._first, self._work, passed=self._first_holds_gate.set)
            reach("after_import_chunk")

    def write_second(self, lane: _Lane, first: Future) -> None:
        """Write the second chunk; raises what stopped the first."""
        with transaction.atomic(), connection.cursor() as cursor:
            _stage(cursor, self._second)
            lane.known_up_to = _plan(cursor, self._second, self._work, known_up_to=lane.known_up_to)
            if import_plan.meets_somebody(cursor):
                self.had_to_wait = True
                first.result()
                import_plan.forget_plan(cursor)
                lane.known_up_to = _plan(cursor, self._second, self._work, known_up_to=lane.known_up_to)
            self._first_holds_gate.wait()
            _merge(cursor, self._second, self._work, after=first)


def _stage(cursor: CursorWrapper, batch: Batch) -> None:
    cursor.execute(FOR_ONE_CHUNK)
    import_plan.empty(cursor)
    import_plan.stage(cursor, batch)


def _plan(cursor: CursorWrapper, batch: Batch, work: Work, *, known_up_to: int) -> int:
    """Plan the staged rows; answers up to which row of the file it is known by now whom they are."""
    known_up_to = import_plan.catch_up(cursor, work.file.import_id, after=known_up_to)
    import_plan.plan(cursor, repeats=batch.repeats, options=work.options)
    return known_up_to


def _merge(
    cursor: CursorWrapper,
    batch: Batch,
    work: Work,
    *,
    passed: Callable[[], None] | None = None,
    after: Future | None = None,
) -> None:
    now = work.clock()
    import_merge.write(cursor, work.file, now=now, passed=passed)
    counts = import_merge.counts(cursor)
    if after:
        after.result()
    record_progress(work.file.import_id, work.token, batch.count, counts, now=now)
