"""Makes customers of rows: valid, invalid, duplicate or skipped, with every refused cell and its reason."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from customers import phone
from customers.msgid import _
from customers.spreadsheets import cells
from customers.spreadsheets.faults import refusal
from customers.spreadsheets.fields import FIELD
from customers.spreadsheets.layouts import Column
from customers.spreadsheets.reader import Sheet

VALID, INVALID, DUPLICATE, SKIP = "valid", "invalid", "duplicate", "skip"

# Words repeat down a column, ids do not: a small memory finds the first and does not pay for the second.
REMEMBERED_CELLS = 5_000
_TOTAL = re.compile(
    r"(?:合计|总计|小计|共计|汇总|总数|本页|备注|注|说明|制表|制表人|导出时间|打印时间|导出人|数据来源"
    r"|total|grand ?total|sum)"
    r"\s*(?:[:：(（].*|[0-9].*)?|(?:共|第)\s*[0-9]+\s*[条行页人位个].*",
    re.I | re.S,
)


class Row(NamedTuple):
    """What one row says; consents are "yes", "no", "opt_out" or "unknown", and only "yes" is consent.

    Problems are (header, cell as shown to staff, reason); the words for a reason are in `cells.REASONS`, for a phone
    in `phone.REMEDIES`.
    """

    number: int
    outcome: str
    reason: str
    duplicate_of: int | None
    phone: str | None
    email: str
    name: str
    birthday: date | None
    birthday_text: str
    gender: str
    tags: tuple[str, ...]
    tier: str
    province: str
    city: str
    external_id: str
    note: str
    consent: str
    sms_consent: str
    email_consent: str
    total_spent: Decimal | None
    created_on: date | None
    problems: tuple[tuple[str, str, str], ...]


_WIDTH = len(Row._fields)
_SLOTS = {key: slot for slot, key in enumerate((*Row._fields, "first_name", "last_name", "region"))}
# What a column of a customer file can be read as.
READ_FIELDS = frozenset(_SLOTS)
_NUMBER, _OUTCOME, _REASON, _DUPLICATE_OF, _PHONE, _EMAIL, _NAME = range(7)
_BIRTHDAY, _BIRTHDAY_TEXT = _SLOTS["birthday"], _SLOTS["birthday_text"]
_PROVINCE, _CITY, _REGION = _SLOTS["province"], _SLOTS["city"], _SLOTS["region"]
_FIRST_NAME, _LAST_NAME = _SLOTS["first_name"], _SLOTS["last_name"]
_CONSENT, _SMS, _MAIL = _SLOTS["consent"], _SLOTS["sms_consent"], _SLOTS["email_consent"]
_PROBLEMS = _SLOTS["problems"]
_NOTHING = {
    **{"duplicate_of": None, "phone": None, "birthday": None, "tags": (), "total_spent": None, "created_on": None},
    **{"consent": cells.UNKNOWN, "sms_consent": cells.UNKNOWN, "email_consent": cells.UNKNOWN},
    **{"problems": (), "region": ("", "")},
}
_REPEATING = frozenset([str, date])


class Interpretation:
    """The rows of a sheet as customers, in one pass; `counts`, `reasons` and `notices` are complete at its end."""

    def __init__(self, sheet: Sheet, columns: Sequence[Column], *, today: date | None = None):
        self.sheet = sheet
        self.columns = [column for column in columns if column.field]
        self.counts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.problems: Counter[str] = Counter()
        self.reachable = 0
        self._zeros: list[int] = []
        fields = [column.field for column in self.columns]
        if len(set(fields)) < len(fields):
            raise ValueError("Two columns cannot fill the same field.")
        self._fields = frozenset(fields)
        self._phone = next(((c.index, c.header) for c in self.columns if c.field == "phone"), None)
        self._plan = [
            (column.index, _SLOTS[column.field], _parser(column.field, today), {}, column.header)
            for column in self.columns
            if column.field != "phone"
        ]
        self._rows = self._interpret()

    def __iter__(self) -> Iterator[Row]:
        return self._rows

    def __next__(self) -> Row:
        return next(self._rows)

    @property
    def notices(self) -> list[tuple[str, dict]]:
        """What staff should know about the file and its numbers."""
        found = list(self.sheet.notices)
        if len(self._zeros) > 1:
            found.append(
                (
                    _(
                        "%(count)s numbers end in seven zeros, the first in row %(row)s; their digits were probably "
                        "lost in the original file. Format the column as text there and export it again."
                    ),
                    {"count": len(self._zeros), "row": self._zeros[0]},
                )
            )
        return found

    def refuse_if_unreachable(self) -> None:
        """Refuse, after all rows were read, a file in which nobody can be reached.

        Raises Unreadable.
        """
        if not self.reachable:
            raise refusal("no_contacts", rows=sum(self.counts.values()) - self.counts[SKIP])

    def _interpret(self) -> Iterator[Row]:
        """Longer than forty lines in one piece because a call per cell would double the time of 100,000 rows."""
        empty = [_NOTHING.get(key, "") for key in _SLOTS]
        width, plan = len(self.sheet.headers), self._plan
        phone_index, phone_header = self._phone or (-1, "")
        normalize, counts, reasons = phone.normalize, self.counts, self.reasons
        seen: dict[str, int] = {}
        finish = self._finisher()
        for number, record in self.sheet.rows():
            values = empty[:]
            problems: tuple = ()
            for index, slot, parse, remembered, header in plan:
                raw = record[index]
                if raw == "" or raw is None:
                    continue
                if raw.__class__ in _REPEATING:
                    parsed = remembered.get(raw)
                    if parsed is None:
                        parsed = parse(raw)
                        if len(remembered) < REMEMBERED_CELLS:
                            remembered[raw] = parsed
                else:
                    parsed = parse(raw)
                values[slot] = parsed[0]
                if parsed[1]:
                    problems += ((header, cells.shown(raw), parsed[1]),)
            finish(values)
            if len(record) > width and any(record[width:]):
                problems += (("", cells.shown(record[width]), "too_many_cells"),)
                self._distrust(values)
            mobile, reason = normalize(record[phone_index]) if phone_index >= 0 else (None, "empty")
            values[_NUMBER] = number
            if mobile is not None:
                first = seen.setdefault(mobile, number)
                values[_PHONE] = mobile
                outcome = VALID if first == number else DUPLICATE
                if outcome is DUPLICATE:
                    values[_DUPLICATE_OF], reason = first, "duplicate"
                if mobile.endswith("0000000"):
                    self._zeros.append(number)
                self.reachable += 1
            else:
                outcome = SKIP if _is_total(record) else INVALID
                if outcome is SKIP:
                    reason = "total"
                elif reason != "empty":
                    problems += ((phone_header, cells.shown(record[phone_index]), reason),)
                self.reachable += outcome is INVALID and values[_EMAIL] != ""
            values[_OUTCOME], values[_REASON], values[_PROBLEMS] = outcome, reason, problems
            counts[outcome] += 1
            if reason:
                reasons[reason] += 1
            for problem in problems:
                self.problems[problem[2]] += 1
            yield Row._make(values[:_WIDTH])

    def _finisher(self) -> Callable[[list], None]:
        """Bind what joins several cells, so that files without such columns do not pay for it."""
        steps: list[Callable[[list], None]] = []
        if "birthday" in self._fields:
            steps.append(_split_birthday)
        if self._fields & {"first_name", "last_name"}:
            steps.append(_join_name)
        if "region" in self._fields:
            steps.append(_split_region)
        if "consent" in self._fields:
            steps.append(partial(_spread_consent, specific=self._fields & {"sms_consent", "email_consent"}))

        def finish(values: list) -> None:
            for step in steps:
                step(values)

        return finish

    @staticmethod
    def _distrust(values: list) -> None:
        """A yes from a row whose columns may have shifted could be the yes of another column."""
        for slot in (_CONSENT, _SMS, _MAIL):
            if values[slot] == cells.YES:
                values[slot] = cells.UNKNOWN


def interpret(sheet: Sheet, columns: Sequence[Column], *, today: date | None = None) -> Interpretation:
    """Iterate over the rows of a sheet as customers; with `today`, dates after it are refused."""
    return Interpretation(sheet, columns, today=today)


def _parser(key: str, today: date | None) -> Callable[[object], tuple]:
    field = FIELD[key]
    parse = cells.PARSERS[field.kind]
    if field.kind in ("birthday", "date"):
        return partial(parse, today=today)
    return partial(parse, longest=field.longest)


def _split_birthday(values: list) -> None:
    day = values[_BIRTHDAY]
    if day is None:
        return
    if isinstance(day, str):
        values[_BIRTHDAY], values[_BIRTHDAY_TEXT] = None, day
    else:
        values[_BIRTHDAY_TEXT] = day.isoformat()


def _join_name(values: list) -> None:
    """Chinese names put the family name first, without a space."""
    given, family = values[_FIRST_NAME], values[_LAST_NAME]
    if values[_NAME] or not (given or family):
        return
    if given.isascii() and family.isascii():
        values[_NAME] = f"{given} {family}".strip()
    else:
        values[_NAME] = family + given


def _split_region(values: list) -> None:
    province, city = values[_REGION]
    values[_PROVINCE] = values[_PROVINCE] or province
    values[_CITY] = values[_CITY] or city


def _spread_consent(values: list, *, specific: frozenset[str]) -> None:
    """A column for all channels fills those without a column of their own; its refusal beats their yes."""
    overall = values[_CONSENT]
    for key, slot in (("sms_consent", _SMS), ("email_consent", _MAIL)):
        refuses = overall == cells.OPT_OUT or (overall == cells.NO and values[slot] != cells.OPT_OUT)
        if key not in specific or refuses:
            values[slot] = overall


def _is_total(record: Sequence[object]) -> bool:
    """A line below or between the customers: totals, notes, page numbers."""
    filled = [cell for cell in record if cell not in ("", None)]
    first = filled[0] if filled else ""
    return isinstance(first, str) and bool(_TOTAL.fullmatch(first.strip()))
