"""What happens to messages that are paused, canceled, late, put off, lost, or answered strangely."""

from collections import Counter
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import IntegrityError, connection, transaction

from customers import clock
from customers.models import Consent, Customer, Suppression
from notifications import secrets
from notifications.models import Delivery, DeliveryTally, Message, ProviderAccount, QuietHours, Submission
from notifications.services import (
    authorizing,
    callbacks,
    deliveries,
    messages,
    receipts,
    sending,
    settling,
    submissions,
    tallies,
)
from notifications.services.progress import progress
from tests import cast
from tests.notifications.test_caps import move_clock
from tests.notifications.test_sending import freeze, send, states

pytestmark = pytest.mark.django_db(transaction=True)


def drain():
    return sending.drain("bulk", seconds=10, clock=clock.now)


def planned(size=250, **overrides):
    """A message planned to a crowd, nothing sent yet."""
    cast.crowd(size)
    message = freeze(cast.template(), now=clock.now(), **overrides)
    deliveries.plan(message, Customer.objects.present(), occasion="greeting-1", now=clock.now())
    return message


def test_nothing_leaves_while_a_message_is_paused(account, gateway, noon):
    message = planned()
    messages.pause([message.pk], now=noon)

    while_paused = drain()
    messages.resume([message.pk])
    drain()

    assert not while_paused
    assert len(gateway.numbers()) == len(set(gateway.numbers())) == 250


def test_canceling_says_how_many_the_provider_already_had(account, gateway, noon):
    in_the_air = settings.CALLS_IN_FLIGHT * account.batch_size
    message = planned(in_the_air + 100)
    first = sending._next_batches("bulk", clock.now())

    authorized = authorizing.authorize(message, first[0].leased, first[0].prepared, unsendable={}, account=account)
    result = messages.cancel([message.pk], now=clock.now())

    assert len(authorized.ids) == result.handed_over == in_the_air
    assert result.canceled == 100
    told = progress([message.pk], now=clock.now())
    assert (told.count("sending"), told.count("canceled"), told.total) == (
        in_the_air,
        100,
        in_the_air + 100,
    )


def test_a_message_canceled_after_the_lease_is_not_handed_over(account, gateway, noon):
    message = planned(50)
    (batch,) = sending._next_batches("bulk", clock.now())
    messages.cancel([message.pk], now=clock.now())

    assert authorizing.authorize(message, batch.leased, batch.prepared, unsendable={}, account=account) is None
    assert states() == {"staff": 50}


def test_an_opt_out_between_lease_and_call_is_kept(account, gateway, noon):
    message = planned(10)
    (batch,) = sending._next_batches("bulk", clock.now())
    left = batch.prepared[0]
    Consent.objects.filter(customer_id=left.customer_id).update(status="withdrawn")
    Suppression.objects.create(channel="sms", address=batch.prepared[1].address, scope="all", reason="complained")

    authorized = authorizing.authorize(message, batch.leased, batch.prepared, unsendable={}, account=account)

    assert len(authorized.ids) == 8
    assert states() == {"queued": 8, "opted_out": 1, "suppressed": 1}


def test_a_greeting_waits_for_the_morning_and_is_spread_out(account, gateway, noon):
    QuietHours.objects.create(purpose="marketing", channel="sms")
    move_clock(hours=9)
    message = planned(1000)
    Message.objects.filter(pk=message.pk).update(send_until=clock.now() + timedelta(hours=20))

    at_night = drain()

    assert not at_night
    moments = sorted(Submission.objects.values_list("send_after", flat=True))
    opening = clock.now().astimezone(clock.shop_zone()) + timedelta(days=1)
    assert moments[0].astimezone(clock.shop_zone()) == opening.replace(hour=9, minute=0, second=0, microsecond=0)
    assert len(set(moments)) == 10
    assert moments[-1] - moments[0] < submissions.RAMP
    assert progress([message.pk], now=clock.now()).count("held") == 1000


def test_marketing_by_sms_stays_silent_at_night_without_any_row(account, gateway, noon):
    QuietHours.objects.all().delete()
    move_clock(hours=9, minutes=30)
    planned(10)

    assert not drain()
    assert gateway.numbers() == []


@pytest.mark.parametrize(("quiet_from", "quiet_until"), [("21:30", "09:00"), ("20:00", "07:30"), ("09:00", "20:00")])
def test_the_database_refuses_marketing_by_sms_at_night(db, quiet_from, quiet_until):
    with pytest.raises(IntegrityError, match="cover_the_night"), transaction.atomic():
        QuietHours.objects.create(purpose="care", channel="sms", quiet_from=quiet_from, quiet_until=quiet_until)


def test_a_greeting_that_missed_its_window_is_never_sent_late(account, gateway, noon):
    message = planned(120)
    move_clock(hours=5)

    drain()
    deliveries.close_overdue(now=clock.now())

    assert gateway.numbers() == []
    assert states() == {"too_late": 120}
    assert progress([message.pk], now=clock.now()).remaining == 0


def test_a_worker_that_dies_before_the_call_loses_nothing(account, gateway, noon):
    planned(250)
    submissions.lease("bulk", limit=5, now=clock.now())
    move_clock(minutes=2)

    found = settling.recover_lost(now=clock.now())
    drain()

    assert found == {"requeued": 3, "lost": 0, "unknown": 0}
    assert set(Counter(gateway.numbers()).values()) == {1}
    assert states() == {"sent": 250}


def test_a_worker_that_dies_after_the_call_began_leaves_unknown_and_no_second_call(account, gateway, noon):
    message = planned(100)
    (batch,) = sending._next_batches("bulk", clock.now())
    authorizing.authorize(message, batch.leased, batch.prepared, unsendable={}, account=account)
    move_clock(minutes=2)

    found = settling.recover_lost(now=clock.now())
    drain()

    assert found == {"requeued": 0, "lost": 1, "unknown": 100}
    assert gateway.numbers() == []
    assert states() == {"no_answer": 100}
    assert progress([message.pk], now=clock.now()).cost == 100 * account.price


def test_a_frozen_worker_that_wakes_up_may_still_tell_the_answer(account, gateway, noon):
    message = planned(100)
    (batch,) = sending._next_batches("bulk", clock.now())
    with sending.Desk() as desk, sending.ThreadPoolExecutor(1) as threads:
        flight = sending._launch(threads, desk, batch)
    move_clock(minutes=2)
    settling.recover_lost(now=clock.now())

    flight.settle(clock.now)

    assert states() == {"sent": 100}
    assert progress([message.pk], now=clock.now()).total == 100


def test_a_worker_whose_lease_was_given_away_hands_nothing_over(account, gateway, noon):
    message = planned(100)
    (batch,) = sending._next_batches("bulk", clock.now())
    move_clock(minutes=2)
    settling.recover_lost(now=clock.now())
    submissions.lease("bulk", limit=5, now=clock.now())

    authorized = authorizing.authorize(message, batch.leased, batch.prepared, unsendable={}, account=account)

    assert authorized.ids == set()
    assert not Submission.objects.filter(called_at__isnull=False).exists()


def test_throttled_rows_are_tried_again_and_the_last_refusal_is_final(account, gateway, noon):
    cast.customer("忙", phone="19999990004", consent="granted")
    send(freeze(cast.template(), now=noon))

    waiting = Submission.objects.get(status="queued")
    for _ in range(settling.ATTEMPTS):
        move_clock(minutes=20)
        drain()

    assert waiting.held_for == "retry"
    assert states() == {"gave_up": 1}
    assert gateway.numbers() == []


def test_a_refused_text_pauses_the_message_and_burns_nobody(account, gateway, noon):
    cast.customer("词", phone="19999990006", consent="granted")
    message = freeze(cast.template(), now=noon)

    send(message)

    message.refresh_from_db()
    assert message.paused_at is not None
    assert message.paused_for
    assert states() == {"queued": 1}


def test_an_empty_account_pauses_itself_and_the_rest_waits(account, gateway, noon):
    cast.customer("钱", phone="19999990005", consent="granted")

    send(freeze(cast.template(), now=noon))

    assert ProviderAccount.objects.get().paused_for
    assert states() == {"queued": 1}


def test_an_account_with_an_unreadable_secret_pauses_before_anything_is_handed_over(account, gateway, noon, settings):
    ProviderAccount.objects.update(encrypted_secret=secrets.encrypt("key of the shop"))
    settings.SECRET_KEY = "another-key-" + "0123456789" * 5
    cast.li_na()

    send(freeze(cast.template(), now=noon))

    assert "another key" in ProviderAccount.objects.get().paused_for
    assert states() == {"queued": 1}
    assert not Submission.objects.filter(called_at__isnull=False).exists()


def test_an_answer_that_never_came_is_unknown_and_costs_its_slot(account, gateway, noon):
    cast.customer("断", phone="19999990007", consent="granted")

    send(freeze(cast.template(), now=noon))
    move_clock(minutes=30)
    settling.recover_lost(now=clock.now())
    drain()

    assert states() == {"ambiguous": 1}
    assert gateway.numbers() == ["19999990007"]


def test_what_a_message_says_can_never_be_changed(account, noon):
    message = planned(1)

    with pytest.raises(IntegrityError, match="message_says_what_it_said"), transaction.atomic():
        Message.objects.filter(pk=message.pk).update(body="别的")


def test_the_text_sent_stays_as_it_was_when_template_and_customer_change(account, gateway, noon):
    person = cast.li_na()
    template = cast.template()
    message = freeze(template, now=noon)
    deliveries.plan(message, Customer.objects.present(), occasion="greeting-1", now=noon)
    template.body = "完全不同的文字"
    template.save()

    drain()
    Customer.objects.filter(pk=person.pk).update(name="李小娜")

    assert gateway.ledger()[0]["text"].startswith("【鸿雁花店】李娜")
    assert Delivery.objects.get().values == {"name": "李娜"}


def test_a_customer_without_the_value_a_text_needs_is_skipped_alone(account, gateway, noon):
    cast.customer("", phone="13800000008", consent="granted")
    cast.li_na()

    send(freeze(cast.template("{{ name }}您好!"), now=noon))

    assert gateway.numbers() == ["13800000001"]
    assert states() == {"sent": 1, "missing_value": 1}


def test_two_customers_with_one_phone_get_one_message(account, gateway, noon):
    cast.li_na()
    cast.customer("李先生", phone="13800000001", consent="granted")

    send(freeze(cast.template(), now=noon))

    assert gateway.numbers() == ["13800000001"]
    assert states() == {"sent": 1, "duplicate_address": 1}


def test_planning_twice_plans_once(account, noon):
    message = planned(30)

    again = deliveries.plan(message, Customer.objects.present(), occasion="greeting-1", now=noon)

    assert again == {"queued": 30}
    assert Delivery.objects.count() == 30


def test_folding_the_tally_changes_no_sum(account, gateway, noon):
    message = planned(300)
    drain()
    before = progress([message.pk], now=clock.now()).parts

    tallies.squash()

    assert progress([message.pk], now=clock.now()).parts == before
    assert DeliveryTally.objects.count() == 2


def test_a_test_to_oneself_needs_no_consent_and_counts_for_nothing(account, gateway, noon):
    template = cast.template("{{ name }}您好!{{ shop }}")
    messages.send_test(template, number="13700000001", customer=cast.li_na(), by=None, now=noon)

    sending.drain("urgent", seconds=5, clock=clock.now)

    (entry,) = gateway.ledger()
    assert entry["number"] == "13700000001"
    assert "李娜您好!鸿雁花店" in entry["text"]


def test_receipts_settle_what_was_sent_and_a_replay_changes_nothing(account, gateway, noon, client):
    planned(20)
    drain()
    reports = report_all("delivered")

    answers = [post(client, account, reports).status_code for _ in range(3)]
    applied = [apply_receipts(), apply_receipts()]

    assert answers == [200, 200, 200]
    assert applied[0]["delivered"] == 20
    assert not applied[1]
    assert states() == {"delivered": 20}


def test_a_receipt_may_come_before_the_answer_is_written_down(account, gateway, noon, client):
    planned(5)
    (batch,) = sending._next_batches("bulk", clock.now())
    with sending.Desk() as desk, sending.ThreadPoolExecutor(1) as threads:
        flight = sending._launch(threads, desk, batch)
    post(client, account, report_all("delivered"))

    early = apply_receipts()
    flight.settle(clock.now)
    later = receipts.apply(now=clock.now() + callbacks.LONGEST_PAUSE)

    assert (early["too_early"], later["delivered"]) == (5, 5)
    assert states() == {"delivered": 5}


def test_a_forged_receipt_moves_nothing(account, gateway, noon, client):
    planned(5)
    drain()
    forged = [report | {"number": "13700000000"} for report in report_all("delivered")]
    guessed = [
        report | {"reference": "0" * 32 + "-" + report["reference"].split("-")[1]}
        for report in report_all("delivered")
    ]

    refused = client.post("/callbacks/wrong/receipts", report_all("delivered"), content_type="application/json")
    post(client, account, forged + guessed)
    found = apply_receipts()

    assert refused.status_code == 404
    assert found["foreign"] == 10
    assert states() == {"sent": 5}


def report_all(status):
    """A receipt for every delivery, as the gateway would push it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT replace(s.token::text, '-', '') || '-' || d.id, d.address FROM notifications_delivery d"
            " JOIN notifications_submission s ON s.id = d.submission_id"
        )
        return [
            {"reference": reference, "number": number, "status": status, "code": "DELIVRD"}
            for reference, number in cursor.fetchall()
        ]


def post(client, account, reports):
    return client.post(f"/callbacks/{account.callback_token}/receipts", reports, content_type="application/json")


def apply_receipts():

    return receipts.apply(now=clock.now())
