"""TC3-HMAC-SHA256: how Tencent Cloud knows that a call is ours and arrived to the byte as it left."""

import hashlib
import hmac
from datetime import UTC, datetime

ALGORITHM = "TC3-HMAC-SHA256"
CONTENT_TYPE = "application/json"
SIGNED_HEADERS = "content-type;host"


def authorization(*, key_id: str, secret: str, host: str, body: bytes, timestamp: int, service: str = "sms") -> str:
    """The Authorization header of a POST to / whose `X-TC-Timestamp` is the timestamp, in seconds since 1970."""
    # The date has to be that of the timestamp in UTC: with the local one, calls fail from midnight to 8 o'clock.
    date = datetime.fromtimestamp(timestamp, tz=UTC).strftime("%Y-%m-%d")
    scope = f"{date}/{service}/tc3_request"
    to_sign = string_to_sign(canonical_request(host=host, body=body), timestamp=timestamp, scope=scope)
    key = f"TC3{secret}".encode()
    for part in (date, service, "tc3_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    return f"{ALGORITHM} Credential={key_id}/{scope}, SignedHeaders={SIGNED_HEADERS}, Signature={signature}"


def canonical_request(*, host: str, body: bytes) -> str:
    """What of a call is signed: its method, path, two headers and the bytes of its body."""
    digest = hashlib.sha256(body).hexdigest()
    return f"POST\n/\n\ncontent-type:{CONTENT_TYPE}\nhost:{host}\n\n{SIGNED_HEADERS}\n{digest}"


def string_to_sign(request: str, *, timestamp: int, scope: str) -> str:
    """A canonical request, bound to a second and a service."""
    return f"{ALGORITHM}\n{timestamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
