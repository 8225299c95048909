"""A database whose owner prefers serializable transactions: nobody is refused for it, and nobody gets it twice."""

import threading

import pytest
from django.db import connection

from customers import clock
from customers.choices import Purpose
from notifications.models import FrequencyCap, Message
from notifications.services import sending
from tests import cast
from tests.faults import oracle, work
from tests.stories.watching import states

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
EVERYBODY = 300
WORKERS = 3


@pytest.fixture
def serializable(transactional_db):
    """A database that wants every transaction serializable unless it says otherwise."""
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
    connection.close()
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} RESET default_transaction_isolation")
    connection.close()


def test_a_database_that_prefers_serializable_transactions_fails_none_of_ours(account, gateway, noon, serializable):
    cast.crowd(EVERYBODY)
    FrequencyCap.objects.create(name="每天一条", limit=1, window="days")
    for number in range(2):
        work.plan(Purpose.MARKETING, occasion=f"campaign-{number}", cap_policy="skip")
    troubles: list[Exception] = []

    def work_off():
        try:
            sending.drain("bulk", seconds=20, clock=clock.now)
        except Exception as trouble:  # noqa: BLE001 - whatever it is, the test tells it
            troubles.append(trouble)
        finally:
            connection.close()

    workers = [threading.Thread(target=work_off) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert troubles == []
    assert states() == {"sent": EVERYBODY, "over_cap": EVERYBODY}
    audience = dict.fromkeys(Message.objects.values_list("pk", flat=True), EVERYBODY)
    oracle.satisfied(oracle.of_sandbox(gateway.ledger()), audience=audience)
