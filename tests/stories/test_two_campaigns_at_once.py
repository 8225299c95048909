"""Two campaigns over the same customers start in the same second, and four workers send them."""

from collections import Counter

import pytest

from notifications.models import FrequencyCap, ProviderAccount
from tests import cast
from tests.gateway import wait_until
from tests.stories.watching import is_finished, seen, states

pytestmark = [pytest.mark.stories, pytest.mark.django_db(transaction=True)]
EVERYBODY = 2_000


def test_nobody_gets_two_messages_and_nobody_is_lost(account, gateway, noon, deploy, schedule):
    cast.crowd(EVERYBODY)
    FrequencyCap.objects.create(name="每天一条", limit=1, window="calendar_day")
    # Many small calls, so that four workers meet on the same people.
    ProviderAccount.objects.update(batch_size=20)
    deploy("urgent", "bulk", "bulk", "bulk", "bulk", "default")

    both = schedule("New Year", "Spring Festival")

    assert wait_until(lambda: is_finished(*both), seconds=90)
    assert Counter(gateway.numbers()) == {str(13900000000 + place): 1 for place in range(EVERYBODY)}
    assert states() == {"sent": EVERYBODY, "over_cap": EVERYBODY}
    assert [seen(campaign).total for campaign in both] == [EVERYBODY, EVERYBODY]
    for campaign in both:
        assert states(message__variant__campaign=campaign).total() == EVERYBODY
