"""BrakeRule, the limits of the automatic brake, and BrakePull, each time it stopped a message."""

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from notifications.choices import BrakeKind
from notifications.models.message import Message

PERCENT = [MinValueValidator(Decimal("0.1")), MaxValueValidator(Decimal("100"))]


class BrakeRule(models.Model):
    """The one row of limits; an empty limit switches its brake off."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    error_percent = models.DecimalField(
        _("calls that fail (%)"), max_digits=4, decimal_places=1, null=True, blank=True, default=20, validators=PERCENT
    )
    error_minimum = models.PositiveIntegerField(
        _("from so many messages on"), default=50, validators=[MinValueValidator(10), MaxValueValidator(100_000)]
    )
    error_minutes = models.PositiveSmallIntegerField(
        _("within minutes"), default=5, validators=[MinValueValidator(1), MaxValueValidator(60)]
    )
    opt_out_percent = models.DecimalField(
        _("opt-outs (%)"), max_digits=4, decimal_places=1, null=True, blank=True, default=2, validators=PERCENT
    )
    complaint_percent = models.DecimalField(
        _("complaints (%)"),
        max_digits=4,
        decimal_places=1,
        null=True,
        blank=True,
        default=Decimal("0.3"),
        validators=PERCENT,
    )
    answer_minimum = models.PositiveIntegerField(
        _("from so many people on"), default=200, validators=[MinValueValidator(10), MaxValueValidator(1_000_000)]
    )
    canary_percent = models.DecimalField(
        _("first part (%)"), max_digits=4, decimal_places=1, default=1, validators=PERCENT
    )
    canary_minimum = models.PositiveIntegerField(
        _("at least so many"), default=200, validators=[MinValueValidator(10), MaxValueValidator(100_000)]
    )
    canary_minutes = models.PositiveSmallIntegerField(
        _("wait for receipts (minutes)"), default=15, validators=[MinValueValidator(1), MaxValueValidator(600)]
    )
    canary_undelivered_percent = models.DecimalField(
        _("undelivered at most (%)"), max_digits=4, decimal_places=1, default=10, validators=PERCENT
    )

    class Meta:
        verbose_name = _("brake")
        verbose_name_plural = _("brake")
        constraints = [
            models.CheckConstraint(name="brake_rule_is_one_row", condition=Q(id=1)),
            models.CheckConstraint(
                name="brake_rule_looks_at_10_or_more",
                condition=Q(error_minimum__gte=10, answer_minimum__gte=10, canary_minimum__gte=10),
            ),
            models.CheckConstraint(
                name="brake_rule_waits_a_minute_or_more", condition=Q(error_minutes__gte=1, canary_minutes__gte=1)
            ),
        ]

    def __str__(self):
        return str(self._meta.verbose_name)


class BrakePull(models.Model):
    """
    One time the brake stopped a message: why, in every language, and how many had it by then.

    What went before a pull is never held against the message again: staff who let it go on have
    decided about it.
    """

    message = models.ForeignKey(Message, models.CASCADE, related_name="brake_pulls", verbose_name=_("message"))
    kind = models.CharField(_("brake"), max_length=10, choices=BrakeKind)
    words = models.JSONField(_("reason"), default=dict)
    sent_count = models.PositiveIntegerField(_("handed over"), default=0)
    pulled_at = models.DateTimeField(_("stopped at"))

    class Meta:
        verbose_name = _("stop by the brake")
        verbose_name_plural = _("stops by the brake")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(name="brake_pull_has_a_known_kind", condition=Q(kind__in=BrakeKind.values)),
        ]

    @property
    def in_words(self) -> str:
        """Why, in the reader's language."""
        return self.words.get(get_language()) or next(iter(self.words.values()), "")
