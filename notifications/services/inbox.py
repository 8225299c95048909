"""The inbox of a customer: what the shop's own site shows, and what was read or removed there."""

from collections.abc import Sequence
from datetime import datetime

from customers.models import Customer
from notifications.models import InboxItem

MOST_ITEMS = 100


def items(
    customer: Customer, *, unread_only: bool = False, after: int | None = None, limit: int = 20
) -> list[InboxItem]:
    """
    The newest items of an inbox that were not removed, at most 100.

    `after` is the id of the last item of the page before: what follows it is older. An erased customer has none.
    """
    if customer.erased_at is not None:
        return []
    found = InboxItem.objects.filter(customer=customer, hidden_at=None).order_by("-id")
    if unread_only:
        found = found.filter(read_at=None)
    if after is not None:
        found = found.filter(id__lt=after)
    return list(found[: max(0, min(limit, MOST_ITEMS))])


def unread_count(customer: Customer) -> int:
    """How many items of an inbox wait to be read."""
    return InboxItem.objects.filter(customer=customer, hidden_at=None, read_at=None).count()


def mark_read(customer: Customer, item_ids: Sequence[int], *, now: datetime) -> int:
    """Note that items were read; answers how many were not before. Items of somebody else stay as they are."""
    return InboxItem.objects.filter(customer=customer, id__in=item_ids, read_at=None, hidden_at=None).update(
        read_at=now
    )


def hide(customer: Customer, item_ids: Sequence[int], *, now: datetime) -> int:
    """Remove items from the inbox; answers how many were there. They stay as evidence of what was said."""
    return InboxItem.objects.filter(customer=customer, id__in=item_ids, hidden_at=None).update(hidden_at=now)


def blank_erased() -> int:
    """Blank what customers were told who were erased since; answers how many items."""
    erased = InboxItem.objects.filter(customer__erased_at__isnull=False).exclude(body="")
    return erased.update(subject="", body="")
