"""Callbacks: stored as they come, read later by jobs, purged when they are old."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Func, IntegerField

from customers.msgid import _
from notifications.choices import CallbackKind
from notifications.models import ProviderAccount, Receipt
from notifications.providers.base import Problem, Provider, Reply, Report
from notifications.services import gateways

# Providers push a hundred or a few hundred at a time.
ITEMS_AT_MOST = 5_000
# Of one transaction: some 5,000 reports, whether they come one at a time or five hundred.
TAKEN_AT_ONCE = 500
BYTES_AT_ONCE = 2 * 1024 * 1024
# Aliyun gives up on an address that answers a console's check, and perhaps a push, later than 700 ms. This holds for
# each of the three statements, and leaves some time for the rest.
STATEMENT_MILLISECONDS = 200
PAUSE, LONGEST_PAUSE = timedelta(seconds=2), timedelta(seconds=60)
PURGED_AT_ONCE = 5_000
ACKNOWLEDGEMENT = b'{"code": "ok"}'

TOO_MANY = _("The callback holds more than 5,000 items. The first 5,000 were read.")

KEEP = """
INSERT INTO notifications_receipt (account_id, kind, body, fingerprint, received_at, look_after, tries, problem)
VALUES (%s, %s, %s, %s, %s, %s, 0, '') ON CONFLICT (account_id, fingerprint) DO NOTHING
"""


@dataclass
class Contents:
    """What one callback holds."""

    callback: Receipt
    reports: Sequence[Report]
    replies: Sequence[Reply]
    problems: Sequence[Problem]


@contextmanager
def hurried() -> Iterator[None]:
    """A transaction that fails with a DatabaseError rather than keep a provider waiting."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"SET LOCAL statement_timeout = {STATEMENT_MILLISECONDS};"
            f" SET LOCAL lock_timeout = {STATEMENT_MILLISECONDS // 2}"
        )
        yield


def acknowledgement(account: ProviderAccount) -> bytes:
    """What the account's provider wants to hear; without it the callback comes again, or none ever."""
    return getattr(gateways.reader(account), "acknowledgement", ACKNOWLEDGEMENT)


def store(account: ProviderAccount, body: bytes, *, kind: CallbackKind, now: datetime) -> bool:
    """Keep a callback as it came; False when the provider has sent it before."""
    with connection.cursor() as cursor:
        # One statement: a provider waits for it.
        cursor.execute(KEEP, [account.pk, kind.value, body, hashlib.sha256(body).digest(), now, now])
        return cursor.rowcount == 1


def take(kind: CallbackKind, *, now: datetime) -> list[Contents]:
    """
    Lock the callbacks of a kind that are due, and read them; the caller's transaction concludes them.

    Callbacks of an account whose field names make no sense wait until they do, and hold up no other's.
    One that holds only the other kind goes there: some providers push both to one address.
    """
    readers = gateways.readers()
    found = []
    for callback in _due(kind, list(readers), now):
        contents = read(callback, readers[callback.account_id])
        if _is_of_other_kind(kind, contents):
            other = CallbackKind.REPLIES if kind == CallbackKind.RECEIPTS else CallbackKind.RECEIPTS
            Receipt.objects.filter(pk=callback.pk).update(kind=other, look_after=now)
        else:
            found.append(contents)
    return found


def read(callback: Receipt, provider: Provider) -> Contents:
    """What a callback holds, by its kind; a callback with nothing of its kind is asked for the other one."""
    body = bytes(callback.body)
    reports, replies = provider.read_reports, provider.read_replies
    own, other = (reports, replies) if callback.kind == CallbackKind.RECEIPTS else (replies, reports)
    items, problems = own(body)
    if problems and not items:
        others, others_problems = other(body)
        items, problems = (others, others_problems) if others else (items, problems)
    problems = list(problems)
    if len(items) > ITEMS_AT_MOST:
        problems.append(Problem("", TOO_MANY))
        items = items[:ITEMS_AT_MOST]
    return Contents(
        callback,
        reports=[item for item in items if isinstance(item, Report)],
        replies=[item for item in items if isinstance(item, Reply)],
        problems=problems,
    )


def conclude(understood: Sequence[tuple[Contents, str]], *, now: datetime) -> None:
    """Note that callbacks have been understood as far as they ever will, each with a problem, '' for none."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE notifications_receipt callback SET tries = tries + 1, applied_at = %s, problem = read.problem"
            " FROM unnest(%s::bigint[], %s::text[]) AS read(id, problem) WHERE callback.id = read.id",
            [
                now,
                [contents.callback.pk for contents, _problem in understood],
                [words[:200] for _, words in understood],
            ],
        )


def postpone(too_early: Sequence[Contents], *, now: datetime) -> None:
    """Look at callbacks again later, each time after a longer pause."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE notifications_receipt SET tries = tries + 1, look_after = %s + least(%s * 2 ^ tries, %s)"
            " WHERE id = ANY(%s)",
            [now, PAUSE, LONGEST_PAUSE, [contents.callback.pk for contents in too_early]],
        )


def purge(*, now: datetime) -> int:
    """Delete callbacks that were understood long ago: they hold numbers and texts; answers how many."""
    deadline = now - timedelta(days=settings.CALLBACK_DAYS)
    old = Receipt.objects.filter(applied_at__isnull=False, received_at__lt=deadline)
    return Receipt.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:PURGED_AT_ONCE])).delete()[0]


def _due(kind: CallbackKind, account_ids: Sequence[int], now: datetime) -> list[Receipt]:
    """Lock callbacks in the order in which they came, as many as one transaction works off."""
    waiting = Receipt.objects.filter(kind=kind, applied_at=None, look_after__lte=now, account__in=account_ids)
    sizes = (
        waiting.select_for_update(skip_locked=True, no_key=True)
        .order_by("look_after")
        .annotate(size=Func("body", function="octet_length", output_field=IntegerField()))
        .values_list("pk", "size")[:TAKEN_AT_ONCE]
    )
    chosen, total = [], 0
    for pk, size in sizes:
        total += size
        if chosen and total > BYTES_AT_ONCE:
            break
        chosen.append(pk)
    return list(Receipt.objects.filter(pk__in=chosen).order_by("look_after", "pk"))


def _is_of_other_kind(kind: CallbackKind, contents: Contents) -> bool:
    return bool(contents.replies if kind == CallbackKind.RECEIPTS else contents.reports)
