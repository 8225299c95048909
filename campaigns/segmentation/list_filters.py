"""From the customer list's address to conditions, so that a filter somebody made becomes a segment."""

from collections.abc import Callable
from urllib.parse import parse_qsl

from django.utils.translation import gettext as _

from campaigns.segmentation.conditions import BadConditions, read

# A longer address is no filter that anybody clicked.
LONGEST_QUERY = 2_000
# Words of the list that ask nothing about customers: page, order and the theme's own.
SILENT = {"p", "o", "e", "all", "_changelist_filters"}


def conditions_from(query: str) -> tuple[list[list[dict]], list[str]]:
    """
    The conditions that a query string of the customer list asks, and sentences for what was left out.

    Nothing is dropped in silence: a segment wider than the list would reach people nobody looked at.
    """
    groups, left_out = [], []
    for name, value in parse_qsl(query[:LONGEST_QUERY], keep_blank_values=False):
        if name in SILENT:
            continue
        try:
            condition = _READERS[name](value)
            groups.append([part.stored() for part in read([[condition]])[0]])
        except (KeyError, ValueError):
            left_out.append(
                _("The filter “%(name)s = %(value)s” cannot be kept in a segment and was left out.")
                % {"name": name[:40], "value": value[:60]}
            )
    return groups, left_out


def _ask(field: str, operator: str, value: object = None) -> dict:
    return {"field": field, "operator": operator, "value": value}


def _name(value: str) -> dict:
    """A search by name; one by number or address means a single person."""
    if any(character.isdigit() or character == "@" for character in value):
        raise BadConditions(value)
    return _ask("name", "starts_with", value)


def _consent(value: str) -> dict:
    channel, purpose, answer = value.split(".")
    return _ask("consent", answer, f"{channel}:{purpose}")


def _birth_month(value: str) -> dict:
    return _ask("birthday", "unknown") if value == "unknown" else _ask("birthday", "month", [value])


def _last_contact(value: str) -> dict:
    word, _separator, days = value.partition("_")
    operator = {"within": "within_days", "before": "not_for_days", "never": "never"}[word]
    return _ask("contacted", operator, int(days) if days else None)


_READERS: dict[str, Callable[[str], dict]] = {
    "q": _name,
    "tag": lambda value: _ask("tag", "any", [value]),
    "tier": lambda value: _ask("tier", "any", [value]),
    "city": lambda value: _ask("city", "any", [value]),
    "consent": _consent,
    "birth_month": _birth_month,
    "import": lambda value: _ask("import", "in", value),
    "last_contact": _last_contact,
}
