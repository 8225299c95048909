"""Integration, a shop system that tells us of its orders by itself; and WebhookCall, what it told."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from customers.choices import IntegrationKind, Platform


class Integration(models.Model):
    """
    A shop system that pushes its orders to a secret address, and signs what it pushes.

    The signing secret is stored encrypted and never shown again. `mapping` says where in the pushed body the facts
    of an order stand, for a system of its own form.
    """

    name = models.CharField(_("name"), max_length=60, unique=True)
    kind = models.CharField(_("form"), max_length=10, choices=IntegrationKind)
    platform = models.CharField(_("platform"), max_length=10, choices=Platform)
    client_id = models.CharField(_("client ID"), max_length=100, blank=True, default="")
    encrypted_secret = models.BinaryField(_("signing secret"), blank=True, default=b"")
    mapping = models.JSONField(_("where the facts stand"), default=dict, blank=True)
    token = models.CharField(_("token"), max_length=64, unique=True)
    # After a change both are believed until the moment named: the shop system's console is changed by hand.
    previous_token = models.CharField(_("previous token"), max_length=64, blank=True, default="")
    previous_token_until = models.DateTimeField(_("previous token until"), null=True, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("created by"),
    )
    last_received_at = models.DateTimeField(_("last received at"), null=True, blank=True)
    refused_at = models.DateTimeField(_("last refused at"), null=True, blank=True)
    refused_for = models.CharField(_("refused because"), max_length=200, blank=True, default="")

    class Meta:
        verbose_name = _("integration")
        verbose_name_plural = _("integrations")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                name="integration_is_of_a_known_form", condition=Q(kind__in=IntegrationKind.values)
            ),
            models.CheckConstraint(
                name="integration_is_of_a_known_platform", condition=Q(platform__in=Platform.values)
            ),
        ]

    def __str__(self):
        return self.name


class WebhookCall(models.Model):
    """One push of a shop system as it came; a job works out what it means."""

    integration = models.ForeignKey(
        Integration, models.PROTECT, related_name="calls", db_index=False, verbose_name=_("integration")
    )
    topic = models.CharField(_("topic"), max_length=60, blank=True, default="")
    body = models.BinaryField(_("body"))
    fingerprint = models.BinaryField(_("fingerprint"), max_length=32)
    received_at = models.DateTimeField(_("received at"))
    applied_at = models.DateTimeField(_("applied at"), null=True, blank=True)
    look_after = models.DateTimeField(_("look at it after"))
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    problem = models.CharField(_("problem"), max_length=200, blank=True, default="")

    class Meta:
        verbose_name = _("push of a shop system")
        verbose_name_plural = _("pushes of shop systems")
        constraints = [
            # A shop system repeats what it believes lost; a replay must not even be stored.
            models.UniqueConstraint(fields=["integration", "fingerprint"], name="webhook_call_is_stored_once"),
        ]
        indexes = [
            # apply(): holds only what waits.
            models.Index(name="webhook_call_waiting", fields=["look_after"], condition=Q(applied_at=None)),
            # purge(): what was understood long ago.
            models.Index(
                name="webhook_call_understood", fields=["received_at"], condition=Q(applied_at__isnull=False)
            ),
            # The list of pushes that were not understood in full.
            models.Index(name="webhook_call_with_problem", fields=["-id"], condition=~Q(problem="")),
        ]

    def __str__(self):
        return f"{self.integration_id}: {self.topic} #{self.pk}"
