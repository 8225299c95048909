"""Export: a file of the shop's records that somebody asked for, written by a worker and kept for a day."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from customers.choices import ExportFormat, ExportStatus

Complaint = tuple[str, dict]


class ExportQuerySet(models.QuerySet):
    """Questions about exports that have a name, and the steps from one status to the next."""

    def startable(self, now: datetime):
        """Exports that wait, and those whose worker has gone quiet."""
        lost = Q(status=ExportStatus.RUNNING, lease_until__lt=now)
        return self.filter(Q(status=ExportStatus.QUEUED) | lost)

    def under_way(self):
        """Exports whose file is still to come."""
        return self.filter(status__in=[ExportStatus.QUEUED, ExportStatus.RUNNING])

    def outdated(self, now: datetime):
        """Files whose day is over."""
        return self.filter(status=ExportStatus.DONE, expires_at__lte=now)

    def lease(self, token: UUID, *, now: datetime, until: datetime) -> int:
        """Take exports that may start; whoever comes second gets none."""
        return self.startable(now).update(
            status=ExportStatus.RUNNING,
            lease_token=token,
            lease_until=until,
            attempts=F("attempts") + 1,
            rows_done=0,
            started_at=Coalesce("started_at", Value(now), output_field=models.DateTimeField()),
        )

    def leased(self, token: UUID):
        """Exports that the holder of this token may still write."""
        return self.filter(status=ExportStatus.RUNNING, lease_token=token)

    def finish(self, *, stored_name: str, size: int, rows: int, now: datetime, expires_at: datetime) -> int:
        """Running → done, with a file that lies complete on the disk."""
        return self.filter(status=ExportStatus.RUNNING).update(
            status=ExportStatus.DONE,
            stored_name=stored_name,
            size=size,
            rows_done=rows,
            rows_total=rows,
            question="",
            lease_until=None,
            finished_at=now,
            expires_at=expires_at,
        )

    def fail(self, complaints: list[Complaint], now: datetime) -> int:
        """Running → failed; there is no file."""
        return self.filter(status=ExportStatus.RUNNING).update(
            status=ExportStatus.FAILED, error=complaints, question="", lease_until=None, finished_at=now
        )

    def expire(self, now: datetime) -> int:
        """Queued, running or done → expired: its day is over, or its owner wants it deleted."""
        return self.filter(status__in=[ExportStatus.QUEUED, ExportStatus.RUNNING, ExportStatus.DONE]).update(
            status=ExportStatus.EXPIRED,
            stored_name="",
            question="",
            lease_until=None,
            finished_at=Coalesce("finished_at", Value(now), output_field=models.DateTimeField()),
        )


class Export(models.Model):
    """
    A file that somebody asked for.

        queued ──▶ running ──▶ done ──▶ expired
          │         │ │ └──▶ running (lease over: written anew from the first row)
          │         │ └──▶ failed
          └─────────┴──▶ expired (deleted by its owner)

    `question` is the address of the list that was exported; it may hold a number that was searched for, and is
    forgotten with the last row. `described` says the same in words without one, and stays.
    """

    kind = models.CharField(_("what"), max_length=30)
    question = models.TextField(_("question"), blank=True, default="")
    described = models.CharField(_("filter"), max_length=500, blank=True, default="")
    format = models.CharField(_("format"), max_length=4, choices=ExportFormat)
    language = models.CharField(_("language"), max_length=10)
    shows_addresses = models.BooleanField(_("whole numbers"), default=False)
    status = models.CharField(_("status"), max_length=7, choices=ExportStatus, default=ExportStatus.QUEUED)
    # Sentences as (msgid, values): a worker does not know who will read them in what language.
    error = models.JSONField(_("error"), default=list, blank=True)
    rows_total = models.PositiveIntegerField(_("rows"), default=0)
    rows_done = models.PositiveIntegerField(_("rows done"), default=0)
    size = models.PositiveBigIntegerField(_("size in bytes"), default=0)
    stored_name = models.CharField(_("stored under"), max_length=80, blank=True, default="")
    downloads = models.PositiveIntegerField(_("downloads"), default=0)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    lease_until = models.DateTimeField(_("lease until"), null=True, blank=True)
    lease_token = models.UUIDField(_("lease token"), null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("asked for by")
    )
    created_at = models.DateTimeField(_("asked for at"))
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    expires_at = models.DateTimeField(_("deleted after"), null=True, blank=True)

    objects = ExportQuerySet.as_manager()

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(name="export_has_a_known_status", condition=Q(status__in=ExportStatus.values)),
            models.CheckConstraint(
                name="export_is_leased_while_running",
                condition=Q(status=ExportStatus.RUNNING, lease_until__isnull=False)
                | ~Q(status=ExportStatus.RUNNING) & Q(lease_until=None),
            ),
            models.CheckConstraint(
                name="export_has_a_file_exactly_while_done",
                condition=Q(status=ExportStatus.DONE, expires_at__isnull=False) & ~Q(stored_name="")
                | ~Q(status=ExportStatus.DONE) & Q(stored_name=""),
            ),
            models.CheckConstraint(
                name="export_forgets_its_question_at_the_end",
                condition=Q(status__in=[ExportStatus.QUEUED, ExportStatus.RUNNING]) | Q(question=""),
            ),
        ]

    def __str__(self):
        return f"{self._meta.verbose_name} {self.pk}"

    @property
    def complaint(self) -> str:
        """Why there is no file, in the reader's language."""
        return " ".join(gettext(text) % values if values else gettext(text) for text, values in self.error)
