"""Many items in one request: each is recorded whole or refused with its reasons, whatever becomes of the others."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from django.utils.functional import Promise
from pydantic import ValidationError

from customers.api import faults
from customers.api.problems import Fault
from customers.services.order_facts import CannotRecord

AT_ONCE = 500
REFUSED = "refused"
Told = TypeVar("Told")
Result = dict[str, Any] | str | Promise
Record = Callable[[list], Sequence[Result]]


class Step(NamedTuple):
    """How the items of some types are recorded: all of them at once, by a service that does all or nothing."""

    record: Record
    types: type | tuple[type, ...] = object


@dataclass(frozen=True)
class Refused:
    """An item that does not have the form that was asked for."""

    errors: Sequence[dict[str, Any]]


def tolerant(told: Any, read: Callable[[Any], Told]) -> Told | Refused:
    """Read one item of a list, keeping what is wrong with it instead of refusing the whole list."""
    try:
        return read(told)
    except ValidationError as trouble:
        return Refused(trouble.errors(include_url=False, include_input=False))


def record_each(
    told: Sequence[Told | Refused], *, field: str, steps: Sequence[Step], is_tagged: bool = False
) -> tuple[int, dict]:
    """
    Record the items of a list; answers the status and the values of the answer.

    200 where all were taken, 207 where some were; raises Problem where none was. Each step records the items of some
    types. `is_tagged`: the items are of several types, whose name pydantic puts in front of its places.
    """
    refused: dict[int, list[Fault]] = {}
    open_items: list[tuple[int, Told]] = []
    for place, item in enumerate(told):
        if isinstance(item, Refused):
            refused[place] = faults.from_pydantic(_untagged(item.errors, is_tagged), at=f"#/{field}/{place}")
        else:
            open_items.append((place, item))
    results: dict[int, dict[str, Any]] = {}
    for step in steps:
        taken = [(place, item) for place, item in open_items if isinstance(item, step.types)]
        results |= _recorded(taken, refused, field=field, record=step.record)
    if len(refused) == len(told):
        raise faults.problem([fault for place in sorted(refused) for fault in refused[place]])
    for place, reasons in refused.items():
        errors = [fault.as_json() for fault in reasons]
        results[place] = {"index": place, "outcome": REFUSED, "errors": errors}
    counts = Counter(result["outcome"] for result in results.values())
    return 207 if refused else 200, {"counts": counts, "results": [results[place] for place in sorted(results)]}


def _recorded(
    open_items: list[tuple[int, Told]], refused: dict[int, list[Fault]], *, field: str, record: Record
) -> dict[int, dict[str, Any]]:
    """
    What became of the items that are recorded, by their places; what cannot be goes to the refused.

    `record` does all or nothing, and says by CannotRecord which item stands in its way: the others are tried again
    without that one. What it could do nothing with but leave out, it answers as a sentence.
    """
    results: Sequence[Result] = []
    while open_items:
        try:
            results = record([item for _place, item in open_items])
            break
        except CannotRecord as refusal:
            if refusal.place is None:
                raise faults.problem([Fault(f"#/{field}", str(refusal))]) from None
            place, _item = open_items.pop(refusal.place)
            inside = "".join(f"/{part}" for part in filter(None, refusal.field.split(".")))
            refused[place] = [Fault(f"#/{field}/{place}{inside}", str(refusal))]
    found = {}
    for (place, _item), result in zip(open_items, results, strict=True):
        if isinstance(result, dict):
            found[place] = {"index": place, **result}
        else:
            refused[place] = [Fault(f"#/{field}/{place}", str(result))]
    return found


def _untagged(errors: Sequence[dict[str, Any]], is_tagged: bool) -> list[dict[str, Any]]:
    return [error | {"loc": error["loc"][1:]} for error in errors] if is_tagged else list(errors)
