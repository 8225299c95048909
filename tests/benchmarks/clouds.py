"""How fast messages leave over Aliyun and Tencent Cloud, beside the plain gateway in the same round."""

import os
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from django.conf import settings

from customers import clock
from customers.models import Customer
from notifications import secrets
from notifications.choices import GatewayKind
from notifications.models import Message, ProviderAccount
from notifications.services import deliveries, messages, registrations
from tests import cast
from tests.benchmarks import measuring, people, texts
from tests.benchmarks.measuring import Scale, Stopwatch
from tests.benchmarks.report import Report, Target, say
from tests.benchmarks.ways import SENT_TABLES, WORKERS, Ours
from tests.gateway import Gateway
from tests.gateways import aliyun, tencent

LATENCIES = (0, 20, 50)
EQUAL_TEXT = "双十二全场八折,满三百再减三十,欢迎到店选购。"
SIGNATURES = {texts.SIGNATURE: [0, ""]}


@dataclass(frozen=True)
class Road:
    """One account and the text that goes over it."""

    name: str
    account: str
    body: str
    numbers_per_call: int


ROADS = {
    "plain": Road("our protocol, personal", "plain", texts.BODY, 100),
    "aliyun": Road("Aliyun, personal", "aliyun", texts.BODY, 100),
    "tencent": Road("Tencent Cloud, equal", "tencent", EQUAL_TEXT, 200),
}
# Every distinct set of parameters is a call of its own here.
PERSONAL = Road("Tencent Cloud, personal", "tencent", texts.BODY, 1)


class Sender(Ours):
    """Our workers, and the account that carries the next message."""

    def __init__(self, folder: Path, hosts: list[str]):
        super().__init__(folder, _Hosts(",".join(hosts)))

    def plan(self, road: Road, count: int) -> None:
        """Plan a paused message over one account."""
        measuring.empty(*SENT_TABLES)
        ProviderAccount.objects.update(is_active=False)
        ProviderAccount.objects.filter(name=road.account).update(is_active=True, paused_for="")
        self.message = people.message(f"Message {Message.objects.count()}", body=road.body)
        messages.pause([self.message.pk], now=clock.now())
        audience = Customer.objects.present().filter(id__lte=count)
        deliveries.plan(self.message, audience, occasion=f"clouds-{self.message.pk}", now=clock.now())
        deliveries.analyze()


@dataclass(frozen=True)
class _Hosts:
    """The hosts that the workers may call, where Ours expects one gateway."""

    host: str


def run(scale: Scale, place: Path) -> Report:
    """All roads at all latencies in turn, round by round."""
    sizes = {"messages": scale.of(60_000, 10_000, 1_000), "personal calls": scale.of(1_000, 400, 60)}
    plain = Gateway(place / "gateway", "--no-receipts")
    ali = aliyun.AliyunProcess(place / "aliyun", review="1")
    ten = tencent.TencentProcess(place / "tencent", review=0, signatures=SIGNATURES)
    servers = {"plain": plain, "aliyun": ali, "tencent": ten}
    settings.GATEWAY_PRIVATE_HOSTS = [server.host for server in servers.values()]
    os.environ["GATEWAY_PRIVATE_HOSTS"] = ",".join(settings.GATEWAY_PRIVATE_HOSTS)
    try:
        people.load(sizes["messages"], is_mixed=False)
        _open(people.open_shop(plain.url), ali, ten)
        rounds = [_round(number, sizes, servers, place) for number in range(1, scale.rounds + 1)]
    finally:
        for server in servers.values():
            server.stop()
    return _report(sizes, rounds)


def _open(plain: ProviderAccount, ali: aliyun.AliyunProcess, ten: tencent.TencentProcess) -> None:
    """The three accounts, and both texts approved at the clouds."""
    ProviderAccount.objects.filter(pk=plain.pk).update(name="plain")
    clouds = [
        ProviderAccount.objects.create(
            name="aliyun",
            gateway=GatewayKind.ALIYUN_SMS,
            url=ali.url,
            key_id=aliyun.KEY_ID,
            encrypted_secret=secrets.encrypt(aliyun.KEY_SECRET),
            callback_token="clouds-aliyun",
            is_sandbox=True,
        ),
        ProviderAccount.objects.create(
            name="tencent",
            gateway=GatewayKind.TENCENT_SMS,
            url=ten.url,
            key_id=tencent.KEY_ID,
            app_id=tencent.APP_ID,
            encrypted_secret=secrets.encrypt(tencent.SECRET),
            callback_token="clouds-tencent",
            batch_size=200,
            is_sandbox=True,
        ),
    ]
    for place, body in enumerate((texts.BODY, EQUAL_TEXT)):
        template = cast.template(body, name=f"Registered {place}")
        for account in clouds:
            registrations.hand_in(template, account, by=None, now=clock.now())
    registrations.sync(now=clock.now())


def _round(number: int, sizes: dict[str, int], servers: dict[str, Any], place: Path) -> dict[str, dict[str, float]]:
    """Every road at every latency once."""
    say(f"  round {number} …")
    found = {}
    sender = Sender(place / f"round-{number}", settings.GATEWAY_PRIVATE_HOSTS)
    try:
        sender.start()
        for latency in LATENCIES:
            for key, road in ROADS.items():
                found[f"{key}_{latency}"] = _measure(sender, road, sizes["messages"], servers[key], latency)
        found["personal_20"] = _measure(sender, PERSONAL, sizes["personal calls"], servers["tencent"], 20)
    finally:
        sender.stop()
    return found


def _measure(sender: Sender, road: Road, count: int, server: Any, latency: int) -> dict[str, float]:
    """Messages a second and processor seconds per 1,000, after a check that everybody was sent to."""
    sender.plan(road, count)
    server.set(latency_ms=latency)
    measuring.settle_disk()
    python, postgres = measuring.cpu_seconds(sender.roots()), measuring.cpu_seconds([measuring.postgres()])
    watch = Stopwatch()
    sender.go()
    sender.wait()
    seconds = watch.seconds
    if sender.sent() != count:
        raise RuntimeError(f"{road.name}: {count} messages wanted, {sender.sent()} noted as sent.")
    return {
        "messages_per_second": count / seconds,
        "python_cpu_per_1000": 1000 * (measuring.cpu_seconds(sender.roots()) - python) / count,
        "postgres_cpu_per_1000": 1000 * (measuring.cpu_seconds([measuring.postgres()]) - postgres) / count,
    }


def _report(sizes: dict[str, int], rounds: list[dict[str, dict[str, float]]]) -> Report:
    names = {f"{key}_{ms}": f"{road.name}, {ms} ms" for key, road in ROADS.items() for ms in LATENCIES}
    names["personal_20"] = f"{PERSONAL.name}, 20 ms"
    rows: list[dict[str, Any]] = [
        {"way": names[key], **measuring.middle(each[key] for each in rounds)} for key in names
    ]

    def share(key: str, latency: int) -> float:
        """Of the smaller of what the plain gateway reaches at once and what the calls in flight allow."""
        in_flight = WORKERS * settings.CALLS_IN_FLIGHT * ROADS[key].numbers_per_call
        return median(
            each[f"{key}_{latency}"]["messages_per_second"]
            / min(each["plain_0"]["messages_per_second"], in_flight / (latency / 1000) if latency else float("inf"))
            for each in rounds
        )

    targets = [
        Target(f"{ROADS[key].name} at {latency} ms, of what is possible", share(key, latency), 0.8 if latency else 0.9)
        for key in ("aliyun", "tencent")
        for latency in LATENCIES
    ]
    return Report(sizes, rows, targets, {}, {"rounds": rounds})
