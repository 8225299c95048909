"""Orders that the shop's own system tells of by HTTP."""

import pytest

from customers.models import Customer, Order, OrderException, Shipment
from tests.customers.callers import Caller, order, pointers

pytestmark = pytest.mark.django_db


@pytest.fixture
def webshop():
    """A program that may do everything."""
    return Caller()


def test_an_order_is_recorded_with_its_buyer_and_its_goods(webshop):
    told = order(
        customer={"phone": "+86 138 0000 0001", "external_id": "C1"},
        ordered_at="2026-05-01T10:00:00+08:00",
        receiver_name="李娜",
        lines=[{"product": "玫瑰", "category": "鲜花", "quantity": 2, "price": "64.25"}],
    )

    answer = webshop.post("/orders", {"orders": [told]})

    stored = Order.objects.get()
    assert answer.status_code == 200, answer.content
    assert answer.json()["counts"] == {"created": 1}
    assert answer.json()["results"] == [
        {"index": 0, "outcome": "created", "id": stored.pk, "customer_id": stored.customer_id}
    ]
    assert (stored.status, str(stored.total), stored.lines.get().category) == ("unpaid", "128.50", "鲜花")
    assert stored.customer.contact_points.get().address == "13800000001"
    assert stored.customer.external_id == "C1"


def test_the_same_order_twice_changes_nothing(webshop):
    webshop.post("/orders", {"orders": [order(happened_at="2026-05-01T10:00:00Z")]})

    answer = webshop.post("/orders", {"orders": [order(happened_at="2026-05-01T10:00:00Z")]})

    assert answer.json()["counts"] == {"unchanged": 1}
    assert Order.objects.get().changes.count() == 1


def test_a_bad_order_is_refused_and_the_others_are_taken(webshop):
    bad = order("2", total="12.345", colour="red", statsu="paid")

    answer = webshop.post("/orders", {"orders": [order("1"), bad, order("3", lines=[{"quantity": "2"}]), order("4")]})

    told = answer.json()
    assert answer.status_code == 207
    assert [result["outcome"] for result in told["results"]] == ["created", "refused", "refused", "created"]
    assert told["results"][1]["errors"] == [
        {"pointer": "#/orders/1/colour", "detail": "There is no field “colour”. Leave it out."},
        {"pointer": "#/orders/1/statsu", "detail": "There is no field “statsu”. Did you mean “status”?"},
    ]
    assert told["results"][2]["errors"] == [
        {"pointer": "#/orders/2/lines/0/quantity", "detail": "Write a whole number."}
    ]
    assert set(Order.objects.values_list("number", flat=True)) == {"1", "4"}


def test_where_every_order_is_bad_the_request_is_refused(webshop):
    answer = webshop.post("/orders", {"orders": [order(total=-1), order(platform="ebay")]})

    assert answer.status_code == 422
    assert list(pointers(answer)) == ["#/orders/0/total", "#/orders/1/platform"]
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("number", "", "Write at least 1 characters."),
        ("number", 1001, "Write this as text, between quotes."),
        ("total", True, "Write an amount such as 128.50."),
        ("total", "viel", "Write an amount such as 128.50."),
        ("total", 12345678901234, "The amount is too large"),
        ("ordered_at", 1764000000, "Write a moment with its zone"),
        ("ordered_at", "2026-05-01T10:00:00", "Write the zone behind the time"),
        ("ordered_at", "1970-01-01T00:00:00Z", "Write a moment between 2000 and 2099."),
        ("ordered_at", "9999-12-31T23:59:59Z", "Write a moment between 2000 and 2099."),
        ("note", "x" * 501, "Write at most 500 characters."),
        ("status", "bezahlt", "Write one of: 'unpaid'"),
        ("customer", [], "Write an object"),
        ("lines", {}, "Write a list"),
        ("lines", [{}] * 201, "Send at most 200 at a time."),
    ],
)
def test_a_field_that_cannot_be_is_named_with_a_remedy(webshop, field, value, words):
    answer = webshop.post("/orders", {"orders": [order(**{field: value})]})

    assert answer.status_code == 422
    ((pointer, detail),) = pointers(answer).items()
    assert pointer.startswith(f"#/orders/0/{field}")
    assert detail.startswith(words)


def test_an_order_with_a_hidden_number_is_taken_and_the_answer_says_so(webshop):
    told = order(customer={"phone": "138****0001", "email": "nobody", "account": "tb_1"})

    answer = webshop.post("/orders", {"orders": [told]})

    assert answer.status_code == 200
    assert [(note["pointer"], note["detail"].split(".")[0]) for note in answer.json()["results"][0]["notes"]] == [
        ("#/orders/0/customer/phone", "The number is hidden by asterisks"),
        ("#/orders/0/customer/email", "This is not an e-mail address"),
    ]
    assert Order.objects.get().account.name == "tb_1"


def test_more_than_five_hundred_orders_are_refused(webshop):
    answer = webshop.post("/orders", {"orders": [order(str(number)) for number in range(501)]})

    assert pointers(answer) == {"#/orders": "Send at most 500 at a time."}


def test_five_hundred_orders_are_taken_at_once(webshop):
    told = [order(str(number), customer={"phone": f"1380000{number:04d}"}) for number in range(500)]

    answer = webshop.post("/orders", {"orders": told})

    assert answer.json()["counts"] == {"created": 500}
    assert Customer.objects.count() == 500


def test_what_happens_to_an_order_arrives_in_any_order(webshop):
    webshop.post("/orders", {"orders": [order(ordered_at="2026-05-01T10:00:00Z")]})
    named = {"platform": "other", "number": "1001"}

    webshop.post("/order-events", {"events": [
        named | {"type": "status", "status": "shipped", "happened_at": "2026-05-01T12:00:00Z"},
    ]})  # fmt: skip
    answer = webshop.post("/order-events", {"events": [
        named | {"type": "payment", "paid": "128.50", "happened_at": "2026-05-01T10:05:00Z"},
    ]})  # fmt: skip

    stored = Order.objects.get()
    assert answer.json()["counts"] == {"updated": 1}
    assert (stored.status, str(stored.paid), stored.paid_at.minute) == ("shipped", "128.50", 5)


def test_parcels_and_what_went_wrong_are_told_of_a_known_order(webshop):
    webshop.post("/orders", {"orders": [order()]})
    named = {"platform": "other", "number": "1001"}
    unknown = {"platform": "other", "number": "9"}

    answer = webshop.post("/order-events", {"events": [
        named | {"type": "shipment", "tracking_number": "SF1", "carrier": "顺丰", "status": "in_transit"},
        named | {"type": "exception", "kind": "out_of_stock", "note": "玫瑰售完"},
        unknown | {"type": "exception", "kind": "out_of_stock"},
        unknown | {"type": "shipment", "tracking_number": "SF2"},
        named | {"type": "party"},
        named | {"type": "payment", "amount": "1"},
    ]})  # fmt: skip

    results = answer.json()["results"]
    assert answer.status_code == 207, answer.content
    assert [result["outcome"] for result in results] == ["created", "created"] + ["refused"] * 4
    assert "There is no such order yet" in results[2]["errors"][0]["detail"]
    assert "There is no such order yet" in results[3]["errors"][0]["detail"]
    assert results[4]["errors"][0]["pointer"] == "#/events/4"
    assert results[5]["errors"][0]["pointer"] == "#/events/5/amount"
    assert Shipment.objects.get().number == "SF1"
    assert OrderException.objects.get().note == "玫瑰售完"


def test_what_went_wrong_is_settled_once(webshop):
    webshop.post("/orders", {"orders": [order()]})
    told = {"platform": "other", "number": "1001", "type": "exception", "kind": "payment_failed"}
    webshop.post("/order-events", {"events": [told]})

    outcomes = [
        webshop.post("/order-events", {"events": [told | {"is_resolved": True}]}).json()["counts"] for _ in range(2)
    ]

    assert outcomes == [{"updated": 1}, {"unchanged": 1}]
    assert OrderException.objects.get().resolved_at
