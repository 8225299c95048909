"""Replies: an opt-out holds at once, everything else waits for a person on the customer's page."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction

from customers.choices import ConsentSource
from customers.services import consent, removals
from notifications import opt_out_words
from notifications.choices import CallbackKind, ReplyHandling, ReplyMeaning
from notifications.models import ProviderAccount, Receipt, Reply, Signature
from notifications.providers import base
from notifications.services import callbacks
from notifications.services.callbacks import Contents

LONGEST_SIGNATURE = Reply._meta.get_field("signature").max_length
LONGEST_PROVIDER_ID = Reply._meta.get_field("provider_id").max_length
LONGEST_NUMBER = Reply._meta.get_field("number").max_length

# Of several customers with one number it is the one whom we wrote to last.
ADDRESSEES = """
SELECT DISTINCT ON (point.address) point.address, point.customer_id
FROM customers_contactpoint point
LEFT JOIN LATERAL (
    SELECT d.sent_at FROM notifications_delivery d
    WHERE d.customer_id = point.customer_id AND d.address = point.address AND d.sent_at IS NOT NULL
    ORDER BY d.sent_at DESC LIMIT 1
) AS latest ON true
WHERE point.channel = %s AND point.address = ANY(%s)
ORDER BY point.address, latest.sent_at DESC NULLS LAST, point.customer_id
"""

BLANK = """
UPDATE notifications_reply reply SET number = '', text = '', signature = '', provider_id = ''
FROM customers_customer customer
WHERE customer.id = reply.customer_id AND customer.erased_at IS NOT NULL AND reply.number <> ''
"""


def apply(*, now: datetime) -> Counter:
    """
    Work off the callbacks that hold replies; answers the number of replies by their meaning.

    A reply is kept in the transaction in which its opt-out takes effect, so neither is there without
    the other. The gate is shut for that moment: nothing is handed over later to who said stop.
    """
    total: Counter = Counter()
    with transaction.atomic():
        waiting = callbacks.take(CallbackKind.REPLIES, now=now)
        removals.hold_off()
        words = _further_words() if waiting else {}
        for contents in waiting:
            total += _keep(contents, words, now)
            total["problems"] += len(contents.problems)
        callbacks.conclude([(one, one.problems[0].words if one.problems else "") for one in waiting], now=now)
    return +total


def take_as_opt_out(reply: Reply, *, by: AbstractBaseUser, now: datetime) -> bool:
    """A person says that a reply is an opt-out; False where somebody was first."""
    with transaction.atomic():
        if not Reply.objects.filter(pk=reply.pk).handle(ReplyHandling.OPTED_OUT, by=by, now=now):
            return False
        _withdraw(reply, by=by, now=now)
    return True


def take_as(reply: Reply, handling: ReplyHandling, *, by: AbstractBaseUser, now: datetime) -> bool:
    """A person has answered a reply, or says that it is no opt-out; False where somebody was first."""
    return bool(Reply.objects.filter(pk=reply.pk).handle(handling, by=by, now=now))


def blank_erased() -> int:
    """Blank what customers said who were erased since; answers how many replies."""
    with connection.cursor() as cursor:
        cursor.execute(BLANK)
        return cursor.rowcount


def fingerprint(reply: base.Reply) -> bytes:
    """What tells two replies apart: the provider's id, or who said what at which moment."""
    said = [reply.number, reply.provider_id]
    if not reply.provider_id:
        said += [reply.text, reply.at.isoformat() if reply.at else ""]
    return hashlib.sha256("\0".join(said).encode("utf-8", "replace")).digest()


def _keep(contents: Contents, words: dict[str, set[str]], now: datetime) -> Counter:
    """Keep the replies of one callback that are new, and let the opt-outs among them take effect."""
    account = contents.callback.account
    heard = {_fingerprint_of(contents.callback, reply): reply for reply in contents.replies}
    known = Reply.objects.filter(account=account, fingerprint__in=list(heard)).values_list("fingerprint", flat=True)
    for seen in known:
        heard.pop(bytes(seen))
    customers = _customers_of(account, [reply.number for reply in heard.values()])
    fresh = [
        Reply(
            account=account,
            customer_id=customers.get(reply.number),
            number=reply.number[:LONGEST_NUMBER],
            text=reply.text,
            signature=reply.signature[:LONGEST_SIGNATURE],
            provider_id=reply.provider_id[:LONGEST_PROVIDER_ID],
            fingerprint=mark,
            said_at=min(reply.at or contents.callback.received_at, now),
            received_at=contents.callback.received_at,
            meaning=_meaning(reply, words),
        )
        for mark, reply in heard.items()
    ]
    # Another worker may be keeping the same reply out of another callback; opting out twice does no harm.
    Reply.objects.bulk_create(fresh, ignore_conflicts=True)
    for reply in fresh:
        if reply.meaning == ReplyMeaning.OPT_OUT:
            _withdraw(reply, by=None, now=now)
    return Counter(reply.meaning for reply in fresh) + Counter(repeated=len(contents.replies) - len(fresh))


def _fingerprint_of(callback: Receipt, reply: base.Reply) -> bytes:
    """The fingerprint; a reply without a moment of its own is told apart by the callback that brought it."""
    if reply.provider_id or reply.at:
        return fingerprint(reply)
    return hashlib.sha256(fingerprint(reply) + bytes(callback.fingerprint)).digest()


def _withdraw(reply: Reply, *, by: AbstractBaseUser | None, now: datetime) -> None:
    """Opt the number out, with the customer's own words as evidence."""
    consent.withdraw_everywhere(
        reply.number,
        channel=reply.account.channel,
        source=ConsentSource.REPLY,
        wording=reply.text,
        happened_at=reply.said_at,
        by=by,
        now=now,
    )


def _customers_of(account: ProviderAccount, numbers: Sequence[str]) -> dict[str, int]:
    """Who has these numbers."""
    with connection.cursor() as cursor:
        cursor.execute(ADDRESSEES, [account.channel, list(numbers)])
        return dict(cursor.fetchall())


def _further_words() -> dict[str, set[str]]:
    """The shop's own opt-out words by signature; under '' those of all, for providers that name none."""
    words: dict[str, set[str]] = {"": set()}
    for name, line in Signature.objects.values_list("name", "opt_out_words"):
        words[name] = set(opt_out_words.words_of(line))
        words[""] |= words[name]
    return words


def _meaning(reply: base.Reply, words: dict[str, set[str]]) -> ReplyMeaning:
    further = words.get(reply.signature.strip("【】[] "), words[""])
    return ReplyMeaning(opt_out_words.likeness(reply.text, further_words=further).value)
