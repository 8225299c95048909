"""What a file can fill: fields of customers and of their orders, as data."""

import unicodedata
from typing import NamedTuple

from customers.msgid import _
from customers.spreadsheets.header_words import normal

__all__ = ["FIELD", "FIELDS", "ORDER_FIELDS", "Field", "consent_key", "fields_of", "in_kind", "normal"]

CUSTOMERS, ORDERS, BOTH = "customers", "orders", "both"


class Field(NamedTuple):
    """Something about a customer or an order that a column can fill; `role` says which file has it."""

    key: str
    label: str
    kind: str
    longest: int = 100
    role: str = CUSTOMERS


EVERY_FIELD: tuple[Field, ...] = (
    Field("phone", _("Mobile number"), "phone", role=BOTH),
    Field("email", _("E-mail address"), "email", 254, BOTH),
    Field("name", _("Name"), "name"),
    Field("last_name", _("Family name"), "name", 50),
    Field("first_name", _("Given name"), "name", 50),
    Field("birthday", _("Birthday"), "birthday"),
    Field("lunar_birthday", _("Birthday in the lunar calendar"), "lunar_birthday"),
    Field("gender", _("Gender"), "gender"),
    Field("tags", _("Tags"), "tags", 60),
    Field("tier", _("Tier"), "text", 50),
    Field("province", _("Province"), "text", 60, BOTH),
    Field("city", _("City"), "text", 60, BOTH),
    Field("region", _("Province and city"), "region"),
    Field("external_id", _("Customer number"), "text"),
    Field("note", _("Note"), "note", 2000, BOTH),
    Field("consent", _("Allows marketing on every channel"), "consent"),
    Field("sms_consent", _("Allows marketing by SMS"), "consent"),
    Field("email_consent", _("Allows marketing by e-mail"), "consent"),
    Field("sms_marketing", _("SMS: marketing alone"), "consent"),
    Field("sms_care", _("SMS: customer care alone"), "consent"),
    Field("email_marketing", _("E-mail: marketing alone"), "consent"),
    Field("email_care", _("E-mail: customer care alone"), "consent"),
    Field("opted_out_at", _("Moment of opting out"), "opt_out"),
    Field("total_spent", _("Total spent"), "amount"),
    Field("created_on", _("Customer since"), "date"),
    Field("order_number", _("Order number"), "code", role=ORDERS),
    Field("sub_order_number", _("Number of the order line"), "code", role=ORDERS),
    Field("status", _("Order status"), "text", role=ORDERS),
    Field("fulfillment_status", _("Shipping status"), "text", role=ORDERS),
    Field("after_sale_status", _("After-sale status"), "text", role=ORDERS),
    Field("buyer_name", _("Buyer's name on the platform"), "text", role=ORDERS),
    Field("receiver_name", _("Receiver"), "name", role=ORDERS),
    Field("total", _("Order total"), "amount", role=ORDERS),
    Field("sub_total", _("Amount of this line"), "amount", role=ORDERS),
    Field("freight", _("Shipping fee"), "amount", role=ORDERS),
    Field("paid", _("Amount paid"), "amount", role=ORDERS),
    Field("refund", _("Amount refunded"), "amount", role=ORDERS),
    Field("ordered_at", _("Ordered at"), "moment", role=ORDERS),
    Field("paid_at", _("Paid at"), "moment", role=ORDERS),
    Field("shipped_at", _("Shipped at"), "moment", role=ORDERS),
    Field("delivered_at", _("Delivered at"), "moment", role=ORDERS),
    Field("completed_at", _("Completed at"), "moment", role=ORDERS),
    Field("closed_at", _("Closed at"), "moment", role=ORDERS),
    Field("ship_by_at", _("To be shipped by"), "moment", role=ORDERS),
    Field("promised_at", _("Promised to arrive by"), "moment", role=ORDERS),
    Field("closed_reason", _("Why the order was closed"), "text", 200, ORDERS),
    Field("product", _("Goods"), "text", 500, ORDERS),
    Field("product_id", _("Product number"), "code", role=ORDERS),
    Field("sku", _("Variant"), "text", 200, ORDERS),
    Field("category", _("Product category"), "text", role=ORDERS),
    Field("quantity", _("Quantity"), "quantity", role=ORDERS),
    Field("total_quantity", _("Quantity of the whole order"), "quantity", role=ORDERS),
    Field("product_kinds", _("Number of different goods"), "quantity", role=ORDERS),
    Field("price", _("Price of one"), "amount", role=ORDERS),
    Field("carrier", _("Carrier"), "text", role=ORDERS),
    Field("tracking_number", _("Tracking number"), "code", role=ORDERS),
    Field("shop_name", _("Shop"), "text", role=ORDERS),
    Field("platform", _("Platform"), "text", role=ORDERS),
    Field("currency", _("Currency"), "text", 10, ORDERS),
)

FIELDS: tuple[Field, ...] = tuple(field for field in EVERY_FIELD if field.role != ORDERS)
ORDER_FIELDS: tuple[Field, ...] = tuple(field for field in EVERY_FIELD if field.role != CUSTOMERS)
FIELD: dict[str, Field] = {field.key: field for field in EVERY_FIELD}
# The one who gets the parcel is the customer we know by name.
AS_CUSTOMER = {"receiver_name": "name"}
AS_ORDER = {"name": "receiver_name"}
# Written about one order, and no fact about who placed it.
OF_THE_ORDER = frozenset(["note"])


def fields_of(kind: str) -> tuple[Field, ...]:
    """What the columns of a file can fill: of customers, or of orders."""
    return ORDER_FIELDS if kind == ORDERS else FIELDS


def in_kind(field: str, kind: str, *, of: str) -> str | None:
    """
    What a field in a layout of the kind `of` means where the file is imported as another kind, or None.

    The receiver of an order is a customer's name; a note on an order is no note on the customer.
    """
    if kind != of:
        if field in OF_THE_ORDER:
            return None
        field = (AS_ORDER if kind == ORDERS else AS_CUSTOMER).get(field, field)
    return field if field in FIELD and FIELD[field].role in (kind, BOTH) else None


def consent_key(cell: str) -> str:
    """Write a cell of a consent column as the words of consent are compared."""
    return unicodedata.normalize("NFKC", cell).lower().strip(" .。!！")
