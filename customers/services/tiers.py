"""Tiers: computed from what customers spent and how often they ordered, where nobody gave them by hand."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Max, Min, Q
from django.utils.translation import gettext as _

from customers.choices import OrderStatus
from customers.models import Customer, Tier

# Paid for, and not taken back as a whole; what was refunded in part is subtracted.
COUNTED = (
    OrderStatus.PAID,
    OrderStatus.SHIPPED,
    OrderStatus.OUT_FOR_DELIVERY,
    OrderStatus.DELIVERED,
    OrderStatus.COMPLETED,
    OrderStatus.AFTER_SALE,
)
# A statement for so many: a million customers cost 40 MB at most, and no row is locked for longer than a second.
CUSTOMERS_AT_ONCE = 50_000
HAS_THRESHOLD = Q(minimum_spending__isnull=False) | Q(minimum_orders__isnull=False)

# Which tier everybody in a range of numbers should be on, as far as it is ours to say: who was given one by hand, or
# is on one without thresholds, is left out. A tier that asks for nothing is reached by everybody, orders or not.
# Foreign money is not added to yuan: such an order counts as an order alone.
WANTED = """
WITH computed AS MATERIALIZED (
    SELECT id, rank, minimum_spending, minimum_orders,
           %(now)s::timestamptz - within_days * interval '1 day' AS since
    FROM customers_tier WHERE minimum_spending IS NOT NULL OR minimum_orders IS NOT NULL
), everybodys AS MATERIALIZED (
    SELECT id, rank FROM computed WHERE minimum_spending <= 0 OR minimum_orders <= 0
    ORDER BY rank DESC, id LIMIT 1
), counted AS MATERIALIZED (
    SELECT orders.customer_id, coalesce(orders.ordered_at, orders.paid_at, orders.recorded_at) AS happened_at,
           CASE WHEN orders.currency <> 'CNY' THEN 0
               ELSE greatest(coalesce(orders.paid, orders.total, 0) - coalesce(orders.refund, 0), 0) END AS spent
    FROM customers_order orders
    WHERE orders.customer_id BETWEEN %(first)s AND %(last)s AND orders.status = ANY(%(statuses)s)
      AND NOT orders.is_deleted
), reached AS (
    SELECT DISTINCT ON (counted.customer_id) counted.customer_id, computed.id
    FROM counted JOIN computed ON counted.happened_at >= computed.since AND counted.happened_at <= %(now)s
    WHERE NOT EXISTS (SELECT FROM everybodys WHERE everybodys.rank >= computed.rank)
    GROUP BY counted.customer_id, computed.id, computed.rank, computed.minimum_spending, computed.minimum_orders
    HAVING sum(counted.spent) >= computed.minimum_spending OR count(*) >= computed.minimum_orders
    ORDER BY counted.customer_id, computed.rank DESC, computed.id
), wanted AS (
    SELECT customer.id, customer.tier_id AS present,
           coalesce(reached.id, (SELECT everybodys.id FROM everybodys)) AS tier_id
    FROM customers_customer customer LEFT JOIN reached ON reached.customer_id = customer.id
    WHERE customer.id BETWEEN %(first)s AND %(last)s AND NOT customer.has_own_tier AND customer.erased_at IS NULL
      AND (customer.tier_id IS NULL OR customer.tier_id IN (SELECT computed.id FROM computed))
)
"""
# Locked in the order of everybody else; PostgreSQL looks again at a row for which it had to wait. The moment of the
# last change stays: nobody changed the customer by hand, and an undo asks for that.
MOVE = f"""{WANTED}, held AS MATERIALIZED (
    SELECT customer.id, wanted.tier_id
    FROM wanted JOIN customers_customer customer ON customer.id = wanted.id
    WHERE wanted.tier_id IS DISTINCT FROM wanted.present AND NOT customer.has_own_tier
      AND customer.tier_id IS NOT DISTINCT FROM wanted.present
    ORDER BY customer.id FOR UPDATE OF customer
), moved AS (
    UPDATE customers_customer customer SET tier_id = held.tier_id FROM held WHERE customer.id = held.id
    RETURNING customer.tier_id
)
SELECT tier_id, count(*) FROM moved GROUP BY tier_id
"""
FORESEE = f"{WANTED} SELECT present, tier_id, count(*) FROM wanted GROUP BY present, tier_id"


class CannotOffer(Exception):
    """Starter tiers that are not made; the text is a sentence for staff."""


@dataclass(frozen=True)
class Move:
    """How many customers go from one tier to another; None is no tier."""

    before: Tier | None
    after: Tier | None
    count: int


@dataclass(frozen=True)
class Forecast:
    """What computing would do: whom it looks at, who stays, and who moves where."""

    customers: int = 0
    by_hand: int = 0
    moves: list[Move] = field(default_factory=list)

    @property
    def moving(self) -> int:
        """How many customers change their tier."""
        return sum(move.count for move in self.moves)


def recompute(*, now: datetime, only: Customer | None = None) -> Counter:
    """
    Put every customer without a tier given by hand on the highest tier they reach; answers how many moved to each.

    Tiers with a threshold are computed. Those without are given by staff alone: nobody is put on one or taken off it.
    Who reaches none any more falls to the next, or to none. The keys are the tiers' ids, None for no tier.
    """
    moved: Counter = Counter()
    for first, last in [(only.pk, only.pk)] if only else _ranges():
        with transaction.atomic(), connection.cursor() as cursor:
            # A tier that is deleted meanwhile is deleted after this part, with its new members.
            cursor.execute("SELECT id FROM customers_tier ORDER BY id FOR KEY SHARE")
            cursor.execute(MOVE, _values(first, last, now))
            moved.update(dict(cursor.fetchall()))
    return moved


def foresee(*, now: datetime) -> Forecast:
    """Count what computing would do now; changes nothing."""
    found: Counter = Counter()
    with connection.cursor() as cursor:
        for first, last in _ranges():
            cursor.execute(FORESEE, _values(first, last, now))
            for present, wanted, count in cursor.fetchall():
                found[present, wanted] += count
    tiers = {tier.pk: tier for tier in Tier.objects.all()}
    moves = [
        Move(tiers.get(present), tiers.get(wanted), count)
        for (present, wanted), count in found.items()
        if present != wanted
    ]
    moves.sort(key=lambda move: (-_height(move.after), -_height(move.before)))
    everybody = Customer.objects.present().count()
    return Forecast(customers=sum(found.values()), by_hand=everybody - sum(found.values()), moves=moves)


def computed() -> bool:
    """Whether any tier has a threshold, so that there is something to compute."""
    return Tier.objects.filter(HAS_THRESHOLD).exists()


@transaction.atomic
def offer_starters() -> list[Tier]:
    """Make the three tiers that most shops begin with, in the reader's language. Raises CannotOffer if any exists."""
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE customers_tier IN SHARE ROW EXCLUSIVE MODE")
    if Tier.objects.exists():
        raise CannotOffer(_("There are tiers already. Give them thresholds instead."))
    return Tier.objects.bulk_create(
        [
            Tier(name=_("New customer"), rank=10, minimum_orders=1, within_days=365),
            Tier(name=_("Regular customer"), rank=20, minimum_orders=3, minimum_spending=1000, within_days=365),
            Tier(
                name=_("VIP customer"), rank=30, minimum_orders=12, minimum_spending=5000, within_days=365, is_vip=True
            ),
        ]
    )


def _ranges() -> Iterator[tuple[int, int]]:
    """The numbers of all customers, in parts."""
    ends = Customer.objects.aggregate(first=Min("pk"), last=Max("pk"))
    if ends["first"] is None:
        return
    for first in range(ends["first"], ends["last"] + 1, CUSTOMERS_AT_ONCE):
        yield first, min(first + CUSTOMERS_AT_ONCE - 1, ends["last"])


def _values(first: int, last: int, now: datetime) -> dict[str, object]:
    return {"first": first, "last": last, "now": now, "statuses": [status.value for status in COUNTED]}


def _height(tier: Tier | None) -> int:
    return -1 if tier is None else tier.rank
