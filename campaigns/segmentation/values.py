"""What staff may enter in a condition: how it is read, refused and said in words."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

MAXIMUM_TEXT = 60
MAXIMUM_CHOICES = 100


class BadValue(ValueError):
    """A value that its operator cannot take; the text is a sentence for staff."""


@dataclass(frozen=True)
class Nothing:
    """An operator that needs no value."""

    kind = "nothing"

    def read(self, raw: Any) -> None:
        """Whatever came along is dropped."""

    def words(self, value: None) -> str:
        """No words for no value."""
        return ""


@dataclass(frozen=True)
class Text:
    """A short text."""

    kind = "text"

    def read(self, raw: Any) -> str:
        """The text without surrounding blanks. Raises BadValue."""
        return _text(raw)

    def words(self, value: str) -> str:
        """The text in quotation marks."""
        return pgettext("quoted", "“%(text)s”") % {"text": value}


@dataclass(frozen=True)
class Texts:
    """One or more short texts; typed with commas between them."""

    kind = "texts"

    def read(self, raw: Any) -> list[str]:
        """The texts, each once. Raises BadValue."""
        parts = raw.replace("，", ",").replace("、", ",").split(",") if isinstance(raw, str) else raw
        if not isinstance(parts, list) or len(parts) > MAXIMUM_CHOICES:
            raise BadValue(_("Enter up to %(count)d values with commas between them.") % {"count": MAXIMUM_CHOICES})
        texts = [_text(part) for part in parts if not (isinstance(part, str) and not part.strip())]
        if not texts:
            raise BadValue(_("Enter at least one value."))
        return list(dict.fromkeys(texts))

    def words(self, value: list[str]) -> str:
        """The texts, listed."""
        return _listed(value)


@dataclass(frozen=True)
class Number:
    """A whole number within bounds."""

    minimum: int
    maximum: int
    kind = "number"

    def read(self, raw: Any) -> int:
        """The number. Raises BadValue."""
        text = str(raw).strip()
        bounds = {"minimum": self.minimum, "maximum": self.maximum}
        if isinstance(raw, bool) or not text.isdecimal() or len(text) > 9:
            raise BadValue(_("Enter a whole number from %(minimum)d to %(maximum)d.") % bounds)
        if not self.minimum <= int(text) <= self.maximum:
            raise BadValue(_("The number must be from %(minimum)d to %(maximum)d.") % bounds)
        return int(text)

    def words(self, value: int) -> str:
        """The digits."""
        return str(value)


Options = Callable[[], Iterable[tuple[Any, str]]]


@dataclass(frozen=True)
class Choice:
    """One of a list that the shop keeps, such as its tiers."""

    options: Options
    kind = "choice"

    def read(self, raw: Any) -> Any:
        """The chosen key, as the list spells it. Raises BadValue."""
        return _chosen([raw], self.options)[0]

    def words(self, value: Any) -> str:
        """The name of the choice."""
        return _named([value], self.options)[0]


@dataclass(frozen=True)
class Choices:
    """Some of a list that the shop keeps, such as its tags."""

    options: Options
    kind = "choices"

    def read(self, raw: Any) -> list:
        """The chosen keys, each once. Raises BadValue."""
        if not isinstance(raw, list):
            raw = [raw]
        if not raw or raw == [""] or raw == [None]:
            raise BadValue(_("Choose at least one value."))
        if len(raw) > MAXIMUM_CHOICES:
            raise BadValue(_("Choose at most %(count)d values.") % {"count": MAXIMUM_CHOICES})
        return list(dict.fromkeys(_chosen(raw, self.options)))

    def words(self, value: list) -> str:
        """The names of the choices, listed."""
        return _listed(_named(value, self.options))


Value = Nothing | Text | Texts | Number | Choice | Choices


def _text(raw: Any) -> str:
    text = raw.strip() if isinstance(raw, str) else ""
    if not text:
        raise BadValue(_("Enter a text."))
    if len(text) > MAXIMUM_TEXT:
        raise BadValue(_("The text is longer than %(count)d characters.") % {"count": MAXIMUM_TEXT})
    # PostgreSQL cannot store NUL, and a lone half of a surrogate pair cannot be encoded at all.
    if any(ord(character) < 32 or 0xD800 <= ord(character) <= 0xDFFF for character in text):
        raise BadValue(_("The text contains characters that cannot be searched for."))
    return text


def _chosen(raw: list, options: Options) -> list:
    known = {str(key): key for key, _name in options()}
    chosen = []
    for item in raw:
        if isinstance(item, (dict, list)) or str(item) not in known:
            if item in ("", None):
                raise BadValue(_("Choose a value."))
            raise BadValue(_("One of the chosen values no longer exists. Choose again."))
        chosen.append(known[str(item)])
    return chosen


def _named(keys: list, options: Options) -> list[str]:
    names = {str(key): str(name) for key, name in options()}
    return [names.get(str(key)) or _("(deleted)") for key in keys]


def _listed(words: list) -> str:
    return pgettext("between the items of a list", ", ").join(str(word) for word in words)
