"""Replying as a customer at the sandbox gateway."""

import pytest
import requests

from notifications.providers.generic_http import GatewaySettings, GenericHttp
from tests.gateway import PATIENCE, provider_of, send


def form(sandbox, *, origin=None, **fields):
    """Send the form, as a browser does from a page of an origin."""
    with requests.Session() as session:
        session.trust_env = False
        headers = {"Origin": origin or sandbox.url, "Accept-Language": "en"}
        return session.post(f"{sandbox.url}/reply", data=fields, headers=headers, timeout=PATIENCE)


def test_a_reply_is_pushed_to_the_shop_that_wrote_to_the_number(sandbox, shop):
    sandbox.set(receipts=False)
    send(provider_of(sandbox, callback_url="http://127.0.0.1:1/"), "13800000002")
    send(provider_of(sandbox, callback_url=shop.url), "13800000001", call="call-2")
    send(provider_of(sandbox, callback_url="http://127.0.0.1:1/"), "13800000003", call="call-3")

    status, text = sandbox.call("POST", "/reply", {"number": "13800000001", "text": "ＴＤ"})

    received = shop.next()
    assert (status, text) == (200, '{"pushed":true}')
    assert (received["number"], received["text"]) == ("13800000001", "ＴＤ")
    reader = GenericHttp(GatewaySettings(send_url="http://localhost/"))
    assert reader.read_replies(f'[{{"number": "1", "text": "x", "at": "{received["at"]}"}}]'.encode()).replies[0].at


def test_a_strangers_reply_goes_to_the_shop_that_wrote_last(sandbox, shop):
    sandbox.set(receipts=False)
    send(provider_of(sandbox, callback_url=shop.url), "13800000001")

    answer = form(sandbox, number="13900000009", text="<b>你们是谁</b>")

    assert "The shop has taken the reply." in answer.text
    assert "<b>" not in answer.text
    assert shop.next()["text"] == "<b>你们是谁</b>"


def test_a_shop_that_is_away_is_said_so(sandbox):
    send(provider_of(sandbox, callback_url="http://127.0.0.1:1/"), "13800000001")

    assert "The shop did not take the reply." in form(sandbox, number="13800000001", text="TD").text


@pytest.mark.parametrize(
    "fields",
    [{"number": "", "text": "TD"}, {"number": "1", "text": " "}, {"number": "1"}, {"number": "1", "text": "x" * 501}],
)
def test_a_reply_without_words_or_number_is_refused(sandbox, shop, fields):
    send(provider_of(sandbox, callback_url=shop.url), "13800000001")

    assert form(sandbox, **fields).status_code == 400
    assert sandbox.call("POST", "/reply", fields)[0] == 400
    assert sandbox.call("POST", "/reply", [1])[0] == 400


def test_nobody_can_reply_before_the_shop_wrote(sandbox):
    assert form(sandbox, number="13800000001", text="TD").status_code == 404


def test_a_foreign_page_cannot_reply(sandbox, shop):
    send(provider_of(sandbox, callback_url=shop.url), "13800000001")

    assert form(sandbox, origin="http://evil.example.com", number="13800000001", text="TD").status_code == 403


def test_the_ledger_leads_to_the_form(sandbox):
    send(provider_of(sandbox), "13800000001")

    page = sandbox.call("GET", "/", Accept_Language="en")[1]
    shown = sandbox.call("GET", '/reply?number="><b>', Accept_Language="zh")[1]

    assert 'href="/reply?number=13800000001"' in page
    assert "<b>" not in shown
