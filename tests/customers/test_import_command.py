"""`manage.py import_customers`: the same code from the command line."""

import csv
import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from customers.models import Customer, SpreadsheetImport
from tests.customers.files import SAMPLES, table

LI_NA = {"姓名": "李娜", "手机号": "13800000001"}
REFUSED = 2


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """A directory of the test's own for uploaded files."""
    settings.UPLOADS = tmp_path / "uploads"
    return settings.UPLOADS


def command(*arguments) -> str:
    """Run the command and return what it says."""
    said = StringIO()
    call_command("import_customers", *map(str, arguments), stdout=said)
    return said.getvalue()


def lines(path) -> dict[str, dict[str, str]]:
    """A report by row."""
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return {line["row"]: line for line in csv.DictReader(handle)}


@pytest.mark.parametrize("trial", [["--dry-run"], []], ids=["dry run", "import"])
@pytest.mark.parametrize("sample", ["youzan_customers_sample.csv", "shopify_customers_export_sample.csv"])
def test_the_report_says_what_the_sample_expects(db, tmp_path, sample, trial):
    report = tmp_path / "report.csv"

    command(SAMPLES / sample, "--report", report, *trial)

    found, expected = lines(report), lines(SAMPLES / f"{sample}.expected_rows.csv")
    for row, wanted in expected.items():
        assert found[row]["outcome"] == wanted["outcome"], row
        if wanted["outcome"] == "valid":
            assert {key: found[row][key] for key in wanted if key.endswith(("phone", "consent", "birthday"))} == {
                key: value for key, value in wanted.items() if key.endswith(("phone", "consent", "birthday"))
            }


def test_a_dry_run_changes_nothing(db, uploads):
    command(SAMPLES / "youzan_customers_sample.csv", "--dry-run")

    assert not Customer.objects.exists()
    assert not SpreadsheetImport.objects.exists()
    assert not uploads.exists()


def test_an_import_says_its_counts(db):
    said = command(SAMPLES / "youzan_customers_sample.csv")

    assert Customer.objects.count() == 84
    assert [re.search(r"\d+$", line)[0] for line in said.splitlines()] == ["84", "0", "0", "4", "32", "0"]


@pytest.mark.parametrize("trial", [["--dry-run"], []], ids=["dry run", "import"])
@pytest.mark.parametrize(
    "content",
    [b"", b"%PDF-1.7", b"PK\x03\x04 cut off", table({"a": "1"}, head=["a", "b"])],
    ids=["empty", "pdf", "truncated", "no phone column"],
)
def test_a_file_that_is_refused_ends_with_two_and_one_sentence(db, tmp_path, content, trial):
    file = tmp_path / "list.csv"
    file.write_bytes(content)

    with pytest.raises(CommandError) as refusal:
        command(file, *trial)

    assert refusal.value.returncode == REFUSED
    assert "\n" not in str(refusal.value)
    assert not Customer.objects.exists()


def test_a_missing_file_ends_with_two(db, tmp_path):
    with pytest.raises(CommandError) as refusal:
        command(tmp_path / "nothing.csv")

    assert refusal.value.returncode == REFUSED


def test_a_report_that_cannot_be_written_is_told_before_anything_is_imported(db, tmp_path):
    file = tmp_path / "list.csv"
    file.write_bytes(table(LI_NA))

    with pytest.raises(CommandError) as refusal:
        command(file, "--report", tmp_path / "missing" / "report.csv")

    assert refusal.value.returncode == REFUSED
    assert not Customer.objects.exists()
