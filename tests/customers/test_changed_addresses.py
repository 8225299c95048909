"""An opt-out belongs to the number it came from, also when the customer's record moves on to another."""

import pytest

from customers import clock
from customers.choices import Channel
from customers.models import Consent, Suppression
from customers.services import customers
from tests import cast
from tests.customers.files import imported, table

pytestmark = pytest.mark.django_db

OLD, NEW = "13800000002", "13800000009"


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """A directory of the test's own for uploaded files."""
    settings.UPLOADS = tmp_path / "uploads"


@pytest.mark.parametrize("address", [NEW, ""])
def test_a_number_that_opted_out_stays_closed_when_staff_take_it_from_the_record(address):
    customers.save(cast.wang_wei(), addresses={Channel.SMS: address}, tags=None, now=clock.now())

    imported(table({"姓名": "王伟", "手机号": OLD, "短信同意": "是"}))

    closed = Suppression.objects.get()
    assert (closed.channel, closed.address, closed.scope, closed.reason) == ("sms", OLD, "marketing", "opted_out")
    assert not Consent.objects.filter(channel="sms", status="granted").exists()


def test_a_number_that_never_opted_out_is_simply_replaced():
    customers.save(cast.li_na(), addresses={Channel.SMS: NEW}, tags=None, now=clock.now())

    assert not Suppression.objects.exists()
