"""
The gate between removing customers and attaching something to them.

Nothing that names a customer has a foreign key that the database checks: a million deliveries would
pay for it one by one. Whoever is about to write such rows holds removals off until the commit; whoever
removes customers waits for none of them, and comes back when nobody is at it.
"""

from django.db import connection

_REMOVALS = 0x52656D6F7665  # "Remove"


def hold_off() -> None:
    """Let a removal under way end, and allow no other until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [_REMOVALS])


def begin() -> bool:
    """Whether customers may be removed in this transaction; False while somebody holds removals off."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_REMOVALS])
        return cursor.fetchone()[0]
