"""
Finds out whose orders are that the shop's own system tells of, one by one or some at a time.

The rules are those of `order_people`. Nearly every event is of a buyer who is known, or of whom nothing at all is
known: those two are settled here with one question and one statement; whatever is more than that goes through the
tables of a file, which cost a single event more than everything else together.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from django.db.backends.utils import CursorWrapper

from customers.services import order_people, order_plan, prepared
from customers.services.order_facts import NO_KEYS, Keys, OrderFacts

_BY_ADDRESS = """LEFT JOIN LATERAL (
    SELECT point.customer_id
    FROM customers_contactpoint point JOIN customers_customer customer ON customer.id = point.customer_id
    WHERE point.address = told.{key} AND point.channel = '{channel}' AND customer.erased_at IS NULL
    ORDER BY point.is_primary DESC, point.customer_id LIMIT 1
) by_{key} ON told.{key} <> ''"""
# Not EXISTS: for a guessed hundred rows PostgreSQL would read all phones there are.
_HAS_PHONE = """coalesce((
    SELECT true FROM customers_contactpoint point WHERE point.customer_id = {0} AND point.channel = 'sms' LIMIT 1
), false)"""
LOOK = f"""
SELECT told.place, known.id, owner.id, owner.erased_at IS NOT NULL,
       numbered.id, by_phone.customer_id, account.id, account.customer_id, by_email.customer_id,
       {_HAS_PHONE.format("owner.id")}, {_HAS_PHONE.format("numbered.id")},
       {_HAS_PHONE.format("account.customer_id")}, {_HAS_PHONE.format("by_email.customer_id")}
FROM jsonb_to_recordset(%(told)s::jsonb) AS told (
    place integer, platform text, number text, external_id text, phone text, email text, account text
)
LEFT JOIN customers_order known ON known.number = told.number AND known.platform = told.platform
LEFT JOIN customers_customer owner ON owner.id = known.customer_id AND owner.merged_into_id IS NULL
LEFT JOIN customers_customer numbered
    ON numbered.external_id = told.external_id AND numbered.external_id <> '' AND numbered.erased_at IS NULL
LEFT JOIN customers_customeraccount account
    ON account.name = told.account AND account.platform = told.platform AND told.account <> ''
{_BY_ADDRESS.format(key="phone", channel="sms")}
{_BY_ADDRESS.format(key="email", channel="email")}
"""

# Somebody whom nothing that was told names; the caller has seen to it that no two rows share a key.
ADD = """
WITH told AS (
    SELECT told.*, coalesce(told.known_id, nextval('customers_customer_id_seq')) AS customer_id
    FROM jsonb_to_recordset(%(told)s::jsonb) AS told (
        place integer, known_id bigint, name text, city text, province text, platform text,
        external_id text, phone text, email text, account text
    )
), people AS (
    INSERT INTO customers_customer (id, name, gender, city, province, external_id, note, created_at, updated_at)
    SELECT customer_id, left(name, 60), '', left(city, 60), left(province, 60), external_id, '', %(now)s, %(now)s
    FROM told WHERE known_id IS NULL
), points AS (
    INSERT INTO customers_contactpoint (customer_id, channel, address, is_primary, created_at)
    SELECT told.customer_id, given.channel, given.address, NOT EXISTS (
               SELECT FROM customers_contactpoint main
               WHERE main.customer_id = told.customer_id AND main.channel = given.channel AND main.is_primary
           ), %(now)s
    FROM told CROSS JOIN LATERAL (VALUES ('sms', told.phone), ('email', told.email)) AS given (channel, address)
    WHERE given.address <> ''
), accounts AS (
    INSERT INTO customers_customeraccount (customer_id, platform, name, created_at)
    SELECT customer_id, platform, account, %(now)s FROM told WHERE account <> ''
    RETURNING id, platform, name
)
SELECT told.place, told.customer_id, accounts.id
FROM told LEFT JOIN accounts ON accounts.platform = told.platform AND accounts.name = told.account
"""
# The number in the shop's own system belongs to who has none yet, and is one person's.
NUMBER = """
UPDATE customers_customer customer SET external_id = told.external_id, updated_at = %(now)s
FROM (
    SELECT DISTINCT ON (customer_id) customer_id, external_id
    FROM (
        SELECT DISTINCT ON (external_id) external_id, customer_id
        FROM unnest(%(ids)s::bigint[], %(numbers)s::text[]) AS told (customer_id, external_id)
        ORDER BY external_id, customer_id
    ) one_each
    ORDER BY customer_id, external_id
) told
WHERE customer.id = told.customer_id AND customer.external_id = '' AND customer.erased_at IS NULL
  AND NOT EXISTS (SELECT FROM customers_customer other WHERE other.external_id = told.external_id)
"""
PLAN = """
INSERT INTO planned_order (
    first_number, order_id, platform, order_number, buyer_name, phone, email, receiver_name, province, city
)
SELECT place, place, platform, number, account, phone, email, left(name, 60), left(province, 60), left(city, 60)
FROM jsonb_to_recordset(%(told)s::jsonb) AS told (
    place integer, platform text, number text, account text, phone text, email text,
    name text, province text, city text
)
"""
ACCOUNTS = """
INSERT INTO file_account (platform, name, phone)
SELECT DISTINCT ON (platform, buyer_name) platform, buyer_name, phone
FROM planned_order WHERE buyer_name <> '' AND phone <> '' ORDER BY platform, buyer_name, first_number
"""


class Found(NamedTuple):
    """What is known by the keys of one order; `is_erased` is told of the one who owns the order already."""

    order_id: int | None
    owner_id: int | None
    is_erased: bool
    numbered_id: int | None
    phone_id: int | None
    account_id: int | None
    account_owner_id: int | None
    email_id: int | None
    owner_has_phone: bool
    numbered_has_phone: bool
    account_has_phone: bool
    email_has_phone: bool


@dataclass(frozen=True)
class Buyer:
    """
    Whose an order is: somebody known, somebody to be added, or nobody.

    `adds` are the keys that are written down for them. `is_settled` is False for what the tables of a file decide.
    """

    customer_id: int | None = None
    account_id: int | None = None
    adds: Keys = NO_KEYS
    is_new: bool = False
    is_erased: bool = False
    is_settled: bool = True
    has_order: bool = True

    @property
    def writes(self) -> bool:
        """Whether anything is written about the buyer."""
        return self.is_new or bool(self.adds) or not self.is_settled


UNSETTLED = Buyer(is_settled=False)


def look(facts: Mapping[int, OrderFacts], keys: Mapping[int, Keys]) -> dict[int, Buyer]:
    """Whose the orders at these places are, as far as one question tells."""
    told = [
        {"place": place, "platform": fact.platform, "number": fact.number} | vars(keys[place])
        for place, fact in facts.items()
    ]
    buyers = {}
    for place, *columns in prepared.rows(LOOK, {"told": json.dumps(told)}):
        found = Found(*columns)
        buyers[place] = replace(_buyer(keys[place], found), has_order=found.order_id is not None)
    return buyers


def _buyer(keys: Keys, found: Found) -> Buyer:
    if found.is_erased:
        return Buyer(found.owner_id, is_erased=True)
    if found.owner_id:
        return _of_known(keys, found, found.owner_id, has_phone=found.owner_has_phone)
    if found.numbered_id:
        return _of_known(keys, found, found.numbered_id, has_phone=found.numbered_has_phone)
    if keys.phone:
        return _by_phone(keys, found)
    if found.account_owner_id or found.email_id:
        return _of_known(keys, found, found.account_owner_id or found.email_id, has_phone=False)
    return Buyer(adds=keys, is_new=True) if keys else Buyer()


def _of_known(keys: Keys, found: Found, customer_id: int | None, *, has_phone: bool) -> Buyer:
    """Somebody who is known gets what was not known of them, and is nobody's yet."""
    if keys.phone and not has_phone and found.account_owner_id == customer_id:
        return UNSETTLED
    adds = Keys(
        external_id="" if found.numbered_id else keys.external_id,
        phone="" if has_phone or found.phone_id else keys.phone,
        email="",
        account="" if found.account_id else keys.account,
    )
    return Buyer(customer_id, found.account_id, adds)


def _by_phone(keys: Keys, found: Found) -> Buyer:
    """Who has the phone is who ordered; a number that is nobody's makes somebody known, or goes to who has none."""
    is_of_other = found.account_owner_id and found.account_owner_id != found.phone_id
    if is_of_other and not found.account_has_phone:
        return UNSETTLED
    if found.phone_id:
        return _of_known(keys, found, found.phone_id, has_phone=True)
    if found.email_id and not found.email_has_phone:
        return UNSETTLED
    adds = replace(keys, email="" if found.email_id else keys.email, account="" if found.account_id else keys.account)
    return Buyer(account_id=found.account_id, adds=adds, is_new=True)


def settle(
    cursor: CursorWrapper,
    facts: Mapping[int, OrderFacts],
    keys: Mapping[int, Keys],
    buyers: dict[int, Buyer],
    *,
    now: datetime,
) -> dict[int, Buyer]:
    """Write down whom these orders make known; the caller holds whatever keeps others from doing so too."""
    writing = [place for place, buyer in buyers.items() if buyer.writes]
    if len(writing) == 1 and buyers[writing[0]].is_settled:
        return buyers | _add(cursor, facts, buyers, writing, now=now)
    if not writing:
        return buyers
    if known := _without_shared_keys(buyers, [place for place in writing if buyers[place].customer_id]):
        _add(cursor, facts, buyers, known, now=now)
        buyers = look(facts, keys)
    of_file = [
        place
        for place, buyer in buyers.items()
        if (buyer.is_new or not buyer.is_settled) and (keys[place].phone or keys[place].email or keys[place].account)
    ]
    if of_file:
        _through_tables(cursor, facts, keys, of_file, now=now)
        buyers = look(facts, keys)
        _number(cursor, buyers, now=now)
        buyers = look(facts, keys)
    if new := _without_shared_keys(buyers, [place for place, buyer in buyers.items() if buyer.is_new]):
        _add(cursor, facts, buyers, new, now=now)
        buyers = look(facts, keys)
    return buyers


def _without_shared_keys(buyers: Mapping[int, Buyer], places: Sequence[int]) -> list[int]:
    """The first of those who would be known by the same thing."""
    seen: set[tuple[str, str]] = set()
    chosen = []
    for place in places:
        named = {(name, value) for name, value in vars(buyers[place].adds).items() if value}
        if named and not named & seen:
            chosen.append(place)
            seen |= named
    return chosen


def _told(place: int, fact: OrderFacts, keys: Keys) -> dict[str, Any]:
    # Without a name of a receiver, an account is known by the name it has at its platform.
    name = fact.receiver_name.strip() or ("" if keys.phone or keys.email else keys.account)
    region = {"city": fact.city.strip(), "province": fact.province.strip()}
    return {"place": place, "platform": fact.platform, "number": fact.number, "name": name} | region | vars(keys)


def _add(
    cursor: CursorWrapper,
    facts: Mapping[int, OrderFacts],
    buyers: Mapping[int, Buyer],
    places: Sequence[int],
    *,
    now: datetime,
) -> dict[int, Buyer]:
    told = []
    for place in places:
        buyer = buyers[place]
        told.append(_told(place, facts[place], buyer.adds) | {"known_id": buyer.customer_id})
    rows = prepared.rows(ADD, {"told": json.dumps(told).replace("\\u0000", ""), "now": now})
    added = {
        place: Buyer(customer_id, account_id or buyers[place].account_id) for place, customer_id, account_id in rows
    }
    known = {place: buyers[place] for place in places if buyers[place].customer_id}
    _number(cursor, known, now=now)
    return added


def _number(cursor: CursorWrapper, buyers: Mapping[int, Buyer], *, now: datetime) -> None:
    """Give customers the number that they have in the shop's own system."""
    told = [
        (buyer.customer_id, buyer.adds.external_id)
        for buyer in buyers.values()
        if buyer.customer_id and buyer.adds.external_id
    ]
    if told:
        ids, numbers = zip(*told, strict=True)
        cursor.execute(NUMBER, {"ids": list(ids), "numbers": list(numbers), "now": now})


def _through_tables(
    cursor: CursorWrapper,
    facts: Mapping[int, OrderFacts],
    keys: Mapping[int, Keys],
    places: Sequence[int],
    *,
    now: datetime,
) -> None:
    """Let the rules for files decide: numbers that somebody gets, and customers who turn out to be one."""
    order_plan.prepare(cursor)
    told = [_told(place, facts[place], keys[place]) for place in places]
    cursor.execute(PLAN, {"told": json.dumps(told).replace("\\u0000", "")})
    cursor.execute(ACCOUNTS)
    order_people.plan(cursor)
    order_people.write(cursor, now=now)
    order_plan.forget(cursor)
