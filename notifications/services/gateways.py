"""Gateways: which account carries a message, and the adapter that speaks to it."""

import logging
import random
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse

from customers import clock
from customers.choices import Purpose
from customers.msgid import _
from notifications import secrets
from notifications.choices import HeldFor
from notifications.models import AccountGauge, Message, ProviderAccount
from notifications.models.account_gauge import FULL_HEALTH
from notifications.providers.base import Provider, RegisteredText
from notifications.providers.mapping import BadMapping
from notifications.services import adapters, budgets, pacing, registrations

logger = logging.getLogger(__name__)

SECRET_UNREADABLE = _("The secret was stored under another key of this deployment. Enter it again.")


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


def account_for(channel: str) -> ProviderAccount | None:
    """The account that carries the next call on a channel; None where none works."""
    return _working(channel).first()


def paces(channel: str) -> list[int | None]:
    """The messages a second of each account that works on a channel; None for as fast as it goes."""
    return list(_working(channel).values_list("pace", flat=True))


def route_for(message: Message, *, now: datetime, without: ProviderAccount | None = None) -> Route | None:
    """
    The way the next call of a message takes; None where no account works.

    Accounts share the calls by weight: the share that staff gave them, lessened by poor health. An
    account whose settings no longer make an adapter is paused with the reason, before anything
    is handed over: a failure after `called_at` would make everybody in the batch unknown. Raises
    Waits where all that work have to wait for a known moment, and NotApproved where all that is
    missing is a provider's approval of the text.
    """
    working = [account for account in _working(message.channel) if account != without]
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


def _working(channel: str) -> QuerySet[ProviderAccount]:
    accounts = ProviderAccount.objects.filter(channel=channel, is_active=True, paused_for="")
    return accounts.select_related("gauge").order_by("id")


def gauge_of(account: ProviderAccount) -> AccountGauge | None:
    """What sending has noted of an account so far."""
    return getattr(account, "gauge", None)


def _waits(account: ProviderAccount, *, is_urgent: bool, now: datetime) -> Waits | None:
    gauge = gauge_of(account)
    if gauge and gauge.rests_until and gauge.rests_until > now:
        return Waits(gauge.rests_until, HeldFor.RETRY)
    if budgets.is_used_up(account, gauge, is_urgent=is_urgent, today=clock.shop_date(now)):
        return Waits(budgets.renewed_at(now), HeldFor.BUDGET)
    return None


def _chosen(accounts: Sequence[ProviderAccount], *, now: datetime) -> ProviderAccount:
    """One by weight, of those whose pace lets them call soon where there are any."""
    if len(accounts) == 1:
        return accounts[0]
    gauges = {account.pk: gauge_of(account) for account in accounts}
    paced_until = {pk: gauge.paced_until if gauge else None for pk, gauge in gauges.items()}
    near = [account for account in accounts if pacing.is_near(account, paced_until[account.pk], now=now)] or accounts
    healths = [gauge.health if (gauge := gauges[account.pk]) else FULL_HEALTH for account in near]
    return random.choices(near, [account.share * health for account, health in zip(near, healths, strict=True)])[0]


def _adapter_or_pause(account: ProviderAccount) -> Provider | None:
    try:
        return provider_for(account)
    except secrets.Unreadable:
        words = SECRET_UNREADABLE
    except (BadMapping, ValueError) as trouble:
        words = str(trouble)
    ProviderAccount.objects.filter(pk=account.pk, paused_for="").update(paused_for=words[:200])
    return None


def provider_for(account: ProviderAccount) -> Provider:
    """The adapter of an account, with its connections kept from call to call."""
    return adapters.adapter(adapters.connection_of(account, callback_url=callback_url(account.callback_token)))


def reader(account: ProviderAccount) -> Provider | None:
    """What reads an account's callbacks, without its secret; None where its settings make no adapter."""
    without_secret = copy(account)
    without_secret.encrypted_secret = b""
    try:
        return provider_for(without_secret)
    except (BadMapping, ValueError) as trouble:
        logger.warning("The callbacks of account %d wait: %s", account.pk, trouble)
        return None


def readers() -> dict[int, Provider]:
    """What reads the callbacks of each account; accounts with bad settings have none."""
    found = {account.pk: reader(account) for account in ProviderAccount.objects.all()}
    return {pk: provider for pk, provider in found.items() if provider}


def callback_url(account_token: str) -> str:
    """Where an account's gateway pushes its receipts."""
    return _public(reverse("notifications:receipts", args=[account_token]))


def replies_url(account_token: str) -> str:
    """Where an account's gateway pushes what customers reply; the other address takes them as well."""
    return _public(reverse("notifications:replies", args=[account_token]))


def _public(path: str) -> str:
    return settings.PUBLIC_URL.rstrip("/") + path
