"""The oracle sees what it is there for: each broken promise is told, and none where all are kept."""

from datetime import timedelta

import pytest

from customers import clock
from notifications.models import Delivery, FrequencyCap, Submission
from tests import cast
from tests.faults import oracle, work
from tests.notifications import handed_over

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sent(noon):
    """Three people got a message."""
    account = handed_over.account()
    handed_over.sent(account, 3, now=clock.now())
    return Submission.objects.get()


def ledger_of(submission, *, times: int = 1, later: timedelta = timedelta(0)) -> list[oracle.Entry]:
    """What a gateway would have that took the call so many times."""
    numbers = Delivery.objects.values_list("address", flat=True)
    entry = [oracle.Entry(submission.called_at + later, number, submission.token.hex) for number in numbers]
    return entry * times


def broken(ledger, submission, audience: int = 3, **conditions) -> str:
    return "\n".join(oracle.violations(ledger, audience={submission.message_id: audience}, **conditions))


def test_it_has_nothing_to_say_where_all_is_well(sent):
    assert broken(ledger_of(sent), sent) == ""


def test_it_sees_marketing_that_went_out_twice(sent):
    assert "got 2 messages" in broken(ledger_of(sent, times=2), sent)


def test_it_sees_three_order_messages_as_allowed_and_four_as_too_many(noon):
    account = handed_over.account()
    cast.crowd(3)
    handed_over.call(work.plan("transactional"), account, now=clock.now())
    Submission.objects.update(status="settled", lease_until=None)
    Delivery.objects.update(status="sent", sent_at=clock.now())
    submission = Submission.objects.get()

    assert broken(ledger_of(submission, times=3), submission) == ""
    assert "got 4 messages" in broken(ledger_of(submission, times=4), submission)


def test_it_sees_a_number_in_the_ledger_that_nobody_sent_to(sent):
    stranger = oracle.Entry(sent.called_at, "13800000009", sent.token.hex)

    assert "that nobody made" in broken([*ledger_of(sent), stranger], sent)


def test_it_sees_sums_that_do_not_add_up(sent):
    assert "4 people and has 3" in broken(ledger_of(sent), sent, audience=4)


def test_it_sees_a_tally_that_left_the_rows(sent):
    sent.message.__class__.objects.get().tallies.all().delete()

    assert "the tally" in broken(ledger_of(sent), sent)


def test_it_sees_who_is_skipped_and_got_it_all_the_same(sent):
    Delivery.objects.filter(pk=Delivery.objects.first().pk).update(status="failed", reason="refused", sent_at=None)

    assert "its delivery is failed" in broken(ledger_of(sent), sent)


def test_it_sees_who_is_said_to_have_it_and_has_not(sent):
    assert "no gateway has it" in broken(ledger_of(sent)[1:], sent)


def test_it_sees_caps_that_were_broken_in_the_ledger(sent):
    FrequencyCap.objects.create(name="每天一条", limit=1, window="calendar_day")

    assert "more than 每天一条 allows" in broken(ledger_of(sent, times=2), sent)
    next_day = ledger_of(sent, later=timedelta(days=1))
    assert "allows" not in broken([*ledger_of(sent), *next_day], sent)


def test_it_sees_what_goes_to_somebody_who_opted_out(sent):
    number = Delivery.objects.first().address
    opted_out = {number: sent.called_at - timedelta(minutes=1)}

    assert f"{number} opted out" in broken(ledger_of(sent), sent, opted_out=opted_out)
    assert broken(ledger_of(sent), sent, opted_out={number: sent.called_at}) == ""


def test_it_sees_a_call_that_never_ended(sent):
    Submission.objects.update(status="called", lease_until=clock.now())

    assert "still called" in broken(ledger_of(sent), sent)


def test_it_sees_an_order_message_that_never_went_out(noon):
    cast.crowd(1)
    message = work.plan("transactional")

    assert "never went out" in "".join(oracle.violations([], audience={message.pk: 1}, all_reached=True))
