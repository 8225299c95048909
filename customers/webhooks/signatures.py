"""Whether a push was signed by whom it says it is from."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from customers.msgid import _

# So far a push's own time may lie from ours, either way: a push that was overheard is worth nothing later.
REPLAY_WINDOW = timedelta(minutes=5)

UNSIGNED = _("The signature is missing.")
WRONG = _("The signature is not that of this secret.")
WITHOUT_TIME = _("The header with the time is missing, or is no number of seconds.")
TOO_OLD = _("The time in the header is more than five minutes away from ours.")


class BadSignature(Exception):
    """A push that is not believed; the text is a msgid."""


@dataclass(frozen=True)
class Signing:
    """
    How a shop system signs.

    `style`: "base64" or "hex" of the HMAC-SHA256 of the body; "timestamped", hex of that of the time, a point and
    the body; "joined", hex of the MD5 of client ID, body and secret.
    """

    style: str
    header: str
    timestamp_header: str = ""


def check(
    signing: Signing, body: bytes, headers: Mapping[str, str], *, secret: str, client_id: str = "", real_now: datetime
) -> None:
    """Raises BadSignature unless the push was signed with this secret, and lately where it has a time."""
    given = headers.get(signing.header, "").strip()
    if not given:
        raise BadSignature(UNSIGNED)
    signed = body
    if signing.style == "timestamped":
        at = headers.get(signing.timestamp_header, "").strip()
        _check_time(at, real_now)
        signed = at.encode() + b"." + body
        given = given.removeprefix("sha256=")
    if not hmac.compare_digest(_expected(signing, signed, secret, client_id), given.encode("utf-8", "replace")):
        raise BadSignature(WRONG)


def _expected(signing: Signing, signed: bytes, secret: str, client_id: str) -> bytes:
    if signing.style == "joined":
        return hashlib.md5(client_id.encode() + signed + secret.encode(), usedforsecurity=False).hexdigest().encode()
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return base64.b64encode(digest) if signing.style == "base64" else digest.hex().encode()


def _check_time(at: str, real_now: datetime) -> None:
    if not (at.isascii() and at.isdigit() and len(at) <= 12):
        raise BadSignature(WITHOUT_TIME)
    if abs(real_now.timestamp() - int(at)) > REPLAY_WINDOW.total_seconds():
        raise BadSignature(TOO_OLD)
