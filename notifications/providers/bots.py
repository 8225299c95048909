"""Group bots of DingTalk, WeCom and Feishu: one text to the staff's own chat."""

import base64
import hashlib
import hmac
import json
from collections.abc import Collection
from urllib.parse import quote

from customers.msgid import _
from notifications.providers.addresses import Address, RefusedAddress, check_url, is_listed
from notifications.providers.base import unknown_code
from notifications.providers.http import AnswerLost, CallFailed, HttpClient

DINGTALK, WECOM, FEISHU = "dingtalk", "wecom", "feishu"
# A bot's address is a secret that staff paste: elsewhere than at its maker it is a mistake or an attack.
HOSTS = {
    DINGTALK: frozenset({"oapi.dingtalk.com"}),
    WECOM: frozenset({"qyapi.weixin.qq.com"}),
    FEISHU: frozenset({"open.feishu.cn", "open.larksuite.com"}),
}
# In bytes; WeCom takes 2,048, the others 20,000 for the whole request.
LONGEST_TEXT = {DINGTALK: 16_000, WECOM: 2_000, FEISHU: 16_000}

FOREIGN_HOST = _("This is not the address of such a bot. Copy it from the bot's settings in the group.")
NOT_SECURE = _("The bot's address must begin with https://.")
WRONG_KEY = _("The bot refused the signature. Copy its signing key anew, and check the clock of this server.")
NOT_FITTING = _(
    "The bot refused: its keyword, signing key or address list does not fit. "
    "Choose signing as its protection and enter the key here."
)
NOT_LISTED = _("The bot takes calls only from its list of addresses. Add the address of this server there.")
NO_KEYWORD = _("The bot takes only texts with its keyword. Choose signing as its protection instead.")
UNKNOWN_BOT = _("The bot does not know this address. It was removed or copied wrongly: copy it anew.")
TOO_FAST = _("The bot got too many texts within a minute. It takes the next ones in a few minutes.")
BAD_REQUEST = _("The bot did not understand the text.")
NO_ANSWER = _("The bot did not answer in time. It may have taken the text.")
NOT_REACHED = _("The bot could not be reached.")
NO_SENSE = _("The bot's answer makes no sense. Check its address.")

CODES = {
    DINGTALK: {310000: NOT_FITTING, 130101: TOO_FAST, 410100: TOO_FAST, 300001: UNKNOWN_BOT, 300005: UNKNOWN_BOT},
    WECOM: {93000: UNKNOWN_BOT, 93017: UNKNOWN_BOT, 45009: TOO_FAST, 45033: TOO_FAST, 40058: BAD_REQUEST},
    FEISHU: {
        19001: UNKNOWN_BOT, 19021: WRONG_KEY, 19022: NOT_LISTED, 19024: NO_KEYWORD, 11232: TOO_FAST, 9499: BAD_REQUEST,
    },
}  # fmt: skip


class NotTold(Exception):
    """The text did not reach the chat; the words are a msgid that says why and what to do."""


def check_address(kind: str, url: str, *, private_hosts: Collection[str] = ()) -> Address:
    """The address of a bot of a kind. Raises RefusedAddress with a sentence for staff."""
    address = check_url(url, private_hosts=private_hosts)
    if is_listed(address, private_hosts=private_hosts):
        return address
    if address.host not in HOSTS[kind]:
        raise RefusedAddress(FOREIGN_HOST)
    if not address.secure:
        raise RefusedAddress(NOT_SECURE)
    return address


def tell(kind: str, text: str, *, url: str, secret: str, timestamp: float, client: HttpClient) -> None:
    """Say a text in the chat of a bot; `timestamp` in seconds of 1970. Raises NotTold."""
    try:
        check_address(kind, url, private_hosts=client.private_hosts)
        url, body = _call(kind, shortened(text, limit=LONGEST_TEXT[kind]), url, secret, timestamp)
        answer = client.post(
            url, body=json.dumps(body, ensure_ascii=False).encode(), headers={"Content-Type": "application/json"}
        )
    except RefusedAddress as refusal:
        raise NotTold(str(refusal)) from refusal
    except AnswerLost as trouble:
        raise NotTold(NO_ANSWER) from trouble
    except CallFailed as trouble:
        raise NotTold(NOT_REACHED) from trouble
    _read(kind, answer.body)


def dingtalk_signature(secret: str, milliseconds: int) -> str:
    """The signature in a DingTalk address, not yet quoted."""
    return _hmac(key=secret, message=f"{milliseconds}\n{secret}")


def feishu_signature(secret: str, seconds: int) -> str:
    """The signature in a Feishu body: what others sign is the key here, and nothing is signed with it."""
    return _hmac(key=f"{seconds}\n{secret}", message="")


def shortened(text: str, *, limit: int) -> str:
    """A text of at most so many bytes, whole characters only."""
    encoded = text.encode()
    return text if len(encoded) <= limit else encoded[: limit - 3].decode(errors="ignore") + "…"


def _call(kind: str, text: str, url: str, secret: str, timestamp: float) -> tuple[str, dict]:
    if kind == FEISHU:
        body = {"msg_type": "text", "content": {"text": text}}
        seconds = int(timestamp)
        signed = {"timestamp": str(seconds), "sign": feishu_signature(secret, seconds)} if secret else {}
        return url, signed | body
    if kind == DINGTALK and secret:
        milliseconds = int(timestamp * 1000)
        sign = quote(dingtalk_signature(secret, milliseconds), safe="")
        url = f"{url}{'&' if '?' in url else '?'}timestamp={milliseconds}&sign={sign}"
    return url, {"msgtype": "text", "text": {"content": text}}


def _read(kind: str, body: bytes) -> None:
    """Raise NotTold unless the answer says that the text was taken; the HTTP status is 200 in any case."""
    try:
        answer = json.loads(body)
        code = answer["code" if kind == FEISHU else "errcode"]
    except (ValueError, TypeError, KeyError, RecursionError) as trouble:
        raise NotTold(NO_SENSE) from trouble
    if code != 0:
        said = str(answer.get("msg" if kind == FEISHU else "errmsg", ""))[:100]
        raise NotTold(
            CODES[kind].get(code) if isinstance(code, int) and code in CODES[kind] else unknown_code(str(code), said)
        )


def _hmac(*, key: str, message: str) -> str:
    return base64.b64encode(hmac.new(key.encode(), message.encode(), hashlib.sha256).digest()).decode()
