"""Which database this is, and since when: what it says of itself against what it once said."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from notifications.models import DatabaseIdentity

# A marker is written after its heartbeat, so it is ahead only of a database that was set back.
BEHIND = timedelta(minutes=5)
BEAT_EVERY = "10 seconds"


@dataclass(frozen=True)
class Told:
    """What the database says of itself; None where an ordinary role may not ask."""

    system_identifier: int | None
    database_oid: int
    timeline: int | None


def told() -> Told:
    """Ask the database who it is."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT oid::bigint, has_function_privilege('pg_control_system()', 'EXECUTE')"
            " AND has_function_privilege('pg_control_checkpoint()', 'EXECUTE')"
            " FROM pg_database WHERE datname = current_database()"
        )
        oid, may_ask = cursor.fetchone()
        if not may_ask:
            return Told(None, oid, None)
        cursor.execute(
            "SELECT system_identifier, timeline_id::bigint FROM pg_control_system(), pg_control_checkpoint()"
        )
        system, timeline = cursor.fetchone()
        return Told(system, oid, timeline)


def stored() -> DatabaseIdentity | None:
    """What it said when it was last trusted; None before the first start."""
    return DatabaseIdentity.objects.first()


def remember(said: Told) -> DatabaseIdentity:
    """Trust the database as it is from now on; a deployment keeps its number."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO notifications_databaseidentity
                (id, deployment, system_identifier, database_oid, timeline, alive_at)
            VALUES (1, %s, %s, %s, %s, clock_timestamp())
            ON CONFLICT (id) DO UPDATE SET system_identifier = excluded.system_identifier,
                database_oid = excluded.database_oid, timeline = excluded.timeline, alive_at = excluded.alive_at
            """,
            [uuid.uuid4(), said.system_identifier, said.database_oid, said.timeline],
        )
    return DatabaseIdentity.objects.get()


def beat() -> datetime | None:
    """Note that the database is alive; the moment, or None where somebody did lately."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE notifications_databaseidentity SET alive_at = clock_timestamp()"
            " WHERE alive_at NOT BETWEEN clock_timestamp() - %s::interval AND clock_timestamp() RETURNING alive_at",
            [BEAT_EVERY],
        )
        row = cursor.fetchone()
        return row[0] if row else None


def differences(before: DatabaseIdentity, said: Told, *, outside: datetime | None) -> dict:
    """
    What makes the database look like a restored backup; empty where nothing does.

    `outside` is its last heartbeat as it was noted outside the database, None where nothing was.
    A new timeline alone is a standby that took over: no sign of a backup where the heartbeat
    outside shows that nothing is missing.
    """
    found: dict = {}
    if _differ(before.system_identifier, said.system_identifier):
        found["server"] = True
    if before.database_oid != said.database_oid:
        found["database"] = True
    if outside and before.alive_at < outside - BEHIND:
        found["behind"] = {"here": before.alive_at.isoformat(), "outside": outside.isoformat()}
    if _differ(before.timeline, said.timeline) and (found or outside is None):
        found["timeline"] = [before.timeline, said.timeline]
    return found


def _differ(before: int | None, now: int | None) -> bool:
    """Whether two numbers that are both known are different ones."""
    return None not in (before, now) and before != now


def follow_timeline(said: Told) -> None:
    """Note the timeline of a standby that took over without losing anything."""
    if said.timeline is not None:
        DatabaseIdentity.objects.exclude(timeline=said.timeline).update(timeline=said.timeline)
