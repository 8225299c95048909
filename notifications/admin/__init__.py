"""The pages of the notifications app, in the order of the menu."""

from notifications.admin import (
    alert,
    callback,
    customer_filters,
    delivery,
    follow_up,
    message,
    policy,
    provider_account,
    reply,
    signature,
    template,
)

__all__ = [
    "alert",
    "callback",
    "customer_filters",
    "delivery",
    "follow_up",
    "message",
    "policy",
    "provider_account",
    "reply",
    "signature",
    "template",
]
