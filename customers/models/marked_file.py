"""MarkedFile: an imported file as it goes back to the shop, with its cells colored and words on what to do."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from customers.choices import ExportStatus

Complaint = tuple[str, dict]


class MarkedFileQuerySet(models.QuerySet):
    """Questions about marked files that have a name, and the steps from one status to the next."""

    def startable(self, now: datetime):
        """Files that wait to be written, and those whose worker has gone quiet."""
        lost = Q(status=ExportStatus.RUNNING, lease_until__lt=now)
        return self.filter(Q(status=ExportStatus.QUEUED) | lost)

    def under_way(self):
        """Files that are still to come."""
        return self.filter(status__in=[ExportStatus.QUEUED, ExportStatus.RUNNING])

    def lease(self, token: UUID, *, now: datetime, until: datetime) -> int:
        """Take files that may be written; whoever comes second gets none."""
        return self.startable(now).update(
            status=ExportStatus.RUNNING, lease_token=token, lease_until=until, attempts=F("attempts") + 1, rows_done=0
        )

    def leased(self, token: UUID):
        """Files that the holder of this token may still write."""
        return self.filter(status=ExportStatus.RUNNING, lease_token=token)

    def finish(self, *, now: datetime, **written: object) -> int:
        """Running → done, with a file that lies complete on the disk."""
        return self.filter(status=ExportStatus.RUNNING).update(
            status=ExportStatus.DONE, lease_until=None, finished_at=now, **written
        )

    def fail(self, complaints: list[Complaint], now: datetime) -> int:
        """Running → failed; there is no file."""
        return self.filter(status=ExportStatus.RUNNING).update(
            status=ExportStatus.FAILED, error=complaints, lease_until=None, finished_at=now
        )

    def expire(self) -> int:
        """Forget where files lay that are deleted; what they were stays, for the day a mended copy comes back."""
        return self.exclude(status=ExportStatus.EXPIRED).update(
            status=ExportStatus.EXPIRED, stored_name="", lease_until=None
        )


class MarkedFile(models.Model):
    """
    One marked copy of an imported file.

        queued ──▶ running ──▶ done ──▶ expired
                    │ └──▶ running (lease over: written anew from the first row)
                    └──▶ failed

    `basis` says what was marked: the result of the import, or the file as it would have been imported when it was
    asked for; another choice of columns makes another basis.
    """

    spreadsheet_import = models.ForeignKey(
        "customers.SpreadsheetImport", models.CASCADE, related_name="marked_files", verbose_name=_("import")
    )
    basis = models.CharField(_("what was marked"), max_length=32)
    only_marked = models.BooleanField(_("only the rows to mend"), default=False)
    as_workbook = models.BooleanField(_("as a workbook"), default=False)
    language = models.CharField(_("language"), max_length=10)
    status = models.CharField(_("status"), max_length=7, choices=ExportStatus, default=ExportStatus.QUEUED)
    # Sentences as (msgid, values): a worker does not know who will read them in what language.
    error = models.JSONField(_("error"), default=list, blank=True)
    rows_done = models.PositiveIntegerField(_("rows done"), default=0)
    rows_to_mend = models.PositiveIntegerField(_("rows to mend"), default=0)
    rows_to_know = models.PositiveIntegerField(_("rows with a remark"), default=0)
    extension = models.CharField(_("extension"), max_length=5, blank=True, default="")
    is_own = models.BooleanField(_("in the shop's own format"), default=True)
    size = models.PositiveBigIntegerField(_("size in bytes"), default=0)
    stored_name = models.CharField(_("stored under"), max_length=80, blank=True, default="")
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    lease_until = models.DateTimeField(_("lease until"), null=True, blank=True)
    lease_token = models.UUIDField(_("lease token"), null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("asked for by"),
    )
    created_at = models.DateTimeField(_("asked for at"))
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    objects = MarkedFileQuerySet.as_manager()

    class Meta:
        verbose_name = _("marked file")
        verbose_name_plural = _("marked files")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(name="marked_file_has_a_known_status", condition=Q(status__in=ExportStatus.values)),
            models.CheckConstraint(
                name="marked_file_is_leased_while_running",
                condition=Q(status=ExportStatus.RUNNING, lease_until__isnull=False)
                | ~Q(status=ExportStatus.RUNNING) & Q(lease_until=None),
            ),
            models.CheckConstraint(
                name="marked_file_lies_there_exactly_while_done",
                condition=Q(status=ExportStatus.DONE) & ~Q(stored_name="")
                | ~Q(status=ExportStatus.DONE) & Q(stored_name=""),
            ),
        ]

    def __str__(self):
        return f"{self._meta.verbose_name} {self.pk}"

    @property
    def complaint(self) -> str:
        """Why there is no file, in the reader's language."""
        return " ".join(gettext(text) % values if values else gettext(text) for text, values in self.error)
