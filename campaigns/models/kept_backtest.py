"""KeptBacktest: what a reminder would have done to past orders, counted by a worker and shown at once."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campaigns.choices import CountStatus
from campaigns.models.reminder import Reminder


class KeptBacktestQuerySet(models.QuerySet):
    """The verbs that move a backtest; of two workers or tabs one succeeds."""

    def claim(self, now, *, fingerprint):
        """Waiting → counting."""
        return self.filter(status=CountStatus.WAITING).update(
            status=CountStatus.COUNTING, begun_at=now, fingerprint=fingerprint
        )

    def keep(self, begun_at, *, now, result):
        """Counting → counted, for whoever began it at that moment."""
        return self.filter(status=CountStatus.COUNTING, begun_at=begun_at).update(
            status=CountStatus.COUNTED, counted_at=now, result=result
        )

    def fail(self, begun_at, *, now):
        """Counting → failed: it took too long, or the reminder cannot be asked any more."""
        return self.filter(status=CountStatus.COUNTING, begun_at=begun_at).update(
            status=CountStatus.FAILED, counted_at=now, result=None
        )


class KeptBacktest(models.Model):
    """
    What a reminder would have done when somebody looked, and what it was counted from.

    Its examples hold customers' texts: the row is deleted once it is no longer fresh.
    """

    reminder = models.OneToOneField(
        Reminder, models.CASCADE, related_name="kept_backtest", verbose_name=_("reminder"), primary_key=True
    )
    fingerprint = models.CharField(_("counted from"), max_length=64)
    status = models.CharField(_("status"), max_length=8, choices=CountStatus, default=CountStatus.WAITING)
    asked_at = models.DateTimeField(_("asked for"))
    begun_at = models.DateTimeField(_("begun"), null=True, blank=True)
    counted_at = models.DateTimeField(_("counted"), null=True, blank=True)
    result = models.JSONField(_("result"), null=True, blank=True)

    objects = KeptBacktestQuerySet.as_manager()

    class Meta:
        verbose_name = _("kept backtest")
        verbose_name_plural = _("kept backtests")
        constraints = [
            models.CheckConstraint(
                name="kept_backtest_has_a_known_status", condition=Q(status__in=CountStatus.values)
            ),
            models.CheckConstraint(
                name="kept_backtest_once_counted_has_a_result",
                condition=~Q(status=CountStatus.COUNTED) | Q(result__isnull=False, counted_at__isnull=False),
            ),
        ]
        indexes = [
            # count_waiting(), every few seconds.
            models.Index(fields=["status", "asked_at"], name="kept_backtest_in_status"),
        ]

    def __str__(self):
        return str(self.reminder)
