"""AlertChannel, where staff are told; Alert, what is wrong; AlertNotice, one told to the other."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from notifications.choices import AlertChannelKind, AlertKind


def every_kind() -> list[str]:
    """A new channel is told everything."""
    return list(AlertKind.values)


class AlertChannel(models.Model):
    """
    A group bot or mailbox of the staff; the bot's address is as secret as its key.

    Both are stored encrypted and never shown again.
    """

    name = models.CharField(_("name"), max_length=60, unique=True)
    kind = models.CharField(_("kind"), max_length=8, choices=AlertChannelKind)
    encrypted_address = models.BinaryField(_("bot's address"), blank=True, default=b"")
    encrypted_secret = models.BinaryField(_("signing key"), blank=True, default=b"")
    recipients = models.CharField(_("recipients"), max_length=500, blank=True, default="")
    alert_kinds = ArrayField(
        models.CharField(max_length=13, choices=AlertKind), verbose_name=_("tells of"), default=every_kind
    )
    language = models.CharField(_("language"), max_length=10, choices=settings.LANGUAGES, default="zh-hans")
    minimum_gap_minutes = models.PositiveSmallIntegerField(
        _("same thing again after (minutes)"),
        default=60,
        validators=[MinValueValidator(1), MaxValueValidator(10_080)],
    )
    is_active = models.BooleanField(_("active"), default=True)
    problem = models.CharField(_("problem"), max_length=200, blank=True, default="")
    created_at = models.DateTimeField(_("created at"), db_default=models.functions.Now())

    class Meta:
        verbose_name = _("alert channel")
        verbose_name_plural = _("alert channels")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                name="alert_channel_has_an_address",
                condition=Q(kind=AlertChannelKind.EMAIL) & ~Q(recipients="")
                | ~Q(kind=AlertChannelKind.EMAIL) & ~Q(encrypted_address=b""),
            ),
            models.CheckConstraint(
                name="alert_channel_leaves_a_minute_between_equal_alerts", condition=Q(minimum_gap_minutes__gte=1)
            ),
        ]

    def __str__(self):
        return self.name


class AlertQuerySet(models.QuerySet):
    """Questions about alerts."""

    def open(self):
        """What is still wrong."""
        return self.filter(ended_at=None)


class Alert(models.Model):
    """Something that needs a person: raised once per cause, ended when the cause is gone."""

    kind = models.CharField(_("kind"), max_length=13, choices=AlertKind)
    cause = models.CharField(_("cause"), max_length=80)
    words = models.JSONField(_("what is wrong"), default=dict)
    page = models.CharField(_("page"), max_length=300, blank=True, default="")
    raised_at = models.DateTimeField(_("raised at"))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    objects = AlertQuerySet.as_manager()

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "cause"], condition=Q(ended_at=None), name="alert_is_open_once_per_cause"
            ),
            models.CheckConstraint(name="alert_has_a_known_kind", condition=Q(kind__in=AlertKind.values)),
            models.CheckConstraint(
                name="alert_ends_after_it_is_raised", condition=Q(ended_at=None) | Q(ended_at__gte=F("raised_at"))
            ),
        ]
        indexes = [
            # Whether a channel was told of the same cause lately.
            models.Index(fields=["kind", "cause", "-raised_at"], name="alert_of_cause"),
        ]

    def __str__(self):
        return f"{self.get_kind_display()} #{self.pk}"

    @property
    def in_words(self) -> str:
        """What is wrong, in the reader's language."""
        return self.words.get(get_language()) or next(iter(self.words.values()), "")


class AlertNotice(models.Model):
    """
    One alert to one channel; `send_after` moves ahead while somebody is sending it.

    A crash in between means a second try: an alert that comes twice does less harm than none.
    """

    alert = models.ForeignKey(Alert, models.CASCADE, related_name="notices", verbose_name=_("alert"))
    channel = models.ForeignKey(AlertChannel, models.CASCADE, related_name="notices", verbose_name=_("alert channel"))
    send_after = models.DateTimeField(_("send after"))
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    problem = models.CharField(_("problem"), max_length=200, blank=True, default="")

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        constraints = [
            models.UniqueConstraint(fields=["alert", "channel"], name="alert_notice_is_one_per_channel"),
        ]
        indexes = [
            # What waits to be sent.
            models.Index(name="alert_notice_waiting", fields=["send_after"], condition=Q(sent_at=None)),
        ]
