"""Authorizing: the last check before a call, and the moment from which it counts."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction

from customers import clock
from customers.choices import Purpose
from customers.crash_points import reach
from customers.services import gate
from notifications import caps, hot, screening
from notifications.choices import CapPolicy, HeldFor
from notifications.models import FrequencyCap, Hold, Message, ProviderAccount
from notifications.services import budgets, last_stops, slots, submissions
from notifications.services.last_stops import LastLook
from notifications.services.preparing import Prepared
from notifications.services.slots import Frees
from notifications.services.submissions import LEASE, Leased


@dataclass
class Authorized:
    """What may be handed over now, and from which moment it counts."""

    called_at: datetime
    ids: set[int] = field(default_factory=set)
    account: ProviderAccount | None = None
    # The same moment on the clock of this machine, which no call may begin long after.
    since: float = field(default_factory=time.monotonic)


class Verdict(NamedTuple):
    """The first reason against a delivery ('' for none), and the milliseconds at which caps and limit free it."""

    reason: str
    by_caps: int | None = None
    by_limit: int | None = None


PASSES = Verdict("")
# SQL: whether message `m` may go out at the moment `now.at`; parameter: the account. No lock on the switch:
# whoever moves it shuts the gate that is held open while this decides.
WANTED = """m.paused_at IS NULL AND m.canceled_at IS NULL AND m.send_until > now.at
    AND EXISTS (SELECT FROM notifications_provideraccount WHERE id = %s AND is_active AND paused_for = '')
    AND NOT EXISTS (SELECT FROM notifications_sendingswitch WHERE stopped_at IS NOT NULL)"""
FREE = Frees(None, None)
# Until the first of two messages to the same person counts.
A_MOMENT = timedelta(seconds=1)
Verdicts = dict[int, Verdict]


def authorize(
    message: Message,
    leased: Sequence[Leased],
    prepared: Sequence[Prepared],
    *,
    unsendable: dict[int, str],
    account: ProviderAccount,
) -> Authorized | None:
    """
    Decide, once and last, what of these submissions is handed over, and write `called_at`.

    1. Hold the consent gate open, and the message still.
    2. Keep only submissions that are still ours.
    3. Lock what person and address lately got, in one order for all workers, then the orders spoken of.
    4. Screen every delivery again, and ask what makes it pointless; take the slots of those that pass.
    5. Skip or hold the others, and write `called_at`.

    Answers None when the message may not send now; its submissions are then queued again. Where the
    account's budget is too small for all it is asked for one alone; raises budgets.DoesNotFit where
    not even that fits.
    Everything is one transaction without a call in it, so a deadlock or a crash has no effect
    that anybody sees.
    """
    while True:
        try:
            return _authorize(message, leased, prepared, unsendable=unsendable, account=account)
        except slots.SomebodyWasFirst:
            continue
        except budgets.DoesNotFit:
            if len(leased) == 1:
                raise
            submissions.give_back(leased[1:], send_after=message.send_after)
            leased = leased[:1]


def _authorize(
    message: Message,
    leased: Sequence[Leased],
    prepared: Sequence[Prepared],
    *,
    unsendable: dict[int, str],
    account: ProviderAccount,
) -> Authorized | None:
    with transaction.atomic(), hot.cursor() as cursor:
        gate.hold_open()
        asked_at, is_limited = _still_wanted(cursor, message, account)
        if asked_at is None:
            submissions.give_back(leased, send_after=message.send_after)
            return None
        ours = _lock_ours(cursor, leased)
        rows = [row for row in prepared if row.submission_id in ours]
        obeys_caps = Purpose(message.purpose).obeys_caps
        counts = not message.is_test and (obeys_caps or is_limited)
        active = list(FrequencyCap.objects.filter(is_active=True)) if counts else []
        rules = caps.rules_among(active if obeys_caps else [], channel=message.channel, purpose=message.purpose)
        known = _lock_slots(cursor, message, rows, rules, account, asked_at) if counts else {}
        authorized = Authorized(called_at=clock.now(), account=account)
        looked = last_stops.look(cursor, message, rows, now=authorized.called_at)
        if clock.shop_date(authorized.called_at) != clock.shop_date(asked_at):
            # The locks took until after midnight: a calendar day's caps are to be asked about the new one.
            raise slots.SomebodyWasFirst
        # Since the lease an earlier call may have taken its time, and so may these locks.
        if submissions.quiet_until(message, now=authorized.called_at) or authorized.called_at >= message.send_until:
            submissions.give_back(leased, send_after=message.send_after)
            return None
        reasons = _screen(cursor, message, ours)
        for id, reason in looked.reasons.items():
            reasons[id] = reasons.get(id) or reason
        verdicts = _verdicts(rows, reasons, known, authorized.called_at)
        authorized.ids = {row.id for row in rows if verdicts.get(row.id) == PASSES}
        if counts and looked is not last_stops.NOTHING:
            last_stops.note_seconds(looked, rows, authorized.ids)
            authorized.ids -= looked.second
        if counts:
            slots.take(
                cursor,
                message,
                [row for row in rows if row.id in authorized.ids],
                known=known,
                keep_since=caps.keep_since(active, now=authorized.called_at),
                called_at=authorized.called_at,
            )
        if len(authorized.ids) < len(verdicts):
            _turn_away(cursor, message, verdicts, unsendable, rules, authorized, looked)
        passed = [row for row in rows if row.id in authorized.ids]
        budgets.reserve(cursor, account, passed, called_at=authorized.called_at)
        _write_called(cursor, leased, ours, rows, authorized)
        reach("before_authorize_commit")
    return authorized


def _still_wanted(cursor, message: Message, account: ProviderAccount) -> tuple[datetime | None, bool]:
    """The moment, if the message may go out at it by this account; and whether a provider limits each number."""
    cursor.execute(
        f"""
        SELECT CASE WHEN {WANTED} THEN now.at END,
            EXISTS (SELECT FROM notifications_provideraccount a
                WHERE a.channel = m.channel AND a.is_active AND a.number_limit IS NOT NULL)
        FROM notifications_message m CROSS JOIN (SELECT hongyan_now() AS at) AS now
        WHERE m.id = %s FOR SHARE OF m
        """,
        [account.pk, message.pk],
    )
    return cursor.fetchone()


def _lock_slots(cursor, message: Message, rows, rules, account: ProviderAccount, now: datetime):
    return slots.lock(cursor, rows, rules, channel=message.channel, limit=account.number_limit, now=now)


def _lock_ours(cursor, leased: Sequence[Leased]) -> set[int]:
    cursor.execute(
        """
        SELECT s.id FROM notifications_submission s
        JOIN unnest(%s::bigint[], %s::uuid[]) AS mine(id, token) USING (id, token)
        WHERE s.status = 'leased' AND s.lease_until > hongyan_now()
        ORDER BY s.id FOR UPDATE OF s
        """,
        [[taken.id for taken in leased], [taken.token for taken in leased]],
    )
    return {row[0] for row in cursor.fetchall()}


def _screen(cursor, message: Message, ours: set[int]) -> dict[int, str]:
    """The first reason against each delivery that is still queued, '' for none; the caps are not asked."""
    if message.is_test:
        cursor.execute(
            "SELECT id, '' FROM notifications_delivery WHERE submission_id = ANY(%s::bigint[]) AND status = 'queued'",
            [hot.integers(ours)],
        )
    else:
        cursor.execute(
            f"""
            SELECT d.id, {screening.first_reason(message.purpose)}
            FROM notifications_delivery d {screening.delivery_joins(message.channel)}
            WHERE d.submission_id = ANY(%s::bigint[]) AND d.status = 'queued'
            """,
            [message.channel, message.channel, message.purpose, message.channel, hot.integers(ours)],
        )
    return dict(cursor.fetchall())


def _verdicts(
    rows: Sequence[Prepared], reasons: dict[int, str], known: dict[int, Frees], called_at: datetime
) -> Verdicts:
    """The screening and the caps together; a row that could not be rendered has nobody's slots to ask for."""
    moment = caps.milliseconds(called_at)
    verdicts: Verdicts = {id: Verdict(reason) if reason else PASSES for id, reason in reasons.items()}
    # Mostly nobody got anything lately.
    for row in rows if known else ():
        if row.id not in verdicts:
            continue
        by_person, by_address = known.get(row.customer_id, FREE), known.get(row.cap_subject, FREE)
        by_caps = max(by_person.by_caps or 0, by_address.by_caps or 0)
        by_limit = by_address.by_limit or 0
        if by_caps > moment or by_limit > moment:
            verdicts[row.id] = Verdict(
                reasons[row.id], by_caps if by_caps > moment else None, by_limit if by_limit > moment else None
            )
    return verdicts


def _turn_away(
    cursor,
    message: Message,
    verdicts: Verdicts,
    unsendable: dict[int, str],
    rules: Sequence[FrequencyCap],
    authorized: Authorized,
    looked: LastLook,
) -> None:
    """Skip what may never go, hold what may go later within its window."""
    skipped: dict[int, str] = {}
    held: dict[int, Hold] = {}
    for delivery_id, verdict in verdicts.items():
        if delivery_id in authorized.ids:
            continue
        reason = verdict.reason or unsendable.get(delivery_id, "")
        is_second = delivery_id in looked.second
        if not reason and (is_second or _may_wait(message, verdict)):
            frees_at = max(verdict.by_caps or 0, verdict.by_limit or 0)
            held_for = HeldFor.CAP if frees_at == verdict.by_caps or is_second else HeldFor.NUMBER
            moment = authorized.called_at + A_MOMENT if is_second else caps.moment(frees_at)
            free = _next_open(message, moment)
            if is_second or free < min(message.send_until, looked.deadlines.get(delivery_id, message.send_until)):
                held[delivery_id] = Hold(delivery_id=delivery_id, message=message, held_for=held_for, send_after=free)
                continue
        over = screening.PROVIDER_LIMIT if verdict.by_limit and not verdict.by_caps else screening.OVER_CAP
        skipped[delivery_id] = reason or over.code
    if skipped:
        _skip(cursor, skipped, authorized.called_at)
    if held:
        _hold(cursor, message, held, rules, authorized.called_at)


def _may_wait(message: Message, verdict: Verdict) -> bool:
    """Whether caps and limit only put a delivery off: what a person waits for always waits for the limit."""
    if verdict.by_limit and not verdict.by_caps and not Purpose(message.purpose).needs_consent:
        return True
    return message.cap_policy == CapPolicy.HOLD and bool(verdict.by_caps or verdict.by_limit)


def _next_open(message: Message, moment: datetime) -> datetime:
    return submissions.quiet_until(message, now=moment) or moment


def _skip(cursor, reasons: dict[int, str], now: datetime) -> None:
    cursor.execute(
        """
        UPDATE notifications_delivery d
        SET status = 'skipped', reason = turned.reason, finished_at = %s
        FROM unnest(%s::bigint[], %s::text[]) AS turned(id, reason)
        WHERE d.id = turned.id AND d.status = 'queued'
        """,
        [now, list(reasons), list(reasons.values())],
    )


def _hold(cursor, message: Message, held: dict[int, Hold], rules: Sequence[FrequencyCap], now: datetime) -> None:
    cursor.execute(
        "UPDATE notifications_delivery SET submission_id = NULL WHERE id = ANY(%s::bigint[]) AND status = 'queued'",
        [hot.integers(held)],
    )
    if rules:
        binding = _binding_rules(cursor, message, list(held), rules, now)
        for id, hold in held.items():
            hold.rule_id = binding.get(id) if hold.held_for == HeldFor.CAP else None
    Hold.objects.bulk_create(held.values())


def _binding_rules(
    cursor, message: Message, ids: Sequence[int], rules: Sequence[FrequencyCap], now: datetime
) -> dict[int, int]:
    """The rule that holds each delivery the longest, for staff to see."""
    moments = ", ".join(screening.cap_frees_at([rule], now=now, zone=clock.shop_zone()) for rule in rules)
    joins = screening.cap_joins(rules, customer="d.customer_id", address="d.address", channel=message.channel)
    cursor.execute(
        f"SELECT d.id, ARRAY[{moments}]::bigint[] FROM notifications_delivery d {joins}"
        " WHERE d.id = ANY(%s::bigint[])",
        [hot.integers(ids)],
    )
    return {id: max(zip(frees, rules, strict=True), key=lambda pair: pair[0] or 0)[1].pk for id, frees in cursor}


def _write_called(
    cursor,
    leased: Sequence[Leased],
    ours: set[int],
    rows: Sequence[Prepared],
    authorized: Authorized,
) -> None:
    sizes = dict.fromkeys((taken.id for taken in leased if taken.id in ours), 0)
    for row in rows:
        sizes[row.submission_id] += row.id in authorized.ids
    # The lease counts anew from the call, so that a slow one is not taken for lost.
    cursor.execute(
        """
        UPDATE notifications_submission s SET
            size = sizes.size,
            status = CASE WHEN sizes.size > 0 THEN 'called' ELSE 'empty' END,
            called_at = CASE WHEN sizes.size > 0 THEN %s::timestamptz END,
            account_id = CASE WHEN sizes.size > 0 THEN %s::bigint END,
            lease_until = CASE WHEN sizes.size > 0 THEN %s::timestamptz END,
            token = CASE WHEN sizes.size > 0 THEN s.token END
        FROM unnest(%s::bigint[], %s::int[]) AS sizes(id, size)
        WHERE s.id = sizes.id AND s.status = 'leased'
        """,
        [
            authorized.called_at,
            authorized.account.pk,
            authorized.called_at + LEASE,
            list(sizes),
            list(sizes.values()),
        ],
    )
