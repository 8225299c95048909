"""Gateways: the accounts of a channel, and the adapter that speaks to each."""

import logging
from copy import copy

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse

from customers.msgid import _
from notifications.choices import COMPOSING_GATEWAYS
from notifications.models import AccountGauge, ProviderAccount
from notifications.providers.base import Provider
from notifications.providers.mapping import BadMapping
from notifications.services import adapters

logger = logging.getLogger(__name__)

SECRET_UNREADABLE = _("The secret was stored under another key of this deployment. Enter it again.")


def account_for(channel: str) -> ProviderAccount | None:
    """The account that carries the next call on a channel; None where none works."""
    return working(channel).first()


def paces(channel: str) -> list[int | None]:
    """The messages a second of each account that works on a channel; None for as fast as it goes."""
    return list(working(channel).values_list("pace", flat=True))


def composes(channel: str) -> bool:
    """Whether every account that works on a channel composes registered texts itself."""
    kinds = set(working(channel).values_list("gateway", flat=True))
    return bool(kinds) and kinds <= set(COMPOSING_GATEWAYS)


def working(channel: str) -> QuerySet[ProviderAccount]:
    """The accounts of a channel that may be called, with what sending has noted of them."""
    accounts = ProviderAccount.objects.filter(channel=channel, is_active=True, paused_for="")
    return accounts.select_related("gauge").order_by("id")


def gauge_of(account: ProviderAccount) -> AccountGauge | None:
    """What sending has noted of an account so far."""
    return getattr(account, "gauge", None)


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
