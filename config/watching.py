"""The watch: sees what is wrong, and has staff told; needs neither a worker nor Redis."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import connection
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from campaigns import reports
from campaigns.choices import CampaignStatus
from campaigns.services import approvals
from config import pulse
from customers import clock
from notifications.choices import AlertKind, StopReason
from notifications.models import BrakePull, Message, ProviderAccount
from notifications.providers.base import spoken
from notifications.services import alerts, switch, telling
from notifications.services.alerts import Cause

LOOKS_BACK = timedelta(days=7)
MOST_MISSED = 100
# A gateway that takes nothing for so long is down; shorter troubles pass by themselves.
DOWN_AFTER = timedelta(minutes=3)
# Adapters give their words as msgids: these stand in those about money, whichever provider it is.
MONEY_WORDS = ("balance", "arrears", "package", "top up", "top it up")


def look() -> dict[str, int]:
    """Raise and end alerts, then tell what is to be told; answers counts."""
    now = clock.now()
    found = alerts.keep(causes(now), now=now) + telling.send_due(now=now, moment=clock.now)
    return {str(name): count for name, count in found.items()}


def causes(now: datetime) -> Iterator[Cause]:
    """Everything that is wrong at this moment."""
    yield from _switch()
    yield from _workers(now)
    yield from _accounts()
    yield from _budgets(now)
    yield from _unreachable(now)
    yield from _messages(now)
    yield from _taken_back()
    yield from _missed(now)


def _switch() -> Iterator[Cause]:
    stopped = switch.stopped()
    if stopped is None:
        return
    page = reverse("stop_sending")
    if stopped.reason == StopReason.RESTORED:
        yield Cause(
            AlertKind.SAFE_MODE,
            str(int(stopped.stopped_at.timestamp())),
            lambda: _("This database looks like a restored backup. Nothing is sent until an owner has looked at it."),
            page,
        )
        return
    who = str(stopped.stopped_by or "–")
    yield Cause(
        AlertKind.STOPPED,
        str(int(stopped.stopped_at.timestamp())),
        lambda: _("%(who)s has stopped everything. Nothing is sent until an owner lets it go on.") % {"who": who},
        page,
    )


def _workers(now: datetime) -> Iterator[Cause]:
    for queue in pulse.queues(now):
        if not queue.is_alive:
            yield Cause(
                AlertKind.NO_WORKERS,
                queue.name,
                lambda label=queue.label: (
                    _("No worker serves the queue “%(queue)s”. What waits in it goes out when one runs again.")
                    % {"queue": label}
                ),
                reverse("system_status"),
            )


def _accounts() -> Iterator[Cause]:
    """Accounts that were paused by what their gateway said."""
    for account in ProviderAccount.objects.filter(is_active=True).exclude(paused_for=""):
        is_money = any(word in account.paused_for.lower() for word in MONEY_WORDS)
        yield Cause(
            AlertKind.BALANCE if is_money else AlertKind.GATEWAY,
            f"account-{account.pk}:{account.paused_for}",
            lambda account=account: (
                _("The account “%(name)s” is paused: %(reason)s")
                % {"name": account, "reason": spoken(account.paused_for, gettext=_)}
            ),
            reverse("admin:notifications_provideraccount_change", args=[account.pk]),
        )


def _budgets(now: datetime) -> Iterator[Cause]:
    """Accounts that are through with what they may spend today."""
    today = clock.shop_date(now)
    for account in ProviderAccount.objects.filter(
        is_active=True, daily_budget__isnull=False, gauge__exhausted_on=today
    ):
        yield Cause(
            AlertKind.BUDGET,
            f"budget-{account.pk}:{today}",
            lambda account=account: (
                _("The budget of “%(name)s” for today, ¥%(budget)s, is used up. What waits goes out tomorrow.")
                % {"name": account, "budget": f"{account.daily_budget:,.2f}"}
            ),
            reverse("admin:notifications_provideraccount_change", args=[account.pk]),
        )


def _unreachable(now: datetime) -> Iterator[Cause]:
    """Channels whose messages are put off again and again while nothing goes out."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT m.channel, sum(waiting.size) FROM notifications_message m
            CROSS JOIN LATERAL (
                SELECT sum(s.size) AS size FROM notifications_submission s
                WHERE s.message_id = m.id AND s.status = 'queued' AND s.held_for = 'retry'
            ) AS waiting
            WHERE waiting.size > 0 AND m.paused_at IS NULL AND m.canceled_at IS NULL AND m.send_until > %(now)s
                AND EXISTS (
                    SELECT FROM notifications_submission s WHERE s.message_id = m.id AND s.status = 'settled'
                        AND s.settled_at BETWEEN %(now)s - 5 * %(down)s::interval AND %(now)s - %(down)s::interval
                )
                AND NOT EXISTS (
                    SELECT FROM notifications_submission s JOIN notifications_delivery d ON d.submission_id = s.id
                    WHERE s.message_id = m.id AND s.status = 'settled' AND s.settled_at > %(now)s - %(down)s::interval
                        AND d.status IN ('sent', 'delivered', 'undelivered', 'failed')
                )
            GROUP BY m.channel
            """,
            {"now": now, "down": DOWN_AFTER},
        )
        rows = cursor.fetchall()
    for channel, count in rows:
        yield Cause(
            AlertKind.GATEWAY,
            f"unreachable-{channel}",
            lambda count=int(count): (
                ngettext(
                    "The gateway has taken nothing for minutes: %(count)s message waits and is tried again.",
                    "The gateway has taken nothing for minutes: %(count)s messages wait and are tried again.",
                    count,
                )
                % {"count": f"{count:,}"}
            ),
            f"{reverse('admin:notifications_delivery_changelist')}?state=held",
        )


def _messages(now: datetime) -> Iterator[Cause]:
    """Messages that the brake or a refused text has stopped; those that staff paused have words of their own."""
    paused = Message.objects.filter(paused_at__isnull=False, canceled_at=None, send_until__gt=now)
    pulls = {pull.message_id: pull for pull in BrakePull.objects.filter(message__in=paused).order_by("id")}
    for message in paused.exclude(paused_for=""):
        page = reverse("admin:notifications_message_change", args=[message.pk])
        key = f"message-{message.pk}:{int(message.paused_at.timestamp())}"
        pull = pulls.get(message.pk)
        if pull is not None and message.paused_at <= pull.pulled_at:
            yield Cause(
                AlertKind.BRAKE, key, lambda message=message, pull=pull: _stopped(message, pull.in_words), page
            )
        elif _is_ours(message.paused_for):
            yield Cause(
                AlertKind.REJECTED_TEXT,
                key,
                lambda message=message: _stopped(message, spoken(message.paused_for, gettext=_)),
                page,
            )


def _is_ours(words: str) -> bool:
    """Whether the program wrote the words: it stores msgids, which have a translation, and staff a sentence."""
    with override("zh-hans"):
        return spoken(words, gettext=_) != words


def _stopped(message: Message, why: str) -> str:
    return _("“%(name)s” was stopped: %(why)s") % {"name": message.name, "why": why}


def _taken_back() -> Iterator[Cause]:
    """Scheduled campaigns whose text or signature a provider has taken back."""
    for flag in approvals.flagged(at_most=MOST_MISSED):
        yield Cause(
            AlertKind.REJECTED_TEXT,
            f"campaign-{flag.campaign.pk}:taken-back",
            lambda campaign=flag.campaign: approvals.flag_of(campaign).words,
            reverse("admin:campaigns_campaign_live", args=[flag.campaign.pk]),
        )


def _missed(now: datetime) -> Iterator[Cause]:
    for trouble in reports.troubles(since=now - LOOKS_BACK, at_most=MOST_MISSED):
        campaign = trouble.campaign
        if campaign.status == CampaignStatus.MISSED:
            yield Cause(
                AlertKind.MISSED,
                f"campaign-{campaign.pk}:{int(campaign.finished_at.timestamp())}",
                lambda campaign=campaign: reports.sentence(campaign),
                reverse("admin:campaigns_campaign_live", args=[campaign.pk]),
            )
