"""A reminder in plain words: what it looks for, when it writes, to whom, and when it stops."""

from datetime import timedelta

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from campaigns.admin.spans import in_words
from campaigns.choices import FirstOrder, OrderDate, ReminderTrigger
from campaigns.models import Reminder, ReminderStep, ReminderText
from customers.choices import EventKind, OrderExceptionKind, OrderStatus, Platform
from notifications import stops
from notifications.choices import CapPolicy, NightPolicy

# The dates of an order as they stand in a sentence.
DATES = {
    OrderDate.ORDERED: gettext_lazy("an order was placed"),
    OrderDate.DELIVERED: gettext_lazy("an order arrived"),
    OrderDate.SHIP_BY: gettext_lazy("the day by which an order is to be shipped"),
    OrderDate.PROMISED: gettext_lazy("the day by which an order was promised"),
}


def looks_for(reminder: Reminder, delay: timedelta) -> str:
    """When a step writes, as the beginning of a sentence."""
    span = in_words(delay)
    match reminder.trigger:
        case ReminderTrigger.STATUS_LASTS:
            words = _("When an order stays “%(status)s” for %(span)s")
            return words % {"status": OrderStatus(reminder.order_status).label, "span": span}
        case ReminderTrigger.STATUS_REACHED:
            at_once = _("As soon as an order is “%(status)s”")
            words = _("%(span)s after an order became “%(status)s”") if delay else at_once
            return words % {"status": OrderStatus(reminder.order_status).label, "span": span}
        case ReminderTrigger.EXCEPTION:
            at_once = _("As soon as this goes wrong with an order: %(what)s")
            words = _("%(span)s after this went wrong with an order: %(what)s") if delay else at_once
            return words % {"what": OrderExceptionKind(reminder.exception_kind).label, "span": span}
        case ReminderTrigger.PARCEL_STILL:
            return _("When nothing was heard of a parcel for %(span)s") % {"span": span}
        case ReminderTrigger.NOT_BOUGHT:
            return _("When a customer has not bought for %(span)s") % {"span": span}
        case ReminderTrigger.EVENT:
            at_once = _("As soon as you are told of this: %(kind)s")
            words = _("%(span)s after this happened: %(kind)s") if delay else at_once
            return words % {"kind": EventKind(reminder.event_kind).label, "span": span}
    return _of_date(reminder, delay)


def _of_date(reminder: Reminder, delay: timedelta) -> str:
    if reminder.trigger == ReminderTrigger.EVENT_DATE:
        date = _("the date of this: %(kind)s") % {"kind": EventKind(reminder.event_kind).label}
    else:
        date = str(DATES[OrderDate(reminder.order_date)])
    words = {"span": in_words(delay), "date": date}
    if delay < timedelta(0):
        said = _("%(span)s before %(date)s") % words
    elif delay:
        said = _("%(span)s after %(date)s") % words
    elif reminder.at_hour is None:
        said = _("At once: %(date)s") % words
    else:
        said = _("On the day: %(date)s") % words
    if reminder.order_status and reminder.trigger == ReminderTrigger.ORDER_DATE:
        while_so = {"when": said, "status": OrderStatus(reminder.order_status).label}
        said = _("%(when)s, while the order is “%(status)s”") % while_so
    return said if reminder.at_hour is None else _("%(when)s, at %(hour)s") % {
        "when": said, "hour": f"{reminder.at_hour:%H:%M}",
    }  # fmt: skip


def in_short(reminder: Reminder, delays: list[timedelta]) -> str:
    """What a reminder looks for, with the number of its further steps."""
    if not delays:
        return _("It has no step yet.")
    more = len(delays) - 1
    sentence = looks_for(reminder, delays[0])
    if not more:
        return sentence
    return sentence + " " + ngettext("(and %(count)d more step)", "(and %(count)d more steps)", more) % {"count": more}


def conditions(reminder: Reminder) -> list[str]:
    """For whom and which orders it is, one sentence each."""
    found = []
    if reminder.segment_id:
        found.append(_("Only for customers in the segment “%(segment)s”.") % {"segment": reminder.segment})
    least, most = reminder.minimum_amount, reminder.maximum_amount
    if least is not None:
        found.append(_("Only for orders of at least ¥%(amount)s.") % {"amount": least})
    if most is not None:
        found.append(_("Only for orders of at most ¥%(amount)s.") % {"amount": most})
    if reminder.platforms:
        labels = [str(Platform(value).label) for value in reminder.platforms if value in Platform.values]
        found.append(_("Only for orders from %(platforms)s.") % {"platforms": ", ".join(labels)})
    if reminder.categories:
        found.append(_("Only for orders with goods of %(names)s.") % {"names": ", ".join(reminder.categories)})
    if reminder.first_order:
        found.append(str(FirstOrder(reminder.first_order).label) + ".")
    return found


def facts(reminder: Reminder) -> list[tuple[str, str]]:
    """The rest of the rule, as heading and sentence."""
    stop_words = [str(stops.BY_CODE[code].choice) for code in reminder.stop_when if code in stops.BY_CODE]
    found = [
        (_("Not sent once"), "; ".join(stop_words) or _("Nothing stops it but a status that nobody understands.")),
        (_("Of use for"), _("%(span)s; later it is left out.") % {"span": in_words(reminder.valid_for)}),
        (_("At night"), str(NightPolicy(reminder.night).label)),
        (_("Over the cap"), str(CapPolicy(reminder.cap_policy).label)),
    ]
    if reminder.merge_within:
        words = _("Several to one customer within %(span)s become one message.")
        found.append((_("Several at once"), words % {"span": in_words(reminder.merge_within)}))
    if reminder.compensation:
        words = _("%(what)s, for new customers") if reminder.is_compensation_for_new else "%(what)s"
        found.append((_("Compensation"), words % {"what": reminder.compensation}))
    if reminder.goal:
        words = _("%(goal)s, within %(span)s")
        said = words % {"goal": reminder.get_goal_display(), "span": in_words(reminder.goal_within)}
        if reminder.held_out_percent:
            apart = _("%(percent)d %% get no message on purpose, so that you see what it achieves.")
            said = f"{said}. {apart % {'percent': reminder.held_out_percent}}"
        found.append((_("Goal"), said))
    if reminder.follow_up:
        words = _("%(use)s: %(whom)s, within %(span)s")
        said = words % {
            "use": reminder.get_follow_up_display(),
            "whom": reminder.get_follow_up_for_display(),
            "span": in_words(reminder.call_within),
        }
        found.append((_("Call"), said))
    return found


def said_to(said: ReminderText) -> str:
    """To whom and by which channel a text goes."""
    if said.receiver == "staff":
        return _("%(receiver)s: %(bot)s") % {"receiver": said.get_receiver_display(), "bot": said.alert_channel}
    return f"{said.get_receiver_display()} · {said.get_channel_display()}"


def step_sentence(reminder: Reminder, step: ReminderStep) -> str:
    """When a saved step writes."""
    return looks_for(reminder, step.delay)


def pill(reminder: Reminder) -> SafeString:
    """Whether it is on, as a word with its color."""
    if reminder.is_active:
        return format_html('<span class="hy-pill hy-pill-good">{}</span>', _("On"))
    return format_html('<span class="hy-pill hy-pill-plain">{}</span>', _("Off"))
