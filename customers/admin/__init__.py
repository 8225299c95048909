"""The admin pages of customers."""

from customers.admin import customer, lists

__all__ = ["customer", "lists"]
