"""What a large shop has sent: campaigns with millions of deliveries, files that were imported, segments."""

from datetime import timedelta

from django.db import connection

from campaigns import segmentation
from campaigns.choices import CampaignStatus, Timing
from campaigns.models import Campaign, Segment, Variant
from customers import clock
from customers.choices import ImportStatus
from customers.models import SpreadsheetImport
from notifications.models import Message, ProviderAccount
from notifications.services import tallies
from tests.benchmarks import people
from tests.benchmarks.report import say

PER_CALL = 100
IMPORTS = 30
# What the newest campaigns are at; all earlier ones are over.
NEWEST = (CampaignStatus.RUNNING, CampaignStatus.CANCELED)
SEGMENTS = (
    *("", "city=杭州", "tier=1", "tag=13", "birth_month=5", "consent=sms.marketing.granted", "q=赵"),
    *("last_contact=before_30", "tier=2&city=上海", "consent=sms.care.withdrawn", "tag=1&last_contact=never"),
)

SUBMISSIONS = """
WITH written AS (
    INSERT INTO notifications_submission (
        message_id, account_id, queue, status, priority, send_after, held_for, size, token, called_at, settled_at,
        words
    )
    SELECT %(message)s, CASE WHEN is_over THEN %(account)s END, 'bulk',
        CASE WHEN is_over THEN 'settled' ELSE 'queued' END, 3, %(at)s, '', %(size)s,
        CASE WHEN is_over THEN gen_random_uuid() END,
        CASE WHEN is_over THEN %(at)s + call * interval '20 milliseconds' END,
        CASE WHEN is_over THEN %(at)s + call * interval '20 milliseconds' END, ''
    FROM generate_series(0, %(calls)s - 1) AS call
    CROSS JOIN LATERAL (SELECT call < %(called)s AS is_over) AS progress
    RETURNING id
)
SELECT min(id) FROM written
"""
# Of a thousand: 850 delivered, 30 sent, 20 undelivered, 8 refused, 2 unknown, 90 skipped for several reasons.
DELIVERIES = """
INSERT INTO notifications_delivery (
    message_id, customer_id, occasion, address, submission_id, status, reason, attempts, "values", segments, cost,
    provider_id, created_at, sent_at, finished_at
)
SELECT %(message)s, customer, %(occasion)s,
    CASE WHEN reason IN ('no_consent', 'opted_out', 'suppressed', 'no_address') THEN ''
        ELSE (13000000000 + customer)::text END,
    CASE WHEN status <> 'skipped' THEN %(first)s + i / %(size)s END, status, reason,
    (status NOT IN ('queued', 'skipped'))::int,
    CASE WHEN status NOT IN ('queued', 'skipped') THEN '{"name": "赵娜娜"}'::jsonb END,
    (status NOT IN ('queued', 'skipped', 'failed'))::int,
    CASE WHEN status IN ('queued', 'skipped', 'failed') THEN 0 ELSE 0.045 END,
    CASE WHEN status IN ('queued', 'skipped') THEN '' ELSE 'S' || i END, %(at)s,
    CASE WHEN status IN ('sent', 'delivered', 'undelivered') THEN %(at)s + i * interval '0.2 milliseconds' END,
    CASE WHEN status NOT IN ('queued', 'sent') THEN %(at)s + i * interval '0.3 milliseconds' END
FROM generate_series(0, %(count)s - 1) AS i
CROSS JOIN LATERAL (SELECT 1 + (%(shift)s + i) %% %(customers)s AS customer, i * 7919 %% 1000 AS chance) AS drawn
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN chance < 90 THEN 'skipped'
        WHEN i >= %(called)s * %(size)s THEN 'queued'
        WHEN chance < 92 THEN 'unknown' WHEN chance < 100 THEN 'failed'
        WHEN chance < 120 THEN 'undelivered' WHEN chance < 150 THEN 'sent' ELSE 'delivered' END AS status
) AS became
CROSS JOIN LATERAL (
    SELECT CASE status
        WHEN 'skipped' THEN (ARRAY['no_consent', 'opted_out', 'over_cap', 'no_address', 'suppressed'])[1 + chance / 18]
        WHEN 'failed' THEN 'refused_number' WHEN 'unknown' THEN 'no_answer' WHEN 'undelivered' THEN 'undelivered'
        ELSE '' END AS reason
) AS because
"""
CANCEL = """
UPDATE notifications_delivery SET status = 'canceled', reason = 'staff', finished_at = hongyan_now()
WHERE message_id = %s AND status = 'queued'
"""
IMPORTED_ROWS = """
INSERT INTO customers_importedrow (
    spreadsheet_import_id, number, name, phone, email, external_id, outcome, reason, problems, opt_out_kept,
    customer_id
)
SELECT %s, i + 1, '赵娜娜', (13000000000 + i)::text, '', 'C' || i, outcome,
    CASE WHEN outcome = 'rejected' THEN 'malformed' ELSE '' END, '[]', i %% 900 = 0,
    CASE WHEN outcome <> 'rejected' THEN i END
FROM generate_series(1, %s) AS i
CROSS JOIN LATERAL (
    SELECT CASE i %% 50 WHEN 0 THEN 'rejected' WHEN 1 THEN 'updated' WHEN 2 THEN 'unchanged' ELSE 'created' END
        AS outcome
) AS drawn
"""
RECEIPTS = """
INSERT INTO notifications_receipt (account_id, body, fingerprint, received_at, applied_at, tries, problem)
SELECT %s, '[]'::bytea, sha256(i::text::bytea), hongyan_now() - i * interval '20 seconds', hongyan_now(), 1, ''
FROM generate_series(1, %s) AS i
"""


def write(*, customers: int, deliveries: int, campaigns: int, account: ProviderAccount) -> None:
    """Fill a shop that has customers; the newest campaign is running, one is canceled, one scheduled, two drafts."""
    for number in range(1, len(SEGMENTS) + 1):
        conditions, _left_out = segmentation.conditions_from(SEGMENTS[number - 1])
        Segment.objects.create(name=f"Segment {number}", conditions=conditions)
    for number in range(1, campaigns + 1):
        say(f"  campaign {number} of {campaigns} …")
        status = dict(zip(range(campaigns, 0, -1), NEWEST, strict=False)).get(number, CampaignStatus.FINISHED)
        _campaign(number, status, count=deliveries // campaigns, customers=customers, account=account)
    _unsent_campaigns()
    _imports(customers)
    with connection.cursor() as cursor:
        cursor.execute(RECEIPTS, [account.pk, deliveries // PER_CALL])
    tallies.squash()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _campaign(number: int, status: str, *, count: int, customers: int, account: ProviderAccount) -> None:
    message = people.message(f"Campaign {number}")
    now = clock.now()
    at = now - timedelta(hours=1) if status == CampaignStatus.RUNNING else now - timedelta(days=2 + number)
    Message.objects.filter(pk=message.pk).update(send_after=at, send_until=at + timedelta(hours=12), created_at=at)
    if status == CampaignStatus.CANCELED:
        Message.objects.filter(pk=message.pk).update(canceled_at=at + timedelta(hours=1))
    calls = -(-count // PER_CALL)
    is_whole = status == CampaignStatus.FINISHED
    values = {
        **{"message": message.pk, "account": account.pk, "at": at, "size": PER_CALL, "calls": calls},
        **{"called": calls if is_whole else calls // 2, "count": count, "customers": customers},
        **{"occasion": f"campaign-{number}", "shift": number * customers // 20},
    }
    with connection.cursor() as cursor:
        cursor.execute(SUBMISSIONS, values)
        values["first"] = cursor.fetchone()[0]
        cursor.execute(DELIVERIES, values)
        if status == CampaignStatus.CANCELED:
            cursor.execute(CANCEL, [message.pk])
            cursor.execute(
                "UPDATE notifications_submission SET status = 'empty' WHERE message_id = %s AND status = 'queued'",
                [message.pk],
            )
    campaign = Campaign.objects.create(
        name=f"Campaign {number}",
        segment=Segment.objects.order_by("id")[number % len(SEGMENTS)],
        timing=Timing.AT,
        planned_for=at,
        status=status,
        scheduled_for=at,
        launched_at=at,
        finished_at=None if status == CampaignStatus.RUNNING else at + timedelta(hours=2),
        version=2,
    )
    Variant.objects.create(campaign=campaign, template=message.template, message=message)


def _unsent_campaigns() -> None:
    """One for tomorrow, and two drafts: for everybody, and for a city."""
    template = Message.objects.order_by("id").first().template
    tomorrow = clock.now() + timedelta(days=1)
    for name, number, status in (
        ("Tomorrow", 1, CampaignStatus.SCHEDULED),
        ("Draft for a city", 1, CampaignStatus.DRAFT),
        ("Draft for everybody", 0, CampaignStatus.DRAFT),
    ):
        campaign = Campaign.objects.create(
            name=name,
            segment=Segment.objects.order_by("id")[number],
            timing=Timing.AT,
            planned_for=tomorrow,
            status=status,
            scheduled_for=tomorrow if status == CampaignStatus.SCHEDULED else None,
        )
        Variant.objects.create(campaign=campaign, template=template)


def _imports(customers: int) -> None:
    """Files of the last month; the newest with as many rows as a large shop's."""
    now = clock.now()
    for number in range(IMPORTS, 0, -1):
        imported = SpreadsheetImport.objects.create(
            file_name=f"customers {number}.xlsx",
            status=ImportStatus.DONE,
            sha256=f"{number:064x}",
            rows_total=1000,
            rows_done=1000,
            counts={"created": 960, "updated": 20, "rejected": 20, "rejected:malformed": 20},
            created_at=now - timedelta(days=number),
            finished_at=now - timedelta(days=number),
        )
        rows = min(customers, 100_000) if number == 1 else 1000
        with connection.cursor() as cursor:
            cursor.execute(IMPORTED_ROWS, [imported.pk, min(rows, customers)])
