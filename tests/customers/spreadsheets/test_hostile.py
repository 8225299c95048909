"""Hostile files of every format are refused in under a second of work, and take nobody along (S01 to S04)."""

import resource
import zipfile

import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers.spreadsheets import reader
from customers.spreadsheets.faults import SENTENCES, Unreadable
from tests.customers import hostile_files, old_files

# One second and the start of two processes, counted as processor time, for the machine may be busy.
SECONDS = 1.6
ROWS = [["姓名", "手机号", "备注"], ["王", "13800138000", "茶"], ["李", 13900139000, ""], ["周", "13700137000", ""]]


def work() -> float:
    """The processor time that this process and its children have taken."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def refused(path) -> Unreadable:
    with pytest.raises(Unreadable) as refusal, reader.open_sheet(path) as sheet:
        list(sheet.rows())
    assert refusal.value.message == SENTENCES[refusal.value.code]
    assert "%(" not in str(refusal.value)
    return refusal.value


@pytest.mark.parametrize(
    ("write", "code"),
    [
        (hostile_files.repeated_cells, "far_cell"),
        (hostile_files.repeated_rows, "bomb"),
        (hostile_files.absurd_count, "far_cell"),
        (hostile_files.far_cell_of_open_document, "far_cell"),
        (hostile_files.packed_open_document, "bomb"),
        (hostile_files.laughing_open_document, "doctype"),
        (hostile_files.far_cell_of_old_workbook, "far_cell"),
        (hostile_files.circle_in_container, "damaged"),
        (hostile_files.far_cell_of_excel_2003, "far_cell"),
        (hostile_files.laughing_excel_2003, "doctype"),
        (hostile_files.wide_page, "far_cell"),
        (hostile_files.deep_page, "bomb"),
        (hostile_files.open_tags, "no_header"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_hostile_file_is_refused_quickly_and_without_harm(tmp_path, write, code):
    path = write(tmp_path / "list.xls")
    before = work()

    assert refused(path).code == code

    assert work() - before < SECONDS


def test_a_far_cell_is_named_in_every_format(tmp_path):
    assert "IV65536" in str(refused(hostile_files.far_cell_of_old_workbook(tmp_path / "a.xls")))
    assert "XFD1048576" in str(refused(hostile_files.far_cell_of_open_document(tmp_path / "a.ods")))
    assert "XFD1048576" in str(refused(hostile_files.far_cell_of_excel_2003(tmp_path / "a.xml")))


def test_a_directory_that_lies_about_what_it_unpacks_to_takes_nobody_along(tmp_path):
    with xlsxwriter.Workbook(tmp_path / "honest.xlsx") as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(ROWS):
            sheet.write_row(number, 0, row)
    path = hostile_files.lying_directory(tmp_path / "lying.xlsx", tmp_path / "honest.xlsx")
    before = work()

    assert refused(path).code in ("damaged", "bomb")
    assert work() - before < 2 * SECONDS


def test_a_file_that_makes_the_parser_abort_costs_a_sentence_and_not_the_worker(tmp_path):
    path = hostile_files.long_text_in_old_workbook(tmp_path / "list.xls")

    assert path.stat().st_size < 5_000_000
    assert refused(path).code == "bomb"


def test_rows_that_stand_twice_in_a_workbook_are_never_lost_in_silence(tmp_path):
    with xlsxwriter.Workbook(tmp_path / "once.xlsx") as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(ROWS):
            sheet.write_row(number, 0, row)
    with zipfile.ZipFile(tmp_path / "once.xlsx") as once, zipfile.ZipFile(tmp_path / "twice.xlsx", "w") as twice:
        for name in once.namelist():
            content = once.read(name)
            if name == "xl/worksheets/sheet1.xml":
                content = content.replace(b'r="4"', b'r="3"').replace(b'"A4"', b'"A3"').replace(b'"B4"', b'"B3"')
            twice.writestr(name, content)

    fault = refused(tmp_path / "twice.xlsx")

    assert (fault.code, fault.values) == ("rows_lost", {"read": 3, "written": 4})


@pytest.mark.parametrize("moved", [(b'"C2"', b'"C4"'), (b'"A4"', b'"A3"'), (b'"B3"', b'"B33"')])
@pytest.mark.parametrize("encoding", [b"UTF-8", b"ascii"])
def test_cells_that_name_another_row_than_theirs_never_replace_a_customer_in_silence(tmp_path, moved, encoding):
    with xlsxwriter.Workbook(tmp_path / "sound.xlsx") as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(ROWS):
            sheet.write_row(number, 0, row)
    with zipfile.ZipFile(tmp_path / "sound.xlsx") as sound, zipfile.ZipFile(tmp_path / "moved.xlsx", "w") as broken:
        for name in sound.namelist():
            content = sound.read(name)
            if name == "xl/worksheets/sheet1.xml":
                assert moved[0] in content
                content = content.replace(*moved).replace(b"UTF-8", encoding, 1)
            broken.writestr(name, content)

    with reader.open_sheet(tmp_path / "sound.xlsx") as sheet:
        assert len(list(sheet.rows())) == 3
    assert refused(tmp_path / "moved.xlsx").code in ("damaged", "rows_lost")


def test_a_lone_cell_in_the_corner_is_far_away_even_where_it_would_fit(tmp_path):
    with xlsxwriter.Workbook(tmp_path / "list.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ROWS[0])
        sheet.write_row(1, 0, ROWS[1])
        sheet.write(200_000, 99, "x")

    assert refused(tmp_path / "list.xlsx").values == {"cell": "CV200001"}


@pytest.mark.parametrize("name", ["xls", "ods", "html", "xml"])
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1), change=st.binary(min_size=1, max_size=8))
def test_a_file_with_any_bytes_changed_is_read_or_refused_with_a_sentence(tmp_path, name, place, change):
    writers = {"xls": old_files.xls, "html": old_files.page, "xml": old_files.spreadsheet_xml}
    path = tmp_path / f"list.{name}"
    if name == "ods":
        old_files.ods(path, {"客户": ROWS})
    else:
        writers[name](path, ROWS)
    content = bytearray(path.read_bytes())
    start = int(place * (len(content) - 1))
    content[start : start + len(change)] = change
    path.write_bytes(content)

    try:
        with reader.open_sheet(path) as sheet:
            list(sheet.rows())
    except Unreadable as refusal:
        assert "%(" not in str(refusal)
