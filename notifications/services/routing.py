"""Routing: which account carries the next call of a message."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from customers import clock
from customers.choices import Purpose
from notifications import secrets
from notifications.choices import HeldFor
from notifications.models import Message, ProviderAccount
from notifications.models.account_gauge import FULL_HEALTH
from notifications.providers.base import Provider, RegisteredText
from notifications.providers.mapping import BadMapping
from notifications.services import budgets, gateways, pacing, registrations


@dataclass(frozen=True)
class Route:
    """The way a call takes: the account, its adapter, and how the text is registered there if it has to be."""

    account: ProviderAccount
    provider: Provider
    registered: RegisteredText | None = None


class NotApproved(Exception):
    """Accounts work, but none of them has approved the text."""


class Waits(Exception):
    """Accounts work, but none of them may call before a moment."""

    def __init__(self, until: datetime, held_for: HeldFor):
        super().__init__(until, held_for)
        self.until = until
        self.held_for = held_for


def route_for(message: Message, *, now: datetime, without: ProviderAccount | None = None) -> Route | None:
    """
    The way the next call of a message takes; None where no account works.

    Accounts share the calls by weight: the share that staff gave them, lessened by poor health. An
    account whose settings no longer make an adapter is paused with the reason, before anything
    is handed over: a failure after `called_at` would make everybody in the batch unknown. Raises
    Waits where all that work have to wait for a known moment, and NotApproved where all that is
    missing is a provider's approval of the text.
    """
    working = [account for account in gateways.working(message.channel) if account != without]
    is_urgent = not Purpose(message.purpose).needs_consent
    waits = {account.pk: _waits(account, is_urgent=is_urgent, now=now) for account in working}
    remaining = [account for account in working if waits[account.pk] is None]
    misses_approval = False
    while remaining:
        account = _chosen(remaining, now=now)
        remaining.remove(account)
        provider = _adapter_or_pause(account)
        if provider is None:
            continue
        registered = registrations.usable(message, account) if provider.needs_registered_text else None
        if provider.needs_registered_text and registered is None:
            misses_approval = True
            continue
        return Route(account, provider, registered)
    if any(waits.values()):
        raise min((wait for wait in waits.values() if wait), key=lambda wait: wait.until)
    if misses_approval:
        raise NotApproved
    return None


def _waits(account: ProviderAccount, *, is_urgent: bool, now: datetime) -> Waits | None:
    gauge = gateways.gauge_of(account)
    if gauge and gauge.rests_until and gauge.rests_until > now:
        return Waits(gauge.rests_until, HeldFor.RETRY)
    if budgets.is_used_up(account, gauge, is_urgent=is_urgent, today=clock.shop_date(now)):
        return Waits(budgets.renewed_at(now), HeldFor.BUDGET)
    return None


def _chosen(accounts: Sequence[ProviderAccount], *, now: datetime) -> ProviderAccount:
    """One by weight, of those whose pace lets them call soon where there are any."""
    if len(accounts) == 1:
        return accounts[0]
    gauges = {account.pk: gateways.gauge_of(account) for account in accounts}
    paced_until = {pk: gauge.paced_until if gauge else None for pk, gauge in gauges.items()}
    near = [account for account in accounts if pacing.is_near(account, paced_until[account.pk], now=now)] or accounts
    healths = [gauge.health if (gauge := gauges[account.pk]) else FULL_HEALTH for account in near]
    return random.choices(near, [account.share * health for account, health in zip(near, healths, strict=True)])[0]


def _adapter_or_pause(account: ProviderAccount) -> Provider | None:
    try:
        return gateways.provider_for(account)
    except secrets.Unreadable:
        words = gateways.SECRET_UNREADABLE
    except (BadMapping, ValueError) as trouble:
        words = str(trouble)
    ProviderAccount.objects.filter(pk=account.pk, paused_for="").update(paused_for=words[:200])
    return None
