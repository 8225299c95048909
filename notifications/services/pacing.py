"""Pacing: an account's messages a second, which all workers keep together."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from customers import clock
from notifications import hot
from notifications.choices import HeldFor
from notifications.models import ProviderAccount
from notifications.services import submissions
from notifications.services.submissions import Leased

# So much is reserved at once: a stop by staff still holds for all but the call that is due.
SPAN = timedelta(seconds=1)
# So far ahead a campaign may reserve; what a person waits for may always go before the next of it.
AHEAD = timedelta(seconds=1)
AHEAD_IF_URGENT = timedelta(seconds=3)
# Calls that are due within this time are checked and made together.
TOGETHER = timedelta(seconds=0.1)
# No call is that long ahead: the clock was set back since.
TOO_FAR = timedelta(hours=1)
# Where others have reserved all there is, their next call is over in about this time.
PAUSE = 0.25


@dataclass(frozen=True)
class Turn:
    """Submissions whose calls are made together, and when."""

    starts_at: datetime
    leased: list[Leased]


def is_near(account: ProviderAccount, paced_until: datetime | None, *, now: datetime) -> bool:
    """Whether an account can soon make another call."""
    return not account.pace or paced_until is None or paced_until <= now + AHEAD or paced_until > now + TOO_FAR


def trim(leased: Sequence[Leased], account: ProviderAccount, *, now: datetime) -> list[Leased]:
    """As many submissions as fit into the span, at least one; the others are given back until their likely turn."""
    if not account.pace:
        return list(leased)
    kept, later, ahead = [], [], timedelta(0)
    for taken in leased:
        span = _span(taken, account)
        if not kept or ahead + span <= SPAN:
            kept.append(taken)
        else:
            later.append((taken, ahead))
        ahead += span
    for taken, until in later:
        submissions.give_back([taken], send_after=now + max(until - SPAN, timedelta(0)), held_for=HeldFor.PACE)
    return kept


def turns(leased: Sequence[Leased], account: ProviderAccount, *, is_urgent: bool, now: datetime) -> Iterator[Turn]:
    """
    Reserve the next free time of an account, and answer each turn when it has come.

    Waits between the turns, with no transaction open. Where campaigns have reserved enough already
    all is given back for a moment.
    """
    starts_at = _reserve(account, sum((_span(taken, account) for taken in leased), timedelta(0)), is_urgent=is_urgent)
    if starts_at is None:
        submissions.give_back(leased, send_after=now + SPAN, held_for=HeldFor.PACE)
        time.sleep(PAUSE)
        return
    for turn in _grouped(leased, account, starts_at):
        time.sleep(max(0.0, (turn.starts_at - clock.now()).total_seconds()))
        yield turn


def _grouped(leased: Sequence[Leased], account: ProviderAccount, starts_at: datetime) -> list[Turn]:
    found: list[Turn] = []
    for taken in leased:
        if not found or starts_at >= found[-1].starts_at + TOGETHER:
            found.append(Turn(starts_at, []))
        found[-1].leased.append(taken)
        starts_at += _span(taken, account)
    return found


def _span(taken: Leased, account: ProviderAccount) -> timedelta:
    return timedelta(seconds=max(taken.size, 1) / account.pace)


def _reserve(account: ProviderAccount, span: timedelta, *, is_urgent: bool) -> datetime | None:
    """When the reserved time begins; None where too much is reserved already."""
    with hot.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO notifications_accountgauge AS g (account_id, paced_until)
            VALUES (%(account)s, hongyan_now() + %(span)s::interval)
            ON CONFLICT (account_id) DO UPDATE SET paced_until = %(span)s::interval + CASE
                WHEN g.paced_until > hongyan_now() + %(too_far)s::interval THEN hongyan_now()
                ELSE greatest(g.paced_until, hongyan_now()) END
            WHERE g.paced_until IS NULL OR g.paced_until <= hongyan_now() + %(ahead)s::interval
                OR g.paced_until > hongyan_now() + %(too_far)s::interval
            RETURNING paced_until - %(span)s::interval
            """,
            {
                "account": account.pk,
                "span": span,
                "ahead": AHEAD_IF_URGENT if is_urgent else AHEAD,
                "too_far": TOO_FAR,
            },
        )
        row = cursor.fetchone()
    return row[0] if row else None
