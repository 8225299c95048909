"""Delivery: one message to one customer; its holds and its tally."""

from datetime import timedelta

from django.db import models
from django.db.models import Case, F, Func, Q, Value, When
from django.utils.translation import gettext_lazy as _

from customers.models import Customer
from notifications.choices import HANDED_OVER, DeliveryStatus, HeldFor, SubmissionStatus
from notifications.models.message import Message
from notifications.models.submission import Submission

# Carriers report within hours; what they have not reported by then they never do.
TOO_LATE_FOR_A_RECEIPT = Func(function="hongyan_now", output_field=models.DateTimeField()) - timedelta(hours=72)


class DeliveryQuerySet(models.QuerySet):
    """Questions about deliveries that have a name."""

    def not_finished(self):
        """Queued or sent; in the words of the index `delivery_not_finished`."""
        return self.filter(finished_at=None, reason="")

    def arrived(self):
        """Delivered; in the words of the index `delivery_arrived`."""
        return self.filter(finished_at__isnull=False, reason="")

    def with_state(self):
        """
        Annotate `state`: the stored status, or what a clock or the submission adds to it.

        It is `sending` while the provider has it unanswered, and `no_receipt` when none came for
        three days; one that comes later still moves it.
        """
        return self.annotate(
            state=Case(
                When(
                    status=DeliveryStatus.QUEUED,
                    submission__status=SubmissionStatus.CALLED,
                    then=Value("sending"),
                ),
                When(status=DeliveryStatus.SENT, sent_at__lt=TOO_LATE_FOR_A_RECEIPT, then=Value("no_receipt")),
                default=F("status"),
            )
        )


class Delivery(models.Model):
    """
    One message to one customer.

        queued ──▶ (sending) ──▶ sent ──▶ delivered
          │                │       └────▶ undelivered ──▶ delivered
          ├──▶ skipped     ├──▶ failed
          └──▶ canceled    └──▶ unknown ──▶ sent, delivered, undelivered, failed

    Written twice on its way: by plan() and by settle(). While a worker has its submission it is
    being sent, which `with_state()` tells; storing that here would cost a third write per message
    and a third of the throughput. Parents never vanish, so their keys are not checked per row
    (measured: three checked keys cost three times the insert itself).
    """

    message = models.ForeignKey(
        Message,
        models.DO_NOTHING,
        related_name="deliveries",
        db_constraint=False,
        db_index=False,
        verbose_name=_("message"),
    )
    customer = models.ForeignKey(
        Customer,
        models.DO_NOTHING,
        null=True,
        related_name="deliveries",
        db_constraint=False,
        db_index=False,
        verbose_name=_("customer"),
    )
    occasion = models.CharField(_("occasion"), max_length=80)
    address = models.CharField(_("address"), max_length=254, blank=True, default="")
    submission = models.ForeignKey(
        Submission,
        models.DO_NOTHING,
        null=True,
        related_name="deliveries",
        db_constraint=False,
        db_index=False,
        verbose_name=_("submission"),
    )
    status = models.CharField(
        _("status"),
        max_length=11,
        choices=DeliveryStatus,
        default=DeliveryStatus.QUEUED,
        db_default=DeliveryStatus.QUEUED,
    )
    reason = models.CharField(_("reason"), max_length=40, blank=True, default="", db_default="")
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0, db_default=0)
    values = models.JSONField(_("personal values"), null=True, blank=True)
    segments = models.PositiveSmallIntegerField(_("billed segments"), default=0, db_default=0)
    cost = models.DecimalField(_("cost"), max_digits=10, decimal_places=4, default=0, db_default=0)
    provider_id = models.CharField(_("provider's number"), max_length=80, blank=True, default="", db_default="")
    # Where a message stays open for good, as those of reminders do; otherwise the message's own hour counts.
    send_until = models.DateTimeField(_("of use until"), null=True, blank=True)
    created_at = models.DateTimeField(_("planned at"))
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        permissions = [
            ("resend_delivery", _("Can send again what did not arrive")),
            ("export_delivery", _("Can export sending records")),
        ]
        constraints = [
            models.UniqueConstraint(fields=["customer", "occasion"], name="delivery_happens_once_per_occasion"),
            models.UniqueConstraint(
                fields=["occasion", "address"],
                condition=~Q(address=""),
                name="delivery_reaches_an_address_once_per_occasion",
            ),
            models.CheckConstraint(
                name="delivery_has_a_known_status",
                condition=Q(status__in=DeliveryStatus.values),
            ),
            models.CheckConstraint(
                name="delivery_is_skipped_for_a_reason",
                condition=~Q(status__in=[DeliveryStatus.SKIPPED, DeliveryStatus.FAILED]) | ~Q(reason=""),
            ),
            models.CheckConstraint(
                name="delivery_once_sent_has_sent_at",
                condition=~Q(status__in=HANDED_OVER) | Q(sent_at__isnull=False),
            ),
            models.CheckConstraint(
                name="delivery_has_an_address_unless_skipped",
                condition=~Q(address="") | Q(status=DeliveryStatus.SKIPPED),
            ),
        ]
        indexes = [
            # authorize() and settle(): the rows of one call.
            models.Index(fields=["submission"], name="delivery_of_submission"),
            # Every row lies in one of the next three, by which the lists find a message's people in each state.
            # None of them may name what settling a taken message writes (status, attempts, values, segments,
            # cost, provider_id, sent_at): then PostgreSQL leaves all indexes alone, and settling costs 9 µs of
            # its time for each message instead of 22. Queued is told from sent by the submission.
            models.Index(
                fields=["message", "submission", "id"],
                name="delivery_not_finished",
                condition=Q(finished_at=None, reason=""),
            ),
            models.Index(
                fields=["message", "id"],
                name="delivery_arrived",
                condition=Q(finished_at__isnull=False, reason=""),
            ),
            models.Index(fields=["message", "reason", "id"], name="delivery_for_a_reason", condition=~Q(reason="")),
            # Calls that staff owe to customers: what ended lately without arriving. It names nothing that settling a
            # taken message writes, and holds none of those who were left out when the message was planned.
            models.Index(
                fields=["finished_at"],
                name="delivery_did_not_arrive",
                condition=Q(finished_at__isnull=False) & ~Q(reason=""),
            ),
        ]

    def __str__(self):
        return f"{self.occasion} #{self.pk}"


class Hold(models.Model):
    """A queued delivery that waits for its cap to free; it has no submission until then."""

    delivery = models.OneToOneField(
        Delivery,
        models.DO_NOTHING,
        primary_key=True,
        related_name="hold",
        db_constraint=False,
        verbose_name=_("delivery"),
    )
    message = models.ForeignKey(
        Message,
        models.DO_NOTHING,
        related_name="holds",
        db_constraint=False,
        db_index=False,
        verbose_name=_("message"),
    )
    held_for = models.CharField(_("held for"), max_length=11, choices=HeldFor)
    rule_id = models.BigIntegerField(_("rule"), null=True, blank=True)
    send_after = models.DateTimeField(_("send after"))

    class Meta:
        verbose_name = _("held delivery")
        verbose_name_plural = _("held deliveries")
        indexes = [
            # regroup(): what is due.
            models.Index(fields=["send_after"], name="hold_due"),
            # The live page's number of held people, and cancel().
            models.Index(fields=["message", "send_after"], name="hold_of_message"),
        ]


class DeliveryTally(models.Model):
    """
    Deltas of a message's sums by state, written by a trigger on Delivery, squashed by a job.

    The sum over a message's rows equals its deliveries at every moment, whoever wrote them, and
    reading it costs the same for ten recipients and for a million.
    """

    message = models.ForeignKey(
        Message,
        models.DO_NOTHING,
        related_name="tallies",
        db_constraint=False,
        db_index=False,
        verbose_name=_("message"),
    )
    status = models.CharField(_("status"), max_length=11, choices=DeliveryStatus)
    reason = models.CharField(_("reason"), max_length=40, blank=True, default="")
    count = models.BigIntegerField(_("deliveries"))
    segments = models.BigIntegerField(_("billed segments"))
    cost = models.DecimalField(_("cost"), max_digits=14, decimal_places=4)

    class Meta:
        verbose_name = _("tally")
        verbose_name_plural = _("tallies")
        indexes = [
            # The live page, reports and the squashing job.
            models.Index(fields=["message", "status", "reason"], name="tally_of_message"),
        ]
