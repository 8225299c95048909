"""Account health: accounts that fail or are slow beside others of their channel get fewer calls, and recover."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from django.db import connection, transaction
from django.utils.translation import gettext as _

from notifications.models import AccountGauge, HealthChange, ProviderAccount
from notifications.models.account_gauge import FULL_HEALTH, LEAST_HEALTH
from notifications.services.words import in_every_language

LOOKS_BACK = timedelta(minutes=5)
# Down fast and up slowly, so that calls do not swing to and fro.
ONCE_IN = timedelta(minutes=1)
LOSES, RECOVERS = 25, 10
FEWEST_CALLS = 20
WORST_PERCENT = 20
SLOWER_THAN_BEST, SLOW_SECONDS = 3, 2.0


@dataclass(frozen=True)
class Measured:
    """What an account's calls of the last minutes were like: how many, how many failed, and their mean seconds."""

    calls: int = 0
    failed: int = 0
    seconds: float | None = None

    @property
    def fails(self) -> bool:
        """Whether so much failed that it is no chance."""
        return self.calls >= FEWEST_CALLS and self.failed * 100 > WORST_PERCENT * self.calls

    def is_slow(self, best: float) -> bool:
        """Whether it is slow beside the best, and for anybody."""
        is_known = self.seconds is not None and self.calls >= FEWEST_CALLS
        return is_known and self.seconds > max(SLOW_SECONDS, SLOWER_THAN_BEST * best)


def review(*, now: datetime) -> Counter:
    """Move the health of accounts that share a channel; answers how many fell and how many recovered."""
    working = ProviderAccount.objects.filter(is_active=True, paused_for="").select_related("gauge")
    found: Counter = Counter()
    for _channel, group in groupby(working.order_by("channel", "id"), key=lambda account: account.channel):
        accounts = list(group)
        if len(accounts) > 1:
            found += _review(accounts, now)
    return found


def _review(accounts: list[ProviderAccount], now: datetime) -> Counter:
    measured = _measure(accounts, now)
    best = min((m.seconds for m in measured.values() if m.seconds is not None and not m.fails), default=0.0)
    bad = {account.pk for account in accounts if measured[account.pk].fails or measured[account.pk].is_slow(best)}
    found: Counter = Counter()
    for account in accounts:
        # Where all are bad a shift would help nobody: it is the line, or the carriers.
        if account.pk in bad and len(bad) < len(accounts):
            found["fell"] += _move(account, -LOSES, lambda m=measured[account.pk]: _why(m, best), now)
        elif account.pk not in bad:
            found["recovered"] += _move(account, RECOVERS, lambda: _("A minute without trouble."), now)
    return +found


def _measure(accounts: Iterable[ProviderAccount], now: datetime) -> dict[int, Measured]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT account_id, count(*), count(*) FILTER (WHERE has_failed),
                avg(extract(epoch FROM settled_at - called_at)) FILTER (WHERE status = 'settled')::float
            FROM notifications_submission
            WHERE called_at > %s AND called_at <= %s AND account_id = ANY(%s) AND status IN ('settled', 'lost')
            GROUP BY account_id
            """,
            [now - LOOKS_BACK, now, [account.pk for account in accounts]],
        )
        found = {pk: Measured(*values) for pk, *values in cursor.fetchall()}
    return {account.pk: found.get(account.pk, Measured()) for account in accounts}


def _why(measured: Measured, best: float) -> str:
    if measured.fails:
        return _("%(failed)s of %(calls)s calls of the last five minutes were lost or put off.") % {
            "failed": f"{measured.failed:,}",
            "calls": f"{measured.calls:,}",
        }
    return _("A call takes %(seconds)s seconds, at the best account %(best)s.") % {
        "seconds": f"{measured.seconds:.1f}",
        "best": f"{best:.1f}",
    }


@transaction.atomic
def _move(account: ProviderAccount, by: int, why: Callable[[], str], now: datetime) -> bool:
    """Change a health once in a minute; answers whether it was changed here."""
    gauge = getattr(account, "gauge", None) or AccountGauge.objects.get_or_create(account=account)[0]
    health = max(LEAST_HEALTH, min(FULL_HEALTH, gauge.health + by))
    changed_at = gauge.health_changed_at
    # A moment to come was written before the clock was set back.
    if health == gauge.health or (changed_at and now - ONCE_IN < changed_at <= now):
        return False
    same = AccountGauge.objects.filter(pk=gauge.pk, health=gauge.health, health_changed_at=changed_at)
    if not same.update(health=health, health_changed_at=now):
        return False
    HealthChange.objects.create(
        account=account, health_before=gauge.health, health=health, words=in_every_language(why), changed_at=now
    )
    return True
