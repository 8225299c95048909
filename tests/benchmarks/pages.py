"""How long the server takes for every page of staff, at a million customers and five million deliveries."""

from pathlib import Path
from statistics import median
from typing import Any

from django.db import connection
from django.test import Client

from tests import staff
from tests.benchmarks import history, people, visits
from tests.benchmarks.measuring import Scale, Stopwatch
from tests.benchmarks.report import Report, Target, say
from tests.benchmarks.visits import Visit

ROLES = ("superuser", "marketer")
LIMIT_MS = 300
# A page that is so slow once is not asked for again and again.
HOPELESS_MS = 2_000
SHOWN_OF_A_STATEMENT = 160


def run(scale: Scale, place: Path) -> Report:
    """Fill a shop, then visit all of it, signed in as somebody who may do everything and as a marketer."""
    sizes = {
        "customers": scale.of(1_000_000, 100_000, 5_000),
        "deliveries": scale.of(5_000_000, 500_000, 20_000),
        "campaigns": scale.of(20, 20, 4),
    }
    _fill(sizes)
    rows = []
    for role in ROLES:
        say(f"  visiting as {role} …")
        client = staff.signed_in(role, language="zh-hans")
        client.raise_request_exception = False
        for visit in visits.all_of(client):
            row = _visited(client, visit, scale.rounds)
            if row["status"] not in (403, 404):
                rows.append({"page": visit.name, "as": role} | row)
    rows.sort(key=lambda row: -row["ms"])
    broken = [f"{row['page']} as {row['as']}" for row in rows if row["status"] >= 500]
    held = [row for row in rows if not row["is heavy"]]
    targets = [
        Target("milliseconds of the slowest page", max(row["ms"] for row in held), LIMIT_MS, is_ceiling=True),
        Target("pages that broke", len(broken), 0, is_ceiling=True),
    ]
    notes: dict[str, Any] = {
        "pages visited": len(rows),
        f"pages above {LIMIT_MS} ms": sum(row["ms"] > LIMIT_MS for row in held),
        "median of all pages, ms": median(row["ms"] for row in rows),
        "broken": ", ".join(broken) or "none",
    }
    return Report(sizes, rows, targets, notes)


def _fill(sizes: dict[str, int]) -> None:
    watch = Stopwatch()
    people.load(sizes["customers"], is_mixed=True)
    account = people.open_shop()
    people.remember_sends(sizes["customers"], sends=sizes["customers"])
    history.write(
        customers=sizes["customers"],
        deliveries=sizes["deliveries"],
        campaigns=sizes["campaigns"],
        account=account,
    )
    say(f"  the shop is filled after {watch.seconds:.0f} s")


def _visited(client: Client, visit: Visit, times: int) -> dict[str, Any]:
    """Milliseconds of the first visit and of those after it, with what the database took of the last."""
    first = _once(client, visit)
    later = [_once(client, visit) for _time in range(times if first["ms"] < HOPELESS_MS else 1)]
    last = later[-1]
    return {
        "ms": median(each["ms"] for each in later),
        "first ms": first["ms"],
        "python ms": last["python ms"],
        "sql ms": last["sql ms"],
        "queries": last["queries"],
        "status": first["status"],
        "is heavy": visit.is_heavy,
        "slowest statement": last["slowest"] if last["ms"] > LIMIT_MS else "",
    }


def _once(client: Client, visit: Visit) -> dict[str, Any]:
    spent: list[tuple[float, str]] = []

    def watched(execute, sql, parameters, many, context):
        watch = Stopwatch()
        try:
            return execute(sql, parameters, many, context)
        finally:
            spent.append((watch.seconds * 1000, " ".join(str(sql).split())))

    with connection.execute_wrapper(watched):
        watch = Stopwatch()
        answer = client.get(visit.path) if visit.posted is None else client.post(visit.path, visit.posted)
        milliseconds, work = watch.seconds * 1000, watch.work * 1000
    slowest = max(spent, default=(0.0, ""))
    return {
        "ms": milliseconds,
        "python ms": work,
        "status": answer.status_code,
        "queries": len(spent),
        "sql ms": sum(each for each, _sql in spent),
        "slowest": f"{slowest[0]:.0f} ms: {slowest[1][:SHOWN_OF_A_STATEMENT]}",
    }
