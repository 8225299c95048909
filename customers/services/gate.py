"""
The gate between withdrawing consent and handing messages over.

Whoever writes `called_at` holds the gate open, many at a time; whoever withdraws consent or closes
an address shuts it for the length of that transaction. So an opt-out is either seen by the last
check before a call, or was saved after the call began. Locking the consent rows themselves would
write to each of them, once per message.
"""

from django.db import connection

_GATE = 0x486F6E67  # "Hong"


def hold_open() -> None:
    """Wait for withdrawals under way, and make the next ones wait for this transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [_GATE])


def shut() -> None:
    """Wait for messages being handed over, and make the next ones wait for this transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_GATE])
