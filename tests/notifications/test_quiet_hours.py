"""Quiet hours to the second: at the moment of the call, in short windows, and in what a plan promises."""

from datetime import timedelta

import pytest

from customers import clock
from customers.models import Customer
from notifications.models import FrequencyCap, Message, QuietHours, Submission
from notifications.services import authorizing, deliveries, sending
from tests import cast
from tests.notifications.test_caps import move_clock
from tests.notifications.test_lifecycle import drain, planned
from tests.notifications.test_sending import freeze, send, states

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def quiet(noon):
    """From 20:30 to 09:00, as a new shop has it."""
    QuietHours.objects.create(purpose="marketing", channel="sms")


def test_a_batch_taken_before_quiet_hours_is_not_handed_over_after_they_began(account, gateway, quiet):
    move_clock(hours=8, minutes=29, seconds=50)
    message = planned(100)
    (batch,) = sending._next_batches("bulk", clock.now())
    move_clock(seconds=15)

    authorized = authorizing.authorize(message, batch.leased, batch.prepared, unsendable={}, account=account)
    drain()

    assert authorized is None
    assert gateway.numbers() == []
    assert states() == {"queued": 100}
    assert set(Submission.objects.values_list("status", "held_for")) == {("queued", "quiet_hours")}


def test_the_morning_is_shared_out_within_the_hours_of_the_message(account, gateway, quiet):
    move_clock(hours=9)
    message = planned(1000)
    opening = (clock.now().astimezone(clock.shop_zone()) + timedelta(days=1)).replace(
        hour=9, minute=0, second=0, microsecond=0
    )
    Message.objects.filter(pk=message.pk).update(send_until=opening + timedelta(minutes=10))

    drain()

    moments = sorted(Submission.objects.values_list("send_after", flat=True))
    assert moments[0] == opening
    assert moments[-1] < opening + timedelta(minutes=8)


def test_a_plan_at_night_asks_the_caps_about_the_morning(account, gateway, quiet):
    cast.crowd(5)
    FrequencyCap.objects.create(name="每天一条", limit=1, window="calendar_day")
    template = cast.template()
    send(freeze(template, now=clock.now()))
    move_clock(hours=10)
    message = freeze(template, now=clock.now())
    Message.objects.filter(pk=message.pk).update(send_until=clock.now() + timedelta(hours=20))
    message.refresh_from_db()

    deliveries.plan(message, Customer.objects.present(), occasion="greeting-2", now=clock.now())

    assert states() == {"sent": 5, "queued": 5}
