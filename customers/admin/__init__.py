"""The admin pages of customers."""

from customers.admin import (
    api_key,
    customer,
    event,
    export,
    import_layout,
    imported_row,
    integration,
    lists,
    order,
    shipment,
    spreadsheet_import,
    tier,
)

__all__ = [
    "api_key",
    "customer",
    "event",
    "export",
    "import_layout",
    "imported_row",
    "integration",
    "lists",
    "order",
    "shipment",
    "spreadsheet_import",
    "tier",
]
