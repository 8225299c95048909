"""What fits a reminder: stops, goals, delays and texts that its trigger can do something with."""

from collections.abc import Iterable
from datetime import timedelta

from django.utils.translation import gettext as _

from campaigns.choices import Goal, OrderDate, Receiver, ReminderTrigger
from campaigns.models import Reminder, ReminderText
from campaigns.services.reminders import ways
from customers.choices import Channel, OrderExceptionKind, OrderStatus, Purpose
from notifications import rendering, stops, text
from notifications.models import Template

OF_EVENTS = (ReminderTrigger.EVENT, ReminderTrigger.EVENT_DATE)
OF_STATUS = (ReminderTrigger.STATUS_LASTS, ReminderTrigger.STATUS_REACHED)
OF_DATES = (ReminderTrigger.ORDER_DATE, ReminderTrigger.EVENT_DATE)
# These dates are known only once they are over.
PAST_DATES = (OrderDate.ORDERED, OrderDate.DELIVERED)
WITH_PARCEL = (
    *(OrderStatus.SHIPPED, OrderStatus.OUT_FOR_DELIVERY, OrderStatus.DELIVERED, OrderStatus.COMPLETED),
    *(OrderStatus.AFTER_SALE, OrderStatus.REFUNDED),
)
STOPS_OF_ORDERS = frozenset({"paid", "shipped", "delivered", "closed", "refunded", "after_sale"})
STOPS_OF_EVENTS = frozenset({"settled", "moved"})
# What has happened by the time an order is in a status: as a stop it would stop everything.
HAS_HAPPENED = {
    OrderStatus.PAID: {"paid"},
    OrderStatus.SHIPPED: {"paid", "shipped"},
    OrderStatus.OUT_FOR_DELIVERY: {"paid", "shipped"},
    OrderStatus.DELIVERED: {"paid", "shipped", "delivered"},
    OrderStatus.COMPLETED: {"paid", "shipped", "delivered"},
    OrderStatus.CLOSED: {"closed"},
    OrderStatus.AFTER_SALE: {"paid", "after_sale"},
    OrderStatus.REFUNDED: {"paid", "after_sale", "refunded"},
}
VARIABLES_OF_ORDERS = frozenset({"order_number", "amount", "product", "product_count", "order_count", "compensation"})
VARIABLES_OF_PARCELS = frozenset({"carrier", "tracking_number"})
VARIABLES_OF_DATES = frozenset({"due_date", "due_time", "days_left"})
VARIABLES_OF_EVENTS = frozenset({"event_title", "event_place", "event_value", "code", "compensation", "reason"})


def usable_stops(reminder: Reminder) -> frozenset[str]:
    """The stops that can happen after what the reminder looks for."""
    if reminder.trigger in OF_EVENTS:
        return STOPS_OF_EVENTS | {"answered", "bought"}
    usable = STOPS_OF_ORDERS | {"answered", "bought"}
    if reminder.trigger == ReminderTrigger.EXCEPTION:
        canceled = {"closed"} if reminder.exception_kind == OrderExceptionKind.CANCELED_BY_SHOP else set()
        return usable - canceled | {"resolved"}
    return usable - _has_happened(reminder)


def _has_happened(reminder: Reminder) -> set[str]:
    if reminder.trigger in OF_STATUS:
        return HAS_HAPPENED.get(reminder.order_status, set())
    if reminder.trigger == ReminderTrigger.PARCEL_STILL:
        return {"paid", "shipped"}
    if reminder.trigger == ReminderTrigger.NOT_BOUGHT:
        return {"paid", "shipped", "delivered"}
    is_arrived = reminder.trigger == ReminderTrigger.ORDER_DATE and reminder.order_date == OrderDate.DELIVERED
    return {"paid", "shipped", "delivered"} if is_arrived else set()


def usable_variables(reminder: Reminder) -> frozenset[str]:
    """The variables of an occasion that the reminder's trigger gives."""
    if reminder.trigger in OF_EVENTS:
        return VARIABLES_OF_EVENTS | VARIABLES_OF_DATES
    usable = VARIABLES_OF_ORDERS
    if _has_parcel(reminder):
        usable |= VARIABLES_OF_PARCELS
    if reminder.trigger == ReminderTrigger.ORDER_DATE:
        usable |= VARIABLES_OF_DATES
    is_explained = reminder.trigger == ReminderTrigger.EXCEPTION or reminder.order_status == OrderStatus.CLOSED
    return usable | {"reason"} if is_explained else usable


def _has_parcel(reminder: Reminder) -> bool:
    if reminder.trigger in OF_STATUS:
        return reminder.order_status in WITH_PARCEL
    if reminder.trigger == ReminderTrigger.EXCEPTION:
        return reminder.exception_kind in (
            OrderExceptionKind.LOGISTICS_DELAYED,
            OrderExceptionKind.ADDRESS_NOT_DELIVERABLE,
        )
    if reminder.trigger == ReminderTrigger.ORDER_DATE:
        return reminder.order_date in (OrderDate.DELIVERED, OrderDate.PROMISED)
    return reminder.trigger == ReminderTrigger.PARCEL_STILL


def rule_refusals(reminder: Reminder) -> dict[str, list[str]]:
    """What does not fit in the rule itself, as sentences by the name of the field."""
    found: dict[str, list[str]] = {}
    if reminder.trigger in OF_STATUS and reminder.order_status == OrderStatus.LOCKED:
        words = _("Nothing is ever sent about an order that the platform has locked. Choose another status.")
        found["order_status"] = [words]
    usable = usable_stops(reminder)
    if unfit := [code for code in reminder.stop_when if code not in usable]:
        words = _("With what this reminder looks for, these would stop every message or none: %(stops)s. Untick them.")
        named = [str(stops.BY_CODE[code].choice) if code in stops.BY_CODE else code for code in unfit]
        found["stop_when"] = [words % {"stops": "; ".join(named)}]
    if goal_refusal := _goal_refusal(reminder):
        found["goal"] = [goal_refusal]
    if reminder.at_hour is not None and reminder.trigger not in OF_DATES:
        found["at_hour"] = [_("An hour of the day can be chosen for dates only. Leave it empty.")]
    least, most = reminder.minimum_amount, reminder.maximum_amount
    if least is not None and most is not None and least > most:
        found["maximum_amount"] = [_("This is less than the amount from which it holds: nobody would be reminded.")]
    needs_amount = reminder.follow_up and reminder.follow_up_for == "valuable" and reminder.valuable_from is None
    if needs_amount:
        found["valuable_from"] = [_("Say from which amount an order is valuable.")]
    return found


def _goal_refusal(reminder: Reminder) -> str:
    if reminder.goal == Goal.SETTLED and reminder.trigger not in OF_EVENTS:
        return _("Only events are settled. Choose another goal.")
    if reminder.goal == Goal.PAID and (reminder.trigger in OF_EVENTS or "paid" not in usable_stops(reminder)):
        return _("What this reminder looks for is paid already, or no order. Choose another goal.")
    return ""


def delay_refusal(reminder: Reminder, delay: timedelta) -> str:
    """Why a step cannot go out that long after the fact, or before it; "" where it can."""
    if delay < timedelta(0):
        if reminder.trigger not in OF_DATES:
            return _("“Before” is possible for dates only: nobody knows when this will happen.")
        if reminder.trigger == ReminderTrigger.ORDER_DATE and reminder.order_date in PAST_DATES:
            return _("This date is known only once it has come. Choose a time after it.")
    if reminder.at_hour is not None and delay % timedelta(days=1):
        return _("With an hour of the day, a step is counted in whole days.")
    if reminder.trigger == ReminderTrigger.NOT_BOUGHT and delay < timedelta(days=1):
        return _("Say after how many days without a purchase; at least one.")
    if reminder.trigger in (ReminderTrigger.STATUS_LASTS, ReminderTrigger.PARCEL_STILL) and not delay:
        return _("Say how long it has to last; at least a minute.")
    return ""


def template_refusal(reminder: Reminder, template: Template, *, channel: str) -> str:
    """Why a template cannot be the reminder's text on a channel; "" where it can."""
    named = {"template": template.name}
    if template.archived_at is not None:
        return _("The template “%(template)s” is archived. Restore it, or choose another one.") % named
    if template.channel != channel:
        words = _("The template “%(template)s” is written for %(channel)s. Choose one for this channel.")
        return words % (named | {"channel": template.get_channel_display()})
    if template.purpose != reminder.purpose:
        words = _(
            "The template “%(template)s” is of the class “%(its)s”, the reminder of “%(ours)s”. Make them equal."
        )
        return words % (named | {"its": template.get_purpose_display(), "ours": Purpose(reminder.purpose).label})
    needs_wording = Purpose(reminder.purpose).needs_consent and channel == Channel.SMS
    if needs_wording and not template.opt_out_wording and not text.has_opt_out_wording(template.body):
        words = _("The template “%(template)s” does not say how to opt out, which the law asks for. Add it there.")
        return words % named
    return variables_refusal(reminder, template)


def variables_refusal(reminder: Reminder, template: Template) -> str:
    """Which variables of a template the reminder's trigger cannot give, as a sentence; "" for none."""
    try:
        used = set(rendering.compiled(template).variables)
    except rendering.Refused as refusal:
        words = _("The text of the template “%(template)s” cannot be sent: %(why)s")
        return words % {"template": template.name, "why": refusal.sentence(_)}
    unknown = used & rendering.OF_OCCASION - usable_variables(reminder)
    if not unknown:
        return ""
    words = _("The template “%(template)s” uses %(variables)s, which is unknown for “%(trigger)s”. Take it out there.")
    labels = [_(rendering.VARIABLES[key].label) for key in rendering.VARIABLES if key in unknown]
    return words % {
        "template": template.name,
        "variables": ", ".join(labels),
        "trigger": ReminderTrigger(reminder.trigger).label,
    }


def text_refusals(reminder: Reminder, said: ReminderText) -> list[str]:
    """What does not fit in one text of a reminder."""
    if said.receiver == Receiver.STAFF:
        return []
    chosen = [template for template in (said.template, said.merged_template) if template]
    found = [template_refusal(reminder, template, channel=said.channel) for template in chosen]
    return [sentence for sentence in found if sentence]


def problems(reminder: Reminder) -> list[str]:
    """Why a saved reminder cannot be switched on, as sentences with a remedy."""
    found = [sentence for sentences in rule_refusals(reminder).values() for sentence in sentences]
    steps = list(reminder.steps.prefetch_related("texts__template", "texts__merged_template"))
    if not steps:
        found.append(_("It has no step yet. Add one, with a text."))
    for step in steps:
        texts = list(step.texts.all())
        if refusal := delay_refusal(reminder, step.delay):
            found.append(refusal)
        found += [sentence for said in texts for sentence in text_refusals(reminder, said)]
        if refusal := _nothing_works(texts, reminder):
            found.append(refusal)
    return list(dict.fromkeys(found))


def _nothing_works(texts: Iterable[ReminderText], reminder: Reminder) -> str:
    """The sentence for a step nobody would hear of; "" where a channel works or somebody calls instead."""
    to_buyers = [said.channel for said in texts if said.receiver == Receiver.BUYER]
    if any(not ways.waits_for(channel) for channel in to_buyers) or reminder.follow_up == "instead":
        return ""
    if not to_buyers:
        return _("A step has no text for the customer. Choose a template.")
    return ways.waits_for(to_buyers[0])
