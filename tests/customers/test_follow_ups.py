"""Calls that staff owe to customers: opened once, taken by one person, finished with an outcome."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.utils.translation import override

from customers import clock
from customers.models import Customer, FollowUp
from customers.services import follow_ups
from customers.services.follow_ups import CannotFollowUp, NewFollowUp
from tests import cast

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english():
    """Sentences as they stand in the code."""
    with override("en"):
        yield


@pytest.fixture
def now():
    return cast.at("2026-05-06 10:00")


@pytest.fixture
def mei():
    return User.objects.create_user("mei")


@pytest.fixture
def jun():
    return User.objects.create_user("jun")


def wanted(customer, now, **facts):
    facts = {"occasion": "order-1:late", "reason": "order_exception", "due_at": now + timedelta(hours=4)} | facts
    return NewFollowUp(customer_id=customer.pk, **facts)


@pytest.fixture
def follow_up(now):
    follow_ups.open_for([wanted(cast.li_na(), now)], now)
    return FollowUp.objects.get()


def test_the_same_fact_opens_one_follow_up_however_often_it_is_told(now):
    li_na, wang_wei = cast.li_na(), cast.wang_wei()
    rows = [wanted(li_na, now), wanted(li_na, now, detail="again"), wanted(wang_wei, now, occasion="order-2:late")]

    opened = [follow_ups.open_for(rows, now), follow_ups.open_for(rows, now)]

    assert opened == [2, 0]
    assert set(FollowUp.objects.values_list("customer__name", "status")) == {("李娜", "open"), ("王伟", "open")}


def test_a_finished_follow_up_is_not_opened_again_by_its_fact(follow_up, mei, now):
    follow_ups.finish(follow_up, "reached", "settled", mei, now)

    assert follow_ups.open_for([wanted(follow_up.customer, now)], now) == 0


def test_five_hundred_facts_are_opened_by_one_statement(now, django_assert_num_queries):
    rows = [wanted(Customer(pk=pk), now, occasion=f"order-{pk}") for pk in cast.crowd(500)]

    with django_assert_num_queries(1):
        assert follow_ups.open_for(rows, now) == 500


def test_nobody_calls_a_customer_who_was_erased(now):
    li_na = cast.li_na()
    Customer.objects.filter(pk=li_na.pk).update(erased_at=now)

    assert follow_ups.open_for([wanted(li_na, now)], now) == 0


def test_a_fact_whose_time_is_over_already_is_due_at_once(now):
    follow_ups.open_for([wanted(cast.li_na(), now, due_at=now - timedelta(days=3))], now)

    assert FollowUp.objects.get().due_at == now


@pytest.mark.parametrize(
    "asked, hours, due",
    [
        ("2026-05-06 10:00", 4, "2026-05-06 14:00"),
        ("2026-05-06 18:30", 4, "2026-05-07 11:00"),
        ("2026-05-07 01:00", 2, "2026-05-07 11:00"),
        ("2026-12-31 19:00", 2, "2027-01-01 11:00"),
    ],
)
def test_nobody_is_called_at_night(asked, hours, due):
    assert follow_ups.call_by(cast.at(asked), timedelta(hours=hours)) == cast.at(due)


def test_what_somebody_took_is_not_taken_from_them(follow_up, mei, jun):
    follow_ups.take(follow_up, mei)

    with pytest.raises(CannotFollowUp, match="mei was faster"):
        follow_ups.take(follow_up, jun)
    follow_up.refresh_from_db()
    assert follow_up.owner == mei


def test_only_the_owner_calls_finishes_and_drops(follow_up, mei, jun, now):
    follow_ups.take(follow_up, mei)

    for move in (
        lambda: follow_ups.call(follow_up, now, by=jun),
        lambda: follow_ups.finish(follow_up, "reached", "", jun, now),
        lambda: follow_ups.drop(follow_up, "", jun, now),
    ):
        with pytest.raises(CannotFollowUp):
            move()

    follow_up.refresh_from_db()
    assert (follow_up.status, follow_up.called_at, follow_up.owner) == ("open", None, mei)


def test_calling_what_nobody_has_takes_it_and_the_first_call_counts(follow_up, mei, now):
    follow_ups.call(follow_up, now, by=mei)
    follow_ups.call(follow_up, now + timedelta(hours=1), by=mei)

    follow_up.refresh_from_db()
    assert (follow_up.owner, follow_up.called_at) == (mei, now)


def test_a_colleague_hands_over_what_is_still_theirs(follow_up, mei, jun):
    follow_ups.take(follow_up, mei)

    follow_ups.hand_over(follow_up, jun, of=mei)

    with pytest.raises(CannotFollowUp):
        follow_ups.hand_over(follow_up, None, of=mei)
    follow_up.refresh_from_db()
    assert follow_up.owner == jun


def test_finishing_says_what_came_of_it_once(follow_up, mei, now):
    follow_ups.finish(follow_up, "reached", "Sends it back", mei, now)

    with pytest.raises(CannotFollowUp, match="closed already"):
        follow_ups.finish(follow_up, "refused", "", mei, now)
    follow_up.refresh_from_db()
    assert (follow_up.status, follow_up.outcome, follow_up.note) == ("done", "reached", "Sends it back")
    assert (follow_up.called_at, follow_up.finished_at, follow_up.finished_by) == (now, now, mei)


def test_who_was_not_reached_is_called_again_at_the_hour_chosen(follow_up, mei, now):
    tomorrow = now + timedelta(days=1)

    follow_ups.finish(follow_up, "not_reached", "Nobody answers", mei, now, again_at=tomorrow)

    following = FollowUp.objects.open().get()
    assert (following.occasion, following.owner, following.due_at) == ("order-1:late/call-2", mei, tomorrow)
    follow_ups.finish(following, "call_back", "", mei, now, again_at=tomorrow)
    assert FollowUp.objects.open().get().occasion == "order-1:late/call-3"


def test_a_settled_call_plans_no_other(follow_up, mei, now):
    with pytest.raises(CannotFollowUp):
        follow_ups.finish(follow_up, "reached", "", mei, now, again_at=now + timedelta(days=1))

    assert FollowUp.objects.open().count() == 1


def test_dropping_keeps_who_did_it_and_why(follow_up, mei, now):
    follow_ups.drop(follow_up, "Paid meanwhile", mei, now)

    follow_up.refresh_from_db()
    assert (follow_up.status, follow_up.finished_by, follow_up.note) == ("dropped", mei, "Paid meanwhile")


@pytest.mark.parametrize(
    "change, promise",
    [
        ({"status": "lost"}, "known_status"),
        ({"reason": "bored"}, "known_reason"),
        ({"status": "dropped"}, "finished_once_it_is_not_open"),
        ({"finished_at": cast.at("2026-05-06 11:00")}, "finished_once_it_is_not_open"),
        ({"status": "done", "finished_at": cast.at("2026-05-06 11:00")}, "once_done_has_an_outcome"),
        ({"outcome": "reached"}, "once_done_has_an_outcome"),
        ({"due_at": cast.at("2026-05-06 09:59")}, "due_after_it_was_opened"),
    ],
)
def test_the_database_refuses_a_follow_up_that_cannot_be(follow_up, change, promise):
    with pytest.raises(IntegrityError, match=promise), transaction.atomic():
        FollowUp.objects.filter(pk=follow_up.pk).update(**change)


def test_the_database_refuses_a_second_follow_up_for_an_occasion(follow_up, now):
    with pytest.raises(IntegrityError), transaction.atomic():
        FollowUp.objects.create(
            customer=follow_up.customer, occasion=follow_up.occasion, reason="staff", due_at=clock.now() + timedelta(1)
        )


@pytest.mark.django_db(transaction=True)
def test_of_two_people_who_take_it_at_the_same_moment_one_gets_it(follow_up, mei, jun):
    start, answers = threading.Barrier(2), {}

    def click(person):
        try:
            start.wait()
            follow_ups.take(follow_up, person)
            answers[person] = "mine"
        except CannotFollowUp as refusal:
            answers[person] = str(refusal)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as people:
        list(people.map(click, [mei, jun]))

    owner = FollowUp.objects.get().owner
    other = jun if owner == mei else mei
    assert answers[owner] == "mine"
    # Threads begin in the language of the shop.
    assert answers[other].startswith(f"{owner.username} 抢先一步")
