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
)
