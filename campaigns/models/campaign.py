"""Campaign and its variants."""

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Sum
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from campaigns.choices import CampaignStatus, Timing
from campaigns.models.segment import Segment
from customers.choices import Channel
from notifications.choices import CapPolicy, DeliveryStatus
from notifications.models import DeliveryTally, Message, Template


class CampaignQuerySet(models.QuerySet):
    """The verbs that move a campaign, and questions about campaigns that have a name."""

    def due(self, now):
        """Scheduled campaigns whose time has come."""
        return self.filter(status=CampaignStatus.SCHEDULED, scheduled_for__lte=now)

    def done(self):
        """Running campaigns none of whose deliveries waits any longer."""
        queued = DeliveryTally.objects.filter(message__variant__campaign=OuterRef("pk"), status=DeliveryStatus.QUEUED)
        waiting = queued.order_by().values("message").annotate(total=Sum("count")).filter(total__gt=0)
        return self.filter(~Exists(waiting), status=CampaignStatus.RUNNING)

    def with_pause(self):
        """Annotate `is_paused`: a message of the campaign is stopped, by staff or by the brake."""
        stopped = Message.objects.filter(variant__campaign=OuterRef("pk"), paused_at__isnull=False)
        return self.annotate(is_paused=Exists(stopped))

    def schedule(self, moment, *, by, estimate):
        """Draft → scheduled."""
        return self.filter(status=CampaignStatus.DRAFT).update(
            status=CampaignStatus.SCHEDULED,
            scheduled_for=moment,
            scheduled_by=by,
            estimate=estimate,
            problem={},
            version=F("version") + 1,
        )

    def unschedule(self):
        """Scheduled → draft, for another edit."""
        return self.filter(status=CampaignStatus.SCHEDULED).update(
            status=CampaignStatus.DRAFT,
            scheduled_for=None,
            scheduled_by=None,
            estimate=None,
            problem={},
            version=F("version") + 1,
        )

    def launch(self, now):
        """Scheduled → running."""
        return self.filter(status=CampaignStatus.SCHEDULED).update(
            status=CampaignStatus.RUNNING, launched_at=now, problem={}, version=F("version") + 1
        )

    def finish(self, now):
        """Running → finished."""
        return self.filter(status=CampaignStatus.RUNNING).update(status=CampaignStatus.FINISHED, finished_at=now)

    def delay(self, *, problem):
        """Note why a scheduled campaign could not start yet."""
        return self.filter(status=CampaignStatus.SCHEDULED).update(problem=problem)

    def miss(self, now, *, problem):
        """Scheduled → missed: its time passed before it could start."""
        return self.filter(status=CampaignStatus.SCHEDULED).update(
            status=CampaignStatus.MISSED, finished_at=now, problem=problem, version=F("version") + 1
        )

    def reopen(self, *, timing):
        """Missed → draft, for another hour."""
        return self.filter(status=CampaignStatus.MISSED).update(
            status=CampaignStatus.DRAFT,
            timing=timing,
            planned_for=None,
            scheduled_for=None,
            scheduled_by=None,
            finished_at=None,
            estimate=None,
            problem={},
            version=F("version") + 1,
        )

    def cancel(self, now, *, by):
        """Draft, scheduled, running or missed → canceled."""
        return self.exclude(status__in=[CampaignStatus.FINISHED, CampaignStatus.CANCELED]).update(
            status=CampaignStatus.CANCELED, finished_at=now, canceled_by=by, version=F("version") + 1
        )


class Campaign(models.Model):
    """
    A segment, one or more variants, and a time.

        draft ◀──▶ scheduled ──▶ running ──▶ finished
          │ ▲          │             │
          │ └─ missed ◀┤             │
          │      │     │             │
          └──────┴─────┴─▶ canceled ◀┘

    `estimate` is what staff saw and confirmed when they scheduled it; `problem` holds, for each
    language, the sentence that says why it did not start.
    """

    name = models.CharField(_("name"), max_length=100)
    segment = models.ForeignKey(Segment, models.PROTECT, related_name="campaigns", verbose_name=_("segment"))
    channel = models.CharField(_("channel"), max_length=10, choices=Channel, default=Channel.SMS)
    cap_policy = models.CharField(_("customers over the cap"), max_length=4, choices=CapPolicy, default=CapPolicy.SKIP)
    timing = models.CharField(_("when"), max_length=7, choices=Timing, default=Timing.AT)
    planned_for = models.DateTimeField(_("date and time"), null=True, blank=True)
    holiday = models.CharField(_("holiday"), max_length=30, blank=True, default="")
    holiday_time = models.TimeField(_("at"), null=True, blank=True)
    valid_hours = models.PositiveSmallIntegerField(_("may go out for (hours)"), default=12)
    has_canary = models.BooleanField(_("try a first part"), default=False, db_default=False)
    status = models.CharField(_("status"), max_length=9, choices=CampaignStatus, default=CampaignStatus.DRAFT)
    scheduled_for = models.DateTimeField(_("scheduled for"), null=True, blank=True)
    launched_at = models.DateTimeField(_("launched at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    estimate = models.JSONField(_("estimate"), null=True, blank=True)
    problem = models.JSONField(_("problem"), default=dict, blank=True)
    version = models.PositiveIntegerField(_("version"), default=1)
    created_at = models.DateTimeField(_("created at"), db_default=models.functions.Now())
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("created by"),
    )
    scheduled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("scheduled by"),
    )
    canceled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("canceled by"),
    )

    objects = CampaignQuerySet.as_manager()

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        ordering = ["-id"]
        permissions = [
            ("launch_campaign", _("Can schedule and launch campaigns")),
            ("pause_campaign", _("Can pause and resume campaigns")),
            ("cancel_campaign", _("Can cancel campaigns")),
            ("test_campaign", _("Can send test messages")),
            ("export_campaign", _("Can export the results of campaigns")),
        ]
        constraints = [
            models.CheckConstraint(
                name="campaign_once_scheduled_has_a_time",
                condition=~Q(
                    status__in=[
                        CampaignStatus.SCHEDULED,
                        CampaignStatus.RUNNING,
                        CampaignStatus.FINISHED,
                        CampaignStatus.MISSED,
                    ]
                )
                | Q(scheduled_for__isnull=False),
            ),
            models.CheckConstraint(
                name="campaign_once_running_has_launched_at",
                condition=~Q(status__in=[CampaignStatus.RUNNING, CampaignStatus.FINISHED])
                | Q(launched_at__isnull=False),
            ),
            models.CheckConstraint(
                name="campaign_is_valid_for_1_to_720_hours", condition=Q(valid_hours__range=(1, 720))
            ),
            models.CheckConstraint(name="campaign_has_a_known_status", condition=Q(status__in=CampaignStatus.values)),
        ]
        indexes = [
            # launch_due() and finish_done(), every few seconds.
            models.Index(fields=["status", "scheduled_for"], name="campaign_in_status"),
        ]

    def __str__(self):
        return self.name

    @property
    def problem_in_words(self) -> str:
        """Why it did not start, in the reader's language; '' if nothing is wrong."""
        return self.problem.get(get_language()) or next(iter(self.problem.values()), "")

    @property
    def message_ids(self) -> list[int]:
        """The frozen messages of its variants; none before the launch."""
        return [variant.message_id for variant in self.variants.all() if variant.message_id]


class Variant(models.Model):
    """One text of a campaign and its share of the audience in percent."""

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="variants", verbose_name=_("campaign"))
    template = models.ForeignKey(Template, models.PROTECT, related_name="variants", verbose_name=_("template"))
    share = models.PositiveSmallIntegerField(_("share in percent"), default=100)
    message = models.OneToOneField(
        Message, models.PROTECT, null=True, blank=True, related_name="variant", verbose_name=_("message")
    )

    class Meta:
        verbose_name = _("variant")
        verbose_name_plural = _("variants")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(name="variant_share_is_1_to_100_percent", condition=Q(share__range=(1, 100))),
        ]

    def __str__(self):
        return str(self.template)
