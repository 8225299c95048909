"""InboxItem: a message in the inbox that the shop's own site shows."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from customers.models import Customer
from notifications.models.delivery import Delivery


class InboxItem(models.Model):
    """A message in a customer's inbox; the shop's own site reads it through the API."""

    delivery = models.OneToOneField(
        Delivery,
        models.DO_NOTHING,
        related_name="inbox_item",
        db_constraint=False,
        verbose_name=_("delivery"),
    )
    customer = models.ForeignKey(
        Customer,
        models.DO_NOTHING,
        related_name="inbox_items",
        db_constraint=False,
        db_index=False,
        verbose_name=_("customer"),
    )
    subject = models.CharField(_("subject"), max_length=120, blank=True, default="")
    body = models.TextField(_("text"))
    created_at = models.DateTimeField(_("arrived at"))
    read_at = models.DateTimeField(_("read at"), null=True, blank=True)
    hidden_at = models.DateTimeField(_("removed at"), null=True, blank=True)

    class Meta:
        verbose_name = _("item in an inbox")
        verbose_name_plural = _("items in inboxes")
        indexes = [
            # The inbox, newest first.
            models.Index(fields=["customer", "-id"], name="inbox_of_customer", condition=Q(hidden_at=None)),
        ]

    def __str__(self):
        return self.subject or self.body[:30]
