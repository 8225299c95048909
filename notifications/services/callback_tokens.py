"""The secret in an account's callback address: whose it is, and how it is changed without losing a receipt."""

import hmac
import secrets
from datetime import datetime, timedelta

from django.db.models import F

from notifications.models import ProviderAccount

# Staff enter the new address in the gateway's console by hand; Aliyun's takes some minutes to follow.
OVERLAP = timedelta(days=7)
LENGTH = 32


def new() -> str:
    """A token that nobody guesses: 256 bits."""
    return secrets.token_urlsafe(LENGTH)


def owner(token: str, *, now: datetime) -> ProviderAccount | None:
    """
    The account that a token stands for, active or not; None where it is nobody's.

    Every token is compared, each in the same time whatever they have in common: an index would answer
    sooner the less of a guess is right.
    """
    guess = token.encode("utf-8", "replace")
    found = None
    for account in ProviderAccount.objects.order_by("id"):
        is_current = hmac.compare_digest(guess, account.callback_token.encode())
        is_previous = hmac.compare_digest(guess, account.previous_callback_token.encode())
        if is_current or (is_previous and _previous_holds(account, now)):
            found = account
    return found


def rotate(account_id: int, *, now: datetime) -> datetime:
    """Give an account a new token; answers until when the old one is believed as well."""
    until = now + OVERLAP
    ProviderAccount.objects.filter(pk=account_id).update(
        previous_callback_token=F("callback_token"), previous_token_until=until, callback_token=new()
    )
    return until


def forget_previous(account_id: int) -> int:
    """Believe the old token no longer, for one that became known; answers 0 where there was none."""
    return (
        ProviderAccount.objects.filter(pk=account_id)
        .exclude(previous_callback_token="")
        .update(previous_callback_token="", previous_token_until=None)
    )


def _previous_holds(account: ProviderAccount, now: datetime) -> bool:
    until = account.previous_token_until
    return bool(account.previous_callback_token) and until is not None and now < until
