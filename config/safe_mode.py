"""Safe mode: a restored database sends nothing until an owner has looked at it."""

import json
import logging
import os
from datetime import datetime

from django.conf import settings
from django.utils.dateparse import parse_datetime
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from redis import RedisError

from customers import clock, doorbell
from notifications.choices import StopReason
from notifications.models import DatabaseIdentity
from notifications.services import identity, switch

logger = logging.getLogger(__name__)

KEY = "hongyan:last-seen:%s"


def look(*, now: datetime) -> bool:
    """
    Stop everything if the database looks like a restored backup, else note that it is alive; whether it is stopped.

    Asked before every job and at every start, so that no worker sends from a backup even once.
    """
    if switch.stopped():
        return True
    said, before = identity.told(), identity.stored()
    if before is None:
        _note(identity.remember(said))
        return False
    found = identity.differences(before, said, outside=_last_seen(before))
    if found:
        logger.error("The database looks like a restored backup; nothing is sent until an owner confirms: %s", found)
        switch.stop(now=now, reason=StopReason.RESTORED, found=found)
        return True
    identity.follow_timeline(said)
    if alive_at := identity.beat():
        before.alive_at = alive_at
        _note(before)
    return False


def trust(*, now: datetime) -> bool:
    """Take the database as it is from now on, and let everything go on; answers whether it was stopped."""
    _note(identity.remember(identity.told()))
    return switch.start()


def in_words(found: dict) -> list[str]:
    """By what a restored database was known, in the reader's language."""
    sentences = []
    if "server" in found:
        sentences.append(_("The data stands on another database server than before."))
    if "database" in found:
        sentences.append(_("The database was created anew since it was last used."))
    if "behind" in found:
        moments = {name: _moment(text) for name, text in found["behind"].items()}
        words = _(
            "The database ends at %(here)s, but the shop still ran at %(outside)s: what lies between is missing."
        )
        sentences.append(words % moments)
    if "timeline" in found:
        sentences.append(_("The database server was set back to an earlier moment, or a standby took its place."))
    return sentences


def _moment(text: str) -> str:
    moment = parse_datetime(text)
    return f"{localtime(moment, clock.shop_zone()):%Y-%m-%d %H:%M}" if moment else text


def _last_seen(database: DatabaseIdentity) -> datetime | None:
    """The newest heartbeat that was noted outside the database, if any of this deployment was."""
    return max(filter(None, (_in_redis(database), _in_file(database))), default=None)


def _in_redis(database: DatabaseIdentity) -> datetime | None:
    try:
        noted = doorbell.connection().get(KEY % database.deployment)
    except (RedisError, OSError):
        return None
    return _parsed(noted.decode(errors="replace")) if noted else None


def _in_file(database: DatabaseIdentity) -> datetime | None:
    try:
        noted = json.loads(settings.LAST_SEEN_FILE.read_text())
    except (OSError, ValueError):
        return None
    is_ours = isinstance(noted, dict) and noted.get("deployment") == str(database.deployment)
    return _parsed(noted.get("alive_at")) if is_ours else None


def _parsed(text: object) -> datetime | None:
    """A moment with its zone; whatever else stands there is no sign of anything."""
    try:
        moment = parse_datetime(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment if moment and moment.tzinfo else None


def _note(database: DatabaseIdentity) -> None:
    """Write the heartbeat where a backup of the database does not reach."""
    alive_at = database.alive_at.isoformat()
    try:
        doorbell.connection().set(KEY % database.deployment, alive_at)
    except (RedisError, OSError) as trouble:
        logger.warning("The heartbeat could not be noted in Redis: %s", trouble)
    file = settings.LAST_SEEN_FILE
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        draft.write_text(json.dumps({"deployment": str(database.deployment), "alive_at": alive_at}))
        draft.replace(file)
    except OSError as trouble:
        logger.warning("The heartbeat could not be noted in %s: %s", file, trouble)
