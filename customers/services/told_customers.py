"""Customers as the shop's own system tells of them: found by their keys, added or changed, in one statement each."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from customers.models import Customer, Tag
from customers.models.contact_point import masked
from customers.services import import_merge, removals

CHANGEABLE = ("name", "gender", "city", "province", "external_id")
BIRTHDAY = ("birth_year", "birth_month", "birth_day", "birth_calendar")


@dataclass(frozen=True)
class CustomerKeys:
    """By what a customer may be known; the first of these that leads to somebody counts."""

    id: int | None = None
    external_id: str = ""
    phone: str = ""
    email: str = ""

    def told(self) -> frozenset[tuple[str, object]]:
        """The keys that are not empty."""
        pairs = (("id", self.id), ("external_id", self.external_id), ("phone", self.phone), ("email", self.email))
        return frozenset(pair for pair in pairs if pair[1])


@dataclass(frozen=True)
class CustomerFacts:
    """What is told of a customer; what is left out stays as it is. A phone number is normalized."""

    external_id: str = ""
    phone: str = ""
    email: str = ""
    name: str = ""
    gender: str = ""
    city: str = ""
    province: str = ""
    birth_year: int | None = None
    birth_month: int | None = None
    birth_day: int | None = None
    birth_calendar: str = ""
    tags: Sequence[str] = ()

    @property
    def keys(self) -> CustomerKeys:
        """By what the customer may be known already."""
        return CustomerKeys(external_id=self.external_id, phone=self.phone, email=self.email)


def _reached_at(name: str, channel: str) -> str:
    return f"""(
    SELECT point.customer_id FROM customers_contactpoint point
    JOIN customers_customer owner ON owner.id = point.customer_id AND owner.erased_at IS NULL
    WHERE told.{name} <> '' AND point.address = told.{name} AND point.channel = '{channel}'
    ORDER BY point.is_primary DESC, point.customer_id LIMIT 1
)"""


FIND = f"""
SELECT coalesce(
    (SELECT id FROM customers_customer known WHERE known.id = told.id AND known.erased_at IS NULL),
    (SELECT id FROM customers_customer known WHERE known.external_id = told.external_id AND told.external_id <> ''
        AND known.erased_at IS NULL),
    {_reached_at("phone", "sms")}, {_reached_at("email", "email")}
)
FROM jsonb_to_recordset(%s) AS told(place integer, id bigint, external_id text, phone text, email text)
ORDER BY told.place
"""
# Somebody who is known by another number of the shop's system is another person at the same phone.
ANOTHER = "SELECT id, external_id FROM customers_customer WHERE id = ANY(%s) AND external_id <> ''"
TOLD = """
jsonb_to_recordset(%(told)s) AS told(
    id bigint, is_new boolean, name text, gender text, city text, province text, external_id text, phone text,
    email text, birth_year integer, birth_month integer, birth_day integer, birth_calendar text, tags text[]
)"""
CREATE = f"""
INSERT INTO customers_customer (
    id, name, gender, city, province, external_id, note, birth_year, birth_month, birth_day, birth_calendar,
    created_at, updated_at
)
SELECT id, name, gender, city, province, external_id, '', birth_year, birth_month, birth_day, birth_calendar,
       %(now)s, %(now)s
FROM {TOLD} WHERE is_new ORDER BY id
"""
LOCK = "SELECT id FROM customers_customer WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
_NEXT = ", ".join(f"coalesce(nullif(told.{name}, ''), known.{name})" for name in CHANGEABLE)
_BIRTH = ", ".join(f"CASE WHEN told.birth_month IS NULL THEN known.{name} ELSE told.{name} END" for name in BIRTHDAY)
UPDATE = f"""
UPDATE customers_customer known
SET ({", ".join((*CHANGEABLE, *BIRTHDAY))}, updated_at) = ROW({_NEXT}, {_BIRTH}, %(now)s)
FROM {TOLD}
WHERE known.id = told.id AND NOT told.is_new
  AND ({", ".join(f"known.{name}" for name in (*CHANGEABLE, *BIRTHDAY))}) IS DISTINCT FROM ({_NEXT}, {_BIRTH})
RETURNING known.id
"""
# The address before stays the customer's, with whatever was said about it; messages go to the new one.
_POINTS = f"""
SELECT told.id AS customer_id, channel, address FROM {TOLD}
CROSS JOIN LATERAL (VALUES ('sms', told.phone), ('email', told.email)) AS point(channel, address)
WHERE address <> ''
"""
DEMOTE = f"""
UPDATE customers_contactpoint known SET is_primary = false FROM ({_POINTS}) new
WHERE known.customer_id = new.customer_id AND known.channel = new.channel AND known.is_primary
  AND known.address <> new.address
RETURNING known.customer_id
"""
PROMOTE = f"""
INSERT INTO customers_contactpoint AS known (customer_id, channel, address, is_primary, created_at)
SELECT customer_id, channel, address, true, %(now)s FROM ({_POINTS}) new ORDER BY 1, 2
ON CONFLICT (customer_id, channel, address) DO UPDATE SET is_primary = true WHERE NOT known.is_primary
RETURNING customer_id
"""
STICK = f"""
INSERT INTO customers_customertag (customer_id, tag_id)
SELECT DISTINCT told.id, tag.id FROM {TOLD}
CROSS JOIN LATERAL unnest(told.tags) AS word JOIN customers_tag tag ON tag.name = word
ORDER BY 1, 2 ON CONFLICT DO NOTHING RETURNING customer_id
"""


def find(keys: Sequence[CustomerKeys]) -> list[int | None]:
    """The customers whom the keys lead to, in the same order; None for nobody."""
    rows = [
        {"place": place, "id": key.id, "external_id": key.external_id, "phone": key.phone, "email": key.email}
        for place, key in enumerate(keys)
    ]
    with connection.cursor() as cursor:
        cursor.execute(FIND, [json.dumps(rows)])
        return [row[0] for row in cursor.fetchall()]


@transaction.atomic
def record(facts: Sequence[CustomerFacts], *, now: datetime) -> list[tuple[int, str]]:
    """
    Add the customers who are not known, and change what is told anew of the others.

    Answers for each whose it is, and whether the customer was created, updated or left unchanged.
    """
    found: dict[int, tuple[int, str]] = {}
    removals.hold_off()
    for places in _rounds(facts):
        part = [facts[place] for place in places]
        found |= dict(zip(places, _record(part, now=now), strict=True))
    return [found[place] for place in range(len(facts))]


def show(customer_id: int, *, is_whole: bool) -> dict[str, Any] | None:
    """What is known of a customer, with masked addresses unless they are asked for whole; None for nobody."""
    customer = (
        Customer.objects.present()
        .select_related("tier")
        .prefetch_related("contact_points", "tags")
        .filter(pk=customer_id)
        .first()
    )
    if customer is None:
        return None
    addresses = {point.channel: point.address for point in customer.contact_points.all() if point.is_primary}
    shown = {
        name: address if is_whole else masked(address) if address else ""
        for name, address in (("phone", addresses.get("sms", "")), ("email", addresses.get("email", "")))
    }
    return {
        "id": customer.pk,
        "external_id": customer.external_id,
        "name": customer.name,
        "gender": customer.gender,
        "city": customer.city,
        "province": customer.province,
        **shown,
        "tags": sorted(tag.name for tag in customer.tags.all()),
        "tier": customer.tier.name if customer.tier else "",
    }


def _rounds(facts: Sequence[CustomerFacts]) -> list[list[int]]:
    """The places of the facts in rounds, in none of which anybody is told of twice."""
    divided: list[list[int]] = []
    seen: list[set] = []
    for place, fact in enumerate(facts):
        keys = fact.keys.told()
        # After the last round that tells of the same person: what is told later must win.
        turn = max((number + 1 for number, others in enumerate(seen) if others & keys), default=0)
        if turn == len(divided):
            divided.append([])
            seen.append(set())
        divided[turn].append(place)
        seen[turn] |= keys
    return divided


def _record(facts: Sequence[CustomerFacts], *, now: datetime) -> list[tuple[int, str]]:
    with connection.cursor() as cursor:
        known = _not_another(cursor, facts, find([fact.keys for fact in facts]))
        if None in known:
            # Neither another request nor a file may be adding the same person at this moment.
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [import_merge.ONE_FILE_AT_A_TIME])
            known = _not_another(cursor, facts, find([fact.keys for fact in facts]))
        cursor.execute("SELECT nextval('customers_customer_id_seq') FROM generate_series(1, %s)", [known.count(None)])
        fresh = iter([row[0] for row in cursor.fetchall()])
        ids = [found or next(fresh) for found in known]
        rows = [
            {**vars(fact), "tags": list(fact.tags), "id": pk, "is_new": found is None}
            for fact, pk, found in zip(facts, ids, known, strict=True)
        ]
        told = {"told": json.dumps(rows), "now": now}
        cursor.execute(LOCK, [[pk for pk in known if pk]])
        cursor.execute(CREATE, told)
        changed: set[int] = set()
        if words := sorted({word for fact in facts for word in fact.tags}):
            Tag.objects.bulk_create([Tag(name=word) for word in words], ignore_conflicts=True)
        for statement in (UPDATE, DEMOTE, PROMOTE, STICK):
            cursor.execute(statement, told)
            changed |= {row[0] for row in cursor.fetchall()}
    new = {pk for pk, before in zip(ids, known, strict=True) if before is None}
    Customer.objects.filter(pk__in=changed - new).update(updated_at=now)
    return [(pk, "created" if pk in new else "updated" if pk in changed else "unchanged") for pk in ids]


def _not_another(cursor, facts: Sequence[CustomerFacts], found: list[int | None]) -> list[int | None]:
    """Those found, without whom the shop's system knows by another number: two people may share a phone."""
    cursor.execute(ANOTHER, [[pk for pk in found if pk]])
    numbers = dict(cursor.fetchall())
    taken: set[int] = set()
    kept: list[int | None] = []
    for fact, pk in zip(facts, found, strict=True):
        is_another = pk in taken or (fact.external_id and numbers.get(pk, fact.external_id) != fact.external_id)
        kept.append(None if is_another else pk)
        taken |= {pk} if pk else set()
    return kept
