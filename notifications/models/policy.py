"""FrequencyCap, QuietHours, and RecentSends, the memory that caps are kept with."""

from datetime import time

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from customers.choices import Channel, Purpose
from notifications.choices import CapWindow


class FrequencyCap(models.Model):
    """
    How many messages a customer may get: at most `limit` in a window, and not sooner than a gap.

    A rule counts and holds back the messages of its class and channel; empty means every class
    that counts, every channel. All rules hold at once. A limit of 0 would read as "off" to some
    and as "never" to others, so the database refuses it.
    """

    name = models.CharField(_("name"), max_length=60, unique=True)
    purpose = models.CharField(_("class"), max_length=13, choices=Purpose, blank=True, default="")
    channel = models.CharField(_("channel"), max_length=10, choices=Channel, blank=True, default="")
    limit = models.PositiveSmallIntegerField(_("at most"), default=1)
    window = models.CharField(_("window"), max_length=13, choices=CapWindow, default=CapWindow.DAYS)
    window_length = models.PositiveSmallIntegerField(_("length of the window"), default=1)
    minimum_gap = models.DurationField(_("minimum gap"), null=True, blank=True)
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("frequency cap")
        verbose_name_plural = _("frequency caps")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(name="cap_allows_at_least_one", condition=Q(limit__gte=1)),
            models.CheckConstraint(name="cap_window_is_1_to_366_long", condition=Q(window_length__range=(1, 366))),
            models.CheckConstraint(
                name="cap_calendar_window_is_a_single_one",
                condition=Q(window__in=[CapWindow.HOURS, CapWindow.DAYS]) | Q(window_length=1),
            ),
            models.CheckConstraint(name="cap_leaves_transactions_alone", condition=~Q(purpose=Purpose.TRANSACTIONAL)),
        ]

    def __str__(self):
        return self.name


class QuietHours(models.Model):
    """
    The hours in which a class of messages waits, in the shop's zone; overnight is one entry.

    Carriers take marketing from 08:00 to 21:00 only, and care counts as marketing, so for those by
    SMS the quiet hours can be longer than 21:00 to 08:00 but never shorter.
    """

    purpose = models.CharField(_("class"), max_length=13, choices=Purpose)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    quiet_from = models.TimeField(_("quiet from"), default=time(20, 30))
    quiet_until = models.TimeField(_("quiet until"), default=time(9, 0))

    class Meta:
        verbose_name = _("quiet hours")
        verbose_name_plural = _("quiet hours")
        ordering = ["channel", "purpose"]
        constraints = [
            models.UniqueConstraint(
                fields=["purpose", "channel"], name="quiet_hours_are_one_row_per_class_and_channel"
            ),
            models.CheckConstraint(name="quiet_hours_are_not_empty", condition=~Q(quiet_from=models.F("quiet_until"))),
            models.CheckConstraint(
                name="quiet_hours_of_marketing_by_sms_cover_the_night",
                condition=~Q(channel=Channel.SMS, purpose__in=[Purpose.CARE, Purpose.MARKETING])
                | Q(
                    quiet_from__lte=time(21, 0),
                    quiet_from__gt=time(8, 0),
                    quiet_until__gte=time(8, 0),
                    quiet_until__lt=models.F("quiet_from"),
                ),
            ),
        ]

    def __str__(self):
        return f"{self.quiet_from:%H:%M}–{self.quiet_until:%H:%M}"


class RecentSends(models.Model):
    """
    When a person, or an address, lately got messages that count.

    `subject` is a customer's id for a person, and a negative hash of channel and address for an
    address. Each element of `sends` packs a moment and a kind, oldest first (see
    notifications.caps). Derived: `notifications.services.cap_memory.rebuild` writes it anew from the
    deliveries.
    """

    subject = models.BigIntegerField(_("subject"), primary_key=True)
    sends = ArrayField(models.BigIntegerField(), verbose_name=_("sends"), default=list)

    class Meta:
        verbose_name = _("recent sends")
        verbose_name_plural = _("recent sends")
