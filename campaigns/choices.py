"""The closed vocabularies of campaigns."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class CampaignStatus(models.TextChoices):
    """The life of a campaign; whether it is paused is read from its messages."""

    DRAFT = "draft", _("Draft")
    SCHEDULED = "scheduled", _("Scheduled")
    RUNNING = "running", _("Sending")
    FINISHED = "finished", _("Finished")
    CANCELED = "canceled", _("Canceled")
    MISSED = "missed", _("Missed its time")


class Timing(models.TextChoices):
    """How staff say when a campaign goes out."""

    NOW = "now", _("As soon as it is started")
    AT = "at", _("At a date and time")
    HOLIDAY = "holiday", _("On a holiday")


class CountStatus(models.TextChoices):
    """Where the counting of a waterfall stands."""

    WAITING = "waiting", _("Waiting to be counted")
    COUNTING = "counting", _("Being counted")
    COUNTED = "counted", _("Counted")
    FAILED = "failed", _("Counting failed")


class ReminderTrigger(models.TextChoices):
    """What a reminder looks for."""

    STATUS_LASTS = "status_lasts", _("An order stays in a status")
    STATUS_REACHED = "status_reached", _("An order reaches a status")
    EXCEPTION = "exception", _("Something goes wrong with an order")
    PARCEL_STILL = "parcel_still", _("A parcel does not move")
    ORDER_DATE = "order_date", _("A date of an order")
    EVENT = "event", _("An event of a customer is told")
    EVENT_DATE = "event_date", _("The date of an event")
    NOT_BOUGHT = "not_bought", _("A customer has not bought for a while")

    @property
    def is_about_orders(self) -> bool:
        """Whether an order stands behind each occasion."""
        return self not in (ReminderTrigger.EVENT, ReminderTrigger.EVENT_DATE)


class OrderDate(models.TextChoices):
    """The dates of an order from which a reminder can count its days."""

    ORDERED = "ordered_at", _("ordered at")
    DELIVERED = "delivered_at", _("arrived at")
    SHIP_BY = "ship_by_at", _("to be shipped by")
    PROMISED = "promised_at", _("promised by")


class FirstOrder(models.TextChoices):
    """Whether a reminder is for buyers of a first order."""

    ANY = "", _("Any order")
    ONLY = "only", _("First orders only")
    NOT = "not", _("Not for first orders")


class Goal(models.TextChoices):
    """What a reminder wants to achieve; reached, it ends."""

    NONE = "", _("Nothing that could be counted")
    PAID = "paid", _("The order is paid")
    BOUGHT = "bought", _("The customer buys again")
    SETTLED = "settled", _("The event is settled: attended, renewed, used or paid")


class Receiver(models.TextChoices):
    """To whom a text of a reminder goes."""

    BUYER = "buyer", _("The customer")
    SECOND = "second", _("The customer's second contact")
    STAFF = "staff", _("A group of staff, by bot")


class FollowUpUse(models.TextChoices):
    """Whether a person calls."""

    NONE = "", _("Nobody calls")
    BESIDE = "beside", _("Somebody calls beside the message")
    INSTEAD = "instead", _("Somebody calls instead of the message")


class FollowUpFor(models.TextChoices):
    """For whom a person calls."""

    VIP = "vip", _("Customers of a VIP tier")
    VIP_OR_VALUABLE = "valuable", _("Customers of a VIP tier, and valuable orders")
    EVERYBODY = "everybody", _("Everybody")


class OccasionOutcome(models.TextChoices):
    """What became of an occasion when a reminder looked at it; what became of its message stands at the delivery."""

    PLANNED = "planned", _("Message planned")
    HELD_OUT = "held_out", _("Got none on purpose, for comparison")
    NO_CUSTOMER = "no_customer", _("Nobody knows whose order it is")
    CALLED = "called", _("A person calls instead")
    NOT_CALLED = "not_called", _("Not among those whom a person calls")
    TOO_LATE = "too_late", _("Found when its time was over")
