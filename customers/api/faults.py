"""What pydantic finds wrong with a body, as faults with sentences that name a remedy."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from customers.api.bodies import escaped
from customers.api.problems import Fault, Problem

SHOWN_AT_MOST = 50
SENTENCES: dict[str, str | Promise] = {
    "missing": _("This field is needed."),
    "string_type": _("Write this as text, between quotes."),
    "string_too_long": _("Write at most %(max_length)s characters."),
    "string_too_short": _("Write at least %(min_length)s characters."),
    "string_pattern_mismatch": _("This text has another form than expected."),
    "int_type": _("Write a whole number."),
    "int_parsing": _("Write a whole number."),
    "int_from_float": _("Write a whole number."),
    "bool_type": _("Write true or false."),
    "bool_parsing": _("Write true or false."),
    "decimal_type": _("Write an amount such as 128.50."),
    "decimal_parsing": _("Write an amount such as 128.50."),
    "finite_number": _("Write an amount such as 128.50."),
    "decimal_max_digits": _("The amount is too large, or has more than two decimals."),
    "decimal_max_places": _("Write at most two decimals."),
    "decimal_whole_digits": _("The amount is too large."),
    "greater_than_equal": _("Write %(ge)s or more."),
    "less_than_equal": _("Write %(le)s or less."),
    "list_type": _("Write a list, between [ and ]."),
    "too_long": _("Send at most %(max_length)s at a time."),
    "too_short": _("Send at least %(min_length)s."),
    "dict_type": _("Write an object, between { and }."),
    "model_type": _("Write an object, between { and }."),
    "model_attributes_type": _("Write an object, between { and }."),
    "enum": _("Write one of: %(expected)s."),
    "literal_error": _("Write one of: %(expected)s."),
    "datetime_type": _("Write a moment with its zone, such as 2026-11-23T10:00:00+08:00."),
    "datetime_parsing": _("Write a moment with its zone, such as 2026-11-23T10:00:00+08:00."),
    "datetime_from_date_parsing": _("Write a moment with its zone, such as 2026-11-23T10:00:00+08:00."),
    "timezone_aware": _("Write the zone behind the time, such as +08:00 or Z."),
}
UNREADABLE = _("This value cannot be read.")
UNKNOWN = _("There is no field “%(name)s”. Leave it out.")
NEAREST = _("There is no field “%(name)s”. Did you mean “%(nearest)s”?")
OURS = "ours"


class Told(BaseModel):
    """A part of a body: every field that it does not know is refused, with the nearest one that it knows."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_fields(cls, told: Any) -> Any:
        if isinstance(told, dict) and (unknown := told.keys() - cls.model_fields.keys()):
            names = {name: next(iter(_nearest(name, cls.model_fields)), "") for name in sorted(unknown)}
            raise PydanticCustomError("unknown_fields", "unknown fields", {"names": names})
        return told


def refuse(words: str | Promise) -> PydanticCustomError:
    """The error by which a validator of ours says a sentence."""
    return PydanticCustomError(OURS, "refused", {"words": words})


def from_pydantic(errors: Iterable[Mapping[str, Any]], *, at: str = "#") -> list[Fault]:
    """The faults that stand in pydantic's errors, each under the pointer of its value."""
    found: list[Fault] = []
    for error in errors:
        found += _faults(error, at + "".join(f"/{escaped(part)}" for part in error["loc"]))
    return found


def problem(faults: Sequence[Fault]) -> Problem:
    """The refusal of a request for these faults."""
    words = _("Nothing was stored. Put right what is named under “errors”, and send it again.")
    return Problem(422, "invalid", words, list(faults)[:SHOWN_AT_MOST])


def _faults(error: Mapping[str, Any], pointer: str) -> list[Fault]:
    context = error.get("ctx") or {}
    if error["type"] == OURS:
        return [Fault(pointer, context["words"])]
    if error["type"] != "unknown_fields":
        words = SENTENCES.get(error["type"], UNREADABLE)
        return [Fault(pointer, str(words) % context if context and "%(" in str(words) else words)]
    return [
        Fault(f"{pointer}/{escaped(name)}", (NEAREST if nearest else UNKNOWN) % {"name": name, "nearest": nearest})
        for name, nearest in context["names"].items()
    ]


def _nearest(name: str, known: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(name[:60].lower(), list(known), n=1, cutoff=0.6)
