"""Receipt: what a provider reported later, raw first, meaning second."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from notifications.models.provider_account import ProviderAccount


class Receipt(models.Model):
    """One callback of a provider as it came; a job works out what it means."""

    account = models.ForeignKey(
        ProviderAccount,
        models.PROTECT,
        related_name="receipts",
        db_index=False,
        verbose_name=_("provider account"),
    )
    body = models.BinaryField(_("body"))
    fingerprint = models.BinaryField(_("fingerprint"), max_length=32)
    received_at = models.DateTimeField(_("received at"))
    applied_at = models.DateTimeField(_("applied at"), null=True, blank=True)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    problem = models.CharField(_("problem"), max_length=200, blank=True, default="")

    class Meta:
        verbose_name = _("receipt")
        verbose_name_plural = _("receipts")
        constraints = [
            # A provider repeats a callback it believes lost; a replay must not even be stored.
            models.UniqueConstraint(fields=["account", "fingerprint"], name="receipt_is_stored_once_per_account"),
        ]
        indexes = [
            # apply_receipts(): holds only what waits.
            models.Index(name="receipt_waiting", fields=["received_at"], condition=Q(applied_at=None)),
        ]
