"""A shop's own gateway is connected by naming what it calls differently."""

import json

import pytest
from scripted_server import answer_json

from notifications.providers.base import Outcome, Outgoing
from notifications.providers.generic_http import GatewaySettings, GenericHttp
from notifications.providers.mapping import BadMapping

BATCH = [
    Outgoing("ref-li-na", "13800000001", "李娜，中秋快乐"),
    Outgoing("ref-wang-wei", "13800000002", "王伟，中秋快乐"),
]
YUN_MAPPING = {
    "request": {
        "call_reference": "uid", "account": "", "messages": "list", "reference": "sid", "number": "mobile",
        "text": "content", "callback_url": "notify",
    },
    "constants": {"version": 2},
    "answer": {
        "messages": "data.rows", "reference": "", "number": "mobile", "code": "ret", "outcome": "",
        "provider_id": "msg_id", "call_code": "status", "call_outcome": "", "call_words": "desc",
    },
    "codes": {"0": "taken", "4": "refused_number", "88": "refused_account"},
    "receipt": {
        "messages": "reports", "reference": "sid", "number": "mobile", "status": "stat", "code": "err", "at": "time",
        "delivered": ["DELIVRD"], "undelivered": ["UNDELIV", "EXPIRED"],
    },
}  # fmt: skip


def test_a_shops_own_gateway_is_spoken_to_in_its_own_words(gateway):
    rows = [{"mobile": "8613800000002", "ret": 4}, {"mobile": "8613800000001", "ret": 0, "msg_id": 12}]
    provider = gateway(answer_json({"status": 0, "data": {"rows": rows}}), mapping=YUN_MAPPING)

    answers = provider.send(BATCH, call_reference="call-1")

    assert json.loads(provider.server.requests[0].partition(b"\r\n\r\n")[2]) == {
        "version": 2,
        "uid": "call-1",
        "notify": "",
        "list": [
            {"sid": "ref-li-na", "mobile": "13800000001", "content": "李娜，中秋快乐"},
            {"sid": "ref-wang-wei", "mobile": "13800000002", "content": "王伟，中秋快乐"},
        ],
    }
    assert [(answer.outcome, answer.provider_id) for answer in answers] == [
        (Outcome.TAKEN, "12"),
        (Outcome.REFUSED_NUMBER, ""),
    ]


def test_a_shops_own_gateway_refuses_a_whole_call_in_its_own_words(gateway):
    provider = gateway(answer_json({"status": 88, "desc": "余额不足"}), mapping=YUN_MAPPING)

    answers = provider.send(BATCH, call_reference="call-1")

    assert [(answer.outcome, answer.words) for answer in answers] == [(Outcome.REFUSED_ACCOUNT, "余额不足")] * 2


def test_one_answer_for_all_holds_for_all(gateway):
    mapping = {"answer": {"messages": "", "call_code": "code", "call_id": "msgId"}, "codes": {"0": "taken"}}
    provider = gateway(answer_json({"code": "0", "msgId": "77"}), mapping=mapping)

    answers = provider.send(BATCH, call_reference="call-1")

    assert [(answer.outcome, answer.provider_id) for answer in answers] == [(Outcome.TAKEN, "77")] * 2


@pytest.mark.parametrize(
    ("mapping", "place"),
    [
        ("sid", "JSON object"),
        ({"answers": {}}, "answers"),
        ({"answer": {"refrence": "x"}}, "answer.refrence"),
        ({"answer": {"reference": 7}}, "answer.reference"),
        ({"answer": ["reference"]}, "answer"),
        ({"receipt": {"delivered": "DELIVRD"}}, "receipt.delivered"),
        ({"codes": {"0": "success"}}, "success"),
        ({"codes": {"0": ["taken"]}}, "taken"),
        ({"answer": {"reference": "", "number": ""}}, "name one of them"),
    ],
)
def test_a_wrong_mapping_is_refused_with_its_place(mapping, place):
    with pytest.raises(BadMapping, match=place):
        GenericHttp(GatewaySettings(send_url="https://gateway.example.com/", mapping=mapping))


def test_a_shops_own_receipts_are_read_in_its_own_words():
    provider = GenericHttp(GatewaySettings(send_url="https://gateway.example.com/", mapping=YUN_MAPPING))
    rows = [
        {"sid": "ref-li-na", "mobile": "8613800000001", "stat": "DELIVRD", "time": 1790301600},
        {"sid": "ref-wang-wei", "mobile": "8613800000002", "stat": "EXPIRED", "err": "expired"},
        {"sid": "ref-chen-jie", "mobile": "8613800000003", "stat": "ACCEPTD"},
    ]

    reports, problems = provider.read_reports(json.dumps({"reports": rows}).encode())

    assert [(report.reference, report.delivered) for report in reports] == [
        ("ref-li-na", True),
        ("ref-wang-wei", False),
    ]
    assert len(problems) == 1
