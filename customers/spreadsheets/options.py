"""What staff chose for one file: which column is the key, what clears a field, what words of consent mean."""

from collections.abc import Mapping
from typing import Any, NamedTuple

KEYS = ("auto", "phone", "email", "external_id")
TAG_MODES = ("add", "replace")
CONSENT_MEANINGS = ("yes", "no", "opt_out", "unknown")
DAY_FIRST, MONTH_FIRST = "day_first", "month_first"
DAY_ORDERS = ("", DAY_FIRST, MONTH_FIRST)
LONGEST_WORD = 100


class Options(NamedTuple):
    """The choices of the review page; what is missing means what it always meant.

    `day_order` "" leaves the order of day and month to the column.
    """

    key: str = "auto"
    clear_word: str = ""
    tags: str = "add"
    consent_words: Mapping[str, str] = {}
    day_order: str = ""

    @classmethod
    def from_json(cls, kept: Mapping[str, Any] | None) -> "Options":
        """The options that an import keeps; what is unknown or out of place falls back to its default."""
        kept = kept or {}
        words = kept.get("consent_words")
        return cls(
            key=_one_of(KEYS, kept.get("key")),
            clear_word=_word(kept.get("clear_word")),
            tags=_one_of(TAG_MODES, kept.get("tags")),
            consent_words={
                _word(cell): meaning
                for cell, meaning in (words.items() if isinstance(words, Mapping) else ())
                if _word(cell) and meaning in CONSENT_MEANINGS
            },
            day_order=_one_of(DAY_ORDERS, kept.get("day_order")),
        )

    def to_json(self) -> dict[str, Any]:
        """The options as an import keeps them."""
        return self._asdict() | {"consent_words": dict(self.consent_words)}


def _one_of(known: tuple[str, ...], value: object) -> str:
    return value if isinstance(value, str) and value in known else known[0]


def _word(value: object) -> str:
    return value.replace("\0", "").strip()[:LONGEST_WORD] if isinstance(value, str) else ""
