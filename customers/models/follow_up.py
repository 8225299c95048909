"""FollowUp: a task for a person of the shop, to talk to a customer."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from customers.choices import FollowUpOutcome, FollowUpReason, FollowUpStatus
from customers.models.customer import Customer
from customers.models.order import Order


class FollowUpQuerySet(models.QuerySet):
    """Questions about follow-ups that have a name, and the verbs that move them."""

    def open(self):
        """Follow-ups that somebody still has to do."""
        return self.filter(status=FollowUpStatus.OPEN)

    def overdue(self, now):
        """Open ones whose time is over."""
        return self.open().filter(due_at__lt=now)

    def waiting_for(self, user):
        """Open ones that this person has taken, or that nobody has."""
        return self.open().filter(Q(owner=user) | Q(owner=None))

    def take(self, by):
        """Nobody's → theirs; answers how many."""
        return self.open().filter(owner=None).update(owner=by)

    def hand_over(self, to, *, of):
        """From the one who is believed to have it to somebody else, or to nobody; answers how many."""
        return self.open().filter(owner=of).update(owner=to)

    def first_call(self, now):
        """Write down the moment of the first call, once."""
        return self.open().filter(called_at=None).update(called_at=now)

    def finish(self, outcome, *, by, now, note=""):
        """Open → done, by a person who talked to the customer; answers how many."""
        return self.open().update(
            status=FollowUpStatus.DONE,
            outcome=outcome,
            note=note,
            finished_by=by,
            finished_at=now,
            called_at=models.functions.Coalesce("called_at", models.Value(now)),
        )

    def drop(self, now, *, by=None, note=""):
        """Open → dropped: what it was about is settled; answers how many."""
        return self.open().update(status=FollowUpStatus.DROPPED, finished_at=now, finished_by=by, note=note)


class FollowUp(models.Model):
    """
    A task for a person of the shop: talk to this customer, about this, until then.

        open ──▶ done (with what came of it)
          └────▶ dropped (not needed any more)

    `occasion` names what it was opened for, so that the same fact opens one and not two, however often it is seen.
    """

    customer = models.ForeignKey(
        Customer,
        models.DO_NOTHING,
        related_name="follow_ups",
        db_constraint=False,
        db_index=False,
        verbose_name=_("customer"),
    )
    order = models.ForeignKey(
        Order,
        models.DO_NOTHING,
        null=True,
        blank=True,
        related_name="follow_ups",
        db_constraint=False,
        db_index=False,
        verbose_name=_("order"),
    )
    occasion = models.CharField(_("occasion"), max_length=80, unique=True)
    reason = models.CharField(_("reason"), max_length=16, choices=FollowUpReason)
    detail = models.CharField(_("what happened"), max_length=300, blank=True, default="")
    script = models.TextField(_("what to say"), max_length=2000, blank=True, default="")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="follow_ups",
        db_index=False,
        verbose_name=_("owner"),
    )
    status = models.CharField(
        _("status"), max_length=8, choices=FollowUpStatus, default=FollowUpStatus.OPEN, db_default="open"
    )
    outcome = models.CharField(_("outcome"), max_length=12, choices=FollowUpOutcome, blank=True, default="")
    note = models.TextField(_("note"), max_length=2000, blank=True, default="")
    due_at = models.DateTimeField(_("to be done by"))
    called_at = models.DateTimeField(_("first call at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    finished_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("finished by"),
    )
    created_at = models.DateTimeField(_("opened at"), db_default=Now())

    objects = FollowUpQuerySet.as_manager()

    class Meta:
        verbose_name = _("follow-up")
        verbose_name_plural = _("follow-ups")
        constraints = [
            models.CheckConstraint(name="follow_up_has_a_known_status", condition=Q(status__in=FollowUpStatus.values)),
            models.CheckConstraint(name="follow_up_has_a_known_reason", condition=Q(reason__in=FollowUpReason.values)),
            models.CheckConstraint(
                name="follow_up_is_finished_once_it_is_not_open",
                condition=Q(status="open", finished_at=None) | ~Q(status="open") & Q(finished_at__isnull=False),
            ),
            models.CheckConstraint(
                name="follow_up_once_done_has_an_outcome",
                condition=Q(status="done", called_at__isnull=False) & ~Q(outcome="")
                | ~Q(status="done") & Q(outcome=""),
            ),
            models.CheckConstraint(
                name="follow_up_is_due_after_it_was_opened", condition=Q(due_at__gte=F("created_at"))
            ),
        ]
        indexes = [
            # The work list and the count in the menu.
            models.Index(fields=["due_at", "id"], name="follow_up_open", condition=Q(status="open")),
            models.Index(fields=["owner", "due_at"], name="follow_up_of_owner", condition=Q(status="open")),
            # The pages of a customer and of an order.
            models.Index(fields=["customer", "-id"], name="follow_up_of_customer"),
            models.Index(fields=["order"], name="follow_up_of_order", condition=Q(order__isnull=False)),
            # Reports on the time to the first call.
            models.Index(fields=["created_at"], name="follow_up_by_time"),
        ]

    def __str__(self):
        return f"{self.get_reason_display()} #{self.pk}"
