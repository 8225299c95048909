"""What an import changed of known customers, and what an undo found that it had to leave."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from customers.choices import UndoFindingKind
from customers.models.customer import Customer
from customers.models.spreadsheet_import import SpreadsheetImport


class ImportedChange(models.Model):
    """
    What one row of a file changed of a customer who was known before.

    `before` and `after` hold the same keys, those of the state that differ; see `customers.services.import_history`.
    Created customers have none: their imported row says all that an undo needs. Deleted with the undo, when the
    customer is erased, and 30 days after the import.
    """

    id = models.BigAutoField(primary_key=True)
    spreadsheet_import = models.ForeignKey(
        SpreadsheetImport,
        models.CASCADE,
        related_name="changes",
        db_index=False,
        db_constraint=False,
        verbose_name=_("import"),
    )
    number = models.PositiveIntegerField(_("row"))
    customer = models.ForeignKey(
        Customer,
        models.DO_NOTHING,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("customer"),
    )
    before = models.JSONField(_("before"))
    after = models.JSONField(_("after"))

    class Meta:
        verbose_name = _("imported change")
        verbose_name_plural = _("imported changes")
        constraints = [
            models.UniqueConstraint(fields=["spreadsheet_import", "number"], name="imported_change_is_one_per_row"),
        ]

    def __str__(self):
        return str(self.number)


class UndoFinding(models.Model):
    """
    What the undo of an import left as it was, and why: a customer, a value, an opt-out.

    The values are blanked with the personal columns of the imported rows.
    """

    id = models.BigAutoField(primary_key=True)
    spreadsheet_import = models.ForeignKey(
        SpreadsheetImport,
        models.CASCADE,
        related_name="findings",
        db_index=False,
        db_constraint=False,
        verbose_name=_("import"),
    )
    number = models.PositiveIntegerField(_("row"))
    customer = models.ForeignKey(
        Customer,
        models.DO_NOTHING,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("customer"),
    )
    kind = models.CharField(_("what was left"), max_length=8, choices=UndoFindingKind)
    field = models.CharField(_("field"), max_length=20, blank=True, default="")
    reason = models.CharField(_("reason"), max_length=20, blank=True, default="")
    ours = models.TextField(_("from the import"), blank=True, default="")
    before = models.TextField(_("before the import"), blank=True, default="")
    present = models.TextField(_("now"), blank=True, default="")

    class Meta:
        verbose_name = _("finding of an undo")
        verbose_name_plural = _("findings of undos")
        constraints = [
            models.CheckConstraint(name="undo_finding_has_a_kind", condition=Q(kind__in=UndoFindingKind.values)),
        ]
        indexes = [
            # The lists behind the numbers of an undo, in the order of the file.
            models.Index(fields=["spreadsheet_import", "kind", "number", "id"], name="undo_finding_of_import"),
        ]

    def __str__(self):
        return str(self.number)
