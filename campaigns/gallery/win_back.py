"""Winning customers back: advertisements, so only to those who agreed."""

from django.utils.translation import gettext_lazy as _

from campaigns.choices import FirstOrder, Goal, ReminderTrigger
from campaigns.gallery.entry import DAY, HOUR, NOT_BY_SMS, Entry, Group, Step
from customers.choices import EventKind, Purpose

CALLED_BACK = _("Aliyun and Tencent do not approve texts that call customers back as SMS: use e-mail or the inbox.")

ENTRIES = (
    Entry(
        "not_bought",
        Group.WIN_BACK,
        _("Not bought for 90 days"),
        _("Writes once to customers who have not bought for 90 days."),
        ReminderTrigger.NOT_BOUGHT,
        (Step("not_bought", 90 * DAY),),
        Purpose.MARKETING,
        3 * DAY,
        ("bought", "after_sale"),
        goal=Goal.BOUGHT,
        goal_within=14 * DAY,
        channels=NOT_BY_SMS,
        refused_by_sms=CALLED_BACK,
    ),
    Entry(
        "first_order_only",
        Group.WIN_BACK,
        _("First order only"),
        _("Writes once to customers who have not come back 30 days after their first order."),
        ReminderTrigger.NOT_BOUGHT,
        (Step("first_order_only", 30 * DAY),),
        Purpose.MARKETING,
        3 * DAY,
        ("bought", "after_sale"),
        first_order=FirstOrder.ONLY,
        goal=Goal.BOUGHT,
        goal_within=14 * DAY,
        channels=NOT_BY_SMS,
        refused_by_sms=CALLED_BACK,
    ),
    Entry(
        "cart_left",
        Group.WIN_BACK,
        _("Cart left behind"),
        _("Reminds 2 hours after a cart was left, unless the customer has bought by then."),
        ReminderTrigger.EVENT,
        (Step("cart_left", 2 * HOUR),),
        Purpose.MARKETING,
        DAY,
        ("settled", "bought"),
        event_kind=EventKind.CART,
        goal=Goal.BOUGHT,
        refused_by_sms=_("As SMS it is an advertisement: only to those who agreed, with the opt-out wording, by day."),
    ),
)
