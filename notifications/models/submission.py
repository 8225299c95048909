"""Submission: one call to a provider, carrying many deliveries."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from notifications.choices import HeldFor, SubmissionStatus
from notifications.models.message import Message
from notifications.models.provider_account import ProviderAccount


class Submission(models.Model):
    """
    One call to a provider, carrying up to a batch of deliveries of one message.

        queued ──▶ leased ──▶ called ──▶ settled
          ▲          │ │         └─────▶ lost ──▶ settled
          └──────────┘ └──▶ empty

    A lease that runs out before `called_at` goes back to queued: nothing had left the house. One
    that runs out after it is lost, and its deliveries are unknown.
    """

    message = models.ForeignKey(
        Message, models.PROTECT, related_name="submissions", db_index=False, verbose_name=_("message")
    )
    account = models.ForeignKey(
        ProviderAccount,
        models.PROTECT,
        null=True,
        related_name="submissions",
        db_index=False,
        verbose_name=_("provider account"),
    )
    queue = models.CharField(_("queue"), max_length=6)
    status = models.CharField(_("status"), max_length=7, choices=SubmissionStatus, default=SubmissionStatus.QUEUED)
    priority = models.PositiveSmallIntegerField(_("priority"), default=0)
    send_after = models.DateTimeField(_("send after"))
    held_for = models.CharField(_("held for"), max_length=11, choices=HeldFor, blank=True, default="")
    size = models.PositiveIntegerField(_("deliveries"), default=0)
    token = models.UUIDField(_("token"), null=True, blank=True)
    lease_until = models.DateTimeField(_("lease until"), null=True, blank=True)
    called_at = models.DateTimeField(_("called at"), null=True, blank=True)
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)
    words = models.CharField(_("answer"), max_length=200, blank=True, default="")
    # Taken by nobody, or nobody knows: what the health of its account is measured by.
    has_failed = models.BooleanField(_("failed as a whole"), default=False, db_default=False)
    ask_at = models.DateTimeField(_("ask the provider at"), null=True, blank=True)
    asks = models.PositiveSmallIntegerField(_("times asked"), default=0, db_default=0)

    class Meta:
        verbose_name = _("submission")
        verbose_name_plural = _("submissions")
        constraints = [
            models.CheckConstraint(
                name="submission_is_leased_while_a_worker_has_it",
                condition=Q(
                    status__in=[SubmissionStatus.LEASED, SubmissionStatus.CALLED],
                    lease_until__isnull=False,
                    token__isnull=False,
                )
                | ~Q(status__in=[SubmissionStatus.LEASED, SubmissionStatus.CALLED]) & Q(lease_until=None),
            ),
            models.CheckConstraint(
                name="submission_once_called_has_called_at_and_account",
                condition=~Q(
                    status__in=[
                        SubmissionStatus.CALLED,
                        SubmissionStatus.SETTLED,
                        SubmissionStatus.LOST,
                    ]
                )
                | Q(called_at__isnull=False, account__isnull=False, token__isnull=False),
            ),
            models.CheckConstraint(
                name="submission_not_yet_called_has_no_called_at",
                condition=~Q(status__in=[SubmissionStatus.QUEUED, SubmissionStatus.LEASED]) | Q(called_at=None),
            ),
        ]
        indexes = [
            # lease(): holds only what still waits, in the order in which it is taken.
            models.Index(
                name="submission_due",
                fields=["queue", "priority", "send_after", "id"],
                condition=Q(status=SubmissionStatus.QUEUED),
            ),
            # recover_lost(): holds only what a worker has in hand.
            models.Index(
                name="submission_in_hand",
                fields=["lease_until"],
                condition=Q(status__in=[SubmissionStatus.LEASED, SubmissionStatus.CALLED]),
            ),
            # reconcile(): the calls whose messages an account is to be asked about.
            models.Index(name="submission_to_ask", fields=["account", "ask_at"], condition=Q(ask_at__isnull=False)),
            # The live page: what is in flight or held; and lost ones to reconcile.
            models.Index(name="submission_of_message", fields=["message", "status", "id"]),
            # How the accounts did in the last minutes.
            models.Index(name="submission_lately_called", fields=["called_at"], condition=Q(called_at__isnull=False)),
            # Receipts that name the call, and no message in it.
            models.Index(name="submission_of_token", fields=["token"], condition=Q(called_at__isnull=False)),
        ]

    def __str__(self):
        return f"{self.message} #{self.pk}"
