"""The secret key of an embedded deployment, made once and kept beside its data."""

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
        if len(given) < 50 or len(set(given)) < 5 or given.startswith("django-insecure-"):
            raise env.wrong("SECRET_KEY", "is too easy to guess", HINT)
        return given
    if not embedded:
        raise env.wrong("SECRET_KEY", "is not set", HINT)
    return _kept(file)


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
