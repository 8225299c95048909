"""Group bots: what is said to each, how it is signed, and what their answers mean."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from scripted_server import answer_json, http

from notifications.providers import bots
from notifications.providers.addresses import RefusedAddress

# 2026-01-15, as in the published examples of the three.
MOMENT = 1_768_442_584.0


def test_a_dingtalk_signature_is_that_of_the_published_formula():
    signed = bots.dingtalk_signature("SECtestsecret0123456789", 1_768_442_584_000)

    assert signed == "PewUn19nZLrrIHR4o2jIW70Ct5hMVvQEQaKtoz/+F2g="


def test_a_feishu_signature_is_that_of_the_published_formula():
    assert bots.feishu_signature("testFeishuSecret", 1_768_442_584) == "7HHKHGel0mGwrpqinNwofdi9i0aIk5vu/CIOCv+03MQ="


def said_to(scripted, client, kind, *, secret="", answer=None, text="余额用完了"):
    """What a bot is asked when it is told something."""
    code = "code" if kind == bots.FEISHU else "errcode"
    server = scripted(answer_json({code: 0} if answer is None else answer))
    bots.tell(kind, text, url=f"{server.url}?access_token=abc", secret=secret, timestamp=MOMENT, client=client)
    head, _separator, body = server.requests[0].partition(b"\r\n\r\n")
    return parse_qs(urlsplit(head.split()[1].decode()).query), json.loads(body)


def test_dingtalk_gets_the_signature_in_its_address(scripted, client):
    query, body = said_to(scripted, client, bots.DINGTALK, secret="SECtestsecret0123456789")

    assert query["sign"] == ["PewUn19nZLrrIHR4o2jIW70Ct5hMVvQEQaKtoz/+F2g="]
    assert query["timestamp"] == ["1768442584000"]
    assert query["access_token"] == ["abc"]
    assert body == {"msgtype": "text", "text": {"content": "余额用完了"}}


def test_feishu_gets_the_signature_in_its_body(scripted, client):
    query, body = said_to(scripted, client, bots.FEISHU, secret="testFeishuSecret")

    assert query == {"access_token": ["abc"]}
    assert body["sign"] == "7HHKHGel0mGwrpqinNwofdi9i0aIk5vu/CIOCv+03MQ="
    assert body["timestamp"] == "1768442584"
    assert body["content"] == {"text": "余额用完了"}


def test_wecom_knows_no_signature(scripted, client):
    query, body = said_to(scripted, client, bots.WECOM)

    assert query == {"access_token": ["abc"]}
    assert body == {"msgtype": "text", "text": {"content": "余额用完了"}}


def test_a_long_text_is_cut_to_what_wecom_takes_without_breaking_a_character(scripted, client):
    _query, body = said_to(scripted, client, bots.WECOM, text="长" * 3_000)

    assert len(body["text"]["content"].encode()) <= 2_048
    assert set(body["text"]["content"]) == {"长", "…"}


@pytest.mark.parametrize(
    ("kind", "answer", "words"),
    [
        (bots.DINGTALK, {"errcode": 310000, "errmsg": "sign not match"}, bots.NOT_FITTING),
        (bots.DINGTALK, {"errcode": 130101, "errmsg": "send too fast"}, bots.TOO_FAST),
        (bots.WECOM, {"errcode": 93000, "errmsg": "invalid webhook url"}, bots.UNKNOWN_BOT),
        (bots.FEISHU, {"code": 19021, "msg": "sign match fail"}, bots.WRONG_KEY),
        (bots.FEISHU, {"code": 19024, "msg": "Key Words Not Found"}, bots.NO_KEYWORD),
        (bots.FEISHU, {"code": 4711, "msg": "moon"}, "unknown code 4711: moon"),
        (bots.WECOM, {"errcode": [], "errmsg": None}, "unknown code []: None"),
        (bots.WECOM, {"code": 0}, bots.NO_SENSE),
        (bots.WECOM, [], bots.NO_SENSE),
        (bots.WECOM, None, bots.NO_SENSE),
    ],
)
def test_a_refusal_is_told_in_words(scripted, client, kind, answer, words):
    server = scripted(answer_json(answer))

    with pytest.raises(bots.NotTold) as trouble:
        bots.tell(kind, "hello", url=server.url, secret="", timestamp=MOMENT, client=client)

    assert str(trouble.value) == words


def test_a_page_instead_of_an_answer_makes_no_sense(scripted, client):
    server = scripted(lambda connection, _request: connection.sendall(http(b"<html>welcome</html>")))

    with pytest.raises(bots.NotTold, match="makes no sense"):
        bots.tell(bots.WECOM, "hello", url=server.url, secret="", timestamp=MOMENT, client=client)


def test_a_bot_that_says_nothing_may_have_taken_it(scripted, client):
    server = scripted(lambda _connection, _request: "close")

    with pytest.raises(bots.NotTold, match="may have taken"):
        bots.tell(bots.WECOM, "hello", url=server.url, secret="", timestamp=MOMENT, client=client)


def test_nobody_there_is_told(client):
    with pytest.raises(bots.NotTold, match="could not be reached"):
        bots.tell(bots.WECOM, "hello", url="http://127.0.0.1:1/", secret="", timestamp=MOMENT, client=client)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/robot/send?access_token=x",
        "http://oapi.dingtalk.com/robot/send?access_token=x",
        "https://oapi.dingtalk.com.example.com/robot",
        "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=x",
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost/",
        "file:///etc/passwd",
        "oapi.dingtalk.com",
    ],
)
def test_only_the_address_of_the_makers_is_taken(url):
    with pytest.raises(RefusedAddress):
        bots.check_address(bots.DINGTALK, url)


def test_the_makers_address_is_taken():
    assert bots.check_address(bots.DINGTALK, "https://oapi.dingtalk.com/robot/send?access_token=x").secure


def test_a_bot_in_the_own_network_is_taken_where_it_is_listed():
    assert bots.check_address(bots.WECOM, "http://10.0.0.7:8080/bot", private_hosts={"10.0.0.7:8080"})
