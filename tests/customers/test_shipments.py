"""Parcels: what carriers tell of them, told once, and how far their orders are by it."""

from datetime import UTC, datetime, timedelta

import pytest

from customers.models import Order, OrderChange, Shipment, ShipmentEvent
from customers.services import orders, shipments
from customers.services.order_facts import CannotRecord, OrderFacts
from customers.services.shipments import ShipmentFacts
from tests.customers.files import undone
from tests.customers.order_files import SHIPPED, import_orders, status_of, taobao

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """Uploaded files of this test alone."""
    settings.UPLOADS = tmp_path


NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
TEN = datetime(2026, 6, 30, 2, tzinfo=UTC)


def order(number: str = "A1", status: str = "paid", **said) -> Order:
    """An order of the shop's own store."""
    orders.record([OrderFacts("other", number, status=status, happened_at=TEN, **said)], now=NOW)
    return Order.objects.get(number=number)


def news(hours: int, status: str = "", text: str = "", *, number: str = "SF1", of: str = "A1") -> dict[str, int]:
    """What a carrier tells, so many hours after ten."""
    at = TEN + timedelta(hours=hours)
    facts = ShipmentFacts(number, "other", of, carrier="顺丰速运", status=status, text=text, happened_at=at)
    return dict(shipments.record([facts], now=NOW))


def parcel(number: str = "SF1") -> Shipment:
    """A parcel as it is known now."""
    return Shipment.objects.get(number=number)


def test_a_parcel_takes_its_order_with_it():
    order()

    assert news(1, "shipped", "已揽件") == {"created": 1}
    assert (status_of("A1"), Order.objects.get().tracking_number) == ("shipped", "SF1")
    assert news(2, "out_for_delivery", "派送中") == {"updated": 1}
    assert status_of("A1") == "out_for_delivery"
    assert news(3, "delivered", "已签收") == {"updated": 1}
    assert (status_of("A1"), Order.objects.get().delivered_at) == ("delivered", TEN + timedelta(hours=3))
    assert (parcel().status, parcel().delivered_at, parcel().moved_at) == (
        "delivered",
        TEN + timedelta(hours=3),
        TEN + timedelta(hours=3),
    )


def test_news_told_twice_is_told_once():
    order()
    news(1, "in_transit", "到达武汉")
    before = (Shipment.objects.values().get(), OrderChange.objects.count())

    assert news(1, "in_transit", "到达武汉") == {"unchanged": 1}
    assert (Shipment.objects.values().get(), OrderChange.objects.count()) == before
    assert ShipmentEvent.objects.count() == 1


def test_older_news_is_kept_and_turns_nothing_back():
    order()
    news(3, "delivered")

    assert news(2, "out_for_delivery") == {"updated": 1}
    assert (parcel().status, status_of("A1"), ShipmentEvent.objects.count()) == ("delivered", "delivered", 2)


def test_news_that_does_not_say_where_the_parcel_is_shows_that_it_moved():
    order()
    news(1, "in_transit")

    news(4, "", "因天气原因延误")
    assert (parcel().status, parcel().moved_at) == ("in_transit", TEN + timedelta(hours=4))


def test_an_order_has_arrived_when_all_its_parcels_have():
    order()
    news(1, "in_transit", number="SF1")
    news(1, "in_transit", number="SF2")

    news(2, "delivered", number="SF1")
    assert status_of("A1") == "shipped"
    news(3, "delivered", number="SF2")
    assert status_of("A1") == "delivered"


def test_a_carrier_does_not_end_an_after_sale_case():
    order(status="after_sale")

    news(5, "delivered")
    assert (parcel().status, status_of("A1")) == ("delivered", "after_sale")


def test_a_parcel_that_goes_back_was_not_delivered():
    order()
    news(2, "delivered")
    news(9, "returned", "退回中")

    assert (parcel().status, parcel().delivered_at) == ("returned", None)


def test_a_parcel_is_found_by_its_number_where_the_order_is_not_named():
    order(status="shipped", tracking_number="SF1", carrier="顺丰速运")

    facts = [ShipmentFacts("SF1", status="delivered", happened_at=NOW), ShipmentFacts("SF404", status="delivered")]
    assert dict(shipments.record(facts, now=NOW)) == {"updated": 1, "unknown": 1}
    assert status_of("A1") == "delivered"


def test_a_batch_of_news_in_any_order_leads_to_the_newest():
    order()
    facts = [
        ShipmentFacts("SF1", "other", "A1", status=status, happened_at=TEN + timedelta(hours=hours))
        for hours, status in ((3, "delivered"), (1, "shipped"), (2, "out_for_delivery"))
    ]

    shipments.record(facts, now=NOW)
    assert (parcel().status, parcel().shipped_at, status_of("A1")) == (
        "delivered",
        TEN + timedelta(hours=1),
        "delivered",
    )


def test_a_file_with_carrier_and_number_makes_a_parcel_and_an_undo_takes_it_along():
    row = taobao("T1", SHIPPED, 联系手机="13800000001") | {"物流单号": "SF9", "物流公司": "顺丰速运"}
    imported = import_orders([row])

    assert (parcel("SF9").carrier, parcel("SF9").status) == ("顺丰速运", "shipped")
    undone(imported)
    assert not Order.objects.exists()
    assert not Shipment.objects.exists()


def test_an_order_stays_when_its_file_is_taken_back_once_a_carrier_has_told_of_it():
    row = taobao("T1", SHIPPED, 联系手机="13800000001") | {"物流单号": "SF9", "物流公司": "顺丰速运"}
    imported = import_orders([row])
    shipments.record([ShipmentFacts("SF9", text="到达武汉", happened_at=NOW)], now=NOW)

    counts = undone(imported).undo_counts

    assert counts["orders:stay:parcel"] == 1
    assert Shipment.objects.get().order.number == "T1"


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"number": ""}, "number"),
        ({"number": "SF1", "status": "lost in space"}, "status"),
        ({"number": "SF1", "platform": "ebay", "order_number": "A1"}, "platform"),
        ({"number": "SF1", "happened_at": datetime(2026, 6, 1)}, "happened_at"),
    ],
)
def test_news_that_cannot_be_stored_is_refused_with_its_place(said, field):
    with pytest.raises(CannotRecord) as refusal:
        shipments.record([ShipmentFacts(**said)], now=NOW)

    assert (refusal.value.place, refusal.value.field) == (0, field)
