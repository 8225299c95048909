"""The admin pages of customers."""

from customers.admin import customer, imported_row, lists, spreadsheet_import

__all__ = ["customer", "imported_row", "lists", "spreadsheet_import"]
