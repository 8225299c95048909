"""Reading a body: JSON as it should be, and nothing that a program could break us with."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from ninja.parser import Parser

from customers.api.problems import Fault, Problem

LARGEST_BODY = 2 * 1024 * 1024
DEEPEST = 8
LONGEST_NUMBER = 40
LARGEST_EXPONENT = 30


class StrictParser(Parser):
    """Reads a body, or raises a Problem that says what is wrong with it."""

    def parse_body(self, request: HttpRequest) -> Any:
        """The values of the body."""
        return read(request.body)


def check_length(request: HttpRequest) -> None:
    """Raise a Problem for a body that is too large, before any of it is read, or that does not tell its length."""
    length = request.META.get("CONTENT_LENGTH") or ""
    if length.isascii() and length.isdigit():
        if len(length) > 18 or int(length) > LARGEST_BODY:
            raise Problem(413, "too-large", _("Send at most 2 MiB in one request: fewer items at a time."))
    elif request.method == "POST":
        raise Problem(411, "length-required", _("Send a Content-Length."))


def read(body: bytes) -> Any:
    """The values of a JSON text. Raises Problem for anything that is not JSON, or that no field could take."""
    if not body.strip():
        _refuse(_("The body is empty. Send a JSON object."))
    try:
        found = json.loads(
            body.decode("utf-8-sig"),
            parse_int=_whole,
            parse_float=_decimal,
            parse_constant=_no_constant,
            object_pairs_hook=_fields,
        )
    except UnicodeDecodeError:
        _refuse(_("The body is not UTF-8."))
    except json.JSONDecodeError as trouble:
        _refuse(
            _("The body is not JSON: look at line %(line)s, column %(column)s.")
            % {"line": trouble.lineno, "column": trouble.colno}
        )
    except RecursionError:
        _too_deep()
    if not isinstance(found, dict):
        _refuse(_("The body has to be a JSON object, between { and }."))
    _check(found, "#", 1)
    return found


def _check(value: Any, pointer: str, depth: int) -> None:
    """Raise a Problem for what no field takes: zeros and halves of characters, and things within things."""
    if isinstance(value, str):
        # "\0" and half a surrogate pair: PostgreSQL stores neither.
        if "\0" in value or not (value.isascii() or _is_whole(value)):
            raise Problem(
                400,
                "unreadable",
                _("The body holds characters that no text has."),
                [Fault(pointer, _("Take the zero character, or the half of a surrogate pair, out of this text."))],
            )
    elif isinstance(value, dict | list):
        if depth > DEEPEST:
            _too_deep()
        for name, each in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(name, str):
                _check(name, pointer, depth + 1)
            _check(each, f"{pointer}/{escaped(name)}", depth + 1)


def escaped(name: str | int) -> str:
    """One part of a JSON pointer."""
    return str(name)[:100].replace("~", "~0").replace("/", "~1")


def _is_whole(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _value in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        _refuse(_("The field “%s” stands twice in one object. Send it once.") % twice[:100])
    return found


def _whole(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        _refuse_number()
    return int(digits)


def _decimal(digits: str) -> Decimal:
    try:
        number = Decimal(digits)
    except InvalidOperation:
        _refuse_number()
    if len(digits) > LONGEST_NUMBER or abs(number.adjusted()) > LARGEST_EXPONENT:
        _refuse_number()
    return number


def _no_constant(word: str) -> NoReturn:
    _refuse(_("%s is no number of JSON. Leave the field out, or write null.") % word)


def _refuse_number() -> NoReturn:
    _refuse(_("A number has more digits than any amount. Write long numbers as text, between quotes."))


def _too_deep() -> NoReturn:
    _refuse(_("The body has more than %s levels of objects within objects.") % DEEPEST)


def _refuse(words) -> NoReturn:
    raise Problem(400, "unreadable", words)
