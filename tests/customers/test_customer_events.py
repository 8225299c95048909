"""Appointments, coupons, bills and carts: told again, moved, settled; and what they keep when imports go."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from customers import clock
from customers.models import CustomerEvent, FollowUp
from customers.services import events, privacy
from customers.services.events import EventFacts
from customers.services.order_facts import CannotRecord
from tests import cast
from tests.customers.shop import staff

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
TEN = datetime(2026, 6, 30, 2, tzinfo=UTC)


def tell(key: str = "V1", **said) -> dict[str, int]:
    """An appointment of Li Na."""
    return dict(events.record([EventFacts("appointment", key, phone="138 0000 0001", **said)], now=NOW))


def test_an_event_told_again_is_the_same_and_the_newer_one_wins():
    person = cast.li_na()
    tell(happened_at=TEN, due_at=NOW, values={"title": "试衣"})

    assert tell(happened_at=TEN, due_at=NOW + timedelta(days=9)) == {"unchanged": 1}
    assert tell(happened_at=TEN + timedelta(hours=1), due_at=NOW + timedelta(days=1), values={"title": "取衣"}) == {
        "updated": 1
    }
    assert tell(happened_at=TEN, due_at=NOW) == {"unchanged": 1}
    event = CustomerEvent.objects.get()
    assert (event.customer, event.due_at, event.values) == (person, NOW + timedelta(days=1), {"title": "取衣"})


def test_an_event_told_anew_counts_as_recorded_now_and_one_told_again_does_not():
    cast.li_na()
    tell(happened_at=TEN)
    long_ago = clock.now() - timedelta(days=3)
    CustomerEvent.objects.update(recorded_at=long_ago)

    tell(happened_at=TEN)
    tell(happened_at=TEN, is_closed=True)
    assert CustomerEvent.objects.get().recorded_at == long_ago

    tell(happened_at=TEN + timedelta(hours=1))
    assert CustomerEvent.objects.get().recorded_at > clock.now() - timedelta(minutes=1)


def test_numbers_are_stored_as_a_customer_reads_them():
    cast.li_na()

    tell(values={"a": 3, "b": Decimal("1E+3"), "c": 128.5, "d": 1e16, "e": Decimal("12.50"), "f": True, "g": None})

    assert CustomerEvent.objects.get().values == {
        "a": "3", "b": "1000", "c": "128.5", "d": "10000000000000000", "e": "12.50", "f": "true"
    }  # fmt: skip


def test_one_batch_may_tell_of_the_same_event_twice():
    cast.li_na()
    facts = [
        EventFacts(
            "coupon", "C1", phone="13800000001", happened_at=TEN + timedelta(hours=hour), values={"code": str(hour)}
        )
        for hour in (2, 1)
    ]

    assert dict(events.record(facts, now=NOW)) == {"created": 1, "unchanged": 1}
    assert CustomerEvent.objects.get().values == {"code": "2"}


def test_an_event_is_settled_by_hand_or_by_a_newer_one_and_opened_again():
    cast.li_na()
    tell(happened_at=TEN)

    assert events.close("appointment", "V1", now=NOW)
    assert not events.close("appointment", "V1", now=NOW)
    tell(happened_at=TEN + timedelta(hours=1))
    assert CustomerEvent.objects.standing().exists()
    tell(happened_at=TEN + timedelta(hours=1), is_closed=True)
    assert not CustomerEvent.objects.standing().exists()


def test_an_event_of_nobody_who_is_known_is_not_stored():
    assert tell() == {"unknown": 1}
    assert not CustomerEvent.objects.exists()


def test_the_customer_is_named_by_number_phone_or_address():
    zhang_min = cast.zhang_min()
    cast.li_na()
    facts = [
        EventFacts("bill", "1", customer_id=zhang_min.pk, phone="13800000001"),
        EventFacts("bill", "2", email="Zhang.Min@example.com"),
        EventFacts("bill", "3", external_id="nobody", phone="+86 138 0000 0001"),
    ]

    events.record(facts, now=NOW)

    names = CustomerEvent.objects.order_by("key").values_list("customer__name", flat=True)
    assert list(names) == ["张敏", "张敏", "李娜"]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"kind": "wedding", "key": "1"}, "kind"),
        ({"kind": "bill", "key": " "}, "key"),
        ({"kind": "bill", "key": "1", "due_at": datetime(2026, 6, 1)}, "due_at"),
        ({"kind": "bill", "key": "1", "values": {str(place): "1" for place in range(21)}}, "values"),
        ({"kind": "bill", "key": "1", "values": {"title": ["试衣", "取衣"]}}, "values"),
        ({"kind": "bill", "key": "1", "values": {"title": {"name": "试衣"}}}, "values"),
        ({"kind": "bill", "key": "1", "values": {"amount": float("nan")}}, "values"),
        ({"kind": "bill", "key": "1", "values": {"amount": Decimal("1E+999999999")}}, "values"),
    ],
)
def test_an_event_that_cannot_be_stored_is_refused_with_its_place(said, field):
    with pytest.raises(CannotRecord) as refusal:
        events.record([EventFacts(**said)], now=NOW)

    assert (refusal.value.place, refusal.value.field) == (0, field)


def test_erasing_a_customer_settles_and_blanks_what_was_due_and_what_was_to_be_done():
    person = cast.li_na()
    tell(values={"title": "试衣"})
    FollowUp.objects.create(
        customer=person, occasion="staff:1", reason="staff", detail="腿伤", due_at=clock.now() + timedelta(days=1)
    )

    privacy.erase(person.pk, by=staff("erase_customer"), now=clock.now())

    event, follow_up = CustomerEvent.objects.get(), FollowUp.objects.get()
    assert (event.values, event.closed_at is None, "V1" in event.key) == ({}, False, False)
    assert (follow_up.detail, follow_up.note, follow_up.status) == ("", "", "dropped")
