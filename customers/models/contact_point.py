"""ContactPoint: one address on one channel."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Right
from django.utils.translation import gettext_lazy as _

from customers import phone
from customers.choices import Channel
from customers.models.customer import Customer


def masked(address: str) -> str:
    """An address for people who need not know it: 138****8000, l****@example.com."""
    name, at, domain = address.rpartition("@")
    return f"{name[:1]}****@{domain}" if at else phone.mask(address)


class ContactPoint(models.Model):
    """
    One address of a customer on one channel.

    Mainland phone numbers are stored as eleven digits, e-mail addresses in lower case. Messages go
    to the primary one.
    """

    customer = models.ForeignKey(
        Customer,
        models.CASCADE,
        related_name="contact_points",
        db_constraint=False,
        db_index=False,
        verbose_name=_("customer"),
    )
    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    address = models.CharField(_("address"), max_length=254)
    is_primary = models.BooleanField(_("primary"), default=True)
    tail = models.GeneratedField(
        verbose_name=_("last four"),
        expression=Right("address", 4),
        output_field=models.CharField(max_length=4),
        db_persist=True,
    )
    created_at = models.DateTimeField(_("created at"), db_default=models.functions.Now())

    class Meta:
        verbose_name = _("contact point")
        verbose_name_plural = _("contact points")
        constraints = [
            models.CheckConstraint(name="contact_point_has_an_address", condition=~Q(address="")),
            models.UniqueConstraint(fields=["customer", "channel", "address"], name="contact_point_is_listed_once"),
            models.UniqueConstraint(
                fields=["customer", "channel"],
                condition=Q(is_primary=True),
                name="contact_point_is_primary_once_per_channel",
            ),
        ]
        indexes = [
            # Search by whole address, matching of imports, replies and opt-outs.
            models.Index(fields=["address", "channel"], name="contact_point_address"),
            # The customer list's search by the last four digits; those of e-mail addresses are nearly all the same.
            models.Index(fields=["tail", "customer"], condition=Q(channel=Channel.SMS), name="contact_point_tail"),
        ]

    def __str__(self):
        return masked(self.address)
