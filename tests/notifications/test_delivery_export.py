"""The export of sending records: what the list shows, with state, reason, times and costs, as typed cells."""

import io
from datetime import datetime, timedelta

import cast
import openpyxl
import pytest
import staff
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.urls import reverse

from customers import clock, jobs
from customers.models import Customer, Export
from customers.services import exports
from notifications.choices import CapPolicy
from notifications.models import Delivery, Message
from notifications.services import deliveries, messages

pytestmark = pytest.mark.django_db
EXPORT = "/admin/notifications/delivery/export/"


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path, empty_queue):
    """A directory of the test's own for files."""
    settings.UPLOADS = tmp_path / "uploads"


@pytest.fixture
def greeting() -> Message:
    """A greeting planned for Li Na, Wang Wei and Chen Jie; Li Na's has arrived."""
    cast.li_na(), cast.wang_wei(), cast.chen_jie()
    Customer.objects.filter(name="李娜").update(external_id="007")
    message = planned("新年问候")
    sent = cast.at("2027-02-06 09:00")
    Delivery.objects.filter(customer__name="李娜").update(
        status="delivered",
        sent_at=sent,
        finished_at=sent,
        segments=2,
        cost="0.0900",
        provider_id="0012345678901234567",
    )
    return message


def planned(name: str) -> Message:
    now = clock.now()
    message = messages.freeze(
        cast.template(name=name),
        name=name,
        price="0.045",
        cap_policy=CapPolicy.SKIP,
        send_after=now,
        send_until=now + timedelta(hours=12),
        by=None,
        now=now,
    )
    deliveries.plan(message, Customer.objects.all(), occasion=name, now=now)
    return message


def sheet_of(answer) -> list[dict]:
    """The lines of the workbook by their heads."""
    header, *lines = openpyxl.load_workbook(io.BytesIO(b"".join(answer.streaming_content))).active
    return [{head.value: cell for head, cell in zip(header, line, strict=True)} for line in lines]


def exported(client, **question) -> list[dict]:
    return sheet_of(client.post(EXPORT, {"format": "xlsx"}, query_params=question))


def test_each_record_stands_in_words_and_typed_cells(greeting):
    lines = exported(staff.signed_in("owner"))

    found = {line["Name"].value: line for line in lines}
    arrived = found["李娜"]
    assert {name: line["State"].value for name, line in found.items()} == {
        "李娜": "Delivered",
        "王伟": "Not sent",
        "陈洁": "Not sent",
    }
    assert found["王伟"]["Reason"].value == "Opted out"
    assert (arrived["Number or address"].value, arrived["Number or address"].data_type) == ("13800000001", "s")
    assert (arrived["Provider's number"].value, arrived["Member number"].value) == ("0012345678901234567", "007")
    assert arrived["Record"].data_type == "s"
    assert arrived["Sent at"].value == datetime(2027, 2, 6, 9, 0)
    assert (arrived["Billed SMS"].value, arrived["Cost (yuan)"].value) == (2, 0.09)


def test_the_filter_of_the_list_decides_which_records(greeting):
    owner = staff.signed_in("owner")
    other = planned("元宵问候")

    assert {line["Message"].value for line in exported(owner, message=other.pk)} == {"元宵问候"}
    assert {line["Name"].value for line in exported(owner, message=greeting.pk, state="skipped")} == {"王伟", "陈洁"}
    assert [line["Message"].value for line in exported(owner, q="李娜", state="delivered")] == ["新年问候"]


def test_a_long_list_is_written_by_a_worker_with_the_same_filter(greeting):
    owner = staff.signed_in("owner")
    cast.crowd(exports.AT_ONCE + 1)
    spring = planned("春分问候")

    answer = owner.post(EXPORT, {"format": "xlsx"}, query_params={"message": spring.pk, "state": "queued"})
    jobs.run_exports()
    export = Export.objects.get()
    lines = sheet_of(owner.get(reverse("admin:customers_export_download", args=[export.pk])))

    assert answer.status_code == 302
    assert len(lines) == export.rows_total == exports.AT_ONCE + 2  # Li Na is queued for it too.
    assert {line["Message"].value for line in lines} == {"春分问候"}
    assert export.described == "State: Queued; Message: 春分问候"


def test_who_may_not_see_whole_numbers_gets_masked_ones(greeting):
    manager = staff.signed_in("auditor")
    User.objects.get(username="auditor").user_permissions.add(Permission.objects.get(codename="export_delivery"))

    # To whom nothing was sent, no number was noted either.
    assert {line["Number or address"].value for line in exported(manager)} == {"138****0001", None}


@pytest.mark.parametrize("role", ["marketer", "clerk", "auditor"])
def test_without_the_permission_there_is_no_button_and_the_attempt_is_written_down(greeting, role):
    client = staff.signed_in(role)

    page = client.get(reverse("admin:notifications_delivery_changelist")).content.decode()

    assert "delivery/export/" not in page
    assert client.get(EXPORT).status_code == client.post(EXPORT, {"format": "xlsx"}).status_code == 403
    assert {entry.change_message for entry in LogEntry.objects.all()} == {"Tried to export without the permission."}


def test_the_export_is_written_down_with_its_filter(greeting):
    exported(staff.signed_in("owner"), state="skipped")

    assert LogEntry.objects.get().change_message == (
        "Exported 2 rows as xlsx: Sending records. Filter: State: Not sent. Whole numbers and addresses."
    )
