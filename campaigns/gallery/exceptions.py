"""When something goes wrong: the order's number, what happened, what to do, and that we are sorry."""

from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from campaigns.choices import FollowUpFor, FollowUpUse, Goal, OrderDate, ReminderTrigger
from campaigns.gallery.entry import DAY, HOUR, MORNING, Entry, Group, Step
from customers.choices import OrderExceptionKind, Purpose
from notifications.choices import NightPolicy

VALUABLE_FROM = Decimal("1000")

ENTRIES = (
    Entry(
        "out_of_stock",
        Group.EXCEPTIONS,
        _("Out of stock"),
        _("Apologizes at once, and lets the customer choose: wait, swap or money back."),
        ReminderTrigger.EXCEPTION,
        (Step("out_of_stock"),),
        Purpose.SERVICE,
        DAY,
        ("resolved", "shipped", "closed", "refunded"),
        exception_kind=OrderExceptionKind.OUT_OF_STOCK,
        follow_up=FollowUpUse.BESIDE,
        call_script=_(
            "Say sorry for the missing item. Offer to wait, to take something similar, or the money back. "
            "Write down what the customer chose."
        ),
    ),
    Entry(
        "payment_failed",
        Group.EXCEPTIONS,
        _("Payment failed"),
        _("Says why a payment failed and how to try again, while the customer is still there."),
        ReminderTrigger.EXCEPTION,
        (Step("payment_failed"),),
        Purpose.SERVICE,
        2 * HOUR,
        ("paid", "resolved", "closed", "refunded"),
        exception_kind=OrderExceptionKind.PAYMENT_FAILED,
        night=NightPolicy.SEND,
        goal=Goal.PAID,
    ),
    Entry(
        "logistics_delayed",
        Group.EXCEPTIONS,
        _("Parcel does not move"),
        _("Apologizes when nothing was heard of a parcel for 24 hours, with a compensation if you enter one."),
        ReminderTrigger.PARCEL_STILL,
        (Step("logistics_delayed", DAY),),
        Purpose.SERVICE,
        DAY,
        ("delivered", "closed", "refunded"),
        follow_up=FollowUpUse.BESIDE,
        call_script=_(
            "Say sorry for the delay, and tell what the carrier answered. Offer the compensation. Ask whether the "
            "customer needs the goods by a certain day."
        ),
    ),
    Entry(
        "delay_told",
        Group.EXCEPTIONS,
        _("Delay reported"),
        _("Apologizes when you or the carrier report that an order will be late, with the reason."),
        ReminderTrigger.EXCEPTION,
        (Step("delay_told"),),
        Purpose.SERVICE,
        DAY,
        ("delivered", "resolved", "closed", "refunded"),
        exception_kind=OrderExceptionKind.LOGISTICS_DELAYED,
        follow_up=FollowUpUse.BESIDE,
        call_script=_("Say sorry for the delay and why it happened. Offer the compensation, or the money back."),
    ),
    Entry(
        "promise_passed",
        Group.EXCEPTIONS,
        _("Promised date passed"),
        _("Apologizes on the day after the promised one for what has not arrived."),
        ReminderTrigger.ORDER_DATE,
        (Step("promise_passed", DAY),),
        Purpose.SERVICE,
        DAY,
        ("delivered", "closed", "refunded", "after_sale"),
        order_date=OrderDate.PROMISED,
        at_hour=MORNING,
    ),
    Entry(
        "canceled_by_shop",
        Group.EXCEPTIONS,
        _("Canceled by the shop"),
        _("Apologizes and says why; for valuable orders and VIP customers somebody calls as well."),
        ReminderTrigger.EXCEPTION,
        (Step("canceled_by_shop"),),
        Purpose.SERVICE,
        DAY,
        ("resolved", "shipped", "delivered"),
        exception_kind=OrderExceptionKind.CANCELED_BY_SHOP,
        follow_up=FollowUpUse.BESIDE,
        follow_up_for=FollowUpFor.VIP_OR_VALUABLE,
        valuable_from=VALUABLE_FROM,
        call_within=2 * HOUR,
        call_script=_(
            "Say sorry that we canceled, and why. Confirm when the money is back. Offer a replacement or the "
            "compensation, and ask whether the customer wants to be told when it is available again."
        ),
    ),
    Entry(
        "address_not_deliverable",
        Group.EXCEPTIONS,
        _("Address not deliverable"),
        _("Asks for another address, or offers the money back."),
        ReminderTrigger.EXCEPTION,
        (Step("address_not_deliverable"),),
        Purpose.SERVICE,
        DAY,
        ("resolved", "delivered", "closed", "refunded"),
        exception_kind=OrderExceptionKind.ADDRESS_NOT_DELIVERABLE,
        follow_up=FollowUpUse.BESIDE,
        call_script=_("Ask for the right address, or for another one. If there is none, offer the money back."),
    ),
)
