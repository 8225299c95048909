"""Budgets: what an account may spend on a day of the shop, reserved before every call."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal

from psycopg import Cursor

from customers import clock
from notifications.choices import HeldFor, SubmissionStatus
from notifications.models import AccountGauge, ProviderAccount, Submission
from notifications.services.preparing import Prepared


class DoesNotFit(Exception):
    """What is left of the day's budget is less than the call can cost; nothing was written."""


def spent(gauge: AccountGauge | None, *, today: date) -> Decimal:
    """What is spent or reserved of a day's budget."""
    return gauge.spent if gauge and gauge.spent_on == today else Decimal(0)


def is_used_up(account: ProviderAccount, gauge: AccountGauge | None, *, is_urgent: bool, today: date) -> bool:
    """Whether an account is through with its budget; what a person waits for may use the last yuan."""
    if account.daily_budget is None or gauge is None:
        return False
    if is_urgent:
        return spent(gauge, today=today) + account.price > account.daily_budget
    return gauge.exhausted_on == today


def reserve(cursor: Cursor, account: ProviderAccount, rows: Iterable[Prepared], *, called_at: datetime) -> None:
    """Add some messages to what the day has cost; raises DoesNotFit where that were more than the budget."""
    amount = _cost(rows, account)
    if account.daily_budget is None or not amount:
        return
    cursor.execute(
        """
        INSERT INTO notifications_accountgauge AS g (account_id, spent_on, spent)
        SELECT %(account)s, %(today)s::date, %(amount)s::numeric WHERE %(amount)s::numeric <= %(budget)s::numeric
        ON CONFLICT (account_id) DO UPDATE SET spent_on = excluded.spent_on,
            spent = excluded.spent + CASE WHEN g.spent_on = excluded.spent_on THEN g.spent ELSE 0 END
        WHERE excluded.spent + CASE WHEN g.spent_on = excluded.spent_on THEN g.spent ELSE 0 END <= %(budget)s::numeric
        """,
        {
            "account": account.pk,
            "today": clock.shop_date(called_at),
            "amount": amount,
            "budget": account.daily_budget,
        },
    )
    if not cursor.rowcount:
        raise DoesNotFit


def give_back(cursor: Cursor, account: ProviderAccount, rows: Iterable[Prepared], *, called_at: datetime) -> None:
    """Take back what was reserved for messages that the provider definitely did not take."""
    if account.daily_budget is not None:
        release_cost(cursor, account.pk, _cost(rows, account), called_at=called_at)


def release_cost(cursor: Cursor, account_id: int, cost: Decimal, *, called_at: datetime) -> None:
    """Take an amount back from the day on which it was reserved, if that day still counts."""
    cursor.execute(
        "UPDATE notifications_accountgauge SET spent = greatest(0, spent - %s::numeric), exhausted_on = NULL"
        " WHERE account_id = %s AND spent_on = %s::date",
        [cost, account_id, clock.shop_date(called_at)],
    )


def note_cost(cursor: Cursor, account_id: int, cost: Decimal, *, called_at: datetime) -> None:
    """Add what turned out to be spent after all to its day, even beyond the budget."""
    cursor.execute(
        "UPDATE notifications_accountgauge SET spent = spent + %s::numeric"
        " WHERE account_id = %s AND spent_on = %s::date",
        [cost, account_id, clock.shop_date(called_at)],
    )


def _cost(rows: Iterable[Prepared], account: ProviderAccount) -> Decimal:
    return sum((row.segments for row in rows), 0) * account.price


def note_exhausted(account: ProviderAccount, *, now: datetime) -> None:
    """Note that a single call did not fit any more: campaigns look for another account from now on."""
    AccountGauge.objects.update_or_create(account=account, defaults={"exhausted_on": clock.shop_date(now)})


def renewed_at(now: datetime) -> datetime:
    """When the next day of the shop begins."""
    tomorrow = clock.shop_date(now) + timedelta(days=1)
    return datetime.combine(tomorrow, datetime.min.time(), clock.shop_zone())


def release(account: ProviderAccount, *, now: datetime) -> int:
    """Ask again for what waits for a budget, because staff have changed one; answers the number of calls."""
    AccountGauge.objects.filter(account=account).update(exhausted_on=None)
    held = Submission.objects.filter(
        message__channel=account.channel, status=SubmissionStatus.QUEUED, held_for=HeldFor.BUDGET, send_after__gt=now
    )
    return held.update(held_for="", send_after=now)
