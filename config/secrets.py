"""The keys of a deployment: given by the environment, or made once and kept beside an embedded one's data."""

import os
import secrets
from pathlib import Path

from config import env

HINT = "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(50))'"


def secret_key(given: str, *, embedded: bool, file: Path) -> str:
    """
    The key that signs sessions and protects stored credentials.

    Raises ImproperlyConfigured when a real deployment has none, or one that anybody could guess.
    """
    if given:
        if is_easy(given):
            raise env.wrong("SECRET_KEY", "is too easy to guess", HINT)
        return given
    if not embedded:
        raise env.wrong("SECRET_KEY", "is not set", HINT)
    return _kept(file)


def storage_keys(given: list[str]) -> list[str]:
    """
    The keys that stored secrets are encrypted with, the newest first.

    Raises ImproperlyConfigured for one that anybody could guess.
    """
    if any(map(is_easy, given)):
        raise env.wrong("SECRETS_KEY", "is too easy to guess", HINT)
    return given


def is_easy(key: str) -> bool:
    """Whether a key could be guessed."""
    return len(key) < 50 or len(set(key)) < 5 or key.startswith("django-insecure-")


def _kept(file: Path) -> str:
    """Read the key, made by whichever process came first."""
    if not file.exists():
        draft = file.with_name(f"{file.name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as output:
            output.write(secrets.token_urlsafe(50))
        try:
            # Unlike a rename, a link never replaces the key that another process made meanwhile.
            os.link(draft, file)
        except FileExistsError:
            pass  # That key is read below.
        finally:
            draft.unlink()
    return file.read_text().strip()
