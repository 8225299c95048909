"""Writes the demo shop's customers, what they agreed to, and the addresses that are closed."""

import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from config.demo.people import MAGIC, SEED, TIERS, Person, everybody
from customers.choices import CONSENT_PURPOSES, Channel, ConsentSource, Purpose, SuppressionReason, SuppressionScope
from customers.models import ContactPoint, Customer, CustomerTag, Suppression, Tag, Tier
from customers.services import consent

AGREED_IN = {
    "会员注册页勾选：我愿意接收节日问候和优惠短信，可随时退订": 60,
    "小程序下单页勾选：有活动请短信通知我": 25,
    "门店收银登记：口头同意接收短信，店员当面录入": 15,
}
AGREED_TO_MAIL = "网站订阅框：请把新品和活动发到我的邮箱"
OPT_OUT_REPLIES = ("R", "TD", "退订", "拒收", "别发了，退订")
# From which spending, and from how many orders within a year, one is on each tier; the dearest are VIPs.
THRESHOLDS = ((None, 1), (500, 3), (2000, 8), (5000, 20))
# Opted out, though no customer has these numbers any more.
FORGOTTEN = ("15000009901", "17600009902", "18800009903")
# Evidence is written month by month: a call for every day would take seconds.
MONTH = 30
# Nobody joined, agreed or complained later: the campaign that is over already met the shop as it is.
LATEST = 7


def write(*, now: datetime) -> list[Customer]:
    """Store everybody, the longest known first; answers the customers."""
    people = everybody()
    customers = _write_people(people, now)
    by_person = list(zip(people, customers, strict=True))
    chance = random.Random(SEED)
    agreed = _grant(by_person, chance, now)
    old = [customer for customer in agreed if now - customer.created_at > timedelta(days=MONTH)]
    _withdraw(chance.sample(old, len(agreed) * 12 // 100), chance, now)
    _close_addresses(by_person, now)
    return customers


def _write_people(people: list[Person], now: datetime) -> list[Customer]:
    ladder = [
        Tier(name=name, rank=rank, minimum_spending=spending, minimum_orders=orders)
        for rank, (name, (spending, orders)) in enumerate(zip(filter(None, TIERS), THRESHOLDS, strict=True))
    ]
    ladder[-1].is_vip = True
    tiers = {tier.name: tier for tier in Tier.objects.bulk_create(ladder)}
    names = dict.fromkeys(tag for person in people for tag in person.tags)
    tags = {tag.name: tag for tag in Tag.objects.bulk_create(Tag(name=name) for name in names)}
    customers = Customer.objects.bulk_create(_customer(person, tiers.get(person.tier), now) for person in people)
    by_person = list(zip(people, customers, strict=True))
    ContactPoint.objects.bulk_create(
        ContactPoint(customer=customer, channel=channel, address=address, created_at=customer.created_at)
        for person, customer in by_person
        for channel, address in ((Channel.SMS, person.phone), (Channel.EMAIL, person.email))
        if address
    )
    CustomerTag.objects.bulk_create(
        CustomerTag(customer=customer, tag=tags[tag]) for person, customer in by_person for tag in person.tags
    )
    return customers


def _customer(person: Person, tier: Tier | None, now: datetime) -> Customer:
    joined = now - timedelta(days=person.joined_days_ago)
    year, month, day = person.birthday
    return Customer(
        name=person.name,
        gender=person.gender,
        birth_year=year,
        birth_month=month,
        birth_day=day,
        tier=tier,
        has_own_tier=tier is not None,
        city=person.city,
        province=person.province,
        external_id=person.number,
        created_at=joined,
        updated_at=joined,
    )


def _grant(by_person: Iterable[tuple[Person, Customer]], chance: random.Random, now: datetime) -> list[Customer]:
    """Two in three agreed to SMS, some to greetings alone; the others were never asked."""
    months: dict[tuple, list[int]] = defaultdict(list)
    agreed = []
    for person, customer in by_person:
        month = person.joined_days_ago // MONTH
        # These agreed, so that the campaign that is over shows what can go wrong.
        asked = 0 if person.phone in MAGIC else chance.random()
        if asked < 0.71:
            wording = chance.choices(list(AGREED_IN), list(AGREED_IN.values()))[0]
            purposes = tuple(CONSENT_PURPOSES) if asked < 0.68 else (Purpose.CARE,)
            months[month, Channel.SMS, purposes, wording].append(customer.pk)
            agreed.append(customer)
        if person.email and chance.random() < 0.6:
            months[month, Channel.EMAIL, tuple(CONSENT_PURPOSES), AGREED_TO_MAIL].append(customer.pk)
    for (month, channel, purposes, wording), ids in months.items():
        moment = now - timedelta(days=max(month * MONTH, LATEST))
        consent.grant(
            ids, channels=[channel], purposes=purposes, source=ConsentSource.API, wording=wording, now=moment
        )
    return agreed


def _withdraw(customers: Iterable[Customer], chance: random.Random, now: datetime) -> None:
    """Some changed their mind, weeks or months after they had joined."""
    replies: dict[tuple[int, str], list[int]] = defaultdict(list)
    for customer in customers:
        agreed_days_ago = (now - customer.created_at).days // MONTH * MONTH
        days_ago = min(chance.choice([9, 16, 27, 45, 80, 140, 230]), agreed_days_ago - 1)
        replies[days_ago, chance.choice(OPT_OUT_REPLIES)].append(customer.pk)
    for (days_ago, reply), ids in replies.items():
        moment = now - timedelta(days=days_ago)
        consent.withdraw(ids, channels=[Channel.SMS], source=ConsentSource.REPLY, wording=reply, now=moment)


def _close_addresses(by_person: list[tuple[Person, Customer]], now: datetime) -> None:
    reachable = [person.phone for person, _customer in by_person if person.phone]
    closed = {
        SuppressionReason.DEAD: (reachable[60:1500:170], SuppressionScope.ALL, "运营商回执：空号"),
        SuppressionReason.COMPLAINED: (reachable[100:900:260], SuppressionScope.ALL, "12321 投诉"),
        SuppressionReason.STAFF: (reachable[130:1200:400], SuppressionScope.MARKETING, "来电要求不再收到活动短信"),
    }
    moment = now - timedelta(days=20)
    Suppression.objects.bulk_create(
        Suppression(channel=Channel.SMS, address=number, scope=scope, reason=reason, note=note, created_at=moment)
        for reason, (numbers, scope, note) in closed.items()
        for number in numbers
    )
    for number in FORGOTTEN:
        consent.withdraw_everywhere(number, channel=Channel.SMS, source=ConsentSource.REPLY, wording="TD", now=moment)
