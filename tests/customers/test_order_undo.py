"""Taking an import of orders back: what goes, what comes back, and what stays."""

import pytest
from django.db import DatabaseError, connection, transaction
from django.urls import reverse

from customers import clock, jobs
from customers.choices import ConsentSource, ImportStatus
from customers.models import (
    ContactPoint,
    Customer,
    CustomerAccount,
    ImportedBuyer,
    ImportedChange,
    ImportedOrder,
    Order,
    OrderChange,
    OrderLine,
    SpreadsheetImport,
    UndoFinding,
)
from customers.services import consent, import_undo, order_import, privacy
from tests import cast, staff
from tests.customers.files import imported as imported_customers
from tests.customers.files import table, undone
from tests.customers.order_files import DONE, PAID, SHIPPED, UNPAID, douyin, import_bytes, import_orders, taobao
from tests.customers.test_undo_stays import written_to


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """A directory of the test's own for uploaded files."""
    settings.UPLOADS = tmp_path / "uploads"
    return settings.UPLOADS


def shop() -> dict[str, list]:
    """All that an order file may touch."""
    tables = {model.__name__: model for model in (Customer, CustomerAccount, Order, OrderLine, OrderChange)}
    points = ContactPoint.objects.order_by("pk").values("customer_id", "channel", "address", "is_primary")
    return {name: list(model.objects.order_by("pk").values()) for name, model in tables.items()} | {
        "addresses": list(points)
    }


def first_file(**more: str) -> SpreadsheetImport:
    """Three orders: of a number, of an account alone, and of both."""
    return import_orders(
        [
            taobao("1001", UNPAID, 联系手机="13800000001", 收货人姓名="李娜", 宝贝标题="杯子", **more),
            taobao("1002", PAID, 买家会员名="tb76266", 宝贝标题="茶壶"),
            taobao("1003", PAID, 买家会员名="tb555", 联系手机="13800000003", 收货人姓名="王芳"),
        ]
    )


def test_orders_and_buyers_that_came_with_the_file_go_with_it(db):
    cast.customer("王芳", phone="13800000003")
    before = shop()
    file = first_file()
    assert (Order.objects.count(), Customer.objects.count(), CustomerAccount.objects.count()) == (3, 3, 2)

    undone(file)

    assert file.status == ImportStatus.UNDONE
    assert shop() == before
    assert not ImportedBuyer.objects.exists()
    assert file.undo_counts == {"rows": 3, "orders:removed": 3, "removed": 2, "accounts": 2}


def test_what_the_file_changed_of_known_orders_is_as_it_was(db):
    first_file()
    before = shop()
    later = {"订单付款时间": "2026-06-02 10:00:00", "发货时间": "2026-06-03 10:00:00", "买家实际支付金额": "98.00"}
    file = import_orders(
        [
            taobao("1001", SHIPPED, 联系手机="13800000001", 宝贝标题="杯子，碟子", 宝贝种类="2", **later),
            taobao("1002", DONE, 买家会员名="tb76266", 宝贝标题="茶壶", 总金额="90.00"),
        ]
    )
    assert file.counts["updated"] == 2
    assert shop() != before

    undone(file)

    after = shop()
    told = after.pop("OrderChange")
    assert after == {name: rows for name, rows in before.items() if name != "OrderChange"}
    assert told[: len(before["OrderChange"])] == before["OrderChange"]
    last = OrderChange.objects.filter(order__number="1001").latest("pk")
    assert (last.from_status, last.to_status, last.spreadsheet_import) == ("shipped", "unpaid", file)
    assert not ImportedOrder.objects.filter(spreadsheet_import=file).exists()
    assert file.undo_counts == {"rows": 2, "orders:restored": 2}


def test_lines_of_an_order_are_as_they_were(db):
    import_orders([douyin("5001", "1", "待发货")])
    before = shop()
    file = import_orders([douyin("5001", "1", "待发货", 商品数量="3"), douyin("5001", "2", "待发货")])
    assert OrderLine.objects.count() == 2

    undone(file)

    assert shop()["OrderLine"] == before["OrderLine"]
    assert shop()["Order"] == before["Order"]


def test_a_value_that_a_later_file_changed_is_kept_and_listed(db):
    first_file()
    file = import_orders([taobao("1001", PAID, 联系手机="13800000001", 宝贝标题="杯子", 总金额="90.00")])
    Order.objects.filter(number="1001").update(total=85, updated_at=clock.now())

    undone(file)

    order = Order.objects.get(number="1001")
    assert (order.status, order.total) == ("unpaid", 85)
    finding = UndoFinding.objects.get()
    assert (finding.kind, finding.order, finding.field) == ("conflict", order, "total")
    assert (finding.ours, finding.before, finding.present) == ("90.00", "98.00", "85.00")


def test_two_files_are_undone_from_the_later_to_the_earlier(db):
    before = shop()
    first = first_file()
    second = import_orders(
        [
            taobao("1001", SHIPPED, 联系手机="13800000001", 宝贝标题="杯子", 发货时间="2026-06-03 10:00:00"),
            taobao("1002", PAID, 买家会员名="tb76266", 联系手机="13800000009", 收货人姓名="赵敏", 宝贝标题="茶壶"),
            taobao("1004", PAID, 联系手机="13800000004"),
        ]
    )

    undone(second)
    undone(first)

    assert shop() == before
    assert not UndoFinding.objects.exists()


def test_orders_that_a_later_file_knows_stay_and_are_listed(db):
    first = first_file()
    second = import_orders([taobao("1001", UNPAID, 联系手机="13800000001", 收货人姓名="李娜", 宝贝标题="杯子")])
    assert second.counts["unchanged"] == 1

    undone(first)

    assert list(Order.objects.values_list("number", flat=True)) == ["1001"]
    stays = {(found.kind, found.reason) for found in UndoFinding.objects.all()}
    assert stays == {("orders", "imported"), ("stays", "ordered")}
    undone(second)
    assert Order.objects.get().status == "unpaid"


def test_an_order_that_staff_changed_stays(db):
    file = first_file()
    Order.objects.filter(number="1002").update(status="after_sale", updated_at=clock.now())

    told = import_undo.preview(file)
    undone(file)

    assert Order.objects.get().number == "1002"
    assert CustomerAccount.objects.get().name == "tb76266"
    assert UndoFinding.objects.get(kind="orders").reason == "changed"
    assert file.undo_counts == {**told, "rows": 3}


def test_a_buyer_who_was_written_to_stays_without_the_order(db):
    file = first_file()
    customer = Customer.objects.get(name="李娜")
    owner = staff.member("owner")
    consent.grant(
        [customer.pk], channels=["sms"], purposes=["marketing"], source=ConsentSource.STAFF, wording="门店", by=owner,
        now=clock.now(),
    )  # fmt: skip
    written_to(customer)

    undone(file)

    assert list(Customer.objects.all()) == [customer]
    assert not Order.objects.exists()
    found = UndoFinding.objects.get()
    assert (found.kind, found.reason, found.customer) == ("stays", "written", customer)


def test_a_number_that_the_file_brought_goes_again_and_the_name_with_it(db):
    first_file()
    before = shop()
    row = taobao("1005", PAID, 买家会员名="tb76266", 联系手机="13800000009", 收货人姓名="赵敏")
    file = import_orders([row])
    assert Customer.objects.get(name="赵敏").contact_points.get().address == "13800000009"

    undone(file)

    assert shop() == before
    assert not ImportedChange.objects.exists()


def test_customers_who_turned_out_to_be_one_stay_one_and_are_listed(db):
    import_orders([taobao("1001", PAID, 买家会员名="tb76266")])
    shell = Customer.objects.get()
    li_na = cast.customer("李娜", phone="13800000001")
    file = import_orders([taobao("1002", PAID, 买家会员名="tb76266", 联系手机="13800000001")])

    undone(file)

    assert Order.objects.get().customer == li_na
    shell.refresh_from_db()
    assert shell.merged_into == li_na
    found = UndoFinding.objects.get()
    assert (found.kind, found.reason, found.customer) == ("stays", "merged", shell)


def test_an_import_from_before_this_was_kept_is_not_undone(db):
    file = first_file()
    SpreadsheetImport.objects.filter(pk=file.pk).update(remembers_orders=False)

    assert not import_undo.is_undoable(file, now=clock.now())
    with pytest.raises(import_undo.CannotUndo):
        import_undo.start(file, by=None, now=clock.now())


def test_an_undo_is_begun_once(db):
    file = first_file()
    import_undo.start(file, by=None, now=clock.now())
    with pytest.raises(import_undo.CannotUndo):
        import_undo.start(SpreadsheetImport.objects.get(pk=file.pk), by=None, now=clock.now())
    assert import_undo.run(file.pk, clock=clock.now)
    assert import_undo.run(file.pk, clock=clock.now) == {}


def test_an_undo_that_dies_in_the_middle_goes_on(db, monkeypatch):
    """Of a file in several chunks too: every buyer is taken back with the first of their orders."""
    monkeypatch.setattr(order_import, "ROWS_AT_ONCE", 2)
    monkeypatch.setattr(import_undo, "CHUNK_ROWS", 2)
    before = shop()
    buyers = ["tb1", "tb2", "tb1", "tb3", "tb2", "tb1", "tb4"]
    file = import_orders([taobao(f"10{place}", PAID, 买家会员名=name) for place, name in enumerate(buyers)])

    def die(point: str) -> None:
        raise KeyboardInterrupt(point)

    import_undo.start(file, by=None, now=clock.now())
    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr(import_undo, "reach", die)
        import_undo.run(file.pk, clock=clock.now)
    assert Order.objects.count() == 5
    SpreadsheetImport.objects.update(lease_until=clock.now())

    counts = import_undo.run(file.pk, clock=clock.now)

    assert shop() == before
    assert counts == {"rows": 7, "orders:removed": 7, "removed": 4, "accounts": 4}


def test_the_history_of_an_order_goes_only_with_the_undo_of_its_import(db):
    file = first_file()
    for setting in ("", str(file.pk)):
        with pytest.raises(DatabaseError, match="order_change"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('hongyan.undone_import', %s, true)", [setting])
            cursor.execute("DELETE FROM customers_orderchange")
    assert OrderChange.objects.count() == 3


def test_an_erased_customer_leaves_no_trace_in_what_a_file_changed_of_orders(db):
    first_file()
    import_orders([taobao("1001", PAID, 联系手机="13800000001", 宝贝标题="杯子")])
    assert ImportedOrder.objects.exists()

    privacy.erase(Customer.objects.get(name="李娜").pk, by=staff.member("owner"), now=clock.now())

    assert not ImportedOrder.objects.exists()


def test_a_later_customer_file_keeps_the_buyer(db):
    file = first_file()
    imported_customers(table({"姓名": "李娜", "手机号": "13800000001", "城市": "杭州"}))

    undone(file)

    assert Customer.objects.get().city == "杭州"
    assert UndoFinding.objects.get().reason == "imported"


def test_an_import_of_orders_is_undone_from_its_page(db, empty_queue):
    first_file()
    file = import_orders(
        [taobao("1001", PAID, 联系手机="13800000001", 总金额="90.00"), taobao("1009", PAID, 联系手机="13800000009")]
    )
    Order.objects.filter(number="1001").update(status="shipped", updated_at=clock.now())
    browser = staff.signed_in("marketer")

    def shown(name: str, **filters: str) -> str:
        response = browser.get(reverse(f"admin:customers_spreadsheetimport_{name}", args=[file.pk]), filters)
        assert response.status_code == 200
        return response.content.decode()

    assert "Undo: remove 1 order, restore 1 order" in shown("change")
    assert "Yes, undo it: remove 1 order, restore 1 order, remove 1 customer" in shown("undo")
    assert "1001" in shown("undo_findings", kind="conflict")
    browser.post(reverse("admin:customers_spreadsheetimport_undo", args=[file.pk]))
    jobs.undo_imports()

    result = shown("change")
    assert "Orders removed" in result
    listed = shown("undo_findings", kind="conflict")
    assert "1001" in listed
    assert "Shipped" in listed
    assert "Nothing" in shown("undo_findings", kind="orders")
    report = reverse("admin:customers_spreadsheetimport_undo_report", args=[file.pk])
    assert browser.post(f"{report}?kind=conflict").status_code == 200
    assert Order.objects.get(number="1001").total == 98


def test_a_buyer_whose_number_came_further_down_the_same_file_goes_too(db, monkeypatch):
    """The row with the number is in a later chunk than the one that made the buyer known by e-mail."""
    monkeypatch.setattr(order_import, "ROWS_AT_ONCE", 1)
    monkeypatch.setattr(import_undo, "CHUNK_ROWS", 1)
    head = ("订单号", "订单状态", "邮箱", "手机号", "下单时间")
    rows = [("1", "", "13800000007"), ("2", "na@example.com", ""), ("3", "na@example.com", "13800000008")]
    file = import_bytes(
        table(
            *(
                {
                    "订单号": number,
                    "订单状态": "已发货",
                    "邮箱": email,
                    "手机号": phone,
                    "下单时间": "2026-06-01 10:00:00",
                }
                for number, email, phone in rows
            ),
            head=head,
        )
    )
    assert (Order.objects.count(), Customer.objects.count(), ContactPoint.objects.count()) == (3, 2, 3)

    undone(file)

    assert not any(shop().values())
    assert not UndoFinding.objects.exists()


def test_the_earlier_of_two_files_first_leaves_what_the_later_one_changed(db):
    first = first_file()
    second = import_orders([taobao("1001", PAID, 联系手机="13800000001", 宝贝标题="杯子", 总金额="90.00")])

    undone(first)
    undone(second)

    order = Order.objects.get()
    assert (order.number, order.status, order.total) == ("1001", "unpaid", 98)
