"""What was said between the shop and a customer, in the order of time: our messages and their replies."""

from collections.abc import Sequence

from django.db.models import Q
from django.http import HttpRequest

from customers.models import ContactPoint
from notifications.admin import reply as reply_admin
from notifications.admin import states
from notifications.models import Delivery, Reply

SHOWN_AT_MOST = 100


def with_replies(
    entries: Sequence[dict], request: HttpRequest, customer_id: int, *, newest: Delivery | None, is_last: bool
) -> list[dict]:
    """
    The entries of a page of deliveries, with the replies that lie between them, newest first.

    A page reaches from `newest`, the delivery above it, down to its own last one, and to the first
    reply ever where it is the last page.
    """
    if not request.user.has_perm("notifications.view_reply"):
        return list(entries)
    numbers = ContactPoint.objects.filter(customer=customer_id).values("address")
    heard = Reply.objects.filter(Q(number__in=numbers) | Q(customer=customer_id)).exclude(number="")
    if newest is not None:
        heard = heard.filter(said_at__lt=moment_of(newest))
    if entries and not is_last:
        heard = heard.filter(said_at__gte=moment_of(entries[-1]["delivery"]))
    rows = heard.select_related("handled_by", "account").order_by("-said_at")[:SHOWN_AT_MOST]
    said = [(row.said_at, _entry(row, request)) for row in rows]
    told = [(moment_of(entry["delivery"]), entry) for entry in entries]
    return [entry for _moment, entry in sorted(said + told, key=lambda pair: pair[0], reverse=True)]


def moment_of(delivery: Delivery):
    """When a delivery took its place in the conversation."""
    return delivery.sent_at or delivery.finished_at or delivery.created_at


def _entry(reply: Reply, request: HttpRequest) -> dict:
    """One reply as its row shows it."""
    return {
        "reply": reply,
        "words": states.shown_text(reply.text, user=request.user),
        "when": states.moment(reply.said_at),
        "meaning": reply_admin.meaning_pill(reply),
        "acts": reply_admin.acts(reply, request),
    }
