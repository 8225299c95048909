"""Characters, billed segments, signature, opt-out wording, personal values."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications import text


@pytest.mark.parametrize(
    ("length", "segments"),
    [
        (0, 0), (1, 1), (64, 1), (69, 1), (70, 1), (71, 2), (133, 2), (134, 2), (135, 3), (200, 3), (201, 3),
        (202, 4), (469, 7), (470, 8), (500, 8), (501, 8),
    ],
)  # fmt: skip
def test_up_to_70_characters_are_one_sms_and_longer_texts_are_billed_by_67(length, segments):
    assert text.segments("节" * length) == segments
    assert text.segments_of_length(length) == segments


def test_full_and_half_width_characters_and_blanks_count_one_and_an_emoji_counts_two():
    assert text.utf16_length("aＡ 　中，,") == 7
    assert text.utf16_length("🎂") == 2
    assert text.utf16_length("𠮷") == 2
    assert text.segments("节" * 69 + "🎂") == 2


@settings(deadline=None)
@given(st.text())
def test_the_length_is_that_of_the_utf_16_encoding(anything):
    assert text.utf16_length(anything) == sum(2 if mark > "\uffff" else 1 for mark in anything)


def test_what_lies_beyond_500_characters_can_be_shown():
    assert text.beyond("节" * 500) == ""
    assert text.beyond("节" * 500 + "日快乐") == "日快乐"
    assert text.beyond("节" * 499 + "🎂快乐") == "🎂快乐"


class TestPersonalValues:
    """What customers and other systems typed may stand in a message, but may not steer it."""

    @pytest.mark.parametrize(
        ("typed", "printed"),
        [
            ("李娜", "李娜"),
            ("{{7*7}}", "{{7*7}}"),
            ("李\n娜", "李 娜"),
            ("李\r\n娜", "李  娜"),
            ("\u202e娜李", "娜李"),
            ("李\u200b娜\ufeff", "李娜"),
            ("李\x00娜\x1b", "李娜"),
            ("李\ud83d娜", "李娜"),
            ("李　娜\u00a0", "李 娜"),
            ("【中奖】李娜", "〔中奖〕李娜"),
            ("<b>李娜</b>", "<b>李娜</b>"),
            ("http://a.cn", "http://a.cn"),
            ("𠮷野", "𠮷野"),
            ("\ue000娜", "\ue000娜"),
            ("娜" * 500, "娜" * 35),
            ("🎂" * 18, "🎂" * 17),
            (" \u200b\n", ""),
        ],
    )
    def test_a_value_stays_on_one_line_visible_short_and_without_a_second_signature(self, typed, printed):
        assert text.clean_value(typed, 35) == printed

    @settings(deadline=None)
    @given(st.text(alphabet=st.characters(), max_size=30), st.integers(1, 20))
    def test_cleaning_a_clean_value_changes_nothing(self, typed, maximum):
        cleaned = text.clean_value(typed, maximum)

        assert text.clean_value(cleaned, maximum) == cleaned
        assert text.utf16_length(cleaned) <= maximum
        assert not set(cleaned) & set("【】\n\r\u202e\u2028\x00")

    @pytest.mark.parametrize("value", ["https://t.cn/abc", "www.a-b.com", "找我 shop.cn", "a.vip"])
    def test_a_web_address_in_a_value_is_noticed(self, value):
        assert text.has_link(value)

    @pytest.mark.parametrize("value", ["李娜", "3.5折", "Dr.Wang", "v2.0", "Amy.Li", "St.Communications"])
    def test_a_full_stop_is_not_yet_a_web_address(self, value):
        assert not text.has_link(value)


class TestSignature:
    """Exactly one 【signature】, always in front."""

    @pytest.mark.parametrize(
        "typed",
        [
            "节日快乐",
            "【鸿雁花店】节日快乐",
            "节日快乐【鸿雁花店】",
            "【鸿雁花店】节日快乐【鸿雁花店】",
            " 【鸿雁花店】 节日快乐 ",
        ],
    )
    def test_a_signature_typed_by_hand_is_not_doubled(self, typed):
        assert text.compose(typed, signature="鸿雁花店") == "【鸿雁花店】节日快乐"

    def test_a_signature_may_be_given_with_its_brackets(self):
        assert text.compose("节日快乐", signature="【鸿雁花店】") == "【鸿雁花店】节日快乐"

    def test_other_brackets_are_sent_as_harmless_ones_and_the_author_is_told(self):
        message = text.compose("到【南门】自提", signature="鸿雁花店")

        assert message == "【鸿雁花店】到〔南门〕自提"
        assert text.signature_notes("到【南门】自提", "鸿雁花店")
        assert not text.signature_notes("【鸿雁花店】到南门自提", "鸿雁花店")

    def test_there_is_never_an_empty_signature(self):
        assert text.compose("节日快乐", signature="") == "节日快乐"

    @pytest.mark.parametrize(
        ("typed", "signature"),
        [
            ("【鸿雁花店】节日快乐", "鸿雁花店"),
            ("节日快乐【鸿雁花店】", "鸿雁花店"),
            ("到【南门】自提", None),
            ("【】节日快乐", None),
            ("节日快乐", None),
        ],
    )
    def test_the_signature_of_a_text_is_read_from_its_front_or_end(self, typed, signature):
        assert text.signature_of(typed) == signature


SAID = [
    "拒收请回复R", "拒收请回复Ｒ", "拒收请回复 R", "拒收请回复“R”", "拒收回T", "拒收请回R", "TD退订", "td退订",
    "ＴＤ退订", "T退订",
    "回T退订", "回N退订", "回TD退订", "回复TD退订", "回复td退订", "回 复 T D 退 订", "回复“TD”退订", "回A退订",
    "回复A退订", "回B退订",
    "回复Q退订", "回复0退订", "回QXYX退订", "回复T退订", "回复QX退订", "回复QXDY取消订阅", "退订回T", "退订回D",
    "退订回TD", "退订回N",
    "退订回复T", "退订回复TD", "退订回复CC", "退订：回复T", "退订，请回TD", "退订请回复0000", "退订请回TD", "退订T",
    "退订:TD", "退訂回覆T",
    "如需退订请直接回复T", "回复R即可拒收", "Reply STOP to opt out", "Text STOP to unsubscribe",
    "reply TD to unsubscribe",
    "Unsubscribe: reply T", "Opt-out: reply with R",
]  # fmt: skip
NOT_SAID = [
    "", "节日快乐", "您的订单已退订", "退订请致电400-800-8000", "退订18200000000",
    "请尽快办理退订。R级会员另有优惠", "酒店退订政策",
    "VIP退订政策", "退订T恤", "退订50元", "回复1参加活动", "回复Y确认预约", "拒收快递请联系我们",
    "Reply N to decline the appointment", "replay today",
]  # fmt: skip


class TestOptOutWording:
    """Marketing tells how to refuse, once."""

    @pytest.mark.parametrize("wording", SAID)
    def test_the_wordings_that_shops_type_by_hand_are_recognized(self, wording):
        typed = f"中秋快乐，全场8折！{wording}"

        assert text.has_opt_out_wording(typed)
        assert text.compose(typed, signature="鸿雁花店", opt_out="拒收请回复R") == f"【鸿雁花店】{typed}"

    @pytest.mark.parametrize("typed", NOT_SAID)
    def test_ordinary_words_are_not_taken_for_an_opt_out_wording(self, typed):
        assert not text.has_opt_out_wording(typed)

    @pytest.mark.parametrize(
        ("body", "ending"),
        [
            ("全场8折", "全场8折，拒收请回复R"),
            ("全场8折！", "全场8折！拒收请回复R"),
            ("全场8折。 ", "全场8折。拒收请回复R"),
            ("详见https://a.cn/x", "详见https://a.cn/x 拒收请回复R"),
        ],
    )
    def test_the_wording_is_joined_as_a_person_would_write_it(self, body, ending):
        assert text.compose(body, signature="", opt_out="拒收请回复R") == ending
        assert text.compose(body, signature="", opt_out="，拒收请回复R") == ending

    def test_a_wording_of_the_shops_own_is_not_doubled_either(self):
        assert (
            text.compose("全场8折，不想收到请回复“别发”", signature="", opt_out="不想收到请回复别发").count("别发")
            == 1
        )

    def test_a_composed_message_is_not_changed_by_composing_it_again(self):
        once = text.compose("全场8折", signature="鸿雁花店", opt_out="拒收请回复R")

        assert text.compose(once, signature="鸿雁花店", opt_out="拒收请回复R") == once


class TestRemarks:
    """What the author should know before sending."""

    def test_emoji_absolute_claims_reviewed_words_and_links_are_pointed_out(self):
        remarks = [msgid % values for msgid, values in text.notes("全网最低！🎂第一名抽奖，详见 https://a.cn/x")]

        assert len(remarks) == 4
        assert "🎂" in remarks[0]
        assert "第一、全网最低" in remarks[1]
        assert "抽奖" in remarks[2]

    def test_an_ordinary_greeting_has_no_remarks(self):
        assert text.notes("中秋快乐，到店领月饼一盒。") == []


class TestReplies:
    """What a customer answers."""

    @pytest.mark.parametrize(
        "reply", ["R", "Ｒ", " td ", "“T”", "退订", "退订!", "TD。", "0000", "不需要", "我要退订", "stop"]
    )
    def test_a_refusal_is_understood(self, reply):
        assert text.opt_out_keyword(reply) is True

    @pytest.mark.parametrize("reply", ["不想退订", "我没有退订啊", "好的谢谢", "1"])
    def test_an_unclear_reply_is_left_to_a_person(self, reply):
        assert text.opt_out_keyword(reply) is None

    def test_an_empty_reply_refuses_nothing(self):
        assert text.opt_out_keyword(" ") is False


class TestRealTexts:
    """The rules hold for what shops have really sent."""

    @pytest.mark.real_data
    def test_the_wordings_that_real_senders_used_are_recognized(self, shared):
        seen = json.loads((shared / "data/sms/opt_out_phrases_seen.json").read_text(encoding="utf-8"))

        assert [said for said in seen["phrases_upper_cased"] if not text.has_opt_out_wording(said)] == []

    @pytest.mark.real_data
    def test_real_texts_are_billed_signed_and_closed_once(self, shared):
        texts = (shared / "data/sms/shop_sms_texts.txt").read_text(encoding="utf-8").splitlines()

        messages = [text.compose(sent, signature="鸿雁花店", opt_out="拒收请回复R") for sent in texts]

        assert all(message.count("【") == message.count("】") == 1 for message in messages)
        assert sum(text.has_opt_out_wording(sent) for sent in texts) == 50
        assert all(text.has_opt_out_wording(message) for message in messages)

    @pytest.mark.real_data
    def test_the_edges_of_billing_are_those_of_the_carriers(self, shared):
        edges = json.loads((shared / "data/sms/segment_edges.json").read_text(encoding="utf-8"))["edges"]

        for edge in edges:
            assert text.segments("节" * edge["text_length"]) == edge["segments"]
            assert bool(text.beyond("节" * edge["text_length"])) == edge["over_500_limit"]
