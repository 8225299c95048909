"""Provider secrets at rest: encrypted with a key that is derived from SECRET_KEY."""

import base64
import hashlib
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

# Another use of SECRET_KEY must never yield the same key.
CONTEXT = b"hongyan.notifications.provider-secret:"


class Unreadable(Exception):
    """The secret was stored under another SECRET_KEY and has to be entered again."""


def encrypt(secret: str) -> bytes:
    """The secret as it may lie in the database."""
    return _cipher(_keys()).encrypt(secret.encode())


def decrypt(stored: bytes) -> str:
    """
    The secret as the provider knows it.

    Raises Unreadable where neither SECRET_KEY nor a fallback of it can read what is stored.
    """
    try:
        return _cipher(_keys()).decrypt(bytes(stored)).decode()
    except InvalidToken as trouble:
        raise Unreadable from trouble


def _keys() -> tuple[str, ...]:
    return (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


@lru_cache(maxsize=4)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet(
        [Fernet(base64.urlsafe_b64encode(hashlib.sha256(CONTEXT + key.encode()).digest())) for key in keys]
    )
