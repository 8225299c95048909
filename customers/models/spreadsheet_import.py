"""SpreadsheetImport, its rows, and what is remembered about a layout."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from customers.choices import ImportKind, ImportStatus, RowOutcome
from customers.models.customer import Customer

Complaint = tuple[str, dict]
LEASED = [ImportStatus.RUNNING, ImportStatus.UNDOING]


class LayoutMemory(models.Model):
    """The column mapping staff confirmed for files with the same headers."""

    layout_key = models.CharField(_("layout"), max_length=64, unique=True)
    mapping = models.JSONField(_("mapping"))
    options = models.JSONField(_("options"), default=dict, db_default={}, blank=True)
    updated_at = models.DateTimeField(_("updated at"))

    class Meta:
        verbose_name = _("remembered layout")
        verbose_name_plural = _("remembered layouts")

    def __str__(self):
        return self.layout_key


class SpreadsheetImportQuerySet(models.QuerySet):
    """Questions about imports that have a name, and the steps from one status to the next."""

    def unread(self):
        """Uploads whose columns and first rows nobody has looked at yet."""
        return self.filter(status=ImportStatus.UPLOADED, preview={})

    def startable(self, now: datetime):
        """Imports that wait, and those whose worker has gone quiet."""
        lost = Q(status=ImportStatus.RUNNING, lease_until__lt=now)
        return self.filter(Q(status=ImportStatus.QUEUED) | lost)

    def abandoned(self, before: datetime):
        """Files that nobody confirmed, but that still lie on the disk."""
        unconfirmed = [ImportStatus.UPLOADED, ImportStatus.DISCARDED, ImportStatus.REFUSED]
        return self.exclude(stored_name="").filter(status__in=unconfirmed, created_at__lt=before)

    def expired(self, before: datetime):
        """Finished imports whose file and personal columns nobody needs any more."""
        ended = [ImportStatus.DONE, ImportStatus.FAILED, ImportStatus.UNDONE]
        return self.filter(status__in=ended, finished_at__lt=before, blanked_at=None)

    def undoable(self, finished_after: datetime):
        """Imports that can still be taken back: their file and their history are there."""
        return self.exclude(stored_name="").filter(
            Q(kind=ImportKind.CUSTOMERS) | Q(kind=ImportKind.ORDERS, remembers_orders=True),
            status__in=[ImportStatus.DONE, ImportStatus.FAILED],
            rows_done__gt=0,
            finished_at__gt=finished_after,
            blanked_at=None,
        )

    def undo(self, *, by, now: datetime) -> int:
        """Hand undoable imports to the workers to take them back; the second click finds none."""
        return self.update(
            status=ImportStatus.UNDOING,
            lease_until=now,
            lease_token=None,
            attempts=0,
            undone_by=by,
            undo_started_at=now,
        )

    def undo_waiting(self, now: datetime):
        """Undos that wait, and those whose worker has gone quiet."""
        return self.filter(status=ImportStatus.UNDOING, lease_until__lte=now)

    def lease_undo(self, token: UUID, *, now: datetime, until: datetime) -> int:
        """Take undos that may go on; whoever comes second gets none."""
        return self.undo_waiting(now).update(lease_token=token, lease_until=until, attempts=F("attempts") + 1)

    def leased_undo(self, token: UUID):
        """Undos that the holder of this token may still work on."""
        return self.filter(status=ImportStatus.UNDOING, lease_token=token)

    def queue(self) -> int:
        """Hand reviewed uploads to the workers; the second click finds none."""
        return self.filter(status=ImportStatus.UPLOADED).update(status=ImportStatus.QUEUED)

    def discard(self, now: datetime) -> int:
        """Give up uploads that nobody imported, and forget the rows they showed."""
        waiting = self.filter(status=ImportStatus.UPLOADED)
        return waiting.update(status=ImportStatus.DISCARDED, preview={}, finished_at=now)

    def refuse(self, complaints: list[Complaint], now: datetime) -> int:
        """Close uploads that cannot be read."""
        waiting = self.filter(status=ImportStatus.UPLOADED)
        return waiting.update(status=ImportStatus.REFUSED, error=complaints, preview={}, finished_at=now)

    def lease(self, token: UUID, *, now: datetime, until: datetime) -> int:
        """Take imports that may start; whoever comes second gets none."""
        return self.startable(now).update(
            status=ImportStatus.RUNNING,
            lease_token=token,
            lease_until=until,
            attempts=F("attempts") + 1,
            started_at=Coalesce("started_at", Value(now), output_field=models.DateTimeField()),
        )

    def leased(self, token: UUID):
        """Imports that the holder of this token may still work on."""
        return self.filter(status=ImportStatus.RUNNING, lease_token=token)

    def finish(self, now: datetime) -> int:
        """Close imports whose last row is in."""
        running = self.filter(status=ImportStatus.RUNNING)
        return running.update(status=ImportStatus.DONE, lease_until=None, preview={}, finished_at=now)

    def fail(self, complaints: list[Complaint], now: datetime) -> int:
        """Close imports that cannot go on; what was imported so far stays."""
        running = self.filter(status=ImportStatus.RUNNING)
        return running.update(
            status=ImportStatus.FAILED, error=complaints, lease_until=None, preview={}, finished_at=now
        )


class SpreadsheetImport(models.Model):
    """
    One uploaded customer file, from upload to result.

        uploaded ──▶ queued ──▶ running ──▶ done ────┬──▶ undoing ──▶ undone
           │ │                     ├──▶ failed ──┘
           │ └──▶ discarded        └──▶ running (lease over: taken up again after the last whole chunk)
           └──▶ refused
    """

    file_name = models.CharField(_("file"), max_length=200)
    stored_name = models.CharField(_("stored under"), max_length=80, blank=True)
    sha256 = models.CharField(_("fingerprint"), max_length=64, blank=True)
    size = models.PositiveBigIntegerField(_("size in bytes"), default=0)
    kind = models.CharField(
        _("kind"), max_length=9, choices=ImportKind, default=ImportKind.CUSTOMERS, db_default=ImportKind.CUSTOMERS
    )
    layout_key = models.CharField(_("layout"), max_length=64, blank=True)
    mapping = models.JSONField(_("mapping"), default=list, blank=True)
    options = models.JSONField(_("options"), default=dict, db_default={}, blank=True)
    declaration = models.JSONField(_("declared consent"), default=dict, blank=True)
    preview = models.JSONField(_("preview"), default=dict, blank=True)
    notices = models.JSONField(_("notices"), default=list, blank=True)
    status = models.CharField(_("status"), max_length=9, choices=ImportStatus, default=ImportStatus.UPLOADED)
    # Sentences as (msgid, values): a worker does not know who will read them in what language.
    error = models.JSONField(_("error"), default=list, blank=True)
    rows_total = models.PositiveIntegerField(_("rows"), default=0)
    rows_done = models.PositiveIntegerField(_("rows done"), default=0)
    counts = models.JSONField(_("counts"), default=dict, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
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
    # The marked file that was mended and came back as this one.
    mends = models.ForeignKey(
        "customers.MarkedFile",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="mended_copies",
        verbose_name=_("mended copy of"),
    )
    blanked_at = models.DateTimeField(_("personal columns blanked at"), null=True, blank=True)
    # Order files imported before this was kept cannot be taken back.
    remembers_orders = models.BooleanField(_("what changed of orders is kept"), default=False, db_default=False)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("undone by"),
    )
    undo_started_at = models.DateTimeField(_("undo started at"), null=True, blank=True)
    undone_at = models.DateTimeField(_("undone at"), null=True, blank=True)
    # Rows are taken back from the last to the first; those from this number on are done.
    undone_from = models.PositiveIntegerField(_("rows undone from"), null=True, blank=True)
    undo_counts = models.JSONField(_("counts of the undo"), default=dict, db_default={}, blank=True)

    objects = SpreadsheetImportQuerySet.as_manager()

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-id"]
        permissions = [("undo_import", _("Can undo an import"))]
        constraints = [
            models.CheckConstraint(
                name="import_is_leased_while_running",
                condition=Q(status__in=LEASED, lease_until__isnull=False)
                | ~Q(status__in=LEASED) & Q(lease_until=None),
            ),
            models.CheckConstraint(
                name="import_once_done_has_finished_at",
                condition=~Q(status__in=[ImportStatus.DONE, ImportStatus.FAILED]) | Q(finished_at__isnull=False),
            ),
            models.CheckConstraint(
                name="import_once_undone_has_undone_at",
                condition=Q(status=ImportStatus.UNDONE, undone_at__isnull=False)
                | ~Q(status=ImportStatus.UNDONE) & Q(undone_at=None),
            ),
            models.CheckConstraint(name="import_has_a_kind", condition=Q(kind__in=ImportKind.values)),
        ]

    def __str__(self):
        return self.file_name

    @property
    def complaint(self) -> str:
        """Why the file was refused or the import stopped, in the reader's language."""
        return " ".join(gettext(text) % values if values else gettext(text) for text, values in self.error)


class ImportedRow(models.Model):
    """
    What became of one row of an imported file; written with the customers of its chunk, in one transaction.

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
    name = models.CharField(_("name"), max_length=60, blank=True, default="")
    phone = models.CharField(_("phone"), max_length=11, blank=True, default="")
    email = models.CharField(_("e-mail"), max_length=254, blank=True, default="")
    external_id = models.CharField(_("number in the shop's own system"), max_length=100, blank=True, default="")
    outcome = models.CharField(_("outcome"), max_length=9, choices=RowOutcome)
    reason = models.CharField(_("reason"), max_length=20, blank=True, default="")
    duplicate_of = models.PositiveIntegerField(_("same customer as row"), null=True, blank=True)
    problems = models.JSONField(_("problems"), default=list, blank=True)
    opt_out_kept = models.BooleanField(_("opt-out kept"), default=False)
    # Another row of the same customer, or another customer, says something else; what, stands among the problems.
    has_conflict = models.BooleanField(_("contradiction"), default=False, db_default=False)
    customer = models.ForeignKey(
        Customer,
        models.DO_NOTHING,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("customer"),
    )

    class Meta:
        verbose_name = _("imported row")
        verbose_name_plural = _("imported rows")
        constraints = [
            models.UniqueConstraint(fields=["spreadsheet_import", "number"], name="imported_row_is_listed_once"),
            models.CheckConstraint(name="imported_row_has_an_outcome", condition=Q(outcome__in=RowOutcome.values)),
        ]
        indexes = [
            # The result page's lists of rows that want attention, few among many.
            models.Index(
                fields=["spreadsheet_import", "number"],
                name="imported_row_wants_attention",
                condition=Q(outcome__in=[RowOutcome.DUPLICATE, RowOutcome.REJECTED])
                | ~Q(reason="")
                | Q(opt_out_kept=True)
                | Q(has_conflict=True),
            ),
            # The customers behind a file: a filter of their list, and a condition of segments.
            models.Index(fields=["spreadsheet_import", "customer"], name="imported_row_of_customer"),
        ]

    def __str__(self):
        return str(self.number)
