"""Batches that take several calls: who is held back between two of them, and how a search goes on another time."""

from collections.abc import Collection

import pytest
from tencent_cast import TEMPLATE, adapter_for, outcomes, outgoing, people, send

from notifications.providers.aliyun_sms import AliyunSettings, AliyunSms
from notifications.providers.base import Answer, Outcome, Outgoing, RegisteredText
from tests.gateways.aliyun import KEY_ID, KEY_SECRET, Aliyun
from tests.gateways.tencent import Tencent

GREETING = RegisteredText("SMS_100000001", "云杉小店")
BAD_AT_ALIYUN, BAD_AT_TENCENT = "isv.MOBILE_NUMBER_ILLEGAL", "InvalidParameterValue.IncorrectPhoneNumber"


@pytest.fixture
def aliyun(tmp_path):
    with Aliyun(tmp_path / "aliyun") as service:
        service.register(GREETING.code, "亲爱的${name}，您好")
        yield service


@pytest.fixture
def tencent(tmp_path):
    with Tencent(tmp_path / "tencent") as service:
        service.register(TEMPLATE.code, "{1}，您好，订单{2}已发货。")
        yield service


@pytest.fixture
def shop(aliyun):
    settings = AliyunSettings(KEY_ID, KEY_SECRET, endpoint=aliyun.url, private_hosts={"127.0.0.1"})
    provider = AliyunSms(settings)
    yield provider
    provider.close()


def personal(count: int) -> list[Outgoing]:
    return [Outgoing(f"r{place}", f"138{place:08}", "", {"name": f"客人{place}"}) for place in range(count)]


def holding_back(references: Collection[str]):
    """Whoever asks may not write to these any more."""

    def withheld(batch):
        return [Answer(one.reference, Outcome.WITHHELD, "", "", "") for one in batch if one.reference in references]

    return withheld


def test_nobody_is_asked_before_the_first_call(aliyun, shop):
    answers = shop.send(personal(10), call_reference="1", registered=GREETING, withheld=holding_back({"r1"}))

    assert outcomes(answers) == [Outcome.TAKEN] * 10


def test_who_is_held_back_while_aliyun_is_searched_is_not_handed_over(aliyun, shop):
    aliyun.script.number_codes = {"13800000000": BAD_AT_ALIYUN}

    answers = shop.send(personal(10), call_reference="1", registered=GREETING, withheld=holding_back({"r1", "r9"}))

    assert [answer.reference for answer in answers] == [f"r{place}" for place in range(10)]
    held = [Outcome.WITHHELD]
    assert outcomes(answers) == [Outcome.REFUSED_NUMBER, *held, *[Outcome.TAKEN] * 7, *held]
    assert len(aliyun.ledger()) == 7


def test_what_a_search_leaves_over_is_split_where_it_stopped(aliyun, shop):
    aliyun.script.number_codes = {f"138{place:08}": BAD_AT_ALIYUN for place in range(100)}

    answers = shop.send(personal(100), call_reference="1", registered=GREETING)

    left = [answer for answer in answers if answer.outcome is Outcome.WITHHELD]
    assert left and all(answer.part for answer in left)
    assert len({answer.part for answer in left}) > 1


def test_who_is_held_back_between_two_calls_to_tencent_is_not_handed_over(tencent):
    batch = [outgoing(str(13_800_000_001 + place), "您", f"A{place // 2}") for place in range(6)]
    kept = {batch[2].reference, batch[5].reference}

    answers = adapter_for(tencent).send(batch, call_reference="1", registered=TEMPLATE, withheld=holding_back(kept))

    assert [answer.reference for answer in answers if answer.outcome is Outcome.WITHHELD] == sorted(kept)
    assert outcomes(answers).count(Outcome.TAKEN) == len(tencent.ledger()) == 4


def test_halves_of_a_refused_call_stay_apart_when_their_time_is_over(tencent):
    provider = adapter_for(tencent, batch_seconds=0.15)
    tencent.script.latency_ms = 100
    tencent.script.number_codes = {"13800000008": BAD_AT_TENCENT}
    tencent.script.number_codes_spoil_the_call = True

    answers = send(provider, people(8, "您", "A"))

    left = [answer for answer in answers if answer.outcome is Outcome.WITHHELD]
    assert len(left) == 4 and {answer.part for answer in left} != {0}
