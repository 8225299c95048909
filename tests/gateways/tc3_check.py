"""Verifies TC3-HMAC-SHA256 strictly, as Tencent Cloud does: everything is computed again from raw bytes."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from tests.gateways.server import Request

WINDOW_SECONDS = 5 * 60
VERSION = "2021-01-11"
REGIONS = {"ap-beijing", "ap-guangzhou", "ap-nanjing"}
AUTHORIZATION = re.compile(
    r"TC3-HMAC-SHA256 Credential=([^/, ]+)/(\d{4}-\d\d-\d\d)/([a-z]+)/tc3_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})"
)


class Refused(Exception):
    """A call that is not let through: its code and words."""

    def __init__(self, code: str, words: str = ""):
        super().__init__(words or code)
        self.code = code


def verify(request: Request, *, secrets: Mapping[str, str], host: str, now: float) -> None:
    """Let a call through. Raises Refused."""
    headers = request.headers
    found = AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if not found:
        raise Refused("AuthFailure.InvalidAuthorization", "The Authorization header cannot be read.")
    key_id, date, service, listed, signature = found.groups()
    said = headers.get("x-tc-timestamp", "")
    if not re.fullmatch(r"[1-9]\d{9}", said):
        raise Refused("MissingParameter", "X-TC-Timestamp")
    if abs(int(said) - now) > WINDOW_SECONDS:
        raise Refused("AuthFailure.SignatureExpire", "The time stamp is more than five minutes off.")
    if key_id not in secrets:
        raise Refused("AuthFailure.SecretIdNotFound", "The SecretId is not found.")
    names = listed.split(";")
    if names != sorted(names) or not {"content-type", "host"} <= set(names) <= set(headers):
        raise Refused("AuthFailure.InvalidAuthorization", "The signed headers are not those of the request.")
    is_the_day = datetime.fromtimestamp(int(said), UTC).strftime("%Y-%m-%d") == date
    if not is_the_day or service != "sms" or headers["host"] != host:
        raise Refused("AuthFailure.SignatureFailure", "Date, service or host is not that of the call.")
    ours = signature_of(request, names, secret=secrets[key_id], timestamp=said, date=date)
    if not hmac.compare_digest(ours, signature):
        raise Refused("AuthFailure.SignatureFailure", "The signature is not that of the request.")
    check_call(request)


def signature_of(request: Request, names: list[str], *, secret: str, timestamp: str, date: str) -> str:
    """The signature by the documents and without a line of the product."""
    headers = "".join(f"{name}:{request.headers[name].lower()}\n" for name in names)
    digest = hashlib.sha256(request.body).hexdigest()
    canonical = f"{request.method}\n{request.path}\n{request.query}\n{headers}\n{';'.join(names)}\n{digest}"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    key = ("TC3" + secret).encode()
    for part in (date, "sms", "tc3_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = f"TC3-HMAC-SHA256\n{timestamp}\n{date}/sms/tc3_request\n{hashed}"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def check_call(request: Request) -> None:
    """Refuse what is signed well and said badly. Raises Refused."""
    headers = request.headers
    if request.method != "POST" or request.target != "/" or headers["content-type"] != "application/json":
        raise Refused("InvalidParameter", "POST to / as application/json.")
    if headers.get("x-tc-version") != VERSION:
        raise Refused("NoSuchVersion")
    if not headers.get("x-tc-region"):
        raise Refused("MissingParameter", "X-TC-Region")
    if headers["x-tc-region"] not in REGIONS:
        raise Refused("UnsupportedRegion", headers["x-tc-region"])
