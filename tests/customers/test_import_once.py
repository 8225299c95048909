"""One import, one owner: the same file again, twice confirmed, a form of somebody else, and a column of ids."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, connection, transaction
from django.urls import reverse

from customers import clock, jobs
from customers.choices import ImportStatus
from customers.models import ConsentChange, Customer, SpreadsheetImport
from customers.services import imports
from tests import cast, staff
from tests.customers.files import imported, table, undone, uploaded
from tests.customers.locks import at_once

ADD = "/admin/customers/spreadsheetimport/add/"
LI_NA = {"姓名": "李娜", "手机号": "13800000001"}


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """A directory of the test's own for uploaded files."""
    settings.UPLOADS = tmp_path / "uploads"
    return settings.UPLOADS


@pytest.fixture
def clerk(db, empty_queue):
    """The browser of a clerk, who imports."""
    return staff.signed_in("clerk")


def sent(browser, content: bytes) -> SpreadsheetImport:
    """A file that this person uploaded."""
    browser.post(ADD, {"file": SimpleUploadedFile("客户.csv", content)})
    return SpreadsheetImport.objects.latest("pk")


def confirm(browser, file: SpreadsheetImport, *, form_of: SpreadsheetImport | None = None, **changes):
    """Press “Import” with the form of a file, or with that of another one."""
    form = {f"column-{column['index']}": column["field"] or "" for column in (form_of or file).mapping}
    address = reverse("admin:customers_spreadsheetimport_review", args=[file.pk])
    return browser.post(address, {**form, "action": "import", **changes}, follow=True)


def test_the_same_file_again_brings_nobody_new(db, uploads):
    """S17: the kept file of the first import does not stand in the way."""
    content = table(LI_NA, {"手机号": "13800000002", "城市": "杭州"})
    imported(content)

    again = imported(content)

    assert again.counts == {"unchanged": 2}
    assert Customer.objects.count() == 2
    assert len(list(uploads.iterdir())) == 2


def test_the_same_file_after_its_undo_is_like_the_first_time(db):
    content = table(LI_NA)
    undone(imported(content))

    again = uploaded(content)

    assert again.preview["counts"] == {"created": 1}
    assert not imports.earlier_imports(again).exists()


def test_confirming_twice_or_going_back_imports_once(clerk):
    """S18."""
    file = sent(clerk, table(LI_NA))
    confirm(clerk, file)
    jobs.run_imports()

    after = confirm(clerk, file)
    discarded = clerk.post(reverse("admin:customers_spreadsheetimport_discard", args=[file.pk]), follow=True)

    assert after.status_code == discarded.status_code == 200
    assert "no longer waiting" in after.content.decode()
    assert jobs.run_imports() == {}
    assert Customer.objects.count() == 1
    file.refresh_from_db()
    assert file.status == ImportStatus.DONE


def test_a_form_names_no_file_of_the_disk(clerk, uploads):
    """S19: whatever names a tampered form carries, it is about the file of its address."""
    other = uploaded(table({"手机号": "13800000009"}))
    file = sent(clerk, table(LI_NA))

    confirm(clerk, file, stored_name=other.stored_name, import_file_name="../../etc/passwd", pk=other.pk, id=other.pk)
    jobs.run_imports()

    other.refresh_from_db()
    assert other.status == ImportStatus.UPLOADED
    assert imports.path_of(other).exists()
    assert [customer.name for customer in Customer.objects.all()] == ["李娜"]


def test_the_preview_of_another_person_is_not_ours_to_confirm(clerk):
    """S19: a clerk guesses the number of a marketer's upload."""
    file = sent(staff.signed_in("marketer"), table(LI_NA))

    confirm(clerk, file)

    file.refresh_from_db()
    assert file.status == ImportStatus.UPLOADED
    assert jobs.run_imports() == {}
    assert not Customer.objects.exists()


@pytest.mark.parametrize("head", ["id", "ID", "pk", "customer_id"])
def test_a_column_of_ids_writes_over_nobody(db, head):
    """S20: the number of a row of ours is never taken from a file."""
    li_na = cast.li_na()

    imported(table({head: str(li_na.pk), "姓名": "王伟", "手机号": "13800000008"}, head=[head, "姓名", "手机号"]))

    li_na.refresh_from_db()
    assert li_na.name == "李娜"
    assert Customer.objects.exclude(pk=li_na.pk).get().name == "王伟"


def test_the_history_of_what_staff_did_is_changed_and_deleted_by_nobody(db, empty_queue):
    """X07."""
    owner = staff.signed_in("superuser")
    file = sent(owner, table({**LI_NA, "短信同意": "是"}))
    confirm(owner, file)
    jobs.run_imports()

    attempts = [
        lambda: LogEntry.objects.latest("pk").delete(),
        lambda: LogEntry.objects.update(change_message="nothing"),
        lambda: ConsentChange.objects.latest("pk").delete(),
        lambda: ConsentChange.objects.update(wording="nothing"),
    ]
    for attempt in attempts:
        with pytest.raises(DatabaseError, match="append_only"), transaction.atomic():
            attempt()
    evidence = ConsentChange.objects.latest("pk")
    address = reverse("admin:customers_consentchange_delete", args=[evidence.pk])
    assert owner.post(address, {"post": "yes"}).status_code == 403
    assert owner.post("/admin/admin/logentry/").status_code == 404


def test_a_file_that_is_confirmed_in_its_last_minute_is_not_deleted(transactional_db, uploads):
    file = uploaded(table(LI_NA))
    later = clock.now() + timedelta(hours=2)

    _started, cleared = at_once(lambda: imports.start(file), lambda: imports.purge(later))

    assert cleared == {"files": 0, "rows": 0}
    assert jobs.run_imports() == {"imported": 1}
    assert Customer.objects.get().name == "李娜"


def test_a_file_that_cannot_be_read_keeps_no_import_waiting(db):
    broken, file = uploaded(table(LI_NA)), uploaded(table({"手机号": "13800000002"}))
    SpreadsheetImport.objects.filter(pk=broken.pk).update(preview={}, mapping=[{"no": "column"}])
    imports.start(file)

    with pytest.raises(TypeError):
        jobs.run_imports()

    file.refresh_from_db()
    assert file.status == ImportStatus.DONE


def test_two_workers_do_not_read_the_same_upload(transactional_db):
    file = uploaded(table(LI_NA))
    SpreadsheetImport.objects.filter(pk=file.pk).update(preview={})
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", [imports.READING, file.pk])

    beside = jobs.run_imports()
    other.close()

    assert (beside, jobs.run_imports()) == ({"read": 0}, {"read": 1})


def test_whoever_reads_a_file_too_late_deletes_nothing(db):
    file = uploaded(table(LI_NA))
    late = SpreadsheetImport.objects.get(pk=file.pk)
    imports.start(file)
    imports.path_of(file).write_bytes(b"")

    imports.read(late, now=clock.now())

    assert (late.status, imports.path_of(late).exists()) == (ImportStatus.QUEUED, True)


def test_a_file_whose_columns_were_chosen_anew_in_another_window_waits_for_its_numbers(db):
    file = uploaded(table(LI_NA))
    SpreadsheetImport.objects.filter(pk=file.pk).update(preview={})

    with pytest.raises(imports.CannotImport):
        imports.start(file)

    assert SpreadsheetImport.objects.get().status == ImportStatus.UPLOADED
