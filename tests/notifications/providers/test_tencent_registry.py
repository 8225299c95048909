"""Texts and signatures are handed in to Tencent Cloud, and their state is told truly."""

import pytest
from tencent_cast import adapter_for

from notifications.providers.base import Registration, RegistrationStatus
from notifications.providers.tencent_sms import TencentSms

IN_REVIEW, APPROVED = RegistrationStatus.IN_REVIEW, RegistrationStatus.APPROVED
REJECTED, GONE, UNKNOWN = RegistrationStatus.REJECTED, RegistrationStatus.GONE, RegistrationStatus.UNKNOWN


@pytest.fixture
def provider(tencent) -> TencentSms:
    return adapter_for(tencent)


def register(provider: TencentSms, text: str, purpose: str = "notice") -> Registration:
    return provider.register_text(name="发货提醒", text=text, purpose=purpose, signature="云杉小店", remark="订单通知")


def test_parameters_are_written_by_their_place(provider):
    assert [provider.placeholder(1, "first_name"), provider.placeholder(2, "order")] == ["{1}", "{2}"]


def test_a_text_that_is_handed_in_is_in_review_under_its_number(tencent, provider):
    registration = register(provider, "{1}，您的订单{2}已发货。")

    assert (registration.status, registration.words) == (IN_REVIEW, "")
    (known,) = provider.registered_texts([registration.code])
    assert known == Registration(registration.code, IN_REVIEW, "", "{1}，您的订单{2}已发货。")


def test_marketing_without_the_opt_out_wording_is_refused_with_the_reason(provider):
    assert register(provider, "全场八折", "marketing").status is REJECTED
    assert "拒收请回复R" in register(provider, "全场八折", "marketing").words
    assert register(provider, "全场八折，拒收请回复R", "marketing").status is IN_REVIEW


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("FailedOperation.TemplateNumberLimit", REJECTED),
        ("InvalidParameterValue.SomethingNew", REJECTED),
        ("AuthFailure.SignatureFailure", RegistrationStatus.NOT_HANDED_IN),
        ("RequestLimitExceeded", RegistrationStatus.NOT_HANDED_IN),
        ("InternalError.Timeout", UNKNOWN),
        ("Strange", UNKNOWN),
    ],
)
def test_a_refused_text_says_why_and_a_lost_answer_is_no_refusal(tencent, provider, code, status):
    tencent.script.code = code

    registration = register(provider, "您好")

    assert (registration.code, registration.status) == ("", status)
    assert registration.words


@pytest.mark.parametrize("fault", ["drop", "html", "500", "foreign"])
def test_an_answer_that_is_lost_leaves_everything_as_it_was_known(tencent, provider, fault):
    tencent.script.fault = fault

    assert register(provider, "您好").status is UNKNOWN
    assert [registration.status for registration in provider.registered_texts(["1110"])] == [UNKNOWN]
    assert provider.registered_signature("云杉小店").status is UNKNOWN


def test_states_are_told_in_the_order_of_the_question(tencent, provider):
    tencent.register("21", "甲", state=0)
    tencent.register("22", "乙", state=1)
    tencent.register("23", "丙", state=2)
    tencent.register("24", "丁", state=-1, reason="变量不合规")
    tencent.register("25", "戊", state=9)

    found = provider.registered_texts(["24", "21", "23", "22", "25", "21"])

    assert [registration.status for registration in found] == [
        REJECTED, APPROVED, IN_REVIEW, IN_REVIEW, UNKNOWN, APPROVED,
    ]  # fmt: skip
    assert [registration.code for registration in found] == ["24", "21", "23", "22", "25", "21"]
    assert found[0].words == "变量不合规"
    assert "not yet" in found[2].words
    assert tencent.calls["DescribeSmsTemplateList"] == 1


def test_a_deleted_text_is_gone_and_hides_no_other(tencent, provider):
    for code in range(1, 31):
        tencent.register(str(code), "您好")
    del tencent.script.templates["17"]

    found = provider.registered_texts([str(code) for code in range(1, 31)])

    assert [registration.code for registration in found if registration.status is GONE] == ["17"]
    assert sum(registration.status is APPROVED for registration in found) == 29


def test_a_hundred_numbers_fit_into_one_question(tencent, provider):
    codes = [str(code) for code in range(1, 251)]
    for code in codes:
        tencent.register(code, "您好")

    assert {registration.status for registration in provider.registered_texts(codes)} == {APPROVED}
    assert tencent.calls["DescribeSmsTemplateList"] == 3


@pytest.mark.parametrize("code", ["SMS_1110", "", "１１１０", "9" * 30])
def test_what_can_be_no_number_of_a_text_is_not_asked_for(tencent, provider, code):
    (registration,) = provider.registered_texts([code])

    assert (registration.code, registration.status) == (code, GONE)
    assert tencent.calls.total() == 0


def test_a_signature_is_found_by_its_name(tencent, provider):
    tencent.script.signatures = {f"小店{place}": [0, ""] for place in range(120)}
    tencent.script.signatures |= {"云杉小店": [-1, "未完成报备"], "云杉": [1, ""]}

    assert provider.registered_signature("小店3").status is APPROVED
    assert provider.registered_signature("云杉").status is IN_REVIEW
    assert provider.registered_signature("云杉小店") == Registration("云杉小店", REJECTED, "未完成报备")
    assert provider.registered_signature("云").status is GONE


def test_a_sub_account_that_may_not_list_signatures_is_told(tencent, provider):
    tencent.script.code = "FailedOperation.ProhibitSubAccountUse"

    registration = provider.registered_signature("云杉小店")

    assert registration.status is UNKNOWN
    assert "QcloudSMSFullAccess" in registration.words
