"""Gateways: which account carries a message, and the adapter that speaks to it."""

import json
import logging
from functools import lru_cache

from django.conf import settings
from django.urls import reverse

from customers.msgid import _
from notifications import secrets
from notifications.models import ProviderAccount
from notifications.providers.base import Provider
from notifications.providers.generic_http import GatewaySettings, GenericHttp
from notifications.providers.mapping import BadMapping

logger = logging.getLogger(__name__)

SECRET_UNREADABLE = _("The secret was stored under another SECRET_KEY. Enter it again.")


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
    return _provider(
        account.url,
        account.query_url,
        account.name,
        bytes(account.encrypted_secret),
        account.callback_token,
        account.batch_size,
        json.dumps(account.field_names, sort_keys=True),
    )


def readers() -> dict[int, Provider]:
    """What reads the callbacks of each account, without its secret; accounts with bad field names have none."""
    found = {}
    for account in ProviderAccount.objects.all():
        account.encrypted_secret = b""
        try:
            found[account.pk] = provider_for(account)
        except (BadMapping, ValueError) as trouble:
            logger.warning("The receipts of account %d wait: %s", account.pk, trouble)
    return found


def callback_url(account_token: str) -> str:
    """Where an account's gateway pushes its receipts."""
    return settings.PUBLIC_URL.rstrip("/") + reverse("notifications:receipts", args=[account_token])


@lru_cache(maxsize=16)
def _provider(
    url: str,
    query_url: str,
    name: str,
    secret: bytes,
    token: str,
    batch_size: int,
    field_names: str,
) -> Provider:
    return GenericHttp(
        GatewaySettings(
            send_url=url,
            query_url=query_url,
            account=name,
            api_key=secrets.decrypt(secret) if secret else "",
            callback_url=callback_url(token),
            batch_size=batch_size,
            private_hosts=frozenset(settings.GATEWAY_PRIVATE_HOSTS),
            mapping=json.loads(field_names),
        )
    )
