"""Keys to the API: made, shown once, asked for by their fingerprint, revoked."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection

from customers.models import ApiKey
from customers.services import prepared

MARK = "hy_"
RANDOM_BYTES = 32
SHOWN = 10
LONGEST_KEY = 200

# One statement for what every request needs: whose key it is, whether it may ask once more, and what time it is. The
# minute is the real one: a clock that is shifted for a rehearsal must not let anybody ask more often.
ADMIT = """
WITH asked AS (
    SELECT id, name, scopes, rate, last_used_at FROM customers_apikey
    WHERE fingerprint = %(fingerprint)s AND revoked_at IS NULL
), counted AS (
    INSERT INTO customers_apiusage AS usage (key_id, minute, used)
    SELECT id, date_trunc('minute', clock_timestamp()), 1 FROM asked
    ON CONFLICT (key_id) DO UPDATE SET
        used = CASE WHEN usage.minute = excluded.minute THEN usage.used + 1 ELSE 1 END, minute = excluded.minute
    RETURNING used, ceil(60 - extract(second FROM clock_timestamp()))::integer AS seconds
), noted AS (
    UPDATE customers_apikey key SET last_used_at = hongyan_now()
    FROM asked
    WHERE key.id = asked.id
      AND coalesce(asked.last_used_at NOT BETWEEN hongyan_now() - interval '1 minute' AND hongyan_now(), true)
)
SELECT asked.id, asked.name, asked.scopes, asked.rate, counted.used, counted.seconds, hongyan_now()
FROM asked, counted
"""


@dataclass(frozen=True)
class Caller:
    """Who asks: the key, what it may do, how often it asked in this minute, and when this is."""

    key_id: int
    name: str
    scopes: frozenset[str]
    rate: int
    used: int
    seconds_left: int
    now: datetime

    @property
    def is_too_quick(self) -> bool:
        """Whether the key has asked more often than it may in this minute."""
        return self.used > self.rate


def issue(
    *, name: str, scopes: Sequence[str], rate: int, by: AbstractBaseUser | None, now: datetime
) -> tuple[ApiKey, str]:
    """Make a key; answers it with its secret, which nobody can read a second time."""
    secret = MARK + secrets.token_urlsafe(RANDOM_BYTES)
    key = ApiKey.objects.create(
        name=name,
        prefix=secret[:SHOWN],
        fingerprint=fingerprint(secret),
        scopes=list(scopes),
        rate=rate,
        created_at=now,
        created_by=by,
    )
    return key, secret


def fingerprint(secret: str) -> bytes:
    """What is kept of a key, and what it is found by."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def admit(secret: str) -> Caller | None:
    """Who asks with this key, counted as one request; None where nobody may."""
    if not secret.startswith(MARK) or len(secret) > LONGEST_KEY:
        return None
    # The first statement of a request: a connection that the server has dropped is opened anew.
    connection.close_if_health_check_failed()
    row = next(iter(prepared.rows(ADMIT, {"fingerprint": fingerprint(secret)})), None)
    return Caller(row[0], row[1], frozenset(row[2]), *row[3:]) if row else None


def revoke(key_id: int, *, now: datetime) -> int:
    """Believe a key no longer; answers 0 where it was revoked before."""
    return ApiKey.objects.filter(pk=key_id).revoke(now)
