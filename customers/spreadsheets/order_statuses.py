"""What platforms' words for the status of an order mean: looked up, never guessed."""

import csv
import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

BUNDLED = Path(__file__).with_name("order_statuses.csv")

UNKNOWN = ""
# A word that leaves the order as it is: "no after-sale case".
NOTHING = "none"
PAID, CLOSED, REFUNDED, AFTER_SALE, LOCKED = "paid", "closed", "refunded", "after_sale", "locked"
# The way of an order that nothing happens to.
WAY = ("unpaid", "paid", "shipped", "out_for_delivery", "delivered", "completed")

# JD puts these in front of any status; a deleted order must never lead to a message.
_PREFIX = re.compile(r"^\((锁定|删除)\)")


class Reading(NamedTuple):
    """What the words of one row say; `unknown` is the word that is not understood, "" where all are."""

    status: str
    is_locked: bool = False
    is_deleted: bool = False
    unknown: str = ""


class Words:
    """The words of all platforms, as the shop has taught them."""

    def __init__(self, rows: Iterable[tuple[str, str, str]]):
        self._own: dict[str, dict[str, str]] = {}
        for platform, text, meaning in rows:
            self._own.setdefault(platform, {})[normal(text)] = meaning
        agreed: dict[str, set[str]] = {}
        for words in self._own.values():
            for text, meaning in words.items():
                agreed.setdefault(text, set()).add(meaning)
        self._agreed = {text: meanings.pop() for text, meanings in agreed.items() if len(meanings) == 1}

    def read(self, platform: str, status: str, *, after_sale: str = "", fulfillment: str = "") -> Reading:
        """
        Work out the status that the words of a row amount to.

        1. A deleted order is closed, a locked one is locked, whatever else they say.
        2. After-sale speaks louder than the order's own word, and a refund louder than that.
        3. The further of payment and fulfillment counts, as far as the payment is there.
        """
        bare, is_locked, is_deleted = _without_prefixes(normal(status))
        if is_deleted:
            return Reading(CLOSED, is_locked, True)
        own = self._meaning(platform, bare)
        if is_locked or own == LOCKED:
            return Reading(LOCKED, True, False, status if own is None else "")
        if own is None:
            return Reading(UNKNOWN, unknown=status)
        case = self._case(platform, normal(after_sale))
        if case is None:
            return Reading(UNKNOWN, unknown=after_sale)
        # A word such as "canceled, refunded" has said already what the refund made of the order.
        if (case == REFUNDED and "退款" not in bare) or (case == AFTER_SALE and own not in (REFUNDED, CLOSED)):
            return Reading(case)
        found = self._with_fulfillment(platform, own, normal(fulfillment))
        return Reading(UNKNOWN, unknown=fulfillment) if found is None else Reading(found)

    def _with_fulfillment(self, platform: str, own: str, fulfillment: str) -> str | None:
        if not fulfillment:
            return own
        further = self._meaning(platform, fulfillment)
        if further is None:
            return None
        if own in WAY and further in WAY and further != PAID:
            return max(own, further, key=WAY.index)
        return own

    def _meaning(self, platform: str, text: str) -> str | None:
        """What a word means where it was used; elsewhere only if it means the same at every platform."""
        if not text:
            return UNKNOWN
        found = self._own.get(platform, {}).get(text)
        if found is None and platform not in _with_words():
            found = self._agreed.get(text)
        return UNKNOWN if found == NOTHING else found

    def _case(self, platform: str, text: str) -> str | None:
        """What the word of an after-sale case means; the platforms have few, and use each other's."""
        if not text:
            return NOTHING
        own = self._own.get(platform, {}).get(text)
        return own if own is not None else self._agreed.get(text)


def normal(text: str) -> str:
    """Write a status as the table compares it: both commas and brackets alike, without white space."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


@cache
def bundled() -> tuple[tuple[str, str, str], ...]:
    """The words that were seen in exports: (platform, text, meaning)."""
    with BUNDLED.open(encoding="utf-8", newline="") as handle:
        return tuple((row["platform"], row["text"], row["meaning"]) for row in csv.DictReader(handle))


@cache
def _with_words() -> frozenset[str]:
    return frozenset(platform for platform, _text, _meaning in bundled())


def _without_prefixes(text: str) -> tuple[str, bool, bool]:
    locked = deleted = False
    while match := _PREFIX.match(text):
        locked, deleted = locked or match[1] == "锁定", deleted or match[1] == "删除"
        text = text[match.end() :]
    return text, locked, deleted
