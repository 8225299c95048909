"""What the generic gateway adapter makes of answers: taken, refused in four ways, or unknown."""

import json
import socket
import time

import pytest
from scripted_server import answer_json, http

from notifications.providers.base import Answer, NotFound, Outcome, Outgoing, spoken
from notifications.providers.generic_http import GatewaySettings, GenericHttp
from tests.gateway import asked

LI_NA = Outgoing("ref-li-na", "13800000001", "李娜，中秋快乐")
WANG_WEI = Outgoing("ref-wang-wei", "13800000002", "王伟，中秋快乐")
BATCH = [LI_NA, WANG_WEI]


def item(outgoing: Outgoing, **changes) -> dict:
    answered = {"reference": outgoing.reference, "number": outgoing.number}
    return answered | {"outcome": "taken", "code": "ok", "id": f"id-{outgoing.reference}"} | changes


def outcomes(answers: list[Answer]) -> list[Outcome]:
    return [answer.outcome for answer in answers]


def test_a_batch_goes_out_as_the_protocol_says(gateway):
    provider = gateway(answer_json({"messages": []}), callback_url="https://shop.example.com/callbacks/t0ken/")

    provider.send(BATCH, call_reference="call-7")

    head, _, body = provider.server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /send HTTP/1.1\r\n")
    assert b"Authorization: Bearer secret" in head
    assert b"Content-Type: application/json" in head
    assert json.loads(body) == {
        "call_reference": "call-7",
        "account": "main",
        "callback_url": "https://shop.example.com/callbacks/t0ken/",
        "messages": [
            {"reference": "ref-li-na", "number": "13800000001", "text": "李娜，中秋快乐"},
            {"reference": "ref-wang-wei", "number": "13800000002", "text": "王伟，中秋快乐"},
        ],
    }


def test_taken_messages_carry_the_id_of_the_gateway(gateway):
    provider = gateway(answer_json({"code": "ok", "messages": [item(LI_NA), item(WANG_WEI)]}))

    answers = provider.send(BATCH, call_reference="call-1")

    assert answers == [
        Answer("ref-li-na", Outcome.TAKEN, "id-ref-li-na", "ok", ""),
        Answer("ref-wang-wei", Outcome.TAKEN, "id-ref-wang-wei", "ok", ""),
    ]


def test_an_id_beyond_53_bits_is_kept_to_the_digit(gateway):
    provider = gateway(answer_json({"messages": [item(LI_NA, id=9007199254740993)]}))

    assert provider.send([LI_NA], call_reference="call-1")[0].provider_id == "9007199254740993"


def test_an_answer_in_another_order_is_matched_by_reference(gateway):
    provider = gateway(
        answer_json({"messages": [item(WANG_WEI, outcome="refused_number", code="invalid_number"), item(LI_NA)]})
    )

    answers = provider.send(BATCH, call_reference="call-1")

    assert outcomes(answers) == [Outcome.TAKEN, Outcome.REFUSED_NUMBER]


def test_a_message_that_the_answer_leaves_out_is_unknown(gateway):
    provider = gateway(answer_json({"messages": [item(WANG_WEI)]}))

    assert outcomes(provider.send(BATCH, call_reference="call-1")) == [Outcome.UNKNOWN, Outcome.TAKEN]


def test_answers_about_strangers_are_ignored(gateway):
    stranger = Outgoing("ref-stranger", "13800000009", "")
    provider = gateway(answer_json({"messages": [item(stranger), item(LI_NA), None, 7, item(WANG_WEI)]}))

    assert outcomes(provider.send(BATCH, call_reference="call-1")) == [Outcome.TAKEN, Outcome.TAKEN]


def test_an_answer_about_another_number_is_unknown(gateway):
    provider = gateway(answer_json({"messages": [item(LI_NA, number="13800000002"), item(WANG_WEI)]}))

    assert outcomes(provider.send(BATCH, call_reference="call-1")) == [Outcome.UNKNOWN, Outcome.TAKEN]


def test_a_number_with_country_code_is_the_same_number(gateway):
    provider = gateway(answer_json({"messages": [item(LI_NA, number="+8613800000001")]}))

    assert outcomes(provider.send([LI_NA], call_reference="call-1")) == [Outcome.TAKEN]


def test_two_answers_that_contradict_each_other_are_unknown(gateway):
    provider = gateway(
        answer_json({"messages": [item(LI_NA), item(LI_NA, outcome="refused_number", code="invalid_number")]})
    )

    assert outcomes(provider.send([LI_NA], call_reference="call-1")) == [Outcome.UNKNOWN]


def test_the_same_answer_twice_is_one_answer(gateway):
    provider = gateway(answer_json({"messages": [item(LI_NA), item(LI_NA)]}))

    assert outcomes(provider.send([LI_NA], call_reference="call-1")) == [Outcome.TAKEN]


def test_an_answer_to_another_call_is_unknown(gateway):
    provider = gateway(answer_json({"call_reference": "call-2", "messages": [item(LI_NA)]}))

    assert outcomes(provider.send([LI_NA], call_reference="call-1")) == [Outcome.UNKNOWN]


@pytest.mark.parametrize(
    ("answered", "outcome"),
    [
        ({"code": "invalid_number", "outcome": "refused_number"}, Outcome.REFUSED_NUMBER),
        ({"code": "content_refused", "outcome": "refused_content"}, Outcome.REFUSED_CONTENT),
        ({"code": "no_balance", "outcome": "refused_account"}, Outcome.REFUSED_ACCOUNT),
        ({"code": "throttled", "outcome": "refused_later"}, Outcome.REFUSED_LATER),
        ({"code": "throttled", "outcome": None}, Outcome.REFUSED_LATER),
        ({"code": "ok", "outcome": "refused_number"}, Outcome.UNKNOWN),
        ({"code": "invalid_number", "outcome": "taken"}, Outcome.UNKNOWN),
        ({"code": "queued", "outcome": "taken"}, Outcome.TAKEN),
        ({"code": None, "outcome": "refused_later"}, Outcome.REFUSED_LATER),
        ({"code": ["ok"], "outcome": {"taken": 1}}, Outcome.UNKNOWN),
        ({"code": "", "outcome": ""}, Outcome.UNKNOWN),
    ],
)
def test_a_code_decides_its_class(gateway, answered, outcome):
    provider = gateway(answer_json({"messages": [item(LI_NA, **answered)]}))

    assert outcomes(provider.send([LI_NA], call_reference="call-1")) == [outcome]


def test_an_unknown_code_stays_in_its_class_and_is_named(gateway):
    answered = item(LI_NA, outcome="refused_number", code="E-17", words="空号\x00\n")
    provider = gateway(answer_json({"messages": [answered]}))

    (answer,) = provider.send([LI_NA], call_reference="call-1")

    assert answer == Answer("ref-li-na", Outcome.REFUSED_NUMBER, "id-ref-li-na", "E-17", "unknown code E-17: 空号")


def test_an_unknown_code_without_a_class_is_unknown(gateway):
    provider = gateway(answer_json({"messages": [item(LI_NA, outcome=None, code=-99)]}))

    (answer,) = provider.send([LI_NA], call_reference="call-1")

    assert (answer.outcome, answer.words) == (Outcome.UNKNOWN, "unknown code -99")


def test_words_about_an_unknown_code_are_spoken_in_the_readers_language():
    chinese = {"unknown code %s": "未知代码 %s", "Not a valid number": "号码无效"}

    assert spoken("unknown code E-17: 100%", gettext=chinese.get) == "未知代码 E-17: 100%"
    assert spoken("Not a valid number", gettext=chinese.get) == "号码无效"
    assert spoken("", gettext=chinese.get) == ""


@pytest.mark.parametrize(
    ("status", "content", "outcome"),
    [
        ("401 Unauthorized", {"code": "bad_key", "outcome": "refused_account"}, Outcome.REFUSED_ACCOUNT),
        ("402 Payment Required", {"code": "no_balance", "outcome": "refused_account"}, Outcome.REFUSED_ACCOUNT),
        ("422 Unprocessable", {"code": "content_refused"}, Outcome.REFUSED_CONTENT),
        ("429 Too Many Requests", {"code": "throttled"}, Outcome.REFUSED_LATER),
        ("429 Too Many Requests", "slow down", Outcome.REFUSED_LATER),
        ("403 Forbidden", None, Outcome.REFUSED_ACCOUNT),
        ("404 Not Found", {"code": 404}, Outcome.REFUSED_ACCOUNT),
        ("400 Bad Request", {"code": "E-1", "outcome": "refused_content"}, Outcome.REFUSED_CONTENT),
        ("400 Bad Request", {"error": "?"}, Outcome.UNKNOWN),
        ("400 Bad Request", {"code": "ok"}, Outcome.UNKNOWN),
        ("409 Conflict", {"code": "call_reference_reused", "outcome": "unknown"}, Outcome.UNKNOWN),
        ("500 Internal Server Error", {"code": "throttled"}, Outcome.UNKNOWN),
        ("502 Bad Gateway", "<html>", Outcome.UNKNOWN),
        ("503 Service Unavailable", {"code": "no_balance"}, Outcome.UNKNOWN),
        ("302 Found", {}, Outcome.UNKNOWN),
        ("200 OK", "<html>", Outcome.UNKNOWN),
        ("200 OK", None, Outcome.UNKNOWN),
        ("200 OK", [], Outcome.UNKNOWN),
        ("200 OK", {}, Outcome.UNKNOWN),
        ("200 OK", {"code": "ok"}, Outcome.UNKNOWN),
        ("200 OK", {"code": "ok", "messages": "all"}, Outcome.UNKNOWN),
        ("200 OK", {"code": "no_balance", "outcome": "refused_account"}, Outcome.REFUSED_ACCOUNT),
    ],
)
def test_a_whole_call_has_one_class(gateway, status, content, outcome):
    provider = gateway(answer_json(content, status=status))

    assert outcomes(provider.send(BATCH, call_reference="call-1")) == [outcome, outcome]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b"<html>502</html>",
        b'{"messages": [{"reference": "ref',
        b"1" * 5000,
    ],
    ids=["empty", "cut", "not text", "deeply nested", "HTML", "cut later", "huge number"],
)
def test_an_unreadable_answer_is_unknown(scripted, body):
    server = scripted(lambda connection, _request: connection.sendall(http(body)))
    provider = GenericHttp(GatewaySettings(send_url=server.url, private_hosts={"127.0.0.1"}))

    assert outcomes(provider.send(BATCH, call_reference="call-1")) == [Outcome.UNKNOWN] * 2


def test_silence_after_the_request_is_unknown(gateway):
    provider = gateway(lambda *_: time.sleep(2))

    answers = provider.send(BATCH, call_reference="call-1")

    assert [(answer.outcome, answer.code) for answer in answers] == [(Outcome.UNKNOWN, "no_answer_in_time")] * 2


def test_a_gateway_that_is_down_is_tried_again_later():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    provider = GenericHttp(GatewaySettings(send_url=url, private_hosts={"127.0.0.1"}))

    assert outcomes(provider.send(BATCH, call_reference="call-1")) == [Outcome.REFUSED_LATER] * 2


def test_a_private_gateway_that_nobody_listed_pauses_the_account():
    provider = GenericHttp(GatewaySettings(send_url="http://169.254.169.254/latest"))

    answers = provider.send(BATCH, call_reference="call-1")

    assert outcomes(answers) == [Outcome.REFUSED_ACCOUNT] * 2
    assert "GATEWAY_PRIVATE_HOSTS" in answers[0].words


def test_an_empty_batch_makes_no_call(gateway):
    provider = gateway(answer_json({}))

    assert provider.send([], call_reference="call-1") == []
    assert provider.query([]) == []
    assert provider.server.requests == []


def test_a_query_tells_found_from_not_found_from_no_answer(gateway):
    provider = gateway(
        answer_json(
            {
                "messages": [
                    {"reference": "taken", "status": "accepted", "id": "7"},
                    {"reference": "arrived", "status": "delivered", "id": "8"},
                    {"reference": "lost", "status": "undelivered", "code": "absent", "id": "9"},
                    {"reference": "never", "status": "not_found"},
                    {"reference": "odd", "status": "melted"},
                ]
            }
        )
    )

    found = provider.query(asked("taken", "arrived", "lost", "never", "odd", "left-out"))

    assert [answer.delivered for answer in found[:3]] == [None, True, False]
    assert outcomes(found[:3]) == [Outcome.TAKEN] * 3
    assert found[2].words == "The phone was switched off or out of reach"
    assert found[3] == NotFound("never")
    assert outcomes(found[4:]) == [Outcome.UNKNOWN] * 2


@pytest.mark.parametrize(
    "status", ["404 Not Found", "401 Unauthorized", "429 Too Many Requests", "500 Error", "200 OK"]
)
def test_a_query_that_fails_never_means_not_found(gateway, status):
    provider = gateway(answer_json({"error": "?"}, status=status))

    assert outcomes(provider.query(asked("ref-li-na"))) == [Outcome.UNKNOWN]


def test_a_gateway_without_queries_answers_unknown():
    provider = GenericHttp(GatewaySettings(send_url="https://gateway.example.com/"))

    assert outcomes(provider.query(asked("ref-li-na"))) == [Outcome.UNKNOWN]


def test_a_key_cannot_smuggle_in_a_header():
    with pytest.raises(ValueError, match="API key"):
        GenericHttp(GatewaySettings(send_url="https://gateway.example.com/", api_key="x\r\nHost: evil"))


def test_secrets_do_not_show_in_logs():
    settings = GatewaySettings(
        send_url="https://g.example.com/", api_key="k3y", callback_url="https://s.example/t0ken"
    )

    assert "k3y" not in repr(settings)
    assert "t0ken" not in repr(settings)
