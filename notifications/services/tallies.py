"""Tallies: folding the deltas that every change of deliveries leaves behind."""

from django.db import connection


def squash() -> int:
    """Fold the deltas of every message into one row per state; answers how many rows went."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH crowded AS (
                SELECT message_id, status, reason FROM notifications_deliverytally
                GROUP BY message_id, status, reason HAVING count(*) > 1
            ), gone AS (
                DELETE FROM notifications_deliverytally t USING crowded
                WHERE (t.message_id, t.status, t.reason)
                    = (crowded.message_id, crowded.status, crowded.reason)
                RETURNING t.*
            ), folded AS (
                INSERT INTO notifications_deliverytally
                    (message_id, status, reason, count, segments, cost)
                SELECT message_id, status, reason, sum(count), sum(segments), sum(cost)
                FROM gone GROUP BY message_id, status, reason
            )
            SELECT count(*) FROM gone
            """
        )
        return cursor.fetchone()[0]
