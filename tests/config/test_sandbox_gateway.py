"""The sandbox gateway: a provider that remembers exactly what it accepted, whatever it answers."""

import json
import threading

import pytest

from config.sandbox.rules import MAGIC
from notifications.providers.base import Answer, NotFound, Outcome
from tests.gateway import ROOT, asked, batch, magic, provider_of, send, vars_of


def test_what_was_accepted_stands_in_the_ledger(sandbox):
    answers = provider_of(sandbox).send(batch("13800000001", magic("0001")), call_reference="call-1")

    ledger = sandbox.get("/ledger.json")
    assert [answer.outcome for answer in answers] == [Outcome.TAKEN, Outcome.REFUSED_NUMBER]
    assert (ledger["count"], ledger["next"]) == (1, 1)
    (message,) = ledger["messages"]
    assert message.pop("time").endswith("+00:00")
    assert message == {
        "reference": "ref-13800000001",
        "account": "main",
        "number": "13800000001",
        "text": "中秋快乐 13800000001",
        "outcome": "delivered",
        "id": answers[0].provider_id,
        "call_reference": "call-1",
        "callback": 0,
    }


@pytest.mark.parametrize(
    ("ending", "outcome", "ledger"),
    [
        ("0001", Outcome.REFUSED_NUMBER, None),
        ("0002", Outcome.TAKEN, "undelivered"),
        ("0003", Outcome.TAKEN, "accepted"),
        ("0004", Outcome.REFUSED_LATER, None),
        ("0005", Outcome.REFUSED_ACCOUNT, None),
        ("0006", Outcome.REFUSED_CONTENT, None),
        ("0007", Outcome.UNKNOWN, "delivered"),
        ("0008", Outcome.UNKNOWN, "delivered"),
        ("0009", Outcome.UNKNOWN, "delivered"),
        ("0010", Outcome.TAKEN, "delivered"),
        ("0011", Outcome.TAKEN, "delivered"),
        ("0012", Outcome.UNKNOWN, "delivered"),
        ("0013", Outcome.UNKNOWN, "delivered"),
        ("0014", Outcome.REFUSED_LATER, None),
        ("0015", Outcome.TAKEN, "accepted"),
        ("0016", Outcome.TAKEN, "undelivered"),
    ],
)
def test_a_magic_number_fares_as_documented(lasting, ending, outcome, ledger):
    answers = send(provider_of(lasting, account=ending, read=0.5), magic(ending), call=ending)

    messages = lasting.get(f"/ledger.json?account={ending}")["messages"]
    assert answers == [outcome]
    assert [message["outcome"] for message in messages] == ([ledger] if ledger else [])


def test_every_magic_number_is_documented():
    protocol = (ROOT / "docs" / "gateway-protocol.md").read_text("utf-8")

    assert [ending for ending in MAGIC if magic(ending) not in protocol] == []


def test_other_numbers_with_the_magic_prefix_are_delivered(sandbox):
    assert send(provider_of(sandbox), magic("0017"), "+8613800000001") == [Outcome.TAKEN, Outcome.TAKEN]


@pytest.mark.parametrize("number", ["", "abc", "1380", "１３８０００００００１", "138 0000 0001", "1" * 21])
def test_only_digits_are_a_number(lasting, number):
    assert send(provider_of(lasting), number) == [Outcome.REFUSED_NUMBER]


def test_the_answer_lost_on_the_way_does_not_hide_what_was_accepted(sandbox):
    provider = provider_of(sandbox)

    outcomes = send(provider, "13800000001", magic("0007"))

    assert outcomes == [Outcome.UNKNOWN] * 2
    assert sandbox.numbers() == ["13800000001", magic("0007")]
    assert [answer.outcome for answer in provider.query(asked("ref-13800000001"))] == [Outcome.TAKEN]


def test_a_repeated_call_gets_the_first_answer_and_no_second_line(sandbox):
    provider = provider_of(sandbox)
    first = provider.send(batch("13800000001", magic("0004")), call_reference="call-1")

    again = provider.send(batch("13800000001", magic("0004")), call_reference="call-1")

    assert again == first
    assert sandbox.numbers() == ["13800000001"]


def test_a_call_reference_used_for_other_messages_is_refused(sandbox):
    provider = provider_of(sandbox)
    send(provider, "13800000001")

    (answer,) = provider.send(batch("13800000002"), call_reference="call-1")

    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "call_reference_reused")
    assert sandbox.numbers() == ["13800000001"]


def test_without_idempotence_a_repeated_call_is_sent_twice(start):
    sandbox = start("--not-idempotent")
    provider = provider_of(sandbox)

    send(provider, "13800000001")
    send(provider, "13800000001")

    assert sandbox.numbers() == ["13800000001"] * 2


def test_many_threads_lose_and_double_nothing(sandbox):
    provider = provider_of(sandbox)
    numbers = [f"1380000{number:04d}" for number in range(2000)]

    def work(part: int) -> None:
        for start in range(part * 250, part * 250 + 250, 50):
            send(provider, *numbers[start : start + 50], call=f"call-{start}")

    threads = [threading.Thread(target=work, args=(part,)) for part in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(sandbox.numbers()) == numbers


@pytest.mark.parametrize(
    ("fault", "outcome", "accepted"),
    [
        ("down", Outcome.UNKNOWN, 0),
        ("drop", Outcome.UNKNOWN, 0),
        ("error_after", Outcome.UNKNOWN, 1),
        ("drop_after", Outcome.UNKNOWN, 1),
        ("throttled", Outcome.REFUSED_LATER, 0),
        ("no_balance", Outcome.REFUSED_ACCOUNT, 0),
        ("bad_key", Outcome.REFUSED_ACCOUNT, 0),
        ("content_refused", Outcome.REFUSED_CONTENT, 0),
    ],
)
def test_every_call_can_be_made_to_fail(lasting, fault, outcome, accepted):
    lasting.set(fault=fault)

    answers = send(provider_of(lasting, account=fault), "13800000001", call=fault)

    lasting.set(fault="")
    assert answers == [outcome]
    assert lasting.get(f"/ledger.json?account={fault}")["count"] == accepted


def test_a_rotated_key_refuses_the_old_one(sandbox):
    sandbox.set(api_key="new")

    assert send(provider_of(sandbox, api_key="old"), "13800000001") == [Outcome.REFUSED_ACCOUNT]
    assert send(provider_of(sandbox, api_key="new"), "13800000001") == [Outcome.TAKEN]
    assert "new" not in json.dumps(sandbox.get("/settings"))


def test_a_slow_answer_is_unknown_and_still_accepted(sandbox):
    sandbox.set(latency_ms=2000)

    assert send(provider_of(sandbox, read=0.3), "13800000001") == [Outcome.UNKNOWN]
    assert sandbox.numbers() == ["13800000001"]


# Reading ----------------------------------------------------------------------------------------


def test_a_query_tells_what_became_of_messages(sandbox):
    provider = provider_of(sandbox)
    send(provider, "13800000001", magic("0002"), magic("0003"))

    found = provider.query(asked("ref-13800000001", f"ref-{magic('0002')}", f"ref-{magic('0003')}", 'never "sent"'))

    assert [answer.delivered for answer in found[:3]] == [True, False, None]
    assert isinstance(found[0], Answer)
    assert found[3] == NotFound('never "sent"')


def test_the_ledger_is_read_page_by_page_and_by_account(sandbox):
    provider = provider_of(sandbox)
    send(provider, *(f"1380000{number:04d}" for number in range(5)))
    other = {"call_reference": "x", "account": 'an "other", "account"', "messages": [vars_of(batch("13900000001")[0])]}
    sandbox.call("POST", "/send", other)

    page = sandbox.get("/ledger.json?after=3&limit=2")
    own = sandbox.get("/ledger.json?account=main&after=1&limit=3")
    theirs = sandbox.get("/ledger.json?account=an+%22other%22,+%22account%22")
    beyond = sandbox.get("/ledger.json?after=99")

    assert [message["number"][-1] for message in page["messages"]] == ["3", "4"]
    assert (page["count"], page["next"]) == (6, 5)
    assert [message["number"][-1] for message in own["messages"]] == ["1", "2", "3"]
    assert (own["count"], own["next"]) == (5, 4)
    assert (theirs["count"], len(theirs["messages"])) == (1, 1)
    assert (beyond["messages"], beyond["next"]) == ([], 99)


@pytest.mark.parametrize(
    ("language", "words", "tag"),
    [
        ("en-GB,en;q=0.9", "Sandbox gateway", '<html lang="en">'),
        ("zh-CN,zh;q=0.9,en;q=0.8", "", '<html lang="zh-Hans">'),
        ("", "", '<html lang="zh-Hans">'),
    ],
)
def test_people_read_the_ledger_in_their_language(lasting, language, words, tag):
    text = "<script>alert(1)</script>{{7*7}}"
    message = {"reference": "r", "number": "13800000001", "text": text}
    lasting.call("POST", "/send", {"call_reference": "page", "account": "page", "messages": [message]})

    status, page = lasting.call("GET", "/?account=page", Accept_Language=language)

    assert status == 200
    assert tag in page
    assert words in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{7*7}}" in page
    assert "<script" not in page
    assert "width=device-width" in page


def test_health_tells_what_was_accepted(sandbox):
    send(provider_of(sandbox), "13800000001")

    assert sandbox.get("/healthz") == {"status": "ok", "accepted": 1, "receipts_waiting": 0}


def test_a_page_of_a_stranger_cannot_read_the_ledger_through_a_name_of_its_own(sandbox):
    status, _text = sandbox.call("GET", "/ledger.json", Host="rebinding.example.com")

    assert status == 421


# Bad input --------------------------------------------------------------------------------------

GOOD = {"reference": "r", "number": "13800000001", "text": "x"}


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[" * 100_000, 400),
        (b"\xff\xfe", 400),
        (b"[]", 400),
        ({}, 400),
        ({"call_reference": "", "messages": [GOOD]}, 400),
        ({"call_reference": "c" * 201, "messages": [GOOD]}, 400),
        ({"call_reference": "c", "messages": []}, 400),
        ({"call_reference": "c", "messages": [GOOD, 7]}, 400),
        ({"call_reference": "c", "messages": [GOOD | {"number": 13800000001}]}, 400),
        ({"call_reference": "c", "messages": [{"reference": "r"}]}, 400),
        ({"call_reference": "c", "messages": [GOOD, GOOD]}, 400),
        ({"call_reference": "c", "account": 7, "messages": [GOOD]}, 400),
        ({"call_reference": "c", "messages": [GOOD | {"reference": str(n)} for n in range(1001)]}, 413),
    ],
)
def test_a_malformed_call_is_refused_whole(lasting, content, status):
    before = lasting.get("/healthz")["accepted"]

    answered, text = lasting.call("POST", "/send", content)

    assert answered == status
    assert json.loads(text)["words"].endswith(".")
    assert lasting.get("/healthz")["accepted"] == before


@pytest.mark.parametrize(
    "changes", [{"latency": 1}, {"latency_ms": -1}, {"latency_ms": "1"}, {"latency_ms": True}, {"fault": "x"}, [], 7]
)
def test_a_wrong_setting_changes_nothing(lasting, changes):
    before = lasting.get("/settings")

    status, text = lasting.call("POST", "/settings", changes)

    assert status == 400
    assert json.loads(text)["code"] == "bad_setting"
    assert lasting.get("/settings") == before


def test_a_web_page_cannot_change_the_settings_unasked(lasting):
    status, _text = lasting.call("POST", "/settings", {"fault": "down"}, Content_Type="text/plain")

    assert status == 415
    assert lasting.get("/settings")["fault"] == ""


def test_unknown_addresses_say_where_the_protocol_is(lasting):
    assert lasting.call("GET", "/nowhere")[0] == 404
    assert lasting.call("POST", "/nowhere", {})[0] == 404
    assert lasting.call("GET", "/ledger.json?after=x")[0] == 400


def test_half_characters_in_a_text_do_no_harm(sandbox):
    message = b'{"reference": "r", "number": "13800000001", "text": "a\\ud800\\u0000b"}'
    body = b'{"call_reference": "c", "messages": [' + message + b"]}"

    assert sandbox.call("POST", "/send", body)[0] == 200
    assert sandbox.get("/ledger.json")["messages"][0]["text"] == "a?\x00b"
