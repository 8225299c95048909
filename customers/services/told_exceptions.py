"""What went wrong with orders, as the shop's own system tells of it, many at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from customers.models import Order
from customers.services import order_exceptions
from customers.services.order_facts import CannotRecord


@dataclass(frozen=True)
class ExceptionFacts:
    """Something that went wrong with an order, or is settled again."""

    platform: str
    number: str
    kind: str
    note: str = ""
    happened_at: datetime | None = None
    is_resolved: bool = False


@transaction.atomic
def record_each(facts: Sequence[ExceptionFacts], *, now: datetime) -> list[str]:
    """
    Write down or settle each; answers created, updated (settled) or unchanged.

    What goes wrong is rare: each is a call of its own. Raises CannotRecord for an order that is not known.
    """
    known: dict[tuple[str, str], Order] = {}
    # Held in the order of their ids, as everybody does who holds several.
    numbers = {fact.number for fact in facts}
    for order in Order.objects.select_for_update().filter(number__in=numbers).order_by("id"):
        known[order.platform, order.number] = order
    outcomes = []
    for place, fact in enumerate(facts):
        order = known.get((fact.platform, fact.number))
        if order is None:
            raise CannotRecord(_("There is no such order yet. Send the order first."), place=place, field="number")
        outcomes.append(_record(order, fact, now=now))
    return outcomes


def _record(order: Order, fact: ExceptionFacts, *, now: datetime) -> str:
    if fact.is_resolved:
        settled = order_exceptions.resolve(order, fact.kind, happened_at=fact.happened_at, now=now)
        return "updated" if settled else "unchanged"
    raised = order_exceptions.raise_exception(order, fact.kind, note=fact.note, happened_at=fact.happened_at, now=now)
    return "created" if raised else "unchanged"
