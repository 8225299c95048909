"""What carriers report: whatever comes, in whatever order, as often as it likes."""

import json
from collections import Counter
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from customers import clock
from customers.choices import Channel
from customers.models import Consent, ConsentChange, Suppression
from notifications.choices import CallbackKind
from notifications.models import Delivery, DeliveryTally, Message, Receipt, Submission
from notifications.providers.base import Answer, Outcome
from notifications.providers.closing import Closing
from notifications.services import callbacks, receipts, write_back
from tests import staff
from tests.notifications import handed_over
from tests.notifications.handed_over import encoded, named, report

pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    return handed_over.account()


def push(account, items, *, encoding="utf-8"):
    """Keep a callback, as the view does."""
    body = items if isinstance(items, bytes) else encoded(items, encoding)
    return callbacks.store(account, body, kind=CallbackKind.RECEIPTS, now=clock.now())


def apply(**later):
    return receipts.apply(now=clock.now() + timedelta(**later))


def told(*ids):
    """State and reason of deliveries, in the order of their ids."""
    return list(Delivery.objects.filter(id__in=ids).order_by("id").values_list("status", "reason"))


def test_the_same_receipt_ten_times_is_one_change(account):
    (one,) = handed_over.sent(account, 1, now=clock.now())
    for spaces in range(10):
        push(account, encoded([report(one, "delivered")]) + b" " * spaces)

    found = apply()

    assert found == Counter(delivered=1, repeated=9)
    tally = {status: count for status, count in DeliveryTally.objects.values_list("status", "count") if count > 0}
    assert tally["delivered"] == 1


def test_a_receipt_that_names_only_the_call_finds_its_number(account):
    one, two, three = handed_over.sent(account, 3, now=clock.now())
    account.gateway, account.key_id = handed_over.ALIYUN["gateway"], "key"
    account.save()
    pushed = [
        {"phone_number": f"+86{named(one)[2]}", "success": True, "err_code": "DELIVERED", "out_id": named(one)[0]},
        {"phone_number": named(two)[2], "success": False, "err_code": "MK:0004", "out_id": named(two)[0]},
        {"phone_number": "13700000000", "success": True, "err_code": "DELIVERED", "out_id": named(two)[0]},
        {"phone_number": named(three)[2], "success": True, "err_code": "DELIVERED", "out_id": "d-42"},
    ]
    push(account, pushed)

    found = apply()

    assert found == Counter(delivered=1, undelivered=1, foreign=2)
    assert told(one, two, three) == [("delivered", ""), ("undelivered", "MK:0004"), ("sent", "")]
    assert Receipt.objects.get().problem == receipts.FOREIGN


def test_a_receipt_that_names_only_the_providers_number_finds_its_delivery():
    account = handed_over.account(**handed_over.TENCENT)
    one, two = handed_over.sent(account, 2, now=clock.now())
    Delivery.objects.filter(pk=one).update(provider_id="2640:1")
    Delivery.objects.filter(pk=two).update(provider_id="2640:2")
    status = {"nationcode": "86", "report_status": "SUCCESS", "errmsg": "DELIVRD"}
    push(
        account,
        [
            status | {"mobile": named(one)[2], "sid": "2640:1"},
            status | {"mobile": named(two)[2], "sid": "2640:1"},
        ],
    )

    found = apply()

    assert found == Counter(delivered=1, foreign=1)
    assert told(one, two) == [("delivered", ""), ("sent", "")]


def test_a_carrier_knows_better_than_a_search_that_found_nothing_twice(account):
    one, two, three = handed_over.sent(account, 3, now=clock.now())
    Delivery.objects.filter(pk__in=[one, two]).update(status="failed", reason="not_taken", sent_at=None)
    Delivery.objects.filter(pk=three).update(status="failed", reason="refused_number", sent_at=None)
    push(account, [report(id, "delivered") for id in (one, three)] + [report(two, "undelivered", code="absent")])

    apply()

    assert told(one, two, three) == [("delivered", ""), ("undelivered", "absent"), ("failed", "refused_number")]


def test_a_receipt_settles_what_nobody_knew(account):
    one, two = handed_over.sent(account, 2, now=clock.now())
    Delivery.objects.update(status="unknown", reason="no_answer", sent_at=None)
    Submission.objects.update(status="lost")
    push(account, [report(one, "delivered"), report(two, "undelivered", code="absent")])

    apply()

    assert told(one, two) == [("delivered", ""), ("undelivered", "absent")]
    assert Delivery.objects.get(pk=one).sent_at == Submission.objects.get().called_at


def test_receipts_before_our_own_answer_wait_and_hold_up_no_other(account):
    now = clock.now()
    early, late = (
        handed_over.sent(account, 1, now=now),
        handed_over.sent(account, 1, now=now, occasion="later", first_phone=13700000000),
    )
    Submission.objects.filter(deliveries__in=early).update(status="called", lease_until=now)
    Delivery.objects.filter(id__in=early).update(status="queued", sent_at=None)
    for number in range(callbacks.TAKEN_AT_ONCE):
        push(account, encoded([report(early[0], "delivered")]) + b" " * number)
    push(account, [report(late[0], "delivered")])

    first = apply()
    second = apply()
    Submission.objects.update(status="settled", lease_until=None)
    Delivery.objects.filter(id__in=early).update(status="sent", sent_at=now)
    after = apply(seconds=3)

    assert (first["too_early"], second["delivered"], after["delivered"]) == (callbacks.TAKEN_AT_ONCE, 1, 1)
    assert not Receipt.objects.filter(applied_at=None).exists()


def test_an_early_receipt_is_given_up_when_its_call_is_never_written_down(account):
    (one,) = handed_over.sent(account, 1, now=clock.now())
    Submission.objects.update(status="called", lease_until=clock.now())
    Delivery.objects.update(status="queued", sent_at=None)
    push(account, [report(one, "delivered")])

    for minutes in range(12):
        apply(minutes=minutes)

    assert not Receipt.objects.filter(applied_at=None).exists()


def test_the_good_half_of_a_callback_is_applied_and_the_bad_half_flagged(account):
    one, two = handed_over.sent(account, 2, now=clock.now())
    push(account, [report(one, "delivered"), {"melted": True}, 7, None, report(two, "melted")])

    found = apply()

    assert found == Counter(delivered=1, problems=4)
    assert Receipt.objects.get().problem != ""
    assert told(one, two) == [("delivered", ""), ("sent", "")]


def test_a_body_in_gb18030_is_read(account):
    (one,) = handed_over.sent(account, 1, now=clock.now())
    push(account, [report(one, "undelivered", code="用户关机")], encoding="gb18030")

    apply()

    assert told(one) == [("undelivered", "用户关机")]


def test_of_a_million_items_five_thousand_are_read_and_the_rest_is_flagged(account):
    (one,) = handed_over.sent(account, 1, now=clock.now())
    push(account, [report(one, "delivered")] + [{"reference": "x", "number": "1", "status": "delivered"}] * 5_001)

    found = apply()

    assert found["delivered"] == 1
    assert found["foreign"] == callbacks.ITEMS_AT_MOST - 1
    assert Receipt.objects.get().problem == callbacks.TOO_MANY


def test_ten_thousand_guesses_move_nothing(account):
    ids = handed_over.sent(account, 3, now=clock.now())
    numbers = [named(one)[2] for one in ids]
    guesses = [
        {"reference": f"{guess:032x}-{ids[guess % 3]}", "number": numbers[guess % 3], "status": "delivered"}
        for guess in range(10_000)
    ]
    push(account, guesses[:5_000]), push(account, guesses[5_000:])

    assert apply() == Counter(foreign=10_000)
    assert set(told(*ids)) == {("sent", "")}


def test_another_accounts_receipts_move_nothing_by_any_reference(account):
    other = handed_over.account("other", **handed_over.ALIYUN)
    (one,) = handed_over.sent(account, 1, now=clock.now())
    Delivery.objects.update(provider_id="900^0")
    item = {"phone_number": named(one)[2], "success": True, "err_code": "DELIVERED", "biz_id": "900^0"}
    push(other, [item | {"out_id": named(one)[0]}, item | {"out_id": named(one)[1]}, item | {"out_id": ""}])

    assert apply() == Counter(foreign=3)
    assert told(one) == [("sent", "")]


def test_a_callback_address_for_both_kinds_is_enough(account):
    (one,) = handed_over.sent(account, 1, now=clock.now())
    callbacks.store(account, encoded([report(one, "delivered")]), kind=CallbackKind.REPLIES, now=clock.now())

    assert callbacks.take(CallbackKind.REPLIES, now=clock.now()) == []
    assert apply()["delivered"] == 1


def test_old_callbacks_are_deleted_and_those_not_understood_yet_stay(account, settings):
    now = clock.now()
    push(account, [])
    apply()
    push(account, [{"waits": "still"}])

    kept = callbacks.purge(now=now + timedelta(days=settings.CALLBACK_DAYS - 1))
    gone = callbacks.purge(now=now + timedelta(days=settings.CALLBACK_DAYS + 1))

    assert (kept, gone) == (0, 1)
    assert bytes(Receipt.objects.get().body) == b'[{"waits": "still"}]'


# The order in which receipts come

MOMENTS = ["2026-05-01T10:00:00+08:00", "2026-05-01T10:00:05+08:00", "2026-05-01T10:07:00+08:00"]
reported = some.lists(
    some.tuples(
        some.integers(0, 3), some.sampled_from(["delivered", "undelivered"]),
        some.sampled_from(["absent", "full", "E-1"]), some.sampled_from([*MOMENTS, None]),
    ),
    max_size=12,
)  # fmt: skip


@pytest.mark.django_db(transaction=True)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reports=reported, draw=some.data())
def test_receipts_in_any_order_and_number_end_as_if_sorted_and_told_once(account, reports, draw):
    if not Delivery.objects.exists():
        handed_over.sent(account, 4, now=datetime.fromisoformat(MOMENTS[0]) - timedelta(minutes=1))
    ids = sorted(Delivery.objects.values_list("id", flat=True))
    shuffled = draw.draw(some.permutations(reports + reports[: len(reports) // 2]))
    sizes = draw.draw(some.lists(some.integers(1, 5), min_size=len(shuffled), max_size=len(shuffled)))

    settled = outcome(account, ids, [[one] for one in sorted(set(reports), key=in_time)])
    arrived = outcome(account, ids, in_parts(shuffled, sizes))

    assert arrived == settled
    best = {
        delivery: "delivered" if any(one[0] == place and one[1] == "delivered" for one in reports) else "undelivered"
        for place, delivery in enumerate(ids)
        if any(one[0] == place for one in reports)
    }
    assert {delivery: state for delivery, (state, _reason) in arrived.items() if state != "sent"} == best


def in_time(one):
    """Reports in the order of their moments; what names none is as old as its call, which was before all of them."""
    _place, status, code, at = one
    return at or "", status, code


def in_parts(items, sizes):
    """The items in callbacks of these sizes."""
    parts, start = [], 0
    for size in sizes:
        parts.append(items[start : start + size])
        start += size
    return [part for part in parts if part]


def outcome(account, ids, parts):
    """What becomes of deliveries that were just sent when these callbacks come, one after the other."""
    Delivery.objects.filter(id__in=ids).update(status="sent", reason="", finished_at=None)
    Receipt.objects.all().delete()
    for place, part in enumerate(parts):
        items = [report(ids[one], status, code=code, at=at) for one, status, code, at in part]
        push(account, encoded(items) + b" " * place)
        apply()
    rows = Delivery.objects.filter(id__in=ids).values_list("id", "status", "reason")
    return {delivery: (status, reason) for delivery, status, reason in rows}


# What a code says about the number itself


def test_a_dead_number_is_closed_for_every_message_with_the_reason(account):
    (one,) = handed_over.sent(account, 1, now=clock.now())
    push(account, [report(one, "undelivered", code="no_such_number")])

    apply()

    closed = Suppression.objects.get()
    assert (closed.address, closed.scope, closed.reason, closed.note) == (
        named(one)[2], "all", "dead", "no_such_number",
    )  # fmt: skip


def test_a_number_on_the_providers_blacklist_is_opted_out_with_evidence():
    account = handed_over.account(**handed_over.ALIYUN)
    (one,) = handed_over.sent(account, 1, now=clock.now())
    item = {"phone_number": named(one)[2], "success": False, "err_code": "USER_REJECT", "out_id": named(one)[0]}
    push(account, [item])

    apply()

    assert set(Consent.objects.values_list("status", flat=True)) == {"withdrawn"}
    assert set(ConsentChange.objects.values_list("source", "wording")) == {("provider", "USER_REJECT")}
    assert not Suppression.objects.exists()


def test_a_code_that_is_forged_for_somebody_elses_delivery_closes_no_number(account):
    (one,) = handed_over.sent(account, 1, now=clock.now())
    other = handed_over.account("other")
    push(other, [report(one, "undelivered", code="no_such_number")])

    apply()

    assert not Suppression.objects.exists()


def test_a_dead_number_that_was_opted_out_stays_an_opt_out(account):
    now = clock.now()
    (one,) = handed_over.sent(account, 1, now=now)
    number = named(one)[2]
    Suppression.objects.create(channel="sms", address=number, scope="marketing", reason="opted_out")

    changed = write_back.close(Channel.SMS, [(number, "x")], {"x": Closing.DEAD}, now=now)

    closed = Suppression.objects.get()
    assert changed == Counter(dead=1)
    assert (closed.scope, closed.reason, closed.note) == ("all", "opted_out", "x")


def test_nothing_is_asked_of_the_database_where_no_code_closes_a_number(django_assert_num_queries):
    refused = Answer("ref", Outcome.REFUSED_NUMBER, "", "unheard_of", "")
    whole = Answer("ref", Outcome.REFUSED_NUMBER, "", "invalid_number", "", is_for_all=True)
    taken = Answer("ref", Outcome.TAKEN, "", "invalid_number", "")

    told = write_back.refusals([("13800000001", refused), ("13800000002", whole), ("13800000003", taken)])

    assert told == [("13800000001", "unheard_of")]
    with django_assert_num_queries(0):
        assert not write_back.close("sms", told, {"invalid_number": Closing.DEAD}, now=None)


def test_five_thousand_receipts_are_one_statement(account, django_assert_max_num_queries):
    ids = handed_over.sent(account, 200, now=clock.now())
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT replace(s.token::text, '-', '') || '-' || d.id, d.address FROM notifications_delivery d"
            " JOIN notifications_submission s ON s.id = d.submission_id ORDER BY d.id"
        )
        rows = cursor.fetchall()
    for start in range(0, 200, 20):
        items = [
            {"reference": ref, "number": number, "status": "delivered"} for ref, number in rows[start : start + 20]
        ]
        push(account, json.dumps(items).encode())

    # Two for each callback's own row would be too many for one item a callback, but they come in hundreds.
    with django_assert_max_num_queries(20):
        assert apply()["delivered"] == len(ids)


def test_without_a_receipt_for_three_days_a_delivery_says_so_and_still_counts_as_sent(account):
    now = clock.now()
    one, two = handed_over.sent(account, 2, now=now)
    Message.objects.update(created_at=now - timedelta(hours=74))
    Delivery.objects.filter(pk=one).update(sent_at=now - timedelta(hours=73))
    client = staff.signed_in("auditor")
    records = reverse("admin:notifications_delivery_changelist")

    states = dict(Delivery.objects.with_state().values_list("pk", "state"))
    shown = [client.get(records, {"state": state}).context_data["cl"].result_count for state in ("no_receipt", "sent")]
    page = client.get(reverse("admin:notifications_delivery_change", args=[one])).content.decode()

    assert states == {one: "no_receipt", two: "sent"}
    assert shown == [1, 2]
    assert "nobody ever reported" in page


def test_a_receipt_after_three_days_still_counts(account):
    (one,) = handed_over.sent(account, 1, now=clock.now())
    Delivery.objects.update(sent_at=clock.now() - timedelta(days=9))
    push(account, [report(one, "delivered")])

    apply()

    assert Delivery.objects.with_state().get().state == "delivered"


def test_staff_read_what_a_carriers_code_means_whoever_passed_it_on(account):
    one, two = handed_over.sent(account, 2, now=clock.now())
    Delivery.objects.filter(pk=one).update(status="undelivered", reason="MK:0001")
    Delivery.objects.filter(pk=two).update(status="undelivered", reason="E-4711")
    client = staff.signed_in("clerk")

    known, unknown = (
        client.get(reverse("admin:notifications_delivery_change", args=[each])).content.decode() for each in (one, two)
    )

    assert "The number does not exist" in known
    assert "E-4711" in unknown
