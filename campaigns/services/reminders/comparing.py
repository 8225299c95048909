"""How much a reminder achieved, with the uncertainty said: two shares and the span of their difference."""

from dataclasses import dataclass
from math import sqrt

# 95 of 100 such spans hold the true value.
Z = 1.959963984540054
# Fewer on a side say nothing that a shop should act on.
ENOUGH = 20


@dataclass(frozen=True)
class Share:
    """Some of many, with the span (Wilson, 95 %) in which the true share lies."""

    reached: int
    total: int

    @property
    def value(self) -> float:
        """The share itself; 0 of nothing."""
        return self.reached / self.total if self.total else 0.0

    @property
    def span(self) -> tuple[float, float]:
        """The lower and the upper end; everything is possible of nothing."""
        if not self.total:
            return 0.0, 1.0
        n, p = self.total, self.value
        center = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
        reach = Z * sqrt(p * (1 - p) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
        return max(0.0, center - reach), min(1.0, center + reach)


@dataclass(frozen=True)
class Comparison:
    """Those who got a message against those who got none."""

    reminded: Share
    held_out: Share

    @property
    def is_enough(self) -> bool:
        """Whether both sides are large enough to be compared."""
        return min(self.reminded.total, self.held_out.total) >= ENOUGH

    @property
    def difference(self) -> float:
        """How much larger the share of the reminded is."""
        return self.reminded.value - self.held_out.value

    @property
    def span(self) -> tuple[float, float]:
        """The span of the difference (Newcombe's hybrid score interval, 95 %)."""
        p, q = self.reminded.value, self.held_out.value
        (low, high), (low_of_rest, high_of_rest) = self.reminded.span, self.held_out.span
        below = sqrt((p - low) ** 2 + (high_of_rest - q) ** 2)
        above = sqrt((high - p) ** 2 + (q - low_of_rest) ** 2)
        return p - q - below, p - q + above

    @property
    def is_sure(self) -> bool:
        """Whether the span leaves out that it made no difference."""
        low, high = self.span
        return self.is_enough and (low > 0 or high < 0)
