"""The admin pages of customers."""

from customers.admin import customer, export, import_layout, imported_row, lists, order, spreadsheet_import

__all__ = ["customer", "export", "import_layout", "imported_row", "lists", "order", "spreadsheet_import"]
