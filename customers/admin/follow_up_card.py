"""How follow-ups are shown wherever they stand: due in words, who has them, and those of a customer or an order."""

from datetime import datetime, timedelta

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from customers import clock
from customers.choices import FollowUpStatus
from customers.models import Customer, FollowUp, Order

SHOWN = 10
SOON = timedelta(hours=1)
TONES = {FollowUpStatus.DONE: "good", FollowUpStatus.DROPPED: "plain"}


def duration(time: timedelta) -> str:
    """A time as one would say it: 20 min, 3 h, 2 days."""
    minutes = max(0, round(time.total_seconds() / 60))
    if minutes < 60:
        return _("%(count)s min") % {"count": minutes}
    if minutes < 48 * 60:
        return _("%(count)s h") % {"count": f"{minutes / 60:.1f}".removesuffix(".0")}
    days = round(minutes / 24 / 60)
    return ngettext("%(count)s day", "%(count)s days", days) % {"count": days}


def due(follow_up: FollowUp, now: datetime) -> SafeString:
    """Until when somebody should call, in words, with its color; what became of it once it is closed."""
    if follow_up.status != FollowUpStatus.OPEN:
        words = follow_up.get_outcome_display() or follow_up.get_status_display()
        return format_html('<span class="hy-pill hy-pill-{}">{}</span>', TONES[follow_up.status], words)
    left = follow_up.due_at - now
    if left < timedelta(0):
        tone, words = "bad", _("%(time)s overdue") % {"time": duration(-left)}
    else:
        tone, words = "warn" if left < SOON else "plain", _("in %(time)s") % {"time": duration(left)}
    until = f"{localtime(follow_up.due_at):%Y-%m-%d %H:%M}"
    return format_html('<span class="hy-pill hy-pill-{}" title="{}">{}</span>', tone, until, words)


def of_customer(customer: Customer, user: AbstractBaseUser) -> dict[str, object]:
    """The newest follow-ups of a customer, for their page."""
    return _shown(FollowUp.objects.filter(customer=customer), user) | {"follow_up_of": f"customer={customer.pk}"}


def of_order(order: Order, user: AbstractBaseUser) -> dict[str, object]:
    """The follow-ups about an order, for its page."""
    asked = f"customer={order.customer_id}&order={order.pk}" if order.customer_id else ""
    return _shown(FollowUp.objects.filter(order=order), user) | {"follow_up_of": asked}


def _shown(rows: QuerySet[FollowUp], user: AbstractBaseUser) -> dict[str, object]:
    if not user.has_perm("customers.view_followup"):
        return {"follow_ups": None}
    now = clock.now()
    found = rows.select_related("owner").order_by("-pk")[:SHOWN]
    return {
        "follow_ups": [(one, due(one, now)) for one in found],
        "may_open_follow_up": user.has_perm("customers.add_followup"),
    }
