"""Planning and screening an audience, against writing the same rows without any question."""

import resource
from pathlib import Path

from django.db import connection

from customers import clock
from customers.models import Customer
from notifications.services import deliveries
from tests.benchmarks import measuring, people
from tests.benchmarks.measuring import MEGABYTE, Scale, seconds_of
from tests.benchmarks.report import Report, Target, say

TABLES = ("notifications_delivery", "notifications_submission", "notifications_deliverytally")
COLUMNS = "message_id, customer_id, occasion, address, submission_id, status, reason, created_at"
PAST_SENDS_PER_CUSTOMER = 1


def run(scale: Scale, place: Path) -> Report:
    """Plan a crowd of which a fifth may not be written to; then write the very same rows bare."""
    count = scale.of(1_000_000, 100_000, 5_000)
    people.load(count, is_mixed=True)
    people.open_shop()
    people.remember_sends(count, sends=count * PAST_SENDS_PER_CUSTOMER)
    measuring.empty(*TABLES)
    memory_before = measuring.myself().memory_info().rss / MEGABYTE
    with measuring.peak_memory(lambda: [measuring.myself()]) as peak:
        rounds = [_round(number, scale) for number in range(1, scale.rounds + 1)]
    seconds = measuring.middle(found["seconds"] for found in rounds)
    rows = [
        {"way": way, "seconds": taken, "customers per second": count / taken, "times bare": taken / seconds["bare"]}
        for way, taken in seconds.items()
    ]
    ratio = measuring.middle({"ratio": each["seconds"]["plan"] / each["seconds"]["bare"]} for each in rounds)["ratio"]
    growth = peak.largest - memory_before
    targets = [
        Target("times a bare INSERT … SELECT", ratio, 2, is_ceiling=True),
        Target("megabytes that the process grew by", growth, 50, is_ceiling=True),
    ]
    notes = {"deliveries by outcome": rounds[0]["counts"], "megabytes of the process": peak.largest}
    notes["most megabytes ever"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Report({"customers": count}, rows, targets, notes, {"rounds": rounds})


def _round(number: int, scale: Scale) -> dict:
    """Plan, keep the rows aside, and write them again without screening."""
    say(f"  round {number} …")
    now = clock.now()
    message = people.message(f"Message {number}")
    counts: dict[str, int] = {}

    def plan() -> None:
        counts.update(
            deliveries.plan(message, Customer.objects.present(), occasion=f"benchmark-{message.pk}", now=now)
        )

    measuring.settle_disk()
    found = {"plan": seconds_of(plan)}
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS same_rows")
        cursor.execute(f"CREATE UNLOGGED TABLE same_rows AS SELECT {COLUMNS} FROM notifications_delivery")
        found["bare"] = _written_again(cursor, keeps_tally=False)
        found["bare with the tally's trigger"] = _written_again(cursor, keeps_tally=True)
    measuring.empty(*TABLES)
    return {"seconds": found, "counts": counts}


def _written_again(cursor, *, keeps_tally: bool) -> float:
    """Seconds to write the rows into the same table with the same indexes."""
    measuring.empty(*TABLES)
    verb = "ENABLE" if keeps_tally else "DISABLE"
    cursor.execute(f"ALTER TABLE notifications_delivery {verb} TRIGGER delivery_tally_after_insert")
    measuring.settle_disk()
    insert = f"INSERT INTO notifications_delivery ({COLUMNS}) SELECT {COLUMNS} FROM same_rows"
    seconds = seconds_of(lambda: cursor.execute(insert))
    cursor.execute("ALTER TABLE notifications_delivery ENABLE TRIGGER delivery_tally_after_insert")
    return seconds
