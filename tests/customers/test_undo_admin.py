"""The pages of an undo: what staff see, click, and cannot do."""

import io
import re
from urllib.parse import urlencode

import openpyxl
import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from customers import clock, jobs
from customers.choices import ImportStatus
from customers.models import Customer, SpreadsheetImport
from tests import cast, staff
from tests.customers.files import imported, table

LI_NA = {"姓名": "李娜", "手机号": "13800000001"}


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """A directory of the test's own for uploaded files."""
    settings.UPLOADS = tmp_path / "uploads"


@pytest.fixture
def marketer(db, empty_queue):
    """The browser of a marketer, who may undo imports."""
    return staff.signed_in("marketer")


def address(file: SpreadsheetImport, name: str = "change") -> str:
    """A page of an import."""
    return reverse(f"admin:customers_spreadsheetimport_{name}", args=[file.pk])


def shown(browser, path: str) -> str:
    """A page, as text."""
    response = browser.get(path)
    assert response.status_code == 200
    return response.content.decode()


def test_an_import_is_undone_from_its_page(marketer):
    cast.customer("王芳", phone="13800000002")
    file = imported(table(LI_NA, {"手机号": "13800000002", "城市": "杭州"}))
    assert "Undo: remove 1 customer, restore 1 customer" in shown(marketer, address(file))
    assert "Yes, undo it: remove 1 customer, restore 1 customer" in shown(marketer, address(file, "undo"))

    marketer.post(address(file, "undo"))
    assert "The import is being undone" in shown(marketer, address(file))
    jobs.undo_imports()

    result = shown(marketer, address(file))
    file.refresh_from_db()
    assert file.status == ImportStatus.UNDONE
    assert (file.undone_by.username, file.undo_started_at is not None) == ("marketer", True)
    assert "Undone by marketer" in result
    assert "1 removed, 1 restored, 0 stay" in shown(marketer, "/admin/customers/spreadsheetimport/")
    assert list(Customer.objects.values_list("name", "city")) == [("王芳", "")]
    assert LogEntry.objects.filter(
        change_message="Undid the import: remove 1 customer, restore 1 customer", user__username="marketer"
    ).exists()


def test_every_number_of_an_undo_leads_to_its_list(marketer):
    wang_fang = cast.customer("王芳", phone="13800000002")
    file = imported(
        table({**LI_NA, "短信同意": "退订"}, {"手机号": "13800000002", "城市": "杭州"}, {"手机号": "13800000003"})
    )
    Customer.objects.filter(pk=wang_fang.pk).update(city="宁波", updated_at=clock.now())
    Customer.objects.filter(contact_points__address="13800000003").update(note="老朋友", updated_at=clock.now())

    for page in (address(file, "undo"), address(file)):
        links = {
            link.replace("&amp;", "&")
            for link in re.findall(r'href="([^"]+undo/findings[^"]+)"', shown(marketer, page))
        }
        if page == address(file):
            assert len(links) == 4
        lists = "".join(shown(marketer, link) for link in links)
        if links:
            assert "Was changed by hand" in lists
            assert "宁波" in lists and "杭州" in lists
            assert "Consent (SMS)" in lists
        marketer.post(address(file, "undo"))
        jobs.undo_imports()


def test_what_was_kept_can_be_downloaded(marketer):
    wang_fang = cast.customer("王芳", phone="13800000002")
    file = imported(table({"手机号": "13800000002", "城市": "杭州"}))
    Customer.objects.filter(pk=wang_fang.pk).update(city="=1+1", updated_at=clock.now())
    marketer.post(address(file, "undo"))
    jobs.undo_imports()

    response = marketer.post(address(file, "undo_report") + "?kind=conflict")

    sheet = openpyxl.load_workbook(io.BytesIO(response.getvalue())).active
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [
        ["Row", "Customer", "Field", "From the import", "Before", "Now, and kept"],
        [2, "王芳", "City", "杭州", "–", "'=1+1"],
    ]
    assert LogEntry.objects.filter(change_message__startswith="Downloaded what the undo left").exists()


def test_who_may_not_undo_is_told_so(db, empty_queue):
    clerk = staff.signed_in("clerk")
    file = imported(table(LI_NA))

    assert "You may not undo imports" in shown(clerk, address(file))
    assert clerk.get(address(file, "undo")).status_code == 403
    assert clerk.post(address(file, "undo")).status_code == 403
    assert clerk.post(address(file, "undo_report")).status_code == 403
    file.refresh_from_db()
    assert file.status == ImportStatus.DONE


def test_a_strange_question_about_what_stays_is_answered_with_a_list(marketer):
    file = imported(table(LI_NA))
    for why in ("\0", "a\0b", "x" * 300, "'", "%"):
        for page in ("0", "-1", "9" * 30, "\0"):
            asked = urlencode({"kind": "stays", "why": why, "p": page})
            assert shown(marketer, f"{address(file, 'undo_findings')}?{asked}")
    assert marketer.get(address(file, "undo_findings") + "?kind=%00").status_code == 404


def test_a_second_click_undoes_nothing_twice(marketer):
    file = imported(table(LI_NA))
    marketer.post(address(file, "undo"))

    again = marketer.post(address(file, "undo"), follow=True)

    assert "nothing was done twice" in again.content.decode()
    jobs.undo_imports()
    assert jobs.undo_imports() == {"undone": 0}
    assert LogEntry.objects.filter(change_message__startswith="Undid").count() == 1


def test_rows_of_removed_customers_lead_nowhere(marketer):
    file = imported(table(LI_NA))
    marketer.post(address(file, "undo"))
    jobs.undo_imports()

    rows = shown(marketer, f"/admin/customers/importedrow/?spreadsheet_import={file.pk}")

    assert "李娜" in rows
    assert "/admin/customers/customer/" not in rows.split("result_list")[-1]
