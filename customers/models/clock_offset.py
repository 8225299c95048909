"""ClockOffset: how far the deployment's clock is set ahead or back."""

from datetime import timedelta

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class ClockOffset(models.Model):
    """
    The one row that `hongyan_now()` adds to PostgreSQL's time.

    Only a deployment with nothing but sandbox accounts may move it, so that staff and tests can
    live through a month in minutes.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    offset = models.DurationField(_("offset"), default=timedelta(0))

    class Meta:
        verbose_name = _("clock offset")
        verbose_name_plural = _("clock offsets")
        constraints = [
            models.CheckConstraint(name="clock_offset_is_one_row", condition=Q(id=1)),
        ]
