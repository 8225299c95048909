"""The same request twice is done once: answers kept for a day under the caller's own idempotency key."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.utils.translation import gettext_lazy as _

from customers.models import ApiAnswer

KEPT_FOR = timedelta(hours=24)
PURGED_AT_ONCE = 5_000


class InProgress(Exception):
    """The same request is being done at this moment."""


class AnotherRequest(Exception):
    """The idempotency key was used for another request; the text is a sentence for the caller."""


@dataclass(frozen=True)
class Given:
    """An answer that was given before."""

    status: int
    body: bytes


def fingerprint(method: str, path: str, body: bytes) -> bytes:
    """What makes two requests the same."""
    return hashlib.sha256(b"\0".join([method.encode(), path.encode("utf-8", "replace"), body])).digest()


def hold(key_id: int, idempotency_key: str, asked: bytes) -> Given | None:
    """
    Keep everybody else from doing this request until the transaction ends; answers what was answered before.

    The lock is taken by a statement of its own, so that the look after it sees what its last holder committed.
    Raises InProgress, or AnotherRequest.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, %s))", [f"api-answer:{idempotency_key}", key_id]
        )
        if not cursor.fetchone()[0]:
            raise InProgress
    known = ApiAnswer.objects.filter(key_id=key_id, idempotency_key=idempotency_key).first()
    if known is None:
        return None
    if bytes(known.fingerprint) != asked:
        raise AnotherRequest(
            _("This Idempotency-Key was used for another request within the last 24 hours. Use a new one.")
        )
    return Given(known.status, bytes(known.body))


def keep(key_id: int, idempotency_key: str, asked: bytes, given: Given, *, now: datetime) -> None:
    """Keep an answer in the transaction that did what it tells of: both are there, or neither."""
    ApiAnswer.objects.create(
        key_id=key_id,
        idempotency_key=idempotency_key,
        fingerprint=asked,
        status=given.status,
        body=given.body,
        created_at=now,
    )


def purge(*, now: datetime) -> int:
    """Forget answers that are older than a day; answers how many."""
    old = ApiAnswer.objects.filter(created_at__lt=now - KEPT_FOR)
    return ApiAnswer.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:PURGED_AT_ONCE])).delete()[0]
