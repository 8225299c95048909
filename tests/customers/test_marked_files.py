"""The marked file on its way: downloaded, mended, uploaded again, and deleted with the file."""

import csv
import io
from datetime import timedelta
from urllib.parse import quote

import openpyxl
import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from customers import clock, jobs
from customers.choices import ExportStatus, ImportKind, ImportStatus
from customers.models import Customer, ImportedRow, MarkedFile, SpreadsheetImport
from customers.services import imports, marked_files
from tests import cast, staff
from tests.customers import marked_workbooks
from tests.customers.files import SAMPLES, imported, table, uploaded
from tests.customers.locks import at_once

HEADING = "处理办法 / What to do"
LIST = (
    {"姓名": "李娜", "手机号": "13800000001", "生日": "1990-01-01"},
    {"姓名": "王伟", "手机号": "1380000002", "生日": "1990-01-02"},
    {"姓名": "张敏", "手机号": "13800000003", "生日": "1990/2/29"},
    {"姓名": "李娜", "手机号": "13800000001"},
    {"姓名": "陈洁", "邮箱": "chen@example.com"},
)
DECLARED = {"channels": ["sms"], "purposes": ["marketing"], "place": "门店登记表", "given_on": "2026-01-05"}
DECLARED |= {"wording": "我同意接收本店短信", "happened_at": "2026-01-05T00:00:00+08:00", "by_name": "老板"}


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """A directory of the test's own for uploaded files."""
    settings.UPLOADS = tmp_path / "uploads"


@pytest.fixture
def clerk(db, empty_queue):
    """The browser of a clerk, who imports and may not declare consent."""
    return staff.signed_in("clerk")


def marked(file: SpreadsheetImport, *, language: str = "en", **options) -> tuple[MarkedFile, bytes]:
    """A marked file and its bytes."""
    wanted = {"only_marked": False, "as_workbook": False, "by": None} | options
    asked = marked_files.ask(file, language=language, now=clock.now(), **wanted)
    marked_files.write(asked.pk, clock=clock.now)
    asked = MarkedFile.objects.select_related("spreadsheet_import").get(pk=asked.pk)
    return asked, marked_files.path_of(asked).read_bytes()


def remarks(document: bytes) -> list[str]:
    """The last cells of a marked text file, "" where there is none."""
    records = list(csv.reader(io.StringIO(document.decode(), newline="")))
    width = len(records[0])
    return [record[width - 1] if len(record) == width else "" for record in records]


@pytest.mark.django_db
def test_each_row_says_what_to_do_in_the_readers_language():
    file = imported(table(*LIST))

    english, document = marked(file)
    _chinese, in_chinese = marked(file, language="zh-hans")

    assert remarks(document) == [
        f"{HEADING} (#{english.pk})",
        "",
        "● “手机号”: Not eleven digits long. Compare with the original and correct the number.",
        "● “生日”: This day does not exist. Correct the date in the file.",
        "○ Same customer as row 2.",
        "○ “手机号”: No phone number. Fill in the mobile number, or reach this customer another way.",
    ]
    assert remarks(in_chinese)[2].startswith("● “手机号”：") and remarks(in_chinese)[4].startswith("○ ")
    assert (english.rows_to_mend, english.rows_to_know) == (2, 2)


@pytest.mark.django_db
def test_a_list_without_phone_numbers_misses_none():
    file = imported(table({"姓名": "陈洁", "邮箱": "chen@example.com"}, head=("姓名", "邮箱")))

    assert not marked_files.has_something(file) or remarks(marked(file)[1])[1] == ""


@pytest.mark.django_db
def test_before_the_import_the_same_can_be_had():
    file = uploaded(table(*LIST))

    asked, document = marked(file, only_marked=True)

    assert [line[:1] for line in remarks(document)[1:]] == ["●", "●"]
    assert (asked.rows_to_mend, asked.only_marked) == (2, True)
    assert Customer.objects.count() == 0


@pytest.mark.django_db
@pytest.mark.parametrize("only_marked", [False, True])
def test_the_mended_copy_brings_in_exactly_the_mended_rows(only_marked):
    first = imported(table(*LIST))
    _asked, document = marked(first, only_marked=only_marked)
    before = Customer.objects.count()
    mended = document.decode().replace("1380000002", "13800000002")

    copy = uploaded(mended.encode(), name="会员 (marked).csv")
    imports.start(copy)
    imports.run(copy.pk, now=clock.now)

    copy.refresh_from_db()
    assert copy.mends.spreadsheet_import == first and copy.layout_key == first.layout_key
    assert copy.counts["created"] == 1 and copy.counts.get("updated", 0) == 0
    assert Customer.objects.count() == before + 1
    assert ImportedRow.objects.get(spreadsheet_import=copy, outcome="created").phone == "13800000002"


@pytest.mark.django_db
def test_the_review_of_a_mended_copy_says_how_much_is_right(clerk):
    first = imported(table(*LIST))
    _asked, document = marked(first)

    copy = uploaded(document.decode().replace("1380000002", "13800000002").encode())

    page = clerk.get(reverse("admin:customers_spreadsheetimport_change", args=[copy.pk])).content.decode()
    assert copy.preview["mended"] == {"rows": 2, "right": 1}
    assert "2 rows were to be mended, 1 of them are right now." in page
    assert "This is the mended copy of “客户.csv”" in page


@pytest.mark.django_db
def test_what_was_chosen_and_declared_for_the_first_file_is_proposed_for_its_mended_copy():
    owner, marketer = staff.member("superuser"), staff.member("marketer")
    head = ("甲", "手机号", "乙")
    content = table({"甲": "李娜", "手机号": "13800000001", "乙": "1380000002"}, head=head)
    first = uploaded(content, by=owner)
    fields = {0: "note", 1: "phone", 2: "name"}
    imports.review(
        first, fields=fields, declaration=DECLARED | {"by": owner.pk}, kind="", choices={"clear_word": "清空"}
    )
    imports.read(first, now=clock.now())
    imports.start(first)
    imports.run(first.pk, now=clock.now)
    first.refresh_from_db()
    _asked, document = marked(first)

    copy, by_another = uploaded(document, by=owner), uploaded(document, by=marketer)
    by_clerk = uploaded(document, by=staff.member("clerk"))

    assert [column["field"] for column in copy.mapping] == ["note", "phone", "name"]
    assert copy.options["clear_word"] == first.options["clear_word"] == "清空"
    assert copy.declaration["wording"] == DECLARED["wording"] and copy.declaration["by"] == owner.pk
    assert by_another.declaration["by"] == marketer.pk
    assert by_clerk.declaration == {}


@pytest.mark.django_db
def test_a_workbook_goes_round_mended(tmp_path):
    first = imported(marked_workbooks.messy(), name="七月会员.xlsx")
    asked, document = marked(first)
    book = openpyxl.load_workbook(io.BytesIO(document))
    sheet = book.worksheets[0]
    assert sheet["E2"].value == f"{HEADING} (#{asked.pk})"
    assert [row for row in range(3, 12) if sheet.cell(row, 5).value] == [5, 7, 8]
    sheet["B5"], sheet["B7"] = "13800000002", "13800000004"
    target = io.BytesIO()
    book.save(target)

    copy = imported(target.getvalue(), name="七月会员 (marked).xlsx")

    assert copy.counts["created"] == 2 and copy.counts["unchanged"] == 6
    assert Customer.objects.count() == 8


@pytest.mark.django_db
def test_a_duplicate_on_a_further_sheet_is_told_where_the_first_one_stands():
    book = openpyxl.load_workbook(io.BytesIO(marked_workbooks.monthly()))
    book["二月"].append(["13800000003", "宁波", "王三"])
    target = io.BytesIO()
    book.save(target)

    _asked, document = marked(imported(target.getvalue(), name="全年.xlsx"))

    marked_book = openpyxl.load_workbook(io.BytesIO(document))
    assert marked_book["二月"]["D5"].value == "○ Same customer as row 3 of the sheet “二月”."
    assert marked_book["一月"]["D3"].value.startswith("● “手机号”")


@pytest.mark.django_db
def test_a_click_brings_a_small_file_at_once_under_its_own_name(clerk):
    file = imported(table(*LIST), name="七月会员.csv")

    answer = clerk.post(
        reverse("admin:customers_spreadsheetimport_ask_marked", args=[file.pk]), {"rows": "to_mend"}, follow=True
    )

    content = b"".join(answer.streaming_content)
    assert answer.headers["Content-Disposition"] == (
        f"attachment; filename*=utf-8''{quote('七月会员 (rows to mend).csv')}"
    )
    assert len(remarks(content)) == 3
    assert LogEntry.objects.filter(change_message__startswith="Downloaded the marked file").exists()


@pytest.mark.django_db
def test_a_large_file_is_written_by_a_worker_while_the_page_shows_how_far_it_is(clerk, monkeypatch):
    file = imported(table(*LIST))
    monkeypatch.setattr(imports, "READ_AT_ONCE_BYTES", 10)
    progress = reverse("admin:customers_spreadsheetimport_marked_progress", args=[file.pk])

    clerk.post(reverse("admin:customers_spreadsheetimport_ask_marked", args=[file.pk]), {"rows": "all"})
    waiting = clerk.get(progress).content.decode()
    jobs.write_marked_files()
    ready = clerk.get(progress).content.decode()

    asked = MarkedFile.objects.get()
    assert "waiting for a free worker" in waiting and "hx-get" in waiting
    assert "2 rows to mend" in ready and "hx-get" not in ready
    link = reverse("admin:customers_spreadsheetimport_marked_file", args=[file.pk, asked.pk])
    assert link in ready and clerk.get(link).status_code == 200


@pytest.mark.django_db
def test_a_worker_that_died_is_followed_by_one_that_writes_the_file_anew():
    file = imported(table(*LIST))
    asked = marked_files.ask(file, only_marked=False, as_workbook=False, language="en", by=None, now=clock.now())
    past = clock.now() - timedelta(minutes=5)
    assert MarkedFile.objects.filter(pk=asked.pk).lease("0" * 32, now=past, until=past)

    jobs.write_marked_files()

    asked.refresh_from_db()
    assert (asked.status, asked.attempts) == (ExportStatus.DONE, 2)


@pytest.mark.django_db
def test_only_who_may_import_gets_the_file_and_before_the_import_only_its_owner(clerk):
    marketer = staff.member("marketer")
    mine, done = uploaded(table(*LIST), by=marketer), imported(table(*LIST), by=marketer)
    asked, _document = marked(done)
    auditor = staff.signed_in("auditor")
    ask = "admin:customers_spreadsheetimport_ask_marked"
    link = reverse("admin:customers_spreadsheetimport_marked_file", args=[done.pk, asked.pk])

    assert clerk.post(reverse(ask, args=[mine.pk]), {"rows": "all"}).status_code == 403
    assert clerk.get(link).status_code == 200
    assert auditor.get(link).status_code == 403
    assert auditor.post(reverse(ask, args=[done.pk]), {"rows": "all"}).status_code == 403
    other = imported(table({"姓名": "孙丽", "手机号": "13800000009"}))
    crossed = reverse("admin:customers_spreadsheetimport_marked_file", args=[other.pk, asked.pk])
    assert clerk.get(crossed).status_code == 404


@pytest.mark.django_db
def test_the_marked_file_is_deleted_with_the_file(settings):
    waiting, done = uploaded(table(*LIST)), imported(table(*LIST))
    marked(waiting), marked(done)
    lying = settings.UPLOADS / "marked"
    imports.discard(waiting, now=clock.now())

    jobs.purge_marked_files()
    kept = len(list(lying.iterdir()))
    imports.purge(clock.now() + timedelta(days=31))
    marked_files.purge(clock.now() + timedelta(days=31))

    assert (kept, list(lying.iterdir())) == (1, [])
    assert set(MarkedFile.objects.values_list("status", flat=True)) == {ExportStatus.EXPIRED}
    done.refresh_from_db()
    with pytest.raises(marked_files.CannotMarkFile):
        marked_files.ask(done, only_marked=False, as_workbook=False, language="en", by=None, now=clock.now())


@pytest.mark.django_db
def test_the_number_in_a_heading_that_somebody_made_up_leads_nowhere():
    content = table(*LIST).decode().splitlines()
    for number in ("", " (#999999999999999999)", " (#abc)", " (#1"):
        copy = uploaded("\n".join([content[0] + f",{HEADING}{number}", *content[1:]]).encode())
        assert (copy.status, copy.mends) == (ImportStatus.UPLOADED, None)
        assert copy.preview["rows"] == 5


@pytest.mark.django_db
def test_what_somebody_else_is_still_deciding_is_no_first_file_of_ours():
    marketer, clerk = staff.member("marketer"), staff.member("clerk")
    waiting = uploaded(table(*LIST), by=marketer)
    _asked, document = marked(waiting)

    assert uploaded(document, by=clerk).mends is None
    assert uploaded(document, by=marketer).mends is not None
    imports.start(waiting)
    assert uploaded(document, by=clerk).mends is not None


@pytest.mark.django_db
def test_choosing_other_columns_makes_the_file_marked_anew():
    file = uploaded(table(*LIST))
    first, _document = marked(file)
    fields = {column["index"]: column["field"] for column in file.mapping} | {7: None}
    imports.review(file, fields=fields, declaration={}, kind="", choices={})
    imports.read(file, now=clock.now())

    second, document = marked(file)

    assert second.pk != first.pk and second.rows_to_mend == 1
    assert not any("生日" in remark for remark in remarks(document)[1:])


@pytest.mark.django_db
def test_the_same_file_is_not_written_twice():
    file = imported(table(*LIST))

    first, _document = marked(file)
    again, _document = marked(file)

    assert again.pk == first.pk and again.attempts == 1


@pytest.mark.django_db
def test_nobody_else_on_the_server_reads_the_files(settings):
    _asked, _document = marked(imported(table(*LIST)))

    lying = [path for path in settings.UPLOADS.rglob("*") if path.is_file()]

    assert [path.stat().st_mode & 0o777 for path in lying] == [0o600, 0o600]


def test_a_double_click_marks_one_file(transactional_db):
    file = imported(table(*LIST))
    wanted = {"only_marked": False, "as_workbook": False, "language": "en", "by": None, "now": clock.now()}

    first, second = at_once(*[lambda: marked_files.ask(file, **wanted)] * 2)

    assert first == second


@pytest.mark.django_db
def test_an_opt_out_that_won_is_told_of():
    cast.wang_wei()
    file = imported(table({"姓名": "王伟", "手机号": "13800000002", "短信同意": "是"}))

    said = remarks(marked(file)[1])

    assert said[1] == "○ Agrees in the file, but has opted out: the opt-out was kept."


@pytest.mark.django_db
def test_upload_again_through_the_page_goes_on_where_it_stopped(clerk):
    file = imported(table(*LIST))
    _asked, document = marked(file)
    mended = SimpleUploadedFile("again.csv", document.replace(b"1380000002", b"13800000002"))

    clerk.post("/admin/customers/spreadsheetimport/add/", {"file": mended})

    assert SpreadsheetImport.objects.latest("pk").mends.spreadsheet_import == file


@pytest.mark.django_db
def test_an_order_file_comes_back_marked_too_and_hidden_numbers_are_not_the_shops_to_mend():
    content = (SAMPLES / "douyin_orders_sample.csv").read_bytes()
    waiting, done = uploaded(content, name="orders.csv"), imported(content, name="orders.csv")
    assert (waiting.kind, done.status) == (ImportKind.ORDERS, ImportStatus.DONE)

    before, _document = marked(waiting)
    after, document = marked(done)
    copy = uploaded(document, name="orders.csv")

    assert (before.rows_to_mend, before.rows_to_know) == (after.rows_to_mend, after.rows_to_know)
    assert after.rows_to_know > 0
    assert copy.mends == after and copy.kind == ImportKind.ORDERS
    assert copy.preview["mended"].get("rows", 0) == after.rows_to_mend
