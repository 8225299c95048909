"""The limits of the brake: one row, with defaults until somebody saves it."""

from notifications.models import BrakeRule


def current() -> BrakeRule:
    """The limits that hold."""
    return BrakeRule.objects.first() or BrakeRule()
