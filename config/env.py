"""Typed reading of the environment; a missing or wrong value is told with its name and a hint."""

from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from environs import Env, EnvError

_env = Env()
# Told apart from None, which is a default like any other.
REQUIRED: Any = object()
MAIL_PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}


class MailServer(NamedTuple):
    """Where e-mail is handed over; no host means nowhere."""

    host: str = ""
    port: int = 25
    user: str = ""
    password: str = ""
    uses_tls: bool = False
    uses_ssl: bool = False


def text(name: str, *, default: Any = REQUIRED, hint: str = "") -> str:
    """A string."""
    return _read(_env.str, name, default, hint)


def flag(name: str, *, default: Any = REQUIRED, hint: str = "Write 1 or 0.") -> bool:
    """A yes or no."""
    return _read(_env.bool, name, default, hint)


def number(name: str, *, default: Any = REQUIRED, least: int = 0, hint: str = "") -> int:
    """A whole number."""
    value = _read(_env.int, name, default, hint or f"Write a whole number, {least} or more.")
    if value < least:
        raise wrong(name, "is too small", f"Write a whole number, {least} or more.")
    return value


def amount(name: str, *, default: Any = REQUIRED, hint: str = "Write an amount such as 0.045.") -> Decimal:
    """An amount of money, zero or more."""
    value = text(name, default=default, hint=hint)
    try:
        parsed = Decimal(value)
    except InvalidOperation:
        raise wrong(name, "is not an amount", hint) from None
    if not parsed.is_finite() or parsed < 0:
        raise wrong(name, "is not an amount", hint)
    return parsed


def words(name: str, *, default: Any = REQUIRED, hint: str = "Separate several with commas.") -> list[str]:
    """A list of words, separated by commas."""
    return [word.strip() for word in _read(_env.list, name, default, hint) if word.strip()]


def url(name: str, *, default: Any = REQUIRED, hint: str = "Write it as https://shop.example.com.") -> str:
    """An http or https address without a slash at the end."""
    value = text(name, default=default, hint=hint).rstrip("/")
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise wrong(name, "is not an address", hint)
    return value


def database(name: str, *, hint: str = "Write it as postgresql://user:password@host:5432/name.") -> dict:
    """The address of a PostgreSQL database, as Django wants it."""
    parsed = _read(_env.dj_db_url, name, REQUIRED, hint)
    if parsed.get("ENGINE") != "django.db.backends.postgresql":
        raise wrong(name, "is not the address of a PostgreSQL database", hint)
    return parsed


def mail_server(
    name: str, *, hint: str = "Write it as smtps://user:password@mail.example.com, or smtp+tls:// for STARTTLS."
) -> MailServer:
    """The address of a mail server; smtps:// speaks TLS from the start (465), smtp+tls:// after STARTTLS (587)."""
    value = text(name, default="")
    if not value:
        return MailServer()
    parts = urlsplit(value)
    try:
        port = parts.port or MAIL_PORTS[parts.scheme]
    except (KeyError, ValueError):
        raise wrong(name, "is not the address of a mail server", hint) from None
    if not parts.hostname or parts.path.strip("/"):
        raise wrong(name, "is not the address of a mail server", hint)
    return MailServer(
        parts.hostname,
        port,
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        uses_tls=parts.scheme == "smtp+tls",
        uses_ssl=parts.scheme == "smtps",
    )


def wrong(name: str, problem: str, hint: str) -> ImproperlyConfigured:
    """The error that names a variable, what is wrong with it and what to write."""
    return ImproperlyConfigured(f"{name} {problem}. {hint}".strip())


def _read(parse, name: str, default: Any, hint: str) -> Any:
    arguments = {} if default is REQUIRED else {"default": default}
    try:
        return parse(name, **arguments)
    except EnvError as problem:
        missing = "not set" in str(problem)
        # The value itself stays out of the message: it may be a password.
        raise wrong(name, "is not set" if missing else "cannot be read", hint) from None
    except ValueError:
        raise wrong(name, "cannot be read", hint) from None
