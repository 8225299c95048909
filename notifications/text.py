"""What an SMS is made of: characters, billed segments, the 【signature】 and the opt-out wording."""

import re
import unicodedata
from collections.abc import Iterator, Mapping

MAXIMUM_LENGTH = 500  # Carriers refuse longer texts, signature and opt-out wording included.
SINGLE_LENGTH = 70
PART_LENGTH = 67
DEFAULT_OPT_OUT = "拒收请回复R"

Note = tuple[str, Mapping[str, object]]


def _(msgid: str) -> str:
    """Mark a sentence for translation; it is translated where it is shown."""
    return msgid


# Length and price


def utf16_length(text: str) -> int:
    """The number of characters as carriers count them: an emoji is two."""
    if text.isascii():
        return len(text)
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


# The same in PostgreSQL, with the column in place of {value}; held against `utf16_length` by a test.
UTF16_LENGTH_IN_SQL = "(char_length({value}) + regexp_count({value}, '[\\U00010000-\\U0010FFFF]'))"


def segments_of_length(units: int) -> int:
    """The number of SMS that a text of this many UTF-16 units is billed as."""
    # One character over 70 turns one SMS into two of 67 each, and doubles the bill.
    if units <= SINGLE_LENGTH:
        return 1 if units else 0
    return -(-units // PART_LENGTH)


def segments(text: str) -> int:
    """The number of SMS that this text is billed as."""
    return segments_of_length(utf16_length(text))


def beyond(text: str, maximum: int = MAXIMUM_LENGTH) -> str:
    """The end of the text that lies beyond the limit, to be shown to its author."""
    return text[len(cut(text, maximum)) :]


def cut(text: str, maximum: int) -> str:
    """The beginning of the text that fits into this many UTF-16 units; no character is halved."""
    if len(text) * 2 <= maximum or utf16_length(text) <= maximum:
        return text
    kept = text.encode("utf-16-le", "surrogatepass")[: maximum * 2]
    return kept.decode("utf-16-le", "ignore")


# Personal values

# A carrier takes 【】 for a signature wherever it stands, and refuses a text with two.
_HARMLESS_BRACKETS = str.maketrans("【】", "〔〕")
_SPACES = {"Zs", "Zl", "Zp"}
_INVISIBLE = {"Cc", "Cf", "Cs"}
_LINE_BREAKS = "\t\n\v\f\r\x1c\x1d\x1e\x85"


def is_clean(value: str, maximum: int) -> bool:
    """Whether `clean_value` would certainly leave the value as it is."""
    return (
        value.isprintable()
        and (len(value) * 2 <= maximum or utf16_length(value) <= maximum)
        and "【" not in value
        and "】" not in value
        and value.strip() == value
    )


def clean_value(value: str, maximum: int) -> str:
    """
    A personal value as it may stand in a message: one line, visible, at most `maximum` UTF-16 units.

    Line breaks become blanks, control, bidirectional and zero-width marks vanish, 【】 become 〔〕.
    Cleaning a clean value changes nothing.
    """
    if is_clean(value, maximum):
        return value
    return cut(visible(value).translate(_HARMLESS_BRACKETS).strip(), maximum).strip()


def visible(text: str) -> str:
    """The text on one line, without the characters that no reader can see."""
    return "".join(
        " " if mark in _LINE_BREAKS or unicodedata.category(mark) in _SPACES else mark
        for mark in text
        if mark in _LINE_BREAKS or unicodedata.category(mark) not in _INVISIBLE
    )


def invisible_marks(text: str) -> Iterator[tuple[int, str]]:
    """Position and character of everything a reader cannot see, line breaks and emoji joiners apart."""
    if text.isprintable():
        return
    for position, mark in enumerate(text):
        if mark not in "\n\u200d" and unicodedata.category(mark) in _INVISIBLE | {"Zl", "Zp"}:
            yield position, mark


_LINK = re.compile(
    r"https?://|www\.|[a-z0-9][a-z0-9-]*\.(?:com|cn|net|org|top|vip|shop|cc|io|me|im|tv|xyz|ltd)(?![a-z0-9])",
    re.IGNORECASE,
)


def has_link(text: str) -> bool:
    """Whether the text holds a web address; carriers refuse one in a personal value."""
    return _LINK.search(text) is not None


# Providers that compose the message themselves refuse such values, and bill the refused call.
LONGEST_PARAMETER = 35
VALUE_TOO_LONG = "value_too_long"
VALUE_WITH_LINK = "value_with_link"


def unsuitable(parameters: Mapping[str, str]) -> str:
    """The reason why a provider would refuse one of these values; "" if it takes them all."""
    for value in parameters.values():
        if len(value) * 2 > LONGEST_PARAMETER and utf16_length(value) > LONGEST_PARAMETER:
            return VALUE_TOO_LONG
        if ("." in value or ":" in value) and has_link(value):
            return VALUE_WITH_LINK
    return ""


# Signature

_SIGNATURE = re.compile(r"【\s*([^【】\n]+?)\s*】")


def signature_of(text: str) -> str | None:
    """The signature typed at the front or else at the end of the text, without its brackets."""
    text = text.strip()
    front = _SIGNATURE.match(text)
    if front:
        return front[1]
    for found in _SIGNATURE.finditer(text):
        if found.end() == len(text):
            return found[1]
    return None


def bare_signature(signature: str) -> str:
    """The signature without brackets and blanks around it."""
    return signature.strip().strip("【】[]［］").strip()


def without_signature(body: str, signature: str) -> str:
    """The body without the signature typed by hand at its front or end."""
    body = body.strip()
    if not signature or f"【{signature}】" not in body:
        return body
    return body.removeprefix(f"【{signature}】").removesuffix(f"【{signature}】").strip()


# Opt-out wording

_STOP = "(?:退订|退訂|拒收|取消订阅|取消訂閱|不再接收)"
_REPLY = "(?:回复?|回覆|发送?|编辑|輸入|输入)(?:短信|字母|数字)?"
_ANY_KEYWORD = "(?:[A-Z]{1,4}|0{1,4}|[0-9])(?![A-Z0-9])"
_USUAL_KEYWORD = "(?:TDD?|T|N|R|QX)"
# What is missed here costs seven characters; what is wrongly seen costs a text without the wording,
# which the law fines. So a keyword without "reply" counts only if it is one of the usual ones.
_OPT_OUT_WORDINGS = re.compile(
    rf"{_STOP}[,:]?(?:请|可|则|就)?(?:直接)?{_REPLY}:?{_ANY_KEYWORD}"
    rf"|{_REPLY}:?{_ANY_KEYWORD}[,:]?(?:即可|可以|可|即|来|以|为)?{_STOP}"
    rf"|{_STOP}:?{_USUAL_KEYWORD}(?![A-Z0-9\u4e00-\u9fff])"
    rf"|(?<![A-Z0-9]){_USUAL_KEYWORD}{_STOP}"
)
_ENGLISH_KEYWORD = r"(?:STOP|UNSUBSCRIBE|TD|T|R|N)"
_ENGLISH_WORDINGS = re.compile(
    rf"\b(?:REPLY|TEXT|SEND) (?:WITH )?(?:STOP|UNSUBSCRIBE|{_ENGLISH_KEYWORD} TO (?:UNSUBSCRIBE|OPT.?OUT|STOP|END))\b"
    rf"|\b(?:UNSUBSCRIBE|OPT.?OUT)\b\W{{0,3}}(?:PLEASE )?(?:REPLY|TEXT|SEND) (?:WITH )?{_ENGLISH_KEYWORD}\b"
)
_SAID_BESIDE = re.compile(r"[\s\"'“”‘’「」『』《》<>()\[\]【】〔〕*-]")


def _folded(text: str) -> str:
    """The text in half-width capitals."""
    return unicodedata.normalize("NFKC", text).upper()


def has_opt_out_wording(text: str) -> bool:
    """Whether the text tells how to refuse further messages by a reply, in any of the usual wordings."""
    folded = _folded(text)
    return bool(
        _OPT_OUT_WORDINGS.search(_SAID_BESIDE.sub("", folded))
        or _ENGLISH_WORDINGS.search(" ".join(re.sub(r"[\"'“”‘’]", "", folded).split()))
    )


def says(text: str, opt_out: str) -> bool:
    """Whether the text already holds this very opt-out wording or another one."""
    wanted = _SAID_BESIDE.sub("", _folded(opt_out)).strip(",.。!")
    return has_opt_out_wording(text) or wanted in _SAID_BESIDE.sub("", _folded(text))


# The whole message

_ENDING_MARKS = frozenset("。！？；，、…～!?;,~")


def compose(
    body: str,
    *,
    signature: str,
    opt_out: str = "",
    typed_opt_out: bool | None = None,
    ends_in_value: bool = False,
) -> str:
    """
    The message as it is sent: 【signature】 once in front, the opt-out wording once at the end.

    A signature or wording typed by hand is not said twice; other 【】 become 〔〕. An empty signature or
    wording is left out. `typed_opt_out` tells what is known of the template, so that a customer who is
    called "TD退订" does not lose the wording; `ends_in_value` keeps the length independent of the
    last character of a personal value.
    """
    signature = bare_signature(signature)
    body = without_signature(body, signature)
    if "【" in body or "】" in body:
        body = body.translate(_HARMLESS_BRACKETS)
    if opt_out:
        typed = says(body, opt_out) if typed_opt_out is None else typed_opt_out
        if not typed:
            wording = opt_out.strip().lstrip("，,").strip()
            body = f"{body}{_separator(body, ends_in_value=ends_in_value)}{wording}"
    return f"【{signature}】{body}" if signature else body


def _separator(body: str, *, ends_in_value: bool) -> str:
    """What stands between the text and the opt-out wording."""
    if not body:
        return ""
    last = body[-1]
    if last in _ENDING_MARKS:
        return " " if ends_in_value else ""
    # A comma right behind a web address becomes part of the link on some phones.
    if last.isascii() and (last.isalnum() or last in "/=_-&") and has_link(body.split()[-1]):
        return " "
    return "，"


# Remarks for the author

# Article 9 of the Advertising Law forbids absolute terms; a breach costs 200,000 yuan and more.
# Most of these are also ordinary words (第一次, 最好), so they are pointed out and not refused.
ABSOLUTE_TERMS = (
    "国家级", "世界级", "最高级", "最佳", "最好", "最大", "最低价", "最便宜", "最新", "最先进", "第一", "唯一",
    "首个", "首选", "独家", "顶级", "顶尖", "极致", "极品", "终极", "绝对", "永久", "万能", "100%", "全网最低",
    "销量冠军", "王牌", "金牌", "史无前例", "绝无仅有",
)  # fmt: skip
# What Aliyun's and Tencent's template review refuses in SMS of every kind.
REVIEWED_TERMS = (
    "好评", "积分兑换", "积分领取", "返现", "返利", "抽奖", "中奖", "加微信", "微信号", "加群", "问卷", "直播",
)  # fmt: skip


def terms_in(text: str, terms: tuple[str, ...]) -> list[str]:
    """Which of the terms stand in the text, in the order of the list."""
    folded = _folded(text)
    return [term for term in terms if term in folded]


def notes(text: str) -> list[Note]:
    """What the author should know about the text before it goes out, as sentences and their values."""
    remarks: list[Note] = []
    wide = sorted({mark for mark in text if mark > "\uffff"})
    if wide:
        remarks.append((
            _("%(characters)s count as two characters each, and some phones show them as boxes or question marks."),
            {"characters": " ".join(wide)},
        ))  # fmt: skip
    absolute = terms_in(text, ABSOLUTE_TERMS)
    if absolute:
        remarks.append((
            _("The Advertising Law forbids absolute claims. Check whether these words make one: %(terms)s."),
            {"terms": "、".join(absolute)},
        ))  # fmt: skip
    reviewed = terms_in(text, REVIEWED_TERMS)
    if reviewed:
        remarks.append((
            _("SMS with these words are often refused when the provider reviews them: %(terms)s."),
            {"terms": "、".join(reviewed)},
        ))  # fmt: skip
    if has_link(text):
        remarks.append((
            _("The text holds a link. Carriers block links that are not declared with the template."),
            {},
        ))  # fmt: skip
    return remarks


def signature_notes(body: str, signature: str) -> list[Note]:
    """What the author should know about the brackets that were typed into the body."""
    rest = without_signature(body, signature)
    if "【" not in rest and "】" not in rest:
        return []
    return [(
        _("Only the signature 【%(signature)s】 may stand in 【】. The other brackets are sent as 〔〕."),
        {"signature": signature},
    )]  # fmt: skip


# Replies

_OPT_OUT_REPLIES = frozenset({
    "R", "T", "N", "TD", "TDD", "QX", "0", "00", "0000", "退", "退订", "退訂", "拒收", "取消", "不要", "不需要",
    "别发", "屏蔽", "STOP", "UNSUBSCRIBE",
})  # fmt: skip
_NEGATED = re.compile("(?:不|没|没有|不想|不用|不要|别|勿|误)[^,。]{0,2}(?:退订|退訂|拒收)|取消(?:退订|拒收)")


def opt_out_keyword(reply: str) -> bool | None:
    """Whether a reply refuses further messages; None if a person has to read it."""
    folded = _folded(reply)
    bare = "".join(mark for mark in folded if mark.isalnum())
    if bare in _OPT_OUT_REPLIES:
        return True
    if "退订" in bare or "退訂" in bare or "拒收" in bare:
        return None if _NEGATED.search(bare) else True
    return None if bare else False
