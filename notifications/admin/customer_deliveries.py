"""Every message of one customer and every reply: sent, held with its release and rule, or refused with the reason."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString

from notifications import screening
from notifications.admin import conversation, sent_text, states
from notifications.models import Concern, Delivery, FrequencyCap, InboxItem

PER_PAGE = 20
INBOX_SHOWN = 20


def panel(request: HttpRequest, customer_id: int, *, is_allowed: bool) -> HttpResponse:
    """A fragment for htmx; `?before=<id>` continues below a delivery."""
    if not is_allowed:
        raise PermissionDenied
    rows = Delivery.objects.with_state().filter(customer_id=customer_id).order_by("-id")
    before = request.GET.get("before", "")
    newest = None
    if before.isascii() and before.isdigit() and len(before) < 19:
        newest = rows.filter(id=int(before)).first()
        rows = rows.filter(id__lt=int(before))
    found = list(rows.select_related("message", "customer", "submission", "hold")[: PER_PAGE + 1])
    rules = _rules(found)
    entries = [_entry(delivery, rules) for delivery in found[:PER_PAGE]]
    is_last = len(found) <= PER_PAGE
    context = {
        "entries": conversation.with_replies(entries, request, customer_id, newest=newest, is_last=is_last),
        "customer_id": customer_id,
        "next_before": None if is_last else found[PER_PAGE - 1].id,
        "is_first": not before,
        "inbox": [] if before else InboxItem.objects.filter(customer=customer_id).order_by("-id")[:INBOX_SHOWN],
    }
    return render(request, "admin/notifications/delivery/of_customer.html", context)


def about_order(request: HttpRequest, order_id: int, *, is_allowed: bool) -> HttpResponse:
    """A fragment for htmx: the newest messages that speak of an order, to whomever they went."""
    if not is_allowed:
        raise PermissionDenied
    concerned = Concern.objects.filter(order=order_id).values("delivery")
    rows = Delivery.objects.with_state().filter(id__in=concerned).order_by("-id")
    found = list(rows.select_related("message", "customer", "submission", "hold")[:PER_PAGE])
    rules = _rules(found)
    context = {"entries": [_entry(delivery, rules) for delivery in found]}
    return render(request, "admin/notifications/delivery/about_order.html", context)


def _rules(deliveries: list[Delivery]) -> dict[int, str]:
    """The names of the caps that hold any of these."""
    ids = {delivery.hold.rule_id for delivery in deliveries if hasattr(delivery, "hold")} - {None}
    return dict(FrequencyCap.objects.filter(id__in=ids).values_list("id", "name")) if ids else {}


def _entry(delivery: Delivery, rules: dict[int, str]) -> dict[str, object | SafeString]:
    """One delivery as its row shows it."""
    return {
        "delivery": delivery,
        "when": states.moment(delivery.sent_at or delivery.finished_at or delivery.created_at),
        "state": states.pill(states.state_of(delivery)),
        "explanation": states.explanation(delivery),
        "remedy": screening.REMEDIES.get(delivery.reason, ""),
        "rule": rules.get(delivery.hold.rule_id, "") if hasattr(delivery, "hold") else "",
        "text": sent_text.of(delivery),
    }
