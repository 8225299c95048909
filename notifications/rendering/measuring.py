"""What a text comes to for people who have been counted in groups, without rendering each of them."""

from dataclasses import dataclass

# One UTF-16 unit wide, visible, no bracket, no blank, no punctuation, no part of any wording.
FILLER = "中"


@dataclass(frozen=True)
class Length:
    """Stands for all clean values of this many UTF-16 units; 0 stands for the empty value."""

    units: int

    def filler(self, maximum: int) -> str:
        """A value of this length; ValueError if no clean value can be so long."""
        if not 0 <= self.units <= maximum:
            raise ValueError(f"A clean value has 0 to {maximum} UTF-16 units, not {self.units}.")
        return FILLER * self.units


@dataclass(frozen=True)
class Measured:
    """
    What becomes of `count` people: `units` and `segments` each, or the variable that they lack.

    `unsuitable` is the reason for which a provider that composes the message refuses one of their values.
    """

    count: int
    units: int = 0
    segments: int = 0
    missing: str | None = None
    too_long: bool = False
    unsuitable: str = ""

    @property
    def can_be_sent(self) -> bool:
        """Whether these people get the message."""
        return self.missing is None and not self.too_long and not self.unsuitable
