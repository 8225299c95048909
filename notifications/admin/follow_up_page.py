"""The page of a call: the customer, the order, what was written and said, what to say, and what came of it."""

from datetime import timedelta

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import User
from django.forms import Media
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from customers import clock, doorbell
from customers.admin import audit, follow_up_card, order_card
from customers.choices import Channel, FollowUpOutcome, FollowUpReason, FollowUpStatus, Purpose
from customers.models import ContactPoint, Customer, FollowUp, Order, ShipmentEvent, Suppression
from customers.services import follow_ups
from customers.services.customers import CannotSave
from customers.services.follow_ups import NewFollowUp
from notifications.admin import follow_up_words, sent_text, states
from notifications.admin.filters import numbers
from notifications.admin.follow_up_forms import CallForm, FinishForm
from notifications.choices import ReplyHandling
from notifications.models import Reply
from notifications.services import corrected_numbers, replies

ORDERS_SHOWN = 3
PLANNED_FOR = timedelta(hours=4)


def show(request: HttpRequest, admin: ModelAdmin, follow_up: FollowUp, form: FinishForm | None = None) -> HttpResponse:
    """Everything about one call; with a form that was filled in wrongly, what is wrong with it."""
    now = clock.now()
    is_open = follow_up.status == FollowUpStatus.OPEN
    delivery = corrected_numbers.delivery_of(follow_up)
    sees_messages = request.user.has_perm("notifications.view_delivery")
    context = {
        **admin.admin_site.each_context(request),
        "title": follow_up.get_reason_display(),
        "opts": FollowUp._meta,
        "follow_up": follow_up,
        "customer": follow_up.customer,
        "due": follow_up_card.due(follow_up, now),
        "detail": follow_up_words.detail(follow_up, request.user),
        "script": follow_up_words.script(follow_up),
        "points": _points(follow_up.customer),
        "may_reveal": request.user.has_perm("customers.view_full_address"),
        "orders": _orders(follow_up, request),
        "delivery": delivery if sees_messages else None,
        "delivery_state": states.pill(delivery.status) if delivery and sees_messages else "",
        "delivery_text": sent_text.of(delivery) if delivery and sees_messages else None,
        "messages_url": reverse("admin:notifications_customer_deliveries", args=[follow_up.customer_id])
        if sees_messages
        else "",
        "form": form or FinishForm(now=now),
        "outcomes": FollowUpOutcome.choices,
        "called_again": [outcome.value for outcome in follow_ups.CALLED_AGAIN],
        "follows": _what_follows(follow_up, delivery) if is_open else "",
        "is_open": is_open,
        "is_mine": follow_up.owner_id == request.user.pk,
        "is_others": is_open and follow_up.owner_id not in (None, request.user.pk),
        "may_work": is_open and request.user.has_perm("customers.change_followup"),
        "media": Media(css={"all": ["hongyan/campaigns.css"]}),
    }
    return render(request, "admin/customers/followup/page.html", context)


def finish(request: HttpRequest, admin: ModelAdmin, follow_up: FollowUp) -> HttpResponse:
    """Close a call with what came of it, and say what follows from that."""
    now = clock.now()
    form = FinishForm(request.POST, now=now)
    if not form.is_valid():
        return show(request, admin, follow_up, form)
    outcome, note = form.cleaned_data["outcome"], form.cleaned_data["note"]
    if outcome == FollowUpOutcome.WRONG_NUMBER:
        return _correct(request, admin, follow_up, form)
    again_at = form.cleaned_data["again_at"]
    follow_ups.finish(follow_up, outcome, note, request.user, now, again_at=again_at)
    if follow_up.reason == FollowUpReason.QUESTION and outcome == FollowUpOutcome.REACHED:
        _settle_replies(follow_up, request.user, now)
    said = _("Finished.")
    if again_at:
        said = _("Finished. The next call is planned for %(moment)s.") % {"moment": states.moment(again_at)}
    admin.log_change(request, follow_up, said)
    messages.success(request, said)
    return redirect("admin:customers_followup_changelist")


def plan(request: HttpRequest, admin: ModelAdmin) -> HttpResponse:
    """Plan a call to the customer, and about the order, that the address names."""
    customer, order = _subject(request)
    if customer is None:
        messages.info(request, _("Plan a call from the page of the customer or of the order."))
        return redirect("admin:customers_followup_changelist")
    now = clock.now()
    suggested = follow_ups.call_by(now, PLANNED_FOR)
    form = CallForm(request.POST or None, now=now, initial={"due_at": suggested})
    if form.is_valid():
        follow_ups.open_for(
            [
                NewFollowUp(
                    customer_id=customer.pk,
                    order_id=order.pk if order else None,
                    occasion=f"staff-{request.user.pk}:{customer.pk}:{now:%Y%m%d%H%M%S%f}",
                    reason=FollowUpReason.STAFF,
                    detail=form.cleaned_data["detail"],
                    due_at=form.cleaned_data["due_at"],
                    owner_id=request.user.pk if form.cleaned_data["is_mine"] else None,
                )
            ],
            now,
        )
        audit.record(request, customer, str(_("Planned a call.")))
        messages.success(request, _("The call is planned."))
        return redirect("admin:customers_customer_change", customer.pk)
    context = {
        **admin.admin_site.each_context(request),
        "title": _("Plan a call"),
        "opts": FollowUp._meta,
        "customer": customer,
        "order": order,
        "form": form,
    }
    return render(request, "admin/customers/followup/plan.html", context)


def owner_seen(request: HttpRequest) -> User | None:
    """Whom the page named as the owner when somebody took a call over."""
    return User.objects.filter(pk__in=numbers(request.POST.get("owner"))[:1]).first()


def _subject(request: HttpRequest) -> tuple[Customer | None, Order | None]:
    customer = Customer.objects.present().filter(pk__in=numbers(request.GET.get("customer"))[:1]).first()
    order = Order.objects.filter(pk__in=numbers(request.GET.get("order"))[:1], customer=customer).first()
    return customer, order if customer else None


def _correct(request: HttpRequest, admin: ModelAdmin, follow_up: FollowUp, form: FinishForm) -> HttpResponse:
    """Put the right number in the place of the wrong one, and let the message that did not arrive follow."""
    try:
        corrected = corrected_numbers.correct(
            follow_up,
            form.cleaned_data["number"],
            note=form.cleaned_data["note"],
            by=request.user,
            now=clock.now(),
        )
    except CannotSave as refusal:
        form.add_error("number", str(refusal))
        return show(request, admin, follow_up, form)
    audit.record(request, follow_up.customer, str(_("Corrected the mobile number after a call.")))
    if corrected.message is None:
        admin.log_change(request, follow_up, _("Number corrected; nothing was sent again."))
        messages.warning(request, _("The number is corrected. %(obstacle)s") % {"obstacle": corrected.obstacle})
    else:
        said = _("The number is corrected, and “%(name)s” goes to it now.") % {"name": corrected.message}
        admin.log_change(request, follow_up, _("Number corrected; sent again as message %d.") % corrected.message.pk)
        messages.success(request, said)
        queue = Purpose(corrected.message.purpose).queue
        doorbell.ring("notifications.jobs.send_due", queue=queue, names_queue=True)
    return redirect("admin:customers_followup_change", follow_up.pk)


def _settle_replies(follow_up: FollowUp, by: User, now) -> None:
    """What the customer wrote before the call is answered by it."""
    for reply in Reply.objects.needing_attention().filter(customer=follow_up.customer_id, received_at__lte=now):
        replies.take_as(reply, ReplyHandling.ANSWERED, by=by, now=now)


def _points(customer: Customer) -> list[tuple[ContactPoint, Suppression | None]]:
    """The numbers to call, the main one first, each with what closes it."""
    points = list(ContactPoint.objects.filter(customer=customer).order_by("-is_primary", "id"))
    points = [point for point in points if point.channel in (Channel.SMS, Channel.VOICE)] or points
    closed = Suppression.objects.filter(address__in=[point.address for point in points])
    by_address = {(one.channel, one.address): one for one in closed}
    return [(point, by_address.get((point.channel, point.address))) for point in points]


def _orders(follow_up: FollowUp, request: HttpRequest) -> list[dict] | None:
    """The order in question with its goods, parcels and trouble; without one, the customer's newest."""
    if not request.user.has_perm("customers.view_order"):
        return None
    rows = Order.objects.filter(customer=follow_up.customer_id).order_by("-id")[:ORDERS_SHOWN]
    orders = [follow_up.order] if follow_up.order else list(rows)
    return [
        {
            "order": order,
            "pill": order_card.pill(order),
            "total": order_card.money(order.total, order.currency),
            "at": order_card.moment(order.ordered_at),
            "lines": list(order.lines.order_by("id")[:20]),
            "exceptions": list(order.exceptions.order_by("-id")[:5]),
            "parcels": [
                (parcel, ShipmentEvent.objects.filter(shipment=parcel).order_by("-happened_at").first())
                for parcel in order.shipments.order_by("id")[:5]
            ],
        }
        for order in orders
    ]


def _what_follows(follow_up: FollowUp, delivery) -> str:
    """What entering a right number does, in one sentence."""
    present = follow_up.customer.contact_points.filter(channel=Channel.SMS, is_primary=True).first()
    place = (
        _("The new number takes the place of %(number)s.") % {"number": present}
        if present
        else _("The new number becomes the customer's own.")
    )
    if obstacle := corrected_numbers.obstacle(delivery):
        return f"{place} {obstacle}"
    sent = _("“%(name)s” of %(moment)s, which did not arrive, goes to it at once, and nothing else does.") % {
        "name": delivery.message,
        "moment": states.moment(delivery.created_at),
    }
    return f"{place} {sent}"
