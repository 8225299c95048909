"""Read-only answers about campaigns for pages that stand above them."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Q
from django.utils.translation import gettext as _

from campaigns.choices import CampaignStatus
from campaigns.models import Campaign


@dataclass(frozen=True)
class Trouble:
    """A campaign that needs somebody, with the sentence that says why."""

    campaign: Campaign
    sentence: str


def troubles(*, since: datetime, at_most: int = 5) -> list[Trouble]:
    """Campaigns that missed their hour since a moment, or cannot start although it has come; newest first."""
    troubled = Campaign.objects.filter(
        Q(status=CampaignStatus.MISSED, finished_at__gte=since) | Q(status=CampaignStatus.SCHEDULED) & ~Q(problem={})
    ).order_by("-scheduled_for")
    return [Trouble(campaign, sentence(campaign)) for campaign in troubled[:at_most]]


def sentence(campaign: Campaign) -> str:
    """Why a campaign needs somebody, in the reader's language."""
    words = {"name": campaign.name, "why": campaign.problem_in_words}
    if campaign.status == CampaignStatus.MISSED:
        return _("“%(name)s” missed its time. %(why)s") % words
    return _("“%(name)s” cannot start yet. %(why)s") % words


@dataclass(frozen=True)
class AfterPayment:
    """How many reminders went out after the payment they asked for."""

    sent_after_paid: int
    # Their payment had happened, but nobody had told us before the call.
    told_later: int


def after_payment(*, since: datetime) -> AfterPayment:
    """
    Count the reminders to pay that were called for since a moment although the order was paid.

    By the clock of the database: a payment's `recorded_at` is taken while its order is held, and so is `called_at`.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(DISTINCT d.id) FILTER (WHERE known.to_status NOT IN ('unpaid', 'closed', 'locked', '')),
                count(DISTINCT d.id) FILTER (WHERE EXISTS (
                    SELECT FROM customers_orderchange told
                    WHERE told.order_id = n.order_id AND told.recorded_at >= s.called_at
                        AND told.happened_at < s.called_at AND told.from_status = 'unpaid'
                        AND told.to_status NOT IN ('unpaid', 'closed', 'locked', '')
                ))
            FROM notifications_message m
            JOIN notifications_submission s ON s.message_id = m.id AND s.called_at >= %s
            JOIN notifications_delivery d
                ON d.submission_id = s.id AND d.status NOT IN ('skipped', 'canceled', 'queued')
            JOIN notifications_concern n ON n.delivery_id = d.id
            LEFT JOIN LATERAL (
                SELECT told.to_status FROM customers_orderchange told
                WHERE told.order_id = n.order_id AND told.recorded_at < s.called_at
                    AND told.from_status <> told.to_status
                ORDER BY told.id DESC LIMIT 1
            ) known ON true
            WHERE 'paid' = ANY(m.stop_when)
            """,
            [since],
        )
        return AfterPayment(*cursor.fetchone())
