"""The import pages: what staff see, click, and cannot do."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from customers import clock, doorbell, jobs
from customers.choices import ImportStatus
from customers.models import Consent, ConsentChange, Customer, SpreadsheetImport
from customers.services import imports
from tests import cast, staff
from tests.customers.files import SAMPLES, imported, table

ADD = "/admin/customers/spreadsheetimport/add/"
LI_NA = {"姓名": "李娜", "手机号": "13800000001"}


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """A directory of the test's own for uploaded files."""
    settings.UPLOADS = tmp_path / "uploads"


@pytest.fixture
def clerk(db, empty_queue):
    """The browser of a clerk, who imports and may not declare consent."""
    return staff.signed_in("clerk")


@pytest.fixture
def marketer(db, empty_queue):
    """The browser of a marketer, who may declare consent."""
    return staff.signed_in("marketer")


def upload(browser, content: bytes, name: str = "客户.csv") -> SpreadsheetImport:
    """Upload a file as the page does."""
    response = browser.post(ADD, {"file": SimpleUploadedFile(name, content)})
    assert response.status_code == 302
    return SpreadsheetImport.objects.latest("pk")


def page(browser, file: SpreadsheetImport) -> str:
    """The page of an import, as text."""
    response = browser.get(reverse("admin:customers_spreadsheetimport_change", args=[file.pk]))
    assert response.status_code == 200
    return response.content.decode()


def press(browser, file: SpreadsheetImport, action: str = "import", **changes):
    """Press a button of the review page with the form as it stands."""
    form = {f"column-{column['index']}": column["field"] or "" for column in file.mapping}
    address = reverse("admin:customers_spreadsheetimport_review", args=[file.pk])
    return browser.post(address, {**form, "action": action, **changes}, follow=True)


DECLARED = {
    "channels": ["sms"],
    "purposes": ["marketing"],
    "place": "门店登记表",
    "given_on": "2026-01-05",
    "wording": "我同意接收本店短信",
}


def test_a_clerk_imports_a_file_with_one_click(clerk):
    file = upload(clerk, (SAMPLES / "youzan_customers_sample.csv").read_bytes(), "youzan.csv")
    shown = page(clerk, file)
    assert "Import 84 customers" in shown
    assert "The number is hidden by asterisks" in shown

    press(clerk, file)
    jobs.run_imports()

    result = page(clerk, file)
    file.refresh_from_db()
    assert file.status == ImportStatus.DONE
    assert Customer.objects.count() == 84
    assert "reason=masked" in result


def test_every_number_of_a_result_leads_to_its_rows(clerk):
    file = imported((SAMPLES / "youzan_customers_sample.csv").read_bytes(), name="youzan.csv")

    links = re.findall(r'href="(/admin/customers/importedrow/[^"]+)"', page(clerk, file))

    assert len(links) >= 5
    for link in links:
        response = clerk.get(link.replace("&amp;", "&"))
        assert response.status_code == 200
        assert response.context["cl"].result_count > 0


def test_the_rows_of_a_result_say_what_to_do(clerk):
    cast.wang_wei()
    file = imported(table({"手机号": "13800000002", "短信同意": "是"}, {"手机号": "138****0000"}, LI_NA, LI_NA))

    shown = clerk.get(f"/admin/customers/importedrow/?spreadsheet_import={file.pk}").content.decode()

    assert "the opt-out was kept" in shown
    assert "Export the list again with full numbers" in shown
    assert "Same customer as row 4" in shown


def test_a_double_click_imports_once(clerk):
    file = upload(clerk, table(LI_NA))

    press(clerk, file)
    second = press(clerk, file)

    assert "no longer waiting" in second.content.decode()
    jobs.run_imports()
    assert Customer.objects.count() == 1


def test_a_stale_tab_shows_new_numbers_and_imports_nothing(clerk):
    file = upload(clerk, table({**LI_NA, "城市": "杭州"}))
    city = next(column["index"] for column in file.mapping if column["field"] == "city")
    press(clerk, file, "check", **{f"column-{city}": "province"})

    response = press(clerk, file)

    file.refresh_from_db()
    assert file.status == ImportStatus.UPLOADED
    assert "Nothing is imported yet" in response.content.decode()


def test_a_corrected_column_is_read_anew(clerk):
    file = upload(clerk, table({"称": "李娜", "号": "13800000001", "丙": "杭州"}, head=["称", "号", "丙"]))

    shown = press(clerk, file, "check", **{"column-2": "city", "column-0": "name", "column-1": "phone"})

    assert "“丙” is read as City: you chose this." in shown.content.decode()
    assert "Import 1 customer" in shown.content.decode()


@pytest.mark.parametrize("column", ["password", "erased_at", "id", "total_spent"])
def test_a_tampered_form_is_refused(clerk, column):
    file = upload(clerk, table(LI_NA))

    response = press(clerk, file, **{"column-0": column})

    assert "no longer fits the file" in response.content.decode()
    file.refresh_from_db()
    assert file.status == ImportStatus.UPLOADED


def test_a_form_of_another_file_is_refused(clerk):
    file = upload(clerk, table(LI_NA))
    address = reverse("admin:customers_spreadsheetimport_review", args=[file.pk])

    response = clerk.post(address, {"action": "import", "column-0": "phone"}, follow=True)

    assert "no longer fits the file" in response.content.decode()


def test_a_file_without_a_phone_column_asks_for_one(clerk):
    file = upload(clerk, table({"一": "甲"}, head=["一", "二"]))

    shown = page(clerk, file)

    assert "No column with phone numbers" in shown
    assert 'value="import"' not in shown
    assert "Choose the columns first" in press(clerk, file).content.decode()


def test_what_is_no_spreadsheet_gets_a_sentence(clerk):
    file = upload(clerk, b"\x89PNG\r\n\x1a\n", "photo.csv")

    assert "This is a picture, not a spreadsheet" in page(clerk, file)


def test_no_file_gets_a_sentence(clerk):
    assert "Choose a file first" in clerk.post(ADD, follow=True).content.decode()


def test_a_file_that_is_too_large_gets_a_sentence(clerk, settings):
    settings.UPLOAD_MAX_BYTES = 1024 * 1024

    response = clerk.post(ADD, {"file": SimpleUploadedFile("big.csv", b"x" * 1_100_000)}, follow=True)

    assert "larger than 1 MB" in response.content.decode()
    assert not SpreadsheetImport.objects.exists()


def test_the_same_file_again_is_told_with_its_date(clerk):
    imported(table(LI_NA))

    file = upload(clerk, table(LI_NA))

    assert "This same file was imported on" in page(clerk, file)


def test_a_name_is_shown_and_not_run(clerk):
    names = ["<script>alert(1)</script>", "{{7*7}}", "=1+1"]
    rows = [{"姓名": name, "手机号": f"1380000010{place}"} for place, name in enumerate(names)]

    file = upload(clerk, table(*rows), "<b>x</b>.csv")
    shown = page(clerk, file)

    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "{{7*7}}" in shown
    assert "<b>x</b>" not in shown


def test_a_declaration_shows_its_numbers_before_it_counts(marketer):
    cast.wang_wei()
    file = upload(marketer, table(LI_NA, {"手机号": "13800000002"}))

    press(marketer, file, "check", channels=["sms"], purposes=["marketing"])
    file.refresh_from_db()
    assert file.preview["counts"]["consent:grant"] == 1
    assert file.preview["counts"]["consent:kept"] == 1

    press(marketer, file, **DECLARED)
    jobs.run_imports()

    evidence = ConsentChange.objects.get()
    assert (evidence.source, evidence.actor.username) == ("declaration", "marketer")
    assert "门店登记表" in page(marketer, file)


def test_a_declaration_without_words_is_refused_and_kept_on_the_page(marketer):
    file = upload(marketer, table(LI_NA))

    response = press(marketer, file, **{**DECLARED, "wording": ""})

    shown = response.content.decode()
    assert "in what words the customers agreed" in shown
    assert "门店登记表" in shown
    file.refresh_from_db()
    assert file.status == ImportStatus.UPLOADED


def test_a_clerk_may_not_declare_consent(clerk):
    file = upload(clerk, table(LI_NA))
    assert "Declare that these customers have agreed" not in page(clerk, file)

    response = press(clerk, file, **DECLARED)

    assert "You may not declare consent" in response.content.decode()
    jobs.run_imports()
    assert not Consent.objects.exists()


def test_who_may_not_import_sees_results_only(clerk):
    file = upload(clerk, table(LI_NA))
    auditor = staff.signed_in("auditor")

    assert auditor.get(ADD).status_code == 403
    shown = page(auditor, file)
    assert "13800000001" not in shown
    assert 'value="import"' not in shown
    assert press(auditor, file).status_code == 403


def test_without_a_queue_the_import_is_kept_and_starts_later(clerk, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    doorbell.connection.cache_clear()
    try:
        file = upload(clerk, table(LI_NA))
        response = press(clerk, file)
    finally:
        doorbell.connection.cache_clear()

    assert "the import will start later" in response.content.decode()
    jobs.run_imports()
    assert Customer.objects.count() == 1


def test_a_large_file_is_read_by_a_worker_while_the_page_waits(clerk, monkeypatch):
    monkeypatch.setattr(imports, "READ_AT_ONCE_BYTES", 10)
    file = upload(clerk, table(LI_NA))
    progress = reverse("admin:customers_spreadsheetimport_progress", args=[file.pk])
    assert "The file is being read" in page(clerk, file)
    assert "being read" in clerk.get(progress).content.decode()

    jobs.run_imports()

    assert clerk.get(progress).headers["HX-Refresh"] == "true"
    assert "Import 1 customer" in page(clerk, file)


def test_the_progress_page_tells_how_far_it_is(clerk):
    file = upload(clerk, table(LI_NA))
    press(clerk, file)
    now = clock.now()
    SpreadsheetImport.objects.filter(pk=file.pk).lease(
        "6f0d2a52-0b69-4f43-9f33-3f4c1c4a3a11", now=now - imports.timedelta(seconds=10), until=now
    )
    SpreadsheetImport.objects.filter(pk=file.pk).update(rows_total=100_000, rows_done=50_000)

    shown = page(clerk, file)

    assert "50,000 of 100,000 rows are in" in shown
    assert 'aria-valuenow="50"' in shown
    assert "rows a second" in shown


def test_a_discarded_file_is_deleted_and_written_down(clerk, settings):
    file = upload(clerk, table(LI_NA))

    clerk.post(reverse("admin:customers_spreadsheetimport_discard", args=[file.pk]))

    file.refresh_from_db()
    assert file.status == ImportStatus.DISCARDED
    assert list(settings.UPLOADS.iterdir()) == []
    assert "put aside" in page(clerk, file)


def test_what_staff_do_is_written_down(marketer):
    file = upload(marketer, table(LI_NA))
    press(marketer, file, "check", channels=["sms"], purposes=["marketing"])
    press(marketer, file, **DECLARED)

    told = [entry.change_message for entry in LogEntry.objects.filter(object_id=str(file.pk)).order_by("pk")]

    assert told[0] == "Uploaded a customer file."
    assert "Started the import of 1 row." in told[1]
    assert "我同意接收本店短信" in told[1]


def test_the_list_of_imports_shows_their_results(clerk):
    imported(table(LI_NA))

    shown = clerk.get("/admin/customers/spreadsheetimport/").content.decode()

    assert "1 new, 0 updated, 0 rejected" in shown


def test_rows_without_an_import_lead_to_the_list_of_imports(clerk):
    assert clerk.get("/admin/customers/importedrow/").headers["Location"].endswith("/spreadsheetimport/")
