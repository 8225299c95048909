"""SendingSwitch, which stops everything, and DatabaseIdentity, by which a restored database is known."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from notifications.choices import StopReason


class SendingSwitchQuerySet(models.QuerySet):
    """The verbs that move the switch."""

    def stopped(self):
        """The switch, while it is off."""
        return self.filter(stopped_at__isnull=False)

    def stop(self, now, *, reason, by=None, found=None):
        """Hand over nothing more."""
        return self.filter(stopped_at=None).update(stopped_at=now, stopped_by=by, reason=reason, found=found or {})

    def start(self):
        """Hand over again."""
        return self.stopped().update(stopped_at=None, stopped_by=None, reason="", found={})


class SendingSwitch(models.Model):
    """
    The one row that every lease and every last check before a call ask.

    `found` is what safe mode saw: by what a restored database was known.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    stopped_at = models.DateTimeField(_("stopped at"), null=True, blank=True)
    stopped_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("stopped by"),
    )
    reason = models.CharField(_("reason"), max_length=8, choices=StopReason, blank=True, default="")
    found = models.JSONField(_("what was found"), default=dict, blank=True)

    objects = SendingSwitchQuerySet.as_manager()

    class Meta:
        verbose_name = _("sending switch")
        verbose_name_plural = _("sending switches")
        permissions = [
            ("stop_sending", _("Can stop everything that is being sent")),
            ("resume_sending", _("Can let everything go on that was stopped")),
        ]
        constraints = [
            models.CheckConstraint(name="sending_switch_is_one_row", condition=Q(id=1)),
            models.CheckConstraint(
                name="sending_switch_is_off_for_a_reason",
                condition=Q(stopped_at=None, reason="")
                | Q(stopped_at__isnull=False) & Q(reason__in=StopReason.values),
            ),
        ]

    def __str__(self):
        return str(self._meta.verbose_name)


class DatabaseIdentity(models.Model):
    """
    Which database this is, as it said of itself when it was last trusted, and when it was last alive.

    `deployment` travels with a backup; the rest does not. `alive_at` is PostgreSQL's own time,
    never the shop's shifted one. What an ordinary role may not read is NULL and is not compared.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    deployment = models.UUIDField(_("deployment"), default=uuid.uuid4)
    system_identifier = models.BigIntegerField(_("database server"), null=True, blank=True)
    database_oid = models.BigIntegerField(_("database number"))
    timeline = models.BigIntegerField(_("timeline"), null=True, blank=True)
    alive_at = models.DateTimeField(_("last seen"))

    class Meta:
        verbose_name = _("database identity")
        verbose_name_plural = _("database identities")
        constraints = [
            models.CheckConstraint(name="database_identity_is_one_row", condition=Q(id=1)),
        ]
