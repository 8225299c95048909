"""What a customer's reply means by its words: a plain opt-out, something like one, or anything else; pure."""

import re
import unicodedata
from collections.abc import Iterable
from enum import StrEnum


class Likeness(StrEnum):
    """How much a reply is an opt-out."""

    OPT_OUT = "opt_out"
    SUGGESTION = "suggestion"
    CONVERSATION = "conversation"


# What carriers and the shop's own texts tell people to reply, and what people make of it.
WORDS = frozenset(
    (
        *("td", "t", "n", "r", "qx", "tdqx", "退订", "退訂", "退定", "退", "tuiding", "拒收", "取消订阅", "取消訂閱"),
        *(
            "取消接收",
            "停止接收",
            "停止发送",
            "不再接收",
            "拒绝接收",
            "unsubscribe",
            "unsub",
            "stop",
            "stopall",
            "optout",
        ),
    )
)
# A politeness around a word changes nothing; around a single letter only the smaller set is safe.
FILLERS = (
    *("回复", "回覆", "回", "发送", "请", "谢谢", "谢谢你", "谢谢您", "多谢", "感谢", "谢", "thanks", "thankyou"),
    *(
        "麻烦",
        "帮我",
        "给我",
        "我要",
        "我想",
        "申请",
        "要求",
        "我",
        "要",
        "立即",
        "马上",
        "现在",
        "一下",
        "全部",
        "所有",
    ),
    *("了", "吧", "啊", "呀", "哦", "哈", "你好", "您好", "好的", "好", "短信", "信息", "消息", "营销", "推送"),
    *("广告", "的", "please", "pls", "all", "me", "通知", "服务"),
)
LETTER_FILLERS = ("回复", "回覆", "回", "发送", "请", "谢谢", "多谢", "谢")
# Whoever writes one of these may want no more messages, or may want something else: a person decides.
HINTS = re.compile(
    """
    退[订訂定]|推订|拒[收绝]|取消|屏蔽|拉黑|举报|投诉|骚扰|12321|12315|垃圾|停止|勿扰|勿发
    |[不别甭勿][要用想再许]{0,3}(发|打扰|骚扰|推送|收|联系|给我)|不要了?$|不需要|别烦|烦死|很烦|太烦|滚
    |unsub|stop|opt-?out|remove|^0+$|^[td]{2,4}.?$|^[tnr]\\d?$|^qx|td$
    """,
    re.VERBOSE,
)
_OTHER_THAN_WORDS = re.compile(r"[\W_]+")
_FILLED = re.compile("|".join(sorted(map(re.escape, FILLERS), key=len, reverse=True)))
_FILLED_LETTER = re.compile("|".join(sorted(map(re.escape, LETTER_FILLERS), key=len, reverse=True)))
# Nobody says more than this around a plain opt-out; a longer text is read by a person.
LONGEST_OPT_OUT = 20


def bare(text: str) -> str:
    """The letters, digits and characters of a text alone: in one width and case, without blanks and signs."""
    return _OTHER_THAN_WORDS.sub("", unicodedata.normalize("NFKC", text).casefold())


def words_of(line: str) -> list[str]:
    """The opt-out words that staff wrote into one line, as `likeness` takes them."""
    return [word for word in map(bare, re.split(r"[,，、;；\s]+", line)) if word]


def likeness(text: str, *, further_words: Iterable[str] = ()) -> Likeness:
    """
    How much a reply is an opt-out.

    It is one when nothing but opt-out words, their repetition and politeness is in it; whatever
    resembles one is a suggestion to staff. `further_words` are the shop's own, from `words_of`.
    """
    said = bare(text)
    words = WORDS.union(further_words)
    if len(said) <= LONGEST_OPT_OUT and _is_plain(said, words):
        return Likeness.OPT_OUT
    return Likeness.SUGGESTION if HINTS.search(said) else Likeness.CONVERSATION


def _is_plain(said: str, words: frozenset[str]) -> bool:
    """Whether a bare text is made of opt-out words and politeness alone."""
    if _is_made_of(said, words):
        return True
    long_words = frozenset(word for word in words if len(word) > 1)
    return _is_made_of(_FILLED_LETTER.sub("", said), words) or _is_made_of(_FILLED.sub("", said), long_words)


def _is_made_of(said: str, words: frozenset[str]) -> bool:
    """Whether a text is one of the words, one of them several times, or an instruction and its meaning."""
    if said in words:
        return True
    longer = sorted((word for word in words if len(word) > 1), key=len, reverse=True)
    if not longer:
        return False
    # "TD退订" and "TDTD", but not "TR": letters are words only when they stand alone or before one.
    sequence = "|".join(map(re.escape, longer))
    return re.fullmatch(f"[tnr]?(?:{sequence})+[tnr]?", said) is not None
