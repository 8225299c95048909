"""What the servers of a shop have to keep: settings of PostgreSQL and Redis on which promises rest."""

from django.db import Error as DatabaseError
from django.db import connection
from redis import RedisError

from customers import doorbell
from customers.msgid import _

FORGETS_COMMITS = _(
    "PostgreSQL runs with synchronous_commit = off: when it crashes it forgets the last half second, and messages "
    "that were handed over then could go out twice. Set it to on: ALTER DATABASE … SET synchronous_commit = on."
)
LOSES_FILES = _(
    "PostgreSQL runs with fsync = off: a power failure can destroy the whole database. Set fsync = on in its settings."
)
THROWS_AWAY = _(
    "Redis may throw jobs away when its memory is full (maxmemory-policy %s): sending starts later then. "
    "Set it to noeviction: CONFIG SET maxmemory-policy noeviction, and the same in redis.conf."
)


def warnings() -> dict[str, tuple[str, str]]:
    """By part, what works and breaks a promise one day: a sentence with the remedy, and the word to put into it."""
    found = {"database": _forgetful(), "queue": _evicting()}
    return {part: warning for part, warning in found.items() if warning}


def sentences() -> dict[str, str]:
    """The same as English sentences."""
    return {part: words % word if word else words for part, (words, word) in warnings().items()}


def _forgetful() -> tuple[str, str] | None:
    try:
        with connection.cursor() as cursor:
            # As this user and database have it, whatever the server's file says.
            cursor.execute("SELECT current_setting('synchronous_commit'), current_setting('fsync')")
            return about_database(*cursor.fetchone())
    except DatabaseError:
        return None  # Whether it answers at all is asked elsewhere.


def about_database(commits: str, files: str) -> tuple[str, str] | None:
    """What follows from PostgreSQL's synchronous_commit and fsync."""
    if files == "off":
        return LOSES_FILES, ""
    return (FORGETS_COMMITS, "") if commits == "off" else None


def _evicting() -> tuple[str, str] | None:
    try:
        # Rented servers forbid CONFIG; INFO tells the same.
        policy = doorbell.connection().info("memory").get("maxmemory_policy", "noeviction")
    except (RedisError, OSError):
        return None
    return None if policy == "noeviction" else (THROWS_AWAY, policy)
