"""Receipts of a whole campaign, applied by one worker: by our reference, by the call, and one at a time."""

from pathlib import Path

from django.db import connection

from customers import clock
from customers.models import Customer
from notifications.choices import GatewayKind
from notifications.models import Message, ProviderAccount
from notifications.services import deliveries, receipts
from tests.benchmarks import measuring, people
from tests.benchmarks.measuring import Scale, Stopwatch
from tests.benchmarks.report import Report, Target, say

TARGET = 5_000
# Every shape of push: who sends it, how many receipts it holds, and what one of them looks like.
OURS = """json_build_object('reference', replace(token::text, '-', '') || '-' || id, 'number', address,
    'status', 'delivered', 'code', 'delivered', 'at', %(at)s)"""
ALIYUNS = """json_build_object('phone_number', address, 'send_time', %(at)s, 'report_time', %(at)s, 'success', true,
    'err_code', 'DELIVERED', 'err_msg', '用户接收成功', 'sms_size', '1', 'biz_id', '900619' || id || '^0',
    'out_id', replace(token::text, '-', ''))"""
SHAPES = {
    "own protocol, 500 in a push": (GatewayKind.GENERIC_HTTP, 500, OURS),
    "Aliyun, 100 in a push": (GatewayKind.ALIYUN_SMS, 100, ALIYUNS),
    "Aliyun, 10 in a push": (GatewayKind.ALIYUN_SMS, 10, ALIYUNS),
    "Aliyun, one in a push": (GatewayKind.ALIYUN_SMS, 1, ALIYUNS),
}
CALLED = """
UPDATE notifications_submission SET status = 'settled', token = gen_random_uuid(), account_id = %(account)s,
    called_at = hongyan_now(), settled_at = hongyan_now()
WHERE status = 'queued'
"""
SENT = """
UPDATE notifications_delivery SET status = 'sent', sent_at = hongyan_now(), finished_at = NULL, segments = 1, cost = 1
WHERE status IN ('queued', 'delivered')
"""
# In the order of chance: carriers report as they like.
PUSHES = """
INSERT INTO notifications_receipt (account_id, kind, body, fingerprint, received_at, look_after, tries, problem)
SELECT %(account)s, 'receipts', body, sha256(body), hongyan_now(), hongyan_now(), 0, ''
FROM (
    SELECT convert_to(json_agg({item})::text, 'UTF8') AS body
    FROM (
        SELECT d.id, d.address, s.token, row_number() OVER (ORDER BY random()) AS place
        FROM notifications_delivery d JOIN notifications_submission s ON s.id = d.submission_id
        WHERE d.status = 'sent'
    ) AS shuffled
    GROUP BY (place - 1) / %(size)s
) AS pushed
"""


def run(scale: Scale, place: Path) -> Report:
    """Apply the receipts of a campaign that was just sent, in every shape."""
    count = scale.of(200_000, 50_000, 2_000)
    people.load(count, is_mixed=False)
    account = people.open_shop()
    message = people.message("Receipts")
    deliveries.plan(message, Customer.objects.present(), occasion="receipts", now=clock.now())
    with connection.cursor() as cursor:
        cursor.execute(CALLED, {"account": account.pk})
    rounds = []
    for number in range(scale.rounds):
        say(f"  round {number + 1} …")
        rounds.append({shape: _seconds(account, message, shape, count) for shape in SHAPES})
    rows = [
        {"shape": shape, "seconds": seconds, "receipts per second": count / seconds}
        for shape, seconds in measuring.middle(rounds).items()
    ]
    slowest = min(row["receipts per second"] for row in rows)
    targets = [Target("receipts applied per second by one worker, in the slowest shape", slowest, TARGET)]
    return Report({"receipts": count}, rows, targets, {}, {"rounds": rounds})


def _seconds(account: ProviderAccount, message: Message, shape: str, count: int) -> float:
    """How long one worker takes for all receipts in a shape."""
    kind, size, item = SHAPES[shape]
    measuring.empty("notifications_receipt")
    ProviderAccount.objects.filter(pk=account.pk).update(gateway=kind, key_id="benchmark", url="https://example.com")
    with connection.cursor() as cursor:
        cursor.execute(SENT)
        at = clock.now().strftime("%Y-%m-%d %H:%M:%S")
        cursor.execute(PUSHES.format(item=item), {"account": account.pk, "size": size, "at": at})
        cursor.execute("VACUUM ANALYZE notifications_delivery, notifications_receipt, notifications_submission")
    measuring.settle_disk()
    watch = Stopwatch()
    applied = 0
    while found := receipts.apply(now=clock.now()):
        applied += found["delivered"]
    if applied != count:
        raise RuntimeError(f"{applied} of {count} receipts of {message} were applied.")
    return watch.seconds
