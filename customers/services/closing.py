"""Closes addresses that providers report as dead."""

from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from customers.choices import Channel, SuppressionReason, SuppressionScope

# An opt-out that stands stays one: opening the dead number again must not open it for marketing.
CLOSE = """
INSERT INTO customers_suppression AS standing (channel, address, scope, reason, note, created_at)
SELECT %(channel)s, address, %(scope)s, %(reason)s, note, %(now)s
FROM (
    SELECT DISTINCT ON (address) address, note
    FROM unnest(%(addresses)s::text[], %(notes)s::text[]) AS told (address, note)
    ORDER BY address, note
) AS dead
ON CONFLICT (channel, address) DO UPDATE SET scope = excluded.scope, note = excluded.note
    WHERE standing.scope <> excluded.scope
"""


def close_dead(channel: Channel, dead: Sequence[tuple[str, str]], *, now: datetime) -> int:
    """Close addresses for every message, each with a note that tells why; answers how many were open."""
    with connection.cursor() as cursor:
        cursor.execute(
            CLOSE,
            {
                "channel": channel,
                "scope": SuppressionScope.ALL,
                "reason": SuppressionReason.DEAD,
                "addresses": [address for address, _note in dead],
                "notes": [note[:200] for _address, note in dead],
                "now": now,
            },
        )
        return cursor.rowcount
