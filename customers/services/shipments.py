"""Records what carriers tell of parcels, and moves the orders that they carry."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils.translation import gettext_lazy as _

from customers.choices import OrderStatus, Platform, ShipmentStatus
from customers.services import orders
from customers.services.order_facts import AT_ONCE, CannotRecord, OrderFacts

LONGEST_NUMBER = 100
# Only of orders that are on their way: a carrier does not end an after-sale case, nor what nobody understands.
MOVED = (OrderStatus.UNPAID, OrderStatus.PAID, OrderStatus.SHIPPED, OrderStatus.OUT_FOR_DELIVERY)

# A number alone may be that of several orders which travel together.
FIND = """
SELECT told.place, known.id
FROM jsonb_to_recordset(%(told)s::jsonb) AS told (place integer, platform text, order_number text, number text)
CROSS JOIN LATERAL (
    SELECT id FROM customers_order
    WHERE told.order_number <> '' AND customers_order.number = told.order_number
      AND customers_order.platform = told.platform
    UNION
    SELECT order_id FROM customers_shipment parcel WHERE told.order_number = '' AND parcel.number = told.number
) known
ORDER BY 1, 2
"""
HOLD = "SELECT id FROM customers_order WHERE id = ANY(%(orders)s) ORDER BY id FOR UPDATE"
_TOLD = """FROM jsonb_to_recordset(%(told)s::jsonb) AS told (
    place integer, order_id bigint, number text, carrier text, status text, "text" text, "where" text,
    happened_at timestamptz
)"""
PARCELS = f"""
INSERT INTO customers_shipment AS known (
    order_id, carrier, number, status, shipped_at, moved_at, recorded_at, updated_at
)
SELECT told.order_id, max(told.carrier), told.number, 'shipped', min(told.happened_at), min(told.happened_at),
       %(moment)s, %(moment)s
{_TOLD} JOIN customers_order still ON still.id = told.order_id
GROUP BY told.order_id, told.number ORDER BY told.order_id, told.number
ON CONFLICT (order_id, number) DO UPDATE SET carrier = coalesce(nullif(known.carrier, ''), excluded.carrier)
RETURNING id, order_id, number, xmax = 0
"""
NEWS = f"""
INSERT INTO customers_shipmentevent (shipment_id, status, "text", place, happened_at, recorded_at)
SELECT DISTINCT ON (parcel.id, told.happened_at, told.status, told."text")
       parcel.id, told.status, told."text", told."where", told.happened_at, %(moment)s
{_TOLD} JOIN customers_shipment parcel ON parcel.order_id = told.order_id AND parcel.number = told.number
WHERE told.status <> '' OR told."text" <> ''
ORDER BY parcel.id, told.happened_at, told.status, told."text", told.place
ON CONFLICT (shipment_id, happened_at, status, "text") DO NOTHING
RETURNING shipment_id, status, "text", happened_at
"""
# The newest news that says where a parcel is decides, unless the shop itself knows of its arrival later than that.
SETTLE = """
UPDATE customers_shipment parcel SET
    status = CASE WHEN place.happened_at < parcel.delivered_at THEN parcel.status
        ELSE coalesce(place.status, parcel.status) END,
    shipped_at = least(parcel.shipped_at, news.first_at),
    delivered_at = CASE WHEN place.status = 'delivered' AND parcel.delivered_at IS NULL THEN place.happened_at
        WHEN place.status <> 'delivered' AND place.happened_at >= parcel.delivered_at THEN NULL
        ELSE parcel.delivered_at END,
    moved_at = greatest(parcel.moved_at, news.last_at), updated_at = %(moment)s
FROM (
    SELECT shipment_id, min(happened_at) AS first_at, max(happened_at) AS last_at
    FROM customers_shipmentevent WHERE shipment_id = ANY(%(parcels)s) GROUP BY shipment_id
) news
LEFT JOIN LATERAL (
    SELECT told.status, told.happened_at FROM customers_shipmentevent told
    WHERE told.shipment_id = news.shipment_id AND told.status <> ''
    ORDER BY told.happened_at DESC, told.id DESC LIMIT 1
) place ON true
WHERE parcel.id = news.shipment_id
"""
# An order has arrived when all its parcels have.
ORDERS = """
SELECT known.platform, known.number, CASE
           WHEN bool_and(parcel.status = 'delivered') THEN 'delivered'
           WHEN bool_or(parcel.status = 'out_for_delivery') THEN 'out_for_delivery' ELSE 'shipped' END,
       max(parcel.delivered_at), max(parcel.moved_at),
       known.tracking_number = '' AND known.carrier = '', min(parcel.carrier), min(parcel.number)
FROM customers_order known JOIN customers_shipment parcel ON parcel.order_id = known.id
WHERE known.id = ANY(%(orders)s) AND known.status = ANY(%(statuses)s)
GROUP BY known.id
HAVING bool_or(parcel.status IN ('shipped', 'in_transit', 'out_for_delivery', 'delivered'))
ORDER BY known.id
"""


@dataclass(frozen=True)
class ShipmentFacts:
    """
    One thing that is told of a parcel; told twice it is told once.

    The order is named by `platform` and `order_number`; without them the parcel is found by its number. `status` ""
    is news that does not say where the parcel is. Without `happened_at` it happened now; without status and text the
    parcel itself is all that is told.
    """

    number: str
    platform: str = ""
    order_number: str = ""
    carrier: str = ""
    status: str = ""
    text: str = ""
    place: str = ""
    happened_at: datetime | None = None


def record(facts: Sequence[ShipmentFacts], *, now: datetime) -> Counter[str]:
    """
    Record at most 500 news of parcels; counts created, updated, unchanged, and unknown (of no order that is known).

    Raises CannotRecord, and records nothing, for facts that cannot be stored.
    """
    return Counter(record_each(facts, now=now))


@transaction.atomic
def record_each(facts: Sequence[ShipmentFacts], *, now: datetime) -> list[str]:
    """Record as `record` does, and answer what became of each."""
    _check(facts)
    outcomes = ["unknown"] * len(facts)
    with connection.cursor() as cursor:
        told = _find(cursor, [_row(place, fact, now=now) for place, fact in enumerate(facts)])
        if not told:
            return outcomes
        order_ids = sorted({row["order_id"] for row in told})
        cursor.execute(HOLD, {"orders": order_ids})
        # Taken while the orders are held, as their history is.
        cursor.execute("SELECT hongyan_now()")
        values = {"told": json.dumps(told), "moment": cursor.fetchone()[0]}
        cursor.execute(PARCELS, values)
        parcels = {(order_id, number): (pk, is_new) for pk, order_id, number, is_new in cursor.fetchall()}
        cursor.execute(NEWS, values)
        news = set(cursor.fetchall())
        cursor.execute(SETTLE, values | {"parcels": sorted({pk for pk, *_rest in news})})
        for row in told:
            if parcel := parcels.get((row["order_id"], row["number"])):
                _mark(outcomes, row, parcel, news)
        _move(cursor, {key[0] for key, (pk, is_new) in parcels.items() if is_new or _has_news(pk, news)}, now=now)
    return outcomes


def _has_news(parcel_id: int, news: Iterable[tuple]) -> bool:
    return any(told[0] == parcel_id for told in news)


def _mark(outcomes: list[str], row: dict[str, Any], parcel: tuple[int, bool], news: set[tuple]) -> None:
    parcel_id, is_new = parcel
    is_told = (parcel_id, row["status"], row["text"], datetime.fromisoformat(row["happened_at"])) in news
    found = "created" if is_new else "updated" if is_told else "unchanged"
    outcomes[row["place"]] = min(
        outcomes[row["place"]], found, key=("created", "updated", "unchanged", "unknown").index
    )


def _find(cursor: CursorWrapper, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with the orders that they are of; those of none are left out."""
    cursor.execute(FIND, {"told": json.dumps(rows)})
    return [rows[place] | {"order_id": order_id} for place, order_id in cursor.fetchall()]


def _move(cursor: CursorWrapper, order_ids: Iterable[int], *, now: datetime) -> None:
    """Tell the orders how far their parcels are."""
    cursor.execute(ORDERS, {"orders": sorted(order_ids), "statuses": [str(status) for status in MOVED]})
    facts = [
        OrderFacts(
            platform,
            number,
            status=status,
            happened_at=delivered_at if status == OrderStatus.DELIVERED else moved_at,
            carrier=carrier if is_bare else "",
            tracking_number=parcel_number if is_bare else "",
        )
        for platform, number, status, delivered_at, moved_at, is_bare, carrier, parcel_number in cursor.fetchall()
    ]
    if facts:
        orders.merge(dict(enumerate(facts)), {}, None, now=now)


def _check(facts: Sequence[ShipmentFacts]) -> None:
    if len(facts) > AT_ONCE:
        raise CannotRecord(_("Send at most %(count)s news of parcels at once.") % {"count": AT_ONCE})
    for place, fact in enumerate(facts):
        if not fact.number.strip() or len(fact.number) > LONGEST_NUMBER or "\0" in fact.number:
            sentence = _("The tracking number has to have 1 to %(count)s characters.") % {"count": LONGEST_NUMBER}
            raise CannotRecord(sentence, place=place, field="number")
        if fact.status and fact.status not in ShipmentStatus.values:
            sentence = _("This status of a parcel is not known. Use one of: %(statuses)s.")
            raise CannotRecord(sentence % {"statuses": ", ".join(ShipmentStatus.values)}, place=place, field="status")
        if fact.order_number and fact.platform not in Platform.values:
            sentence = _("This platform is not known. Use one of: %(places)s.")
            raise CannotRecord(sentence % {"places": ", ".join(Platform.values)}, place=place, field="platform")
        if fact.happened_at and fact.happened_at.tzinfo is None:
            sentence = _("The time needs a zone, such as 2026-05-31T14:30:00+08:00.")
            raise CannotRecord(sentence, place=place, field="happened_at")


def _row(place: int, fact: ShipmentFacts, *, now: datetime) -> dict[str, Any]:
    return {
        "place": place,
        "platform": fact.platform,
        "order_number": _clean(fact.order_number, 64),
        "number": _clean(fact.number, LONGEST_NUMBER),
        "carrier": _clean(fact.carrier, 60),
        "status": fact.status,
        "text": _clean(fact.text, 200),
        "where": _clean(fact.place, 60),
        "happened_at": (fact.happened_at or now).isoformat(),
    }


def _clean(text: str, longest: int) -> str:
    return text.replace("\0", "").strip()[:longest]
