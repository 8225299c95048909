"""Reminders over a shop's whole history: what twenty rules take to find what came due in a minute."""

from datetime import timedelta
from pathlib import Path

from django.db import connection

from campaigns.models import Reminder, ReminderOccasion, ReminderStep, ReminderText
from campaigns.services.reminders import running
from customers import clock
from tests import cast
from tests.benchmarks import measuring, people
from tests.benchmarks.measuring import Scale, seconds_of
from tests.benchmarks.report import Report, Target, say

RULES = 20
WAITS = 20
EMPTY = (
    *("shop_name", "platform_status", "after_sale_status", "closed_reason", "carrier", "tracking_number"),
    *("receiver_name", "province", "city", "note"),
)
NAMES, BLANKS = ", ".join(EMPTY), ", ".join(["''"] * len(EMPTY))
# Orders of the last 400 days, nearly all completed; one in fifty was never paid.
ORDERS = f"""
INSERT INTO customers_order (
    platform, number, status, status_at, currency, total, ordered_at, paid_at, shipped_at, delivered_at, promised_at,
    completed_at, customer_id, is_locked, is_deleted, {NAMES}
)
SELECT 'taobao', 'B' || i, CASE WHEN i %% 50 = 0 THEN 'closed' ELSE 'completed' END, at + interval '12 days', 'CNY',
    20 + i %% 300, at, CASE WHEN i %% 50 > 0 THEN at + interval '30 seconds' END,
    CASE WHEN i %% 50 > 0 THEN at + interval '1 day' END, CASE WHEN i %% 50 > 0 THEN at + interval '4 days' END,
    at + interval '5 days', at + interval '12 days', 1 + i %% %(customers)s,
    false, false, {BLANKS}
FROM generate_series(1, %(orders)s) AS i
CROSS JOIN LATERAL (SELECT %(now)s::timestamptz - interval '400 days' * i / %(orders)s AS at) AS placed
"""
CHANGES = """
INSERT INTO customers_orderchange (order_id, from_status, to_status, before, after, happened_at, recorded_at)
SELECT id, told.before, told.status, '{}', '{}', told.at, told.at
FROM customers_order CROSS JOIN LATERAL (VALUES
    ('', 'unpaid', ordered_at), ('unpaid', 'paid', paid_at), ('paid', 'shipped', shipped_at),
    ('shipped', 'delivered', delivered_at)
) AS told(before, status, at)
WHERE told.at IS NOT NULL
"""
DUE = f"""
INSERT INTO customers_order (platform, number, status, status_at, currency, total, ordered_at, customer_id,
    is_locked, is_deleted, {NAMES})
SELECT 'taobao', 'D' || %(round)s || '-' || i, 'unpaid', at, 'CNY', 88, at, 1 + i %% %(customers)s,
    false, false, {BLANKS}
FROM generate_series(1, %(due)s) AS i
CROSS JOIN LATERAL (SELECT %(now)s::timestamptz - %(wait)s - interval '30 seconds' * i / %(due)s AS at) AS placed
"""
KINDS = [
    {"trigger": "status_lasts", "order_status": "unpaid", "stop_when": ["paid", "closed"]},
    {"trigger": "status_reached", "order_status": "shipped", "stop_when": ["delivered"]},
    {"trigger": "status_reached", "order_status": "delivered", "stop_when": ["after_sale"]},
    {"trigger": "order_date", "order_date": "promised_at", "stop_when": ["delivered"]},
    {"trigger": "not_bought", "goal": "bought"},
]


def run(scale: Scale, place: Path) -> Report:
    """Twenty rules over a history: a look when nothing is due, and a look when orders came due in the last minute."""
    sizes = {
        "orders": scale.of(1_000_000, 100_000, 5_000),
        "customers": scale.of(200_000, 20_000, 1_000),
        "due": scale.of(1_000, 1_000, 100),
        "rules": RULES,
    }
    people.load(sizes["customers"], is_mixed=False)
    people.open_shop()
    with connection.cursor() as cursor:
        cursor.execute(ORDERS, sizes | {"now": clock.now()})
        cursor.execute(CHANGES)
        cursor.execute("ANALYZE customers_order, customers_orderchange")
    _rules()
    say("  what is due already …")
    while running.run(now=clock.now()):
        pass
    sizes["met before"] = ReminderOccasion.objects.count()
    rounds = []
    for number in range(scale.rounds):
        say(f"  round {number + 1} …")
        measuring.settle_disk()
        idle = seconds_of(lambda: running.run(now=clock.now()))
        with connection.cursor() as cursor:
            cursor.execute(
                DUE, sizes | {"now": clock.now(), "round": number, "wait": timedelta(minutes=WAITS + number * 7)}
            )
        before = ReminderOccasion.objects.count()
        looked = seconds_of(lambda: running.run(now=clock.now()))
        found = ReminderOccasion.objects.count() - before
        rounds.append({"nothing due": idle, "found and planned": looked, "occasions": found})
    middle = measuring.middle(rounds)
    rows = [{"what": name, "value": value} for name, value in middle.items()]
    targets = [Target("seconds to find and plan what is due", middle["found and planned"], 2, is_ceiling=True)]
    return Report(sizes, rows, targets, {}, {"rounds": rounds})


def _rules() -> None:
    """Five kinds of rules, four of each, with delays of their own; one of them meets the unpaid orders."""
    template = cast.template("订单{{ order_number }}（{{ amount }}元）", purpose="service", name="Benchmark reminder")
    for number in range(RULES):
        kind = KINDS[number % len(KINDS)]
        is_first = number == 0
        reminder = Reminder.objects.create(
            name=f"Rule {number}",
            purpose="service",
            valid_for=timedelta(hours=2),
            night="send",
            activated_at=clock.now() - timedelta(days=1),
            **kind,
        )
        wait = timedelta(minutes=WAITS) if is_first else timedelta(hours=3 + number)
        step = ReminderStep.objects.create(reminder=reminder, delay=wait)
        ReminderText.objects.create(step=step, channel="sms", template=template)
