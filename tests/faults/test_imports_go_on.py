"""A worker is killed in the middle of an import: its successor ends with the tables of an undisturbed run."""

import pytest

from customers import clock
from customers import jobs as customer_jobs
from customers.choices import ImportStatus
from customers.models import ImportedRow, SpreadsheetImport
from customers.services import imports
from tests.customers import import_tables
from tests.faults import work
from tests.notifications.test_caps import move_clock

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
# A first chunk and two that are begun together; rows of the later ones speak of customers of the first.
ROWS = 12_500


def queued() -> SpreadsheetImport:
    """A messy file that waits for a worker, in a shop that knows some of its customers."""
    import_tables.know_some(ROWS)
    imported = imports.upload([import_tables.file_of(ROWS)], file_name="会员.csv", by=None, now=clock.now())
    imports.read(imported, now=clock.now())
    imports.start(imported)
    return imported


@pytest.mark.parametrize("place", [1, 2])
def test_an_import_whose_worker_was_killed_ends_like_an_undisturbed_one(noon, process_environment, empty_queue, place):
    queued()
    customer_jobs.run_imports()
    undisturbed = import_tables.fingerprints()
    import_tables.forget()

    imported = queued()
    job = {"on": "default", "point": f"after_import_chunk:{place}", "import_id": imported.pk}
    work.work_until_it_dies(process_environment, "customers.jobs.run_import", **job)
    assert 0 < ImportedRow.objects.count() < ROWS
    move_clock(minutes=3)
    customer_jobs.run_imports()

    assert SpreadsheetImport.objects.get().status == ImportStatus.DONE
    assert import_tables.fingerprints() == undisturbed
    assert undisturbed["rows"][0] == ROWS and undisturbed["evidence"][0] > 1_000
