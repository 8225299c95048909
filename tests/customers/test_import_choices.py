"""What staff choose for a file: its key, what clears a field, what tags do, words of consent; and contradictions."""

import pytest

from customers import clock
from customers.models import Consent, ContactPoint, Customer, ImportedRow, SpreadsheetImport, Tag
from customers.services import imports
from tests import cast, staff
from tests.customers.files import HEAD, outcomes, table, uploaded

LI_NA = {"姓名": "李娜", "手机号": "13800000001"}


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """A directory of the test's own for uploaded files."""
    settings.UPLOADS = tmp_path / "uploads"


@pytest.fixture
def marketer(db, empty_queue):
    """The browser of somebody who may see what became of a file."""
    return staff.signed_in("marketer")


def imported_with(content: bytes, *, fields: dict[str, str] | None = None, **options) -> SpreadsheetImport:
    """A finished import with these choices; `fields` says by header what columns mean."""
    file = uploaded(content)
    mapping = [column | {"field": (fields or {}).get(column["header"], column["field"])} for column in file.mapping]
    SpreadsheetImport.objects.filter(pk=file.pk).update(options=file.options | options, mapping=mapping)
    file.refresh_from_db()
    imports.read(file, now=clock.now())
    expected = dict(file.preview["counts"])
    imports.start(file)
    imports.run(file.pk, now=clock.now)
    file.refresh_from_db()
    kept = {key: count for key, count in file.counts.items() if key != "contradicting"}
    assert kept == expected, "the preview tells what will happen"
    return file


def known(name: str = "", *, phone: str = "", email: str = "", consent: str = "", **fields) -> Customer:
    """A customer whom the shop knows."""
    person = cast.customer(name, phone=phone, email=email, consent=consent)
    Customer.objects.filter(pk=person.pk).update(**fields)
    return person


def problems(file: SpreadsheetImport) -> list[tuple]:
    """(row, code, cell) of what stands in the file's rows."""
    rows = ImportedRow.objects.filter(spreadsheet_import=file).order_by("number")
    return [(row.number, problem["code"], problem["cell"]) for row in rows for problem in row.problems]


def answers(customer: Customer) -> dict[str, str]:
    """How the consents of a customer stand."""
    return {
        f"{channel}:{purpose}": status
        for channel, purpose, status in Consent.objects.filter(customer=customer).values_list(
            "channel", "purpose", "status"
        )
    }


def test_an_empty_cell_leaves_and_the_chosen_word_clears(db):
    li_na = known("李娜", city="杭州", note="喜欢百合", birth_month=5, birth_day=31, phone="13800000001")
    li_na.tags.add(Tag.objects.create(name="老客"))

    imported_with(table(LI_NA | {"城市": "清空", "生日": " 清空 ", "标签": "清空", "会员等级": ""}), clear_word="清空")

    li_na.refresh_from_db()
    assert (li_na.city, li_na.birth_month, li_na.birth_day) == ("", None, None)
    assert (li_na.name, li_na.note) == ("李娜", "喜欢百合")
    assert not li_na.tags.exists()


def test_no_word_clears_an_address_a_number_or_an_answer(db):
    known("李娜", external_id="C1", phone="13800000001", email="a@example.com")

    file = imported_with(table(LI_NA | {"邮箱": "清空", "会员编号": "清空", "短信同意": "清空"}), clear_word="清空")

    assert Customer.objects.get().external_id == "C1"
    assert ContactPoint.objects.filter(channel="email").exists()
    assert {code for _row, code, _cell in problems(file)} == {"not_clearable"}


def test_tags_are_added_or_replaced_as_chosen_and_an_empty_cell_leaves_them(db):
    li_na = known(phone="13800000001")
    li_na.tags.add(Tag.objects.create(name="老客"), Tag.objects.create(name="自提"))

    imported_with(table(LI_NA | {"标签": "自提,新品"}), tags="add")
    assert set(li_na.tags.values_list("name", flat=True)) == {"老客", "自提", "新品"}
    imported_with(table(LI_NA | {"标签": ""}), tags="replace")
    assert li_na.tags.count() == 3
    file = imported_with(table(LI_NA | {"标签": "自提"}), tags="replace")

    assert outcomes(file) == ["updated"]
    assert list(li_na.tags.values_list("name", flat=True)) == ["自提"]


@pytest.mark.parametrize(
    ("key", "found"), [("auto", "phone"), ("phone", "phone"), ("email", "email"), ("external_id", "number")]
)
def test_the_chosen_key_alone_finds_the_customer(db, key, found):
    for name, point in (("phone", {"phone": "13800000001"}), ("email", {"email": "a@example.com"})):
        known(note=name, **point)
    known(note="number", external_id="C1")

    imported_with(table(LI_NA | {"邮箱": "a@example.com", "会员编号": "C1"}), key=key)

    assert Customer.objects.get(name="李娜").note == found
    assert Customer.objects.count() == 3


def test_a_row_without_the_chosen_key_is_told(db):
    file = imported_with(
        table(LI_NA | {"会员编号": "C1"}, {"姓名": "王伟", "手机号": "13800000002"}), key="external_id"
    )

    assert outcomes(file) == ["created", "rejected"]
    assert file.counts["rejected:no_key"] == 1
    assert problems(file) == [(3, "no_key", "")]


def test_two_rows_with_one_key_are_one_customer_whatever_their_phones(db):
    rows = (LI_NA | {"会员编号": "C1"}, {"姓名": "李娜", "手机号": "13800000002", "会员编号": "C1"})

    assert outcomes(imported_with(table(*rows), key="external_id")) == ["created", "duplicate"]


def test_words_of_consent_mean_what_staff_say_and_a_no_is_never_a_yes(db):
    content = table(
        *[
            {"姓名": str(number), "手机号": f"1380000000{number}", "短信同意": word}
            for number, word in enumerate(["VIP", "否", "Ｎ", "已注销", "再说"])
        ]
    )

    imported_with(content, consent_words={"vip": "yes", "否": "yes", "n": "yes", "已注销": "opt_out"})

    statuses = {customer.name: set(answers(customer).values()) for customer in Customer.objects.all()}
    assert statuses == {"0": {"granted"}, "1": set(), "2": set(), "3": {"withdrawn"}, "4": set()}


def test_a_moment_of_opting_out_closes_every_channel(db):
    head = [*HEAD, "退订时间"]
    content = table(
        LI_NA | {"邮箱": "a@example.com", "短信同意": "是", "退订时间": "2026-05-01 10:00"},
        {"姓名": "王伟", "手机号": "13800000002", "短信同意": "是", "退订时间": "-"},
        head=head,
    )

    imported_with(content, fields={"退订时间": "opted_out_at"})

    assert set(answers(Customer.objects.get(name="李娜")).values()) == {"withdrawn"}
    assert set(answers(Customer.objects.get(name="王伟")).values()) == {"granted"}


def test_a_column_for_one_purpose_speaks_for_that_alone(db):
    head = [*HEAD, "短信营销", "短信关怀"]
    wang_wei = known("王伟", phone="13800000002", consent="granted")
    content = table(
        LI_NA | {"短信营销": "是", "短信关怀": ""},
        {"姓名": "王伟", "手机号": "13800000002", "短信营销": "退订", "短信关怀": "是"},
        head=head,
    )

    fields = {"短信营销": "sms_marketing", "短信关怀": "sms_care", "短信同意": ""}
    imported_with(content, fields=fields)

    assert answers(Customer.objects.get(name="李娜")) == {"sms:marketing": "granted"}
    assert {key: status for key, status in answers(wang_wei).items() if key.startswith("sms")} == {
        "sms:marketing": "withdrawn",
        "sms:care": "granted",
    }


def test_a_lunar_birthday_is_kept_as_one(db):
    imported_with(table(LI_NA | {"生日": "农历八月十五"}))
    li_na = Customer.objects.get()
    assert (li_na.birth_calendar, li_na.birth_year, li_na.birth_month, li_na.birth_day) == ("lunar", None, 8, 15)

    imported_with(table(LI_NA | {"生日": "1990-05-31"}))
    li_na.refresh_from_db()
    assert (li_na.birth_calendar, li_na.birth_year, li_na.birth_month) == ("", 1990, 5)


def test_rows_of_one_customer_that_differ_are_listed_and_the_first_counts(db):
    file = imported_with(
        table(
            LI_NA | {"生日": "1990-05-31", "邮箱": "a@example.com"},
            {"手机号": "13800000001", "姓名": "王伟", "生日": "05-31", "邮箱": "A@example.com"},
            {"手机号": "13800000001", "姓名": "李娜", "生日": "1991-05-31"},
            {"手机号": "13800000001", "姓名": "李娜"},
        )
    )

    assert outcomes(file) == ["created", "duplicate", "duplicate", "duplicate"]
    assert problems(file) == [(3, "differs", "王伟"), (4, "differs", "1991-05-31")]
    assert list(ImportedRow.objects.filter(has_conflict=True).values_list("number", flat=True)) == [3, 4]
    assert file.counts["contradicting"] == 2
    assert Customer.objects.get().name == "李娜"


def test_a_row_that_would_be_another_customer_by_its_email_is_listed_and_the_phone_counts(db):
    known("李娜", phone="13800000001")
    known("王伟", phone="13800000002", email="w@example.com")

    file = imported_with(table(LI_NA | {"邮箱": "w@example.com"}))

    assert outcomes(file) == ["updated"]
    assert problems(file) == [(2, "meets_another", "w@example.com")]


def test_an_address_that_a_family_shares_contradicts_nothing(db):
    for phone in ("13800000001", "13800000002"):
        known("李娜", phone=phone, email="home@example.com")

    file = imported_with(table(LI_NA | {"邮箱": "home@example.com"}))

    assert problems(file) == []


def test_contradictions_are_listed_on_the_result_page_and_as_a_file(marketer):
    file = imported_with(table(LI_NA | {"邮箱": "a@example.com"}, {"手机号": "13800000001", "姓名": "=王伟"}))

    page = marketer.get(f"/admin/customers/spreadsheetimport/{file.pk}/change/").content.decode()
    lines = marketer.get(f"/admin/customers/spreadsheetimport/{file.pk}/contradictions/").getvalue().decode()

    assert 'id="contradictions"' in page and "=王伟" in page and "李娜" in page
    assert lines.splitlines()[1].startswith("3,'=王伟,13800000001,")


def test_opt_outs_that_won_over_a_yes_are_listed(marketer):
    known("王伟", phone="13800000002", consent="withdrawn")

    file = imported_with(table({"姓名": "王伟", "手机号": "13800000002", "短信同意": "是"}))
    page = marketer.get(f"/admin/customers/spreadsheetimport/{file.pk}/change/").content.decode()
    link = f"/admin/customers/importedrow/?spreadsheet_import={file.pk}&amp;opt_out_kept=1"
    rows = marketer.get(link.replace("&amp;", "&")).content.decode()

    assert link in page and "王伟" in rows
    assert file.counts["consent:kept"] == 1
