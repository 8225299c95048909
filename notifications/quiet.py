"""Quiet hours: whether a class of messages may go out now, and when it may next."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from customers.choices import Channel, Purpose
from notifications.choices import NightPolicy
from notifications.models import Message, QuietHours

# Carriers take marketing by SMS from 08:00 to 21:00 only, and care counts as marketing
# (china-sms-rules 5). This holds even where a shop has deleted its own row.
NIGHT_OF_MARKETING_BY_SMS = (time(21, 0), time(8, 0))
# Of a reminder that waits for the morning, where the shop has set no hours of its own for the class.
NIGHT_OF_REMINDERS = (time(22, 0), time(8, 0))


@dataclass(frozen=True)
class Quiet:
    """A daily span, overnight if it ends before it begins, in the shop's zone."""

    begins: time
    ends: time
    zone: ZoneInfo

    def holds_at(self, moment: datetime) -> bool:
        """Whether a moment lies in the span; the end itself does not."""
        local = moment.astimezone(self.zone).time()
        if self.begins < self.ends:
            return self.begins <= local < self.ends
        return local >= self.begins or local < self.ends

    def opens_at(self, moment: datetime) -> datetime:
        """The first moment at or after this one that is not quiet."""
        if not self.holds_at(moment):
            return moment
        local = moment.astimezone(self.zone)
        opening = datetime.combine(local.date(), self.ends, self.zone)
        if opening <= local:
            opening = datetime.combine(local.date() + timedelta(days=1), self.ends, self.zone)
        return opening


def quiet_of(message: Message, *, zone: ZoneInfo) -> Quiet | None:
    """The quiet hours of a message: a reminder may choose, where the law leaves it a choice."""
    hours = quiet_for(channel=message.channel, purpose=message.purpose, zone=zone)
    if Purpose(message.purpose).needs_consent or message.night == NightPolicy.BY_CLASS:
        return hours
    if message.night == NightPolicy.SEND:
        return None
    return hours or Quiet(*NIGHT_OF_REMINDERS, zone)


def quiet_for(*, channel: str, purpose: str, zone: ZoneInfo) -> Quiet | None:
    """The quiet hours of a class on a channel; None where it may go out at any hour."""
    row = QuietHours.objects.filter(channel=channel, purpose=purpose).first()
    if row is not None:
        return Quiet(row.quiet_from, row.quiet_until, zone)
    if channel == Channel.SMS and Purpose(purpose).needs_consent:
        return Quiet(*NIGHT_OF_MARKETING_BY_SMS, zone)
    return None
