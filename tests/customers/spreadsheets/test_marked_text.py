"""Text files back: the bytes of good rows as they were, words behind the others, colors where somebody wants them."""

import csv
import io
from pathlib import Path

import openpyxl
import pytest

from customers.spreadsheets import marked, reader
from customers.spreadsheets.marked_styles import COLORS
from customers.spreadsheets.marked_text import _code, _records
from customers.spreadsheets.marks import MEND, Mark
from customers.spreadsheets.text import TextSource
from tests.customers.files import SAMPLES

HEADING = "处理办法 / What to do (#7)"
WORDS = "● “手机号”：号码不是 11 位。请“核对”，并改正。"
MARK = Mark(3, WORDS, MEND, {1: MEND})
LINES = ["姓名,手机号,备注", '李娜,13800000001,"第一行\r\n第二行"', "王伟,1380000000,", '"张 ""敏""",13800000003,无']


def write(content: bytes, tmp_path: Path, *, marks=(MARK,), name: str = "会员.csv", **options):
    """Mark a file, and return what was written and its bytes."""
    path = tmp_path / name
    path.write_bytes(content)
    with reader.open_sheet(path, name) as sheet:
        target = io.BytesIO()
        written = marked.write(path, sheet, target, marks=lambda: iter(marks), reference=7, **options)
    return written, target.getvalue()


def rows(content: bytes, encoding: str, delimiter: str = ",") -> list[list[str]]:
    """The records of a text file."""
    return list(csv.reader(io.StringIO(content.decode(encoding), newline=""), delimiter=delimiter))


@pytest.mark.parametrize("ending", ["\r\n", "\n", "\r"], ids=["crlf", "lf", "cr"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be"])
def test_good_rows_keep_every_byte_and_bad_ones_get_words_behind(encoding, ending, tmp_path):
    text = ending.join(LINES) + ending
    content = text.encode(encoding)

    written, document = write(content, tmp_path)

    quoted = WORDS.replace('"', '""')
    expected = text.replace("备注" + ending, f'备注,"{HEADING}"{ending}', 1)
    expected = expected.replace(f"1380000000,{ending}", f'1380000000,,"{quoted}"{ending}', 1)
    assert written == ("csv", True)
    assert document == expected.encode(encoding)
    assert [row[3:] for row in rows(document, encoding)] == [[HEADING], [], [WORDS], []]


@pytest.mark.parametrize("delimiter", ["\t", ";", "|"])
def test_the_delimiter_stays(delimiter, tmp_path):
    content = "\n".join(line.replace(",", delimiter) for line in LINES).encode()

    written, document = write(content, tmp_path, name="会员.txt")

    assert written.extension == ("tsv" if delimiter == "\t" else "csv")
    assert [row[3:] for row in rows(document, "utf-8", delimiter)] == [[HEADING], [], [WORDS], []]
    assert document.splitlines()[-1] == content.splitlines()[-1]


def test_a_short_row_gets_its_words_below_their_heading_and_a_long_one_behind_all(tmp_path):
    content = "姓名,手机号,备注\n王伟,138\n李娜,13800000001,有,多余\n".encode()
    marks = [Mark(2, "● a", MEND, {}), Mark(3, "● b", MEND, {})]

    _written, document = write(content, tmp_path, marks=marks)

    assert rows(document, "utf-8")[1:] == [["王伟", "138", "", "● a"], ["李娜", "13800000001", "有", "多余", "● b"]]


def test_only_the_rows_to_mend_come_below_titles_and_column_names(tmp_path):
    content = ("七月名单,,\r\n" + "\r\n".join(LINES)).encode("gb18030")

    _written, document = write(content, tmp_path, marks=[Mark(4, WORDS, MEND, {1: MEND})], only_marked=True)

    assert rows(document, "gb18030") == [
        ["七月名单", "", ""],
        ["姓名", "手机号", "备注", HEADING],
        ["王伟", "1380000000", "", WORDS],
    ]


def test_what_comes_back_is_read_without_our_column(tmp_path):
    for encoding in ("utf-8-sig", "gb18030", "utf-16"):
        _written, document = write("\r\n".join(LINES).encode(encoding), tmp_path)
        path = tmp_path / "again.csv"
        path.write_bytes(document)
        with reader.open_sheet(path) as sheet, reader.open_sheet(tmp_path / "会员.csv") as first:
            assert (sheet.headers, sheet.layout_key) == (first.headers, first.layout_key)
            assert sheet.marker.reference == "7"
            said = [(record[1], sheet.remark) for _number, record in sheet.rows()]
        assert said == [("13800000001", ""), ("1380000000", WORDS), ("13800000003", "")]


def test_a_mended_copy_that_is_marked_again_keeps_no_words_of_the_first_time(tmp_path):
    _written, first = write("\r\n".join(LINES).encode("gb18030"), tmp_path)

    _written, second = write(first, tmp_path, marks=[Mark(4, "● now this one", MEND, {})])

    assert [row[3:] for row in rows(second, "gb18030")] == [[HEADING], [], [], ["● now this one"]]
    assert [row[:3] for row in rows(second, "gb18030")] == [row[:3] for row in rows(first, "gb18030")]


def test_text_becomes_a_workbook_with_colors_where_somebody_wants_it(tmp_path):
    content = '姓名,手机号,备注\n王伟,1380000000,=1+1\n李娜,13800000001,"=""13800000001"""\n'.encode("gb18030")

    written, document = write(content, tmp_path, marks=[Mark(2, WORDS, MEND, {1: MEND})], as_workbook=True)

    sheet = openpyxl.load_workbook(io.BytesIO(document)).active
    assert written == ("xlsx", False)
    assert (sheet["B2"].fill.fgColor.rgb, sheet["D2"].value) == (COLORS[MEND].decode(), WORDS)
    assert (sheet["C2"].value, sheet["C2"].data_type, sheet["B3"].value) == ("=1+1", "s", "13800000001")
    assert sheet["B2"].number_format == "@" and sheet["C3"].value == '="13800000001"'


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("*.csv") if "expected" not in path.name))
def test_the_rows_of_every_sample_are_cut_where_the_reader_cuts_them(name, tmp_path):
    source = TextSource(SAMPLES / name)

    cut = list(_records(source.path, _code(source.path, source.encoding), source.delimiter))

    read = [record for _number, record in source.records()]
    again = [
        next(csv.reader([line.text or line.raw.decode(source.encoding) for line in lines], delimiter=source.delimiter))
        for lines in cut
    ]
    assert b"".join(line.raw for lines in cut for line in lines) in source.path.read_bytes()
    assert [row[1:] for row in again] == [row[1:] for row in read]
