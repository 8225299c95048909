"""What is exported imports back to the same state: into an empty shop, and over the very base it came from."""

import io

import openpyxl
import pytest
from django.db import connection

from customers.choices import BirthCalendar, Channel
from customers.models import Consent, ConsentChange, ContactPoint, Customer, CustomerTag, Suppression, Tag, Tier
from tests.customers import shop
from tests.customers.files import imported

pytestmark = pytest.mark.django_db
CUSTOMERS = shop.LIST + "export/"
EVERYWHERE = [("sms", "marketing"), ("sms", "care"), ("email", "marketing"), ("email", "care")]
LANGUAGES = pytest.mark.parametrize("language", ["en", "zh-hans"])
FORMATS = pytest.mark.parametrize("file_format", ["xlsx", "csv"])


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path, empty_queue):
    """A directory of the test's own for files."""
    settings.UPLOADS = tmp_path / "uploads"


@pytest.fixture
def owner(db):
    return shop.staff("view_customer", "export_customer", "view_full_address", name="owner")


def person(phone: str = "", email: str = "", *, tags=(), tier: str = "", answers=None, **facts) -> Customer:
    """A customer with all that an export tells."""
    customer = Customer.objects.create(tier=Tier.objects.get_or_create(name=tier)[0] if tier else None, **facts)
    for channel, address in ((Channel.SMS, phone), (Channel.EMAIL, email)):
        if address:
            ContactPoint.objects.create(customer=customer, channel=channel, address=address)
    for name in tags:
        CustomerTag.objects.create(customer=customer, tag=Tag.objects.get_or_create(name=name)[0])
    for (channel, purpose), status in (answers or {}).items():
        Consent.objects.create(
            customer=customer, channel=channel, purpose=purpose, status=status, changed_at="2026-01-01T00:00:00Z"
        )
    return customer


@pytest.fixture
def everybody() -> None:
    """People of whom each could be lost on the way in another manner."""
    person(
        "13800000001", "li.na@example.com", name="李娜", gender="female", birth_year=1990, birth_month=5, birth_day=31,
        tier="金卡", tags=["老客", "VIP"], city="杭州市", province="浙江省", external_id="00042",
        note="爱喝茶\n周五送",
        answers={
            ("sms", "marketing"): "granted", ("sms", "care"): "withdrawn",
            ("email", "marketing"): "withdrawn", ("email", "care"): "granted",
        },
    )  # fmt: skip
    person("13800000002", name="王伟", gender="male", answers=dict.fromkeys(EVERYWHERE, "withdrawn"))
    person("13800000003", name="没问过", birth_month=2, birth_day=29)
    person("13800000004", name="只问过短信营销", answers={("sms", "marketing"): "granted"})
    person("13800000005", name="只退订关怀", answers={("sms", "care"): "withdrawn"})
    person("", "o'hara@example.com", name="O'Hara", answers=dict.fromkeys(EVERYWHERE[2:], "granted"))
    person("13800000007", name="腊月", birth_month=12, birth_day=30, birth_calendar=BirthCalendar.LUNAR)
    person(
        "13800000008", name="闰五月", birth_year=1990, birth_month=5, birth_day=2, birth_calendar=BirthCalendar.LEAP
    )
    person(
        "13800000009", "+calc@example.com", name="=1+1", note="@SUM(A1)", external_id="-12", city="＝1", tags=["=2"]
    )
    person("13800000010", name="'t Hooft", note="'Note", external_id="'7", tags=['说"好"的', "A,B", "一、二"])
    person("13800000011", name="Li Na Smith", note='="5"', external_id="1.38E+10", city="C" * 60)
    person("", "", name="只有会员号", external_id="M-0007", answers={("sms", "marketing"): "withdrawn"})


def state() -> dict[str, tuple]:
    """The shop's customers with all that an export tells, by name."""
    return {
        customer.name: (
            customer.gender, customer.birth_year, customer.birth_month, customer.birth_day, customer.birth_calendar,
            customer.tier and customer.tier.name, customer.city, customer.province, customer.external_id,
            customer.note,
            set(customer.tags.values_list("name", flat=True)),
            set(customer.contact_points.values_list("channel", "address", "is_primary")),
            set(customer.consents.values_list("channel", "purpose", "status")),
        )
        for customer in Customer.objects.all()
    }  # fmt: skip


def wipe() -> None:
    """Empty the shop, as a new one is."""
    # What waits for the commit would hold its table.
    connection.check_constraints()
    with connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE customers_customer, customers_contactpoint, customers_consent, customers_customertag,"
            " customers_consentchange, customers_tag, customers_tier, customers_suppression, customers_importedrow,"
            " customers_order, customers_orderline, customers_orderchange, customers_customeraccount CASCADE"
        )


def exported(person, address: str, file_format: str, language: str = "en") -> bytes:
    return b"".join(shop.browser(person, language).post(address, {"format": file_format}).streaming_content)


@FORMATS
@LANGUAGES
def test_an_empty_shop_becomes_the_one_that_was_exported(owner, everybody, file_format, language):
    before = state()
    content = exported(owner, CUSTOMERS, file_format, language)
    wipe()

    file = imported(content, name=f"customers.{file_format}")

    assert file.counts["created"] == len(before)
    assert state() == before


@FORMATS
def test_who_is_closed_comes_back_closed_whatever_they_once_agreed_to(owner, file_format):
    for phone, reason in (("13800000001", "opted_out"), ("13800000002", "staff"), ("13800000003", "dead")):
        person(phone, name=reason, answers={("sms", "marketing"): "granted", ("email", "care"): "granted"})
        Suppression.objects.create(channel="sms", address=phone, scope="marketing", reason=reason)
    content = exported(owner, CUSTOMERS, file_format)
    wipe()

    imported(content, name=f"customers.{file_format}")

    standing = Consent.objects.filter(channel="sms").values_list("customer__name", "status")
    assert set(standing) == {("opted_out", "withdrawn"), ("staff", "withdrawn"), ("dead", "granted")}


@FORMATS
@LANGUAGES
def test_over_the_same_base_nothing_changes(owner, everybody, file_format, language):
    before, evidence = state(), ConsentChange.objects.count()
    content = exported(owner, CUSTOMERS, file_format, language)

    file = imported(content, name=f"customers.{file_format}")

    assert file.counts["unchanged"] == len(before)
    assert {outcome for outcome in file.counts if ":" not in outcome and file.counts[outcome]} == {"unchanged"}
    assert state() == before
    assert ConsentChange.objects.count() == evidence


@FORMATS
def test_a_masked_file_brings_no_address_and_no_consent(everybody, file_format):
    accountant = shop.staff("view_customer", "export_customer", name="accountant")
    before = state()
    content = exported(accountant, CUSTOMERS, file_format)

    over = imported(content, name=f"customers.{file_format}")

    assert {name: facts[-2:] for name, facts in state().items()} == {
        name: facts[-2:] for name, facts in before.items()
    }
    wipe()
    file = imported(content, name=f"again.{file_format}")
    assert not ContactPoint.objects.exists()
    assert not Consent.objects.filter(status="granted").exists()
    assert file.counts["rejected:masked"] == over.counts["rejected:masked"] > 0


def test_a_note_that_was_typed_on_two_lines_comes_back_unchanged(owner):
    person("13800000001", name="李娜", note="第一行\r\n第二行")
    content = exported(owner, CUSTOMERS, "csv")

    assert imported(content).counts["unchanged"] == 1
    wipe()
    imported(content)
    assert Customer.objects.get().note == "第一行\n第二行"


def test_cells_that_look_like_formulas_are_text_with_an_apostrophe(owner, everybody):
    sheet = openpyxl.load_workbook(io.BytesIO(exported(owner, CUSTOMERS, "xlsx"))).active
    cells = [cell for row in sheet.iter_rows(min_row=2) for cell in row if isinstance(cell.value, str)]

    assert {cell.data_type for cell in cells} == {"s"}
    assert not [cell.value for cell in cells if cell.value.startswith(tuple("=+-@＝＋－＠\t\r"))]
    assert "'=1+1" in {cell.value for cell in cells}


def test_a_note_from_the_form_ends_its_lines_as_files_do(owner):
    clerk = shop.browser(shop.staff(*shop.CLERK))

    clerk.post(shop.LIST + "add/", {"name": "李娜", "phone": "13800000001", "note": "第一行\r\n第二行\r\n"})

    assert Customer.objects.get().note == "第一行\n第二行"
    assert imported(exported(owner, CUSTOMERS, "xlsx"), name="a.xlsx").counts["unchanged"] == 1
