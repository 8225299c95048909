"""Guesses which column of a file fills which field: known layouts first, then header words, then contents."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from customers.msgid import _
from customers.spreadsheets import cells
from customers.spreadsheets.faults import refusal
from customers.spreadsheets.fields import CUSTOMERS, FIELD, FIELDS, ORDERS, in_kind
from customers.spreadsheets.header_words import (
    NOT_CONTACT,
    ORDER_WORD_RANK,
    ORDER_WORDS,
    PARTS,
    WORD_RANK,
    WORDS,
    normal,
)
from customers.spreadsheets.layout_words import ADVICE, NAMES, NOTICES

__all__ = ["BUNDLED", "FIELDS", "Column", "Layout", "guess", "key", "known_words", "recognize", "require_contact"]

# Divides the names of one column, of which a file has one.
OR = "|"


class Column(NamedTuple):
    """What is proposed for one column, with a sentence for staff: `sentence` is a msgid, `values` fill it in.

    A value named `label` is itself a msgid.
    """

    index: int
    header: str
    field: str | None
    sentence: str
    values: dict[str, object]
    confidence: float


class Layout(NamedTuple):
    """
    The export of a well-known system: the required headers together are it, each of them one name or several in turn.

    `fields` says what a column fills, "" that it is not imported; of two columns for one field the first named wins.
    `consent_words` say what the cells of its consent columns mean, `notice` what staff should know, `advice` what to
    export instead where numbers are hidden, `refused_as` why a file without any contact is no customer list.
    """

    key: str
    label: str
    required: tuple[str, ...]
    fields: Mapping[str, str]
    kind: str = CUSTOMERS
    platform: str = ""
    consent_words: Mapping[str, str] = {}
    notice: str = ""
    advice: str = ""
    refused_as: str = ""
    is_bundled: bool = True

    def fits(self, present: set[str]) -> bool:
        """Whether a file with these headers, written as `normal` writes them, is of this layout."""
        return bool(self.required) and all(
            any(normal(name) in present for name in names.split(OR)) for names in self.required
        )

    def columns(self, kind: str) -> dict[str, tuple[str | None, int]]:
        """What each header fills in a file imported as `kind`, and its rank among those that fill the same."""
        return {
            normal(header): (in_kind(field, kind, of=self.kind) if field else None, rank)
            for rank, (header, field) in reversed(list(enumerate(self.fields.items())))
        }


def bundled_rows() -> list[dict[str, Any]]:
    """The layouts that come with Hongyan, as rows of a table hold them."""
    entries = json.loads(Path(__file__).with_name("bundled_layouts.json").read_text("utf-8"))
    return [
        entry
        | {
            "name": NAMES[entry["key"]],
            "fields": [list(pair) for pair in entry["fields"].items()],
            "notice": NOTICES[entry["notice"]],
            "advice": ADVICE[entry["advice"]],
            "is_bundled": True,
        }
        for entry in entries
    ]


def of_row(row: Mapping[str, Any]) -> Layout:
    """A layout as a row of a table holds it."""
    kept = {name: row[name] for name in Layout._fields if name not in ("label", "required", "fields")}
    fields = dict(map(tuple, row["fields"]))
    return Layout(label=row["name"], required=tuple(row["required"]), fields=fields, **kept)


# The layouts that come with Hongyan, in the order in which they are tried.
BUNDLED: tuple[Layout, ...] = tuple(map(of_row, bundled_rows()))

_KNOWN = (
    WORD_RANK.keys()
    | ORDER_WORD_RANK.keys()
    | {normal(name) for layout in BUNDLED for names in (*layout.required, *layout.fields) for name in names.split(OR)}
)

# Of the cells in a sample, so many must fit the field; names and notes fit anything and prove nothing.
_ENOUGH = 0.3
_TELLING = 0.8

_FITS = _("“%(header)s” is read as %(label)s: %(fitting)d of the first %(count)d cells fit.")
_EMPTY = _("“%(header)s” is read as %(label)s; its first cells are empty.")
_NAMED = _("“%(header)s” is read as %(label)s.")
_LOOKS = _("“%(header)s” is read as %(label)s because of its contents: %(fitting)d of the first %(count)d cells fit.")
_SECOND = _("“%(header)s” could be %(label)s too, but “%(other)s” is preferred.")
_UNFIT = _(
    "“%(header)s” is not imported: it is called %(label)s, but only %(fitting)d of the first %(count)d cells fit."
)
_IGNORED = _("“%(header)s” is not imported.")


def known_words(headers: Iterable[object]) -> int:
    """Count the cells that are words of a header."""
    return sum(1 for header in headers if isinstance(header, str) and header and normal(header) in _KNOWN)


def key(headers: Sequence[str]) -> str:
    """Name a layout by its headers, for remembering what staff chose."""
    return hashlib.sha256("\x1f".join(map(normal, headers)).encode("utf-8", "replace")).hexdigest()[:32]


def recognize(headers: Sequence[str], layouts: Sequence[Layout] = BUNDLED) -> Layout | None:
    """The first of the layouts that has these headers, whatever else the file holds, or none."""
    present = set(map(normal, headers))
    return next((layout for layout in layouts if layout.fits(present)), None)


def guess(
    headers: Sequence[str],
    sample_rows: Sequence[Sequence[object]],
    *,
    layouts: Sequence[Layout] = BUNDLED,
    kind: str = CUSTOMERS,
) -> list[Column]:
    """Propose a field of a customer (or of an order, by `kind`) or none for every column, each with a sentence."""
    proposals = _proposals(headers, sample_rows, recognize(headers, layouts), kind)
    proposals.sort(key=lambda proposal: -proposal.score)
    taken: dict[str, _Proposal] = {}
    columns: dict[int, Column] = {}
    for proposal in proposals:
        header = headers[proposal.index]
        values = {"header": header, "label": FIELD[proposal.field].label}
        values |= {"fitting": proposal.fitting, "count": proposal.count}
        if proposal.index in columns and columns[proposal.index].field:
            continue
        if proposal.score <= 0:
            columns.setdefault(proposal.index, Column(proposal.index, header, None, _UNFIT, values, 0.0))
        elif proposal.field in taken:
            values["other"] = headers[taken[proposal.field].index]
            columns.setdefault(proposal.index, Column(proposal.index, header, None, _SECOND, values, 0.0))
        else:
            taken[proposal.field] = proposal
            confidence = round(min(1.0, proposal.score / 100), 2)
            columns[proposal.index] = Column(
                proposal.index, header, proposal.field, proposal.sentence, values, confidence
            )
    return [
        columns.get(index) or Column(index, header, None, _IGNORED, {"header": header}, 0.0)
        for index, header in enumerate(headers)
    ]


def require_contact(
    columns: Sequence[Column],
    sample_rows: Sequence[Sequence[object]] = (),
    *,
    layouts: Sequence[Layout] = BUNDLED,
) -> None:
    """Refuse a customer file without a column for phone or e-mail, or of a kind that never fills it.

    Raises Unreadable.
    """
    contacts = [column for column in columns if column.field in ("phone", "email")]
    layout = recognize([column.header for column in columns], layouts)
    refused_as = layout.refused_as if layout else ""
    if not contacts and not refused_as:
        names = "、".join(column.header for column in columns if column.header)[:200]
        raise refusal("no_contact_column", headers=names or "–")
    if refused_as and (sample_rows or not contacts):
        filled = any(
            cells.text(row[column.index])[0] for row in sample_rows for column in contacts if column.index < len(row)
        )
        if not filled:
            raise refusal(refused_as)


class _Proposal(NamedTuple):
    index: int
    field: str
    score: float
    sentence: str
    fitting: int
    count: int


def _proposals(
    headers: Sequence[str], sample_rows: Sequence[Sequence[object]], layout: Layout | None, kind: str
) -> list[_Proposal]:
    """What every column could be; in a known layout its own columns first, then those that the shop added."""
    known = layout.columns(kind) if layout else {}
    filled = {known[word][0] for word in map(normal, headers) if word in known}
    proposals = []
    for index, header in enumerate(headers):
        word = normal(header)
        contents = [row[index] for row in sample_rows if index < len(row) and row[index] not in ("", None)]
        if word in known:
            field, rank = known[word]
            if field:
                proposals.append(_judge(index, field, 100.0 - rank / 1000, contents, trusted=True))
            continue
        named = [(field, standing) for field, standing in _named(word, kind, layout) if field not in filled]
        for field, standing in named:
            proposals.append(_judge(index, field, standing, contents, trusted=False))
        if not named and not layout:
            proposals += _by_contents(index, contents)
    return proposals


def _named(word: str, kind: str, layout: Layout | None) -> list[tuple[str, float]]:
    """The field a header word means, with its standing out of 100; beside a known layout only whole words count."""
    ranks, words = (ORDER_WORD_RANK, ORDER_WORDS) if kind == ORDERS else (WORD_RANK, WORDS)
    if word in ranks:
        field, rank = ranks[word]
        return [(field, 95.0 - 40.0 * rank / len(words[field]))]
    if layout:
        return []
    for part, field in PARTS:
        if part in word and not any(other in word for other in NOT_CONTACT):
            field = in_kind(field, kind, of=CUSTOMERS)
            return [(field, 40.0)] if field else []
    return []


def _judge(index: int, field: str, standing: float, contents: list, *, trusted: bool) -> _Proposal:
    """Let the contents support or contradict what the header says."""
    of_kind = FIELD[field].kind
    fitting, count = cells.fitting(of_kind, contents) if of_kind in (*cells.PARSERS, "phone") else (0, -1)
    if count < 0:
        return _Proposal(index, field, standing, _NAMED, 0, 0)
    if count == 0:
        # Shopify has three columns for the number, and leaves any two of them empty.
        return _Proposal(index, field, standing - 1 if trusted else standing * 0.5, _EMPTY, 0, 0)
    share = fitting / count
    if share < _ENOUGH and count >= 3 and not trusted:
        return _Proposal(index, field, 0, _UNFIT, fitting, count)
    return _Proposal(index, field, standing if trusted else standing * (0.6 + 0.4 * share), _FITS, fitting, count)


def _by_contents(index: int, contents: list) -> list[_Proposal]:
    """Recognize phones and addresses below a header that says nothing."""
    found = []
    for field in ("phone", "email"):
        fitting, count = cells.fitting(FIELD[field].kind, contents)
        if count >= 3 and fitting / count >= _TELLING:
            found.append(_Proposal(index, field, 30.0 * fitting / count, _LOOKS, fitting, count))
    return found
