"""What Tencent Cloud takes, refuses and leaves in doubt is told of each message, and nothing is called in vain."""

import json

import pytest
from scripted_server import QUICK, answer_json, http
from tencent_cast import TEMPLATE, adapter_for, outcomes, outgoing, people, send

from notifications.providers.base import Answer, Outcome, RegisteredText
from notifications.providers.closing import Closing
from notifications.providers.http import Limits
from notifications.providers.tencent_api import TencentSettings
from notifications.providers.tencent_codes import CODES
from notifications.providers.tencent_sms import TencentSms
from tests.gateways.tencent import APP_ID, KEY_ID, SECRET, Tencent

LI_NA, WANG_WEI, ZHANG_MIN = "13800000001", "13800000002", "13800000003"
EVERYBODY = [LI_NA, WANG_WEI, ZHANG_MIN]
EQUAL = [outgoing(number, "您", "A1") for number in EVERYBODY]


@pytest.fixture
def provider(tencent) -> TencentSms:
    return adapter_for(tencent)


def scripted_provider(server, **changes) -> TencentSms:
    """An adapter whose gateway is a script."""
    settings = {"key_id": KEY_ID, "secret": SECRET, "app_id": APP_ID, "url": f"http://{server.host}"}
    return TencentSms(TencentSettings(**(settings | changes), private_hosts={server.host}, limits=QUICK))


def numbers_of(tencent: Tencent) -> list[str]:
    return [entry["number"] for entry in tencent.ledger()]


def test_equal_texts_go_out_in_one_call_and_read_as_staff_saw_them(tencent, provider):
    answers = send(provider, EQUAL)

    assert tencent.calls["SendSms"] == 1
    assert outcomes(answers) == [Outcome.TAKEN] * 3
    assert {answer.provider_id for answer in answers} == {entry["serial"] for entry in tencent.ledger()}
    assert {entry["text"] for entry in tencent.ledger()} == {"【云杉小店】您，您好，订单A1已发货。"}
    assert {entry["session"] for entry in tencent.ledger()} == {"d-42"}


def test_a_call_says_what_the_document_asks_for(scripted):
    server = scripted(answer_json({"Response": {"SendStatusSet": []}}))

    send(scripted_provider(server), [outgoing(LI_NA, "李娜", "A1")])

    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST / HTTP/1.1"
    assert f"Host: {server.host}" in lines
    assert {"X-TC-Action: SendSms", "X-TC-Version: 2021-01-11", "X-TC-Region: ap-guangzhou"} <= set(lines)
    assert json.loads(body) == {
        "PhoneNumberSet": ["+8613800000001"],
        "SmsSdkAppId": "1400006666",
        "TemplateId": "1110",
        "SignName": "云杉小店",
        "TemplateParamSet": ["李娜", "A1"],
        "SessionContext": "d-42",
    }


def test_personal_texts_are_grouped_and_answered_in_the_order_of_the_batch(tencent, provider):
    batch = [
        outgoing(LI_NA, "李娜", "A1"),
        outgoing(WANG_WEI, "王伟", "A2"),
        outgoing(ZHANG_MIN, "李娜", "A1"),
    ]

    answers = send(provider, batch)

    assert tencent.calls["SendSms"] == 2
    assert [entry["number"] for entry in tencent.ledger()] == [LI_NA, ZHANG_MIN, WANG_WEI]
    assert [answer.reference for answer in answers] == [message.reference for message in batch]
    serials = {entry["number"]: entry["serial"] for entry in tencent.ledger()}
    assert [answer.provider_id for answer in answers] == [serials[number] for number in EVERYBODY]


def test_more_than_200_numbers_are_several_calls(tencent, provider):
    answers = send(provider, people(450, "您", "A1"))

    assert tencent.calls["SendSms"] == 3
    assert outcomes(answers) == [Outcome.TAKEN] * 450
    assert len(set(numbers_of(tencent))) == 450


def test_an_account_never_puts_more_than_200_numbers_into_a_call(tencent):
    provider = adapter_for(tencent, batch_size=1000)

    assert provider.batch_size == 200
    assert outcomes(send(provider, people(201, "您", "A1"))) == [Outcome.TAKEN] * 201


def test_two_customers_of_one_number_are_told_apart(tencent, provider):
    batch = [outgoing(LI_NA, "您", "A1"), outgoing(LI_NA, "您", "A1")]

    answers = send(provider, batch)

    assert tencent.calls["SendSms"] == 2
    assert len({answer.provider_id for answer in answers}) == 2


def test_a_text_without_parameters_is_sent(tencent, provider):
    tencent.register("7", "今日全场八折，拒收请回复R")

    answers = provider.send(
        [outgoing(LI_NA)], call_reference="d-1", registered=RegisteredText("7", TEMPLATE.signature)
    )

    assert outcomes(answers) == [Outcome.TAKEN]


def test_a_text_that_is_not_registered_is_not_called(tencent, provider):
    (answer,) = provider.send([outgoing(LI_NA, "您")], call_reference="d-1")

    assert answer.outcome is Outcome.REFUSED_CONTENT
    assert tencent.calls.total() == 0


def test_an_empty_batch_makes_no_call(tencent, provider):
    assert send(provider, []) == []
    assert provider.query([]) == []
    assert tencent.calls.total() == 0


@pytest.mark.parametrize("rows", ["permuted", "alien", "duplicated"])
def test_rows_are_matched_by_number_in_whatever_order_they_come(tencent, provider, rows):
    tencent.script.rows = rows

    answers = send(provider, EQUAL)

    serials = {entry["number"]: entry["serial"] for entry in tencent.ledger()}
    assert [answer.provider_id for answer in answers] == [serials[number] for number in EVERYBODY]


@pytest.mark.parametrize("rows", ["missing", "contradictory"])
def test_a_number_without_a_clear_row_is_unknown_and_the_others_are_not(tencent, provider, rows):
    tencent.script.rows = rows

    answers = send(provider, EQUAL)

    assert outcomes(answers) == [Outcome.UNKNOWN, Outcome.TAKEN, Outcome.TAKEN]
    assert not answers[0].is_for_all


def test_an_answer_to_another_call_is_unknown(scripted):
    row = {"SerialNo": "2640:1", "PhoneNumber": "+8613800000001", "SessionContext": "d-41", "Code": "Ok"}
    server = scripted(answer_json({"Response": {"SendStatusSet": [row]}}))

    assert outcomes(send(scripted_provider(server), EQUAL[:1])) == [Outcome.UNKNOWN]


@pytest.mark.parametrize("number", ["+8613800000001", "008613800000001", "8613800000001", "13800000001"])
def test_a_number_is_recognized_in_every_spelling(scripted, number):
    row = {"SerialNo": "2640:1", "PhoneNumber": number, "Code": "Ok"}
    server = scripted(answer_json({"Response": {"SendStatusSet": [row]}}))

    assert send(scripted_provider(server), EQUAL[:1]) == [
        Answer(f"ref-{LI_NA}", Outcome.TAKEN, "2640:1", "Ok", ""),
    ]


def test_every_known_code_has_its_class_in_a_row_and_as_the_answer_to_a_call(tencent, provider):
    told = {}
    for code in CODES:
        tencent.script.number_codes, tencent.script.code = {LI_NA: code}, ""
        in_a_row, other = send(provider, EQUAL[:2])
        tencent.script.code = code
        (of_the_call,) = send(provider, EQUAL[:1])
        assert (in_a_row.outcome, in_a_row.words) == (of_the_call.outcome, of_the_call.words)
        assert (in_a_row.code, other.outcome) == (code, Outcome.TAKEN)
        told[code] = (in_a_row.outcome, in_a_row.words)

    assert told == CODES


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("AuthFailure.NewSubCode", Outcome.REFUSED_ACCOUNT),
        ("UnauthorizedOperation.NewSubCode", Outcome.REFUSED_ACCOUNT),
        ("RequestLimitExceeded.NewSubCode", Outcome.REFUSED_LATER),
        ("InternalError.NewSubCode", Outcome.UNKNOWN),
        ("FailedOperation.NewSubCode", Outcome.UNKNOWN),
        ("Überraschung", Outcome.UNKNOWN),
    ],
)
def test_an_unknown_code_is_named_and_falls_into_its_family(tencent, provider, code, outcome):
    tencent.script.code = code

    (answer,) = send(provider, EQUAL[:1])

    assert (answer.outcome, answer.code, answer.words) == (outcome, code, f"unknown code {code}: {code}")


def test_codes_that_close_a_number_are_refusals_of_it():
    refusals = {code: Outcome.REFUSED_NUMBER for code in TencentSms.closing_codes if code in CODES}

    assert refusals == {code: CODES[code][0] for code in refusals}
    assert TencentSms.closing_codes["FailedOperation.PhoneNumberInBlacklist"] is Closing.OPTED_OUT


def test_a_limit_of_one_number_puts_off_that_number_alone(tencent, provider):
    tencent.script.number_codes = {WANG_WEI: "LimitExceeded.PhoneNumberDailyLimit"}

    answers = send(provider, EQUAL)

    assert outcomes(answers) == [Outcome.TAKEN, Outcome.REFUSED_LATER, Outcome.TAKEN]
    assert not answers[1].is_for_all


@pytest.mark.parametrize(
    "code", ["FailedOperation.PhoneNumberInBlacklist", "LimitExceeded.PhoneNumberThirtySecondLimit"]
)
def test_one_number_that_spoils_a_call_is_found_and_the_others_go_out(tencent, provider, code):
    tencent.script.number_codes = {"13800000117": code}
    tencent.script.number_codes_spoil_the_call = True

    answers = send(provider, people(200, "您", "A1"))

    assert [answer.code for answer in answers if answer.outcome is not Outcome.TAKEN] == [code]
    assert answers[116].code == code
    assert not answers[116].is_for_all
    assert len(set(numbers_of(tencent))) == len(numbers_of(tencent)) == 199
    assert tencent.calls["SendSms"] < 20


@pytest.mark.parametrize(
    "code",
    [
        "AuthFailure.SignatureFailure",
        "FailedOperation.InsufficientBalanceInSmsPackage",
        "FailedOperation.TemplateUnapprovedOrNotExist",
        "FailedOperation.MarketingSendTimeConstraint",
        "LimitExceeded.AppDailyLimit",
        "RequestLimitExceeded",
    ],
)
@pytest.mark.parametrize("is_in_rows", [True, False])
def test_a_refusal_that_would_meet_every_call_is_asked_for_once(tencent, provider, code, is_in_rows):
    batch = [outgoing(number, "您", f"A{place}") for place, number in enumerate(EVERYBODY)]
    tencent.script.code = "" if is_in_rows else code
    tencent.script.number_codes = dict.fromkeys(EVERYBODY, code)

    answers = send(provider, batch)

    assert tencent.calls["SendSms"] == 1
    assert [answer.code for answer in answers] == [code, "not_called", "not_called"]
    assert outcomes(answers[1:]) == [Outcome.REFUSED_LATER] * 2
    assert all(answer.is_for_all for answer in answers[1:])


def test_values_that_are_refused_stop_nobody_else(tencent, provider):
    batch = [outgoing(LI_NA, "https://evil.example.com", "A1"), outgoing(WANG_WEI, "王伟", "A2")]

    answers = send(provider, batch)

    assert outcomes(answers) == [Outcome.REFUSED_CONTENT, Outcome.TAKEN]
    assert answers[0].code == "InvalidParameterValue.ProhibitedUseUrlInTemplateParameter"


def test_one_name_that_makes_another_text_stops_nobody_else(tencent, provider):
    batch = [outgoing(number, "您", f"A{place}") for place, number in enumerate(EVERYBODY)]
    tencent.script.number_codes = {LI_NA: "FailedOperation.TemplateIncorrectOrUnapproved"}

    assert outcomes(send(provider, batch)) == [Outcome.REFUSED_CONTENT, Outcome.TAKEN, Outcome.TAKEN]


def test_a_text_that_is_refused_twice_running_is_called_no_more(tencent, provider):
    batch = [outgoing(number, "您", f"A{place}") for place, number in enumerate(EVERYBODY)]
    tencent.script.code = "FailedOperation.TemplateIncorrectOrUnapproved"

    answers = send(provider, batch)

    assert outcomes(answers) == [Outcome.REFUSED_CONTENT] * 2 + [Outcome.REFUSED_LATER]
    assert tencent.calls["SendSms"] == 2


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "text/html", "application/xml", ""])
def test_an_answer_is_read_whatever_it_calls_itself(tencent, provider, content_type):
    tencent.script.content_type = content_type

    assert outcomes(send(provider, EQUAL)) == [Outcome.TAKEN] * 3
    tencent.script.code = "AuthFailure.SecretIdNotFound"
    assert outcomes(send(provider, EQUAL)) == [Outcome.REFUSED_ACCOUNT] * 3


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("taken_drop", "answer_broken"),
        ("taken_truncate", "answer_broken"),
        ("taken_drip", "no_answer_in_time"),
        ("taken_html", "unreadable_answer"),
        ("taken_500", "http_500"),
        ("taken_foreign", "unreadable_answer"),
    ],
)
def test_a_lost_answer_leaves_the_call_in_doubt(tencent, fault, code):
    provider = adapter_for(tencent, limits=Limits(connect=1.0, read=0.5, total=0.5))
    tencent.script.fault = fault

    answers = send(provider, EQUAL)

    assert [(answer.outcome, answer.code) for answer in answers] == [(Outcome.UNKNOWN, code)] * 3
    assert len(tencent.ledger()) == 3


def test_after_two_lost_answers_running_the_rest_is_not_risked(tencent, provider):
    batch = [outgoing(str(13_800_000_001 + place), "您", f"A{place}") for place in range(10)]
    tencent.script.fault = "taken_500"

    answers = send(provider, batch)

    assert outcomes(answers) == [Outcome.UNKNOWN] * 2 + [Outcome.REFUSED_LATER] * 8
    assert len(tencent.ledger()) == 2


def test_one_lost_answer_in_between_stops_nothing(tencent, provider):
    batch = [outgoing(number, "您", f"A{place}") for place, number in enumerate(EVERYBODY)]
    tencent.script.next_codes = ["InternalError.Timeout"]

    assert outcomes(send(provider, batch)) == [Outcome.UNKNOWN, Outcome.TAKEN, Outcome.TAKEN]


def test_when_the_time_of_a_batch_is_over_the_rest_waits(tencent):
    provider = adapter_for(tencent, batch_seconds=0.25)
    tencent.script.latency_ms = 100
    batch = [outgoing(str(13_800_000_001 + place), "您", f"A{place}") for place in range(10)]

    answers = send(provider, batch)

    assert outcomes(answers) == [Outcome.TAKEN] * 3 + [Outcome.WITHHELD] * 7
    assert {(answer.code, answer.part) for answer in answers[3:]} == {("out_of_time", 0)}
    assert len(tencent.ledger()) == 3


def test_a_gateway_that_is_down_costs_one_attempt(tencent, provider):
    tencent.server.stop()
    batch = [outgoing(number, "您", f"A{place}") for place, number in enumerate(EVERYBODY)]

    answers = send(provider, batch)

    assert [answer.code for answer in answers] == ["no_connection", "not_called", "not_called"]
    assert outcomes(answers) == [Outcome.REFUSED_LATER] * 3


@pytest.mark.parametrize(
    ("status", "content", "outcome"),
    [
        ("200 OK", {}, Outcome.UNKNOWN),
        ("200 OK", [], Outcome.UNKNOWN),
        ("200 OK", {"Response": None}, Outcome.UNKNOWN),
        ("200 OK", {"Response": {}}, Outcome.UNKNOWN),
        ("200 OK", {"Response": {"SendStatusSet": None}}, Outcome.UNKNOWN),
        ("200 OK", {"Response": {"SendStatusSet": ["Ok", None, 7]}}, Outcome.UNKNOWN),
        ("200 OK", {"Response": {"SendStatusSet": [{"PhoneNumber": "+8613800000001"}]}}, Outcome.UNKNOWN),
        ("200 OK", {"Response": {"SendStatusSet": [{"PhoneNumber": "+8613800000001", "Code": {}}]}}, Outcome.UNKNOWN),
        ("200 OK", {"Response": {"Error": {}}}, Outcome.UNKNOWN),
        ("200 OK", {"Response": {"Error": "AuthFailure"}}, Outcome.UNKNOWN),
        (
            "200 OK",
            {"Response": {"Error": {"Code": "RequestLimitExceeded"}, "SendStatusSet": [{"Code": "Ok"}]}},
            Outcome.UNKNOWN,
        ),
        ("401 No", {"Response": {"Error": {"Code": "AuthFailure.SecretIdNotFound"}}}, Outcome.REFUSED_ACCOUNT),
        ("404 Not Found", "<html>", Outcome.REFUSED_ACCOUNT),
        ("429 Too Many", "<html>", Outcome.REFUSED_LATER),
        ("400 Bad Request", "<html>", Outcome.UNKNOWN),
        ("302 Found", {}, Outcome.UNKNOWN),
        ("502 Bad Gateway", {"Response": {"Error": {"Code": "RequestLimitExceeded"}}}, Outcome.UNKNOWN),
    ],
)
def test_a_whole_answer_has_one_class(scripted, status, content, outcome):
    server = scripted(answer_json(content, status=status))

    assert outcomes(send(scripted_provider(server), EQUAL[:1])) == [outcome]


@pytest.mark.parametrize("body", [b"", b"{", b'{"Response": {"SendStatusSet": [{"PhoneN', b"[" * 50_000, b"\xff\xfe"])
def test_an_unreadable_answer_is_unknown(scripted, body):
    server = scripted(lambda connection, _request: connection.sendall(http(body)))

    assert outcomes(send(scripted_provider(server), EQUAL[:1])) == [Outcome.UNKNOWN]
