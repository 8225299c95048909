"""What an import changed of known customers and orders, and what an undo found that it had to leave."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from customers.choices import BuyerKind, UndoFindingKind
from customers.models.customer import Customer
from customers.models.order import CustomerAccount, Order
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


class ImportedOrder(models.Model):
    """
    An order that was known before a file spoke of it, and what the file changed of it.

    `before` and `after` hold the same keys, none where the file said nothing new; such a row still tells that a later
    file knows the order. Created orders have none. Deleted with the undo, when the order's customer is erased, and 30
    days after the import.
    """

    id = models.BigAutoField(primary_key=True)
    spreadsheet_import = models.ForeignKey(
        SpreadsheetImport,
        models.CASCADE,
        related_name="known_orders",
        db_index=False,
        db_constraint=False,
        verbose_name=_("import"),
    )
    number = models.PositiveIntegerField(_("row"))
    order = models.ForeignKey(
        Order,
        models.DO_NOTHING,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("order"),
    )
    before = models.JSONField(_("before"))
    after = models.JSONField(_("after"))

    class Meta:
        verbose_name = _("imported order")
        verbose_name_plural = _("imported orders")
        constraints = [
            models.UniqueConstraint(fields=["order", "spreadsheet_import"], name="imported_order_is_one_per_import"),
        ]
        indexes = [
            # The undo takes the rows of a file back in their order.
            models.Index(fields=["spreadsheet_import", "number"], name="imported_order_of_import"),
        ]

    def __str__(self):
        return str(self.number)


class ImportedBuyer(models.Model):
    """
    Whom an order file made known: a new customer, a new account, or two customers who turned out to be one.

    Deleted with the undo, and 30 days after the import.
    """

    id = models.BigAutoField(primary_key=True)
    spreadsheet_import = models.ForeignKey(
        SpreadsheetImport,
        models.CASCADE,
        related_name="buyers",
        db_index=False,
        db_constraint=False,
        verbose_name=_("import"),
    )
    number = models.PositiveIntegerField(_("row"))
    kind = models.CharField(_("what was new"), max_length=8, choices=BuyerKind)
    customer = models.ForeignKey(
        Customer,
        models.DO_NOTHING,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("customer"),
    )
    account = models.ForeignKey(
        CustomerAccount,
        models.DO_NOTHING,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("account at the platform"),
    )

    class Meta:
        verbose_name = _("imported buyer")
        verbose_name_plural = _("imported buyers")
        constraints = [
            models.CheckConstraint(name="imported_buyer_has_a_kind", condition=Q(kind__in=BuyerKind.values)),
        ]
        indexes = [
            # The undo takes the rows of a file back in their order.
            models.Index(fields=["spreadsheet_import", "number"], name="imported_buyer_of_import"),
            # Whether a customer came with this file, before they go with it.
            models.Index(fields=["spreadsheet_import", "customer"], name="imported_buyer_who"),
        ]

    def __str__(self):
        return str(self.number)


class UndoFinding(models.Model):
    """
    What the undo of an import left as it was, and why: a customer, an order, a value, an opt-out.

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
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("customer"),
    )
    order = models.ForeignKey(
        Order,
        models.DO_NOTHING,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("order"),
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
