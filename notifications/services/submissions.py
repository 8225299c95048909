"""Submissions: leasing them, the last check before the call, settling the answers, the lost ones."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection, transaction

from customers import clock
from customers.choices import Purpose
from customers.services import gate
from notifications import caps, quiet, screening
from notifications.choices import CapPolicy, HeldFor, SubmissionStatus
from notifications.models import FrequencyCap, Hold, Message, ProviderAccount, Submission
from notifications.services.preparing import Prepared

LEASE = timedelta(seconds=60)
# After opening, held submissions are spread over this span: no spike at 09:00:00.
RAMP = timedelta(minutes=30)


@dataclass(frozen=True)
class Leased:
    """A submission in a worker's hands, for as long as its token is the row's token."""

    id: int
    message_id: int
    token: uuid.UUID


@dataclass
class Authorized:
    """What may be handed over now, and from which moment it counts."""

    called_at: datetime
    ids: set[int] = field(default_factory=set)
    account: ProviderAccount | None = None


class SomebodyWasFirst(Exception):
    """Another worker has just counted the first message to one of ours; nothing was written."""


def lease(queue: str, *, limit: int, now: datetime) -> list[Leased]:
    """Take the next submissions of a queue: highest class first, then the earliest."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE notifications_submission s
            SET status = 'leased', token = gen_random_uuid(), lease_until = %s, held_for = ''
            FROM (
                SELECT q.id FROM notifications_submission q
                JOIN notifications_message m ON m.id = q.message_id
                WHERE q.status = 'queued' AND q.queue = %s AND q.send_after <= %s
                    AND m.paused_at IS NULL AND m.canceled_at IS NULL AND m.send_until > %s
                    AND NOT EXISTS (SELECT FROM notifications_sendingswitch WHERE stopped_at IS NOT NULL)
                ORDER BY q.priority, q.send_after, q.id LIMIT %s
                FOR UPDATE OF q SKIP LOCKED
            ) AS next
            WHERE s.id = next.id
            RETURNING s.id, s.message_id, s.token
            """,
            [now + LEASE, queue, now, now, limit],
        )
        return sorted((Leased(*row) for row in cursor.fetchall()), key=lambda taken: taken.id)


def give_back(leased: Sequence[Leased], *, send_after: datetime, held_for: str = "") -> int:
    """Leased → queued, for a later moment; nothing had left the house."""
    return Submission.objects.filter(
        id__in=[taken.id for taken in leased],
        token__in=[taken.token for taken in leased],
        status=SubmissionStatus.LEASED,
    ).update(
        status=SubmissionStatus.QUEUED,
        token=None,
        lease_until=None,
        send_after=send_after,
        held_for=held_for,
    )


def hold_for_quiet_hours(message: Message, *, opens_at: datetime) -> int:
    """Move all that waits of a message behind its quiet hours, spread over the ramp."""
    # What is spread beyond the message's window would not go out at all.
    ramp = max(timedelta(0), min(RAMP, (message.send_until - opens_at) / 2))
    return hold_back(message, until=opens_at, held_for=HeldFor.QUIET_HOURS, ramp=ramp)


def hold_back(message: Message, *, until: datetime, held_for: HeldFor, ramp: timedelta = timedelta(0)) -> int:
    """Move all that waits of a message to a later moment, also out of the hands of workers that did not call yet."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH waiting AS MATERIALIZED (
                SELECT id FROM notifications_submission
                WHERE message_id = %s AND status IN ('queued', 'leased') AND send_after < %s
                ORDER BY id FOR UPDATE
            ), spread AS (
                SELECT id, row_number() OVER (ORDER BY id) - 1 AS place, count(*) OVER () AS total FROM waiting
            )
            UPDATE notifications_submission s
            SET status = 'queued', token = NULL, lease_until = NULL, held_for = %s,
                send_after = %s::timestamptz + %s * (spread.place::float / spread.total)
            FROM spread WHERE s.id = spread.id
            """,
            [message.pk, until, held_for, until, ramp],
        )
        return cursor.rowcount


def quiet_until(message: Message, *, now: datetime) -> datetime | None:
    """When a message's quiet hours end, if it is quiet now."""
    if message.is_test:
        return None
    hours = quiet.quiet_for(channel=message.channel, purpose=message.purpose, zone=clock.shop_zone())
    if hours is None or not hours.holds_at(now):
        return None
    return hours.opens_at(now)


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
    3. Lock what person and address lately got, in one order for all workers.
    4. Screen every delivery again; take the slots of those that pass.
    5. Skip or hold the others, and write `called_at`.

    Answers None when the message may not send now; its submissions are then queued again.
    Everything is one transaction without a call in it, so a deadlock or a crash has no effect
    that anybody sees.
    """
    while True:
        try:
            return _authorize(message, leased, prepared, unsendable=unsendable, account=account)
        except SomebodyWasFirst:
            continue


def _authorize(
    message: Message,
    leased: Sequence[Leased],
    prepared: Sequence[Prepared],
    *,
    unsendable: dict[int, str],
    account: ProviderAccount,
) -> Authorized | None:
    with transaction.atomic(), connection.cursor() as cursor:
        gate.hold_open()
        if not _still_wanted(cursor, message):
            give_back(leased, send_after=message.send_after)
            return None
        ours = _lock_ours(cursor, leased)
        rows = [row for row in prepared if row.submission_id in ours]
        rules = [] if message.is_test else caps.rules_for(channel=message.channel, purpose=message.purpose)
        counts = not message.is_test and Purpose(message.purpose).obeys_caps
        known = _lock_recent_sends(cursor, rows) if counts else set()
        authorized = Authorized(called_at=clock.now(), account=account)
        # Since the lease an earlier call may have taken its time, and so may these locks.
        if quiet_until(message, now=authorized.called_at) or authorized.called_at >= message.send_until:
            give_back(leased, send_after=message.send_after)
            return None
        verdicts = _screen(cursor, message, ours, rules, authorized.called_at)
        authorized.ids = {row.id for row in rows if verdicts.get(row.id) == ("", None) and row.id not in unsendable}
        if counts:
            _take_slots(cursor, message, rows, known, authorized)
        _turn_away(cursor, message, verdicts, unsendable, rules, authorized)
        _write_called(cursor, leased, ours, rows, authorized)
    return authorized


def _still_wanted(cursor, message: Message) -> bool:
    cursor.execute(
        "SELECT paused_at IS NULL AND canceled_at IS NULL AND send_until > hongyan_now()"
        # No lock on the switch: whoever moves it shuts the gate that is held open here.
        " AND NOT EXISTS (SELECT FROM notifications_sendingswitch WHERE stopped_at IS NOT NULL)"
        " FROM notifications_message WHERE id = %s FOR SHARE",
        [message.pk],
    )
    return cursor.fetchone()[0]


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


def _subjects(rows: Sequence[Prepared]) -> list[int]:
    """Persons and addresses in the one order in which every worker locks them."""
    people = {row.customer_id for row in rows if row.customer_id is not None}
    return sorted(people | {row.subject for row in rows})


def _lock_recent_sends(cursor, rows: Sequence[Prepared]) -> set[int]:
    """Lock what persons and addresses lately got; answers those who got anything before."""
    cursor.execute(
        "SELECT subject FROM notifications_recentsends WHERE subject = ANY(%s) ORDER BY subject FOR UPDATE",
        [_subjects(rows)],
    )
    return {row[0] for row in cursor.fetchall()}


def _screen(
    cursor, message: Message, ours: set[int], rules: Sequence[FrequencyCap], now: datetime
) -> dict[int, tuple[str, int | None]]:
    """The first reason against each delivery ('' for none), and when the caps free it."""
    if message.is_test:
        cursor.execute(
            "SELECT id, '', NULL::bigint FROM notifications_delivery"
            " WHERE submission_id = ANY(%s) AND status = 'queued'",
            [list(ours)],
        )
    else:
        cursor.execute(
            f"""
            SELECT d.id, {screening.first_reason(message.purpose)},
                {screening.cap_frees_at(rules, now=now, zone=clock.shop_zone())}
            FROM notifications_delivery d
            JOIN customers_customer c ON c.id = d.customer_id
            LEFT JOIN customers_contactpoint p
                ON p.customer_id = d.customer_id AND p.channel = %s AND p.address = d.address
            CROSS JOIN LATERAL (SELECT coalesce(p.address, '') AS address) a
            {screening.JOINS}
            {screening.cap_joins(rules, customer="d.customer_id", address="d.address", channel=message.channel)}
            WHERE d.submission_id = ANY(%s) AND d.status = 'queued'
            """,
            [
                message.channel,
                message.channel,
                message.purpose,
                message.channel,
                list(ours),
            ],
        )
    return {row[0]: (row[1], row[2]) for row in cursor.fetchall()}


def _take_slots(cursor, message: Message, rows: Sequence[Prepared], known: set[int], authorized: Authorized) -> None:
    packed = caps.pack(authorized.called_at, channel=message.channel, purpose=message.purpose)
    subjects = _subjects([row for row in rows if row.id in authorized.ids])
    fresh = [subject for subject in subjects if subject not in known]
    # There was no row to lock: whoever comes second finds one here, and asks the caps again.
    cursor.execute(
        "INSERT INTO notifications_recentsends (subject, sends)"
        " SELECT subject, ARRAY[%s::bigint] FROM unnest(%s::bigint[]) AS fresh(subject)"
        " ORDER BY subject ON CONFLICT DO NOTHING",
        [packed, fresh],
    )
    if cursor.rowcount < len(fresh):
        raise SomebodyWasFirst
    oldest = caps.milliseconds(caps.keep_since(FrequencyCap.objects.filter(is_active=True), now=authorized.called_at))
    # A rule that is made or switched on later finds as many of its kind as it may ever allow.
    cursor.execute(
        """
        UPDATE notifications_recentsends r
        SET sends = CASE
            WHEN cardinality(r.sends) < %s AND coalesce(r.sends[cardinality(r.sends)], 0) <= %s
            THEN r.sends || %s::bigint
            ELSE (
                SELECT array_agg(e ORDER BY e) FROM (
                    SELECT e, row_number() OVER (PARTITION BY e & %s ORDER BY e DESC) AS place
                    FROM unnest(r.sends || %s::bigint) AS e
                ) AS remembered
                WHERE e >= %s OR place <= %s
            ) END
        WHERE r.subject = ANY(%s)
        """,
        [
            caps.KEPT_AT_MOST,
            packed,
            packed,
            caps.KIND_MASK,
            packed,
            oldest << caps.KIND_BITS,
            caps.KEPT_AT_MOST,
            [subject for subject in subjects if subject in known],
        ],
    )


def _turn_away(
    cursor,
    message: Message,
    verdicts: dict[int, tuple[str, int | None]],
    unsendable: dict[int, str],
    rules: Sequence[FrequencyCap],
    authorized: Authorized,
) -> None:
    """Skip what may never go, hold what may go later within the message's window."""
    skipped: dict[int, str] = {}
    held: dict[int, datetime] = {}
    for delivery_id, (reason, frees_at) in verdicts.items():
        if delivery_id in authorized.ids:
            continue
        reason = reason or unsendable.get(delivery_id, "")
        if not reason and message.cap_policy == CapPolicy.HOLD:
            free = _next_open(message, caps.moment(frees_at))
            if free < message.send_until:
                held[delivery_id] = free
                continue
        skipped[delivery_id] = reason or screening.OVER_CAP.code
    if skipped:
        _skip(cursor, skipped, authorized.called_at)
    if held:
        _hold(cursor, message, held, rules, authorized.called_at)


def _next_open(message: Message, moment: datetime) -> datetime:
    return quiet_until(message, now=moment) or moment


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


def _hold(
    cursor, message: Message, moments: dict[int, datetime], rules: Sequence[FrequencyCap], now: datetime
) -> None:
    cursor.execute(
        "UPDATE notifications_delivery SET submission_id = NULL WHERE id = ANY(%s) AND status = 'queued'",
        [list(moments)],
    )
    binding = _binding_rules(cursor, message, list(moments), rules, now)
    Hold.objects.bulk_create(
        Hold(delivery_id=id, message=message, held_for=HeldFor.CAP, rule_id=binding.get(id), send_after=moment)
        for id, moment in moments.items()
    )


def _binding_rules(
    cursor, message: Message, ids: Sequence[int], rules: Sequence[FrequencyCap], now: datetime
) -> dict[int, int]:
    """The rule that holds each delivery the longest, for staff to see."""
    moments = ", ".join(screening.cap_frees_at([rule], now=now, zone=clock.shop_zone()) for rule in rules)
    joins = screening.cap_joins(rules, customer="d.customer_id", address="d.address", channel=message.channel)
    cursor.execute(
        f"SELECT d.id, ARRAY[{moments}]::bigint[] FROM notifications_delivery d {joins} WHERE d.id = ANY(%s)", [ids]
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
