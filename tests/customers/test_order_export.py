"""The export of orders: each good in typed cells, with the platform's own words, and back again as what it was."""

import io
from datetime import datetime
from decimal import Decimal

import openpyxl
import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from django.utils import translation

from customers.choices import Platform
from customers.models import ContactPoint, Order, OrderLine
from customers.spreadsheets import order_cells
from tests import staff
from tests.customers.files import SAMPLES, table
from tests.customers.order_files import DONE, PAID, SHIPPED, import_bytes, import_orders, taobao
from tests.customers.test_export_round_trip import FORMATS, LANGUAGES, wipe

pytestmark = pytest.mark.django_db
LIST = "/admin/customers/order/"
EXPORT = LIST + "export/"
TOLD = {field.name for field in Order._meta.fields} - {
    *("id", "customer", "account", "spreadsheet_import", "recorded_at", "updated_at", "as_of", "status_at"),
}
SHOPIFY = {
    "Name": "#1001", "Email": "li.na@example.com", "Financial Status": "paid", "Fulfillment Status": "fulfilled",
    "Paid at": "2026-05-01 10:00:00 +0800", "Created at": "2026-05-01 09:59:00 +0800", "Currency": "CNY",
    "Total": "98.00", "Lineitem quantity": "2", "Lineitem name": "花瓶", "Lineitem price": "49.00",
    "Lineitem sku": "V-1", "Shipping Name": "李娜",
}  # fmt: skip


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path, empty_queue):
    """A directory of the test's own for files."""
    settings.UPLOADS = tmp_path / "uploads"


@pytest.fixture
def orders() -> None:
    """Orders of several platforms: with goods and without, locked, in after-sale, without a status column."""
    for sample in ("douyin_orders_sample.csv", "jd_orders_sample.csv", "pdd_orders_sample.csv"):
        import_bytes((SAMPLES / sample).read_bytes(), name=sample)
    import_orders(
        [
            taobao(
                "1001",
                PAID,
                买家会员名="tb76266",
                订单付款时间="2026-06-01 10:05:00",
                宝贝标题="@芍药",
                宝贝总数量="3",
            ),
            taobao("1002", SHIPPED, 联系手机="13800000001", 收货人姓名="李娜", 退款金额="5.50"),
            taobao("0001003", DONE, 联系手机="13800000002"),
            taobao("1004", "从未见过的状态", 买家会员名="tb1"),
        ]
    )
    import_bytes(table(SHOPIFY, head=list(SHOPIFY)), name="shopify.csv")


def state() -> dict[str, tuple]:
    """The shop's orders with all that an export tells, by number."""
    return {
        order.number: (
            {name: getattr(order, name) for name in TOLD},
            order.account and order.account.name,
            order.customer
            and set(ContactPoint.objects.filter(customer=order.customer).values_list("channel", "address")),
            sorted(
                OrderLine.objects.filter(order=order).values_list(
                    "key", "product", "product_id", "sku", "category", "quantity", "price", "after_sale_status"
                )
            ),
        )
        for order in Order.objects.select_related("account", "customer")
    }


def exported(client, file_format: str = "xlsx", **question) -> bytes:
    return b"".join(client.post(EXPORT, {"format": file_format}, query_params=question).streaming_content)


def sheet_of(content: bytes) -> list[dict]:
    header, *lines = openpyxl.load_workbook(io.BytesIO(content)).active
    return [{head.value: cell for head, cell in zip(header, line, strict=True)} for line in lines]


@FORMATS
@LANGUAGES
def test_an_empty_shop_gets_the_orders_that_were_exported(orders, file_format, language):
    before = state()
    content = exported(staff.signed_in("owner", language=language), file_format)
    wipe()

    import_bytes(content, name=f"orders.{file_format}")

    after = state()
    assert {number: after.get(number) for number in before} == before
    assert after.keys() == before.keys()


@FORMATS
def test_over_the_same_base_no_order_changes(orders, file_format):
    before = state()

    file = import_bytes(exported(staff.signed_in("owner"), file_format), name=f"orders.{file_format}")

    assert state() == before
    assert {outcome for outcome in file.counts if ":" not in outcome} <= {"unchanged", "duplicate"}


def test_numbers_are_text_amounts_are_numbers_and_moments_are_moments(orders):
    lines = {line["Order number"].value: line for line in sheet_of(exported(staff.signed_in("owner")))}

    line = lines["1001"]
    assert (lines["0001003"]["Order number"].data_type, line["Product"].value) == ("s", "'@芍药")
    assert (line["Order total"].value, line["Quantity"].value) == (98, 3)
    assert line["Paid at"].value == datetime(2026, 6, 1, 10, 5)
    assert lines["1002"]["Mobile number"].value == "13800000001"
    assert Decimal(str(lines["1002"]["Refunded"].value)) == Decimal("5.5")
    assert (lines["#1001"]["Order status"].value, lines["#1001"]["Shipping status"].value) == ("paid", "fulfilled")


def test_the_filter_of_the_list_decides_which_orders(orders):
    owner = staff.signed_in("owner")

    assert {line["Platform"].value for line in sheet_of(exported(owner, platform="jd"))} == {"JD.com"}
    assert [line["Order number"].value for line in sheet_of(exported(owner, q="1002"))] == ["1002"]


def test_who_may_not_see_whole_numbers_gets_masked_ones(orders):
    auditor = staff.signed_in("auditor")
    person = User.objects.get(username="auditor")
    person.user_permissions.add(*Permission.objects.filter(codename__in=["export_order", "view_order"]))

    numbers = {line["Mobile number"].value for line in sheet_of(exported(auditor))}

    assert "138****0001" in numbers
    assert not {number for number in numbers if number and "*" not in number}


@pytest.mark.parametrize("role", ["marketer", "clerk", "auditor"])
def test_without_the_permission_there_is_no_button_and_the_attempt_is_written_down(orders, role):
    client = staff.signed_in(role)
    Permission.objects.get(codename="view_order").user_set.add(User.objects.get(username=role))

    assert "order/export/" not in client.get(reverse("admin:customers_order_changelist")).content.decode()
    assert client.post(EXPORT, {"format": "xlsx"}).status_code == 403
    assert LogEntry.objects.get().change_message == "Tried to export without the permission."


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_platform_is_known_by_its_name_in_both_languages(language):
    with translation.override(language):
        assert {order_cells.platform(str(label))[0]: value for value, label in Platform.choices} == {
            value: value for value in Platform.values
        }
