"""The waterfall as rows of a picture: from everybody in the segment to those who will be written to."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from notifications import screening

REASONS = {reason.code: reason for reason in screening.REASONS}


@dataclass(frozen=True)
class Row:
    """One step: its words, its people, and where its bar begins and ends in percent of the audience."""

    code: str
    label: str
    remedy: str
    count: int
    segments: int
    cost: Decimal
    begins: float
    width: float
    kind: str


def rows(snapshot: dict[str, Any]) -> list[Row]:
    """The rows of a review as it was kept with its campaign."""
    total = snapshot["total"]
    left = total
    found = [_row("matched", _("In the segment"), "", total, 0, Decimal(0), 0, total, total, "start")]
    for step in snapshot["steps"]:
        left -= step["count"]
        reason = REASONS.get(step["code"])
        found.append(
            _row(
                step["code"],
                str(reason.label) if reason else step["code"],
                str(reason.remedy) if reason else "",
                step["count"],
                step["segments"],
                Decimal(step["cost"]),
                left,
                step["count"],
                total,
                "loss",
            )
        )
    sent, cost = snapshot["will_send"], Decimal(snapshot["cost"])
    found.append(_row("will_send", _("Will be sent"), "", sent, snapshot["segments"], cost, 0, sent, total, "end"))
    return found


def _row(code, label, remedy, count, segments, cost, begins, size, total, kind) -> Row:
    def percent(number: int) -> float:
        return round(100 * number / total, 2) if total else 0

    return Row(code, label, remedy, count, segments, cost, percent(begins), percent(size), kind)


def moment_in(snapshot: dict[str, Any], key: str) -> datetime | None:
    """A moment that was kept as text."""
    return datetime.fromisoformat(snapshot[key]) if snapshot.get(key) else None
