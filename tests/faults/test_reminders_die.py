"""Reminders under fire: their worker dies while it plans and while it sends, and the queue is wiped in between."""

from datetime import timedelta

import pytest

from campaigns import jobs as campaign_jobs
from campaigns import reports
from campaigns.models import ReminderOccasion
from customers import clock
from customers.choices import Purpose
from customers.models import Customer
from notifications.models import Delivery, Message
from tests import cast
from tests.campaigns.reminding import order, pay, rule
from tests.faults import oracle, work

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
EVERYBODY = 120
REMIND = "campaigns.jobs.run_reminders"
SEND = "notifications.jobs.send_due"


@pytest.fixture
def environment(process_environment, gateway, empty_queue) -> dict[str, str]:
    """The environment of a worker that may call the gateway."""
    return process_environment | {"GATEWAY_PRIVATE_HOSTS": gateway.host}


@pytest.fixture
def unpaid(account, noon) -> list:
    """A rule about unpaid orders, and an order of everybody that it is to find."""
    rule(night="send")
    buyers = Customer.objects.in_bulk(cast.crowd(EVERYBODY))
    return [order(buyer, f"F{pk}", at=noon - timedelta(minutes=21)) for pk, buyer in buyers.items()]


def finish() -> None:
    """Everything that the living do until nothing is due."""
    campaign_jobs.run_reminders()
    work.finish(Purpose.SERVICE)
    campaign_jobs.run_reminders()


def test_a_death_while_reminders_are_planned_plans_them_once(unpaid, gateway, environment, empty_queue):
    work.work_until_it_dies(environment, REMIND, on="urgent", point="before_reminders_commit")
    assert not Delivery.objects.exists()
    empty_queue.flushall()

    finish()

    assert ReminderOccasion.objects.filter(outcome="planned").count() == EVERYBODY
    message = Message.objects.get()
    oracle.satisfied(oracle.of_sandbox(gateway.ledger()), audience={message.pk: EVERYBODY})


@pytest.mark.parametrize("point", ["before_authorize_commit", "after_authorize", "before_settle"])
def test_a_death_while_reminders_are_sent_reminds_nobody_who_paid(unpaid, gateway, environment, point):
    campaign_jobs.run_reminders()
    pay(*unpaid[::2])
    work.work_until_it_dies(environment, SEND, on="urgent", point=point, queue="urgent")
    pay(*unpaid[1::4])

    finish()

    assert reports.after_payment(since=clock.now() - timedelta(hours=2)).sent_after_paid == 0
    paid_first = {found.customer_id for found in unpaid[::2]}
    reminded = set(Delivery.objects.filter(status__in=["sent", "delivered"]).values_list("customer_id", flat=True))
    assert not reminded & paid_first
    numbers = [entry["number"] for entry in gateway.ledger()]
    assert len(numbers) == len(set(numbers))
    assert Delivery.objects.filter(status="queued").count() == 0
