"""What a reply means by its words alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from notifications.opt_out_words import Likeness, bare, likeness, words_of


@pytest.mark.parametrize(
    "text",
    [
        "TD", "td", "Td", "T D", "ＴＤ", "ｔｄ", "td.", "TD。", "“TD”", "【TD】", "(TD)", "T.D.",
        "T-D", "TD\n", "  td ",
        "T", "t", "N", "n", "R", "r", "Ｒ", "R。", "T!", "'R'", "退订", "退 订", "退订。", "退订!!!",
        "退訂", "退定", "退",

        "回复TD", "回T", "回T退订", "回复 R", "请回复R", "TD退订", "TDTD",
        "退订退订", "TD 谢谢", "TD，谢谢！", "我要退订",
        "请退订", "麻烦退订一下", "退订吧", "退订短信", "取消订阅", "取消訂閱", "拒收", "拒收短信", "退订所有营销短信",
        "unsubscribe", "Unsubscribe", "UNSUBSCRIBE!", "stop", "STOP", "Stop please", "Stop all", "opt out", "QX",
        "你好，退订", "tuiding", "T\u200bD", "TD👎", "Ｔ　Ｄ", "R退订",
    ],
)  # fmt: skip
def test_a_plain_opt_out_is_one_in_any_width_case_spacing_and_punctuation(text):
    assert likeness(text) == Likeness.OPT_OUT


@pytest.mark.parametrize(
    "text",
    [
        "不要再发了", "别发了", "别再给我发短信了", "不要发", "TDD", "TD1",
        "怎么退订", "退订不了", "我不退订", "为什么退订还发",
        "取消", "不需要", "不要", "屏蔽", "再发就投诉", "12321举报", "骚扰短信",
        "0", "0000", "T1", "烦死了", "滚",
        "please remove me", "how do I stop this?", "不想收", "勿扰", "拒绝",
        "td 是什么? td", "我已经退订过一次了你们怎么又发",
    ],
)  # fmt: skip
def test_what_only_resembles_an_opt_out_goes_to_staff(text):
    assert likeness(text) == Likeness.SUGGESTION


@pytest.mark.parametrize(
    "text",
    [
        "谢谢", "好的", "什么时候发货", "TDS是什么", "Y", "1", "我要订花", "订", "N95口罩有货吗",
        "Tomorrow", "收到", "", "。。。",
        "你好", "Right", "我的订单到哪了", "我要T恤", "好", "RT", "短信收到了",
    ],
)  # fmt: skip
def test_everything_else_is_conversation(text):
    assert likeness(text) == Likeness.CONVERSATION


def test_a_shop_has_opt_out_words_of_its_own():
    words = words_of("8, 不约；No Thanks")

    assert words == ["8", "不约", "no", "thanks"]
    assert likeness("８", further_words=words) == Likeness.OPT_OUT
    assert likeness("不约。", further_words=words) == Likeness.OPT_OUT
    assert likeness("不约") == Likeness.CONVERSATION


@given(some.text(max_size=60))
def test_any_text_has_one_meaning_whatever_its_width_case_and_spacing(text):
    meaning = likeness(text)

    assert likeness(bare(text)) == meaning
    assert likeness(f" {text}。 ") == meaning


@given(some.sampled_from(["TD", "退订", "R", "stop"]), some.lists(some.sampled_from(" .。,，!！-　\u200b'“")))
def test_signs_around_an_opt_out_change_nothing(word, signs):
    assert likeness("".join(signs) + word + "".join(reversed(signs))) == Likeness.OPT_OUT
