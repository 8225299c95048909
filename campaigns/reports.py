"""Read-only numbers: what went out, what arrived, what is coming, and what needs somebody."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from django.db import connection
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from campaigns.choices import CampaignStatus
from campaigns.models import Campaign
from customers import clock

NEEDED_ATTENTION_FOR = timedelta(days=3)
COMING = timedelta(days=30)


@dataclass(frozen=True)
class Day:
    """
    One of the shop's days.

    `handed_over` counts messages given to a provider on that day. The other numbers are of the
    messages that were started on that day, whenever their receipts came; tests are left out.
    """

    on: date
    handed_over: int = 0
    delivered: int = 0
    undelivered: int = 0
    failed: int = 0
    unknown: int = 0
    skipped: int = 0
    cost: Decimal = Decimal(0)

    @property
    def delivery_rate(self) -> float | None:
        """Delivered among those whose end is known, from 0 to 1; None where none is."""
        ended = self.delivered + self.undelivered + self.failed
        return self.delivered / ended if ended else None


@dataclass(frozen=True)
class Matter:
    """Something that needs somebody: a sentence, how bad it is ("bad" or "warn"), and its campaign."""

    sentence: str
    level: str
    campaign: Campaign


def by_day(*, now: datetime, days: int = 14) -> list[Day]:
    """The last days, today last, a day without messages included."""
    today = clock.shop_date(now)
    first = today - timedelta(days - 1)
    since = datetime.combine(first, time(), tzinfo=clock.shop_zone())
    handed_over = _handed_over(since)
    outcomes = _outcomes(since)
    return [
        Day(on=day, handed_over=handed_over.get(day, 0), **outcomes.get(day, {}))
        for day in (first + timedelta(number) for number in range(days))
    ]


def today(*, now: datetime) -> Day:
    """Today's numbers so far."""
    return by_day(now=now, days=1)[0]


def running() -> QuerySet[Campaign]:
    """Campaigns that are being sent, with `is_paused`, oldest first."""
    return Campaign.objects.with_pause().filter(status=CampaignStatus.RUNNING).order_by("launched_at")


def scheduled(*, now: datetime) -> QuerySet[Campaign]:
    """Campaigns that go out within thirty days, soonest first."""
    return (
        Campaign.objects.filter(status=CampaignStatus.SCHEDULED, scheduled_for__lte=now + COMING)
        .select_related("segment")
        .order_by("scheduled_for")
    )


def attention(*, now: datetime) -> list[Matter]:
    """What needs somebody: campaigns that missed their hour, cannot start, or stand still."""
    lately = now - NEEDED_ATTENTION_FOR
    troubled = (
        Campaign.objects.with_pause()
        .filter(
            Q(status=CampaignStatus.MISSED, finished_at__gte=lately)
            | Q(status=CampaignStatus.SCHEDULED) & ~Q(problem={})
            | Q(status=CampaignStatus.RUNNING, is_paused=True)
        )
        .prefetch_related("variants__message")
        .order_by("-scheduled_for")
    )
    return [_matter(campaign) for campaign in troubled]


def _matter(campaign: Campaign) -> Matter:
    words = {"name": campaign.name, "why": campaign.problem_in_words}
    if campaign.status == CampaignStatus.MISSED:
        return Matter(_("“%(name)s” missed its time. %(why)s") % words, "bad", campaign)
    if campaign.status == CampaignStatus.SCHEDULED:
        return Matter(_("“%(name)s” cannot start yet. %(why)s") % words, "bad", campaign)
    braked = [variant.message.paused_for for variant in campaign.variants.all() if variant.message.paused_for]
    if braked:
        return Matter(_("“%(name)s” was stopped: %(why)s") % (words | {"why": braked[0]}), "bad", campaign)
    return Matter(_("“%(name)s” is paused.") % words, "warn", campaign)


def _handed_over(since: datetime) -> dict[date, int]:
    """Messages by the day on which a provider was called; one row per call, not per message, is read."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT (called_at AT TIME ZONE %s)::date, sum(size)
            FROM notifications_submission s JOIN notifications_message m ON m.id = s.message_id
            WHERE called_at >= %s AND NOT m.is_test
            GROUP BY 1
            """,
            [str(clock.shop_zone()), since],
        )
        return {day: int(size) for day, size in cursor.fetchall()}


def _outcomes(since: datetime) -> dict[date, dict]:
    """Sums of the tallies by the day on which the message was to start."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT (m.send_after AT TIME ZONE %s)::date, t.status, sum(t.count), sum(t.cost)
            FROM notifications_message m JOIN notifications_deliverytally t ON t.message_id = m.id
            WHERE m.send_after >= %s AND NOT m.is_test
            GROUP BY 1, 2
            """,
            [str(clock.shop_zone()), since],
        )
        found: dict[date, dict] = {}
        for day, status, count, cost in cursor.fetchall():
            numbers = found.setdefault(day, {"cost": Decimal(0)})
            numbers["cost"] += cost
            if status in ("delivered", "undelivered", "failed", "unknown", "skipped"):
                numbers[status] = int(count)
        return found
