"""Customer files for the tests of imports."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from customers import clock
from customers.models import ImportedRow, SpreadsheetImport
from customers.services import import_undo, imports

SAMPLES = Path(__file__).resolve().parent.parent / "data" / "samples"
HEAD = ("姓名", "手机号", "邮箱", "会员编号", "城市", "标签", "会员等级", "生日", "短信同意", "邮件同意")


def table(*rows: dict[str, str], head: Sequence[str] = HEAD) -> bytes:
    """A CSV file with these rows; cells that are not named are empty."""
    handle = io.StringIO()
    writer = csv.DictWriter(handle, head, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return handle.getvalue().encode()


def uploaded(content: bytes, *, name: str = "客户.csv", by=None, is_kind_chosen: bool = False) -> SpreadsheetImport:
    """A file on its review page; with `is_kind_chosen` its rows are customers, whatever they look like."""
    imported = imports.upload([content], file_name=name, by=by, now=clock.now(), is_kind_chosen=is_kind_chosen)
    imports.read(imported, now=clock.now())
    return imported


def imported(content: bytes, *, name: str = "客户.csv", by=None, declaration: dict | None = None) -> SpreadsheetImport:
    """A file whose import is finished."""
    file = uploaded(content, name=name, by=by)
    if declaration:
        SpreadsheetImport.objects.filter(pk=file.pk).update(declaration=declaration)
    imports.start(file)
    imports.run(file.pk, now=clock.now)
    file.refresh_from_db()
    return file


def undone(file: SpreadsheetImport, *, by=None) -> SpreadsheetImport:
    """An import that is taken back."""
    import_undo.start(file, by=by, now=clock.now())
    import_undo.run(file.pk, clock=clock.now)
    file.refresh_from_db()
    return file


def outcomes(file: SpreadsheetImport) -> list[str]:
    """What became of each row, in the order of the file."""
    return list(
        ImportedRow.objects.filter(spreadsheet_import=file).order_by("number").values_list("outcome", flat=True)
    )
