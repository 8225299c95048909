"""What the workers run for notifications, as the timetable calls it."""

import pytest

from customers import clock
from notifications import jobs
from notifications.choices import CallbackKind
from notifications.services import callbacks
from tests.notifications.test_lifecycle import drain, planned, report_all, states

pytestmark = pytest.mark.django_db(transaction=True)


def test_one_tick_works_off_more_callbacks_than_one_transaction_takes(account, gateway, noon):
    planned(callbacks.TAKEN_AT_ONCE + 10)
    drain()
    for report in report_all("delivered"):
        body = f'[{{"reference": "{report["reference"]}", "number": "{report["number"]}", "status": "delivered"}}]'
        callbacks.store(account, body.encode(), kind=CallbackKind.RECEIPTS, now=clock.now())

    found = jobs.apply_receipts()

    assert found["delivered"] == callbacks.TAKEN_AT_ONCE + 10
    assert states() == {"delivered": callbacks.TAKEN_AT_ONCE + 10}
