"""The page on which a person decides to send again what did not arrive."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.forms import Media
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from customers import clock, doorbell
from customers.choices import Purpose
from notifications import screening
from notifications.admin import states
from notifications.admin.filters import numbers
from notifications.choices import DeliveryStatus
from notifications.models import Delivery, Message
from notifications.services import resending

RESEND = "notifications.resend_delivery"
# What is chosen until somebody chooses otherwise: only those who certainly have nothing.
CERTAIN = (DeliveryStatus.UNDELIVERED, DeliveryStatus.FAILED)


@require_http_methods(["GET", "POST"])
def view(request: HttpRequest, admin: ModelAdmin) -> HttpResponse:
    """Show what sending again would do, or do it; `message=1,2` or `delivery=3` in the address says of what."""
    if not request.user.has_perm(RESEND):
        raise PermissionDenied
    found, delivery = _subject(request)
    statuses = _statuses(request, delivery)
    if request.method == "POST":
        return _send(request, admin, found, delivery, statuses)
    return _show(request, admin, found, delivery, statuses)


def address_of(**subject: str | int) -> str:
    """Where to decide about some messages or one delivery."""
    return f"{reverse('admin:notifications_delivery_resend')}?{urlencode(subject)}"


def _subject(request: HttpRequest) -> tuple[list[Message], Delivery | None]:
    """The messages in question, and the one delivery if it is about one. Raises 404."""
    if wanted := numbers(request.GET.get("delivery")):
        delivery = Delivery.objects.select_related("message").filter(pk=wanted[0]).first()
        if delivery is not None:
            return [delivery.message], delivery
    found = list(Message.objects.filter(pk__in=numbers(request.GET.get("message"))).order_by("pk"))
    if not found:
        raise Http404
    return found, None


def _statuses(request: HttpRequest, delivery: Delivery | None) -> list[str]:
    if delivery is not None:
        return [delivery.status]
    asked = request.POST if request.method == "POST" else request.GET
    if "chosen" in asked:
        return [status for status in resending.STATUSES if status in asked.getlist("state")]
    return list(CERTAIN)


def _show(
    request: HttpRequest, admin: ModelAdmin, found: list[Message], delivery: Delivery | None, statuses: list[str]
) -> HttpResponse:
    offer = resending.offer(found, statuses=statuses, delivery_id=delivery.pk if delivery else None, now=clock.now())
    title = _("Send again: %s") % found[0]
    context: dict[str, Any] = {
        **admin.admin_site.each_context(request),
        "title": title,
        "opts": Delivery._meta,
        "offer": offer,
        "delivery": delivery,
        "subjects": found,
        "choices": [
            (status, states.STATES[status], states.MEANINGS[status], offer.counts[status], status in statuses)
            for status in resending.STATUSES
        ],
        "steps": [(step, _remedy(step.code)) for step in offer.steps],
        "statuses": statuses,
        "may_send": not offer.obstacles and offer.will_send > 0,
        "media": Media(css={"all": ["hongyan/campaigns.css"]}),
        "question": {name: value for name, value in request.GET.items() if name in ("message", "delivery")},
        "address": f"{request.path}?{request.GET.urlencode()}",
        "back": _back(found, delivery),
    }
    return render(request, "admin/notifications/delivery/resend.html", context)


def _remedy(code: str) -> str:
    """What can be done for whom this would not reach; of the caps it has to be said what they count."""
    if code == screening.OVER_CAP.code:
        return _(
            "The first try counts for the frequency cap, also where it did not arrive: send again once the cap has "
            "room, or raise its limit."
        )
    return screening.REMEDIES.get(code, "")


def _send(
    request: HttpRequest, admin: ModelAdmin, found: list[Message], delivery: Delivery | None, statuses: list[str]
) -> HttpResponse:
    try:
        twins = resending.resend(
            found,
            statuses=statuses,
            delivery_id=delivery.pk if delivery else None,
            seen=next(iter(numbers(request.POST.get("seen"))), 0),
            by=request.user,
            now=clock.now(),
        )
    except resending.CannotResend as refusal:
        messages.error(request, str(refusal))
        return redirect(_back(found, delivery))
    people = sum(twin.deliveries.count() for twin in twins)
    for twin in twins:
        admin.log_change(
            request,
            twin.again_of,
            _("Sent again to %(count)s people as message %(number)s: %(states)s.")
            % {
                "count": f"{twin.deliveries.count():,}",
                "number": twin.pk,
                "states": ", ".join(str(states.STATES[status]) for status in statuses),
            },
        )
    is_rung = doorbell.ring("notifications.jobs.send_due", queue=Purpose(found[0].purpose).queue, names_queue=True)
    _say(request, people, is_rung=is_rung)
    return redirect("admin:notifications_message_change", twins[0].pk)


def _say(request: HttpRequest, people: int, *, is_rung: bool) -> None:
    planned = ngettext(
        "Planned again for %(count)s person. Below is what becomes of it.",
        "Planned again for %(count)s people. Below is what becomes of it.",
        people,
    ) % {"count": f"{people:,}"}
    messages.success(request, planned)
    if not is_rung:
        messages.warning(request, _("The queue does not answer, so sending will start a little later."))


def _back(found: list[Message], delivery: Delivery | None) -> str:
    if delivery is not None:
        return reverse("admin:notifications_delivery_change", args=[delivery.pk])
    return reverse("admin:notifications_message_change", args=[found[0].pk])
