"""The pictures of a backtest: a bar for each day, and the hours of the day by their warmth."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil


@dataclass(frozen=True)
class Part:
    """One bar or field: what it stands for, how many, and how high or warm from 0 to 100."""

    label: str
    count: int
    size: int
    is_named: bool = True


# Beyond it the dates below the bars run into each other.
NAMED_DAYS = 8


def bars(days: Sequence[tuple[date, int]], *, first: date, last: date) -> list[Part]:
    """Every day of a span with the height of its bar, the highest 100."""
    counts = dict(days)
    first, last = min([first, *counts]), max([last, *counts])
    shown = [first + timedelta(days=place) for place in range((last - first).days + 1)]
    most = max(counts.values(), default=0)
    every = max(1, ceil(len(shown) / NAMED_DAYS))
    return [
        Part(f"{day.month}/{day.day}", counts.get(day, 0), _share(counts.get(day, 0), most), place % every == 0)
        for place, day in enumerate(shown)
    ]


def heat(hours: Sequence[int]) -> list[Part]:
    """The hours of the day with the warmth of each, the warmest 100."""
    most = max(hours, default=0)
    return [Part(f"{hour:02}", count, _share(count, most), hour % 6 == 0) for hour, count in enumerate(hours)]


def _share(count: int, most: int) -> int:
    """A part of the highest in percent; what is there at all stays visible."""
    return max(4, round(100 * count / most)) if count and most else 0
