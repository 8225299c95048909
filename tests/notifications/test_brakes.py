"""The automatic brake: it stops what goes wrong, says why, and leaves the rest alone."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import translation

from customers import clock
from customers.choices import Channel, ConsentStatus, Purpose
from customers.models import ConsentChange, Customer, Suppression
from notifications.choices import BrakeKind, HeldFor
from notifications.models import BrakePull, BrakeRule, Delivery, Message, Submission
from notifications.services import brakes, budgets, canaries, deliveries, messages, sending, submissions
from tests import cast
from tests.notifications.test_sending import freeze, states

pytestmark = pytest.mark.django_db(transaction=True)


def drain():
    return sending.drain("bulk", seconds=10, clock=clock.now)


def planned(size, *, purpose=Purpose.MARKETING):
    cast.crowd(size)
    message = freeze(cast.template(purpose=purpose), now=clock.now())
    deliveries.plan(message, Customer.objects.present(), occasion="greeting-1", now=clock.now())
    return message


def half_sent(size=400, *, purpose=Purpose.MARKETING):
    """A message of which one batch of 100 is settled, and the rest waits."""
    message = planned(size, purpose=purpose)
    queue = Purpose(purpose).queue
    (batch,) = sending._next_batches(queue, clock.now())
    one = Submission.objects.filter(message=message).order_by("id").first()
    others = [leased for leased in batch.leased if leased.id != one.pk]
    sending.submissions.give_back(others, send_after=message.send_after)
    batch.leased = [leased for leased in batch.leased if leased.id == one.pk]
    batch.prepared = [row for row in batch.prepared if row.submission_id == one.pk]
    with sending.Desk() as desk, sending.ThreadPoolExecutor(1) as threads:
        sending._launch(threads, desk, batch).settle(clock.now)
    return message


def turn(count, status, reason=""):
    """Let some of what was handed over have another outcome."""
    ids = list(Delivery.objects.filter(status="sent").order_by("id").values_list("id", flat=True)[:count])
    Delivery.objects.filter(id__in=ids).update(status=status, reason=reason)
    return ids


def opt_out(count):
    """Some of those who got it answer TD."""
    now = clock.now()
    got = Delivery.objects.exclude(sent_at=None).order_by("id").values_list("customer_id", flat=True)[:count]
    ConsentChange.objects.bulk_create(
        ConsentChange(
            customer_id=customer, channel=Channel.SMS, purpose=purpose, status=ConsentStatus.WITHDRAWN,
            source="reply", wording="TD", happened_at=now, recorded_at=now,
        )
        for customer in got for purpose in (Purpose.CARE, Purpose.MARKETING)
    )  # fmt: skip


def test_a_message_of_which_too_many_calls_fail_is_paused_with_the_reason(account, gateway, noon):
    message = half_sent()
    turn(21, "failed", "refused_number")

    done = brakes.check(now=clock.now())

    message.refresh_from_db()
    assert done == {BrakeKind.ERRORS: 1}
    assert message.paused_at
    assert message.paused_for == brakes.PAUSED_FOR[BrakeKind.ERRORS]
    with translation.override("en"):
        assert "Of the latest 100 messages 21 failed" in brakes.latest_pull([message.pk]).in_words
    assert not drain()


def test_twenty_percent_are_still_borne(account, gateway, noon):
    message = half_sent()
    turn(20, "failed", "refused_number")

    assert not brakes.check(now=clock.now())
    assert Message.objects.get(pk=message.pk).paused_at is None


def test_unknown_outcomes_count_as_failures(account, gateway, noon):
    half_sent()
    turn(30, "unknown", "ambiguous")

    assert brakes.check(now=clock.now()) == {BrakeKind.ERRORS: 1}


def test_an_undelivered_message_is_no_failed_call(account, gateway, noon):
    half_sent()
    turn(90, "undelivered")

    assert not brakes.check(now=clock.now())


def test_a_message_that_staff_let_go_on_is_not_stopped_for_the_same_calls_again(account, gateway, noon):
    message = half_sent()
    turn(50, "failed", "refused_number")
    brakes.check(now=clock.now())

    messages.resume([message.pk])

    assert not brakes.check(now=clock.now())
    assert brakes.latest_pull([message.pk]) is None


def test_too_many_opt_outs_stop_a_message(account, gateway, noon):
    BrakeRule(answer_minimum=100).save()
    half_sent()
    opt_out(3)

    assert brakes.check(now=clock.now()) == {BrakeKind.OPT_OUTS: 1}
    with translation.override("zh-hans"):
        assert "100" in BrakePull.objects.get().in_words


def test_a_few_opt_outs_do_not(account, gateway, noon):
    BrakeRule(answer_minimum=100).save()
    half_sent()
    opt_out(2)

    assert not brakes.check(now=clock.now())


def test_opt_outs_of_a_day_later_are_not_held_against_it(account, gateway, noon):
    BrakeRule(answer_minimum=100).save()
    half_sent()
    opt_out(10)
    Delivery.objects.exclude(sent_at=None).update(sent_at=noon - timedelta(hours=30))

    assert not brakes.check(now=clock.now())


def test_complaints_stop_a_message(account, gateway, noon):
    BrakeRule(answer_minimum=100).save()
    half_sent()
    for delivery in Delivery.objects.exclude(sent_at=None)[:2]:
        Suppression.objects.create(channel="sms", address=delivery.address, scope="all", reason="complained")

    assert brakes.check(now=clock.now()) == {BrakeKind.COMPLAINTS: 1}


def test_an_empty_limit_switches_its_brake_off(account, gateway, noon):
    BrakeRule(error_percent=None, opt_out_percent=None, complaint_percent=None, answer_minimum=10).save()
    half_sent()
    opt_out(50)
    turn(90, "failed", "refused_number")

    assert not brakes.check(now=clock.now())


def test_the_brake_leaves_transactional_messages_alone(account, gateway, noon):
    half_sent(purpose=Purpose.TRANSACTIONAL)
    turn(90, "failed", "refused_number")

    assert not brakes.check(now=clock.now())


def test_the_first_part_goes_ahead_and_the_rest_waits(account, gateway, noon):
    message = planned(1000)

    assert canaries.begin(message) == 800
    drain()

    assert len(gateway.numbers()) == 200


def test_a_higher_budget_does_not_send_the_rest_before_the_first_part_arrived(account, gateway, noon):
    message = planned(1000)
    canaries.begin(message)
    submissions.hold_back(message, until=budgets.renewed_at(noon), held_for=HeldFor.BUDGET)

    budgets.release(account, now=noon)
    drain()

    assert states() == {"sent": 200, "queued": 800}
    assert set(Submission.objects.filter(status="queued").values_list("held_for", flat=True)) == {"canary"}


def test_one_percent_of_many_is_the_first_part(account, gateway, noon):
    BrakeRule(canary_minimum=10, canary_percent=30).save()
    message = planned(1000)

    assert canaries.begin(message) == 700


def test_the_rest_follows_once_the_first_part_arrived(account, gateway, noon):
    message = planned(600)
    canaries.begin(message)
    drain()
    assert not brakes.check(now=clock.now())
    turn(200, "delivered")

    assert brakes.check(now=clock.now()) == {"released": 1}
    drain()

    assert len(gateway.numbers()) == len(set(gateway.numbers())) == 600


def test_the_rest_stays_when_too_little_of_the_first_part_arrived(account, gateway, noon):
    message = planned(600)
    canaries.begin(message)
    drain()
    turn(179, "delivered")
    turn(21, "undelivered")

    assert brakes.check(now=clock.now()) == {BrakeKind.CANARY: 1}
    assert not drain()
    messages.resume([message.pk])
    drain()

    assert len(gateway.numbers()) == 600


def test_without_receipts_nobody_knows_and_the_rest_waits_for_staff(account, gateway, noon):
    message = planned(600)
    canaries.begin(message)
    drain()

    assert not brakes.check(now=clock.now() + timedelta(minutes=14))
    assert brakes.check(now=clock.now() + timedelta(minutes=16)) == {BrakeKind.CANARY: 1}
    with translation.override("en"):
        assert "only 0 have a receipt" in brakes.latest_pull([message.pk]).in_words


def test_a_small_message_needs_no_first_part(account, gateway, noon):
    message = planned(150)

    assert canaries.begin(message) == 0


def test_the_brake_is_one_row_with_sense(db):
    with pytest.raises(IntegrityError), transaction.atomic():
        BrakeRule.objects.create(id=2)
    BrakeRule().save()
    with pytest.raises(IntegrityError), transaction.atomic():
        BrakeRule.objects.update(error_minimum=0)


def test_a_lost_worker_does_not_keep_the_brake_from_counting(account, gateway, noon):
    half_sent()
    turn(30, "unknown", "no_answer")
    Submission.objects.filter(status="settled").update(status="lost")

    assert brakes.check(now=clock.now()) == {BrakeKind.ERRORS: 1}
