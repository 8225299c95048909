"""Reply: a text that a customer sent back."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from customers.models import Customer
from customers.models.contact_point import masked
from notifications.choices import ReplyHandling, ReplyMeaning
from notifications.models.provider_account import ProviderAccount


class ReplyQuerySet(models.QuerySet):
    """Questions about replies that have a name."""

    def needing_attention(self):
        """Replies that a person has to look at: nobody did, and their words were no plain opt-out."""
        return self.filter(handled_at=None).exclude(meaning=ReplyMeaning.OPT_OUT)

    def handle(self, handling: ReplyHandling, *, by, now) -> int:
        """Unhandled → handled by a person; answers how many."""
        return self.filter(handled_at=None).update(handled_as=handling, handled_by=by, handled_at=now)


class Reply(models.Model):
    """
    A text that a customer sent back, and what was made of it.

        (opt-out: applied in the transaction that writes it)
        waits for a person ──▶ opted_out, no_opt_out, answered

    The number may belong to several customers or to none yet; `customer` is the one whom we wrote
    to last. Kept as evidence of opt-outs when the callback itself is purged.
    """

    account = models.ForeignKey(
        ProviderAccount,
        models.PROTECT,
        related_name="replies",
        db_index=False,
        verbose_name=_("provider account"),
    )
    customer = models.ForeignKey(
        Customer,
        models.DO_NOTHING,
        null=True,
        blank=True,
        related_name="replies",
        db_constraint=False,
        db_index=False,
        verbose_name=_("customer"),
    )
    number = models.CharField(_("number"), max_length=254, blank=True)
    text = models.TextField(_("text"), max_length=2000, blank=True)
    signature = models.CharField(_("signature"), max_length=60, blank=True)
    provider_id = models.CharField(_("provider's number"), max_length=80, blank=True)
    fingerprint = models.BinaryField(_("fingerprint"), max_length=32)
    said_at = models.DateTimeField(_("said at"))
    received_at = models.DateTimeField(_("received at"))
    meaning = models.CharField(_("meaning"), max_length=12, choices=ReplyMeaning)
    handled_as = models.CharField(_("handled as"), max_length=10, choices=ReplyHandling, blank=True, default="")
    handled_at = models.DateTimeField(_("handled at"), null=True, blank=True)
    handled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("handled by"),
    )

    objects = ReplyQuerySet.as_manager()

    class Meta:
        verbose_name = _("reply")
        verbose_name_plural = _("replies")
        constraints = [
            # A provider repeats what it believes lost, alone or among others.
            models.UniqueConstraint(fields=["account", "fingerprint"], name="reply_is_kept_once_per_account"),
            models.CheckConstraint(
                name="reply_is_handled_by_a_person_at_a_moment",
                condition=Q(handled_as="", handled_at=None, handled_by=None)
                | ~Q(handled_as="") & Q(handled_at__isnull=False, handled_by__isnull=False),
            ),
            models.CheckConstraint(name="reply_has_a_known_meaning", condition=Q(meaning__in=ReplyMeaning.values)),
        ]
        indexes = [
            # The list of what waits for a person, and its number on the dashboard.
            models.Index(
                name="reply_needing_attention",
                fields=["-id"],
                condition=Q(handled_at=None) & ~Q(meaning=ReplyMeaning.OPT_OUT),
            ),
            # The list's filter by meaning, newest first.
            models.Index(name="reply_of_meaning", fields=["meaning", "-id"]),
            # The conversation on the customer's page.
            models.Index(name="reply_from_number", fields=["number", "said_at"]),
            # blank_erased().
            models.Index(name="reply_of_customer", fields=["customer"]),
        ]

    def __str__(self):
        return masked(self.number)
