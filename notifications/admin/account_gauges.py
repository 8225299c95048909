"""What sending has noted of an account, in words: spending, pace and health."""

from datetime import datetime

from django.utils.formats import date_format
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from customers import clock
from notifications.models import AccountGauge, ProviderAccount
from notifications.models.account_gauge import FULL_HEALTH
from notifications.services import budgets

CHANGES_SHOWN = 5


def shown(account: ProviderAccount, *, now: datetime) -> SafeString:
    """A line for each thing that there is to say; a dash for an account that is new."""
    if account.pk is None:
        return SafeString("–")
    gauge = AccountGauge.objects.filter(account=account).first()
    lines = [_spending(account, gauge, now)]
    if account.pace:
        lines.append(_("At most %(pace)s messages a second.") % {"pace": f"{account.pace:,}"})
    if gauge and gauge.rests_until and gauge.rests_until > now:
        moment = date_format(gauge.rests_until.astimezone(clock.shop_zone()), "Y-m-d H:i")
        lines.append(_("Rests until %(moment)s: the provider takes nothing more before.") % {"moment": moment})
    health = gauge.health if gauge else FULL_HEALTH
    lines.append(_("Health %(health)d of 100.") % {"health": health})
    for change in account.health_changes.all()[:CHANGES_SHOWN]:
        moment = date_format(change.changed_at.astimezone(clock.shop_zone()), "m-d H:i")
        lines.append(f"{moment}  {change.health_before} → {change.health}: {change.in_words}")
    return format_html_join("", "<div>{}</div>", [(line,) for line in lines])


def _spending(account: ProviderAccount, gauge: AccountGauge | None, now: datetime) -> str:
    if account.daily_budget is None:
        return _("No budget: its spending is not limited.")
    words = _("¥%(spent)s of ¥%(budget)s spent today.") % {
        "spent": f"{budgets.spent(gauge, today=clock.shop_date(now)):,.2f}",
        "budget": f"{account.daily_budget:,.2f}",
    }
    if gauge and gauge.exhausted_on == clock.shop_date(now):
        words += " " + _("What does not fit any more waits until tomorrow, or goes over another account.")
    return words
