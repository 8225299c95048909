"""Reads JSON of strangers: nothing they can write raises, and nothing they write is trusted."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

LONGEST_WORD = 200
LONGEST_TEXT = 2000
# Chinese gateways give local times without a zone; China has had one zone without summer time since 1991.
CHINA = timezone(timedelta(hours=8))
NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")
FIRST_SECOND, FIRST_MILLISECOND = 10**8, 10**11


def dump(value: Any) -> bytes:
    """JSON as it goes over the wire; a lone surrogate, which no gateway can print, becomes a ?."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def load(body: bytes) -> Any:
    """The JSON value in UTF-8 or GB18030, or None when it cannot be read."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return json.loads(body.decode(encoding))
        except (ValueError, RecursionError):
            continue
    return None


def value_at(document: Any, path: str) -> Any:
    """The value under a dotted path such as `data.list`, or None."""
    if not path:
        return None
    for name in path.split("."):
        if not isinstance(document, dict):
            return None
        document = document.get(name)
    return document


def text_of(value: Any) -> str:
    """A short text or number as text; anything else is empty."""
    # First what nearly every value is, in the cheapest way: a call asks this three times a message.
    if value.__class__ is str and len(value) <= LONGEST_WORD and value.isprintable():
        return value
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)[:LONGEST_WORD]
    return ""


def clean(words: str) -> str:
    """Foreign words fit to be stored and shown: printable, on one line, of bounded length."""
    cut = words[:LONGEST_WORD]
    return "".join(sign if sign.isprintable() else " " for sign in cut).strip()


def clean_text(text: str) -> str:
    """A customer's text fit to be stored: with its line breaks, without NUL and half characters."""
    return NOT_STORABLE.sub("", text[:LONGEST_TEXT])


def plain_number(number: Any) -> str:
    """The digits of a phone number that tell it from others, without country code and signs."""
    return "".join(sign for sign in text_of(number) if sign in "0123456789")[-11:]


def same_number(theirs: Any, ours: str) -> bool:
    """Whether two spellings mean one phone number."""
    return theirs == ours or plain_number(theirs) == plain_number(ours)


def moment(value: Any) -> datetime | None:
    """A moment with its zone from ISO 8601, `yyyyMMddHHmmss`, or seconds or milliseconds since 1970."""
    text = text_of(value).strip()
    try:
        if text.isascii() and text.isdigit() and len(text) != 14:
            return moment_since_1970(int(text))
        read = datetime.strptime(text, "%Y%m%d%H%M%S") if len(text) == 14 else datetime.fromisoformat(text)
        read = read if read.tzinfo else read.replace(tzinfo=CHINA)
        return read.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def moment_since_1970(number: int) -> datetime | None:
    """A moment from seconds or milliseconds; other magnitudes are no moment of ours."""
    if number < FIRST_SECOND:
        return None
    seconds = number / 1000 if number >= FIRST_MILLISECOND else number
    return datetime.fromtimestamp(seconds, tz=UTC)
