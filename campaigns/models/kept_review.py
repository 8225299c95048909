"""KeptReview: the numbers of a large campaign's waterfall, counted by a worker and shown at once."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campaigns.choices import CountStatus
from campaigns.models.campaign import Campaign


class KeptReviewQuerySet(models.QuerySet):
    """The verbs that move a count; of two workers or tabs one succeeds."""

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
        """Counting → failed: it took too long, or the campaign cannot be counted any more."""
        return self.filter(status=CountStatus.COUNTING, begun_at=begun_at).update(
            status=CountStatus.FAILED, counted_at=now, result=None
        )


class KeptReview(models.Model):
    """
    What a campaign's waterfall was when somebody counted it, and what it was counted from.

    `fingerprint` changes with everything that staff can change: conditions, texts, shares, caps, hours, price.
    """

    campaign = models.OneToOneField(
        Campaign, models.CASCADE, related_name="kept_review", verbose_name=_("campaign"), primary_key=True
    )
    fingerprint = models.CharField(_("counted from"), max_length=64)
    status = models.CharField(_("status"), max_length=8, choices=CountStatus, default=CountStatus.WAITING)
    asked_at = models.DateTimeField(_("asked for"))
    begun_at = models.DateTimeField(_("begun"), null=True, blank=True)
    counted_at = models.DateTimeField(_("counted"), null=True, blank=True)
    result = models.JSONField(_("result"), null=True, blank=True)

    objects = KeptReviewQuerySet.as_manager()

    class Meta:
        verbose_name = _("kept review")
        verbose_name_plural = _("kept reviews")
        constraints = [
            models.CheckConstraint(name="kept_review_has_a_known_status", condition=Q(status__in=CountStatus.values)),
            models.CheckConstraint(
                name="kept_review_once_counted_has_a_result",
                condition=~Q(status=CountStatus.COUNTED) | Q(result__isnull=False, counted_at__isnull=False),
            ),
        ]
        indexes = [
            # count_waiting(), every few seconds.
            models.Index(fields=["status", "asked_at"], name="kept_review_in_status"),
        ]

    def __str__(self):
        return str(self.campaign)
