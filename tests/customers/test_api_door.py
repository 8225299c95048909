"""Who may speak to the API, how often, and the same request twice."""

import json
import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test import Client

from customers import clock
from customers.models import ApiAnswer, ApiKey, ApiUsage, Customer, Order
from customers.services import api_answers, api_keys
from tests import staff
from tests.customers.callers import BASE, Caller, order, pointers

pytestmark = pytest.mark.django_db


def test_without_a_key_nothing_is_answered():
    stranger = Client(enforce_csrf_checks=True)

    for sent in ({}, {"authorization": "Bearer "}, {"authorization": "Bearer hy_guess"}, {"authorization": "Basic x"},
                 {"authorization": "Bearer " + "x" * 10_000}, {"authorization": "hy_guess"}):  # fmt: skip
        answer = stranger.post(f"{BASE}/orders", "{}", content_type="application/json", headers=sent)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="hongyan"'
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_browser_that_is_signed_in_needs_a_key_as_well():
    answer = staff.signed_in("superuser").post(f"{BASE}/orders", "{}", content_type="application/json")

    assert answer.status_code == 401


def test_a_revoked_key_is_refused_from_the_next_request_on():
    webshop = Caller()
    assert webshop.post("/orders", {"orders": [order()]}).status_code == 200

    api_keys.revoke(webshop.key.pk, now=clock.now())

    assert webshop.post("/orders", {"orders": [order()]}).status_code == 401


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/orders", "orders"), ("/order-events", "orders"), ("/customers", "customers"), ("/consent", "consent"),
        ("/events", "events"), ("/events/close", "events"), ("/messages", "messages"), ("/inbox/read", "inbox"),
        ("/inbox/remove", "inbox"),
    ],
)  # fmt: skip
def test_a_key_may_do_only_what_it_was_given(path, scope):
    others = {"orders", "events", "customers", "consent", "messages", "inbox", "read"} - {scope}

    refused = Caller(*others).post(path, {})
    let_in = Caller(scope, name="right").post(path, {})

    assert (refused.status_code, let_in.status_code) == (403, 422)
    assert scope in refused.json()["detail"]


def test_phone_numbers_are_masked_for_a_key_that_may_not_read_them():
    writer = Caller("customers")
    told = {"customers": [{"phone": "13800000001", "email": "li.na@example.com", "name": "李娜"}]}
    number = writer.post("/customers", told).json()["results"][0]["id"]

    masked = writer.get(f"/customers/{number}").json()
    whole = Caller("read", name="reader").get(f"/customers/{number}").json()

    assert (masked["phone"], masked["email"]) == ("138****0001", "l****@example.com")
    assert (whole["phone"], whole["email"]) == ("13800000001", "li.na@example.com")


def test_a_key_that_asks_too_often_is_told_when_to_ask_again():
    webshop = Caller(rate=2)
    ApiUsage.objects.create(key=webshop.key, minute=clock.real_now() - timedelta(hours=1), used=99)
    # Whatever minute it is, four requests hold at least two of the same one.
    answers = [webshop.post("/orders", {"orders": [order()]}) for _ in range(5)]

    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert 1 <= int(refused[-1].headers["Retry-After"]) <= 60
    assert "2 times a minute" in refused[-1].json()["detail"]


def test_when_a_key_was_last_used_is_written_once_a_minute():
    webshop = Caller()
    for _ in range(3):
        webshop.post("/orders", {"orders": [order()]})

    used = ApiKey.objects.get().last_used_at
    webshop.post("/orders", {"orders": [order()]})

    assert used
    assert ApiKey.objects.get().last_used_at == used


def test_the_database_keeps_no_key():
    webshop = Caller()

    with connection.cursor() as cursor:
        cursor.execute("SELECT row::text FROM customers_apikey AS row")
        kept = cursor.fetchone()[0]

    assert webshop.secret not in kept
    assert webshop.secret[10:] not in kept


def test_the_same_request_twice_is_done_once():
    webshop = Caller()
    sent = {"customers": [{"name": "李娜", "phone": "13800000001"}]}

    first = webshop.post("/customers", sent, idempotency_key="k1")
    Customer.objects.update(name="王伟")
    again = webshop.post("/customers", sent, idempotency_key="k1")

    assert again.content == first.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert Customer.objects.get().name == "王伟"


def test_a_used_key_for_another_request_is_refused():
    webshop = Caller()
    webshop.post("/orders", {"orders": [order("1")]}, idempotency_key="k1")

    answer = webshop.post("/orders", {"orders": [order("2")]}, idempotency_key="k1")

    assert answer.status_code == 422
    assert "was used for another request" in answer.json()["detail"]
    assert Order.objects.count() == 1


def test_a_request_that_was_refused_may_be_put_right_under_the_same_key():
    webshop = Caller()
    webshop.post("/orders", {"orders": [order(total="x")]}, idempotency_key="k1")

    assert webshop.post("/orders", {"orders": [order()]}, idempotency_key="k1").status_code == 200


def test_keys_do_not_meet_each_others_answers():
    Caller().post("/orders", {"orders": [order("1")]}, idempotency_key="k1")

    assert Caller(name="other").post("/orders", {"orders": [order("2")]}, idempotency_key="k1").status_code == 200
    assert Order.objects.count() == 2


@pytest.mark.parametrize("named", ["x" * 101, "ü"])
def test_an_idempotency_key_is_short_and_plain(named):
    answer = Caller().post("/orders", {"orders": [order()]}, idempotency_key=named)

    assert answer.status_code == 400


def test_answers_are_forgotten_after_a_day():
    Caller().post("/orders", {"orders": [order()]}, idempotency_key="k1")

    kept = api_answers.purge(now=clock.now() + timedelta(hours=23))
    gone = api_answers.purge(now=clock.now() + timedelta(hours=25))

    assert (kept, gone) == (0, 1)
    assert not ApiAnswer.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_request_that_is_being_done_is_not_done_beside():
    webshop = Caller()
    asked = threading.Event()
    answers = []

    def same_request():
        answers.append(webshop.post("/orders", {"orders": [order()]}, idempotency_key="k1").status_code)
        connection.close()
        asked.set()

    with transaction.atomic():
        api_answers.hold(webshop.key.pk, "k1", b"")
        threading.Thread(target=same_request).start()
        assert asked.wait(20)

    assert answers == [409]
    assert webshop.post("/orders", {"orders": [order()]}, idempotency_key="k1").status_code == 200


HOSTILE = {
    "nothing": (b"", 411),
    "blanks": (b"   ", 400),
    "no JSON": (b"{", 400),
    "no UTF-8": (b'{"orders": "\xff"}', 400),
    "a list": (b"[]", 400),
    "NaN": (b'{"orders": NaN}', 400),
    "10^400": (b'{"orders": 1e400}', 400),
    "many digits": (b'{"orders": ' + b"9" * 5000 + b"}", 400),
    "an exponent": (b'{"orders": 1e999999999999999999999}', 400),
    "depth": (b'{"orders": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", 400),
    "nine levels": (b'{"orders": [[[[[[[[[1]]]]]]]]]}', 400),
    "a zero character": (b'{"orders": [{"number": "a\\u0000b"}]}', 400),
    "half a character": (b'{"orders": [{"number": "\\ud800"}]}', 400),
    "twice the same field": (b'{"orders": [], "orders": []}', 400),
    "a field of zeros": (b'{"\\u0000": 1}', 400),
    "two megabytes": (b'{"orders": "' + b"x" * 2_100_000 + b'"}', 413),
    "no orders": (b'{"orders": []}', 422),
    "null": (b'{"orders": null}', 422),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_body_breaks_us(name):
    body, status = HOSTILE[name]

    answer = Caller().post("/orders", body)

    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"]


def test_a_zero_character_is_pointed_at():
    answer = Caller().post("/orders", b'{"orders": [{"number": "1", "a/b~c": "\\u0000"}]}')

    assert list(pointers(answer)) == ["#/orders/0/a~1b~0c"]


def test_refusals_speak_the_callers_language_and_chinese_by_itself():
    chinese = Caller(name="zh", language="zh-CN").post("/orders", {"orders": []})
    english = Caller(name="en", language="en").post("/orders", {"orders": []})
    nothing = Caller(name="none", language="").post("/orders", {"orders": []})

    assert english.json()["title"] == "Something in the request is not right"
    assert chinese.json()["title"] == nothing.json()["title"] != english.json()["title"]


def test_an_address_that_does_not_exist_is_told_as_a_problem():
    answer = Caller().post("/nothing", {})

    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")


def test_the_documentation_is_for_staff_and_comes_from_here():
    stranger = Client().get(f"{BASE}/docs")
    auditor = staff.signed_in("auditor")
    page = auditor.get(f"{BASE}/docs").content.decode()
    described = auditor.get(f"{BASE}/openapi.json").json()

    assert stranger.status_code == 302
    assert "http" not in page.split("<body")[0].replace("http-equiv", "")
    assert "/static/ninja/swagger-ui-bundle.js" in page
    assert {"/api/v1/orders", "/api/v1/messages"} <= set(described["paths"])
    item = json.dumps(described["paths"]["/api/v1/orders"]["post"]["requestBody"])
    assert "Orders" in item
