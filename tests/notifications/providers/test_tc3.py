"""What Tencent Cloud's own client signs and what we sign is one signature, and a strict server believes no other."""

import json
import time

import pytest
from tencent_cast import MORNING, adapter_for, outcomes, outgoing, people, send
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.http.request import RequestInternal
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.sms.v20210111.models import SendSmsRequest
from tencentcloud.sms.v20210111.sms_client import SmsClient

from notifications.providers import tc3
from notifications.providers.base import Outcome
from notifications.providers.http import HttpClient
from tests.gateways.tencent import APP_ID, KEY_ID, SECRET

HOST = "sms.tencentcloudapi.com"
BODY = (
    b'{"PhoneNumberSet": ["+8613800000001", "+8613800000002"], "SmsSdkAppId": "1400006666", "TemplateId": "1110", '
    b'"SignName": "\\u4e91\\u6749\\u5c0f\\u5e97", "TemplateParamSet": ["\\u5f20\\u4e09", "A001"], '
    b'"SessionContext": "d-42"}'
)
# It takes no other time than that of the machine.
OFFICIAL_CLOCK = time.time
PARAMETERS = {
    "PhoneNumberSet": ["+8613800000001", "+8613800000002"],
    "SmsSdkAppId": APP_ID,
    "TemplateId": "1110",
    "SignName": "云杉小店",
    "TemplateParamSet": ["张三", "A001"],
    "SessionContext": "d-42",
}


class Recorder(HttpClient):
    """Sends as ever, and keeps what was sent; may change it on the way."""

    def __init__(self, *, change=lambda body, headers: (body, headers), **options):
        super().__init__(**options)
        self.change = change

    def post(self, url, *, body, headers, query=""):
        body, headers = self.change(body, dict(headers))
        return super().post(url, body=body, headers=headers, query=query)


def official_client(url: str = f"https://{HOST}", *, secret: str = SECRET) -> SmsClient:
    scheme, _, endpoint = url.partition("://")
    profile = ClientProfile(httpProfile=HttpProfile(protocol=scheme, endpoint=endpoint))
    return SmsClient(Credential(KEY_ID, secret), "ap-guangzhou", profile)


def test_the_example_of_the_document_comes_out_to_the_letter():
    request = tc3.canonical_request(host=HOST, body=BODY)
    to_sign = tc3.string_to_sign(request, timestamp=MORNING, scope="2026-01-15/sms/tc3_request")

    header = tc3.authorization(key_id=KEY_ID, secret=SECRET, host=HOST, body=BODY, timestamp=MORNING)

    assert request.endswith("fdf62aa7ceb194c989f60320d3a6b6a0fe0c82e73eb78b3da25d4b5dcd2c0e3e")
    assert to_sign.endswith("bd45a8a62f7f7e2c8240053cab067996940e4e18c9891aa560d3c7f5cc29c844")
    assert header == (
        "TC3-HMAC-SHA256 Credential=AKIDtestSecretId/2026-01-15/sms/tc3_request, SignedHeaders=content-type;host, "
        "Signature=88bb380f5ffe4f9fae47d2ce1cbf8858b49ffbc7b66a14caddabb4812600c67c"
    )


@pytest.mark.parametrize("secret", ["testSecretKey", "ключ 密钥"])
def test_the_official_client_signs_the_same_call_alike(secret):
    client, request = official_client(secret=secret), RequestInternal(HOST, "POST", "/")

    client._build_req_inter("SendSms", PARAMETERS, request)

    ours = tc3.authorization(
        key_id=KEY_ID,
        secret=secret,
        host=HOST,
        body=request.data.encode(),
        timestamp=int(request.header["X-TC-Timestamp"]),
    )
    assert request.header["Authorization"] == ours


def test_the_date_is_that_of_greenwich():
    just_after_midnight_in_china = 1768406460

    header = tc3.authorization(key_id="k", secret="s", host="h", body=b"", timestamp=just_after_midnight_in_china)

    assert "Credential=k/2026-01-14/sms/tc3_request" in header


def test_the_official_client_and_ours_are_both_let_through(tencent):
    tencent.clock = OFFICIAL_CLOCK
    request = SendSmsRequest()
    request.from_json_string(json.dumps(PARAMETERS))

    theirs = official_client(tencent.url).SendSms(request)
    ours = send(adapter_for(tencent), [outgoing("13800000003", "张三", "A001")])

    assert [row.Code for row in theirs.SendStatusSet] == ["Ok", "Ok"]
    assert outcomes(ours) == [Outcome.TAKEN]
    assert len({entry["text"] for entry in tencent.ledger()}) == 1


def test_the_official_client_with_a_wrong_key_is_refused_like_ours(tencent):
    tencent.clock = OFFICIAL_CLOCK
    request = SendSmsRequest()
    request.from_json_string(json.dumps(PARAMETERS))

    with pytest.raises(TencentCloudSDKException) as refusal:
        official_client(tencent.url, secret="wrong").SendSms(request)

    (ours,) = send(adapter_for(tencent, secret="wrong"), people(1, "张三", "A001"))
    assert refusal.value.code == ours.code == "AuthFailure.SignatureFailure"


@pytest.mark.parametrize(
    "change",
    [
        lambda body, headers: (body.replace(b"13800000001", b"13800000009"), headers),
        lambda body, headers: (body + b" ", headers),
        lambda body, headers: (body, headers | {"Host": "sms.tencentcloudapi.com"}),
        lambda body, headers: (body, headers | {"Content-Type": "application/json; charset=utf-8"}),
        lambda body, headers: (body, headers | {"X-TC-Timestamp": str(int(headers["X-TC-Timestamp"]) + 1)}),
        lambda body, headers: (
            body,
            headers | {"Authorization": headers["Authorization"].replace("/2026-01-15/", "/2026-01-14/")},
        ),
    ],
    ids=["a digit", "a space", "the host", "the type", "the second", "the date"],
)
def test_one_changed_byte_is_noticed_and_nothing_goes_out(tencent, change):
    provider = adapter_for(tencent)
    provider.api.client = Recorder(change=change, private_hosts={tencent.host})

    (answer,) = send(provider, people(1, "张三", "A001"))

    assert (answer.outcome, answer.code) == (Outcome.REFUSED_ACCOUNT, "AuthFailure.SignatureFailure")
    assert tencent.ledger() == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"secret": "testSecretKeY"}, "AuthFailure.SignatureFailure"),
        ({"key_id": "AKIDstranger"}, "AuthFailure.SecretIdNotFound"),
        ({"clock": lambda: MORNING - 301}, "AuthFailure.SignatureExpire"),
        ({"clock": lambda: MORNING + 301}, "AuthFailure.SignatureExpire"),
        ({"region": "ap-mars"}, "UnsupportedRegion"),
        ({"app_id": "1400000000"}, "InvalidParameterValue.SdkAppIdNotExist"),
    ],
    ids=["secret", "key", "slow clock", "fast clock", "region", "application"],
)
def test_a_wrong_setting_costs_one_call_and_is_told_in_a_sentence(tencent, changes, code):
    batch = [outgoing(f"1380000000{place}", "张三", f"A{place}") for place in range(5)]

    answers = send(adapter_for(tencent, **changes), batch)

    assert tencent.calls["SendSms"] == 1
    assert (answers[0].outcome, answers[0].code) == (Outcome.REFUSED_ACCOUNT, code)
    assert not answers[0].words.startswith("unknown code")
    assert [answer.code for answer in answers[1:]] == ["not_called"] * 4
    assert tencent.ledger() == []


@pytest.mark.parametrize("seconds", [-299, 0, 299])
def test_a_clock_within_five_minutes_is_good_enough(tencent, seconds):
    provider = adapter_for(tencent, clock=lambda: MORNING + seconds)

    assert outcomes(send(provider, people(1, "张三", "A001"))) == [Outcome.TAKEN]
