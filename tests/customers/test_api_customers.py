"""Customers, consent and events that the shop's own system tells of by HTTP."""

import threading

import pytest
from django.db import connection

from customers.models import Consent, ConsentChange, ContactPoint, Customer, CustomerEvent, Suppression
from tests import cast
from tests.customers.callers import Caller, pointers

pytestmark = pytest.mark.django_db


@pytest.fixture
def webshop():
    """A program that may do everything."""
    return Caller()


def told(webshop, *people: dict) -> dict:
    """The answer to telling of some customers."""
    return webshop.post("/customers", {"customers": list(people)}).json()


def test_a_customer_is_added_once_and_changed_by_what_is_told_anew(webshop):
    person = {
        "external_id": "C1",
        "phone": "138 0000 0001",
        "name": "李娜",
        "tags": ["老客"],
        "birthday": "1990-10-03",
    }

    outcomes = [
        told(webshop, person)["counts"],
        told(webshop, person)["counts"],
        told(webshop, {"external_id": "C1", "city": "杭州", "tags": ["生日"]})["counts"],
    ]

    stored = Customer.objects.get()
    assert outcomes == [{"created": 1}, {"unchanged": 1}, {"updated": 1}]
    assert (stored.name, stored.city, stored.birth_year, stored.birth_day) == ("李娜", "杭州", 1990, 3)
    assert {tag.name for tag in stored.tags.all()} == {"老客", "生日"}
    assert not Consent.objects.exists()


def test_a_customer_is_found_by_number_then_phone_then_email(webshop):
    first = cast.li_na()

    by_phone = told(webshop, {"phone": "13800000001", "external_id": "C1"})["results"][0]["id"]
    by_number = told(webshop, {"external_id": "C1", "email": "li.na@example.com"})["results"][0]["id"]
    by_email = told(webshop, {"email": "LI.NA@example.com"})["results"][0]["id"]

    assert {by_phone, by_number, by_email} == {first.pk}


def test_two_people_of_the_shops_system_may_share_a_phone(webshop):
    answer = told(
        webshop, {"external_id": "C1", "phone": "13800000001"}, {"external_id": "C2", "phone": "13800000001"}
    )

    assert answer["counts"] == {"created": 2}
    assert ContactPoint.objects.filter(address="13800000001").count() == 2


def test_a_new_phone_becomes_the_main_one_and_the_old_one_stays_closed(webshop):
    person = cast.wang_wei()

    told(webshop, {"phone": "13800000002", "external_id": "W"}, {"external_id": "W", "phone": "13800000003"})

    points = dict(ContactPoint.objects.filter(customer=person).values_list("address", "is_primary"))
    assert points == {"13800000002": False, "13800000003": True}
    assert set(Consent.objects.filter(customer=person).values_list("status", flat=True)) == {"withdrawn"}


def test_the_same_person_twice_in_one_request_is_one_customer(webshop):
    answer = told(
        webshop,
        {"phone": "13800000001", "name": "李"},
        {"phone": "13800000001", "name": "李娜"},
        {"email": "li.na@example.com", "phone": "13800000001"},
    )

    assert len({result["id"] for result in answer["results"]}) == 1
    assert Customer.objects.get().name == "李娜"


@pytest.mark.parametrize(
    ("person", "words"),
    [
        ({"name": "李娜"}, "Give the customer an external_id, a phone or an email."),
        ({"phone": "138****0001"}, "The number is hidden by asterisks."),
        ({"external_id": "C1", "birthday": "1990-02-30"}, "There is no such day"),
        ({"external_id": "C1", "birthday": "13-01"}, "There is no such day"),
        ({"external_id": "C1", "birthday": "morgen"}, "Write the birthday as 1990-10-03"),
        ({"external_id": "C1", "gender": "x"}, "Write one of"),
        ({"external_id": "C1", "tags": [""]}, "Write at least 1 characters."),
    ],
)
def test_a_customer_who_cannot_be_is_refused_with_a_remedy(webshop, person, words):
    (detail,) = pointers(webshop.post("/customers", {"customers": [person]})).values()

    assert detail.startswith(words)
    assert not Customer.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_customer_told_by_two_requests_at_once_is_one(webshop):
    begun = threading.Barrier(4)

    def tell():
        begun.wait(10)
        webshop.post("/customers", {"customers": [{"phone": "13800000001", "name": "李娜"}]})
        connection.close()

    threads = [threading.Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Customer.objects.count() == 1


def change(action: str, **customer) -> dict:
    """One change of consent."""
    return {"changes": [{"customer": customer, "action": action, "channels": ["sms"], "purposes": ["marketing"],
                         "wording": "注册时勾选"}]}  # fmt: skip


def test_consent_is_kept_with_its_evidence(webshop):
    person = cast.chen_jie()

    answer = webshop.post("/consent", change("grant", phone="13800000004"))

    evidence = ConsentChange.objects.get()
    assert answer.json()["counts"] == {"recorded": 1}
    assert Consent.objects.get().status == "granted"
    assert (evidence.customer_id, evidence.source, evidence.wording) == (person.pk, "api", "注册时勾选")


def test_an_opt_out_is_never_undone_from_outside(webshop):
    cast.wang_wei()

    webshop.post("/consent", change("grant", phone="13800000002"))

    assert set(Consent.objects.values_list("status", flat=True)) == {"withdrawn"}


def test_an_opt_out_of_a_number_that_nobody_has_closes_it(webshop):
    answer = webshop.post("/consent", change("withdraw", phone="13800000009"))

    assert answer.status_code == 200
    assert Suppression.objects.get().address == "13800000009"


def test_consent_without_words_or_of_nobody_is_refused(webshop):
    without = change("grant", phone="13800000004")
    without["changes"][0]["wording"] = ""

    assert "wording" in next(iter(pointers(webshop.post("/consent", without)).values()))
    nobody = pointers(webshop.post("/consent", change("grant", phone="13800000004")))
    assert nobody == {"#/changes/0": "There is no such customer yet. Send the customer first."}


def test_an_event_is_recorded_moved_and_closed(webshop):
    cast.li_na()
    event = {"customer": {"phone": "13800000001"}, "kind": "appointment", "key": "A1",
             "due_at": "2026-12-01T14:30:00+08:00", "values": {"title": "插花体验课", "count": 2}}  # fmt: skip

    first = webshop.post("/events", {"events": [event | {"happened_at": "2026-11-01T10:00:00Z"}]}).json()
    moved = event | {"due_at": "2026-12-02T14:30:00+08:00", "happened_at": "2026-11-02T10:00:00Z"}
    again = webshop.post("/events", {"events": [moved]}).json()
    closed = webshop.post("/events/close", {"events": [{"kind": "appointment", "key": "A1"}]}).json()

    stored = CustomerEvent.objects.get()
    assert [first["counts"], again["counts"], closed["counts"]] == [{"created": 1}, {"updated": 1}, {"closed": 1}]
    assert (stored.due_at.day, stored.values) == (2, {"title": "插花体验课", "count": "2"})
    assert stored.closed_at


@pytest.mark.parametrize("value", [["试衣"], {"name": "试衣"}, None])
def test_a_value_that_no_text_can_say_is_refused_under_its_name(webshop, value):
    cast.li_na()
    event = {"customer": {"phone": "13800000001"}, "kind": "bill", "key": "B1", "values": {"title": value}}

    assert pointers(webshop.post("/events", {"events": [event]})) == {
        "#/events/0/values/title": "Write this as text, a number, true or false, not as a list or an object."
    }


def test_numbers_of_an_event_are_stored_without_an_exponent(webshop):
    cast.li_na()
    values = {"amount": 0.0000001, "points": 1e20, "is_paid": True}

    webshop.post(
        "/events", {"events": [{"customer": {"phone": "13800000001"}, "kind": "bill", "key": "B1", "values": values}]}
    )

    stored = CustomerEvent.objects.get().values
    assert stored == {"amount": "0.0000001", "points": "100000000000000000000", "is_paid": "true"}


def test_an_event_of_nobody_is_refused_and_the_others_are_taken(webshop):
    cast.li_na()
    events = [
        {"customer": {"phone": number}, "kind": "cart", "key": number} for number in ("13800000001", "13800000009")
    ]

    answer = webshop.post("/events", {"events": events})

    assert answer.status_code == 207
    assert [result["outcome"] for result in answer.json()["results"]] == ["created", "refused"]
    assert webshop.post("/events/close", {"events": [{"kind": "cart", "key": "x"}]}).status_code == 422
