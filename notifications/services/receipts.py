"""Receipts: stored as they come, applied in bulk later."""

import hashlib
import re
import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import connection, transaction

from notifications.models import ProviderAccount, Receipt
from notifications.providers.base import Report
from notifications.services import gateways

APPLIED_AT_ONCE = 50
# How long a receipt waits for the answer of the very call it speaks of to be written down.
PATIENCE = timedelta(minutes=10)
_REFERENCE = re.compile(r"([0-9a-f]{32})-([0-9]{1,18})")


def store(account: ProviderAccount, body: bytes, *, now: datetime) -> bool:
    """Keep a callback as it came; False when the provider has sent it before."""
    _, is_new = Receipt.objects.get_or_create(
        account=account,
        fingerprint=hashlib.sha256(body).digest(),
        defaults={"body": body, "received_at": now},
    )
    return is_new


def apply(*, now: datetime) -> Counter:
    """
    Work out what the waiting receipts mean; answers the number of reports by what became of them.

    A report moves a delivery only from sent or unknown, and only if reference, token and number
    agree; so a repeated, late or forged one changes nothing. The receipts of an account whose field
    names make no sense wait until they do, and hold up no other's.
    """
    total: Counter = Counter()
    readers = gateways.readers()
    with transaction.atomic(), connection.cursor() as cursor:
        waiting = list(
            Receipt.objects.select_for_update(skip_locked=True)
            .filter(applied_at=None, account__in=list(readers))
            .order_by("received_at")[:APPLIED_AT_ONCE]
        )
        for receipt in waiting:
            found = readers[receipt.account_id].read_reports(bytes(receipt.body))
            outcome = _apply_reports(cursor, receipt.account_id, found.reports, now)
            total += outcome + Counter(problems=len(found.problems))
            _conclude(receipt, outcome, found.problems, now)
    return total


def _conclude(receipt: Receipt, outcome: Counter, problems: Sequence, now: datetime) -> None:
    too_early = outcome["too_early"] and now - receipt.received_at < PATIENCE
    Receipt.objects.filter(pk=receipt.pk).update(
        tries=receipt.tries + 1,
        applied_at=None if too_early else now,
        problem=problems[0].words[:200] if problems else "",
    )


def _apply_reports(cursor, account_id: int, reports: Sequence[Report], now: datetime) -> Counter:
    """Apply the reports of one callback in one statement."""
    known = []
    for report in reports:
        match = _REFERENCE.fullmatch(report.reference)
        if match:
            known.append((uuid.UUID(match[1]), int(match[2]), report))
    if not known:
        return Counter(foreign=len(reports))
    cursor.execute(
        """
        WITH told AS (
            SELECT DISTINCT ON (id) * FROM unnest(
                %s::bigint[], %s::uuid[], %s::text[], %s::boolean[], %s::text[], %s::timestamptz[]
            ) AS told(id, token, number, is_delivered, code, at)
            ORDER BY id, is_delivered DESC
        ), meant AS (
            SELECT told.*, d.status, s.status AS submission_status, s.called_at
            FROM told
            JOIN notifications_delivery d ON d.id = told.id AND d.address = told.number
            JOIN notifications_submission s
                ON s.id = d.submission_id AND s.token = told.token AND s.account_id = %s
            ORDER BY told.id
        ), moved AS (
            UPDATE notifications_delivery d SET
                status = CASE WHEN meant.is_delivered THEN 'delivered' ELSE 'undelivered' END,
                reason = CASE WHEN meant.is_delivered THEN ''
                    ELSE coalesce(nullif(left(meant.code, 40), ''), 'undelivered') END,
                sent_at = coalesce(d.sent_at, meant.called_at),
                finished_at = least(coalesce(meant.at, %s), %s)
            FROM meant WHERE d.id = meant.id AND d.status IN ('sent', 'unknown')
            RETURNING d.id, d.status
        )
        SELECT
            (SELECT count(*) FROM moved WHERE status = 'delivered'),
            (SELECT count(*) FROM moved WHERE status = 'undelivered'),
            (SELECT count(*) FROM meant WHERE status = 'queued' AND submission_status = 'called'),
            (SELECT count(*) FROM meant)
        """,
        [
            [id for _, id, _ in known],
            [token for token, _, _ in known],
            [report.number for _, _, report in known],
            [report.delivered for _, _, report in known],
            [report.code for _, _, report in known],
            [report.at for _, _, report in known],
            account_id,
            now,
            now,
        ],
    )
    delivered, undelivered, too_early, meant = cursor.fetchone()
    return Counter(
        delivered=delivered,
        undelivered=undelivered,
        too_early=too_early,
        repeated=meant - delivered - undelivered - too_early,
        foreign=len(reports) - meant,
    )
