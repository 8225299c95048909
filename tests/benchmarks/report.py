"""What a benchmark hands back, and how it reads in a terminal."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from unicodedata import east_asian_width


@dataclass
class Target:
    """A figure with the limit it should keep."""

    name: str
    value: float
    limit: float
    is_ceiling: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the figure is on the right side."""
        return self.value <= self.limit if self.is_ceiling else self.value >= self.limit


@dataclass
class Report:
    """The figures of one benchmark: sizes, rows of a table, and the ratios inside this one run."""

    sizes: dict[str, int]
    rows: list[dict[str, Any]]
    targets: list[Target]
    notes: dict[str, Any] = field(default_factory=dict)
    # For the JSON alone: too long for a terminal.
    details: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        targets = [asdict(target) | {"is_met": target.is_met} for target in self.targets]
        return asdict(self) | {"targets": targets}


def say(line: str = "") -> None:
    """Tell whoever waits; the figures themselves go to standard output as JSON."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def show(name: str, figures: Mapping[str, Any]) -> None:
    """Print the figures of one benchmark as tables."""
    say()
    say(f"{name}: " + ", ".join(f"{count:,} {what}" for what, count in figures["sizes"].items()))
    _table(figures["rows"])
    for target in figures["targets"]:
        mark = "ok  " if target["is_met"] else "MISS"
        sign = "≤" if target["is_ceiling"] else "≥"
        say(f"  {mark} {target['name']}: {_cell(target['value'])} ({sign} {_cell(target['limit'])})")
    for note, value in figures["notes"].items():
        say(f"  {note}: {_cell(value)}")


def _table(rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        return
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, *([_cell(row.get(name, "")) for name in names] for row in rows)]
    widths = [max(_width(line[column]) for line in lines) for column in range(len(names))]
    for line in lines:
        say("  " + "  ".join(text + " " * (width - _width(text)) for text, width in zip(line, widths, strict=True)))


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _width(text: str) -> int:
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
