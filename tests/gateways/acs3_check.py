"""Verifies ACS3-HMAC-SHA256 strictly, as Aliyun's gateway does: everything is computed again from raw bytes."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, unquote_plus

from tests.gateways.server import Request

WINDOW_SECONDS = 15 * 60
AUTHORIZATION = re.compile(r"ACS3-HMAC-SHA256 Credential=([^,]+),SignedHeaders=([a-z0-9;-]+),Signature=([0-9a-f]{64})")
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
NEEDED = ("host", "x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce", "x-acs-version")


class Refused(Exception):
    """A call that Aliyun's gateway does not let through: HTTP status, code and words."""

    def __init__(self, status: int, code: str, words: str):
        super().__init__(words)
        self.status = status
        self.code = code


def verify(request: Request, *, secrets: Mapping[str, str], now: float, nonces: set[str]) -> None:
    """Let a call through and remember its nonce. Raises Refused."""
    headers = request.headers
    for name in NEEDED:
        if not headers.get(name):
            raise Refused(400, f"Missing{name.removeprefix('x-acs-').title().replace('-', '')}", f"{name} is missing.")
    found = AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if not found:
        raise Refused(400, "IncompleteSignature", "The Authorization header cannot be read.")
    key_id, listed, signature = found.groups()
    if key_id not in secrets:
        raise Refused(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
    check_date(headers["x-acs-date"], now)
    signed = listed.split(";")
    unsigned = {name for name in headers if name.startswith("x-acs-")} | {"host"}
    unsigned |= {"content-type"} if request.body else set()
    if signed != sorted(signed) or unsigned - set(signed) or set(signed) - set(headers):
        raise Refused(400, "SignatureDoesNotMatch", "The signed headers are not those of the request.")
    if headers["x-acs-content-sha256"] != hashlib.sha256(request.body).hexdigest():
        raise Refused(400, "SignatureDoesNotMatch", "The hash is not that of the body.")
    ours = hmac.new(secrets[key_id].encode(), to_sign(request, signed), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(ours, signature):
        raise Refused(400, "SignatureDoesNotMatch", "Specified signature does not match our calculation.")
    if (nonce := headers["x-acs-signature-nonce"]) in nonces:
        raise Refused(400, "SignatureNonceUsed", "Specified signature nonce was used already.")
    nonces.add(nonce)


def check_date(date: str, now: float) -> None:
    """Refuse a date that is none, or more than 15 minutes off."""
    if not DATE.fullmatch(date):
        raise Refused(400, "InvalidTimeStamp.Format", "Specified time stamp is not well formatted.")
    said = datetime.strptime(date, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    if abs(said - now) > WINDOW_SECONDS:
        raise Refused(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")


def to_sign(request: Request, signed: list[str]) -> bytes:
    """The string to sign, by the documents and without a line of the product."""
    pairs = [pair.partition("=")[::2] for pair in request.query.split("&") if pair]
    # The official client signs %20 and sends +.
    decoded = sorted((unquote_plus(name), unquote_plus(value)) for name, value in pairs)
    query = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in decoded)
    headers = "".join(f"{name}:{request.headers[name]}\n" for name in signed)
    canonical = "\n".join(
        [request.method, request.path, query, headers, ";".join(signed), request.headers["x-acs-content-sha256"]]
    )
    return f"ACS3-HMAC-SHA256\n{hashlib.sha256(canonical.encode()).hexdigest()}".encode()
