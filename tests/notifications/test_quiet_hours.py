"""Quiet hours to the second: at the moment of the call, in short windows, and in what a plan promises."""

from datetime import datetime, time, timedelta

import pytest
from django.db import connection, transaction

from customers import clock
from customers.models import Customer
from notifications.models import Delivery, FrequencyCap, Message, QuietHours, Submission
from notifications.services import authorizing, deliveries, sending, submissions
from notifications.services.single_messages import Wish
from notifications.services.single_messages import send as tell
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


def opening(hour: int) -> datetime:
    """The next time that it is this hour in the shop."""
    today = clock.now().astimezone(clock.shop_zone())
    return datetime.combine(today.date() + timedelta(days=today.hour >= hour), time(hour), today.tzinfo)


def drain_urgent():
    return sending.drain("urgent", seconds=10, clock=clock.now)


def told_one_by_one(size: int, *, send_until: datetime) -> None:
    """Service messages that come at night one after the other, each held before the next is planned."""
    cast.template("{{ name }},您的订单{{ order_number }}还未付款", purpose="service", name="待付款")
    for place, customer in enumerate(cast.crowd(size)):
        tell(Wish("待付款", customer, {"order_number": str(place)}, f"unpaid-{place}", send_until), now=clock.now())
        drain_urgent()


@pytest.fixture
def night(noon):
    """Eleven in the evening, and service messages wait from ten to eight."""
    QuietHours.objects.create(purpose="service", channel="sms", quiet_from="22:00", quiet_until="08:00")
    move_clock(hours=11)


def test_what_comes_one_by_one_at_night_does_not_go_out_in_one_moment(account, gateway, night):
    opens_at = opening(8)

    told_one_by_one(8, send_until=opens_at + timedelta(hours=5))

    moments = Submission.objects.values_list("send_after", flat=True)
    assert set(Submission.objects.values_list("status", "held_for")) == {("queued", "quiet_hours")}
    assert len(set(moments)) > 4
    assert all(opens_at <= moment < opens_at + submissions.RAMP for moment in moments)


def test_what_is_of_use_for_five_minutes_after_opening_goes_out_in_them(account, gateway, night):
    opens_at = opening(8)
    told_one_by_one(6, send_until=opens_at + timedelta(minutes=5))

    assert max(Submission.objects.values_list("send_after", flat=True)) < opens_at + timedelta(minutes=2, seconds=30)
    move_clock(seconds=(opens_at - clock.now()).total_seconds() + 150)
    drain_urgent()

    assert states() == {"sent": 6}


def test_what_has_no_hour_of_its_own_is_spread_over_the_whole_ramp(account, gateway, night):
    told_one_by_one(8, send_until=opening(8) + timedelta(hours=5))
    Delivery.objects.update(send_until=None)
    Submission.objects.update(send_after=clock.now())

    drain_urgent()

    assert len(set(Submission.objects.values_list("send_after", flat=True))) > 4


def test_what_waits_past_its_own_hour_is_closed_and_what_was_sent_is_not_even_read(account, gateway, night):
    told_one_by_one(3, send_until=opening(8) - timedelta(hours=1))
    message, sent = Message.objects.get(), 20_000
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO notifications_delivery (message_id, customer_id, occasion, address, submission_id, status,"
            " created_at, sent_at, send_until)"
            " SELECT %s, g, 'old-' || g, 'old-' || g, 1000000 + g / 100, 'sent', now(), now(), now()"
            " FROM generate_series(1, %s) g",
            [message.pk, sent],
        )
        cursor.execute("ANALYZE notifications_delivery")
    move_clock(hours=8, minutes=30)

    with transaction.atomic():
        before = rows_read()
        found = deliveries._close_late(clock.now())
        read = rows_read() - before

    assert (found, states()) == (3, {"too_late": 3, "sent": sent})
    assert read < 100


def rows_read() -> int:
    """How many rows of deliveries the transaction has looked at so far."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(idx_tup_fetch + seq_tup_read), 0) FROM pg_stat_xact_user_tables"
            " WHERE relname = 'notifications_delivery'"
        )
        return cursor.fetchone()[0]
