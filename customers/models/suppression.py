"""Suppression: an address that is closed, whoever owns it."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from customers.choices import Channel, SuppressionReason, SuppressionScope


class Suppression(models.Model):
    """An address that no message, or no marketing and care, may go to; it outlives the customer."""

    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    address = models.CharField(_("address"), max_length=254)
    scope = models.CharField(_("closed for"), max_length=9, choices=SuppressionScope)
    reason = models.CharField(_("reason"), max_length=10, choices=SuppressionReason)
    note = models.CharField(_("note"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("created at"), db_default=models.functions.Now())
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("recorded by"),
    )

    class Meta:
        verbose_name = _("suppressed address")
        verbose_name_plural = _("suppressed addresses")
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "address"],
                include=["scope"],
                name="suppression_is_one_row_per_address",
            ),
        ]

    def __str__(self):
        return f"{self.get_channel_display()} {self.address[-4:]}"
