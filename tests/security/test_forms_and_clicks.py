"""Forms that carry more than they offer, clicks that come twice at once, and files with strange names."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.contrib import admin
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.urls import reverse

from campaigns.choices import CampaignStatus
from campaigns.models import Segment
from customers import clock
from customers.choices import ImportStatus
from customers.models import SpreadsheetImport
from tests import cast, staff
from tests.campaigns import shop
from tests.customers import files

OUR_APPS = {"customers", "notifications", "campaigns", "auth"}
# What only services, the engine or a superuser may set.
NEVER_TYPED = {
    "status", "launched_at", "finished_at", "scheduled_for", "scheduled_by", "estimate", "problem", "created_by",
    "created_at", "updated_at", "paused_at", "paused_for", "canceled_at", "callback_token", "encrypted_secret",
    "erased_at", "archived_at", "stored_name", "sha256", "declaration", "is_superuser", "user_permissions",
    "actor", "reason", "source", "message",
}  # fmt: skip
# Staff register a signature with the carriers and then say so by hand.
EXCEPTIONS = {("signature", "status")}


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path, empty_queue):
    """A directory of the test's own for uploaded files."""
    settings.UPLOADS = tmp_path / "uploads"
    return settings.UPLOADS


# The pages of an import are left out: they read what they need field by field, and have no form of the model.
@pytest.mark.parametrize("role", ["owner", "marketer", "clerk"])
def test_no_form_has_a_field_that_only_services_may_set(db, rf, role):
    request = rf.get("/")
    request.user = staff.member(role)

    open_fields = {
        (model._meta.model_name, field)
        for model, shown in admin.site._registry.items()
        if model._meta.app_label in OUR_APPS and model is not SpreadsheetImport
        if shown.has_add_permission(request) or shown.has_change_permission(request)
        for fields in (
            shown.get_form(request).base_fields,
            *(formset.form.base_fields for formset, _inline in shown.get_formsets_with_inlines(request)),
        )
        for field in fields
    }

    assert open_fields
    assert {one for one in open_fields if one[1] in NEVER_TYPED} <= EXCEPTIONS


def test_an_upload_takes_nothing_but_the_file(db):
    upload = SimpleUploadedFile("list.csv", files.table({"姓名": "李娜", "手机号": "13800000001"}))
    browser = staff.signed_in("clerk")
    boss = staff.member("owner")
    added = {"status": "done", "created_by": boss.pk, "stored_name": "../x", "declaration": '{"channels": ["sms"]}'}

    browser.post(reverse("admin:customers_spreadsheetimport_add"), {"file": upload} | added)

    imported = SpreadsheetImport.objects.get()
    assert (imported.status, imported.declaration) == (ImportStatus.UPLOADED, {})
    assert imported.created_by.username == "clerk"
    assert len(imported.stored_name) == 32


def at_once(browser, address: str, fields: dict, *, clicks: int = 2) -> list[str]:
    """What several clicks in the same moment were told, each in a thread of its own."""
    together = Barrier(clicks)

    def click(_number) -> str:
        mine = type(browser)(headers={"accept-language": "en"})
        mine.cookies = browser.cookies
        together.wait(10)
        try:
            return mine.post(address, fields, follow=True).content.decode()
        finally:
            connection.close()

    with ThreadPoolExecutor(clicks) as threads:
        return list(threads.map(click, range(clicks)))


def test_two_clicks_in_the_same_moment_schedule_one_campaign(transactional_db):
    shop.account()
    cast.crowd(20)
    draft = shop.draft(planned_for=clock.now() + timedelta(days=1))
    address = reverse("admin:campaigns_campaign_schedule", args=[draft.pk])

    pages = at_once(staff.signed_in("marketer"), address, {"version": draft.version, "seen": 20})

    draft.refresh_from_db()
    assert (draft.status, draft.version) == (CampaignStatus.SCHEDULED, 2)
    assert len(pages) == 2


def test_two_clicks_in_the_same_moment_start_one_import(transactional_db, empty_queue):
    file = files.uploaded(files.table({"姓名": "李娜", "手机号": "13800000001"}), by=staff.member("clerk"))
    form = {f"column-{column['index']}": column["field"] or "" for column in file.mapping} | {"action": "import"}

    at_once(staff.again("clerk"), reverse("admin:customers_spreadsheetimport_review", args=[file.pk]), form)

    file.refresh_from_db()
    assert file.status == ImportStatus.QUEUED
    assert empty_queue.llen("rq:queue:default") == 1


def test_two_saves_in_the_same_moment_do_not_both_win(transactional_db):
    segment = Segment.objects.create(name="Tea")
    address = reverse("admin:campaigns_segment_change", args=[segment.pk])
    form = {"name": "Coffee", "conditions": "[]", "seen": segment.updated_at.isoformat()}

    pages = at_once(staff.signed_in("marketer"), address, form)

    assert sum("Somebody else saved this segment" in page for page in pages) == 1


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\客户.csv", "客户.csv"),
        ("/etc/cron.d/job", "job"),
        ("客" * 300 + ".csv", None),
        ("a\r\nSet-Cookie: x=1.csv", None),
        ("<script>alert(1)</script>.csv", None),
        ("客户\u202evsc.exe", None),
        ("CON", "CON"),
    ],
)
def test_an_uploaded_file_lies_under_a_name_of_ours_whatever_it_was_called(db, uploads, name, shown):
    upload = SimpleUploadedFile("list.csv", files.table({"姓名": "李娜", "手机号": "13800000001"}))
    upload._name = name

    answer = staff.signed_in("clerk").post(reverse("admin:customers_spreadsheetimport_add"), {"file": upload})

    assert answer.status_code == 302
    assert SpreadsheetImport.objects.exists()
    for imported in SpreadsheetImport.objects.all():
        assert [path.name for path in uploads.iterdir()] == [imported.stored_name]
        assert imported.stored_name.isalnum() and len(imported.stored_name) == 32
        assert not {"/", "\\", "\r", "\n", "\u202e"} & set(imported.file_name) and len(imported.file_name) <= 200
        assert shown in (None, imported.file_name)
