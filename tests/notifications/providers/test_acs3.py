"""The signature of Alibaba Cloud: the documents' vectors, the official client, and a server that believes nothing."""

import hashlib
import re
from datetime import datetime
from urllib.parse import parse_qsl

import pytest
from alibabacloud_dysmsapi20170525.client import Client
from alibabacloud_dysmsapi20170525.models import QuerySendDetailsRequest, SendBatchSmsRequest, SendSmsRequest
from alibabacloud_tea_openapi.models import Config

from notifications.providers.acs3 import (
    AccessKey,
    authorization,
    encode,
    encode_in_form,
    query_of,
    sign,
    string_to_sign,
)
from tests.gateways.acs3_check import Refused, verify
from tests.gateways.aliyun import Answered, composed
from tests.gateways.server import GatewayServer, Reply, Request

KEY = AccessKey("LTAItestKeyId", "testKeySecret")
HOST = "dysmsapi.aliyuncs.com"
DATE, NONCE = "2026-01-15T02:03:04Z", "0123456789abcdef0123456789abcdef"
# 2026-01-15T02:03:04Z in seconds since 1970.
NOW = 1_768_442_584

SEND = {
    "PhoneNumbers": "13800000001,13800000002",
    "SignName": "云杉小店",
    "TemplateCode": "SMS_100000001",
    "TemplateParam": '{"name":"张三","order":"A 001*~/+"}',
    "OutId": "d-42",
}
ARRAYS = {
    "PhoneNumberJson": '["13800000001","13800000002"]',
    "SignNameJson": '["云杉小店","云杉小店"]',
    "TemplateParamJson": '[{"name":"张三"},{"name":"李 四"}]',
}


def signed(action: str, parameters: dict[str, str], body: bytes = b"", **changes):
    values = {"host": HOST, "version": "2017-05-25", "date": DATE, "nonce": NONCE}
    return sign(KEY, action=action, query=query_of(parameters), body=body, **(values | changes))


def signature(call) -> str:
    return call.headers["Authorization"].rpartition("Signature=")[2]


def form(fields: dict[str, str]) -> bytes:
    return "&".join(f"{name}={encode_in_form(value)}" for name, value in fields.items()).encode()


def test_the_example_of_the_documents_is_signed_as_printed_there():
    parameters = {
        "ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd",
        "RegionId": "cn-shanghai",
    }

    call = sign(
        AccessKey("YourAccessKeyId", "YourAccessKeySecret"),
        host="ecs.cn-shanghai.aliyuncs.com",
        action="RunInstances",
        version="2014-05-26",
        date="2023-10-26T10:22:32Z",
        nonce="3156853299f313e23d1673dc12e1703d",
        query=query_of(parameters),
    )

    unsigned = {name: value for name, value in call.headers.items() if name != "Authorization"}
    assert string_to_sign(unsigned, call.query).endswith(
        "7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259"
    )
    assert signature(call) == "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"


def test_a_call_with_equal_texts_carries_the_known_signature():
    call = signed("SendSms", SEND)

    assert call.body == b""
    assert signature(call) == "72c43881e614c17c5b41c91489e456e12b62e3edc0f5f5c802b03d6e401857d0"


def test_a_call_with_personal_texts_carries_the_known_signature():
    call = signed("SendBatchSms", {"OutId": "d-43", "TemplateCode": "SMS_100000001"}, form(ARRAYS))

    assert hashlib.sha256(call.body).hexdigest() == "c0d83dbb37346ce6897fc9d39d2cd141a99dc88d394cdfc6ca83e8d7527445c8"
    assert signature(call) == "647426245fa286e6e561755ef8add67af16d984b5da75f763bf1332f2aa4da5c"


def test_a_question_carries_the_known_signature():
    call = signed(
        "QuerySendDetails",
        {
            "BizId": "900000000000000001^0",
            "CurrentPage": "1",
            "PageSize": "10",
            "PhoneNumber": "13800000001",
            "SendDate": "20260115",
        },
    )

    assert signature(call) == "39684e61c289feb48af0b0c332b9738cfcf29100b459004f486173445e9ac214"


@pytest.mark.parametrize(
    ("text", "in_query", "in_form"),
    [
        ("a b", "a%20b", "a+b"),
        ("*~/+", "%2A~%2F%2B", "%2A~%2F%2B"),
        ("张", "%E5%BC%A0", "%E5%BC%A0"),
        ("\ud800", "%3F", "%3F"),
        ("", "", ""),
    ],
)
def test_values_are_encoded_as_the_signature_wants_them(text, in_query, in_form):
    assert encode(text) == in_query
    assert encode_in_form(text) == in_form


# The official client


@pytest.fixture
def overheard():
    """What the official client sends, and that client."""
    heard: list[Request] = []

    def answer(request: Request) -> Reply:
        heard.append(request)
        return Reply(200, b'{"Code":"OK","Message":"OK","BizId":"9^0","RequestId":"R"}')

    server = GatewayServer(answer)
    server.start()
    client = Client(
        Config(
            access_key_id=KEY.id,
            access_key_secret=KEY.secret,
            endpoint=server.host,
            protocol="http",
            region_id="cn-hangzhou",
        )
    )
    yield client, heard
    server.stop()


def ours_for(theirs: Request, action: str, parameters: dict[str, str], body: bytes = b"") -> str:
    """What proves our call, with the date and the nonce of theirs, and the further headers that they sign."""
    call = signed(
        action,
        parameters,
        body,
        host=theirs.headers["host"],
        date=theirs.headers["x-acs-date"],
        nonce=theirs.headers["x-acs-signature-nonce"],
    )
    names = re.search("SignedHeaders=([^,]+)", theirs.headers["authorization"])[1].split(";")
    assert set(names) >= {name for name in call.headers if name != "Authorization"}
    assert (parse_qsl(call.query), call.body) == (parse_qsl(theirs.query), theirs.body)
    return authorization(KEY, {name: call.headers.get(name, theirs.headers[name]) for name in names}, call.query)


def test_the_official_client_signs_equal_texts_as_we_do(overheard):
    client, heard = overheard

    client.send_sms(
        SendSmsRequest(
            phone_numbers=SEND["PhoneNumbers"],
            sign_name=SEND["SignName"],
            template_code=SEND["TemplateCode"],
            template_param=SEND["TemplateParam"],
            out_id=SEND["OutId"],
        )
    )

    assert ours_for(heard[0], "SendSms", SEND) == heard[0].headers["authorization"]


def test_the_official_client_signs_personal_texts_as_we_do(overheard):
    client, heard = overheard

    client.send_batch_sms(
        SendBatchSmsRequest(
            out_id="d-43",
            template_code="SMS_100000001",
            phone_number_json=ARRAYS["PhoneNumberJson"],
            sign_name_json=ARRAYS["SignNameJson"],
            template_param_json=ARRAYS["TemplateParamJson"],
        )
    )

    assert (
        ours_for(heard[0], "SendBatchSms", {"OutId": "d-43", "TemplateCode": "SMS_100000001"}, form(ARRAYS))
        == heard[0].headers["authorization"]
    )


def test_the_official_client_signs_questions_as_we_do(overheard):
    client, heard = overheard

    client.query_send_details(
        QuerySendDetailsRequest(phone_number="13800000001", send_date="20260115", page_size=10, current_page=1)
    )

    parameters = {"PhoneNumber": "13800000001", "SendDate": "20260115", "PageSize": "10", "CurrentPage": "1"}
    assert ours_for(heard[0], "QuerySendDetails", parameters) == heard[0].headers["authorization"]


def test_the_strict_server_lets_the_official_client_through(overheard):
    client, heard = overheard

    client.send_sms(SendSmsRequest(phone_numbers="13800000001", sign_name="云杉 小店", template_code="SMS_1"))

    verify(heard[0], secrets={KEY.id: KEY.secret}, now=signed_at(heard[0]), nonces=set())


def signed_at(request: Request) -> float:
    """When a call was signed, by its own account."""
    return datetime.fromisoformat(request.headers["x-acs-date"]).timestamp()


# The strict server


def as_sent(call, *, target: str = "", body: bytes | None = None, **headers: str) -> Request:
    """A signed call as the server gets it, with changes."""
    sent = {name.lower(): value for name, value in call.headers.items()}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("POST", target or f"/?{call.query}", sent, call.body if body is None else body)


def refusal(request: Request, *, secret: str = KEY.secret, now: float = NOW, nonces: set[str] | None = None) -> str:
    """The code with which the strict server refuses a call; "" where it lets it through."""
    try:
        verify(request, secrets={KEY.id: secret}, now=now, nonces=set() if nonces is None else nonces)
    except Refused as trouble:
        return trouble.code
    return ""


def test_the_strict_server_lets_our_calls_through():
    calls = [signed("SendSms", SEND), signed("SendBatchSms", {"OutId": "d-43"}, form(ARRAYS))]

    assert [refusal(as_sent(call)) for call in calls] == ["", ""]


def test_one_changed_byte_anywhere_is_refused():
    call = signed("SendBatchSms", {"OutId": "d-43", "TemplateCode": "SMS_1"}, form(ARRAYS))
    changed = [as_sent(call, body=spoilt(call.body, place)) for place in range(0, len(call.body), 7)]
    changed += [as_sent(call, target=f"/?{spoilt(call.query.encode(), place).decode()}") for place in (0, 9, 20)]
    changed += [
        as_sent(call, x_acs_action="SendSms"),
        as_sent(call, x_acs_version="2017-05-26"),
        as_sent(call, x_acs_date="2026-01-15T02:03:05Z"),
        as_sent(call, x_acs_signature_nonce="f" * 32),
        as_sent(call, x_acs_extra="not signed"),
        as_sent(call, content_type="application/json"),
        as_sent(call, host="elsewhere.example.com"),
    ]

    assert {refusal(request) for request in changed} == {"SignatureDoesNotMatch"}


def spoilt(text: bytes, place: int) -> bytes:
    return text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :]


def test_a_wrong_secret_a_wrong_key_and_a_wrong_clock_are_told_apart():
    call = as_sent(signed("SendSms", SEND))

    assert refusal(call, secret="another") == "SignatureDoesNotMatch"
    assert refusal(as_sent(sign_with_another_key())) == "InvalidAccessKeyId.NotFound"
    assert [refusal(call, now=NOW + shift) for shift in (899, -899)] == ["", ""]
    assert {refusal(call, now=NOW + shift) for shift in (901, -901)} == {"InvalidTimeStamp.Expired"}


def sign_with_another_key():
    return sign(
        AccessKey("LTAIanother", KEY.secret),
        host=HOST,
        action="SendSms",
        version="2017-05-25",
        date=DATE,
        nonce=NONCE,
        query=query_of(SEND),
    )


def test_a_nonce_is_taken_once():
    nonces: set[str] = set()
    call = as_sent(signed("SendSms", SEND))

    assert [refusal(call, nonces=nonces) for _time in range(2)] == ["", "SignatureNonceUsed"]


def test_the_server_composes_as_the_registered_text_says():
    assert composed("亲爱的${name}，生日快乐", {"name": "李娜"}) == "亲爱的李娜，生日快乐"
    with pytest.raises(Answered, match="name"):
        composed("亲爱的${name}", {})
