"""The notifications app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from customers.services import ties

WRITTEN_TO = ties.Tie(
    "written",
    _("Was written to, or is about to be"),
    "EXISTS (SELECT FROM notifications_delivery tie WHERE tie.customer_id = customer.id)",
)
REPLIED = ties.Tie(
    "replied", _("Has replied"), "EXISTS (SELECT FROM notifications_reply tie WHERE tie.customer_id = customer.id)"
)
WRITTEN_ABOUT = ties.OrderTie(
    "written",
    _("Was written about, or is about to be"),
    "EXISTS (SELECT FROM notifications_concern tie WHERE tie.order_id = known.id)",
)


class NotificationsConfig(AppConfig):
    name = "notifications"
    verbose_name = _("Notifications")

    def ready(self) -> None:
        """Tell the customers app who and what stays when an import is undone."""
        ties.register(WRITTEN_TO, REPLIED, WRITTEN_ABOUT)
