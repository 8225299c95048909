"""Message: a template frozen for sending."""

from decimal import Decimal

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from customers.choices import Channel, Purpose
from notifications.choices import CapPolicy, NightPolicy
from notifications.models.template import Template


class MessageQuerySet(models.QuerySet):
    """The verbs that move a message."""

    def open(self):
        """Messages that may still send."""
        return self.filter(canceled_at=None)

    def pause(self, now, *, reason=""):
        """Stop everything that has not been handed over yet."""
        return self.filter(paused_at=None, canceled_at=None).update(paused_at=now, paused_for=reason)

    def resume(self):
        """Let a paused message go on."""
        return self.filter(paused_at__isnull=False, canceled_at=None).update(paused_at=None, paused_for="")

    def cancel(self, now):
        """Close a message for good."""
        return self.filter(canceled_at=None).update(canceled_at=now, paused_at=None, paused_for="")


class Message(models.Model):
    """
    A template frozen for sending: one text, one channel, one purpose, one signature.

    It can be paused and canceled; a trigger refuses any change of what it says.
    """

    template = models.ForeignKey(
        Template, models.PROTECT, null=True, related_name="messages", verbose_name=_("template")
    )
    template_version = models.PositiveIntegerField(_("version"), default=1)
    name = models.CharField(_("name"), max_length=120)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    purpose = models.CharField(_("class"), max_length=13, choices=Purpose)
    signature = models.CharField(_("signature"), max_length=16, blank=True)
    body = models.TextField(_("text"))
    opt_out_wording = models.CharField(_("opt-out wording"), max_length=30, blank=True)
    # Of an e-mail and of an item in the inbox.
    subject = models.CharField(_("subject"), max_length=120, blank=True, default="", db_default="")
    html = models.TextField(_("formatted text"), blank=True, default="", db_default="")
    # Codes of notifications.stops: what makes a delivery pointless, asked up to the moment of its call.
    stop_when = ArrayField(
        models.CharField(max_length=40), default=list, db_default=[], blank=True, verbose_name=_("is not sent once")
    )
    night = models.CharField(_("at night"), max_length=4, choices=NightPolicy, blank=True, default="", db_default="")
    cap_policy = models.CharField(_("over the cap"), max_length=4, choices=CapPolicy, default=CapPolicy.SKIP)
    is_test = models.BooleanField(_("test"), default=False)
    price = models.DecimalField(_("price per segment"), max_digits=8, decimal_places=4, default=Decimal("0"))
    send_after = models.DateTimeField(_("send after"))
    send_until = models.DateTimeField(_("send until"))
    paused_at = models.DateTimeField(_("paused at"), null=True, blank=True)
    paused_for = models.CharField(_("paused because"), max_length=200, blank=True, default="")
    canceled_at = models.DateTimeField(_("canceled at"), null=True, blank=True)
    again_of = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="agains", verbose_name=_("sent again from")
    )
    created_at = models.DateTimeField(_("created at"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("created by"),
    )

    objects = MessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        constraints = [
            models.CheckConstraint(
                name="message_window_ends_after_it_begins", condition=Q(send_until__gt=F("send_after"))
            ),
            models.CheckConstraint(
                name="message_is_not_both_paused_and_canceled",
                condition=Q(paused_at=None) | Q(canceled_at=None),
            ),
            models.CheckConstraint(
                name="message_of_marketing_or_care_by_sms_tells_how_to_opt_out",
                condition=~Q(channel=Channel.SMS, purpose__in=[Purpose.CARE, Purpose.MARKETING])
                | ~Q(opt_out_wording=""),
            ),
        ]

    def __str__(self):
        return self.name
