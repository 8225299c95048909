"""Reads cells by what staff chose for their file: what words of consent mean, and the word that clears a field."""

import unicodedata
from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from typing import Any

from customers.spreadsheets import cells, dates
from customers.spreadsheets.fields import Field, consent_key
from customers.spreadsheets.options import Options

# What stands in the place of a value that the file clears.
CLEARED = object()
# The fields that a word may clear, by the column's field. An address, a number or an answer is never lost to a word.
CLEARS: dict[str, tuple[str, ...]] = {
    **{key: (key,) for key in ("name", "gender", "birthday", "tags", "tier", "province", "city", "note")},
    **{"last_name": ("name",), "lunar_birthday": ("birthday",), "region": ("province", "city")},
}
# In the column of the moment somebody opted out: still subscribed.
_NOT_YET = cells.NO_WORDS | {"0000-00-00", "0000-00-00 00:00:00", "1970-01-01", "0001-01-01", "未退订", "正常"}
_NOT_YET |= {"未拒收", "未取消", "订阅中", "已订阅", "接收", "正常接收", "subscribed", "active"}


def parser(
    field: Field, *, options: Options, nothing: object, today: date | None, arguments: Mapping[str, Any]
) -> Callable[[object], tuple]:
    """How the cells of a column are read; `nothing` is what an empty cell means, `arguments` what dates need."""
    if field.kind in ("birthday", "date"):
        parse: Callable[[object], tuple] = partial(cells.PARSERS[field.kind], today=today, **arguments)
    elif field.kind == "lunar_birthday":
        parse = partial(dates.parse, today=today, **{**arguments, "is_lunar": True})
    elif field.kind == "opt_out":
        parse = _opted_out
    elif field.kind == "consent" and options.consent_words:
        parse = partial(_consent, words={consent_key(cell): said for cell, said in options.consent_words.items()})
    else:
        parse = partial(cells.PARSERS[field.kind], longest=field.longest)
    if options.clear_word:
        word = _plain(options.clear_word)
        return partial(_unless_cleared, parse=parse, word=word, nothing=nothing, may_clear=field.key in CLEARS)
    return parse


def _consent(raw: object, *, words: Mapping[str, str]) -> tuple[str, str]:
    said, reason = cells.consent(raw)
    chosen = words.get(consent_key(cells.text(raw)[0]))
    # Whatever staff choose, a plain no is never consent.
    if chosen is None or (chosen == cells.YES and said in (cells.NO, cells.OPT_OUT)):
        return said, reason
    return chosen, ""


def _opted_out(raw: object) -> tuple[str, str]:
    """Any moment, and any other word but a no, says that the customer opted out."""
    said, reason = cells.text(raw) if not isinstance(raw, (date, bool)) else (str(raw), "")
    return (cells.UNKNOWN if (not said and not reason) or said.lower() in _NOT_YET else cells.OPT_OUT), ""


def _unless_cleared(
    raw: object, *, parse: Callable[[object], tuple], word: str, nothing: object, may_clear: bool
) -> tuple:
    if raw.__class__ is str and _plain(raw) == word:
        return (CLEARED, "") if may_clear else (nothing, "not_clearable")
    return parse(raw)


def _plain(word: str) -> str:
    return unicodedata.normalize("NFKC", word).strip().casefold()
