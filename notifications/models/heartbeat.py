"""Heartbeat: when each queue last did work."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class HeartbeatQuerySet(models.QuerySet):
    """The verb that writes a heartbeat."""

    def beat(self, queue: str, *, now) -> None:
        """Note that a worker of this queue is alive."""
        self.bulk_create(
            [Heartbeat(name=queue, at=now)], update_conflicts=True, unique_fields=["name"], update_fields=["at"]
        )


class Heartbeat(models.Model):
    """
    When a job last ran on a queue.

    Kept here and not in Redis, because after a wiped Redis RQ no longer knows its own workers.
    """

    name = models.CharField(_("queue"), max_length=20, primary_key=True)
    at = models.DateTimeField(_("last seen"))

    objects = HeartbeatQuerySet.as_manager()

    class Meta:
        verbose_name = _("heartbeat")
        verbose_name_plural = _("heartbeats")

    def __str__(self):
        return self.name
