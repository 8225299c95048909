"""Messages that programs of the shop send one at a time, and the inbox that its site shows."""

import pytest

from notifications import jobs
from notifications.models import Delivery, InboxItem, Message
from tests import cast
from tests.customers.callers import Caller, pointers

SHIPPED = '{{ name or "顾客" }},您的订单{{ order_number }}已发货'


@pytest.fixture
def shop(db, empty_queue):
    """A shop with a text for orders on their way, and a program that may send it."""
    cast.template(SHIPPED, purpose="transactional", name="已发货")
    return Caller("messages", "inbox")


def wish(**told) -> dict:
    """A message to Li Na about her order."""
    return {"template": "已发货", "customer": {"phone": "13800000001"}, "values": {"订单号": "1001"}} | told


def test_a_message_is_sent_and_its_state_can_be_asked_for(shop, account, gateway, noon):
    cast.li_na()

    answer = shop.post("/messages", wish())
    jobs.send_due(queue="urgent")

    told = shop.get(f"/messages/{answer.json()['id']}").json()
    assert answer.status_code == 202, answer.content
    assert (answer.json()["state"], told["state"]) == ("queued", "sent")
    assert told["to"] == "138****0001"
    assert [entry["text"] for entry in gateway.ledger()] == ["【鸿雁花店】李娜,您的订单1001已发货"]


def test_one_message_stays_open_for_all(shop):
    cast.li_na(), cast.chen_jie()

    shop.post("/messages", wish())
    shop.post("/messages", wish(customer={"phone": "13800000004"}))

    assert Message.objects.count() == 1
    assert Delivery.objects.count() == 2


def test_the_same_reference_is_sent_once_and_never_to_somebody_else(shop):
    cast.li_na(), cast.chen_jie()

    first, again = (shop.post("/messages", wish(reference="order-1001")) for _ in range(2))
    other = shop.post("/messages", wish(reference="order-1001", customer={"phone": "13800000004"}))

    assert first.json()["id"] == again.json()["id"]
    assert pointers(other) == {"#/reference": "This reference was used for another customer."}
    assert Delivery.objects.count() == 1


@pytest.mark.parametrize(
    ("told", "pointer", "words"),
    [
        ({"template": "nothing"}, "#/template", "There is no template with this name."),
        ({"template": "新年"}, "#/template", "This template is for marketing or care."),
        ({"customer": {"phone": "13800000009"}}, "#/customer", "There is no such customer yet."),
        ({"customer": {}}, "#/customer", "Name the customer by id, external_id, phone or email."),
        ({"values": {"name": "x"}}, "#/values/name", "No text uses the value “name”."),
        ({"valid_for_minutes": 0}, "#/valid_for_minutes", "Write 1 or more."),
        ({"order": {"platform": "other", "number": "9"}}, "#/order", "There is no such order yet."),
        ({"tempalte": "x"}, "#/tempalte", "There is no field “tempalte”. Did you mean “template”?"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_a_remedy(shop, told, pointer, words):
    cast.li_na()
    cast.template(name="新年")

    found = pointers(shop.post("/messages", wish(**told)))

    assert list(found) == [pointer]
    assert found[pointer].startswith(words)
    assert not Delivery.objects.exists()


def test_a_customer_without_an_address_is_skipped_with_the_reason(shop):
    person = cast.zhang_min()

    told = shop.post("/messages", wish(customer={"id": person.pk})).json()

    assert (told["state"], told["reason"]) == ("skipped", "no_address")
    assert told["reason_in_words"] == "No usable address on this channel"


def test_no_key_sees_what_another_one_sent(shop):
    cast.li_na()
    sent = shop.post("/messages", wish()).json()["id"]

    answer = Caller("messages", name="other").get(f"/messages/{sent}")

    assert answer.status_code == 404


def test_messages_that_staff_canceled_are_not_sent_again_from_outside(shop):
    cast.li_na()
    shop.post("/messages", wish())
    Message.objects.all().cancel(cast.at("2026-05-01 10:00"))

    assert "canceled the messages" in pointers(shop.post("/messages", wish()))["#/template"]


def test_the_inbox_of_a_customer_is_read_and_marked(shop, db):
    li_na, other = cast.li_na(), cast.chen_jie()
    li_na.external_id = "C1"
    li_na.save()
    for place, person in enumerate((li_na, li_na, other)):
        InboxItem.objects.create(
            delivery_id=place + 1,
            customer=person,
            subject=f"S{place}",
            body="…",
            created_at=cast.at("2026-05-01 10:00"),
        )
    mine = [item["id"] for item in shop.get("/inbox?external_id=C1&limit=1").json()["items"]]

    told = {"customer": {"external_id": "C1"}, "items": [*mine, InboxItem.objects.get(customer=other).pk]}
    changed = shop.post("/inbox/read", told).json()

    shown = shop.get("/inbox?external_id=C1").json()
    assert changed == {"changed": 1}
    assert (shown["unread"], [item["subject"] for item in shown["items"]]) == (1, ["S1", "S0"])
    assert shop.post("/inbox/remove", told).json() == {"changed": 1}
    assert [item["subject"] for item in shop.get("/inbox?external_id=C1").json()["items"]] == ["S0"]
    assert shop.get("/inbox?external_id=nobody").status_code == 404
