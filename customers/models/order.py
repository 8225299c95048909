"""Order, its lines and its history; and the account at a platform by which a buyer without a number is known."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce, Now
from django.utils.translation import gettext_lazy as _

from customers.choices import OrderStatus, Platform
from customers.models.customer import Customer
from customers.models.spreadsheet_import import SpreadsheetImport

LONGEST_NUMBER = 64
LONGEST_ACCOUNT = 100


class CustomerAccount(models.Model):
    """
    The name by which a platform knows a buyer.

    Most platforms hide phone numbers: such a buyer is a customer with this name alone, until a file brings the number.
    """

    customer = models.ForeignKey(
        Customer,
        models.CASCADE,
        related_name="accounts",
        db_constraint=False,
        db_index=False,
        verbose_name=_("customer"),
    )
    platform = models.CharField(_("platform"), max_length=10, choices=Platform)
    name = models.CharField(_("name at the platform"), max_length=LONGEST_ACCOUNT)
    created_at = models.DateTimeField(_("created at"), db_default=Now())

    class Meta:
        verbose_name = _("account at a platform")
        verbose_name_plural = _("accounts at platforms")
        constraints = [
            models.UniqueConstraint(fields=["name", "platform"], name="customer_account_is_of_one_customer"),
            models.CheckConstraint(name="customer_account_has_a_name", condition=~Q(name="")),
            models.CheckConstraint(
                name="customer_account_is_at_a_known_platform", condition=Q(platform__in=Platform.values)
            ),
        ]
        indexes = [
            # The customer's page, and moving the accounts of two customers who are one.
            models.Index(fields=["customer"], name="customer_account_of_customer"),
        ]

    def __str__(self):
        return f"{self.get_platform_display()}: {self.name}"


class Order(models.Model):
    """
    One order at a platform, as far as files have told.

    `status` is ours, `platform_status` the platform's own words; an order whose words we do not understand has no
    status, so that nothing is sent because of it. `as_of` is the latest moment that any row of the file mentioned: a
    file that knows less does not turn the order back. Amounts are in `currency`.
    """

    platform = models.CharField(_("platform"), max_length=10, choices=Platform)
    number = models.CharField(_("order number"), max_length=LONGEST_NUMBER)
    shop_name = models.CharField(_("shop"), max_length=60, blank=True, default="")
    status = models.CharField(_("status"), max_length=16, choices=OrderStatus, blank=True, default="")
    status_at = models.DateTimeField(_("in this status since"))
    platform_status = models.CharField(_("status at the platform"), max_length=60, blank=True, default="")
    after_sale_status = models.CharField(_("after-sale status"), max_length=60, blank=True, default="")
    is_locked = models.BooleanField(_("locked by the platform"), default=False)
    is_deleted = models.BooleanField(_("deleted at the platform"), default=False)
    currency = models.CharField(_("currency"), max_length=3, default="CNY")
    total = models.DecimalField(_("amount"), max_digits=12, decimal_places=2, null=True, blank=True)
    paid = models.DecimalField(_("amount paid"), max_digits=12, decimal_places=2, null=True, blank=True)
    refund = models.DecimalField(_("amount refunded"), max_digits=12, decimal_places=2, null=True, blank=True)
    freight = models.DecimalField(_("freight"), max_digits=12, decimal_places=2, null=True, blank=True)
    ordered_at = models.DateTimeField(_("ordered at"), null=True, blank=True)
    paid_at = models.DateTimeField(_("paid at"), null=True, blank=True)
    shipped_at = models.DateTimeField(_("shipped at"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("arrived at"), null=True, blank=True)
    completed_at = models.DateTimeField(_("completed at"), null=True, blank=True)
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)
    ship_by_at = models.DateTimeField(_("to be shipped by"), null=True, blank=True)
    promised_at = models.DateTimeField(_("promised by"), null=True, blank=True)
    closed_reason = models.CharField(_("closed because"), max_length=100, blank=True, default="")
    carrier = models.CharField(_("carrier"), max_length=60, blank=True, default="")
    tracking_number = models.CharField(_("tracking number"), max_length=100, blank=True, default="")
    customer = models.ForeignKey(
        Customer,
        models.DO_NOTHING,
        null=True,
        blank=True,
        related_name="orders",
        db_constraint=False,
        db_index=False,
        verbose_name=_("customer"),
    )
    account = models.ForeignKey(
        CustomerAccount,
        models.DO_NOTHING,
        null=True,
        blank=True,
        related_name="orders",
        db_constraint=False,
        db_index=False,
        verbose_name=_("account at the platform"),
    )
    receiver_name = models.CharField(_("receiver"), max_length=60, blank=True, default="")
    province = models.CharField(_("province"), max_length=60, blank=True, default="")
    city = models.CharField(_("city"), max_length=60, blank=True, default="")
    note = models.CharField(_("note"), max_length=500, blank=True, default="")
    spreadsheet_import = models.ForeignKey(
        SpreadsheetImport,
        models.DO_NOTHING,
        null=True,
        blank=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
        verbose_name=_("came with the file"),
    )
    as_of = models.DateTimeField(_("known as of"), null=True, blank=True)
    recorded_at = models.DateTimeField(_("recorded at"), db_default=Now())
    updated_at = models.DateTimeField(_("updated at"), db_default=Now())

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        permissions = [("export_order", _("Can export orders"))]
        constraints = [
            # The number first: it is what staff search for, without knowing the platform.
            models.UniqueConstraint(fields=["number", "platform"], name="order_number_is_unique_at_its_platform"),
            models.CheckConstraint(name="order_has_a_number", condition=~Q(number="")),
            models.CheckConstraint(name="order_is_of_a_known_platform", condition=Q(platform__in=Platform.values)),
            models.CheckConstraint(name="order_has_a_status_or_none", condition=Q(status__in=OrderStatus.values)),
        ]
        indexes = [
            # Reminders: unpaid for 30 minutes, shipped 3 days ago.
            models.Index(fields=["status", "status_at"], name="order_in_status_since"),
            # The order list's filters, in the list's order.
            models.Index(fields=["status", "-id"], name="order_with_status"),
            models.Index(fields=["platform", "-id"], name="order_at_platform"),
            # The list's filter by time, backtests of reminders.
            models.Index(fields=["ordered_at"], name="order_by_time"),
            # The customer's page, spending, and undo: who has ordered stays.
            models.Index(fields=["customer", "-id"], name="order_of_customer"),
            # Reminders that count days from a date.
            models.Index(fields=["promised_at"], name="order_promised", condition=Q(promised_at__isnull=False)),
            models.Index(fields=["ship_by_at"], name="order_to_be_shipped", condition=Q(ship_by_at__isnull=False)),
            models.Index(fields=["delivered_at"], name="order_arrived", condition=Q(delivered_at__isnull=False)),
            # Joining the orders of an account that turned out to be somebody known.
            models.Index(fields=["account"], name="order_of_account", condition=Q(account__isnull=False)),
        ]

    def __str__(self):
        return self.number


class OrderLine(models.Model):
    """One good of an order; the key is the platform's sub-order number, or what the good is and which of its kind."""

    order = models.ForeignKey(
        Order, models.CASCADE, related_name="lines", db_constraint=False, db_index=False, verbose_name=_("order")
    )
    key = models.CharField(_("line number"), max_length=80)
    product = models.CharField(_("product"), max_length=200, blank=True, default="")
    product_id = models.CharField(_("product number"), max_length=64, blank=True, default="")
    sku = models.CharField(_("variant"), max_length=100, blank=True, default="")
    category = models.CharField(_("category"), max_length=60, blank=True, default="")
    quantity = models.PositiveIntegerField(_("quantity"), null=True, blank=True)
    price = models.DecimalField(_("unit price"), max_digits=12, decimal_places=2, null=True, blank=True)
    after_sale_status = models.CharField(_("after-sale status"), max_length=60, blank=True, default="")

    class Meta:
        verbose_name = _("order line")
        verbose_name_plural = _("order lines")
        constraints = [
            models.UniqueConstraint(fields=["order", "key"], name="order_line_is_listed_once"),
        ]

    def __str__(self):
        return self.product or self.key


class OrderChange(models.Model):
    """
    One step in the history of an order; never changed or deleted, not even when the order is taken back.

    `before` and `after` hold the facts that changed, none of them about the person. `happened_at` is what the platform
    says, `recorded_at` when we learned of it.
    """

    id = models.BigAutoField(primary_key=True)
    order = models.ForeignKey(
        Order, models.DO_NOTHING, related_name="changes", db_constraint=False, db_index=False, verbose_name=_("order")
    )
    from_status = models.CharField(_("from"), max_length=16, choices=OrderStatus, blank=True, default="")
    to_status = models.CharField(_("to"), max_length=16, choices=OrderStatus, blank=True, default="")
    before = models.JSONField(_("before"), default=dict, blank=True)
    after = models.JSONField(_("after"), default=dict, blank=True)
    happened_at = models.DateTimeField(_("happened at"), null=True, blank=True)
    recorded_at = models.DateTimeField(_("recorded at"))
    spreadsheet_import = models.ForeignKey(
        SpreadsheetImport,
        models.DO_NOTHING,
        null=True,
        blank=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
        verbose_name=_("import"),
    )
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
        verbose_name=_("person"),
    )

    class Meta:
        verbose_name = _("change of an order")
        verbose_name_plural = _("changes of orders")
        indexes = [
            # The order's page, and taking an import back.
            models.Index(fields=["order", "id"], name="order_change_of_order"),
            # Reminders look for the statuses reached some time ago.
            models.Index(
                "to_status", Coalesce("happened_at", "recorded_at"), "order", name="order_change_reached_status"
            ),
        ]

    def __str__(self):
        return f"{self.order_id}: {self.to_status}"


class OrderStatusWord(models.Model):
    """What a word for an order's status means at a platform; staff teach what is not known yet."""

    class Meaning(models.TextChoices):
        """A status, or nothing: words such as “no after-sale” leave the order as it is."""

        UNPAID = OrderStatus.UNPAID.value, OrderStatus.UNPAID.label
        PAID = OrderStatus.PAID.value, OrderStatus.PAID.label
        SHIPPED = OrderStatus.SHIPPED.value, OrderStatus.SHIPPED.label
        OUT_FOR_DELIVERY = OrderStatus.OUT_FOR_DELIVERY.value, OrderStatus.OUT_FOR_DELIVERY.label
        DELIVERED = OrderStatus.DELIVERED.value, OrderStatus.DELIVERED.label
        COMPLETED = OrderStatus.COMPLETED.value, OrderStatus.COMPLETED.label
        CLOSED = OrderStatus.CLOSED.value, OrderStatus.CLOSED.label
        REFUNDED = OrderStatus.REFUNDED.value, OrderStatus.REFUNDED.label
        AFTER_SALE = OrderStatus.AFTER_SALE.value, OrderStatus.AFTER_SALE.label
        LOCKED = OrderStatus.LOCKED.value, OrderStatus.LOCKED.label
        NOTHING = "none", _("Nothing (no after-sale case)")

    platform = models.CharField(_("platform"), max_length=10, choices=Platform)
    text = models.CharField(_("word of the platform"), max_length=60)
    meaning = models.CharField(_("means"), max_length=16, choices=Meaning)
    updated_at = models.DateTimeField(_("updated at"), db_default=Now())

    class Meta:
        verbose_name = _("status word")
        verbose_name_plural = _("status words")
        ordering = ["platform", "text"]
        constraints = [
            models.UniqueConstraint(fields=["platform", "text"], name="order_status_word_means_one_thing"),
            models.CheckConstraint(name="order_status_word_has_text", condition=~Q(text="")),
        ]

    def __str__(self):
        return self.text
