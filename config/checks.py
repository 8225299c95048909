"""System checks of the set-up: bad configuration is told at start, with a hint."""

import os
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from redis import Redis

from config import servers


@register(Tags.compatibility)
def settings_make_sense(**_options) -> list[CheckMessage]:
    """Values that parse and still cannot work."""
    problems = []
    try:
        ZoneInfo(settings.TIME_ZONE)
    except (ZoneInfoNotFoundError, ValueError):
        problems.append(
            Error("SHOP_TIME_ZONE is not a time zone.", hint="Write it as Asia/Shanghai.", id="config.E001")
        )
    try:
        Redis.from_url(settings.REDIS_URL)
    except ValueError:
        problems.append(
            Error(
                "REDIS_URL is not the address of a Redis server.",
                hint="Write it as redis://:password@host:6379/0 or unix:///path/to/socket?db=0.",
                id="config.E002",
            )
        )
    if not settings.ALLOWED_HOSTS or "*" in settings.ALLOWED_HOSTS:
        problems.append(
            Error(
                "ALLOWED_HOSTS lets in any name.",
                hint="Name the hosts that staff and providers use; links in messages are made of them.",
                id="config.E003",
            )
        )
    return problems


@register(Tags.files)
def uploads_are_writable(**_options) -> list[CheckMessage]:
    """Imports need a directory for the files that staff upload."""
    existing = next(path for path in [settings.UPLOADS, *settings.UPLOADS.parents] if path.exists())
    if existing.is_dir() and os.access(existing, os.W_OK):
        return []
    return [
        Error(
            f"UPLOADS: {existing} cannot be written.",
            hint="Name a directory that belongs to the user who runs Hongyan.",
            id="config.E004",
        )
    ]


@register(Tags.security, deploy=True)
def production_is_complete(**_options) -> list[CheckMessage]:
    """What a shop's own deployment needs beyond Django's list."""
    problems = []
    if settings.EMBEDDED:
        problems.append(
            Warning(
                "The embedded PostgreSQL is meant for trying out.",
                hint="Set DATABASE_URL and REDIS_URL to servers with backups.",
                id="config.W001",
            )
        )
    if settings.PUBLIC_HOST in ("localhost", "127.0.0.1", "::1"):
        problems.append(
            Warning(
                "PUBLIC_URL is local: providers cannot deliver receipts, customers cannot open links.",
                hint="Set PUBLIC_URL to the address that the world uses, such as https://shop.example.com.",
                id="config.W002",
            )
        )
    if not settings.REQUIRE_SECOND_FACTOR:
        problems.append(
            Warning(
                "A password alone opens the customer list.",
                hint="Set REQUIRE_SECOND_FACTOR=1.",
                id="config.W003",
            )
        )
    return problems


@register(Tags.database)
def servers_keep_promises(databases=None, **_options) -> list[CheckMessage]:
    """What PostgreSQL and Redis are set to, where the servers are asked: `manage.py check --database default`."""
    if not databases:
        return []
    identifiers = {"database": "config.W004", "queue": "config.W005"}
    told = ((part, *words.split(": ", 1)) for part, words in servers.sentences().items())
    return [Warning(what, hint=why, id=identifiers[part]) for part, what, why in told]
