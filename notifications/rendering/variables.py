"""The variables a text may use, as data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType


def _(msgid: str) -> str:
    """Mark a label for translation; it is translated where it is shown."""
    return msgid


@dataclass(frozen=True)
class Variable:
    """One thing a text may say about its reader; `maximum` is its longest value in UTF-16 units."""

    key: str
    label: str
    example: str
    maximum: int
    aliases: tuple[str, ...] = ()

    def described(self, translate: Callable[[str], str] = str) -> str:
        """The name to write, with what it means."""
        return f"{self.key} ({translate(self.label)})"


def registry(*variables: Variable) -> Mapping[str, Variable]:
    """The variables by their keys, in the order in which staff see them."""
    return MappingProxyType({variable.key: variable for variable in variables})


# Aliyun refuses a value of more than 35 characters.
LONGEST_VALUE = 35

VARIABLES = registry(
    Variable("name", _("Name"), "李娜", LONGEST_VALUE, ("姓名", "称呼", "客户姓名")),
    Variable("title", _("Mr or Ms"), "女士", 8, ("先生女士", "尊称")),
    Variable("tier", _("Membership tier"), "金卡", 30, ("会员等级", "等级")),
    Variable("city", _("City"), "杭州", 20, ("城市",)),
    Variable("birthday", _("Birthday, month and day"), "10月3日", 10, ("生日",)),
    Variable("phone_tail", _("Last four digits of the phone number"), "8000", 4, ("手机尾号", "尾号")),
    Variable("shop", _("Name of the shop"), "鸿雁花店", LONGEST_VALUE, ("店铺", "店铺名", "店名")),
    # Of the order or event that a reminder speaks of; nobody else knows them.
    Variable("order_number", _("Order number"), "20261123000123", LONGEST_VALUE, ("订单号", "订单编号")),
    Variable("amount", _("Amount of the order"), "128.00", 12, ("金额", "订单金额")),
    Variable("product", _("Product, the first of the order"), "厄瓜多尔玫瑰11枝", 20, ("商品", "商品名")),
    Variable("product_count", _("Number of products"), "3", 6, ("件数",)),
    Variable("order_count", _("Number of orders, where one message stands for several"), "2", 4, ("订单数",)),
    Variable("carrier", _("Carrier"), "顺丰速运", 20, ("快递公司", "快递")),
    Variable("tracking_number", _("Tracking number"), "SF1234567890123", LONGEST_VALUE, ("快递单号", "运单号")),
    Variable("reason", _("What happened, in the shop's words"), "银行卡余额不足", LONGEST_VALUE, ("原因",)),
    Variable("due_date", _("The date it is about"), "11月25日", 12, ("日期",)),
    Variable("due_time", _("The time it is about"), "14:30", 8, ("时间",)),
    Variable("days_left", _("Days until then"), "3", 4, ("剩余天数",)),
    Variable("event_title", _("Title of the event"), "插花体验课", 20, ("事项",)),
    Variable("event_place", _("Place of the event"), "西湖店", 20, ("地点",)),
    Variable("event_value", _("Amount or number of the event"), "50元", 12, ("数额",)),
    Variable("code", _("Code of a coupon"), "ROSE50", 20, ("券码",)),
    Variable("compensation", _("Compensation"), "10元优惠券", 30, ("补偿",)),
)

OF_CUSTOMER = frozenset({"name", "title", "tier", "city", "birthday", "phone_tail", "shop"})
OF_OCCASION = frozenset(VARIABLES) - OF_CUSTOMER
