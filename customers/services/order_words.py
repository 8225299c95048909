"""Teaches what a platform's word for a status means; the orders that waited for it follow."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.db.models import Count

from customers.choices import OrderStatus, Platform
from customers.models import Order, OrderStatusWord
from customers.services import order_import
from customers.services.order_merge import STATUS_AT
from customers.spreadsheets.order_statuses import Words, normal

# Their parts have statuses of their own: what one word makes of an order of several parts, the next file tells.
WITH_PARTS = (Platform.DOUYIN,)
LISTED_WORDS = 50

RETOLD = f"""
WITH held AS MATERIALIZED (
    SELECT id FROM customers_order known
    WHERE status = '' AND platform = %(platform)s AND platform_status = %(text)s AND after_sale_status = %(case)s
      AND NOT (platform = ANY(%(parted)s) AND EXISTS (
          SELECT FROM customers_orderline line WHERE line.order_id = known.id OFFSET 1))
    ORDER BY id FOR UPDATE
), changed AS (
    UPDATE customers_order known SET status = %(status)s, updated_at = %(now)s, is_locked = %(locked)s,
        is_deleted = %(deleted)s
    FROM held WHERE known.id = held.id AND known.status = ''
    RETURNING known.*
), dated AS (
    SELECT changed.id, {STATUS_AT.format("changed")} AS at FROM changed
), told AS (
    INSERT INTO customers_orderchange (
        order_id, from_status, to_status, before, after, happened_at, recorded_at, actor_id
    )
    SELECT dated.id, '', %(status)s, '{{"status": ""}}', jsonb_build_object('status', %(status)s::text), dated.at,
           hongyan_now(), %(actor)s
    FROM dated
)
SELECT id, at FROM dated
"""
DATED = """
UPDATE customers_order known SET status_at = dated.at
FROM unnest(%(ids)s::bigint[], %(ats)s::timestamptz[]) AS dated (id, at) WHERE known.id = dated.id
"""


class UnknownWord(NamedTuple):
    """A word that is not understood, and how many orders wait for it."""

    platform: str
    text: str
    orders: int

    @property
    def platform_label(self) -> str:
        """Where the word is used."""
        return str(Platform(self.platform).label)


def unknown_words() -> list[UnknownWord]:
    """The words that are not understood, the most frequent first."""
    waiting = Order.objects.filter(status=OrderStatus.UNKNOWN).values_list(
        "platform", "platform_status", "after_sale_status"
    )
    known = order_import.words()
    found: dict[tuple[str, str], int] = {}
    for platform, text, case, count in waiting.annotate(count=Count("id")).order_by("-count")[: LISTED_WORDS * 2]:
        for word in _not_understood(known, platform, text, case):
            found[platform, word] = found.get((platform, word), 0) + count
    ranked = sorted(found.items(), key=lambda item: -item[1])
    return [UnknownWord(*key, count) for key, count in ranked[:LISTED_WORDS]]


@transaction.atomic
def teach(word: OrderStatusWord, *, by: AbstractBaseUser, now: datetime) -> int:
    """Store what a word means, and give their status to the orders that can be read now; returns how many."""
    word.text = normal(word.text)
    word.updated_at = now
    word.save()
    known = order_import.words()
    waiting = Order.objects.filter(status=OrderStatus.UNKNOWN, platform=word.platform)
    told = 0
    for text, case in waiting.values_list("platform_status", "after_sale_status").distinct():
        told += _retell(known, word.platform, text, case, by=by, now=now)
    return told


def _retell(known: Words, platform: str, text: str, case: str, *, by: AbstractBaseUser, now: datetime) -> int:
    reading = known.read(
        platform, *_columns(platform, text)[:1], after_sale=case, fulfillment=_columns(platform, text)[1]
    )
    if not reading.status or reading.unknown:
        return 0
    values = {"platform": platform, "text": text, "case": case, "parted": list(WITH_PARTS), "actor": by.pk, "now": now}
    values |= {"status": reading.status, "locked": reading.is_locked, "deleted": reading.is_deleted}
    with connection.cursor() as cursor:
        cursor.execute(RETOLD, values)
        rows: Sequence[tuple] = cursor.fetchall()
        if rows:
            cursor.execute(DATED, {"ids": [row[0] for row in rows], "ats": [row[1] for row in rows]})
    return len(rows)


def _not_understood(known: Words, platform: str, text: str, case: str) -> list[str]:
    """The words of an order that keep it from being understood."""
    status, beside = _columns(platform, text)
    found = known.read(platform, status, after_sale=case, fulfillment=beside).unknown
    return [found] if found else []


def _columns(platform: str, text: str) -> tuple[str, str]:
    """The words of two columns, which are kept in one."""
    status, _divider, beside = text.partition(" / ")
    return (status, beside) if platform in (Platform.SHOPIFY, Platform.WEIDIAN) else (text, "")
