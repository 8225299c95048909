"""Order files for tests: rows as the platforms export them, and importing them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from customers import clock
from customers.choices import ImportKind
from customers.models import Order, SpreadsheetImport
from customers.services import imports
from tests.customers.files import table

NOW = datetime(2026, 6, 30, tzinfo=UTC)
TAOBAO = ("订单编号", "买家会员名", "总金额", "买家实际支付金额", "订单状态", "收货人姓名", "联系手机", "订单创建时间")
TAOBAO += ("订单付款时间", "发货时间", "宝贝标题", "宝贝种类", "宝贝总数量", "退款金额")
UNPAID, PAID, SHIPPED, DONE = "等待买家付款", "买家已付款，等待卖家发货", "卖家已发货,等待买家确认", "交易成功"


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
    imported = uploaded(content, platform=platform, name=name)
    imports.start(imported)
    imports.run(imported.pk, now=clock.now)
    imported.refresh_from_db()
    assert imported.status == "done", imported.complaint
    return imported


def uploaded(content: bytes, *, platform: str = "", name: str = "orders.csv") -> SpreadsheetImport:
    """A file of orders on its review page."""
    imported = imports.upload([content], file_name=name, by=None, now=NOW, kind=ImportKind.ORDERS, is_kind_chosen=True)
    if platform:
        SpreadsheetImport.objects.filter(pk=imported.pk).update(options=imported.options | {"platform": platform})
        imported.refresh_from_db()
    imports.read(imported, now=NOW)
    return imported


def status_of(number: str) -> str:
    """How far an order is."""
    return Order.objects.get(number=number).status


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
