"""Large exports: written by a worker, one whole file in the end, for one person and one day, and written down."""

import csv
import io
import logging
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.urls import reverse
from rq import Queue
from rq.serializers import JSONSerializer

from customers import clock, jobs
from customers.choices import ExportStatus
from customers.models import Customer, Export
from customers.services import exports
from tests import cast
from tests.customers import shop
from tests.customers.locks import at_once

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]
EXPORT = shop.LIST + "export/"
MANY = exports.AT_ONCE + 1
PERMISSIONS = ("view_customer", "export_customer", "view_full_address")


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path, empty_queue):
    """A directory of the test's own for files."""
    settings.UPLOADS = tmp_path / "uploads"
    return settings.UPLOADS


@pytest.fixture
def owner(db):
    return shop.staff(*PERMISSIONS, name="owner")


@pytest.fixture
def browser(owner):
    return shop.browser(owner)


def asked_for(browser, file_format: str = "csv", **question) -> Export:
    """The export that a click asks for."""
    answer = browser.post(EXPORT, {"format": file_format}, query_params=question)
    export = Export.objects.latest("pk")
    assert answer.url == page_of(export)
    return export


def page_of(export: Export) -> str:
    return reverse("admin:customers_export_change", args=[export.pk])


def download_of(export: Export) -> str:
    return reverse("admin:customers_export_download", args=[export.pk])


def written(export: Export) -> Export:
    """The export after a worker has been at it."""
    jobs.run_export(export_id=export.pk)
    export.refresh_from_db()
    return export


def ready(browser, **question) -> Export:
    cast.crowd(MANY)
    return written(asked_for(browser, **question))


def lines_of(answer) -> list[list[str]]:
    content = b"".join(answer.streaming_content)
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def files_in(uploads) -> list:
    return list((uploads / "exports").glob("*"))


def logged() -> list[tuple[str, str]]:
    return [(entry.user.username, entry.change_message) for entry in LogEntry.objects.order_by("pk")]


def test_a_long_list_is_written_by_a_worker_and_then_downloaded(browser):
    cast.crowd(MANY)

    export = asked_for(browser)
    waiting = shop.sentences(browser.get(page_of(export)))
    written(export)
    page = shop.sentences(browser.get(page_of(export)))
    lines = lines_of(browser.get(download_of(export)))

    assert "waiting for a free worker" in waiting
    assert "The file is ready: 5,001 rows" in page
    assert len({tuple(line) for line in lines}) == MANY + 1
    assert (export.rows_total, export.rows_done, export.status) == (MANY, MANY, ExportStatus.DONE)


def test_a_list_of_five_thousand_is_still_answered_at_once(browser):
    cast.crowd(exports.AT_ONCE)

    assert len(lines_of(browser.post(EXPORT, {"format": "csv"}))) == exports.AT_ONCE + 1
    assert not Export.objects.exists()


def test_the_file_holds_what_the_list_showed_and_not_who_came_later(browser):
    cast.crowd(MANY)
    cast.li_na()
    Customer.objects.exclude(name="李娜").update(city="杭州市")

    export = asked_for(browser, city="杭州市", p="2", _changelist_filters="x")
    Customer.objects.filter(name="李娜").update(city="上海市")
    written(export)

    assert export.described == "city: 杭州市"
    assert "李娜" not in {line[0] for line in lines_of(browser.get(download_of(export)))}


def test_the_progress_is_shown_while_a_worker_writes(browser):
    cast.crowd(MANY)
    export = asked_for(browser)
    bar = reverse("admin:customers_export_progress", args=[export.pk])
    now = clock.now()
    Export.objects.update(
        status="running", lease_until=now + timedelta(minutes=1), started_at=now, rows_total=MANY, rows_done=2000
    )

    assert "2,000 of 5,001 rows are written" in shop.sentences(browser.get(bar))
    Export.objects.update(status="failed", lease_until=None, question="")
    assert browser.get(bar).headers["HX-Refresh"] == "true"


def test_nobody_else_gets_the_file_and_the_attempt_is_written_down(browser):
    export = ready(browser)
    colleague = shop.browser(shop.staff(*PERMISSIONS, name="colleague"))
    clerk = shop.browser(shop.staff(*shop.CLERK))

    for other in (colleague, clerk):
        assert other.get(download_of(export)).status_code == 403
        assert other.get(page_of(export)).status_code == 403
        assert other.post(reverse("admin:customers_export_delete_file", args=[export.pk])).status_code == 403
    attempts = [who for who, what in logged() if what.startswith("Tried to")]
    assert attempts == ["colleague"] * 3 + ["clerk"] * 3
    assert [row.pk for row in colleague.get("/admin/customers/export/").context["cl"].result_list] == []


def test_the_history_shows_who_exported_what_but_hands_out_nothing(browser):
    export = ready(browser)
    auditor = shop.browser(shop.staff("view_export", name="auditor"))

    page = shop.sentences(auditor.get(page_of(export)))

    assert "Only owner can download it" in page
    assert "owner" in shop.sentences(auditor.get("/admin/customers/export/"))
    assert auditor.get(download_of(export)).status_code == 403


@pytest.mark.parametrize("taken", ["export_customer", "view_full_address"])
def test_a_permission_taken_back_closes_the_link(browser, owner, taken):
    export = ready(browser)
    owner.user_permissions.remove(Permission.objects.get(codename=taken))

    assert browser.get(download_of(export)).status_code == 403
    assert logged()[-1][1].startswith("Tried to")


def test_a_permission_taken_back_before_the_worker_comes_stops_the_export(browser, owner, uploads):
    cast.crowd(MANY)
    export = asked_for(browser)
    owner.user_permissions.remove(Permission.objects.get(codename="export_customer"))

    written(export)

    assert export.status == ExportStatus.FAILED
    assert export.complaint == "Whoever asked for it may no longer export this."
    assert files_in(uploads) == []


def test_after_a_day_the_link_is_dead_and_the_file_deleted(browser, uploads):
    export = ready(browser)
    Export.objects.update(expires_at=clock.now())

    late = browser.get(download_of(export), follow=True)
    done = jobs.purge_exports()

    assert "kept for 24 hours" in shop.sentences(late)
    assert done == {"exports": 1}
    assert files_in(uploads) == []
    assert Export.objects.get().status == ExportStatus.EXPIRED
    assert "has been deleted" in shop.sentences(browser.get(page_of(export)))


def test_the_owner_deletes_the_file_before_its_day_is_over(browser, uploads):
    export = ready(browser)

    answer = browser.post(reverse("admin:customers_export_delete_file", args=[export.pk]), follow=True)

    assert "The file is deleted." in shop.sentences(answer)
    assert files_in(uploads) == []
    assert "kept for 24 hours" in shop.sentences(browser.get(download_of(export), follow=True))


def test_a_worker_whose_export_was_deleted_leaves_no_file(browser, uploads):
    cast.crowd(MANY)
    export = asked_for(browser)
    moments = []

    def clock_that_deletes():
        moments.append(clock.now())
        if len(moments) == 3:
            exports.delete_file(export, now=moments[-1])
        return moments[-1]

    assert exports.run(export.pk, clock=clock_that_deletes) == {}
    assert files_in(uploads) == []
    assert Export.objects.get().status == ExportStatus.EXPIRED


def test_the_same_click_twice_writes_one_file(browser):
    cast.crowd(MANY)

    assert asked_for(browser) == asked_for(browser)
    assert asked_for(browser, "xlsx").format == "xlsx"
    assert Export.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_double_click_writes_one_file(owner):
    wanted = {"question": "", "described": "", "file_format": "csv", "by": owner, "now": clock.now()}

    first, second = at_once(*[lambda: exports.ask(exports.KINDS["customers"], **wanted)] * 2)

    assert first == second
    assert Export.objects.count() == 1


def test_nobody_fills_the_disk_by_clicking(browser):
    cast.crowd(MANY)
    Customer.objects.update(city="杭州市")
    for city in (None, "杭州市"):
        for kind in ("csv", "xlsx"):
            answer = browser.post(EXPORT, {"format": kind}, query_params={"city": city} if city else {})

    assert Export.objects.count() == exports.AT_A_TIME
    assert "still being written" in shop.sentences(browser.get(answer.url))


def test_the_timetable_finds_an_export_that_the_queue_has_lost(browser, empty_queue):
    cast.crowd(MANY)
    export = asked_for(browser)
    empty_queue.flushall()

    assert jobs.run_exports() == {"exports": 1}
    assert jobs.run_exports() == {"exports": 0}
    export.refresh_from_db()
    assert export.status == ExportStatus.DONE


def test_an_export_that_stops_three_workers_is_given_up(browser):
    cast.crowd(MANY)
    export = asked_for(browser)
    past = clock.now() - timedelta(hours=1)
    Export.objects.update(status="running", lease_until=past, attempts=3)

    written(export)

    assert export.status == ExportStatus.FAILED
    assert export.complaint.startswith("The export stopped 3 times")


def test_housekeeping_leaves_files_alone_that_are_being_written(browser, uploads):
    export = ready(browser)
    stray = exports.place("stray.part")
    stray.write_bytes(b"half")

    assert jobs.purge_exports() == {"exports": 0}
    assert exports.purge(clock.now() + timedelta(hours=2)) == {"exports": 1}
    assert [path.name for path in files_in(uploads)] == [export.stored_name]


def test_everything_is_written_down_with_its_filter_and_scope(browser):
    export = ready(browser, city="")
    browser.get(download_of(export))

    assert logged() == [
        ("owner", "Asked for an export: Customers as csv. No filter. Whole numbers and addresses."),
        ("owner", "Downloaded the export: Customers, 5,001 rows."),
    ]


def test_no_number_and_no_name_reaches_logs_queue_or_history(
    browser, empty_queue, caplog, django_capture_on_commit_callbacks
):
    caplog.set_level(logging.DEBUG)
    cast.crowd(MANY)
    Customer.objects.update(name="欧阳若曦", note="打13900000001")

    browser.get(shop.LIST, {"q": "13900000001"})
    browser.post(EXPORT, {"format": "csv"}, query_params={"q": "13900000001"})
    browser.post(EXPORT, {"format": "csv"}, query_params={"q": "+86 139-0000-0002"})
    with django_capture_on_commit_callbacks(execute=True):
        export = asked_for(browser, q="欧阳若曦")
    waiting = Queue("default", connection=empty_queue, serializer=JSONSerializer).jobs
    queued = str([(job.func_name, job.args, job.kwargs, job.description) for job in waiting])
    written(export)
    browser.get(download_of(export))

    rows = str([list(Export.objects.values_list()), logged()])
    for text in (caplog.text, queued, rows, export.stored_name):
        assert "欧阳若曦" not in text
        assert "13900000001" not in text
        assert "139-0000-0002" not in text
    assert "customers.jobs.run_export" in queued
    assert "139****0001" in rows


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", ["in_export:2", "before_export_is_done"])
def test_a_killed_worker_leaves_no_half_file_and_the_next_one_writes_it_whole(
    browser, uploads, process_environment, point
):
    cast.crowd(MANY)
    export = asked_for(browser)
    words = f"from customers import jobs; jobs.run_export(export_id={export.pk})"
    environment = process_environment | {"HONGYAN_CRASH_AT": point, "UPLOADS": str(uploads)}
    killed = subprocess.run([sys.executable, "manage.py", "shell", "-c", words], cwd=ROOT, env=environment)

    early = browser.get(download_of(export), follow=True)
    Export.objects.update(lease_until=clock.now() - timedelta(seconds=1))
    jobs.run_exports()
    export.refresh_from_db()

    assert killed.returncode == -9
    assert "still being written" in shop.sentences(early)
    assert (export.status, export.attempts) == (ExportStatus.DONE, 2)
    assert len(lines_of(browser.get(download_of(export)))) == MANY + 1
    exports.purge(clock.now() + timedelta(hours=2))
    assert [path.name for path in files_in(uploads)] == [export.stored_name]
