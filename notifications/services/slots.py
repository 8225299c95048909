"""Slots: what the caps leave to persons and addresses, locked, taken and given back."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from psycopg import Cursor

from customers import clock
from notifications import caps, hot
from notifications.models import FrequencyCap, Message
from notifications.services.preparing import Prepared


class SomebodyWasFirst(Exception):
    """Another worker has just counted the first message to one of ours; nothing was written."""


def subjects(rows: Sequence[Prepared]) -> list[int]:
    """Persons and addresses in the one order in which every worker locks them."""
    found = {row.customer_id for row in rows}
    found.discard(None)
    found.update([row.cap_subject for row in rows])
    return sorted(found)


class Frees(NamedTuple):
    """The milliseconds at which the caps, and the limit for a number, let the next one pass; None for now."""

    by_caps: int | None
    by_limit: int | None


def lock(
    cursor: Cursor,
    rows: Sequence[Prepared],
    rules: Sequence[FrequencyCap],
    *,
    channel: str,
    limit: int | None,
    now: datetime,
) -> dict[int, Frees]:
    """
    Lock what persons and addresses lately got.

    Answers, for each that got anything before, when these rules and this limit let the next one
    pass. It counts for any moment of the same day as `now`.
    """
    by_caps = caps.frees_at(rules, sends="sends", now=now, zone=clock.shop_zone())
    by_limit = "NULL::bigint"
    if limit is not None:
        # A person with two phones has the limit twice: only addresses have negative subjects.
        frees_at = caps.limit_frees_at(limit, channel=channel, sends="sends", now=now)
        by_limit = f"CASE WHEN subject < 0 THEN {frees_at} END"
    # Its text is another in every batch, so nothing is gained by planning it once.
    cursor.execute(
        f"SELECT subject, {by_caps}, {by_limit} FROM notifications_recentsends"
        " WHERE subject = ANY(%s::bigint[]) ORDER BY subject FOR UPDATE",
        [hot.integers(subjects(rows))],
        prepare=False,
    )
    return {subject: Frees(*frees) for subject, *frees in cursor.fetchall()}


def take(
    cursor: Cursor,
    message: Message,
    rows: Sequence[Prepared],
    *,
    known: Collection[int],
    keep_since: datetime,
    called_at: datetime,
) -> None:
    """
    Count a message to each of these rows; `known` are those who got anything before.

    Raises SomebodyWasFirst where one of the others did meanwhile: there was no row to lock, so
    whoever comes second finds one here and asks the caps again.
    """
    packed = caps.pack(called_at, channel=message.channel, purpose=message.purpose)
    wanted = subjects(rows)
    fresh = [subject for subject in wanted if subject not in known]
    if fresh:
        cursor.execute(
            "INSERT INTO notifications_recentsends (subject, sends)"
            " SELECT subject, ARRAY[%s::bigint] FROM unnest(%s::bigint[]) AS fresh(subject)"
            " ORDER BY subject ON CONFLICT DO NOTHING",
            [packed, hot.integers(fresh)],
        )
        if cursor.rowcount < len(fresh):
            raise SomebodyWasFirst
    if len(fresh) == len(wanted):
        return
    # A rule that is made or switched on later finds as many of its kind as it may ever allow.
    cursor.execute(
        """
        UPDATE notifications_recentsends r
        SET sends = CASE
            WHEN cardinality(r.sends) < %(many)s AND coalesce(r.sends[cardinality(r.sends)], 0) <= %(packed)s
            THEN r.sends || %(packed)s::bigint
            ELSE (
                SELECT array_agg(e ORDER BY e) FROM (
                    SELECT e, row_number() OVER (PARTITION BY e & %(kind)s ORDER BY e DESC) AS place
                    FROM unnest(r.sends || %(packed)s::bigint) AS e
                ) AS remembered
                WHERE e >= %(oldest)s OR place <= %(many)s
            ) END
        WHERE r.subject = ANY(%(subjects)s::bigint[])
        """,
        {
            "many": caps.KEPT_AT_MOST,
            "packed": packed,
            "kind": caps.KIND_MASK,
            "oldest": caps.milliseconds(keep_since) << caps.KIND_BITS,
            "subjects": hot.integers(subject for subject in wanted if subject in known),
        },
    )


def count_again(cursor: Cursor, counted: Sequence[tuple[int, int]]) -> None:
    """Count messages at the moments of their calls, given as pairs of a subject and what caps.pack() made of it."""
    cursor.execute(
        """
        INSERT INTO notifications_recentsends AS known (subject, sends)
        SELECT subject, array_agg(packed ORDER BY packed)
        FROM unnest(%s::bigint[], %s::bigint[]) AS counted(subject, packed) GROUP BY subject ORDER BY subject
        ON CONFLICT (subject) DO UPDATE SET sends = ARRAY(
            SELECT e FROM unnest(known.sends || excluded.sends) AS e ORDER BY e
        )
        """,
        [hot.integers(subject for subject, _ in counted), hot.integers(packed for _, packed in counted)],
    )


def give_back(cursor, message: Message, rows: Sequence[Prepared], *, called_at: datetime) -> None:
    """Take back what was counted for rows that the provider definitely did not take."""
    packed = caps.pack(called_at, channel=message.channel, purpose=message.purpose)
    cursor.execute(
        """
        UPDATE notifications_recentsends SET sends = array_remove(sends, %s::bigint)
        WHERE subject IN (
            SELECT subject FROM notifications_recentsends
            WHERE subject = ANY(%s::bigint[]) ORDER BY subject FOR UPDATE
        )
        """,
        [packed, hot.integers(subjects(rows))],
    )
