"""Receipt: what a provider reported later, raw first, meaning second."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from notifications.choices import CallbackKind
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
    kind = models.CharField(
        _("kind"),
        max_length=8,
        choices=CallbackKind,
        default=CallbackKind.RECEIPTS,
        db_default=CallbackKind.RECEIPTS,
    )
    body = models.BinaryField(_("body"))
    fingerprint = models.BinaryField(_("fingerprint"), max_length=32)
    received_at = models.DateTimeField(_("received at"))
    applied_at = models.DateTimeField(_("applied at"), null=True, blank=True)
    # One that came before the answer to its own call is looked at again, and holds up no other meanwhile.
    look_after = models.DateTimeField(_("look at it after"), db_default=Now())
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    problem = models.CharField(_("problem"), max_length=200, blank=True, default="")

    class Meta:
        # What stands here is what was pushed: receipts, and replies as well.
        verbose_name = _("callback")
        verbose_name_plural = _("callbacks")
        constraints = [
            # A provider repeats a callback it believes lost; a replay must not even be stored.
            models.UniqueConstraint(fields=["account", "fingerprint"], name="receipt_is_stored_once_per_account"),
        ]
        indexes = [
            # apply_receipts() and apply_replies(): holds only what waits.
            models.Index(name="receipt_waiting", fields=["kind", "look_after"], condition=Q(applied_at=None)),
            # purge(): what was understood long ago.
            models.Index(name="receipt_understood", fields=["received_at"], condition=Q(applied_at__isnull=False)),
            # The list of callbacks that were not understood in full.
            models.Index(name="receipt_with_problem", fields=["-id"], condition=~Q(problem="")),
        ]
