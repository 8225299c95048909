"""What a provider's code says about a number itself, whatever was sent to it."""

from enum import StrEnum


class Closing(StrEnum):
    """Why no further message should go to a number."""

    # It does not exist, or is none: nothing will ever arrive.
    DEAD = "dead"
    # Its owner is on the list of those who want no marketing, the provider's or the carrier's.
    OPTED_OUT = "opted_out"
