"""Receipts and replies of Tencent Cloud arrive pushed, pulled or asked for, and mean the same."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from tencent_cast import MORNING, adapter_for, asked, outcomes, outgoing, send

from notifications.providers.base import Outcome, Problem, Reply, Report
from notifications.providers.closing import Closing
from notifications.providers.tencent_sms import TencentSms
from tests.gateways.tencent_texts import receipts_of, reply_of

LI_NA, WANG_WEI = "13800000001", "13800000002"
AT = datetime.fromtimestamp(MORNING + 3, UTC)


@pytest.fixture
def provider(tencent) -> TencentSms:
    return adapter_for(tencent)


@pytest.fixture
def sent(provider) -> dict[str, str]:
    """The provider's number of a message to each."""
    answers = send(provider, [outgoing(LI_NA, "您", "A1"), outgoing(WANG_WEI, "您", "A1")])
    return {LI_NA: answers[0].provider_id, WANG_WEI: answers[1].provider_id}


def test_a_pushed_receipt_names_call_number_and_moment(tencent, provider, sent):
    reports, problems = provider.read_reports(receipts_of(tencent.ledger()))

    assert problems == []
    assert reports == [
        Report("d-42", LI_NA, True, "DELIVRD", "", AT, sent[LI_NA]),
        Report("d-42", WANG_WEI, True, "DELIVRD", "", AT, sent[WANG_WEI]),
    ]


def test_without_the_help_of_support_a_receipt_names_the_providers_number_alone(tencent, provider, sent):
    reports, _problems = provider.read_reports(receipts_of(tencent.ledger(), has_ext=False))

    assert [(report.reference, report.provider_id) for report in reports] == [("", sent[LI_NA]), ("", sent[WANG_WEI])]


@pytest.mark.parametrize(
    ("error", "description", "code", "words"),
    [
        ("002", "关机/停机/无法接通", "002", "The phone was switched off or out of reach"),
        ("-106", "运营商关键字拦截", "-106", "The carrier blocked a word of the message"),
        ("MK:9999", "其他错误", "MK:9999", "unknown code MK:9999: 其他错误"),
        ("012", "空号", "no_such_number", "The number does not exist"),
        ("012", "空号/停机/关机", "012", "unknown code 012: 空号/停机/关机"),
        ("015", "手机号在黑名单库中", "blacklisted", "The number is on a carrier's blacklist"),
        ("015", "用户已退订", "opted_out", "The customer has opted out at Tencent Cloud"),
    ],
)
def test_a_bad_receipt_says_why(tencent, provider, sent, error, description, code, words):
    body = receipts_of(tencent.ledger()[:1], error=error, description=description)

    ((report,), _problems) = provider.read_reports(body)

    assert (report.delivered, report.code, report.words) == (False, code, words)


def test_only_a_clear_word_closes_a_number():
    assert TencentSms.closing_codes["no_such_number"] is Closing.DEAD
    assert TencentSms.closing_codes["opted_out"] is TencentSms.closing_codes["blacklisted"] is Closing.OPTED_OUT
    assert "002" not in TencentSms.closing_codes


def test_the_good_half_of_a_push_is_read(provider):
    good = {"mobile": LI_NA, "report_status": "SUCCESS", "errmsg": "DELIVRD", "sid": "1"}
    items = [good, {"mobile": LI_NA}, "x", good | {"report_status": "MAYBE"}, good | {"user_receive_time": "soon"}]

    reports, problems = provider.read_reports(json.dumps(items).encode())

    assert [report.at for report in reports] == [None, None]
    assert len(problems) == 3


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 50_000, b"7", b"\xff\xfe"])
def test_an_unreadable_push_is_a_problem_and_no_exception(provider, body):
    assert provider.read_reports(body).reports == []
    assert len(provider.read_reports(body).problems) == 1
    assert provider.read_replies(body).replies == []


def test_a_push_in_gb18030_is_read(provider):
    item = {"mobile": LI_NA, "report_status": "FAIL", "errmsg": "012", "description": "空号", "sid": "1"}

    ((report,), _problems) = provider.read_reports(json.dumps([item], ensure_ascii=False).encode("gb18030"))

    assert report.code == "no_such_number"


def test_a_push_is_answered_as_tencent_asks():
    assert json.loads(TencentSms.acknowledgement) == {"result": 0, "errmsg": "OK"}


@pytest.mark.parametrize("wrap", [b"%s", b"[%s]"], ids=["object", "array"])
def test_a_reply_names_number_text_moment_and_signature(provider, wrap):
    body = reply_of(LI_NA, "TD", at=MORNING, signature="云杉小店")

    replies, problems = provider.read_replies(wrap % body)

    assert replies == [Reply(LI_NA, "TD", datetime.fromtimestamp(MORNING, UTC), "", "云杉小店")]
    assert problems == []


def test_a_reply_without_text_or_number_is_a_problem(provider):
    body = json.dumps([{"mobile": LI_NA, "text": " "}, {"text": "TD"}]).encode()

    assert provider.read_replies(body).replies == []
    assert len(provider.read_replies(body).problems) == 2


def test_waiting_receipts_are_pulled_once(tencent, provider, sent):
    tencent.script.reports = {WANG_WEI: "FAIL 空号"}

    reports, problems = provider.pull_reports()

    assert problems == []
    assert reports == [
        Report("d-42", LI_NA, True, "DELIVRD", "", AT, sent[LI_NA]),
        Report("d-42", WANG_WEI, False, "no_such_number", "The number does not exist", AT, sent[WANG_WEI]),
    ]
    assert provider.pull_reports() == ([], [])


def test_waiting_replies_are_pulled_once(tencent, provider):
    tencent.script.replies = [[LI_NA, "退订", "云杉小店"]]

    assert provider.pull_replies().replies == [
        Reply(LI_NA, "退订", datetime.fromtimestamp(MORNING, UTC), "", "云杉小店")
    ]
    assert provider.pull_replies() == ([], [])


def test_a_pull_that_is_not_enabled_is_told(tencent, provider):
    tencent.script.code = "UnauthorizedOperation.RequestPermissionDeny"

    assert provider.pull_reports().problems == [
        Problem(
            "UnauthorizedOperation.RequestPermissionDeny",
            "The key may not use SMS; give its user the policy QcloudSMSFullAccess",
        )
    ]
    assert provider.pull_replies().replies == []


def test_a_message_is_found_by_the_providers_number(tencent, provider, sent):
    tencent.script.sessions_in_reports = False
    tencent.script.reports = {WANG_WEI: "FAIL 002"}

    found = provider.query([asked(LI_NA, serial=sent[LI_NA]), asked(WANG_WEI, serial=sent[WANG_WEI])])

    assert [(answer.outcome, answer.delivered) for answer in found] == [
        (Outcome.TAKEN, True),
        (Outcome.TAKEN, False),
    ]
    assert found[1].words == "The phone was switched off or out of reach"


def test_a_doubtful_message_is_found_by_its_call(tencent, provider):
    tencent.script.fault = "taken_500"
    assert outcomes(send(provider, [outgoing(LI_NA, "您", "A1")], "call-7")) == [Outcome.UNKNOWN]
    tencent.script.fault = ""

    (found, other) = provider.query([asked(LI_NA, call="call-7"), asked(LI_NA, call="call-8")])

    assert (found.outcome, found.delivered) == (Outcome.TAKEN, True)
    assert found.provider_id == tencent.ledger()[0]["serial"]
    assert other.outcome is Outcome.UNKNOWN


def test_two_customers_of_one_number_never_share_a_receipt(tencent, provider, sent):
    found = provider.query([asked(LI_NA), asked(LI_NA)])

    assert outcomes(found) == [Outcome.TAKEN, Outcome.UNKNOWN]


def test_without_a_receipt_a_message_is_never_called_not_found(tencent, provider, sent):
    tencent.script.report = ""

    (answer,) = provider.query([asked(LI_NA)])

    assert provider.can_tell_not_found is False
    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "no_receipt")
    # It was answered: an account that is silent is left alone for a while.
    assert not answer.is_for_all


def test_without_the_help_of_support_a_doubtful_message_stays_unknown(tencent, provider, sent):
    tencent.script.sessions_in_reports = False

    assert outcomes(provider.query([asked(LI_NA)])) == [Outcome.UNKNOWN]


def test_one_question_serves_all_messages_to_a_number(tencent, provider, sent):
    provider.query([asked(LI_NA, serial=sent[LI_NA]), asked(WANG_WEI), asked(LI_NA, call="d-43")])

    assert tencent.calls["PullSmsSendStatusByPhoneNumber"] == 2


def test_a_message_older_than_a_week_is_not_asked_for(tencent, provider):
    eight_days_ago = MORNING - timedelta(days=8).total_seconds()

    (answer,) = provider.query([asked(LI_NA, at=eight_days_ago)])

    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "too_old")
    assert tencent.calls.total() == 0


def test_a_message_of_six_days_ago_is_still_found(tencent, provider):
    provider.query([asked(LI_NA, at=MORNING - timedelta(days=6).total_seconds())])
    provider.query([asked(LI_NA, at=MORNING - timedelta(days=7).total_seconds() + 90)])
    (ahead,) = provider.query([asked(LI_NA, at=MORNING + timedelta(hours=30).total_seconds())])

    assert tencent.calls["PullSmsSendStatusByPhoneNumber"] == 3
    assert ahead.code == "no_receipt"


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "AuthFailure.SignatureFailure", "InternalError.Timeout"])
def test_a_question_that_fails_is_the_last_one_and_says_nothing_about_messages(tencent, provider, sent, code):
    tencent.script.code = code

    found = provider.query([asked(LI_NA), asked(WANG_WEI)])

    assert [(answer.outcome, answer.code) for answer in found] == [
        (Outcome.UNKNOWN, code),
        (Outcome.UNKNOWN, "not_asked"),
    ]
    assert all(answer.is_for_all for answer in found)
    assert tencent.calls["PullSmsSendStatusByPhoneNumber"] == 1


def test_a_number_that_tencent_does_not_know_stops_no_other_question(tencent, provider, sent):
    (strange, known) = provider.query([asked("12345"), asked(WANG_WEI)])

    assert (strange.outcome, strange.code) == (Outcome.UNKNOWN, "InvalidParameterValue.IncorrectPhoneNumber")
    assert known.outcome is Outcome.TAKEN
