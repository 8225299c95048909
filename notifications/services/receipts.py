"""Receipts: what carriers report of deliveries, applied in bulk."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import connection, transaction

from customers.crash_points import reach
from customers.msgid import _
from notifications.choices import CallbackKind
from notifications.models import Delivery, ProviderAccount
from notifications.services import callbacks, revivals, write_back
from notifications.services.callbacks import Contents

# How long a receipt waits for the answer of the very call it speaks of to be written down.
PATIENCE = timedelta(minutes=10)

LONGEST_CODE = Delivery._meta.get_field("reason").max_length
FOREIGN = _("Some receipts name no message that this account sent.")
_REFERENCE = re.compile(r"([0-9a-f]{32})(?:-([0-9]{1,18}))?")

# A report finds its delivery by our reference of the message, or of the call and the number, or by the
# provider's number and the phone number. Each way walks an index from the report, and no two lists of
# reports are joined: PostgreSQL expects a hundred of them and would compare five thousand with each other.
#
# Of several reports about one delivery the best counts, and of several failures the latest: so the order
# in which they come makes no difference. Never down: who got it, got it. A failure without a moment is as old
# as its call, the earliest at which it can be true; of two of the same moment the greater code stands.
APPLY = """
WITH by_message AS (
    SELECT told.callback, told.is_delivered, told.code, told.at, d.id, d.status, d.reason, s.status AS call,
        s.called_at
    FROM json_to_recordset(%(by_message)s::json) AS told(
        callback bigint, is_delivered boolean, code text, at timestamptz, number text, token uuid, id bigint
    )
    JOIN notifications_delivery d ON d.id = told.id AND d.address = told.number
    JOIN notifications_submission s
        ON s.id = d.submission_id AND s.token = told.token AND s.account_id = %(account)s
), by_call AS (
    SELECT told.callback, told.is_delivered, told.code, told.at, d.id, d.status, d.reason, s.status AS call,
        s.called_at
    FROM json_to_recordset(%(by_call)s::json) AS asked(token uuid, numbers jsonb)
    JOIN notifications_submission s
        ON s.token = asked.token AND s.called_at IS NOT NULL AND s.account_id = %(account)s
    JOIN notifications_delivery d ON d.submission_id = s.id AND jsonb_exists(asked.numbers, d.address)
    CROSS JOIN LATERAL jsonb_to_recordset(asked.numbers -> d.address) AS told(
        callback bigint, is_delivered boolean, code text, at timestamptz
    )
), by_number AS (
    SELECT told.callback, told.is_delivered, told.code, told.at, d.id, d.status, d.reason, s.status AS call,
        s.called_at
    FROM json_to_recordset(%(by_number)s::json) AS told(
        callback bigint, is_delivered boolean, code text, at timestamptz, number text, provider_id text
    )
    JOIN customers_contactpoint point ON point.address = told.number AND point.channel = %(channel)s
    JOIN notifications_delivery d ON d.customer_id = point.customer_id AND d.address = told.number
    JOIN notifications_submission s ON s.id = d.submission_id AND s.account_id = %(account)s
    WHERE d.provider_id = told.provider_id OR d.status = 'queued' AND s.status = 'called'
), matched AS MATERIALIZED (
    SELECT * FROM by_message UNION ALL SELECT * FROM by_call UNION ALL SELECT * FROM by_number
), meant AS MATERIALIZED (
    -- Sorted, because every worker locks in one order.
    -- A carrier knows better than the provider's search, which twice did not find a message.
    SELECT DISTINCT ON (id) *, coalesce(at, called_at) AS counts_from FROM matched
    WHERE status IN ('sent', 'unknown', 'undelivered') OR status = 'failed' AND reason = 'not_taken'
    ORDER BY id, is_delivered DESC, coalesce(at, called_at) DESC, code DESC
), moved AS (
    UPDATE notifications_delivery d SET
        status = CASE WHEN meant.is_delivered THEN 'delivered' ELSE 'undelivered' END,
        reason = CASE WHEN meant.is_delivered THEN '' ELSE meant.code END,
        sent_at = coalesce(d.sent_at, meant.called_at),
        finished_at = CASE WHEN meant.is_delivered THEN coalesce(meant.at, %(now)s) ELSE meant.counts_from END
    FROM meant WHERE d.id = meant.id AND (
        d.status IN ('sent', 'unknown') OR d.status = 'failed' AND d.reason = 'not_taken'
        OR d.status = 'undelivered' AND (
            meant.is_delivered OR (d.finished_at, d.reason) < (meant.counts_from, meant.code)
        )
    )
    RETURNING d.id, d.address, d.status, d.reason, meant.status AS status_before
)
SELECT
    (SELECT count(*) FROM moved WHERE status = 'delivered'),
    (SELECT count(*) FROM moved WHERE status = 'undelivered'),
    (SELECT json_agg(json_build_array(address, reason)) FROM moved WHERE reason = ANY(%(closing)s)),
    (SELECT json_agg(json_build_array(callback, reports, early)) FROM (
        SELECT callback, count(*) AS reports, count(*) FILTER (WHERE status = 'queued' AND call = 'called') AS early
        FROM matched GROUP BY callback
    ) AS callbacks),
    (SELECT json_agg(id) FROM moved WHERE status_before = 'failed')
"""


def apply(*, now: datetime) -> Counter:
    """
    Work out what the waiting receipts mean; answers the number of reports by what became of them.

    A report moves a delivery of its own account, only if reference and number agree, and only up:
    sent or unknown → undelivered → delivered. So a repeated, late, shuffled or forged one changes
    nothing. One that is here before the answer to its own call is looked at again.
    """
    total: Counter = Counter()
    revived: list[int] = []
    with transaction.atomic(), connection.cursor() as cursor:
        waiting = callbacks.take(CallbackKind.RECEIPTS, now=now)
        accounts = ProviderAccount.objects.in_bulk({contents.callback.account_id for contents in waiting})
        for account in accounts.values():
            theirs = [contents for contents in waiting if contents.callback.account_id == account.pk]
            total += _apply(cursor, account, theirs, now, revived)
        if revived:
            revivals.count_again(cursor, revived)
        reach("before_receipts_commit")
    return total


def _apply(
    cursor, account: ProviderAccount, waiting: Sequence[Contents], now: datetime, revived: list[int]
) -> Counter:
    """Apply the receipts of one account in one statement; adds to `revived` what had been given up."""
    codes = write_back.codes_of(account)
    cursor.execute(
        APPLY,
        _told(waiting, now) | {"account": account.pk, "channel": account.channel, "closing": list(codes), "now": now},
    )
    delivered, undelivered, closed, counted, given_up = cursor.fetchone()
    revived += given_up or []
    matches = {callback: (matched, early) for callback, matched, early in counted or []}
    total: Counter = Counter()
    understood, too_early = [], []
    for contents in waiting:
        matched, early = matches.get(contents.callback.pk, (0, 0))
        foreign = max(0, len(contents.reports) - matched)
        total.update(too_early=early, repeated=matched - early, foreign=foreign, problems=len(contents.problems))
        if early and now - contents.callback.received_at < PATIENCE:
            too_early.append(contents)
        else:
            understood.append((contents, _problem(contents, is_foreign=foreign > 0)))
    callbacks.conclude(understood, now=now)
    callbacks.postpone(too_early, now=now)
    total.update(delivered=delivered, undelivered=undelivered, repeated=-delivered - undelivered)
    write_back.close(account.channel, [(number, code) for number, code in closed or []], codes, now=now)
    return total


def _told(waiting: Iterable[Contents], now: datetime) -> dict[str, str]:
    """The reports by the way in which they name a delivery, as PostgreSQL reads them."""
    by_message, by_number = [], []
    by_call: dict[str, dict[str, list[dict]]] = {}
    for contents in waiting:
        for report in contents.reports:
            told = {
                "callback": contents.callback.pk,
                "is_delivered": report.delivered,
                "code": report.code[:LONGEST_CODE] or "undelivered",
                # A moment to come is none.
                "at": report.at.isoformat() if report.at and report.at <= now else None,
            }
            match = _REFERENCE.fullmatch(report.reference)
            if match and match[2]:
                by_message.append(told | {"token": match[1], "id": int(match[2]), "number": report.number})
            elif match:
                by_call.setdefault(match[1], {}).setdefault(report.number, []).append(told)
            elif report.provider_id:
                by_number.append(told | {"number": report.number, "provider_id": report.provider_id})
    calls = [{"token": token, "numbers": numbers} for token, numbers in by_call.items()]
    return {"by_message": json.dumps(by_message), "by_call": json.dumps(calls), "by_number": json.dumps(by_number)}


def _problem(contents: Contents, *, is_foreign: bool) -> str:
    """The first thing that staff should know about a callback."""
    if contents.problems:
        return contents.problems[0].words
    return FOREIGN if is_foreign else ""
