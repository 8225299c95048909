"""How fast messages leave, what they cost, and that memory does not grow with the audience."""

from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks import measuring, people
from tests.benchmarks.measuring import Scale, Stopwatch
from tests.benchmarks.report import Report, Target, say
from tests.benchmarks.ways import JobPerMessage, Ours, PostOffice, Way
from tests.gateway import Gateway

LATENCIES = (0, 20)
AT_ONCE = 0


def run(scale: Scale, place: Path) -> Report:
    """All ways in turn, round by round; then two audiences for the memory."""
    sizes = {
        "ours": scale.of(100_000, 10_000, 1_000),
        "per_message": scale.of(400, 200, 40),
        "post_office": scale.of(3_000, 1_000, 100),
        "small_audience": scale.of(10_000, 2_000, 500),
        "large_audience": scale.of(200_000, 20_000, 2_000),
    }
    gateway = Gateway(place / "gateway", "--no-receipts")
    try:
        people.load(max(sizes.values()), is_mixed=False)
        people.open_shop(gateway.url)
        rounds = [_round(number, sizes, gateway, place) for number in range(1, scale.rounds + 1)]
        memory = _memory(sizes, gateway, place)
    finally:
        gateway.stop()
    return _report(sizes, rounds, memory)


def _round(number: int, sizes: dict[str, int], gateway: Gateway, place: Path) -> dict[str, dict[str, float]]:
    """Every way once, one after the other."""
    say(f"  round {number} …")
    found = {}
    ours = Ours(place / f"round-{number}", gateway)
    try:
        ours.start()
        for latency in LATENCIES:
            found[f"ours_{latency}"] = _measure(ours, sizes["ours"], gateway, latency=latency)
    finally:
        ours.stop()
    for key, way in (("per_message", JobPerMessage(gateway)), ("post_office", PostOffice(place, gateway))):
        way.prepare(sizes[key])
        try:
            way.start()
            found[key] = _measure(way, sizes[key], gateway, is_prepared=True)
        finally:
            way.stop()
    return found


def _measure(
    way: Way, count: int, gateway: Gateway, *, latency: int = AT_ONCE, is_prepared: bool = False
) -> dict[str, float]:
    """Messages a second and processor seconds per 1,000, after a check that everybody got exactly one."""
    if not is_prepared:
        way.prepare(count)
    gateway.set(latency_ms=latency)
    accepted = gateway.get("/healthz")["accepted"]
    measuring.settle_disk()
    python, postgres = measuring.cpu_seconds(way.roots()), measuring.cpu_seconds([measuring.postgres()])
    watch = Stopwatch()
    way.go()
    way.wait()
    seconds = watch.seconds
    python = measuring.cpu_seconds(way.roots()) - python
    postgres = measuring.cpu_seconds([measuring.postgres()]) - postgres
    taken = gateway.get("/healthz")["accepted"] - accepted
    if not way.sent() == taken == count:
        raise RuntimeError(f"{way.name}: {count} messages wanted, {way.sent()} noted, {taken} at the gateway.")
    return {
        "messages_per_second": count / seconds,
        "python_cpu_per_1000": 1000 * python / count,
        "postgres_cpu_per_1000": 1000 * postgres / count,
    }


def _memory(sizes: dict[str, int], gateway: Gateway, place: Path) -> dict[str, dict[str, float]]:
    """The most memory of a process that sends, and of all of them, for a small and a large audience."""
    found = {}
    ours = Ours(place / "memory", gateway)
    try:
        ours.start()
        for key in ("small_audience", "large_audience"):
            ours.prepare(sizes[key])
            with measuring.peak_memory(ours.roots) as peak:
                ours.go()
                ours.wait()
            found[key] = {"largest process": peak.largest, "all workers": peak.together}
    finally:
        ours.stop()
    return found


def _report(
    sizes: dict[str, int], rounds: list[dict[str, dict[str, float]]], memory: dict[str, dict[str, float]]
) -> Report:
    names = {f"ours_{latency}": f"{Ours.name}, {latency} ms" for latency in LATENCIES}
    names |= {"per_message": JobPerMessage.name, "post_office": PostOffice.name}
    rows: list[dict[str, Any]] = [
        {"way": names[key], **measuring.middle(each[key] for each in rounds)} for key in names
    ]

    def ratio(first: str, second: str) -> float:
        return median(each[first]["messages_per_second"] / each[second]["messages_per_second"] for each in rounds)

    growth = memory["large_audience"]["largest process"] / memory["small_audience"]["largest process"]
    targets = [
        Target("times as fast as a job per message", ratio("ours_0", "per_message"), 80),
        Target("times as fast as django-post_office", ratio("ours_0", "post_office"), 20),
        Target("speed at 20 ms latency over that at 0 ms", ratio("ours_20", "ours_0"), 0.8),
        Target("memory for the large audience over the small one", growth, 1.1, is_ceiling=True),
    ]
    notes = {
        f"megabytes at {sizes[audience]:,} recipients, {what}": megabytes
        for audience, peaks in memory.items()
        for what, megabytes in peaks.items()
    }
    return Report(sizes, rows, targets, notes, {"rounds": rounds})
