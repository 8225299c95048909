"""The marked file of a large workbook, against openpyxl that only loads and saves it."""

import csv
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import xlsxwriter

from customers import clock
from customers.models import MarkedFile, SpreadsheetImport
from customers.services import imports, marked_files
from tests.benchmarks import measuring
from tests.benchmarks.measuring import Scale, seconds_of
from tests.benchmarks.report import Report, Target, say

ALL_ROWS, BAD_ROWS, PREVIEW = "every row, marked", "only the rows to mend", "before the import"
TEXT, OPENPYXL = "CSV in GB18030, marked", "openpyxl"
METHODS = {
    ALL_ROWS: "the job of a worker: remarks from the database, the columns found again, the sheet edited",
    BAD_ROWS: "the same without the rows that are right",
    PREVIEW: "the same of a file that nobody has imported: its rows are read and judged once more",
    TEXT: "the same list as CSV",
    OPENPYXL: "load_workbook and save, nothing else: what any marking with it would take at least",
}
LOAD_AND_SAVE = "import openpyxl, sys; openpyxl.load_workbook(sys.argv[1]).save(sys.argv[2])"
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
    "消费金额",
)
# One row in twenty has something to mend.
EVERY = 20
CHUNK_BYTES = 1024 * 1024


def run(scale: Scale, place: Path) -> Report:
    """Mark files of which one row in twenty is bad, each way in turn."""
    sizes = {"rows": scale.of(100_000, 20_000, 1_000)}
    sizes["rows to mend"] = sizes["rows"] // EVERY
    workbook, text = place / "large.xlsx", place / "large.csv"
    _write_workbook(workbook, sizes["rows"])
    _write_text(text, sizes["rows"])
    waiting, done, done_text = _uploaded(workbook), _imported(workbook), _imported(text)
    ways = {ALL_ROWS: (done, False), BAD_ROWS: (done, True), PREVIEW: (waiting, False), TEXT: (done_text, False)}
    rounds, memory = [], dict.fromkeys(METHODS, 0.0)
    for number in range(1, scale.rounds + 1):
        say(f"  round {number} …")
        seconds = {}
        for way in METHODS:
            with measuring.peak_memory(lambda: [measuring.myself()]) as peak:
                if way == OPENPYXL:
                    seconds[way] = seconds_of(lambda: _load_and_save(workbook, place / "saved.xlsx"))
                else:
                    imported, only_marked = ways[way]
                    seconds[way] = _mark(imported, sizes["rows to mend"], only_marked=only_marked)
            memory[way] = max(memory[way], peak.together)
        rounds.append(seconds)
    middle = measuring.middle(rounds)
    rows = [
        {"way": way, "seconds": seconds, "share of openpyxl": seconds / middle[OPENPYXL], "peak MB": memory[way]}
        for way, seconds in middle.items()
    ]
    share = measuring.middle({"share": each[ALL_ROWS] / each[OPENPYXL]} for each in rounds)["share"]
    targets = [Target("times what openpyxl takes to load and save the file", share, 1, is_ceiling=True)]
    return Report(sizes, rows, targets, {}, {"methods": METHODS, "rounds": rounds})


def _mark(imported: SpreadsheetImport, expected: int, *, only_marked: bool) -> float:
    """Seconds from the request to the file on the disk."""
    MarkedFile.objects.all().delete()
    watch = measuring.Stopwatch()
    asked = marked_files.ask(
        imported, only_marked=only_marked, as_workbook=False, language="zh-hans", by=None, now=clock.now()
    )
    found = marked_files.write(asked.pk, clock=clock.now)
    if found["to_mend"] != expected:
        raise RuntimeError(f"{expected} rows should be marked; there are {found['to_mend']}.")
    return watch.seconds


def _load_and_save(source: Path, target: Path) -> None:
    subprocess.run([sys.executable, "-c", LOAD_AND_SAVE, str(source), str(target)], check=True)


def _uploaded(path: Path) -> SpreadsheetImport:
    with path.open("rb") as handle:
        chunks = iter(lambda: handle.read(CHUNK_BYTES), b"")
        imported = imports.upload(chunks, file_name=path.name, by=None, now=clock.now())
    imports.read(imported, now=clock.now())
    return imported


def _imported(path: Path) -> SpreadsheetImport:
    imported = _uploaded(path)
    imports.start(imported)
    imports.run(imported.pk, now=clock.now)
    imported.refresh_from_db()
    return imported


def _rows(count: int) -> Iterator[tuple[str | float, ...]]:
    for number in range(count):
        phone = str(13000000000 + number)
        yield (
            *(f"客户{number % 5000}", phone[:-1] if number % EVERY == 0 else phone, f"customer{number}@example.com"),
            *("女" if number % 2 else "男", f"{1960 + number % 45}-{1 + number % 12:02}-{1 + number % 28:02}"),
            *("老客", f"等级{number % 4}", "浙江省", "杭州市", f"C{number:07}"),
            *("喜欢百合" if number % 5 == 0 else "", number * 1.5),
        )


def _write_workbook(path: Path, count: int) -> None:
    """As Excel writes it: shared strings, borders, a number format."""
    workbook = xlsxwriter.Workbook(path)
    sheet = workbook.add_worksheet()
    framed, money = workbook.add_format({"border": 1}), workbook.add_format({"num_format": "¥#,##0.00", "border": 1})
    sheet.set_column(0, len(HEADERS) - 1, 14)
    sheet.write_row(0, 0, HEADERS, framed)
    for number, row in enumerate(_rows(count), start=1):
        sheet.write_row(number, 0, row[:-1], framed)
        sheet.write_number(number, len(HEADERS) - 1, row[-1], money)
    workbook.close()


def _write_text(path: Path, count: int) -> None:
    with path.open("w", encoding="gb18030", newline="") as handle:
        csv.writer(handle).writerows([HEADERS, *_rows(count)])
