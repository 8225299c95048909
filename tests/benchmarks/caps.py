"""Frequency caps over a crowd with a past: decided for a whole plan, and decided and taken call by call."""

from collections import Counter
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet

from customers import clock
from customers.models import Customer
from notifications import caps, screening
from notifications.models import FrequencyCap, Message, ProviderAccount
from notifications.services import authorizing, deliveries, preparing, submissions
from tests.benchmarks import measuring, people
from tests.benchmarks.measuring import Scale, Stopwatch, seconds_of
from tests.benchmarks.report import Report, Target, say

# What begins the statements of authorize() that keep the caps, and what each is for.
CAP_STATEMENTS = {
    "INSERT INTO notifications_recentsends": "lock",
    "SELECT count(*) FROM ( SELECT subject": "lock",
    "SELECT d.id,": "decide",
    "UPDATE notifications_recentsends": "take",
}
TABLES = ("notifications_delivery", "notifications_submission", "notifications_deliverytally", "notifications_hold")
PARTS = ("lock", "decide", "take")


def run(scale: Scale, place: Path) -> Report:
    """The statement that screens a plan, with and without caps; then authorize() for a part of the crowd."""
    sizes = {
        "candidates": scale.of(1_000_000, 100_000, 5_000),
        "past sends": scale.of(5_000_000, 500_000, 25_000),
        "authorized": scale.of(200_000, 20_000, 2_000),
    }
    people.load(sizes["candidates"], is_mixed=False)
    account = people.open_shop()
    sizes["rows of memory"] = people.remember_sends(sizes["candidates"], sends=sizes["past sends"])
    rounds = []
    for number in range(scale.rounds):
        say(f"  round {number + 1} …")
        rounds.append(_screened() | _authorized(sizes, account, number))
    found = measuring.middle(rounds)
    rows = []
    for what, seconds in found.items():
        count = sizes["candidates" if what.startswith("screened") else "authorized"]
        rows.append({"what": what, "seconds": seconds, "candidates": count, "candidates per second": count / seconds})
    decided = sizes["candidates"] / found["screened with caps"]
    kept = sizes["authorized"] / sum(found[f"authorize: {part}"] for part in PARTS)
    targets = [Target("candidates of a plan decided per second, all screening included", decided, 100_000)]
    notes = {"candidates locked, decided and taken per second by one worker, 500 at a time": kept}
    return Report(sizes, rows, targets, notes, {"rounds": rounds})


def _screened() -> dict[str, float]:
    """Seconds of the question that plan() asks, without writing its answer."""
    found = {}
    every_rule = caps.rules_for(channel="sms", purpose="marketing")
    for name, rules in (("screened without caps", []), ("screened with caps", every_rule)):
        sql, parameters = screening.audience(
            deliveries.customer_ids(Customer.objects.present()),
            channel="sms",
            purpose="marketing",
            rules=rules,
            now=clock.now(),
            zone=clock.shop_zone(),
            occasion="nothing yet",
        )
        question = f"SELECT first_reason, count(*), count(frees_at) FROM ({sql}) AS screened GROUP BY 1"
        with connection.cursor() as cursor:
            cursor.execute("SET work_mem = '256MB'")
            found[name] = seconds_of(lambda: cursor.execute(question, parameters))  # noqa: B023 - called at once
            cursor.execute("RESET work_mem")
    return found


def _authorized(sizes: dict[str, int], account: ProviderAccount, number: int) -> dict[str, float]:
    """
    Seconds of authorize() and of its statements, for batches as a worker takes them.

    Each round takes people whom no earlier one has written to.
    """
    measuring.empty(*TABLES)
    message = people.message(f"Message {number}")
    first = number * sizes["authorized"] % sizes["candidates"]
    audience = Customer.objects.present().filter(id__gt=first, id__lte=first + sizes["authorized"])
    _plan_without_caps(message, audience)
    measuring.settle_disk()
    spent: Counter[str] = Counter(dict.fromkeys(PARTS, 0))
    total = 0.0
    while leased := submissions.lease("bulk", limit=settings.CALLS_IN_FLIGHT, now=clock.now()):
        prepared, unsendable = preparing.prepare(message, [taken.id for taken in leased])
        watch = Stopwatch()
        with connection.execute_wrapper(_timing(spent)):
            authorizing.authorize(message, leased, prepared, unsendable=unsendable, account=account)
        total += watch.seconds
    parts = {f"authorize: {part}": spent[part] for part in PARTS}
    return {"authorize": total} | parts | {"authorize: everything else": total - sum(parts.values())}


def _plan_without_caps(message: Message, audience: QuerySet[Customer]) -> None:
    """Leave the caps to authorize(), which then is the first to ask them."""
    FrequencyCap.objects.update(is_active=False)
    deliveries.plan(message, audience, occasion=f"benchmark-{message.pk}", now=clock.now())
    FrequencyCap.objects.update(is_active=True)
    deliveries.analyze()


def _timing(spent: Counter):
    """A wrapper that adds up the seconds of the statements that keep the caps."""

    def wrapper(execute, sql, parameters, many, context):
        watch = Stopwatch()
        try:
            return execute(sql, parameters, many, context)
        finally:
            words = " ".join(sql.split())
            for beginning, what in CAP_STATEMENTS.items():
                if words.startswith(beginning):
                    spent[what] += watch.seconds

    return wrapper
