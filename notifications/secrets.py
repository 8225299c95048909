"""Secrets of provider accounts at rest: encrypted as all secrets of the deployment are."""

from customers.secrets import Unreadable, decrypt, encrypt, is_newest

__all__ = ["Unreadable", "decrypt", "encrypt", "is_newest"]
