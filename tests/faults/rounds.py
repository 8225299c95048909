"""The rounds of a soak: campaigns through moody gateways under a storm, and the oracle after each of them."""

import os
import random
import sys
import time
from datetime import timedelta

import pytest

from customers import clock
from customers.choices import Channel, ConsentSource, Purpose
from customers.models import ClockOffset
from customers.services import consent
from notifications.models import FrequencyCap, Message, ProviderAccount
from notifications.services import messages
from tests import cast, registered
from tests.faults import oracle, storms, work
from tests.gateway import wait_until
from tests.gateways.aliyun import AliyunProcess
from tests.stories.watching import states

pytestmark = pytest.mark.django_db(transaction=True)
WORKERS = ("urgent", "bulk", "bulk", "default")
PATIENCE = 240
# Few, so that a round takes long enough for something to happen in it.
CALLS_IN_FLIGHT = "4"
SMALL, BIG = (200, 1_500), 20_000
# A soak this long begins with a campaign in full size.
LONG_MINUTES = 5
MOODS = ("", "", "", "drop_after", "error_after", "drop", "down", "throttled")


class Soak:
    """One shop, its two gateways and its deployment, through all rounds."""

    def __init__(self, *, chance: random.Random, gateway, aliyun: AliyunProcess, deployment):
        self.chance = chance
        self.gateway, self.aliyun, self.deployment = gateway, aliyun, deployment
        self.audience: dict[int, int] = {}
        self.opted_out: dict = {}
        self.people: list[str] = []
        self.frozen: list = []

    def grow(self, size: int) -> None:
        """More customers, until there are so many."""
        if more := size - len(self.people):
            first = 13900000000 + len(self.people)
            cast.crowd(more, first_phone=first)
            self.people += [str(first + place) for place in range(more)]

    def next_noon(self) -> None:
        """Go on at noon, today's or tomorrow's: marketing rests at night."""
        now = clock.now().astimezone(clock.shop_zone())
        noon = now.replace(hour=12, minute=0, second=0, microsecond=0)
        noon += timedelta(days=1) if noon < now else timedelta(0)
        offset = ClockOffset.objects.get().offset + (noon - now)
        ClockOffset.objects.update(offset=offset)
        self.aliyun.set(offset=offset.total_seconds())

    def use(self, account: ProviderAccount) -> None:
        """Send by this account from now on."""
        ProviderAccount.objects.exclude(pk=account.pk).update(is_active=False)
        ProviderAccount.objects.filter(pk=account.pk).update(is_active=True)

    def strikes(self) -> dict:
        """What this round's storm does, and how often."""
        horses = lambda: self.deployment.horses("bulk") or self.deployment.horses("urgent")  # noqa: E731
        known = {
            "wiped": storms.wipe(self.deployment.redis_url),
            "killed": storms.kill(horses),
            "parent_killed": storms.kill(lambda: self.deployment.workers("bulk", at_work=True)),
            "cut": storms.cut_others(),
            "moody": lambda: self.gateway.set(fault=self.chance.choice(MOODS)),
            "frozen": self.freeze_or_thaw,
        }
        chosen = self.chance.sample(sorted(known), k=self.chance.randint(1, 4))
        return {name: (self.chance.uniform(0.3, 2), known[name]) for name in chosen}

    def freeze_or_thaw(self) -> None:
        """Freeze a work-horse, or let the frozen ones go on."""
        if self.frozen:
            self.thaw()
            return
        for process in self.deployment.horses("bulk")[:1]:
            self.frozen.append(process)
            process.suspend()

    def thaw(self) -> None:
        """Let the frozen go on."""
        while self.frozen:
            process = self.frozen.pop()
            if process.is_running():
                process.resume()

    def opt_out(self, count: int) -> None:
        """Some people have enough."""
        for number in self.chance.sample(self.people, k=count):
            if number not in self.opted_out:
                consent.withdraw_everywhere(number, channel=Channel.SMS, source=ConsentSource.REPLY, now=clock.now())
                self.opted_out[number] = clock.now()

    def check(self) -> None:
        """Ask the oracle about everything that was ever sent."""
        ledger = oracle.of_sandbox(self.gateway.ledger()) + oracle.of_aliyun(self.aliyun.ledger())
        oracle.satisfied(ledger, audience=self.audience, opted_out=self.opted_out)

    def calm(self) -> None:
        """Everybody works again, and time passes."""
        self.thaw()
        self.gateway.set(fault="")
        self.aliyun.set(drop_percent=0, latency_ms=0, receipt="3")
        storms.come_to_rest(self.deployment, seconds=PATIENCE)


@pytest.fixture
def soak(tmp_path, noon, gateway, deploy, settings):
    """The shop of the soak; its seed decides everything that is left to chance."""
    aliyun = AliyunProcess(tmp_path / "aliyun")
    hosts = f"{gateway.host},{aliyun.host}"
    settings.GATEWAY_PRIVATE_HOSTS = hosts.split(",")
    storms.without_brake()
    deployment = deploy(*WORKERS, GATEWAY_PRIVATE_HOSTS=hosts, LOG_LEVEL="ERROR", CALLS_IN_FLIGHT=CALLS_IN_FLIGHT)
    chance = random.Random(int(os.environ.get("SOAK_SEED", "1")))
    yield Soak(chance=chance, gateway=gateway, aliyun=aliyun, deployment=deployment)
    aliyun.stop()


def tell(words: str) -> None:
    """Say what was done."""
    sys.stdout.write(f"  {words}\n")
    sys.stdout.flush()


def test_the_oracle_is_satisfied_after_every_round(soak):
    minutes = float(os.environ.get("SOAK_MINUTES", "1"))
    ends = time.monotonic() + 60 * minutes
    by_aliyun = registered.account_at(soak.aliyun, is_sandbox=True, batch_size=50)
    by_sandbox = cast.account(soak.gateway.url, batch_size=25)
    if minutes >= LONG_MINUTES:
        the_big_campaign(soak, by_aliyun)
    FrequencyCap.objects.create(name="三天两条", limit=2, window="days", window_length=3)
    number = 0
    while time.monotonic() < ends:
        number += 1
        one_round(soak, number, by_aliyun if soak.chance.random() < 0.4 else by_sandbox)
    assert number


def the_big_campaign(soak: Soak, account: ProviderAccount) -> None:
    """Twenty thousand people, 5 % of the answers dropped, a wipe every 3 s and a kill every 5 s."""
    soak.grow(BIG)
    soak.next_noon()
    soak.use(account)
    soak.aliyun.set(drop_percent=5, latency_ms=300)
    with storms.raging(
        wiped=(3, storms.wipe(soak.deployment.redis_url)),
        killed=(5, storms.kill(lambda: soak.deployment.horses("bulk"))),
    ) as storm:
        message = work.plan(Purpose.MARKETING, occasion="big", approved_by=account)
        soak.audience[message.pk] = BIG
        assert wait_until(storms.is_quiet_of_queued, seconds=PATIENCE), soak.deployment.said()[-4000:]
    soak.calm()
    soak.check()
    tell(f"{BIG} by {account.name}: {dict(storm.done)} → {dict(states())}")


def one_round(soak: Soak, number: int, account: ProviderAccount) -> None:
    """One or two messages to everybody under a storm, some people opting out, then the oracle."""
    soak.grow(max(len(soak.people), soak.chance.randint(*SMALL)))
    soak.next_noon()
    soak.use(account)
    soak.aliyun.set(drop_percent=soak.chance.choice([0, 5, 20]), latency_ms=soak.chance.choice([100, 400]))
    soak.gateway.set(latency_ms=soak.chance.choice([100, 400]))
    purposes = soak.chance.choices([Purpose.MARKETING, Purpose.SERVICE, Purpose.TRANSACTIONAL], k=3)
    planned = []
    with storms.raging(**soak.strikes()) as storm:
        for place, purpose in enumerate(purposes):
            approved_by = account if account.gateway != "generic_http" else None
            message = work.plan(purpose, occasion=f"round-{number}-{place}", approved_by=approved_by)
            soak.audience[message.pk] = len(soak.people)
            planned.append(message.pk)
        soak.opt_out(10)
        if soak.chance.random() < 0.3:
            messages.pause(planned, now=clock.now())
            messages.resume(planned)
        wait_until(storms.is_quiet_of_queued, seconds=soak.chance.uniform(5, 20))
    soak.calm()
    soak.check()
    found = dict(states(message__in=Message.objects.filter(pk__in=planned)))
    told = " and ".join(purpose.value for purpose in purposes)
    tell(f"Round {number}, {told} by {account.name}: {dict(storm.done)} → {found}")
