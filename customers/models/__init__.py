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
from customers.models.order_exception import OrderException
from customers.models.shipment import Shipment, ShipmentEvent
from customers.models.event import CustomerEvent
from customers.models.follow_up import FollowUp
from customers.models.import_history import ImportedBuyer, ImportedChange, ImportedOrder, UndoFinding
from customers.models.api_key import ApiAnswer, ApiKey, ApiUsage
from customers.models.integration import Integration, WebhookCall
from customers.models.clock_offset import ClockOffset

__all__ = [
    "ApiAnswer",
    "ApiKey",
    "ApiUsage",
    "ClockOffset",
    "Consent",
    "ConsentChange",
    "ContactPoint",
    "Customer",
    "CustomerAccount",
    "CustomerEvent",
    "CustomerTag",
    "Export",
    "FollowUp",
    "ImportLayout",
    "ImportedBuyer",
    "ImportedChange",
    "ImportedOrder",
    "ImportedRow",
    "Integration",
    "LayoutMemory",
    "MarkedFile",
    "Order",
    "OrderChange",
    "OrderException",
    "OrderLine",
    "OrderStatusWord",
    "Shipment",
    "ShipmentEvent",
    "SpreadsheetImport",
    "Suppression",
    "Tag",
    "Tier",
    "UndoFinding",
    "WebhookCall",
]
