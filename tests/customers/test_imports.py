"""Imports: what a file adds, what it leaves alone, and what it must never do."""

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import translation

from customers import clock, jobs
from customers.choices import Channel, ConsentSource, ConsentStatus, ImportStatus
from customers.models import (
    Consent,
    ConsentChange,
    ContactPoint,
    Customer,
    ImportedRow,
    LayoutMemory,
    SpreadsheetImport,
    Suppression,
)
from customers.services import consent, import_columns, import_merge, import_preview, import_run, imports
from tests import cast
from tests.customers.files import SAMPLES, imported, outcomes, table, uploaded

YES = {"短信同意": "是", "邮件同意": "是"}
LI_NA = {"姓名": "李娜", "手机号": "13800000001"}


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """A directory of the test's own for uploaded files."""
    settings.UPLOADS = tmp_path / "uploads"
    return settings.UPLOADS


@pytest.fixture
def owner(db) -> User:
    """Somebody who may declare consent."""
    return User.objects.create_superuser("owner")


@pytest.fixture
def declared(owner) -> dict:
    """A declaration for SMS marketing."""
    return imports.declare(
        channels=["sms"],
        purposes=["marketing"],
        place="门店登记表",
        given_on=clock.shop_date(clock.now()),
        wording="我同意接收本店短信",
        by=owner,
        now=clock.now(),
    )


def everything() -> list:
    """The shop's customers with all that an import may touch."""
    return [
        list(Customer.objects.order_by("pk").values()),
        list(ContactPoint.objects.order_by("pk").values()),
        list(Consent.objects.order_by("pk").values()),
        ConsentChange.objects.count(),
        list(Customer.tags.through.objects.order_by("pk").values()),
    ]


def sms_consent(phone: str) -> set[str]:
    """How SMS consent stands for the owner of a number."""
    return set(
        Consent.objects.filter(customer__contact_points__address=phone, channel="sms").values_list("status", flat=True)
    )


def test_a_row_becomes_a_customer_with_all_that_it_says(db):
    row = {
        **LI_NA,
        "邮箱": "Li.Na@Example.com",
        "会员编号": "M1",
        "城市": "杭州",
        "标签": "VIP,老客",
        "会员等级": "金卡",
    }

    file = imported(table({**row, "生日": "1990-05-31"}))

    customer = Customer.objects.get()
    assert (customer.name, customer.external_id, customer.city, customer.tier.name) == ("李娜", "M1", "杭州", "金卡")
    assert (customer.birth_year, customer.birth_month, customer.birth_day) == (1990, 5, 31)
    assert set(customer.tags.values_list("name", flat=True)) == {"VIP", "老客"}
    assert set(customer.contact_points.values_list("channel", "address", "is_primary")) == {
        ("sms", "13800000001", True),
        ("email", "li.na@example.com", True),
    }
    assert file.status == ImportStatus.DONE
    assert file.counts == {"created": 1}


@pytest.mark.parametrize("sample", ["youzan_customers_sample.csv", "shopify_customers_export_sample.csv"])
def test_the_same_file_twice_changes_nothing(db, sample):
    content = (SAMPLES / sample).read_bytes()
    first = imported(content, name=sample)
    before = everything()

    second = imported(content, name=sample)

    assert everything() == before
    assert second.counts["unchanged"] == first.counts["created"]
    assert "created" not in second.counts and "updated" not in second.counts


def test_the_preview_counts_what_the_import_then_does(db):
    content = (SAMPLES / "shopify_customers_export_sample.csv").read_bytes()

    file = imported(content, name="shopify.csv")
    again = uploaded(content, name="shopify.csv")

    assert file.counts == {"created": 80, "created:empty": 11, "created:not_mainland": 9, "consent:grant": 50}
    assert again.preview["counts"] == {"unchanged": 80, "unchanged:empty": 11, "unchanged:not_mainland": 9}


def test_a_preview_changes_nothing(db):
    cast.li_na()
    before = everything()

    uploaded(table({**LI_NA, "城市": "杭州", **YES}, {"手机号": "13800000077"}))

    assert everything() == before


def test_an_empty_cell_leaves_what_is_known(db):
    imported(table({**LI_NA, "城市": "杭州", "生日": "1990-05-31"}))

    file = imported(table({"手机号": "13800000001", "标签": "VIP"}))

    customer = Customer.objects.get()
    assert (customer.name, customer.city, customer.birth_year) == ("李娜", "杭州", 1990)
    assert outcomes(file) == ["updated"]


def test_a_birthday_without_its_year_keeps_the_year(db):
    imported(table({**LI_NA, "生日": "1990-05-31"}))

    imported(table({**LI_NA, "生日": "05-31"}))
    assert Customer.objects.get().birth_year == 1990

    imported(table({**LI_NA, "生日": "06-01"}))
    assert Customer.objects.values_list("birth_year", "birth_month", "birth_day").get() == (None, 6, 1)


def test_a_known_customer_is_found_by_email_when_there_is_no_phone(db):
    zhang_min = cast.zhang_min()

    file = imported(table({"邮箱": "zhang.min@example.com", "手机号": "13800000003"}))

    assert outcomes(file) == ["updated"]
    assert zhang_min.contact_points.filter(channel="sms", address="13800000003", is_primary=True).exists()


def test_two_people_with_one_email_address_stay_two(db):
    imported(table({"手机号": "13800000011", "邮箱": "family@example.com"}))

    imported(table({"手机号": "13800000012", "邮箱": "family@example.com"}))

    assert Customer.objects.count() == 2


def test_a_new_phone_of_a_customer_number_takes_the_first_place(db):
    imported(table({**LI_NA, "会员编号": "M1"}))

    imported(table({"手机号": "13800000099", "会员编号": "M1"}))

    points = Customer.objects.get().contact_points
    assert points.get(is_primary=True).address == "13800000099"
    assert points.get(is_primary=False).address == "13800000001"


def test_a_customer_number_stays_with_the_one_who_has_it(db):
    imported(table({**LI_NA, "会员编号": "M1"}, {"手机号": "13800000002"}))

    file = imported(table({"手机号": "13800000002", "会员编号": "M1"}))

    assert Customer.objects.get(external_id="M1").name == "李娜"
    assert ImportedRow.objects.get(spreadsheet_import=file).problems[0]["code"] == "number_taken"


def test_the_first_of_two_rows_with_one_phone_counts(db):
    file = imported(table(LI_NA, {"手机号": "138 0000 0001", "姓名": "李小娜"}))

    assert outcomes(file) == ["created", "duplicate"]
    assert ImportedRow.objects.get(outcome="duplicate").duplicate_of == 2
    assert Customer.objects.get().name == "李娜"


def test_rows_of_one_customer_in_different_chunks_are_one_customer(db, monkeypatch):
    monkeypatch.setattr(import_run, "CHUNK_ROWS", 1)
    content = table(LI_NA, {**LI_NA, "姓名": "李小娜"}, {"邮箱": "a@example.com"}, {"邮箱": "a@example.com"})

    file = imported(content)

    assert outcomes(file) == ["created", "duplicate", "created", "duplicate"]
    assert file.counts == {"created": 2, "created:empty": 1, "duplicate": 2, "contradicting": 1}


def test_rows_that_share_a_key_are_planned_as_carefully_as_rows_that_do_not(db):
    row = {"手机号": "13800000051", "邮箱": "family@example.com", "会员编号": "M1"}
    file = imported(table(row, {**row, "手机号": "13800000052"}, {"邮箱": "family@example.com"}, {"会员编号": "M1"}))

    assert outcomes(file) == ["created", "created", "duplicate", "duplicate"]
    rows = ImportedRow.objects.filter(spreadsheet_import=file).order_by("number")
    assert [row.duplicate_of for row in rows] == [None, None, 2, 2]
    assert [bool(row.problems) for row in rows] == [False, True, False, False]
    assert Customer.objects.get(external_id="M1").pk == rows[0].customer_id


def test_a_row_without_any_address_is_rejected_with_its_reason(db):
    file = imported(table(LI_NA, {"姓名": "无名", "手机号": "138****0000"}))

    assert outcomes(file) == ["created", "rejected"]
    assert ImportedRow.objects.get(outcome="rejected").reason == "masked"


def test_a_row_with_a_broken_phone_and_an_email_is_kept(db):
    imported(table({"手机号": "1.38E+10", "邮箱": "a@example.com"}))

    assert list(Customer.objects.get().contact_points.values_list("channel", flat=True)) == ["email"]


def test_a_name_is_stored_as_it_is_written(db):
    names = ["=HYPERLINK(1)", "<script>alert(1)</script>", "{{7*7}}"]

    imported(table(*({"手机号": f"1380000010{place}", "姓名": name} for place, name in enumerate(names))))

    assert sorted(Customer.objects.values_list("name", flat=True)) == sorted(names)


def test_only_a_clear_yes_is_consent(db):
    phones = [f"1380000020{place}" for place in range(5)]
    rows = [
        {"手机号": phone, "短信同意": word}
        for phone, word in zip(phones, ["是", "否", "", "也许", "退订"], strict=True)
    ]

    imported(table(*rows))

    assert [sms_consent(phone) for phone in phones] == [{"granted"}, set(), set(), set(), {"withdrawn"}]


def test_consent_from_a_column_is_written_down_with_the_column(db, owner):
    imported(table({**LI_NA, **YES}), name="会员.csv", by=owner)

    evidence = ConsentChange.objects.filter(channel="sms", purpose="marketing").get()
    assert (evidence.source, evidence.wording, evidence.actor) == (ConsentSource.IMPORT, "会员.csv: “短信同意”", owner)


def test_a_file_without_a_consent_column_brings_none(db):
    imported((SAMPLES / "youzan_customers_sample.csv").read_bytes(), name="youzan.csv")

    assert not Consent.objects.exists()


def test_a_no_takes_back_what_was_given(db):
    cast.li_na()

    file = imported(table({**LI_NA, "短信同意": "否"}))

    assert sms_consent("13800000001") == {"withdrawn"}
    assert file.counts == {"updated": 1, "consent:withdraw": 1}


def test_an_import_never_revives_an_opt_out(db):
    cast.wang_wei()

    file = imported(table({"手机号": "13800000002", **YES}))

    assert sms_consent("13800000002") == {"withdrawn"}
    assert file.counts["consent:kept"] == 1
    assert ImportedRow.objects.get().opt_out_kept


def test_an_import_never_opens_a_closed_address(db):
    Suppression.objects.create(channel="sms", address="13800000001", scope="marketing", reason="opted_out")

    file = imported(table({**LI_NA, **YES}))

    assert sms_consent("13800000001") == set()
    assert file.counts["consent:kept"] == 1


def test_an_import_never_writes_around_an_opt_out_of_the_same_address(db):
    """A second record with the address of somebody who opted out is not a way in."""
    cast.customer("老记录", email="shared@example.com", consent=ConsentStatus.WITHDRAWN)

    imported(table({"手机号": "13800000031", "邮箱": "shared@example.com", **YES}))

    newcomer = Customer.objects.get(contact_points__address="13800000031")
    assert not newcomer.consents.filter(channel="email", status="granted").exists()


def test_an_address_that_the_file_brings_to_somebody_who_opted_out_is_closed_to_all(db):
    cast.customer("老记录", phone="13800000032", email="old@example.com", consent=ConsentStatus.WITHDRAWN)
    rows = [
        {"手机号": "13800000032", "邮箱": "shared@example.com"},
        {"手机号": "13800000033", "邮箱": "shared@example.com", **YES},
    ]

    preview = uploaded(table(*rows)).preview["counts"]
    file = imported(table(*rows))

    newcomer = Customer.objects.get(contact_points__address="13800000033")
    assert set(newcomer.consents.values_list("channel", "status")) == {("sms", "granted")}
    assert preview["consent:kept"] == file.counts["consent:kept"] == 1


def test_a_refusal_in_any_row_of_a_customer_counts(db):
    imported(table({**LI_NA, "短信同意": "是"}, {**LI_NA, "短信同意": "否"}))

    assert "granted" not in sms_consent("13800000001")


def test_a_declaration_is_evidence_under_the_name_of_who_made_it(db, owner, declared):
    imported(table(LI_NA), declaration=declared)

    assert list(Consent.objects.values_list("channel", "purpose", "status")) == [("sms", "marketing", "granted")]
    evidence = ConsentChange.objects.get()
    assert (evidence.source, evidence.actor) == (ConsentSource.DECLARATION, owner)
    assert evidence.wording == "门店登记表: 我同意接收本店短信"


def test_a_declaration_beats_neither_an_opt_out_nor_a_no(db, declared):
    cast.wang_wei()

    file = imported(
        table({"手机号": "13800000002"}, {"手机号": "13800000041", "短信同意": "否"}), declaration=declared
    )

    assert sms_consent("13800000002") == {"withdrawn"}
    assert sms_consent("13800000041") == set()
    assert file.counts["consent:kept"] == 1


def test_an_opt_out_that_arrives_during_the_import_wins(transactional_db, monkeypatch):
    """The customer replies between the reading of consents and the commit, on another connection."""
    file = uploaded(table({**LI_NA, **YES}))
    imports.start(file)
    replied, threads = threading.Event(), []
    take = import_merge.file_consent.take

    def reply():
        consent.withdraw_everywhere(
            "13800000001", channel=Channel.SMS, source=ConsentSource.REPLY, wording="TD", now=clock.now()
        )
        replied.set()
        connection.close()

    def take_while_the_customer_replies(*arguments, **named):
        threads.append(threading.Thread(target=reply))
        threads[0].start()
        assert not replied.wait(0.5)
        return take(*arguments, **named)

    monkeypatch.setattr(import_merge.file_consent, "take", take_while_the_customer_replies)
    imports.run(file.pk, now=clock.now)
    threads[0].join(10)

    assert replied.is_set()
    assert sms_consent("13800000001") == {"withdrawn"}


def test_a_second_worker_finds_nothing_to_do(db):
    file = uploaded(table(LI_NA))
    imports.start(file)
    now = clock.now()
    SpreadsheetImport.objects.filter(pk=file.pk).lease(uuid4(), now=now, until=now + timedelta(minutes=1))

    assert imports.run(file.pk, now=clock.now) == {}
    assert not Customer.objects.exists()


def test_a_worker_that_lost_its_lease_writes_nothing(db, monkeypatch):
    file = uploaded(table(LI_NA))
    imports.start(file)
    stage = import_run.import_plan.stage

    def stage_while_another_takes_over(cursor, rows):
        SpreadsheetImport.objects.filter(pk=file.pk).update(lease_token=uuid4())
        return stage(cursor, rows)

    monkeypatch.setattr(import_run.import_plan, "stage", stage_while_another_takes_over)

    assert imports.run(file.pk, now=clock.now) == {}
    assert not Customer.objects.exists()


def test_a_killed_worker_is_followed_by_one_that_goes_on(db, monkeypatch):
    monkeypatch.setattr(import_run, "CHUNK_ROWS", 2)
    rows = [{"手机号": f"1380000030{place}", "姓名": f"客户{place}"} for place in range(5)]
    file = uploaded(table(*rows, rows[0]))
    imports.start(file)
    write, chunks = import_merge.write, []

    def die_in_the_second_chunk(*arguments, **named):
        chunks.append(1)
        if len(chunks) == 2:
            raise KeyboardInterrupt
        return write(*arguments, **named)

    monkeypatch.setattr(import_merge, "write", die_in_the_second_chunk)
    with pytest.raises(KeyboardInterrupt):
        imports.run(file.pk, now=clock.now)
    assert Customer.objects.count() == 2

    assert jobs.run_imports() == {"imported": 1}

    file.refresh_from_db()
    assert file.status == ImportStatus.DONE
    assert file.counts == {"created": 5, "duplicate": 1}
    assert (file.rows_done, file.rows_total) == (6, 6)


def test_a_file_that_stops_every_worker_is_given_up(db, monkeypatch):
    file = uploaded(table(LI_NA))
    imports.start(file)

    def die(*arguments, **named):
        raise MemoryError

    monkeypatch.setattr(import_merge, "write", die)
    for _attempt in range(import_run.ATTEMPTS):
        with pytest.raises(MemoryError):
            imports.run(file.pk, now=clock.now)
    assert imports.run(file.pk, now=clock.now) == {}

    file.refresh_from_db()
    assert file.status == ImportStatus.FAILED
    assert "3" in file.complaint


def test_starting_twice_is_refused_with_a_sentence(db):
    file = uploaded(table(LI_NA))
    imports.start(file)

    with pytest.raises(imports.CannotImport):
        imports.start(SpreadsheetImport.objects.get(pk=file.pk))


def test_the_uploaded_file_is_for_its_owner_alone_and_kept_for_thirty_days(db, uploads):
    file = uploaded(table(LI_NA), name="../../etc/客户.csv")
    stored = imports.path_of(file)
    assert stored.parent == uploads
    assert stored.stat().st_mode & 0o777 == 0o600
    assert file.file_name == "客户.csv"

    imports.start(file)
    imports.run(file.pk, now=clock.now)

    imports.purge(clock.now() + timedelta(days=29))
    assert stored.exists()
    imports.purge(clock.now() + timedelta(days=31))
    assert not stored.exists()
    file.refresh_from_db()
    assert file.stored_name == ""


def test_an_abandoned_upload_is_deleted_after_an_hour(db):
    """S28: nobody confirmed the preview."""
    file = uploaded(table(LI_NA))
    stored = imports.path_of(file)
    now = clock.now()

    assert imports.purge(now + timedelta(minutes=59))["files"] == 0
    assert imports.purge(now + timedelta(minutes=61))["files"] == 1

    file.refresh_from_db()
    assert not stored.exists()
    assert (file.status, file.preview) == (ImportStatus.DISCARDED, {})


def test_a_file_that_waits_for_a_worker_is_not_deleted(db):
    file = uploaded(table(LI_NA))
    imports.start(file)

    imports.purge(clock.now() + timedelta(days=1))

    assert imports.path_of(file).exists()


def test_rows_forget_people_after_thirty_days(db):
    file = imported(table({**LI_NA, "邮箱": "bad", "会员编号": "M1"}))
    now = clock.now()

    assert imports.purge(now + timedelta(days=29))["rows"] == 0
    assert imports.purge(now + timedelta(days=31))["rows"] == 1

    row = ImportedRow.objects.get(spreadsheet_import=file)
    assert (row.name, row.phone, row.email, row.external_id, row.problems) == ("", "", "", "", [])
    assert Customer.objects.get().name == "李娜"


def test_columns_chosen_once_are_remembered_for_the_layout(db):
    file = uploaded(table(LI_NA))
    columns = import_columns.from_json(file.mapping)
    fields = {column.index: column.field for column in columns} | {4: None, 5: "city", 6: None}
    imports.review(file, fields=fields, declaration={})
    imports.read(file, now=clock.now())
    imports.start(file)
    imports.run(file.pk, now=clock.now)

    again = uploaded(table({"手机号": "13800000055", "标签": "宁波"}))

    assert LayoutMemory.objects.count() == 1
    assert {column["field"]: column["header"] for column in again.mapping}["city"] == "标签"


def test_two_columns_cannot_be_the_same(db):
    file = uploaded(table(LI_NA))

    with pytest.raises(import_columns.CannotMap):
        imports.review(file, fields=dict.fromkeys(range(10), "phone"), declaration={})


def test_a_field_that_does_not_exist_is_refused(db):
    file = uploaded(table(LI_NA))

    with pytest.raises(import_columns.CannotMap):
        imports.review(file, fields={0: "erased_at"}, declaration={})


def test_nobody_declares_consent_without_the_permission(db):
    clerk = User.objects.create_user("clerk")

    with pytest.raises(imports.CannotImport):
        imports.declare(
            channels=["sms"],
            purposes=["marketing"],
            place="门店",
            given_on=clock.shop_date(clock.now()),
            wording="同意",
            by=clerk,
            now=clock.now(),
        )


def test_a_declaration_needs_where_when_and_what(owner):
    with pytest.raises(imports.CannotImport):
        imports.declare(
            channels=["sms"], purposes=["marketing"], place="", given_on=None, wording="", by=owner, now=clock.now()
        )


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"", "empty.csv"),
        (b"%PDF-1.7 nothing", "list.pdf"),
        (b"PK\x03\x04 cut off", "list.xlsx"),
        (b"\x89PNG\r\n\x1a\n", "list.csv"),
        (b"<html><table><tr><td>1</td></tr></table>", "list.xls"),
    ],
    ids=["empty", "pdf", "truncated", "picture", "web page"],
)
def test_what_is_no_customer_file_is_refused_with_a_sentence(db, uploads, content, name):
    file = uploaded(content, name=name)

    assert file.status == ImportStatus.REFUSED
    assert len(file.complaint) > 10
    assert list(uploads.iterdir()) == []


def test_orders_without_numbers_are_refused_where_customers_are_asked_for(db, uploads):
    content = (SAMPLES / "pdd_orders_sample.csv").read_bytes()

    file = uploaded(content, name="pdd.csv", is_kind_chosen=True)

    assert file.status == ImportStatus.REFUSED
    with translation.override("zh-hans"):
        assert "拼多多" in file.complaint


def test_a_file_without_a_phone_column_waits_for_staff_to_choose_one(db):
    file = uploaded(table({"一": "甲"}, head=["一", "二"]))

    assert file.preview["blocked"]
    with pytest.raises(imports.CannotImport):
        imports.start(file)


def test_a_file_that_is_too_large_is_refused(db, settings):
    settings.UPLOAD_MAX_BYTES = 1024 * 1024

    with pytest.raises(imports.CannotImport, match="1"):
        imports.upload([b"x" * 700_000] * 2, file_name="big.csv", by=None, now=clock.now())
    assert not SpreadsheetImport.objects.exists()


def test_nul_bytes_are_left_out_with_a_notice(db):
    file = imported(table(LI_NA).replace("李娜".encode(), "李\0娜".encode()))

    assert Customer.objects.get().name == "李娜"
    assert file.notices


def test_rows_beyond_those_compared_are_read_all_the_same(db, monkeypatch):
    monkeypatch.setattr(import_preview, "COMPARED_ROWS", 1)

    file = uploaded(table(LI_NA, {"手机号": "坏"}))

    assert (file.preview["rows"], file.preview["compared"], file.preview["refused_rows"]) == (2, 1, 1)


def test_an_erased_customer_is_not_found_again(db):
    li_na = cast.li_na()
    Customer.objects.filter(pk=li_na.pk).update(erased_at=clock.now())

    imported(table({**LI_NA, "会员编号": "M1"}))

    assert Customer.objects.present().count() == 1


def test_two_files_at_once_create_nobody_twice(transactional_db):
    rows = [{"姓名": f"客户{place}", "手机号": str(13900000000 + place), **YES} for place in range(400)]
    files = [uploaded(table(*rows)), uploaded(table(*reversed(rows)))]
    for file in files:
        imports.start(file)

    def work(file):
        imports.run(file.pk, now=clock.now)
        connection.close()

    workers = [threading.Thread(target=work, args=[file]) for file in files]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)

    assert Customer.objects.count() == ContactPoint.objects.count() == 400
    assert sorted(SpreadsheetImport.objects.values_list("status", flat=True)) == ["done", "done"]
    assert Consent.objects.filter(channel="sms", status="granted").count() == 800
