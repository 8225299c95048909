"""The memory of caps, written anew from the deliveries it is derived from."""

from datetime import datetime, timedelta

from django.db import connection, transaction

from customers.choices import CHANNEL_CODES, PURPOSE_CODES
from notifications import caps

# The longest window that a rule can have.
LONGEST = timedelta(days=366)


def rebuild(*, now: datetime) -> int:
    """
    Write RecentSends anew from what was handed over, or may have been; answers its size.

    Sending waits meanwhile, because a slot taken during the rebuild would be forgotten.
    """
    address = caps.ADDRESS_SUBJECT.format(channel="m.channel", address="d.address")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE notifications_recentsends IN EXCLUSIVE MODE")
        cursor.execute("DELETE FROM notifications_recentsends")
        cursor.execute(
            f"""
            WITH handed AS (
                SELECT d.customer_id, {address} AS place,
                    (floor(extract(epoch FROM s.called_at) * 1000)::bigint << {caps.KIND_BITS})
                        | ({_codes("m.channel", CHANNEL_CODES)} << 4)
                        | {_codes("m.purpose", PURPOSE_CODES)} AS packed
                FROM notifications_delivery d
                JOIN notifications_submission s ON s.id = d.submission_id
                JOIN notifications_message m ON m.id = d.message_id
                WHERE s.called_at > %s AND NOT m.is_test AND (m.purpose <> 'transactional' OR EXISTS (
                        SELECT FROM notifications_provideraccount a
                        WHERE a.channel = m.channel AND a.is_active AND a.number_limit IS NOT NULL
                    ))
                    AND d.status IN ('queued', 'sent', 'delivered', 'undelivered', 'unknown')
            )
            INSERT INTO notifications_recentsends (subject, sends)
            SELECT subject, array_agg(packed ORDER BY packed) FROM (
                SELECT customer_id AS subject, packed FROM handed WHERE customer_id IS NOT NULL
                UNION ALL SELECT place, packed FROM handed
            ) AS counted GROUP BY subject
            """,
            [now - LONGEST],
        )
        return cursor.rowcount


def _codes(column: str, codes: dict) -> str:
    cases = " ".join(f"WHEN '{word.value}' THEN {code}" for word, code in codes.items())
    return f"(CASE {column} {cases} END)::bigint"
