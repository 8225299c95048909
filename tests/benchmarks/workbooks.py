"""A customer list: of twelve columns as a workbook, of ten as text."""

import csv
from pathlib import Path

import xlsxwriter

from tests.benchmarks.people import FAMILY_NAMES, GIVEN_NAMES

HEADERS = (
    "姓名",
    "手机号",
    "邮箱",
    "性别",
    "生日",
    "标签",
    "会员等级",
    "省份",
    "城市",
    "会员编号",
    "备注",
    "短信营销",
)
LEFT_OUT_OF_TEXT = ("省份", "备注")
TAGS = ("老客", "爱买鲜花", "爱买绿植", "门店自提", "老客,门店自提", "")


def write(path: Path, count: int) -> None:
    """Write so many customers, each one different."""
    workbook = xlsxwriter.Workbook(path, {"constant_memory": True})
    sheet = workbook.add_worksheet()
    sheet.write_row(0, 0, HEADERS)
    for number in range(count):
        sheet.write_row(number + 1, 0, _row(number))
    workbook.close()


def write_text(path: Path, count: int) -> None:
    """Write so many customers as CSV, in ten of the columns."""
    chosen = [place for place, header in enumerate(HEADERS) if header not in LEFT_OUT_OF_TEXT]
    with path.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow([HEADERS[place] for place in chosen])
        for number in range(count):
            row = _row(number)
            writer.writerow([row[place] for place in chosen])


def _row(number: int) -> tuple[str, ...]:
    name = FAMILY_NAMES[number % 20] + GIVEN_NAMES[number // 20 % 20] + GIVEN_NAMES[number // 400 % 20]
    return (
        name,
        str(13000000000 + number),
        f"customer{number}@example.com",
        "女" if number % 2 else "男",
        f"{1960 + number % 45}-{1 + number % 12:02}-{1 + number % 28:02}",
        TAGS[number % len(TAGS)],
        f"等级{number % 4}",
        "浙江省",
        ("杭州市", "宁波市", "温州市")[number % 3],
        f"C{number:07}",
        "喜欢百合" if number % 5 == 0 else "",
        "是" if number % 4 else "否",
    )
