"""Writes down what went wrong with an order, and that it is settled."""

from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from customers import clock
from customers.choices import OrderExceptionKind
from customers.models import Order, OrderException

LONGEST_NOTE = 100
# What is told again is an event that stands already, or one that was settled since it happened.
RAISE = """
INSERT INTO customers_orderexception (order_id, kind, note, happened_at, recorded_at, actor_id)
SELECT %(order)s, %(kind)s, %(note)s, %(happened_at)s::timestamptz, hongyan_now(), %(by)s
WHERE NOT EXISTS (
    SELECT FROM customers_orderexception told
    WHERE told.order_id = %(order)s AND told.kind = %(kind)s AND told.happened_at >= %(happened_at)s
)
ON CONFLICT (order_id, kind) WHERE resolved_at IS NULL DO NOTHING
RETURNING id
"""


class CannotRaise(Exception):
    """Something that is not written down; the text is a sentence for staff."""


@transaction.atomic
def raise_exception(
    order: Order,
    kind: str,
    *,
    note: str = "",
    happened_at: datetime | None = None,
    by: AbstractBaseUser | None = None,
    now: datetime,
) -> OrderException | None:
    """
    Write down that something went wrong with an order; None where that is known already, or was settled since.

    `note` is the reason in words that the customer may read. Without `happened_at` it happened now.
    Raises CannotRaise for a kind that is not known, or an order that is gone.
    """
    if kind not in OrderExceptionKind.values:
        kinds = ", ".join(OrderExceptionKind.values)
        raise CannotRaise(
            _("This is nothing that can go wrong with an order. Use one of: %(kinds)s.") % {"kinds": kinds}
        )
    _hold(order)
    note = note.replace("\0", "").strip()[:LONGEST_NOTE]
    told = {
        "order": order.pk,
        "kind": kind,
        "note": note,
        "happened_at": happened_at or now,
        "by": by.pk if by else None,
    }
    with connection.cursor() as cursor:
        cursor.execute(RAISE, told)
        raised = cursor.fetchone()
    return OrderException.objects.get(pk=raised[0]) if raised else None


@transaction.atomic
def resolve(order: Order, kind: str = "", *, happened_at: datetime | None = None, now: datetime) -> int:
    """
    Settle what went wrong with an order, of one kind or all; answers how many stood.

    With `happened_at`, what went wrong later than that stands. Nobody speaks of it any more from then on: whoever is
    about to holds the order.
    """
    _hold(order)
    standing = OrderException.objects.filter(order=order)
    if kind:
        standing = standing.filter(kind=kind)
    if happened_at:
        standing = standing.filter(happened_at__lte=happened_at)
    return standing.resolve(clock.now())


def _hold(order: Order) -> None:
    """Who is sending a message about the order is let finish first."""
    if not Order.objects.select_for_update().filter(pk=order.pk).values("pk").first():
        raise CannotRaise(_("This order is not there any more; the import that brought it was taken back."))
