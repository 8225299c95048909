"""Records what the shop's own system and its staff tell of orders: any order of arrival leads to the same."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from customers import clock
from customers.choices import OrderStatus, ShipmentStatus
from customers.models import Order, OrderChange
from customers.services import import_merge, order_buyers, order_events, order_facts, order_import, prepared, removals
from customers.services.order_buyers import Buyer
from customers.services.order_facts import Keys, OrderFacts
from customers.spreadsheets.order_statuses import Words

# Beyond so many, the keys of each order fill the lock table; a batch that brings somebody new counts as a file.
ONE_BY_ONE = 20


MOVING = (ShipmentStatus.SHIPPED, ShipmentStatus.IN_TRANSIT, ShipmentStatus.OUT_FOR_DELIVERY)
HOLD_KEYS = """
SELECT pg_try_advisory_xact_lock_shared(%(files)s::bigint), count(pg_advisory_xact_lock(key))
FROM unnest(%(keys)s::bigint[]) AS held (key)
"""


class CannotChange(Exception):
    """An order that stays as it is; the text is a sentence for staff."""


@dataclass(frozen=True)
class Recorded:
    """What became of one order that was told: created, updated or unchanged; and whose it is."""

    outcome: str
    order_id: int
    customer_id: int | None


def record(facts: Sequence[OrderFacts], *, by: AbstractBaseUser | None = None, now: datetime) -> Counter[str]:
    """
    Record what is told of at most 500 orders; counts created, updated and unchanged.

    Repeated events change nothing, and events that arrive in another order lead to the same. Raises CannotRecord, and
    records nothing, for facts that cannot be stored.
    """
    return Counter(recorded.outcome for recorded in record_each(facts, by=by, now=now))


@transaction.atomic
def change_status(order: Order, status: str, *, by: AbstractBaseUser, now: datetime) -> None:
    """
    Give an order the status that a person says it has, whatever was told before; files and events go on from there.

    Raises CannotChange when it has this status already, or has changed since it was looked at.
    """
    if status not in OrderStatus.values:
        raise CannotChange(_("Choose one of the statuses of the list."))
    held = Order.objects.select_for_update().filter(pk=order.pk).first()
    if held is None:
        raise CannotChange(_("This order is not there any more; the import that brought it was taken back."))
    if held.status != order.status:
        raise CannotChange(_("The order has changed since you opened the page. Look at it again."))
    if held.status == status:
        raise CannotChange(_("The order has this status already."))
    moment = clock.now()
    Order.objects.filter(pk=held.pk).update(
        status=status,
        status_at=now,
        is_locked=status == OrderStatus.LOCKED,
        as_of=max(filter(None, (held.as_of, now))),
        updated_at=moment,
    )
    OrderChange.objects.create(
        order=held,
        from_status=held.status,
        to_status=status,
        before={"status": held.status},
        after={"status": status},
        happened_at=now,
        recorded_at=moment,
        actor=by,
    )
    if status in (OrderStatus.DELIVERED, OrderStatus.COMPLETED):
        moving = held.shipments.filter(status__in=MOVING)
        moving.update(
            status=ShipmentStatus.DELIVERED, delivered_at=Coalesce("delivered_at", Value(now)), updated_at=moment
        )


@transaction.atomic
def record_each(facts: Sequence[OrderFacts], *, by: AbstractBaseUser | None = None, now: datetime) -> list[Recorded]:
    """Record as `record` does, and answer what became of each."""
    order_facts.check(facts)
    words = order_import.words() if any(map(order_facts.needs_words, facts)) else None
    keys = {place: order_facts.keys_of(fact) for place, fact in enumerate(facts)}
    found: dict[int, Recorded] = {}
    with connection.cursor() as cursor:
        _hold_off_others(cursor, facts, keys)
        for places in order_facts.rounds(facts):
            told = {place: facts[place] for place in places}
            buyers = order_buyers.settle(cursor, told, keys, order_buyers.look(told, keys), now=now)
            order_events.hold([fact.key for fact in told.values()])
            for merged in merge(told, buyers, words, by=by, now=now):
                found[merged.place] = Recorded(merged.outcome, merged.order_id, merged.customer_id)
    return [found[place] for place in range(len(facts))]


def merge(
    facts: Mapping[int, OrderFacts],
    buyers: Mapping[int, Buyer],
    words: Words | None,
    *,
    by: AbstractBaseUser | None = None,
    now: datetime,
) -> list[order_events.Merged]:
    """Merge facts about orders that the caller holds, none of them told twice."""
    rows: list[dict[str, Any]] = []
    lines: list[dict[str, Any]] = []
    for place, fact in facts.items():
        buyer = buyers.get(place, Buyer())
        row = order_facts.order_row(place, fact, words, now=now)
        row |= {"customer_id": buyer.customer_id, "account_id": buyer.account_id}
        if buyer.is_erased:
            row |= dict.fromkeys(("receiver_name", "province", "city", "note", "tracking_number"), "")
        rows.append(row)
        lines += order_facts.line_rows(place, fact)
    return order_events.merge(orders=json.dumps(rows), lines=json.dumps(lines), by_id=by.pk if by else None)


def _hold_off_others(cursor: CursorWrapper, facts: Sequence[OrderFacts], keys: Mapping[int, Keys]) -> None:
    """
    See to it that nobody else creates the same orders and customers.

    A chunk of a file holds its lock for seconds: events that bring nobody and nothing new do not wait for it. All
    this comes before any order is held, or two of us could wait for each other.
    """
    few = len(facts) <= ONE_BY_ONE
    if few and _hold_keys(facts, keys):
        return
    removals.hold_off()
    told = dict(enumerate(facts))
    if any(buyer.writes or not buyer.has_order for buyer in order_buyers.look(told, keys).values()):
        shared = "_shared" if few else ""
        cursor.execute(f"SELECT pg_advisory_xact_lock{shared}(%s)", [import_merge.ONE_FILE_AT_A_TIME])


def _hold_keys(facts: Sequence[OrderFacts], keys: Mapping[int, Keys]) -> bool:
    """Hold off events with the same keys; answers whether files are held off too."""
    names = set()
    for place, fact in enumerate(facts):
        names.add(f"order {fact.platform} {fact.number}")
        for name, key in vars(keys[place]).items():
            if key:
                names.add(f"{name} {fact.platform if name == 'account' else ''} {key}")
    values = {"files": import_merge.ONE_FILE_AT_A_TIME, "keys": sorted(map(_lock_of, names))}
    return prepared.rows(HOLD_KEYS, values)[0][0]


def _lock_of(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)
