"""SpreadsheetImport, its rows, and what is remembered about a layout."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from customers.choices import ImportStatus, RowOutcome


class LayoutMemory(models.Model):
    """The column mapping staff confirmed for files with the same headers."""

    layout_key = models.CharField(_("layout"), max_length=64, unique=True)
    mapping = models.JSONField(_("mapping"))
    updated_at = models.DateTimeField(_("updated at"))

    class Meta:
        verbose_name = _("remembered layout")
        verbose_name_plural = _("remembered layouts")

    def __str__(self):
        return self.layout_key


class SpreadsheetImport(models.Model):
    """
    One uploaded customer file, from upload to result.

        uploaded ──▶ queued ──▶ running ──▶ done
           │ │                     ├──▶ failed
           │ └──▶ discarded        └──▶ running (lease over: taken up again)
           └──▶ refused
    """

    file_name = models.CharField(_("file"), max_length=200)
    stored_name = models.CharField(_("stored under"), max_length=80, blank=True)
    sha256 = models.CharField(_("fingerprint"), max_length=64, blank=True)
    size = models.PositiveBigIntegerField(_("size in bytes"), default=0)
    layout_key = models.CharField(_("layout"), max_length=64, blank=True)
    mapping = models.JSONField(_("mapping"), default=list, blank=True)
    declaration = models.JSONField(_("declared consent"), default=dict, blank=True)
    notices = models.JSONField(_("notices"), default=list, blank=True)
    status = models.CharField(_("status"), max_length=9, choices=ImportStatus, default=ImportStatus.UPLOADED)
    error = models.TextField(_("error"), blank=True)
    rows_total = models.PositiveIntegerField(_("rows"), default=0)
    rows_done = models.PositiveIntegerField(_("rows done"), default=0)
    counts = models.JSONField(_("counts"), default=dict, blank=True)
    lease_until = models.DateTimeField(_("lease until"), null=True, blank=True)
    lease_token = models.UUIDField(_("lease token"), null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("uploaded by"),
    )
    created_at = models.DateTimeField(_("uploaded at"))
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="import_is_leased_while_running",
                condition=Q(status=ImportStatus.RUNNING, lease_until__isnull=False)
                | ~Q(status=ImportStatus.RUNNING) & Q(lease_until=None),
            ),
            models.CheckConstraint(
                name="import_once_done_has_finished_at",
                condition=~Q(status__in=[ImportStatus.DONE, ImportStatus.FAILED]) | Q(finished_at__isnull=False),
            ),
        ]

    def __str__(self):
        return self.file_name


class ImportedRow(models.Model):
    """
    One row of an imported file: staged by COPY, merged by a statement per table, kept for the result.

    Personal columns are blanked when the result is no longer needed (30 days).
    """

    id = models.BigAutoField(primary_key=True)
    spreadsheet_import = models.ForeignKey(
        SpreadsheetImport,
        models.CASCADE,
        related_name="rows",
        db_index=False,
        db_constraint=False,
        verbose_name=_("import"),
    )
    number = models.PositiveIntegerField(_("row"))
    phone = models.CharField(_("phone"), max_length=11, blank=True, default="")
    email = models.CharField(_("e-mail"), max_length=254, blank=True, default="")
    external_id = models.CharField(_("number in the shop's own system"), max_length=100, blank=True, default="")
    values = models.JSONField(_("values"), default=dict, blank=True)
    reason = models.CharField(_("reason"), max_length=20, blank=True, default="")
    problems = models.JSONField(_("problems"), default=list, blank=True)
    outcome = models.CharField(_("outcome"), max_length=9, choices=RowOutcome, blank=True, default="")
    opt_out_kept = models.BooleanField(_("opt-out kept"), default=False)
    customer_id = models.BigIntegerField(_("customer"), null=True, blank=True)

    class Meta:
        verbose_name = _("imported row")
        verbose_name_plural = _("imported rows")
        constraints = [
            models.UniqueConstraint(fields=["spreadsheet_import", "number"], name="imported_row_is_listed_once"),
        ]

    def __str__(self):
        return str(self.number)
