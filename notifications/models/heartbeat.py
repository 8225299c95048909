"""Heartbeat: when each queue last did work."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Heartbeat(models.Model):
    """
    When a job last ran on a queue.

    Kept here and not in Redis, because after a wiped Redis RQ no longer knows its own workers.
    """

    name = models.CharField(_("queue"), max_length=20, primary_key=True)
    at = models.DateTimeField(_("last seen"))

    class Meta:
        verbose_name = _("heartbeat")
        verbose_name_plural = _("heartbeats")

    def __str__(self):
        return self.name
