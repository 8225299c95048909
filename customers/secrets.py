"""Secrets at rest: encrypted with keys that are derived from SECRETS_KEY, or from SECRET_KEY where there is none."""

import base64
import hashlib
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

# Another use of the same key must never yield the same cipher. What is stored was encrypted under these words.
CONTEXT = b"hongyan.notifications.provider-secret:"


class Unreadable(Exception):
    """The secret was stored under a key that this deployment does not have, and has to be entered again."""


def encrypt(secret: str) -> bytes:
    """The secret as it may lie in the database."""
    return _cipher(_keys()).encrypt(secret.encode())


def decrypt(stored: bytes) -> str:
    """The secret as the provider knows it. Raises Unreadable where no key of this deployment reads it."""
    try:
        return _cipher(_keys()).decrypt(bytes(stored)).decode()
    except InvalidToken as trouble:
        raise Unreadable from trouble


def is_newest(stored: bytes) -> bool:
    """Whether a secret is stored under the newest key."""
    try:
        _cipher(_keys()[:1]).decrypt(bytes(stored))
    except InvalidToken:
        return False
    return True


def _keys() -> tuple[str, ...]:
    # What was stored before SECRETS_KEY was given stays readable, until it is rotated.
    return (*settings.SECRETS_KEYS, settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


@lru_cache(maxsize=8)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet(
        [Fernet(base64.urlsafe_b64encode(hashlib.sha256(CONTEXT + key.encode()).digest())) for key in keys]
    )
