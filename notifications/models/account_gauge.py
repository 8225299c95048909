"""AccountGauge, what sending keeps of an account from call to call, and HealthChange, why its health moved."""

from decimal import Decimal

from django.db import models
from django.db.models import Q
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from notifications.models.provider_account import ProviderAccount

FULL_HEALTH, LEAST_HEALTH = 100, 5


class AccountGauge(models.Model):
    """
    What sending writes of an account: apart from it, so that no call waits for whoever saves the account.

    A row comes with the first thing there is to note. `paced_until` is when the pace allows the next
    call, `spent` counts for the day `spent_on` alone, `rests_until` ends a limit that the provider named.
    """

    account = models.OneToOneField(
        ProviderAccount,
        models.CASCADE,
        primary_key=True,
        related_name="gauge",
        verbose_name=_("provider account"),
    )
    paced_until = models.DateTimeField(_("next call at"), null=True, blank=True)
    spent_on = models.DateField(_("spent on"), null=True, blank=True)
    spent = models.DecimalField(_("spent"), max_digits=14, decimal_places=4, default=Decimal(0), db_default=Decimal(0))
    # A call did not fit any more; smaller ones still may.
    exhausted_on = models.DateField(_("budget used up on"), null=True, blank=True)
    rests_until = models.DateTimeField(_("rests until"), null=True, blank=True)
    health = models.PositiveSmallIntegerField(_("health"), default=FULL_HEALTH, db_default=FULL_HEALTH)
    health_changed_at = models.DateTimeField(_("health changed at"), null=True, blank=True)

    class Meta:
        verbose_name = _("gauge of an account")
        verbose_name_plural = _("gauges of accounts")
        constraints = [
            models.CheckConstraint(
                name="account_gauge_keeps_some_health", condition=Q(health__range=(LEAST_HEALTH, FULL_HEALTH))
            ),
            models.CheckConstraint(name="account_gauge_spends_nothing_negative", condition=Q(spent__gte=0)),
        ]

    def __str__(self):
        return f"{self.account}"


class HealthChange(models.Model):
    """One time an account's health moved, and why, in every language."""

    account = models.ForeignKey(
        ProviderAccount, models.CASCADE, related_name="health_changes", verbose_name=_("provider account")
    )
    health_before = models.PositiveSmallIntegerField(_("health before"))
    health = models.PositiveSmallIntegerField(_("health"))
    words = models.JSONField(_("reason"), default=dict)
    changed_at = models.DateTimeField(_("changed at"))

    class Meta:
        verbose_name = _("change of health")
        verbose_name_plural = _("changes of health")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="health_change_changes_something", condition=~Q(health=models.F("health_before"))
            ),
        ]

    @property
    def in_words(self) -> str:
        """Why, in the reader's language."""
        return self.words.get(get_language()) or next(iter(self.words.values()), "")
