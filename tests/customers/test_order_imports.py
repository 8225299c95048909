"""Orders from spreadsheets: whose they are, how far they are, and what an older file must not undo."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError, IntegrityError

from customers import clock
from customers.choices import ImportKind
from customers.models import (
    Consent,
    ContactPoint,
    Customer,
    CustomerAccount,
    ImportedRow,
    Order,
    OrderChange,
    OrderLine,
    SpreadsheetImport,
)
from customers.services import imports, order_import
from tests.customers.files import SAMPLES, table

NOW = datetime(2026, 6, 30, tzinfo=UTC)
TAOBAO = ("订单编号", "买家会员名", "总金额", "买家实际支付金额", "订单状态", "收货人姓名", "联系手机", "订单创建时间")
TAOBAO += ("订单付款时间", "发货时间", "宝贝标题", "宝贝种类", "宝贝总数量", "退款金额")
UNPAID, PAID, SHIPPED, DONE = "等待买家付款", "买家已付款，等待卖家发货", "卖家已发货,等待买家确认", "交易成功"


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """A directory of the test's own for uploaded files."""
    settings.UPLOADS = tmp_path / "uploads"
    return settings.UPLOADS


def taobao(number: str, status: str, **more: str) -> dict[str, str]:
    """A row of a Taobao export."""
    return dict.fromkeys(TAOBAO, "") | {
        "订单编号": number,
        "订单状态": status,
        "总金额": "98.00",
        "订单创建时间": "2026-06-01 10:00:00",
        **more,
    }


def import_orders(rows: Sequence[Mapping[str, str]], *, platform: str = "") -> SpreadsheetImport:
    """Import rows as an order file, from upload to result."""
    return import_bytes(table(*rows, head=list(rows[0])), platform=platform)


def import_bytes(content: bytes, *, platform: str = "", name: str = "orders.csv") -> SpreadsheetImport:
    """Import a file of orders."""
    imported = imports.upload([content], file_name=name, by=None, now=NOW, kind=ImportKind.ORDERS, is_kind_chosen=True)
    if platform:
        SpreadsheetImport.objects.filter(pk=imported.pk).update(options=imported.options | {"platform": platform})
        imported.refresh_from_db()
    imports.read(imported, now=NOW)
    imports.start(imported)
    imports.run(imported.pk, now=clock.now)
    imported.refresh_from_db()
    assert imported.status == "done", imported.complaint
    return imported


def status_of(number: str) -> str:
    """How far an order is."""
    return Order.objects.get(number=number).status


# Whose it is ---------------------------------------------------------------------------------------


def test_the_receivers_number_says_whose_an_order_is(db):
    li_na = Customer.objects.create(name="李娜")
    ContactPoint.objects.create(customer=li_na, channel="sms", address="13800000001")

    import_orders([taobao("1001", PAID, 联系手机="'13800000001", 收货人姓名="李小娜")])

    assert Order.objects.get().customer == li_na
    li_na.refresh_from_db()
    assert li_na.name == "李娜"
    assert Customer.objects.count() == 1


def test_a_new_number_is_a_new_customer_who_has_agreed_to_nothing(db):
    import_orders([taobao("1001", PAID, 联系手机="13800000001", 收货人姓名="李娜")])

    customer = Customer.objects.get()
    assert customer.name == "李娜"
    assert list(customer.contact_points.values_list("channel", "address")) == [("sms", "13800000001")]
    assert not Consent.objects.exists()


@pytest.mark.parametrize("hidden", ["13800000001-9803", "138****0001", "$$657d7c62e07ebd$$", ""])
def test_a_hidden_number_is_never_stored_and_the_buyer_is_known_by_the_account(db, hidden):
    import_orders([taobao("1001", PAID, 联系手机=hidden, 买家会员名="tb76266")])

    order = Order.objects.get()
    assert order.customer.name == "tb76266"
    assert str(order.account) == "Taobao and Tmall: tb76266"
    assert not ContactPoint.objects.exists()
    assert not ImportedRow.objects.exclude(phone="").exists()


def test_an_account_is_linked_when_a_later_file_knows_its_number(db):
    import_orders([taobao("1001", PAID, 买家会员名="tb76266")])
    nameless = Customer.objects.get()

    import_orders([taobao("1002", PAID, 买家会员名="tb76266", 联系手机="13800000001", 收货人姓名="李娜")])

    assert [order.customer for order in Order.objects.order_by("id")] == [nameless, nameless]
    nameless.refresh_from_db()
    assert nameless.name == "李娜"
    assert nameless.contact_points.get().address == "13800000001"


def test_a_nameless_buyer_who_turns_out_to_be_known_joins_that_customer(db):
    import_orders([taobao("1001", PAID, 买家会员名="tb76266")])
    shell = Customer.objects.get()
    li_na = Customer.objects.create(name="李娜")
    ContactPoint.objects.create(customer=li_na, channel="sms", address="13800000001")

    imported = import_orders([taobao("1002", PAID, 买家会员名="tb76266", 联系手机="13800000001")])

    assert set(Order.objects.values_list("customer", flat=True)) == {li_na.pk}
    assert CustomerAccount.objects.get().customer == li_na
    shell.refresh_from_db()
    assert shell.merged_into == li_na
    assert list(Customer.objects.present()) == [li_na]
    assert imported.counts["customer:linked"] == 1


def test_a_buyer_of_whom_more_is_known_is_not_closed_only_the_account_moves(db):
    import_orders([taobao("1001", PAID, 买家会员名="tb76266")])
    by_mail = Customer.objects.get()
    ContactPoint.objects.create(customer=by_mail, channel="email", address="na@example.com")
    li_na = Customer.objects.create(name="李娜")
    ContactPoint.objects.create(customer=li_na, channel="sms", address="13800000001")

    import_orders([taobao("1002", PAID, 买家会员名="tb76266", 联系手机="13800000001")])

    by_mail.refresh_from_db()
    assert by_mail.erased_at is None
    assert set(Order.objects.values_list("customer", flat=True)) == {li_na.pk}


def test_two_rows_of_one_account_are_one_buyer_whichever_of_them_has_the_number(db):
    import_orders(
        [
            taobao("1001", PAID, 买家会员名="tb76266"),
            taobao("1002", PAID, 买家会员名="tb76266", 联系手机="13800000001"),
            taobao("1003", PAID, 买家会员名="tb76266", 联系手机="138****0001"),
        ]
    )

    assert Customer.objects.count() == 1
    assert Order.objects.filter(customer=Customer.objects.get()).count() == 3


def test_a_gift_goes_to_the_number_on_it_and_the_account_stays_where_it_was(db):
    import_orders([taobao("1001", PAID, 买家会员名="tb76266", 联系手机="13800000001")])

    import_orders([taobao("1002", PAID, 买家会员名="tb76266", 联系手机="13800000002")])

    assert Customer.objects.count() == 2
    assert CustomerAccount.objects.get().customer.contact_points.get().address == "13800000001"


def test_masked_account_names_are_not_taken_for_one_buyer(db):
    import_orders([taobao("1001", PAID, 买家会员名="t**1"), taobao("1002", PAID, 买家会员名="t**1")])

    assert not CustomerAccount.objects.exists()
    assert set(Order.objects.values_list("customer", flat=True)) == {None}


# How far it is -------------------------------------------------------------------------------------


def test_an_order_goes_on_its_way_and_every_step_is_kept(db):
    import_orders([taobao("1001", UNPAID)])
    import_orders([taobao("1001", PAID, 订单付款时间="2026-06-01 10:05:00", 买家实际支付金额="98.00")])

    order = Order.objects.get()
    assert order.status == "paid"
    assert order.platform_status == PAID
    assert order.status_at == order.paid_at
    first, second = OrderChange.objects.order_by("id")
    assert (first.from_status, first.to_status) == ("", "unpaid")
    assert (second.from_status, second.to_status, second.happened_at) == ("unpaid", "paid", order.paid_at)
    assert second.before["status"] == "unpaid"
    assert second.recorded_at >= first.recorded_at


def test_an_older_file_after_a_newer_one_turns_nothing_back(db):
    old = [taobao("1001", UNPAID), taobao("1002", UNPAID, 订单创建时间="2026-06-01 12:00:00")]
    import_orders([taobao("1001", PAID, 订单付款时间="2026-06-01 10:05:00")])

    imported = import_orders(old)

    assert status_of("1001") == "paid"
    assert Order.objects.get(number="1001").paid_at is not None
    assert imported.counts["unchanged"] == 1


def test_a_row_that_tells_of_something_later_is_believed(db):
    import_orders([taobao("1001", DONE, 订单付款时间="2026-06-01 10:05:00")])

    import_orders([taobao("1001", SHIPPED, 订单付款时间="2026-06-01 10:05:00", 发货时间="2026-06-03 10:05:00")])

    assert status_of("1001") == "shipped"


@pytest.mark.parametrize("comma", ["，", ","])
def test_both_commas_are_understood(db, comma):
    import_orders([taobao("1001", f"买家已付款{comma}等待卖家发货")])

    assert status_of("1001") == "paid"


def test_an_unknown_status_is_kept_in_its_own_words_and_never_guessed(db):
    imported = import_orders([taobao("1001", "平台介入处理中")])

    order = Order.objects.get()
    assert (order.status, order.platform_status) == ("", "平台介入处理中")
    assert imported.counts["status:unknown"] == 1
    assert [problem["code"] for problem in ImportedRow.objects.get().problems] == ["unknown_status"]


def test_an_unknown_status_stops_an_order_that_was_understood(db):
    import_orders([taobao("1001", UNPAID)])

    import_orders([taobao("1001", "平台介入处理中")])

    assert status_of("1001") == ""


JD = ("订单号", "商品ID", "商品名称", "订购数量", "下单时间", "京东价", "订单金额", "结算金额", "订单状态", "下单帐号")
JD += ("客户姓名", "联系电话", "付款确认时间")


def jd(number: str, status: str, **more: str) -> dict[str, str]:
    """A row of a JD export."""
    values = {
        "订单号": number,
        "订单状态": status,
        "下单时间": "2026-06-01 10:00:00",
        "商品ID": "7",
        "商品名称": "杯子",
    }
    return dict.fromkeys(JD, "") | values | more


@pytest.mark.parametrize(
    ("text", "status", "is_locked", "is_deleted"),
    [
        ("(锁定)等待出库", "locked", True, False),
        ("（锁定）等待确认收货", "locked", True, False),
        ("(删除)等待出库", "closed", False, True),
        ("(删除)没见过的状态", "closed", False, True),
        ("等待出库", "paid", False, False),
    ],
)
def test_jds_marks_in_front_of_a_status_are_understood(db, text, status, is_locked, is_deleted):
    import_orders([jd("9001", text)])

    order = Order.objects.get()
    assert (order.status, order.is_locked, order.is_deleted) == (status, is_locked, is_deleted)
    assert order.platform_status == text


def test_a_locked_order_is_unlocked_only_by_a_fresher_file(db):
    import_orders([jd("9001", "(锁定)等待出库"), jd("9002", "等待付款", 下单时间="2026-06-02 10:00:00")])
    import_orders([jd("9001", "等待出库")])
    assert status_of("9001") == "locked"

    import_orders([jd("9001", "等待出库"), jd("9003", "等待付款", 下单时间="2026-06-03 10:00:00")])

    assert status_of("9001") == "paid"


def test_items_of_one_order_stand_anywhere_in_the_file_and_its_amount_is_not_multiplied(db, monkeypatch):
    monkeypatch.setattr(order_import, "ROWS_AT_ONCE", 2)
    rows = [jd(str(9000 + index), "完成", 订单金额="99.00", 商品ID="1") for index in range(5)]
    rows += [jd(str(9000 + index), "完成", 订单金额="99.00", 商品ID="2") for index in range(5)]

    imported = import_orders(rows)

    assert Order.objects.count() == 5
    assert OrderLine.objects.count() == 10
    assert set(Order.objects.values_list("total", flat=True)) == {99}
    assert (imported.counts["created"], imported.counts["duplicate"], imported.rows_done) == (5, 5, 10)


DOUYIN = (
    "主订单编号",
    "子订单编号",
    "选购商品",
    "商品数量",
    "商品ID",
    "商品单价",
    "订单应付金额",
    "收件人",
    "收件人手机号",
)
DOUYIN += ("订单提交时间", "支付完成时间", "订单状态", "售后状态")


def douyin(number: str, part: str, status: str, case: str = "-", **more: str) -> dict[str, str]:
    """A row of a Douyin export."""
    values = {"主订单编号": f"\t{number}", "子订单编号": f"\t{part}", "订单状态": status, "售后状态": case}
    values |= {"订单提交时间": "2026-06-01 10:00:00", "商品数量": "1", "商品单价": "30.00", "订单应付金额": "30.00"}
    return dict.fromkeys(DOUYIN, "") | values | {"选购商品": "杯子", "收件人手机号": "##x1y2##"} | more


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ([("已发货", "-"), ("已发货", "-")], "shipped"),
        ([("已发货", "-"), ("备货中", "-")], "paid"),
        ([("已发货", "-"), ("已关闭", "-")], "shipped"),
        ([("已完成", "-"), ("已完成", "售后中")], "after_sale"),
        ([("已完成", "同意退款,退款成功"), ("已完成", "-")], "completed"),
        ([("已完成", "退款成功"), ("已关闭", "-")], "refunded"),
        ([("已关闭", "-"), ("已关闭", "-")], "closed"),
        ([("已发货", "-"), ("没见过", "-")], ""),
        ([("已发货", "没见过的售后")], ""),
    ],
)
def test_an_order_is_as_far_as_its_parts(db, parts, status):
    import_orders([douyin("5001", f"500{index}", *part) for index, part in enumerate(parts)])

    assert status_of("5001") == status
    assert OrderLine.objects.count() == len(parts)


@pytest.mark.parametrize(
    ("amounts", "total"), [(["30.00", "30.00"], 60), (["60.00", "60.00"], 60), (["25", "30"], 55)]
)
def test_amounts_of_parts_are_added_and_a_repeated_total_is_not(db, amounts, total):
    rows = [douyin("5001", f"500{index}", "已发货", 订单应付金额=amount) for index, amount in enumerate(amounts)]

    import_orders(rows)

    assert Order.objects.get().total == total


def test_contradictory_times_are_kept_and_told(db):
    imported = import_orders([taobao("1001", PAID, 订单付款时间="2026-05-31 10:00:00")])

    order = Order.objects.get()
    assert order.paid_at < order.ordered_at
    assert imported.counts["problem:paid_before_ordered"] == 1
    assert imported.counts["created"] == 1


def test_goods_that_share_a_cell_are_divided_where_their_number_is_known(db):
    import_orders(
        [
            taobao("1001", PAID, 宝贝标题="护手霜,手机壳，保温杯", 宝贝种类="3", 宝贝总数量="3"),
            taobao("1002", PAID, 宝贝标题="保温杯500ml,送杯刷", 宝贝种类="1", 宝贝总数量="2"),
        ]
    )

    goods = OrderLine.objects.values_list("order__number", "product", "quantity").order_by("order_id", "id")
    assert list(goods) == [
        ("1001", "护手霜", 1),
        ("1001", "手机壳", 1),
        ("1001", "保温杯", 1),
        ("1002", "保温杯500ml,送杯刷", 2),
    ]


def test_shopifys_second_items_hold_only_a_name_and_an_email(db):
    head = ("Name", "Email", "Financial Status", "Paid at", "Fulfillment Status", "Created at", "Total", "Currency")
    head += ("Lineitem quantity", "Lineitem name", "Lineitem price", "Shipping Name", "Shipping Phone", "Cancelled at")
    first = {"Name": "#1001", "Email": "Na@Example.com", "Financial Status": "paid", "Total": "50.00"}
    first |= {"Created at": "2026-05-01 10:00:00 +0200", "Paid at": "2026-05-01 10:01:00 +0200", "Currency": "EUR"}
    first |= {"Lineitem quantity": "1", "Lineitem name": "Cup", "Lineitem price": "20.00"}
    first |= {"Fulfillment Status": "fulfilled"}
    second = {"Name": "#1001", "Email": "Na@Example.com", "Lineitem quantity": "3", "Lineitem name": "Tea"}
    rows = [dict.fromkeys(head, "") | first, dict.fromkeys(head, "") | second | {"Lineitem price": "10.00"}]
    other = {"Name": "#1002", "Financial Status": "pending", "Fulfillment Status": "unfulfilled"}

    import_orders([*rows, dict.fromkeys(head, "") | first | other])

    order = Order.objects.get(number="#1001")
    assert (order.platform, order.status, order.total, order.currency) == ("shopify", "shipped", 50, "EUR")
    assert order.ordered_at == datetime(2026, 5, 1, 8, tzinfo=UTC)
    assert order.platform_status == "paid / fulfilled"
    assert [line.quantity for line in order.lines.order_by("id")] == [1, 3]
    assert order.customer.contact_points.get().address == "na@example.com"
    assert status_of("#1002") == "unpaid"
    assert Customer.objects.count() == 1


def test_a_number_that_a_spreadsheet_has_rounded_is_no_order_number(db):
    imported = import_orders([taobao("8.00000008290025E+17", PAID), taobao('="800000008290024870"', PAID)])

    assert list(Order.objects.values_list("number", flat=True)) == ["800000008290024870"]
    assert imported.counts["rejected"] == 1


def test_another_shops_list_is_read_by_its_headers(db):
    rows = [
        {
            "订单号": "A1",
            "下单时间": "2026/6/6 9:05",
            "订单状态": "待发货",
            "手机号": "13800000001",
            "订单金额": "¥1,280元",
        }
    ]

    import_orders(rows)

    order = Order.objects.get()
    assert (order.platform, order.status, order.total) == ("other", "paid", 1280)


# What the database keeps ---------------------------------------------------------------------------


def test_the_history_of_an_order_is_neither_changed_nor_deleted(db):
    import_orders([taobao("1001", PAID)])

    for wrong in (lambda: OrderChange.objects.update(to_status="paid"), OrderChange.objects.all().delete):
        with pytest.raises(DatabaseError, match="append_only"), transaction.atomic():
            wrong()


@pytest.mark.parametrize("wrong", [{"status": "sent"}, {"platform": "mars"}, {"number": ""}])
def test_the_database_refuses_an_impossible_order(db, wrong):
    import_orders([taobao("1001", PAID)])

    with pytest.raises(IntegrityError), transaction.atomic():
        Order.objects.update(**wrong)


def test_an_order_has_its_number_once_at_its_platform(db):
    import_orders([taobao("1001", PAID)])

    with pytest.raises(IntegrityError), transaction.atomic():
        Order.objects.create(number="1001", platform="taobao", status_at=NOW)


def test_nothing_of_the_file_is_left_in_the_connection(db):
    import_bytes((SAMPLES / "jd_orders_sample.csv").read_bytes())

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM staged_order_row")
        assert cursor.fetchone() == (0,)
