"""Chunks that are written side by side leave what chunks one after the other would have left."""

import pytest
from django.db import connection, transaction

from customers import clock
from customers import jobs as customer_jobs
from customers.choices import ImportStatus
from customers.models import SpreadsheetImport
from customers.services import import_chunks, import_merge, import_run, imports
from tests.customers import import_tables

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = 600
# Nobody in it is known, comes again or refuses: what is written side by side.
STRANGERS = "手机号,姓名,标签,会员等级,短信同意\n" + "".join(
    f"{13700000000 + number},顾客{number},标签{number % 50},等级{number % 9},是\n" for number in range(ROWS)
)


@pytest.fixture(params=[40, 97])
def chunk(request, monkeypatch) -> int:
    """Chunks so small that the file has many of them."""
    monkeypatch.setattr(import_run, "FIRST_CHUNK_ROWS", 20)
    monkeypatch.setattr(import_run, "CHUNK_ROWS", request.param)
    return request.param


@pytest.fixture
def pairs(monkeypatch) -> list[bool]:
    """Whether each pair of chunks that was begun together had to wait."""
    found = []
    write_second = import_chunks._Pair.write_second

    def watched(pair, lane, first):
        try:
            write_second(pair, lane, first)
        finally:
            found.append(pair.had_to_wait)

    monkeypatch.setattr(import_chunks._Pair, "write_second", watched)
    return found


def run(content: bytes) -> dict:
    """Import a file into a shop that knows some of its customers; what it left behind."""
    import_tables.forget()
    import_tables.know_some(ROWS)
    imported = imports.upload([content], file_name="会员.csv", by=None, now=clock.now())
    imports.read(imported, now=clock.now())
    imports.start(imported)
    customer_jobs.run_imports()
    assert SpreadsheetImport.objects.get().status == ImportStatus.DONE
    return import_tables.fingerprints()


@pytest.mark.parametrize("content", [import_tables.file_of(ROWS), STRANGERS.encode()], ids=["messy", "strangers"])
def test_side_by_side_leaves_what_one_after_the_other_leaves(chunk, content, monkeypatch, pairs):
    monkeypatch.setattr(import_chunks, "ONE_BY_ONE", 0)
    side_by_side = run(content)
    assert pairs

    monkeypatch.setattr(
        import_chunks.Chunks, "write_both", lambda chunks, *both: [chunks.write(each) for each in both]
    )

    assert run(content) == side_by_side


def test_strangers_never_wait(chunk, pairs):
    run(STRANGERS.encode())

    assert len(pairs) > 2
    assert not any(pairs)


def test_the_database_has_looked_at_the_first_rows_of_a_shop_before_it_plans_the_next(chunk, monkeypatch):
    looks = []
    analyze = import_merge.analyze
    monkeypatch.setattr(
        import_merge, "analyze", lambda cursor: looks.append(SpreadsheetImport.objects.get().rows_done)
    )
    monkeypatch.setattr(import_merge, "FEW", 10**9)
    run(STRANGERS.encode())
    assert looks == [20]

    monkeypatch.setattr(import_merge, "analyze", analyze)
    with transaction.atomic(), connection.cursor() as cursor:
        import_merge.analyze_the_first(cursor)
        monkeypatch.setattr(import_merge, "FEW", 100)
        monkeypatch.setattr(import_merge, "analyze", lambda cursor: pytest.fail("It has been looked at."))
        import_merge.analyze_the_first(cursor)


def test_customers_whom_the_shop_knows_are_written_one_by_one_after_the_first_wait(chunk, pairs):
    numbers = "".join(f"{13700000000 + number},C{number}\n" for number in range(ROWS))

    run(f"手机号,会员编号\n{numbers}".encode())

    assert pairs[0]
    assert len(pairs) < ROWS // chunk // 2


def test_what_stops_the_first_of_two_chunks_stops_the_second_and_the_file_goes_on_behind_the_last_whole_one(
    chunk, pairs, monkeypatch
):
    undisturbed = run(STRANGERS.encode())
    record = import_chunks.record_progress
    calls = []

    def fails_once(*arguments, **named):
        calls.append(arguments)
        if len(calls) == 4:
            raise RuntimeError("The disk is full.")
        record(*arguments, **named)

    monkeypatch.setattr(import_chunks, "record_progress", fails_once)
    import_tables.forget()
    import_tables.know_some(ROWS)
    imported = imports.upload([STRANGERS.encode()], file_name="会员.csv", by=None, now=clock.now())
    imports.read(imported, now=clock.now())
    imports.start(imported)
    with pytest.raises(RuntimeError):
        imports.run(imported.pk, now=clock.now)
    done = imported.rows.count()
    assert done == 20 + 2 * chunk
    assert set(imported.rows.values_list("number", flat=True)) == set(range(2, done + 2))

    customer_jobs.run_imports()

    assert import_tables.fingerprints() == undisturbed
