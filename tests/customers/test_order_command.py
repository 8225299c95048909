"""`manage.py import_orders`: what every platform's export becomes, compared with what is expected of it."""

import csv
import json
from collections import Counter
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from customers.models import Consent, ContactPoint, Customer, Order, OrderLine, SpreadsheetImport
from tests.customers.files import SAMPLES

REFUSED = 2


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """A directory of the test's own for uploaded files."""
    settings.UPLOADS = tmp_path / "uploads"
    return settings.UPLOADS


def command(*arguments) -> str:
    """Run the command and return what it says."""
    said = StringIO()
    call_command("import_orders", *map(str, arguments), stdout=said)
    return said.getvalue()


def lines(path) -> list[dict[str, str]]:
    """A report, row by row."""
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def expected(sample: str) -> dict:
    """What is expected of a sample."""
    return json.loads((SAMPLES / f"{sample}.expected.json").read_text("utf-8"))


@pytest.fixture(params=[["--dry-run"], []], ids=["dry run", "import"])
def trial(request) -> list[str]:
    """Both ways of reading a file."""
    return request.param


def test_douyins_sub_orders_are_parts_of_one_order(db, tmp_path, trial):
    sample, report = "douyin_orders_sample.csv", tmp_path / "report.csv"

    command(SAMPLES / sample, "--report", report, *trial)

    found, wanted = lines(report), expected(sample)
    assert len(found) == wanted["sub_order_rows"]
    assert len({line["order_no"] for line in found}) == wanted["distinct_main_orders"]
    assert Counter(line["status"] for line in found) == wanted["status_by_row"]
    assert sum(line["phone_problem"] == "encrypted" for line in found) == wanted["rows_with_encrypted_phone"]
    assert len({line["phone"] for line in found} - {""}) == wanted["distinct_usable_phones"]
    assert Order.objects.count() == (0 if trial else wanted["distinct_main_orders"])
    assert OrderLine.objects.count() == (0 if trial else wanted["sub_order_rows"])


def test_jds_items_are_parts_of_one_order(db, tmp_path, trial):
    sample, report = "jd_orders_sample.csv", tmp_path / "report.csv"

    command(SAMPLES / sample, "--report", report, *trial)

    found, wanted = lines(report), expected(sample)
    assert len(found) == wanted["item_rows"]
    assert len({line["order_no"] for line in found}) == wanted["distinct_orders"]
    assert Counter(line["status"] for line in found) == wanted["status_by_row"]
    assert len({line["phone"] for line in found} - {""}) == wanted["distinct_usable_phones"]
    assert (
        Counter(line["phone_problem"] for line in found if line["phone_problem"])
        == (wanted["rows_without_usable_phone_by_reason"])
    )
    assert Order.objects.count() == (0 if trial else wanted["distinct_orders"])
    if not trial:
        assert set(Order.objects.values_list("total", flat=True)) == {99}
        assert Order.objects.filter(is_locked=True, status="locked").exists()
        assert not Order.objects.filter(is_deleted=True).exclude(status="closed").exists()


def test_pinduoduos_orders_come_in_without_anybodys_number(db, tmp_path, trial):
    sample, report = "pdd_orders_sample.csv", tmp_path / "report.csv"

    command(SAMPLES / sample, "--report", report, *trial)

    found, wanted = lines(report), expected(sample)
    assert len(found) == wanted["order_rows"]
    assert Counter(line["status"] for line in found) == wanted["status"]
    assert {line["phone"] for line in found} == {""}
    assert not Customer.objects.exists()
    assert Order.objects.count() == (0 if trial else wanted["order_rows"])


@pytest.mark.real_data
def test_taobaos_export_agrees_with_the_rows_expected_of_it(db, tmp_path, trial, shared):
    sample = shared / "data/samples/taobao_ExportOrderList_sample.csv"
    report = tmp_path / "report.csv"

    command(sample, "--report", report, *trial)

    wanted = lines(sample.with_name(f"{sample.name}.expected_rows.csv"))
    assert [{key: line[key] for key in wanted[0]} for line in lines(report)] == wanted
    assert Counter(line["meaning"] for line in lines(report)) == {
        "completed": 70,
        "shipped": 39,
        "paid": 15,
        "closed": 76,
    }
    assert Order.objects.count() == (0 if trial else 200)
    assert ContactPoint.objects.count() == (0 if trial else 130)
    assert not Consent.objects.exists()


@pytest.mark.real_data
def test_an_olist_timeline_is_kept_with_its_contradictions(db, tmp_path, shared):
    command(shared / "data/olist/olist_orders.csv")

    imported = SpreadsheetImport.objects.get()
    assert imported.counts["created"] == 4105
    assert imported.counts["problem:shipped_before_paid"] == 45
    assert imported.counts["problem:closed_but_delivered"] == 6
    assert imported.counts["problem:delivered_without_time"] == 1
    assert Order.objects.filter(platform="olist", promised_at__isnull=False).count() == 4105
    assert Customer.objects.count() == 4105


@pytest.mark.real_data
def test_a_report_without_a_status_is_understood_by_its_times(db, shared):
    command(shared / "data/tmall/tmall_orders_2020-02-01_to_22.csv")

    statuses = Counter(Order.objects.values_list("status", flat=True))
    assert statuses == {"unpaid": 1439, "refunded": 2028, "paid": 10158 - 1439 - 2028}


def test_a_file_without_order_numbers_is_refused_in_one_sentence(db, tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("姓名,手机号\n李娜,13800000001\n", "utf-8")

    with pytest.raises(CommandError) as refused:
        command(path)

    assert refused.value.returncode == REFUSED
    assert not Order.objects.exists()


def test_a_second_import_of_the_same_file_changes_nothing(db):
    command(SAMPLES / "jd_orders_sample.csv")
    before = [list(model.objects.order_by("pk").values()) for model in (Order, OrderLine, Customer, ContactPoint)]

    said = command(SAMPLES / "jd_orders_sample.csv")

    assert "60" in said
    assert SpreadsheetImport.objects.latest("id").counts["unchanged"] == 60
    after = [list(model.objects.order_by("pk").values()) for model in (Order, OrderLine, Customer, ContactPoint)]
    assert after == before
