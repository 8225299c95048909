"""The pages of the notifications app, in the order of the menu."""

from notifications.admin import customer_filters, delivery, message, policy, provider_account, signature, template

__all__ = ["customer_filters", "delivery", "message", "policy", "provider_account", "signature", "template"]
