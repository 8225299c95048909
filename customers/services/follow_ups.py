"""Follow-ups: opened once per fact, taken by one person, called, and finished or dropped."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.utils.translation import gettext as _

from customers import clock
from customers.choices import FollowUpOutcome, FollowUpReason, FollowUpStatus
from customers.models import FollowUp

# Customers are not called before breakfast or late in the evening.
FIRST_CALL = time(9)
LAST_CALL = time(20)
SETTLED_BY_NOON = timedelta(hours=2)
LONGEST_OCCASION = FollowUp._meta.get_field("occasion").max_length
LONGEST_DETAIL = FollowUp._meta.get_field("detail").max_length
LONGEST_SCRIPT = FollowUp._meta.get_field("script").max_length
# After these the customer still waits for somebody.
CALLED_AGAIN = (FollowUpOutcome.CALL_BACK, FollowUpOutcome.NOT_REACHED)

OPEN = """
INSERT INTO customers_followup (
    customer_id, order_id, occasion, reason, detail, script, owner_id, status, outcome, note, due_at, created_at
)
SELECT DISTINCT ON (wanted.occasion) wanted.customer_id, wanted.order_id, wanted.occasion, wanted.reason,
       wanted.detail, wanted.script, wanted.owner_id, 'open', '', '', greatest(wanted.due_at, %(now)s), %(now)s
FROM jsonb_to_recordset(%(rows)s::jsonb) AS wanted (
    customer_id bigint, order_id bigint, occasion text, reason text, detail text, script text, owner_id int,
    due_at timestamptz
)
JOIN customers_customer customer ON customer.id = wanted.customer_id AND customer.erased_at IS NULL
ORDER BY wanted.occasion
ON CONFLICT (occasion) DO NOTHING
"""


class CannotFollowUp(Exception):
    """A move that is not made; the text is a sentence for staff."""


@dataclass(frozen=True)
class NewFollowUp:
    """A call that somebody should make; `occasion` names the fact it is about and is unique for good."""

    customer_id: int
    occasion: str
    reason: str
    due_at: datetime
    order_id: int | None = None
    detail: str = ""
    script: str = ""
    owner_id: int | None = None


def open_for(rows: Sequence[NewFollowUp], now: datetime) -> int:
    """
    Open follow-ups in one statement; answers how many are new.

    An occasion that was met before opens none, whatever became of its follow-up; erased customers are left out.
    """
    if not rows:
        return 0
    wanted = [
        {
            "customer_id": row.customer_id,
            "order_id": row.order_id,
            "occasion": row.occasion[:LONGEST_OCCASION],
            "reason": FollowUpReason(row.reason).value,
            "detail": row.detail[:LONGEST_DETAIL],
            "script": row.script[:LONGEST_SCRIPT],
            "owner_id": row.owner_id,
            "due_at": row.due_at.isoformat(),
        }
        for row in rows
    ]
    with connection.cursor() as cursor:
        cursor.execute(OPEN, {"rows": json.dumps(wanted), "now": now})
        return cursor.rowcount


def call_by(now: datetime, within: timedelta) -> datetime:
    """The moment until which a call is due: after the given time, or by noon where that falls into the night."""
    due = (now + within).astimezone(clock.shop_zone())
    if FIRST_CALL <= due.time() <= LAST_CALL:
        return due
    day = due.date() if due.time() < FIRST_CALL else due.date() + timedelta(days=1)
    return datetime.combine(day, FIRST_CALL, tzinfo=due.tzinfo) + SETTLED_BY_NOON


def take(follow_up: FollowUp, by: AbstractBaseUser) -> None:
    """Make an open follow-up one's own. Raises CannotFollowUp where somebody was first."""
    if not _rows(follow_up).take(by):
        _refuse(follow_up, by)


def hand_over(follow_up: FollowUp, to: AbstractBaseUser | None, *, of: AbstractBaseUser | None) -> None:
    """Give a follow-up from the one who is believed to have it to a colleague, or back to everybody."""
    if not _rows(follow_up).hand_over(to, of=of):
        raise CannotFollowUp(_("Somebody else moved it meanwhile. Look again."))


def call(follow_up: FollowUp, now: datetime, *, by: AbstractBaseUser) -> None:
    """Write down that somebody called; the first moment counts. Raises CannotFollowUp if it is not theirs."""
    with transaction.atomic():
        _claim(follow_up, by)
        _rows(follow_up).first_call(now)


def finish(
    follow_up: FollowUp,
    outcome: str,
    note: str,
    by: AbstractBaseUser,
    now: datetime,
    *,
    again_at: datetime | None = None,
) -> None:
    """
    Close a follow-up with what came of it, and open the next one where the customer still waits for a call.

    Raises CannotFollowUp if it is not theirs, or not open any more.
    """
    if again_at is not None and (outcome not in CALLED_AGAIN or again_at <= now):
        raise CannotFollowUp(_("Another call can be planned for later, after a call that settled nothing."))
    with transaction.atomic():
        _claim(follow_up, by)
        if not _rows(follow_up).finish(FollowUpOutcome(outcome), by=by, now=now, note=note):
            _refuse(follow_up, by)
        if again_at is not None:
            open_for([_next(follow_up, note, by, again_at)], now)


def drop(follow_up: FollowUp, note: str, by: AbstractBaseUser, now: datetime) -> None:
    """Close a follow-up that nobody needs any more. Raises CannotFollowUp if it is not theirs, or not open."""
    with transaction.atomic():
        _claim(follow_up, by)
        if not _rows(follow_up).drop(now, by=by, note=note):
            _refuse(follow_up, by)


def _rows(follow_up: FollowUp):
    return FollowUp.objects.filter(pk=follow_up.pk)


def _claim(follow_up: FollowUp, by: AbstractBaseUser) -> None:
    """Hold the row as its owner for this transaction; what nobody has is taken by working on it."""
    rows = _rows(follow_up)
    if not rows.take(by) and not rows.hand_over(by, of=by):
        _refuse(follow_up, by)


def _refuse(follow_up: FollowUp, by: AbstractBaseUser) -> None:
    """Say why a move was not made, by what stands there now."""
    present = FollowUp.objects.select_related("owner", "finished_by").get(pk=follow_up.pk)
    if present.status != FollowUpStatus.OPEN:
        raise CannotFollowUp(_("It is closed already. Nothing was changed."))
    if present.owner_id == by.pk:
        raise CannotFollowUp(_("It is yours already."))
    owner = present.owner.get_username() if present.owner else "–"
    raise CannotFollowUp(
        _("%(owner)s was faster and takes care of it. Take it over if they cannot.") % {"owner": owner}
    )


def _next(follow_up: FollowUp, note: str, by: AbstractBaseUser, again_at: datetime) -> NewFollowUp:
    """The next call about the same; its occasion counts the calls."""
    occasion, _mark, count = follow_up.occasion.partition("/call-")
    mark = f"/call-{int(count or 1) + 1}"
    return NewFollowUp(
        customer_id=follow_up.customer_id,
        order_id=follow_up.order_id,
        occasion=occasion[: LONGEST_OCCASION - len(mark)] + mark,
        reason=follow_up.reason,
        detail=note or follow_up.detail,
        script=follow_up.script,
        owner_id=by.pk,
        due_at=again_at,
    )
