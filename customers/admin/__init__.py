"""The admin pages of customers."""

from customers.admin import customer, export, imported_row, lists, spreadsheet_import

__all__ = ["customer", "export", "imported_row", "lists", "spreadsheet_import"]
