"""The export of customers: by permission, harmless in spreadsheets, written down."""

import csv
import io
import zipfile

import openpyxl
import pytest
from django.contrib.admin.models import LogEntry

from customers.models import Customer, CustomerTag, Tag
from customers.spreadsheets import reader, writing
from tests import cast
from tests.customers import shop

pytestmark = pytest.mark.django_db
EXPORT = shop.LIST + "export/"
XLSX, CSV = "xlsx", "csv"
FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "＝1+1",
    "＋1",
    "－1",
    "＠A1",
    "  =1",
    '=HYPERLINK("http://x")',
]


@pytest.fixture
def owner(db):
    return shop.browser(shop.staff("view_customer", "export_customer", "view_full_address", name="owner"))


def exported(browser, kind: str, **question) -> list[list[str]]:
    """The lines of the file this person gets."""
    response = browser.post(EXPORT, {"format": kind}, query_params=question)
    content = b"".join(response.streaming_content)
    if kind == CSV:
        assert content.startswith(b"\xef\xbb\xbf")
        return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    assert {cell.data_type for row in sheet for cell in row if cell.value is not None} <= {"s", "d"}
    return [[cell.value or "" for cell in row] for row in sheet]


@pytest.mark.parametrize("kind", [XLSX, CSV])
def test_the_file_holds_the_customers_as_text(owner, kind):
    person = cast.customer("李娜", phone="13812348000", email="li.na@example.com", consent="granted")
    Customer.objects.filter(pk=person.pk).update(external_id="00042", birth_month=5, birth_day=4, city="杭州市")
    CustomerTag.objects.create(customer=person, tag=Tag.objects.create(name="老客"))

    header, line = exported(owner, kind)

    values = dict(zip(header, line, strict=True))
    assert values["Name"] == "李娜"
    assert values["Mobile number"] == "13812348000"
    assert values["E-mail"] == "li.na@example.com"
    assert values["Member number"] == "00042"
    assert (values["Birthday"], values["City"], values["Tags"]) == ("05-04", "杭州市", "老客")
    assert (values["SMS marketing"], values["E-mail care"]) == ("Agreed", "Agreed")


@pytest.mark.parametrize("kind", [XLSX, CSV])
def test_no_cell_is_read_as_a_formula(owner, kind):
    for name in FORMULAS:
        Customer.objects.create(name=name, note=name)

    header, *lines = exported(owner, kind)

    assert len(lines) == len(FORMULAS)
    for line in lines:
        values = dict(zip(header, line, strict=True))
        assert values["Name"].startswith("'")
        assert values["Note"].startswith("'")


@pytest.mark.parametrize("kind", [XLSX, CSV])
def test_the_present_search_and_filters_decide_who_is_in_the_file(owner, kind):
    cast.li_na()
    cast.wang_wei()
    Customer.objects.filter(name="王伟").update(city="上海市")

    assert [line[0] for line in exported(owner, kind, city="上海市")[1:]] == ["王伟"]
    assert [line[0] for line in exported(owner, kind, q="0001")[1:]] == ["李娜"]
    assert [line[0] for line in exported(owner, kind)[1:]] == ["王伟", "李娜"]


def test_erased_customers_are_not_exported(owner):
    cast.li_na()
    Customer.objects.update(erased_at="2026-01-01T00:00:00Z")

    response = owner.post(EXPORT, {"format": XLSX}, follow=True)

    assert "Nothing fits this filter" in shop.sentences(response)


def test_without_the_permission_neither_button_nor_address_leads_to_the_export():
    clerk = shop.browser(shop.staff(*shop.CLERK, "view_full_address"))
    cast.li_na()

    assert clerk.get(EXPORT).status_code == 403
    assert clerk.post(EXPORT, {"format": CSV}).status_code == 403
    assert "export/" not in clerk.get(shop.LIST).content.decode()
    assert [entry.change_message for entry in LogEntry.objects.filter(user__username="clerk")] == [
        "Tried to export without the permission."
    ] * 2


def test_who_may_export_but_not_see_whole_numbers_gets_masked_ones():
    accountant = shop.browser(shop.staff("view_customer", "export_customer", name="accountant"))
    cast.customer("李娜", phone="13812348000", email="li.na@example.com")

    text = str(exported(accountant, CSV))

    assert "138****8000" in text
    assert "13812348000" not in text
    assert "li.na@example.com" not in text


def test_every_export_is_written_down_with_its_size(owner):
    cast.li_na()

    exported(owner, XLSX)

    entry = LogEntry.objects.get()
    assert entry.user.username == "owner"
    assert entry.change_message == ("Exported 1 row as xlsx: Customers. No filter. Whole numbers and addresses.")


@pytest.mark.parametrize("kind", ["2", "pdf", ""])
def test_there_are_two_formats_and_no_third(owner, kind):
    assert owner.post(EXPORT, {"format": kind}).status_code == 200
    assert not LogEntry.objects.exists()


def test_the_page_says_how_many_customers_the_file_will_hold(owner):
    cast.li_na()
    cast.wang_wei()

    assert "your present search and filters show: 1 customer." in shop.sentences(owner.get(EXPORT, {"q": "李"}))


def test_our_own_import_reads_the_exported_file_back(owner, tmp_path):
    cast.customer("李娜", phone="13812348000")
    response = owner.post(EXPORT, {"format": XLSX})
    path = tmp_path / "customers.xlsx"
    path.write_bytes(b"".join(response.streaming_content))

    with reader.open_sheet(path) as sheet:
        rows = [cells for _number, cells in sheet.rows()]

    assert "Mobile number" in sheet.headers
    assert [row[sheet.headers.index("Mobile number")] for row in rows] == ["13812348000"]


def test_a_workbook_takes_characters_that_xml_forbids():
    file = io.BytesIO()

    count = writing.write_workbook(file, [["名字\x00\x0b<&>\ud800"], ["\ufffe😀"]])

    sheet = openpyxl.load_workbook(file).active
    assert count == 2
    assert [row[0].value for row in sheet] == ["名字<&>", "😀"]
    assert zipfile.ZipFile(file).testzip() is None


def test_the_queries_grow_with_thousands_and_not_with_customers(owner, django_assert_max_num_queries):
    cast.crowd(300)

    with django_assert_max_num_queries(30):
        assert len(exported(owner, CSV)) == 301
