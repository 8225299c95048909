"""A text that came into the database past the admin: it is stopped with a sentence, and stops nothing else."""

from datetime import timedelta

import pytest
from django.utils import translation

from customers import clock
from customers.models import Customer
from notifications.models import Delivery, Message, Submission, Template
from notifications.services import deliveries, messages, sending, settling, submissions
from tests import cast
from tests.notifications.conftest import account, gateway, noon  # noqa: F401
from tests.notifications.test_caps import move_clock
from tests.notifications.test_sending import freeze, states

pytestmark = pytest.mark.django_db(transaction=True)

BOMB = "{% for a in range(10**9) %}x{% endfor %}"


def smuggled(body: str, now) -> Message:
    """A message whose text nobody checked, planned to everybody."""
    message = freeze(cast.template(name="Smuggled"), now=now)
    message.pk, message.body = None, body
    message.save(force_insert=True)
    deliveries.plan(message, Customer.objects.present(), occasion=f"smuggled-{message.pk}", now=now)
    return message


def drain():
    return sending.drain("bulk", seconds=10, clock=clock.now)


@pytest.mark.parametrize("body", [BOMB, "{{ name.__class__ }}", "{{ settings.SECRET_KEY }}", " "])
def test_a_template_changed_in_the_database_is_not_frozen(body, noon):  # noqa: F811
    template = cast.template()
    Template.objects.filter(pk=template.pk).update(body=body)
    template.refresh_from_db()

    with translation.override("en"), pytest.raises(messages.CannotFreeze, match="cannot be sent: "):
        freeze(template, now=noon)

    assert not Message.objects.exists()


def test_the_refusal_names_the_known_variables_in_the_readers_language(noon):  # noqa: F811
    template = cast.template("{{ secret }}")

    with translation.override("zh-hans"), pytest.raises(messages.CannotFreeze, match="name \\(姓名"):
        freeze(template, now=noon)


def test_a_bomb_in_a_message_pauses_that_message_and_holds_up_no_other(account, gateway, noon):  # noqa: F811
    cast.crowd(120)
    bomb = smuggled(BOMB, noon)
    deliveries.plan(freeze(cast.template(), now=noon), Customer.objects.present(), occasion="greeting", now=noon)

    drain()
    drain()

    bomb.refresh_from_db()
    assert bomb.paused_at and "cannot be rendered" in bomb.paused_for
    assert len(gateway.numbers()) == 120
    assert states() == {"sent": 120, "queued": 120}
    assert not Submission.objects.filter(message=bomb).exclude(status="queued").exists()


def test_the_people_of_a_bomb_end_in_a_state_when_its_window_is_over(account, gateway, noon):  # noqa: F811
    cast.crowd(3)
    smuggled(BOMB, noon)
    drain()
    move_clock(hours=5)

    deliveries.close_overdue(now=clock.now())

    assert states() == {"too_late": 3}
    assert gateway.numbers() == []


def test_a_lost_call_of_a_text_that_no_longer_renders_is_unknown_all_the_same(account, noon):  # noqa: F811
    cast.crowd(3)
    smuggled(BOMB, noon)
    Delivery.objects.update(values={"order_number": "1001"})
    (leased,) = submissions.lease("bulk", limit=1, now=noon)
    Submission.objects.filter(pk=leased.id).update(status="called", called_at=noon, lease_until=noon, account=account)

    found = settling.recover_lost(now=noon + timedelta(minutes=2))

    assert found["unknown"] == 3
    assert states() == {"no_answer": 3}
    assert list(Delivery.objects.values_list("values", flat=True)) == [{"order_number": "1001"}] * 3
