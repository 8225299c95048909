"""The admin pages of customers."""

from customers.admin import (
    api_key,
    customer,
    export,
    import_layout,
    imported_row,
    integration,
    lists,
    order,
    spreadsheet_import,
    tier,
)

__all__ = [
    "api_key",
    "customer",
    "export",
    "import_layout",
    "imported_row",
    "integration",
    "lists",
    "order",
    "spreadsheet_import",
    "tier",
]
