"""Aliyun SMS over real HTTP: what is sent, what each answer means, what became of doubtful calls."""

import json
import time
from datetime import UTC, datetime

import pytest
from scripted_server import QUICK, http

from notifications.providers import aliyun_codes
from notifications.providers.aliyun_sms import AliyunSettings, AliyunSms
from notifications.providers.base import (
    Asked,
    NotFound,
    Outcome,
    Outgoing,
    RegisteredText,
    RegistrationStatus,
)
from notifications.providers.http import Limits
from tests.gateways.aliyun import KEY_ID, KEY_SECRET, Aliyun, receipts_of

GREETING = RegisteredText("SMS_100000001", "云杉小店")
TEXT = "亲爱的${name}，中秋快乐！拒收请回复R"
PLAIN = RegisteredText("SMS_100000002", "云杉小店")
# 2026-01-15 10:03:04 in Beijing.
NOW = 1_768_442_584.0
CALLED_AT = datetime.fromtimestamp(NOW, UTC)


@pytest.fixture
def aliyun(tmp_path):
    """A strict Aliyun that knows two texts."""
    with Aliyun(tmp_path / "aliyun", clock=lambda: NOW) as service:
        service.register(GREETING.code, TEXT)
        service.register(PLAIN.code, "店庆八折，拒收请回复R")
        yield service


@pytest.fixture
def shop(aliyun):
    """Our side of it."""
    provider = adapter(aliyun)
    yield provider
    provider.close()


def adapter(server, *, limits: Limits = QUICK, key_id: str = KEY_ID, secret: str = KEY_SECRET) -> AliyunSms:
    settings = AliyunSettings(
        key_id=key_id,
        key_secret=secret,
        endpoint=server.url.removesuffix("/send"),
        private_hosts={"127.0.0.1"},
        limits=limits,
    )
    return AliyunSms(settings, clock=lambda: NOW)


def number(place: int) -> str:
    return f"138{place:08}"


def personal(count: int, *, name: str = "客人") -> list[Outgoing]:
    return [Outgoing(f"r{place}", number(place), "", {"name": f"{name}{place}"}) for place in range(count)]


def equal(count: int) -> list[Outgoing]:
    return [Outgoing(f"r{place}", number(place), "", {}) for place in range(count)]


def outcomes(answers) -> list[str]:
    return [answer.outcome.value for answer in answers]


def asked(place: int, *, call: str = "call-1", provider_id: str = "", at: datetime = CALLED_AT) -> Asked:
    return Asked(f"r{place}", call, number(place), provider_id, at)


# Sending


def test_personal_texts_go_out_a_hundred_in_a_call_as_the_registered_text_says(aliyun, shop):
    answers = shop.send(personal(100), call_reference="call-1", registered=GREETING)

    sent = aliyun.ledger()
    assert set(outcomes(answers)) == {"taken"}
    assert [answer.reference for answer in answers] == [f"r{place}" for place in range(100)]
    assert {answer.provider_id for answer in answers} == {sent[0]["biz_id"]}
    assert aliyun.calls == {"SendBatchSms": 1}
    assert sent[7]["text"] == "【云杉小店】亲爱的客人7，中秋快乐！拒收请回复R"
    assert {entry["out_id"] for entry in sent} == {"call-1"}


def test_equal_texts_go_out_a_thousand_in_a_call(aliyun, shop):
    answers = shop.send(equal(1000), call_reference="call-1", registered=PLAIN)

    assert set(outcomes(answers)) == {"taken"}
    assert aliyun.calls == {"SendSms": 1}
    assert len(aliyun.ledger()) == 1000


def test_more_personal_texts_than_a_call_carries_are_several_calls(aliyun, shop):
    answers = shop.send(personal(250), call_reference="call-1", registered=GREETING)

    assert set(outcomes(answers)) == {"taken"}
    assert aliyun.calls == {"SendBatchSms": 3}


def test_names_of_every_alphabet_arrive_as_they_are(aliyun, shop):
    names = ["张 三", "O'Brien & Söhne", 'a"b\\c', "100%+1*~", "😀", "\ud83d"]

    shop.send(
        [Outgoing(name, number(place), "", {"name": name}) for place, name in enumerate(names)],
        call_reference="call-1",
        registered=GREETING,
    )

    texts = [entry["text"] for entry in aliyun.ledger()]
    assert [text[9:].partition("，")[0] for text in texts] == [*names[:-1], "?"]


def test_a_text_that_is_not_registered_calls_nobody(aliyun, shop):
    answers = shop.send(personal(2), call_reference="call-1")

    assert set(outcomes(answers)) == {"refused_content"}
    assert aliyun.calls == {}


def test_nothing_to_send_calls_nobody(aliyun, shop):
    assert shop.send([], call_reference="call-1", registered=GREETING) == []
    assert aliyun.calls == {}


def test_every_call_has_a_nonce_of_its_own(aliyun, shop):
    answers = [shop.send(equal(1), call_reference=f"call-{place}", registered=PLAIN)[0] for place in range(5)]

    assert set(outcomes(answers)) == {"taken"}


# Refusals


@pytest.mark.parametrize("code", sorted(aliyun_codes.CODES))
def test_each_known_code_has_its_class_and_words(aliyun, shop, code):
    aliyun.script.code = code
    outcome, words = aliyun_codes.CODES[code]

    answers = shop.send(equal(1), call_reference="call-1", registered=PLAIN)

    assert (answers[0].outcome, answers[0].code) == (outcome, code)
    assert answers[0].words == words or code == "isv.BUSINESS_LIMIT_CONTROL"
    assert aliyun.ledger() == []


@pytest.mark.parametrize(
    ("code", "status", "outcome"),
    [
        ("MissingPhoneNumbers", 400, "refused_content"),
        ("Throttling.Something", 400, "refused_later"),
        ("InvalidAccessKeyId.Deleted", 403, "refused_account"),
        ("Forbidden.SubUser", 403, "refused_account"),
        ("isv.TOMORROWS_CODE", 200, "unknown"),
        ("Tomorrow", 400, "unknown"),
        ("Tomorrow", 401, "refused_account"),
        ("Tomorrow", 429, "refused_later"),
        ("ServiceUnavailable", 503, "unknown"),
        # A definite code behind a 5xx is believed no more than the 5xx.
        ("isv.MOBILE_NUMBER_ILLEGAL", 502, "unknown"),
        ("OK", 400, "unknown"),
    ],
)
def test_codes_of_no_table_fall_into_the_class_of_their_family_or_status(aliyun, shop, code, status, outcome):
    aliyun.script.code, aliyun.script.status = code, status

    answers = shop.send(equal(3), call_reference="call-1", registered=PLAIN)

    assert set(outcomes(answers)) == {outcome}
    assert all(answer.code == code and answer.is_for_all for answer in answers)
    if code in ("isv.TOMORROWS_CODE", "Tomorrow"):
        assert answers[0].words == f"unknown code {code}: {code}"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("触发分钟级流控Permits:1", aliyun_codes.MINUTE_LIMIT),
        ("触发小时级流控Permits:5", aliyun_codes.HOUR_LIMIT),
        ("触发天级流控Permits:50", aliyun_codes.DAY_LIMIT),
        ("?", aliyun_codes.NUMBER_LIMIT),
    ],
)
def test_a_limit_of_a_number_names_its_window(scripted, said, words):
    body = json.dumps({"Code": "isv.BUSINESS_LIMIT_CONTROL", "Message": said}).encode()
    provider = adapter(scripted(lambda connection, _request: connection.sendall(http(body))))

    answer = provider.send(equal(1), call_reference="call-1", registered=PLAIN)[0]

    assert (answer.outcome, answer.words, answer.is_for_all) == (Outcome.REFUSED_LATER, words, False)


def test_wrong_keys_cost_one_call(aliyun):
    answers = adapter(aliyun, secret="wrong").send(personal(300), call_reference="call-1", registered=GREETING)

    assert set(outcomes(answers)) == {"refused_account"}
    assert len(answers) == 300
    assert answers[0].words == aliyun_codes.WRONG_SECRET
    assert aliyun.calls == {"SendBatchSms": 1}


def test_an_unknown_key_is_refused(aliyun):
    answers = adapter(aliyun, key_id="LTAIother").send(equal(1), call_reference="call-1", registered=PLAIN)

    assert (answers[0].outcome, answers[0].words) == (Outcome.REFUSED_ACCOUNT, aliyun_codes.WRONG_KEY)


def test_a_wrong_clock_is_told_in_words(aliyun, shop):
    aliyun.clock = lambda: NOW + 3600

    answer = shop.send(equal(1), call_reference="call-1", registered=PLAIN)[0]

    assert (answer.outcome, answer.words) == (Outcome.REFUSED_ACCOUNT, aliyun_codes.WRONG_CLOCK)


@pytest.mark.parametrize("key_id", ["LTAI\nX-Evil: 1", "钥匙"])
def test_a_key_that_is_no_key_is_refused_before_any_call(aliyun, key_id):
    with pytest.raises(ValueError, match="copy it anew"):
        adapter(aliyun, key_id=key_id)


# One number among many


def test_one_bad_number_costs_the_others_nothing(aliyun, shop):
    aliyun.script.number_codes = {number(42): "isv.MOBILE_NUMBER_ILLEGAL"}

    answers = shop.send(personal(100), call_reference="call-1", registered=GREETING)

    refused = [answer for answer in answers if answer.outcome is not Outcome.TAKEN]
    assert [(answer.reference, answer.outcome, answer.is_for_all) for answer in refused] == [
        ("r42", Outcome.REFUSED_NUMBER, False)
    ]
    assert sorted(entry["number"] for entry in aliyun.ledger()) == [number(p) for p in range(100) if p != 42]
    assert aliyun.calls["SendBatchSms"] + aliyun.calls["SendSms"] <= 15


def test_a_number_at_its_limit_waits_alone(aliyun, shop):
    aliyun.script.number_codes = {number(0): "isv.BUSINESS_LIMIT_CONTROL", number(9): "isv.BUSINESS_LIMIT_CONTROL"}

    answers = shop.send(equal(10), call_reference="call-1", registered=PLAIN)

    assert outcomes(answers) == ["refused_later", *["taken"] * 8, "refused_later"]
    assert not answers[0].is_for_all


def test_one_name_with_a_link_costs_the_others_nothing(aliyun, shop):
    batch = personal(100)
    batch[3].parameters = {"name": "www.evil.cn"}

    answers = shop.send(batch, call_reference="call-1", registered=GREETING)

    assert answers[3].outcome is Outcome.REFUSED_CONTENT
    assert outcomes(answers).count("taken") == 99


def test_a_registered_text_that_nobody_s_values_fit_is_to_blame_itself(aliyun, shop):
    batch = [Outgoing(f"r{place}", number(place), "", {"title": f"{place}"}) for place in range(100)]

    answers = shop.send(batch, call_reference="call-1", registered=GREETING)

    assert set(outcomes(answers)) == {"refused_content"}
    assert answers[-1].is_for_all
    assert sum(aliyun.calls.values()) <= 15


def test_a_hundred_bad_numbers_do_not_make_hundreds_of_calls(aliyun, shop):
    aliyun.script.number_codes = {number(place): "isv.MOBILE_NUMBER_ILLEGAL" for place in range(100)}

    answers = shop.send(personal(100), call_reference="call-1", registered=GREETING)

    assert set(outcomes(answers)) == {"refused_number", "withheld"}
    assert sum(aliyun.calls.values()) <= 40


def test_what_follows_a_doubtful_call_is_not_tried(aliyun, shop):
    aliyun.script.fault = "taken_drop"

    answers = shop.send(personal(300), call_reference="call-1", registered=GREETING)

    assert outcomes(answers) == ["unknown"] * 100 + ["refused_later"] * 200
    assert len(aliyun.ledger()) == 100


# Doubt


@pytest.mark.parametrize("fault", ["drop", "truncate", "html", "500", "foreign", "drip"])
def test_an_answer_that_cannot_be_read_leaves_the_call_in_doubt(aliyun, shop, fault):
    aliyun.script.fault = f"taken_{fault}"

    answers = shop.send(equal(2), call_reference="call-1", registered=PLAIN)

    assert outcomes(answers) == ["unknown", "unknown"]
    assert all(answer.code and answer.words for answer in answers)
    assert len(aliyun.ledger()) == 2


def test_an_answer_that_comes_too_late_leaves_the_call_in_doubt(aliyun):
    aliyun.script.latency_ms = 600
    began = time.monotonic()

    answers = adapter(aliyun).send(equal(1), call_reference="call-1", registered=PLAIN)

    assert (answers[0].outcome, answers[0].code) == (Outcome.UNKNOWN, "no_answer_in_time")
    assert time.monotonic() - began < 2


def test_a_gateway_that_is_away_was_certainly_not_called(aliyun):
    aliyun.server.stop()

    answers = adapter(aliyun).send(personal(300), call_reference="call-1", registered=GREETING)

    assert set(outcomes(answers)) == {"refused_later"}


def test_a_redirect_is_not_followed(scripted):
    answer = http(b"", status="302 Found", headers="Location: http://127.0.0.1:1/\r\n")
    server = scripted(lambda connection, _request: connection.sendall(answer))

    answers = adapter(server).send(equal(1), call_reference="call-1", registered=PLAIN)

    assert (answers[0].outcome, answers[0].code) == (Outcome.UNKNOWN, "http_302")
    assert server.connection_count == 1


# Questions


def test_a_doubtful_call_is_found_by_its_own_name(aliyun, shop):
    aliyun.script.fault = "taken_drop"
    shop.send(equal(3), call_reference="call-1", registered=PLAIN)
    aliyun.script.fault = ""
    aliyun.script.receipts = {number(0): "3", number(1): "2 MK:0001", number(2): "1"}

    found = shop.query([asked(place) for place in range(3)])

    assert outcomes(found) == ["taken"] * 3
    assert [answer.delivered for answer in found] == [True, False, None]
    assert (found[1].code, found[1].words) == ("MK:0001", "The number does not exist")


def test_what_was_never_taken_is_definitely_not_found(aliyun, shop):
    shop.send(equal(1), call_reference="another-call", registered=PLAIN)

    assert shop.query([asked(0), asked(1)]) == [NotFound("r0"), NotFound("r1")]


def test_a_call_is_found_behind_a_page_of_others(aliyun):
    shop = adapter(aliyun, limits=Limits())
    aliyun.script.number_limit = 1000
    for call in range(120):
        shop.send(equal(1), call_reference=f"call-{call}", registered=PLAIN)

    assert outcomes(shop.query([asked(0, call="call-0")])) == ["taken"]
    assert aliyun.calls["QuerySendDetails"] == 3


def test_a_call_shortly_before_midnight_is_looked_for_on_both_days(aliyun, shop):
    midnight = datetime(2026, 1, 15, 16, tzinfo=UTC).timestamp()
    aliyun.script.offset = midnight - NOW + 1
    shop.send(equal(1), call_reference="call-1", registered=PLAIN)

    found = shop.query([asked(0, at=datetime.fromtimestamp(midnight - 1, UTC))])

    assert outcomes(found) == ["taken"]


def test_a_known_number_of_the_provider_narrows_the_question(aliyun, shop):
    provider_id = shop.send(equal(1), call_reference="call-1", registered=PLAIN)[0].provider_id

    found = shop.query([asked(0, provider_id=provider_id)])

    assert (found[0].outcome, found[0].provider_id) == (Outcome.TAKEN, provider_id)


def test_a_count_without_a_list_is_no_answer(aliyun, shop):
    shop.send(equal(1), call_reference="call-1", registered=PLAIN)
    aliyun.script.query = "empty"

    assert outcomes(shop.query([asked(0)])) == ["unknown"]


@pytest.mark.parametrize("fault", ["drop", "html", "500", "foreign"])
def test_a_question_that_fails_never_means_not_found_and_is_not_repeated_for_each(aliyun, shop, fault):
    aliyun.script.fault = fault

    found = shop.query([asked(place) for place in range(50)])

    assert outcomes(found) == ["unknown"] * 50
    assert aliyun.calls["QuerySendDetails"] == 1


def test_a_number_that_cannot_be_asked_for_stops_no_other(aliyun, shop):
    shop.send(equal(2), call_reference="call-1", registered=PLAIN)
    aliyun.script.next_codes = ["isv.MOBILE_NUMBER_ILLEGAL"]

    assert outcomes(shop.query([asked(0), asked(1)])) == ["unknown", "taken"]


# Callbacks


def test_receipts_name_the_call_and_the_number(aliyun, shop):
    shop.send(equal(2), call_reference="call-1", registered=PLAIN)

    reports, problems = shop.read_reports(receipts_of(aliyun.ledger()))

    assert problems == []
    assert [(one.reference, one.number, one.delivered) for one in reports] == [
        ("call-1", number(0), True),
        ("call-1", number(1), True),
    ]
    assert reports[0].provider_id == aliyun.ledger()[0]["biz_id"]
    assert reports[0].at == datetime(2026, 1, 15, 2, 3, 7, tzinfo=UTC)


def test_a_receipt_of_a_failure_says_why(shop):
    body = [
        {"phone_number": "+8613800000001", "success": False, "err_code": "PORT_NOT_REGISTERED", "out_id": "c"},
        {"phone_number": "13800000002", "success": False, "err_code": "ZZ:1", "err_msg": "怪事", "biz_id": "9^0"},
    ]

    reports, _problems = shop.read_reports(json.dumps(body).encode("gb18030"))

    assert [one.words for one in reports] == [
        "The signature is not registered with this carrier yet",
        "unknown code ZZ:1: 怪事",
    ]
    assert (reports[0].number, reports[0].at, reports[1].reference) == ("13800000001", None, "")


@pytest.mark.parametrize(
    "item",
    [
        "text",
        {},
        {"phone_number": "13800000001", "success": True},
        {"out_id": "c", "success": True},
        {"phone_number": "13800000001", "out_id": "c"},
        {"phone_number": "13800000001", "out_id": "c", "success": "maybe"},
    ],
)
def test_the_good_half_of_a_callback_is_read(shop, item):
    good = {"phone_number": "13800000002", "success": True, "out_id": "c", "err_code": "DELIVERED"}

    reports, problems = shop.read_reports(json.dumps([item, good]).encode())

    assert [one.number for one in reports] == ["13800000002"]
    assert len(problems) == 1


def test_replies_are_read_whatever_their_sequence_number_is(shop):
    body = [
        {"phone_number": "13800000001", "content": "TD", "send_time": "2026-01-15 10:05:00", "sequence_id": 17},
        {"phone_number": "13800000001", "content": "好的\n谢谢", "sequence_id": "18", "sign_name": "云杉小店"},
        {"phone_number": "13800000001", "content": " "},
    ]

    replies, problems = shop.read_replies(json.dumps(body).encode())

    assert [(one.text, one.provider_id, one.signature) for one in replies] == [
        ("TD", "17", ""),
        ("好的\n谢谢", "18", ""),
    ]
    assert replies[0].at == datetime(2026, 1, 15, 2, 5, tzinfo=UTC)
    assert len(problems) == 1


def test_a_callback_is_answered_as_the_console_wants_it(shop):
    assert json.loads(shop.acknowledgement) == {"code": 0, "msg": "成功"}


# Registered texts and signatures


def register(shop, text: str, *, purpose: str = "marketing"):
    return shop.register_text(
        name="中秋问候" * 10, text=text, purpose=purpose, signature="云杉小店", remark="会员问候"
    )


def test_a_text_is_handed_in_and_its_review_followed(aliyun, shop):
    aliyun.script.review = "0"
    text = f"亲爱的{shop.placeholder(1, 'name')}，{shop.placeholder(2, 'city')}降温了，拒收请回复R"

    handed_in = register(shop, text)
    waiting = shop.registered_texts([handed_in.code])[0]
    aliyun.script.templates[handed_in.code][1] = "1"
    approved = shop.registered_texts([handed_in.code])[0]

    assert handed_in.status is RegistrationStatus.IN_REVIEW
    assert (waiting.status, waiting.text) == (RegistrationStatus.IN_REVIEW, text)
    assert (approved.status, approved.words) == (RegistrationStatus.APPROVED, "")


def test_a_rejected_text_says_why(shop):
    handed_in = register(shop, "订单已发货，拒收请回复R", purpose="notice")

    found = shop.registered_texts([handed_in.code])[0]

    assert found.status is RegistrationStatus.REJECTED
    assert "退订" in found.words


@pytest.mark.parametrize(("status", "expected"), [("10", "gone"), ("7", "unknown")])
def test_a_withdrawn_text_is_gone_and_an_unknown_state_changes_nothing(aliyun, shop, status, expected):
    aliyun.script.templates[PLAIN.code][1] = status

    assert shop.registered_texts([PLAIN.code, "SMS_404"])[0].status == expected
    assert shop.registered_texts(["SMS_404"])[0].status is RegistrationStatus.GONE


def test_a_refused_text_is_rejected_with_the_code_in_words(aliyun, shop):
    aliyun.script.code = "isv.TEMPLATE_OVER_LIMIT"
    unknown = register(shop, "店庆，拒收请回复R")
    aliyun.script.code = "isp.RAM_PERMISSION_DENY"
    refused = register(shop, "店庆，拒收请回复R")

    assert unknown.status is RegistrationStatus.UNKNOWN
    assert "isv.TEMPLATE_OVER_LIMIT" in unknown.words
    assert (refused.status, refused.words) == (RegistrationStatus.NOT_HANDED_IN, aliyun_codes.NO_RIGHT)


@pytest.mark.parametrize(
    ("status", "expected", "words"),
    [("1", "approved", ""), ("0", "in_review", ""), ("2", "rejected", "营业执照不清晰"), ("10", "gone", "")],
)
def test_a_signature_is_asked_for_by_name(aliyun, shop, status, expected, words):
    aliyun.script.signatures = {"云杉小店": status}

    found = shop.registered_signature("云杉小店")

    assert (found.code, found.status, found.words) == ("云杉小店", expected, words)


def test_a_signature_that_does_not_exist_is_gone(aliyun, shop):
    aliyun.script.signatures = {"别家": "unknown"}

    assert shop.registered_signature("别家").status is RegistrationStatus.GONE


def test_the_registry_says_that_it_could_not_ask(aliyun, shop):
    aliyun.script.fault = "html"

    assert shop.registered_signature("云杉小店").status is RegistrationStatus.UNKNOWN
    assert shop.registered_texts([PLAIN.code])[0].status is RegistrationStatus.UNKNOWN
    assert register(shop, "店庆，拒收请回复R").status is RegistrationStatus.UNKNOWN
