"""Taking an import back: what it removes, restores and leaves."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction

from campaigns.models import Segment
from customers import clock
from customers.choices import Channel, ConsentSource, ImportStatus
from customers.models import (
    Consent,
    ConsentChange,
    ContactPoint,
    Customer,
    CustomerTag,
    ImportedChange,
    ImportedRow,
    SpreadsheetImport,
    Suppression,
    Tag,
    Tier,
    UndoFinding,
)
from customers.services import consent, customers, import_run, import_undo, imports, privacy
from tests import cast
from tests.customers.files import imported, table, undone, uploaded

LI_NA = {"姓名": "李娜", "手机号": "13800000001"}
YES = {"短信同意": "是", "邮件同意": "是"}


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """A directory of the test's own for uploaded files."""
    settings.UPLOADS = tmp_path / "uploads"
    return settings.UPLOADS


def shop() -> dict[str, list]:
    """All that an import may touch, by what it means and not by its numbers."""
    return {
        "customers": list(Customer.objects.order_by("pk").values()),
        "addresses": list(
            ContactPoint.objects.order_by("pk").values("customer_id", "channel", "address", "is_primary", "created_at")
        ),
        "consents": sorted(Consent.objects.values_list("customer_id", "channel", "purpose", "status", "changed_at")),
        "tags": sorted(CustomerTag.objects.values_list("customer_id", "tag_id")),
        "words": [
            sorted(Tag.objects.values_list("name", flat=True)),
            sorted(Tier.objects.values_list("name", "rank")),
        ],
    }


def test_customers_that_the_import_created_are_removed_with_all_they_had(db):
    before = shop()
    file = imported(table({**LI_NA, **YES, "邮箱": "a@example.com", "标签": "VIP", "会员等级": "金卡"}))

    undone(file)

    assert file.status == ImportStatus.UNDONE
    assert shop() == before
    assert file.undo_counts == {"removed": 1, "consents": 1, "rows": 1, "tag_words": 1, "tiers": 1}


def test_what_the_import_changed_of_known_customers_is_as_it_was(db):
    imported(
        table({**LI_NA, "城市": "杭州", "标签": "老客", "会员等级": "银卡", "生日": "1990-05-31", "会员编号": "M1"})
    )
    before = shop()
    row = {
        "手机号": "13800000099",
        "会员编号": "M1",
        "姓名": "李小娜",
        "城市": "宁波",
        "标签": "VIP",
        "会员等级": "金卡",
    }
    file = imported(table({**row, "生日": "06-01", "邮箱": "li.na@example.com", **YES}))
    assert shop() != before

    undone(file)

    assert shop() == before
    assert not ImportedChange.objects.filter(spreadsheet_import=file).exists()


def test_what_somebody_changed_since_is_kept_and_listed(db):
    imported(table({**LI_NA, "城市": "杭州", "会员编号": "M1"}))
    file = imported(table({**LI_NA, "姓名": "李小娜", "城市": "宁波"}))
    Customer.objects.update(city="温州", updated_at=clock.now())

    undone(file)

    customer = Customer.objects.get()
    assert (customer.name, customer.city) == ("李娜", "温州")
    finding = UndoFinding.objects.get()
    assert (finding.kind, finding.number, finding.customer_id, finding.field) == ("conflict", 2, customer.pk, "city")
    assert (finding.ours, finding.before, finding.present) == ("宁波", "杭州", "温州")


def test_a_birthday_is_restored_whole_or_not_at_all(db):
    imported(table({**LI_NA, "生日": "1990-05-31"}))
    file = imported(table({**LI_NA, "生日": "1991-06-01"}))
    Customer.objects.update(birth_day=2, updated_at=clock.now())

    undone(file)

    assert Customer.objects.values_list("birth_year", "birth_month", "birth_day").get() == (1991, 6, 2)
    assert UndoFinding.objects.values_list("ours", "before", "present").get() == (
        "1991-06-01", "1990-05-31", "1991-06-02",
    )  # fmt: skip


@pytest.mark.parametrize("order", ["later first", "earlier first"])
def test_two_imports_of_one_customer_are_undone_in_either_order(db, order):
    imported(table({**LI_NA, "城市": "杭州", "标签": "老客"}))
    before = shop()
    first = imported(table({**LI_NA, "城市": "宁波", "标签": "VIP", "邮箱": "a@example.com"}))
    second = imported(table({**LI_NA, "城市": "温州", "标签": "大客户", "邮箱": "b@example.com"}))

    for file in (second, first) if order == "later first" else (first, second):
        undone(file)

    if order == "later first":
        assert shop() == before
        assert not UndoFinding.objects.exists()
    else:
        # What the later import wrote over the earlier one goes back to what it found, and is told.
        assert Customer.objects.get().city == "宁波"
        assert set(UndoFinding.objects.values_list("spreadsheet_import", "field")) == {
            (first.pk, "city"), (first.pk, "main:email"),
        }  # fmt: skip
        assert shop()["tags"] == before["tags"]
        assert not ContactPoint.objects.filter(channel="email").exists()


def test_the_main_address_of_before_is_the_main_one_again(db):
    imported(table({**LI_NA, "会员编号": "M1"}))
    file = imported(table({"手机号": "13800000099", "会员编号": "M1"}))

    undone(file)

    assert list(ContactPoint.objects.values_list("address", "is_primary")) == [("13800000001", True)]


def test_where_the_main_address_of_before_is_gone_the_last_one_left_is_the_main_one(db):
    imported(table({**LI_NA, "会员编号": "M1"}))
    imported(table({"手机号": "13800000088", "会员编号": "M1"}))
    file = imported(table({"手机号": "13800000099", "会员编号": "M1"}))
    ContactPoint.objects.filter(address="13800000088").delete()

    undone(file)

    assert list(ContactPoint.objects.values_list("address", "is_primary")) == [("13800000001", True)]


def test_a_main_address_that_somebody_chose_stays(db):
    imported(table({**LI_NA, "会员编号": "M1"}))
    file = imported(table({"手机号": "13800000099", "会员编号": "M1"}))
    customer = Customer.objects.get()
    customers.save(customer, addresses={Channel.SMS: "13800000077"}, tags=None, now=clock.now())

    undone(file)

    points = ContactPoint.objects.order_by("pk").values_list("address", "is_primary")
    assert list(points) == [("13800000001", False), ("13800000077", True)]
    assert UndoFinding.objects.get().field == "main:sms"


def test_a_customer_number_that_somebody_else_has_by_now_is_not_taken_away(db):
    imported(table({**LI_NA, "会员编号": "M1"}))
    file = imported(table({**LI_NA, "会员编号": "M2"}))
    newcomer = cast.chen_jie()
    Customer.objects.filter(pk=newcomer.pk).update(external_id="M1")

    undone(file)

    assert list(Customer.objects.order_by("pk").values_list("external_id", flat=True)) == ["M2", "M1"]
    assert UndoFinding.objects.get().field == "external_id"


def test_customer_numbers_that_went_round_within_a_file_come_back(db, monkeypatch):
    monkeypatch.setattr(import_run, "CHUNK_ROWS", 1)
    monkeypatch.setattr(import_run, "FIRST_CHUNK_ROWS", 1)
    phones = ["13800000001", "13800000002", "13800000003"]
    imported(table(*({"手机号": phone, "会员编号": f"M{place}"} for place, phone in enumerate(phones))))
    before = shop()
    numbers = ["M9", "M0", "M1"]
    file = imported(table(*({"手机号": p, "会员编号": n} for p, n in zip(phones, numbers, strict=True))))
    assert list(Customer.objects.order_by("pk").values_list("external_id", flat=True)) == numbers

    undone(file)

    assert shop() == before


def test_consent_that_the_file_brought_is_taken_back_with_evidence(db):
    person = cast.chen_jie()
    owner = User.objects.create_superuser("owner")
    file = imported(table({"手机号": "13800000004", "短信同意": "是"}), name="会员.csv")

    undone(file, by=owner)

    assert not Consent.objects.exists()
    last = ConsentChange.objects.filter(customer=person, purpose="marketing").latest("pk")
    assert (last.status, last.source, last.wording, last.actor) == ("retracted", "undo", "会员.csv", owner)
    assert last.spreadsheet_import == file
    again = imported(table({"手机号": "13800000004", "短信同意": "是"}))
    assert again.counts["consent:grant"] == 1


def test_consent_that_was_given_again_later_is_kept_and_listed(db):
    person = cast.chen_jie()
    staff = User.objects.create_superuser("owner")
    file = imported(table({"手机号": "13800000004", "短信同意": "是"}))
    consent.withdraw([person.pk], channels=[Channel.SMS], source=ConsentSource.REPLY, now=clock.now())
    consent.grant(
        [person.pk], channels=[Channel.SMS], purposes=["marketing"], source=ConsentSource.STAFF, wording="门店",
        by=staff, now=clock.now(),
    )  # fmt: skip

    undone(file)

    assert set(Consent.objects.values_list("purpose", "status")) == {("marketing", "granted"), ("care", "withdrawn")}
    assert set(UndoFinding.objects.values_list("kind", "field")) == {
        ("conflict", "consent:sms"), ("opt_out", "consent:sms"),
    }  # fmt: skip


def test_an_opt_out_that_the_file_brought_is_not_undone(db):
    """Neither of a known customer, nor of one who is removed: the address stays closed for the next file."""
    cast.li_na()
    file = imported(table({**LI_NA, "短信同意": "退订"}, {"手机号": "13800000005", "短信同意": "退订"}))

    undone(file)

    assert set(Consent.objects.filter(channel="sms").values_list("status", flat=True)) == {"withdrawn"}
    assert not ContactPoint.objects.filter(address="13800000005").exists()
    closed = Suppression.objects.get()
    assert (closed.address, closed.scope, closed.reason) == ("13800000005", "marketing", "opted_out")
    assert file.undo_counts["opt_out"] == 2
    again = imported(table({"手机号": "13800000005", "短信同意": "是"}))
    assert again.counts["consent:kept"] == 1


def test_an_address_that_is_taken_from_somebody_who_opted_out_stays_closed(db):
    wang_wei = cast.wang_wei()
    Customer.objects.filter(pk=wang_wei.pk).update(external_id="M1")
    file = imported(table({"手机号": "13800000099", "会员编号": "M1"}))

    undone(file)

    assert Suppression.objects.get().address == "13800000099"
    assert set(Consent.objects.values_list("status", flat=True)) == {"withdrawn"}


def test_the_preview_of_an_undo_tells_what_it_then_does(db):
    imported(table({**LI_NA, "城市": "杭州"}, {"手机号": "13800000002", "标签": "老客"}))
    file = imported(
        table(
            {**LI_NA, "城市": "宁波", "标签": "VIP", **YES}, {"手机号": "13800000002", "城市": "温州"},
            {"手机号": "13800000003", **YES}, {"手机号": "13800000004", "短信同意": "退订"},
        )
    )  # fmt: skip
    Customer.objects.filter(name="李娜").update(city="舟山", updated_at=clock.now())
    before = shop()

    told = import_undo.preview(file)
    assert shop() == before
    undone(file)

    assert told == {
        "removed": 2, "restored": 2, "fields": 1, "tags": 1, "consents": 2, "conflict": 1, "opt_out": 1
    }  # fmt: skip
    assert file.undo_counts == {**told, "rows": 4, "tag_words": 1}


def test_a_tag_or_tier_that_is_used_by_others_stays(db):
    file = imported(table({**LI_NA, "标签": "VIP,一次性,分组用", "会员等级": "金卡"}))
    other = cast.chen_jie()
    CustomerTag.objects.create(customer=other, tag=Tag.objects.get(name="VIP"))
    Tier.objects.update(rank=3)
    tag = Tag.objects.get(name="分组用")
    Segment.objects.create(name="常客", conditions=[[{"field": "tag", "operator": "any", "value": [tag.pk]}]])

    undone(file)

    assert shop()["words"] == [["VIP", "分组用"], [("金卡", 3)]]


def test_an_erased_customer_leaves_no_trace_in_what_an_import_changed(db):
    """X06."""
    person = cast.li_na()
    file = imported(table({**LI_NA, "姓名": "李小娜", "城市": "宁波"}))
    Customer.objects.update(city="温州", updated_at=clock.now())
    UndoFinding.objects.create(
        spreadsheet_import=file, number=2, customer=person, kind="conflict", field="city", ours="宁波", present="温州"
    )

    privacy.erase(person.pk, by=User.objects.create_superuser("owner"), now=clock.now())
    undone(file)

    assert not ImportedChange.objects.exists()
    assert not UndoFinding.objects.exclude(ours="", before="", present="").exists()
    row = ImportedRow.objects.get(spreadsheet_import=file)
    assert (row.name, row.phone) == ("", "")
    person.refresh_from_db()
    assert (person.name, person.city) == ("", "")


def test_after_thirty_days_nothing_is_kept_and_nothing_can_be_undone(db):
    imported(table(LI_NA))
    file = imported(table({**LI_NA, "城市": "宁波"}))
    later = clock.now() + timedelta(days=30, minutes=1)
    stored = imports.path_of(file)

    with pytest.raises(import_undo.CannotUndo, match="30"):
        import_undo.start(file, by=None, now=later)
    imports.purge(later)

    file.refresh_from_db()
    assert not stored.exists() and file.stored_name == ""
    assert not ImportedChange.objects.exists()
    assert not import_undo.is_undoable(file, now=clock.now())


def test_an_undo_that_has_begun_keeps_what_it_needs(db):
    imported(table(LI_NA))
    file = imported(table({**LI_NA, "城市": "宁波"}))
    import_undo.start(file, by=None, now=clock.now())

    imports.purge(clock.now() + timedelta(days=31))
    import_undo.run(file.pk, clock=clock.now)

    assert Customer.objects.get().city == ""


def test_an_import_is_undone_once(db):
    file = imported(table(LI_NA))
    import_undo.start(file, by=None, now=clock.now())

    with pytest.raises(import_undo.CannotUndo):
        import_undo.start(SpreadsheetImport.objects.get(pk=file.pk), by=None, now=clock.now())
    assert import_undo.run(file.pk, clock=clock.now)
    assert import_undo.run(file.pk, clock=clock.now) == {}
    with pytest.raises(import_undo.CannotUndo):
        import_undo.start(SpreadsheetImport.objects.get(pk=file.pk), by=None, now=clock.now())


def test_the_part_of_a_failed_import_that_came_in_can_be_undone(db, monkeypatch):
    monkeypatch.setattr(import_run, "FIRST_CHUNK_ROWS", 1)
    file = imported(table(LI_NA, {"手机号": "13800000002"}))
    SpreadsheetImport.objects.filter(pk=file.pk).update(status=ImportStatus.FAILED)

    undone(file)

    assert not Customer.objects.exists()


def test_nobody_is_removed_without_an_undo(db):
    file = imported(table(LI_NA))
    person = cast.chen_jie()
    CustomerTag.objects.all().delete()

    for setting, customer_id in [("", person.pk), (str(file.pk), Customer.objects.earliest("pk").pk)]:
        with pytest.raises(DatabaseError, match="customer_is_"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('hongyan.undone_import', %s, true)", [setting])
            cursor.execute("DELETE FROM customers_contactpoint WHERE customer_id = %s", [customer_id])
            cursor.execute("DELETE FROM customers_customer WHERE id = %s", [customer_id])
    assert Customer.objects.count() == 2


def test_a_page_that_was_open_during_the_undo_saves_nothing_over_it(db):
    imported(table({**LI_NA, "标签": "老客"}))
    file = imported(table({**LI_NA, "标签": "VIP"}))
    customer = Customer.objects.get()

    undone(file)

    with pytest.raises(customers.CannotSave):
        customers.hold(customer, seen=customer.updated_at)


def test_replaced_tags_and_cleared_fields_come_back(db):
    imported(table({**LI_NA, "城市": "杭州", "标签": "老客,VIP", "会员等级": "金卡", "生日": "1990-05-31"}))
    before = shop()
    file = uploaded(table({**LI_NA, "城市": "清空", "标签": "新客", "会员等级": "清空", "生日": "清空"}))
    SpreadsheetImport.objects.filter(pk=file.pk).update(options={"tags": "replace", "clear_word": "清空"})
    imports.start(file)
    imports.run(file.pk, now=clock.now)
    assert shop()["tags"] != before["tags"]
    assert (Customer.objects.get().city, Customer.objects.get().birth_month) == ("", None)

    undone(file)

    assert shop() == before
