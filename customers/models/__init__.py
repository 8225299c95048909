"""The customers app's models, in reading order."""

from customers.models.customer import Customer, CustomerTag, Tag, Tier
from customers.models.contact_point import ContactPoint
from customers.models.consent import Consent, ConsentChange
from customers.models.suppression import Suppression
from customers.models.spreadsheet_import import ImportedRow, LayoutMemory, SpreadsheetImport
from customers.models.marked_file import MarkedFile
from customers.models.export import Export
from customers.models.import_layout import ImportLayout
from customers.models.order import CustomerAccount, Order, OrderChange, OrderLine, OrderStatusWord
from customers.models.import_history import ImportedBuyer, ImportedChange, ImportedOrder, UndoFinding
from customers.models.clock_offset import ClockOffset

__all__ = [
    "ClockOffset",
    "Consent",
    "ConsentChange",
    "ContactPoint",
    "Customer",
    "CustomerAccount",
    "CustomerTag",
    "Export",
    "ImportLayout",
    "ImportedBuyer",
    "ImportedChange",
    "ImportedOrder",
    "ImportedRow",
    "LayoutMemory",
    "MarkedFile",
    "Order",
    "OrderChange",
    "OrderLine",
    "OrderStatusWord",
    "SpreadsheetImport",
    "Suppression",
    "Tag",
    "Tier",
    "UndoFinding",
]
