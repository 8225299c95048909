"""What staff see and do on the pages of orders, parcels and events."""

from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from customers import clock
from customers.models import CustomerEvent, Order, OrderException, Shipment
from customers.services import events, order_exceptions, orders, shipments
from customers.services.events import EventFacts
from customers.services.order_facts import OrderFacts
from customers.services.shipments import ShipmentFacts
from tests import cast
from tests import staff as roles
from tests.customers.shop import browser, sentences, staff

pytestmark = pytest.mark.django_db

TEN = datetime(2026, 6, 30, 2, tzinfo=UTC)
EVENTS, PARCELS = "/admin/customers/customerevent/", "/admin/customers/shipment/"


@pytest.fixture
def clerk():
    """A clerk's browser."""
    return roles.signed_in("clerk")


@pytest.fixture
def order() -> Order:
    """An order of Li Na that was shipped."""
    cast.li_na()
    facts = OrderFacts("other", "A1", status="shipped", phone="13800000001", carrier="顺丰速运", tracking_number="SF1")
    orders.record([facts], now=clock.now())
    return Order.objects.get()


def page_of(order: Order) -> str:
    """The address of an order's page."""
    return reverse("admin:customers_order_change", args=[order.pk])


def click(client, name: str, order: Order, **said) -> str:
    """What the page says after a click."""
    return sentences(client.post(reverse(f"admin:customers_order_{name}", args=[order.pk]), said, follow=True))


def test_an_orders_page_shows_what_went_wrong_and_what_the_carrier_told(clerk, order):
    order_exceptions.raise_exception(order, "logistics_delayed", note="暴雨停运", now=clock.now())
    shipments.record([ShipmentFacts("SF1", status="in_transit", text="到达武汉", happened_at=TEN)], now=clock.now())

    page = sentences(clerk.get(page_of(order)))

    for words in ("Parcel delayed", "暴雨停运", "SF1", "到达武汉", "On its way"):
        assert words in page


def test_staff_give_an_order_a_status_and_the_page_says_so(clerk, order):
    assert "Completed" in click(clerk, "status", order, status="completed", seen="shipped")

    order.refresh_from_db()
    assert (order.status, order.changes.latest("id").actor.username) == ("completed", "clerk")
    assert Shipment.objects.get().status == "delivered"


@pytest.mark.parametrize("said", [{"status": "paid", "seen": "unpaid"}, {"status": "nonsense"}, {}])
def test_a_status_that_cannot_be_given_is_refused_with_a_sentence(clerk, order, said):
    page = click(clerk, "status", order, **said)

    assert "The order has changed since you opened the page" in page or "Choose one of the statuses" in page
    order.refresh_from_db()
    assert order.status == "shipped"


def test_staff_write_down_what_went_wrong_once_and_settle_it(clerk, order):
    assert "Written down: Out of stock" in click(clerk, "exception", order, kind="out_of_stock", note="仓库没货")
    assert "This is written down already" in click(clerk, "exception", order, kind="out_of_stock")
    assert "Choose what went wrong" in click(clerk, "exception", order, kind="out_of_stock", note="长" * 101)
    assert OrderException.objects.get().actor.username == "clerk"

    assert "Settled." in click(clerk, "settle", order, kind="out_of_stock")
    assert "somebody was faster" in click(clerk, "settle", order, kind="out_of_stock")
    assert not OrderException.objects.standing().exists()


def test_who_may_only_look_changes_nothing_about_an_order(order):
    auditor = browser(staff("view_order"))

    assert "change-status" not in auditor.get(page_of(order)).content.decode()
    for name in ("status", "exception", "settle"):
        address = reverse(f"admin:customers_order_{name}", args=[order.pk])
        assert auditor.post(address, {"status": "paid", "kind": "out_of_stock"}).status_code == 403
    order.refresh_from_db()
    assert order.status == "shipped"


def test_parcels_that_stand_still_are_found(clerk, order):
    shipments.record([ShipmentFacts("SF2", "other", "A1", status="in_transit")], now=clock.now())
    Shipment.objects.filter(number="SF1").update(moved_at=clock.now() - timedelta(days=2))

    def numbers(**asked):
        return [parcel.number for parcel in clerk.get(PARCELS, asked).context["cl"].result_list]

    assert numbers() == ["SF2", "SF1"]
    assert numbers(still="1") == ["SF1"]
    assert numbers(still="3") == []
    assert numbers(status="in_transit") == ["SF2"]
    assert numbers(q="SF2") == ["SF2"]
    assert numbers(q="A1") == ["SF2", "SF1"]


def test_a_parcels_page_tells_its_story(clerk, order):
    shipments.record([ShipmentFacts("SF1", status="failed", text="地址不详", place="武汉")], now=clock.now())

    page = sentences(clerk.get(reverse("admin:customers_shipment_change", args=[Shipment.objects.get().pk])))

    for words in ("SF1", "A1", "李娜", "地址不详", "武汉", "Could not be delivered"):
        assert words in page


def test_staff_write_an_event_down_and_settle_it(clerk):
    cast.li_na()
    said = {"kind": "appointment", "customer": "138 0000 0001", "due_at": "2027-06-01T15:30", "title": "试衣"}

    page = sentences(clerk.post(f"{EVENTS}add/", said, follow=True))

    event = CustomerEvent.objects.get()
    assert (event.values, event.customer.name) == ({"title": "试衣"}, "李娜")
    assert "2027-06-01 15:30" in page
    settle = reverse("admin:customers_customerevent_settle", args=[event.pk])
    assert "Settled." in sentences(clerk.post(settle, follow=True))
    assert "somebody was faster" in sentences(clerk.post(settle, follow=True))


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"customer": "13900000009"}, "Nobody is known by this"),
        ({"customer": "13800000001", "due_at": "tomorrow"}, "Write the moment like"),
        ({"customer": "13800000001", "key": "C1", "kind": "coupon"}, "There is such an event already"),
        ({"customer": "13800000001", "kind": "wedding"}, "wedding"),
    ],
)
def test_an_event_that_cannot_be_written_down_is_refused_with_a_sentence(clerk, said, sentence):
    person = cast.li_na()
    events.record([EventFacts("coupon", "C1", customer_id=person.pk)], now=clock.now())

    assert sentence in sentences(clerk.post(f"{EVENTS}add/", {"kind": "appointment"} | said))
    assert CustomerEvent.objects.count() == 1


def test_events_are_found_by_kind_by_due_day_and_by_customer(clerk):
    person, other = cast.li_na(), cast.wang_wei()
    now = clock.now()
    facts = [
        EventFacts("bill", "B1", customer_id=person.pk, due_at=now + timedelta(hours=5)),
        EventFacts("coupon", "C1", customer_id=other.pk, due_at=now + timedelta(days=20)),
    ]
    events.record(facts, now=now)

    def keys(**asked):
        return [event.key for event in clerk.get(EVENTS, asked).context["cl"].result_list]

    assert keys() == ["C1", "B1"]
    assert keys(kind="bill") == keys(due="1") == keys(q="13800000001") == keys(q="B1") == ["B1"]
    assert keys(due="30") == ["C1", "B1"]
    assert keys(customer__id__exact=other.pk) == ["C1"]
