"""Recognizes lines below and between the customers that are none: totals, remarks, page numbers, signatures."""

import re
from collections.abc import Sequence

from customers.msgid import _

NOTICE = _("%(count)s lines with totals, remarks or page numbers were left out, the first in row %(row)s.")

_WORDS = (
    r"合计|总计|小计|共计|累计|汇总|总数|总人数|人数合计|合计人数|本页合计|本页小计|本页|备注|注|说明|温馨提示|提示|免责声明"
    r"|制表|制表人|制表日期|制表时间|制单人|审核|审核人|经办人|负责人|填表人|填表日期|导出时间|导出日期|导出人|打印时间|打印日期|打印人"
    r"|统计时间|统计日期|统计人|数据来源|数据截止|数据截至|截止时间|截至时间|报表时间|店铺名称|以上数据|以下空白"
    r"|total|totals|grand ?total|sub-?total|sum|note|notes|page|printed|exported|generated"
)
_FOOTER = re.compile(
    rf"[—–\-=*\s]*(?:{_WORDS})\s*(?:[:：(（].*|[0-9].*|by\b.*|on\b.*|at\b.*|of\b.*)?[—–\-=*\s]*"
    r"|[—–\-=*\s]*(?:共|第|合计|总计|总共)\s*[0-9,]+\s*[条行页人位个笔名张].*"
    r"|[—–\-=*\s]*(?:以下空白|end|the end|完|结束|到底了|没有更多了)[—–\-=*\s]*|[—–\-=]{3,}",
    re.I | re.S,
)


def is_footer(record: Sequence[object]) -> bool:
    """Whether the first filled cell of a line says that it is no customer; who has an address is one all the same."""
    first = next((cell for cell in record if cell not in ("", None)), "")
    if not isinstance(first, str) or _FOOTER.fullmatch(first.strip()) is None:
        return False
    return not any(isinstance(cell, str) and "@" in cell for cell in record)
