"""The names in our gateway protocol, and how a shop's own gateway may call them instead."""

from collections.abc import Mapping
from typing import Any

from customers.msgid import _
from notifications.providers.base import Outcome

# docs/gateway-protocol.md explains every entry. An empty name means: this gateway has no such field.
DEFAULTS: dict[str, Any] = {
    "request": {
        "call_reference": "call_reference",
        "account": "account",
        "callback_url": "callback_url",
        "messages": "messages",
        "reference": "reference",
        "number": "number",
        "text": "text",
    },
    "constants": {},
    "answer": {
        "call_reference": "call_reference",
        "call_code": "code",
        "call_outcome": "outcome",
        "call_words": "words",
        "call_id": "id",
        "messages": "messages",
        "reference": "reference",
        "number": "number",
        "outcome": "outcome",
        "code": "code",
        "words": "words",
        "provider_id": "id",
    },
    "query": {
        "references": "references",
        "account": "account",
        "messages": "messages",
        "reference": "reference",
        "status": "status",
        "code": "code",
        "words": "words",
        "provider_id": "id",
        "taken": ["accepted"],
        "delivered": ["delivered"],
        "undelivered": ["undelivered"],
        "not_found": ["not_found"],
    },
    "receipt": {
        "messages": "",
        "reference": "reference",
        "number": "number",
        "status": "status",
        "code": "code",
        "words": "words",
        "at": "at",
        "delivered": ["delivered"],
        "undelivered": ["undelivered"],
    },
    "reply": {"messages": "", "number": "number", "text": "text", "at": "at"},
    "codes": {},
}
# Sections whose keys the shop chooses itself.
OPEN = frozenset({"constants", "codes"})

NOT_A_MAPPING = _("The field names must be a JSON object; see the gateway protocol.")
UNKNOWN_SECTION = _("There is no section “%s” among the field names; see the gateway protocol.")
UNKNOWN_FIELD = _("There is no field “%s” among the field names; see the gateway protocol.")
WRONG_KIND = _("The value of “%s” among the field names is of the wrong kind.")
WRONG_CLASS = _("“%s” is not an outcome. Outcomes are taken, refused_number, refused_content, …")
NO_KEY = _("A gateway must repeat our reference or the number in its answers; name one of them.")


class BadMapping(ValueError):
    """The mapping cannot be used: `words` is a sentence for staff with a place for `name`."""

    def __init__(self, words: str, name: str = ""):
        super().__init__(words % name if name else words)
        self.words = words
        self.name = name


def completed(mapping: Any) -> dict[str, Any]:
    """Our names with the shop's names in their place. Raises BadMapping."""
    if not isinstance(mapping, Mapping):
        raise BadMapping(NOT_A_MAPPING)
    names = {section: dict(fields) for section, fields in DEFAULTS.items()}
    for section, fields in mapping.items():
        if section not in DEFAULTS:
            raise BadMapping(UNKNOWN_SECTION, str(section))
        if not isinstance(fields, Mapping):
            raise BadMapping(WRONG_KIND, str(section))
        for name, value in fields.items():
            check_field(section, str(name), value)
        names[section].update(fields)
    answer = names["answer"]
    if answer["messages"] and not (answer["reference"] or answer["number"]):
        raise BadMapping(NO_KEY)
    return names


def check_field(section: str, name: str, value: Any) -> None:
    """Raise BadMapping for a field that does not exist or a value of the wrong kind."""
    place = f"{section}.{name}"
    if section == "codes" and not (isinstance(value, str) and value in list(Outcome)):
        raise BadMapping(WRONG_CLASS, str(value))
    if section in OPEN:
        return
    if name not in DEFAULTS[section]:
        raise BadMapping(UNKNOWN_FIELD, place)
    if isinstance(DEFAULTS[section][name], list):
        right = isinstance(value, list) and all(isinstance(word, str) for word in value)
    else:
        right = isinstance(value, str)
    if not right:
        raise BadMapping(WRONG_KIND, place)
