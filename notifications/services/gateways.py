"""Gateways: which account carries a message, and the adapter that speaks to it."""

import logging

from django.conf import settings
from django.urls import reverse

from customers.msgid import _
from notifications import secrets
from notifications.models import ProviderAccount
from notifications.providers.base import Provider
from notifications.providers.mapping import BadMapping
from notifications.services import adapters

logger = logging.getLogger(__name__)

SECRET_UNREADABLE = _("The secret was stored under another key of this deployment. Enter it again.")


def account_for(channel: str) -> ProviderAccount | None:
    """The account that carries the next call on a channel; None where none works."""
    return ProviderAccount.objects.filter(channel=channel, is_active=True, paused_for="").order_by("id").first()


def ready_for(channel: str) -> tuple[ProviderAccount, Provider] | tuple[None, None]:
    """
    The account that carries the next call, and its adapter; (None, None) where none works.

    An account whose settings no longer make an adapter is paused with the reason, before anything
    is handed over: a failure after `called_at` would make everybody in the batch unknown.
    """
    while account := account_for(channel):
        try:
            return account, provider_for(account)
        except secrets.Unreadable:
            words = SECRET_UNREADABLE
        except (BadMapping, ValueError) as trouble:
            words = str(trouble)
        ProviderAccount.objects.filter(pk=account.pk, paused_for="").update(paused_for=words[:200])
    return None, None


def provider_for(account: ProviderAccount) -> Provider:
    """The adapter of an account, with its connections kept from call to call."""
    return adapters.adapter(adapters.connection_of(account, callback_url=callback_url(account.callback_token)))


def reader(account: ProviderAccount) -> Provider | None:
    """What reads an account's callbacks, without its secret; None where its settings make no adapter."""
    account.encrypted_secret = b""
    try:
        return provider_for(account)
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
