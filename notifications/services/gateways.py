"""Gateways: which account carries a message, and the adapter that speaks to it."""

import logging
from copy import copy
from dataclasses import dataclass

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse

from customers.msgid import _
from notifications import secrets
from notifications.models import Message, ProviderAccount
from notifications.providers.base import Provider, RegisteredText
from notifications.providers.mapping import BadMapping
from notifications.services import adapters, registrations

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


def account_for(channel: str) -> ProviderAccount | None:
    """The account that carries the next call on a channel; None where none works."""
    return _working(channel).first()


def route_for(message: Message) -> Route | None:
    """
    The way the next call of a message takes; None where no account works.

    An account whose settings no longer make an adapter is paused with the reason, before anything
    is handed over: a failure after `called_at` would make everybody in the batch unknown. Raises
    NotApproved where all that is missing is a provider's approval of the text.
    """
    misses_approval = False
    for account in _working(message.channel):
        provider = _adapter_or_pause(account)
        if provider is None:
            continue
        registered = registrations.usable(message, account) if provider.needs_registered_text else None
        if provider.needs_registered_text and registered is None:
            misses_approval = True
            continue
        return Route(account, provider, registered)
    if misses_approval:
        raise NotApproved
    return None


def _working(channel: str) -> QuerySet[ProviderAccount]:
    return ProviderAccount.objects.filter(channel=channel, is_active=True, paused_for="").order_by("id")


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
