"""Files of every format are imported, and hostile ones refused, through the same service as all others."""

import pytest
import xlsxwriter

from customers.choices import ImportStatus
from customers.models import ContactPoint, Customer
from tests.customers import hostile_files, old_files
from tests.customers.files import imported, uploaded

ROWS = [
    ["会员名单"],
    ["姓名", "手机号", "生日"],
    ["王燕娜", "13800138000", "农历八月十五"],
    ["李", 13900139000, "2月28日"],
]


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """A directory of the test's own for uploaded files."""
    settings.UPLOADS = tmp_path / "uploads"


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("名单.xls", old_files.xls),
        ("名单.ods", lambda path, rows: old_files.ods(path, {"客户": rows})),
        ("导出.xls", old_files.page),
        ("导出.xls", old_files.spreadsheet_xml),
    ],
    ids=["xls", "ods", "html", "xml"],
)
def test_a_file_of_any_format_brings_its_customers(db, tmp_path, name, write):
    file = imported(write(tmp_path / "source", ROWS).read_bytes(), name=name)

    assert file.status == ImportStatus.DONE
    assert sorted(ContactPoint.objects.values_list("address", flat=True)) == ["13800138000", "13900139000"]
    born = Customer.objects.order_by("birth_month").values_list("birth_calendar", "birth_month", "birth_day")
    assert list(born) == [("", 2, 28), ("lunar", 8, 15)]


@pytest.mark.parametrize(
    "write",
    [
        hostile_files.far_cell_of_old_workbook,
        hostile_files.repeated_rows,
        hostile_files.laughing_excel_2003,
        hostile_files.deep_page,
    ],
    ids=lambda write: write.__name__,
)
def test_a_hostile_file_is_refused_with_a_sentence_and_imports_nobody(db, tmp_path, write):
    file = uploaded(write(tmp_path / "source").read_bytes(), name="名单.xls")

    assert file.status == ImportStatus.REFUSED
    assert file.complaint
    assert not Customer.objects.exists()


def test_a_file_whose_rows_the_parser_loses_imports_nobody(db, tmp_path):
    with xlsxwriter.Workbook(tmp_path / "list.xlsx") as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(ROWS[1:]):
            sheet.write_row(number, 0, row)
    path = hostile_files.two_tables_in_one_sheet(tmp_path / "torn.xlsx", tmp_path / "list.xlsx")

    file = uploaded(path.read_bytes(), name="名单.xlsx")

    assert file.status == ImportStatus.REFUSED
    assert "2" in file.complaint and "3" in file.complaint
    assert not Customer.objects.exists()
