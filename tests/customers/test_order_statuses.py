"""How far orders are: what the words of platforms mean, and what an older file must not undo."""

from datetime import UTC, datetime

import pytest

from customers import clock
from customers.models import (
    Customer,
    CustomerAccount,
    ImportedRow,
    Order,
    OrderChange,
    OrderLine,
)
from customers.services import imports, order_import
from tests.customers.files import table
from tests.customers.order_files import (
    DONE,
    PAID,
    SHIPPED,
    UNPAID,
    douyin,
    import_orders,
    jd,
    status_of,
    taobao,
    uploaded,
)


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """A directory of the test's own for uploaded files."""
    settings.UPLOADS = tmp_path / "uploads"
    return settings.UPLOADS


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


def test_a_part_that_stands_twice_in_a_file_is_told_once_by_the_row_that_is_furthest(db):
    rows = [douyin("5001", "50010", "已完成"), douyin("5001", "50011", "已完成"), douyin("5001", "50010", "已发货")]

    for outcome in ("created", "unchanged"):
        imported = import_orders(rows)

        assert (imported.counts[outcome], imported.counts["duplicate"]) == (1, 2)
        assert (status_of("5001"), Order.objects.get().total, OrderLine.objects.count()) == ("completed", 60, 2)
        assert ImportedRow.objects.filter(spreadsheet_import=imported).count() == 3


def test_a_file_with_some_parts_of_an_order_ends_no_case_of_the_others(db):
    open_case = douyin("5001", "50011", "已发货", "售后中")
    import_orders([douyin("5001", "50010", "已发货"), open_case])

    import_orders([douyin("5001", "50010", "已完成", 订单完成时间="2026-06-10 10:00:00")])

    assert (status_of("5001"), Order.objects.get().total) == ("after_sale", 60)

    done = {"订单完成时间": "2026-06-12 10:00:00"}
    import_orders([douyin("5001", part, "已完成", **done) for part in ("50010", "50011")])

    assert status_of("5001") == "completed"


@pytest.mark.parametrize("further", [PAID, SHIPPED, DONE, "交易关闭"])
def test_an_order_that_stands_twice_in_a_file_is_not_unpaid_if_one_row_is_further(db, further):
    rows = [taobao("1001", further), taobao("1001", UNPAID)]

    import_orders(rows)
    import_orders([taobao("1002", further), *rows, taobao("1002", UNPAID)])

    assert status_of("1001") == status_of("1002") != "unpaid"


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


def test_a_killed_workers_successor_goes_on_behind_the_last_chunk(db, monkeypatch):
    monkeypatch.setattr(order_import, "ROWS_AT_ONCE", 2)
    whose = [divmod(index, 5) for index in range(10)]
    rows = [jd(str(9000 + place), "完成", 商品ID=str(item), 下单帐号=f"jd_{place}") for item, place in whose]
    imported = uploaded(table(*rows, head=list(rows[0])))
    imports.start(imported)
    with monkeypatch.context() as crash:
        crash.setattr(order_import, "reach", _die)
        with pytest.raises(KeyboardInterrupt):
            imports.run(imported.pk, now=clock.now)
    assert Order.objects.count() == 2

    imports.run(imported.pk, now=clock.now)

    imported.refresh_from_db()
    assert (imported.status, imported.rows_done, imported.counts["created"]) == ("done", 10, 5)
    assert (Order.objects.count(), OrderLine.objects.count(), CustomerAccount.objects.count()) == (5, 10, 5)
    assert imported.rows.count() == 10


def _die(_point: str) -> None:
    raise KeyboardInterrupt
