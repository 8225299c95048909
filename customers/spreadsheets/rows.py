"""Makes customers of rows: valid, invalid, duplicate or skipped, with every refused cell and its reason."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from customers import phone
from customers.msgid import _
from customers.spreadsheets import cell_choices, cells, date_columns, footers
from customers.spreadsheets.cell_choices import CLEARED, CLEARS
from customers.spreadsheets.faults import refusal
from customers.spreadsheets.fields import FIELD
from customers.spreadsheets.layouts import Column
from customers.spreadsheets.options import Options
from customers.spreadsheets.reader import Sheet

VALID, INVALID, DUPLICATE, SKIP = "valid", "invalid", "duplicate", "skip"

# Words repeat down a column, ids do not: a small memory finds the first and does not pay for the second.
REMEMBERED_CELLS = 5_000


class Row(NamedTuple):
    """What one row says; consents are "yes", "no", "opt_out" or "unknown", and only "yes" is consent.

    Problems are (header, cell as shown to staff, reason); the words for a reason are in `cells.REASONS`, for a phone
    in `phone.REMEDIES`. The birthday's text is that of its `birth_calendar`, lunar ones begin with "L". Consents for
    one purpose count only where the file has a column for one; `cleared` are the fields that the file empties.
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
    birth_calendar: str
    cleared: frozenset[str]
    sms_marketing: str
    sms_care: str
    email_marketing: str
    email_care: str


_WIDTH = len(Row._fields)
# Columns that only help to fill a field.
_HELPING = ("first_name", "last_name", "region", "lunar_birthday", "opted_out_at")
_SLOTS = {key: slot for slot, key in enumerate((*Row._fields, *_HELPING))}
# What a column of a customer file can be read as.
READ_FIELDS = frozenset(_SLOTS)
_NUMBER, _OUTCOME, _REASON, _DUPLICATE_OF, _PHONE, _EMAIL, _NAME = range(7)
_BIRTHDAY, _BIRTHDAY_TEXT = _SLOTS["birthday"], _SLOTS["birthday_text"]
_PROVINCE, _CITY, _REGION = _SLOTS["province"], _SLOTS["city"], _SLOTS["region"]
_FIRST_NAME, _LAST_NAME = _SLOTS["first_name"], _SLOTS["last_name"]
_CONSENT, _SMS, _MAIL = _SLOTS["consent"], _SLOTS["sms_consent"], _SLOTS["email_consent"]
_PROBLEMS, _CALENDAR, _CLEARED = _SLOTS["problems"], _SLOTS["birth_calendar"], _SLOTS["cleared"]
_LUNAR, _OPTED_OUT_AT = _SLOTS["lunar_birthday"], _SLOTS["opted_out_at"]
_BY_PURPOSE = {
    channel: tuple((f"{channel}_{purpose}", _SLOTS[f"{channel}_{purpose}"]) for purpose in ("marketing", "care"))
    for channel in ("sms", "email")
}
_CONSENTS = (_CONSENT, _SMS, _MAIL, *(slot for slots in _BY_PURPOSE.values() for _key, slot in slots))
_NOTHING = {
    **{"duplicate_of": None, "phone": None, "birthday": None, "tags": (), "total_spent": None, "created_on": None},
    **{key: cells.UNKNOWN for key, slot in _SLOTS.items() if slot in _CONSENTS},
    **{"problems": (), "region": ("", ""), "cleared": frozenset(), "lunar_birthday": None},
    **{"opted_out_at": cells.UNKNOWN},
}
_REPEATING = frozenset([str, date])


class Interpretation:
    """The rows of a sheet as customers, in one pass; `counts`, `reasons` and `notices` are complete at its end."""

    def __init__(
        self,
        sheet: Sheet,
        columns: Sequence[Column],
        *,
        today: date | None = None,
        options: Options | None = None,
        finds_repeats: bool = True,
    ):
        options = options or Options()
        self.sheet = sheet
        self.options = options
        self._finds_repeats = finds_repeats
        self.columns = [column for column in columns if column.field]
        self.counts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.problems: Counter[str] = Counter()
        self.reachable = 0
        self._zeros: list[int] = []
        self._footers: list[int] = []
        fields = [column.field for column in self.columns]
        if len(set(fields)) < len(fields):
            raise ValueError("Two columns cannot fill the same field.")
        self._fields = frozenset(fields)
        self._phone = next(((c.index, c.header) for c in self.columns if c.field == "phone"), None)
        dates = date_columns.arguments(sheet, columns, options)
        self._plan = [
            (
                column.index,
                _SLOTS[column.field],
                cell_choices.parser(
                    FIELD[column.field],
                    options=options,
                    nothing=_NOTHING.get(column.field, ""),
                    today=today,
                    arguments=dates.get(column.index, {}),
                ),
                {},
                column.header,
            )
            for column in self.columns
            if column.field != "phone"
        ]
        self._key = next(((c.header, _SLOTS[c.field]) for c in self.columns if c.field == options.key), ("", _PHONE))
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
        if self._footers:
            found.append((footers.NOTICE, {"count": len(self._footers), "row": self._footers[0]}))
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
        normalize, seen = phone.normalize, dict[str, int]()
        (key_header, key_slot), has_key = self._key, self.options.key != "auto"
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
            if reason == "several_numbers":
                mobile, reason, told = _first_of_several(record[phone_index], phone_header)
                problems += told
            values[_NUMBER] = number
            if mobile is not None:
                values[_PHONE] = mobile
                outcome = VALID
                if mobile.endswith("0000000"):
                    self._zeros.append(number)
                self.reachable += 1
            else:
                outcome = SKIP if footers.is_footer(record) else INVALID
                if outcome is SKIP:
                    reason = "total"
                    self._footers.append(number)
                elif reason != "empty":
                    problems += ((phone_header, cells.shown(record[phone_index]), reason),)
                self.reachable += outcome is INVALID and values[_EMAIL] != ""
            key = values[key_slot] if has_key else mobile
            if key:
                first = seen.setdefault(key, number) if self._finds_repeats else number
                if first != number:
                    outcome, reason, values[_DUPLICATE_OF] = DUPLICATE, "duplicate", first
            elif has_key and outcome is not SKIP:
                problems += ((key_header, "", "no_key"),)
                outcome, reason = INVALID, reason if key_slot == _PHONE else "no_key"
            values[_OUTCOME], values[_REASON], values[_PROBLEMS] = outcome, reason, problems
            self._count(outcome, reason, problems)
            yield Row._make(values[:_WIDTH])

    def _count(self, outcome: str, reason: str, problems: tuple) -> None:
        self.counts[outcome] += 1
        if reason:
            self.reasons[reason] += 1
        for problem in problems:
            self.problems[problem[2]] += 1

    def _finisher(self) -> Callable[[list], None]:
        """Bind what joins several cells, so that files without such columns do not pay for it."""
        steps: list[Callable[[list], None]] = []
        if self.options.clear_word:
            steps.append(_collect_cleared)
        if "lunar_birthday" in self._fields:
            steps.append(_take_lunar_birthday)
        if self._fields & {"birthday", "lunar_birthday"}:
            steps.append(_split_birthday)
        if self._fields & {"first_name", "last_name"}:
            steps.append(_join_name)
        if "region" in self._fields:
            steps.append(_split_region)
        if "consent" in self._fields:
            steps.append(partial(_spread_consent, specific=self._fields & {"sms_consent", "email_consent"}))
        for wide, slots in ((_SMS, _BY_PURPOSE["sms"]), (_MAIL, _BY_PURPOSE["email"])):
            if own := frozenset(slot for key, slot in slots if key in self._fields):
                steps.append(partial(_narrow_consent, wide=wide, slots=[slot for _key, slot in slots], own=own))
        if "opted_out_at" in self._fields:
            steps.append(_opt_out)
        if self.options.clear_word:
            steps.append(_keep_cleared)

        def finish(values: list) -> None:
            for step in steps:
                step(values)

        return finish

    @staticmethod
    def _distrust(values: list) -> None:
        """A yes from a row whose columns may have shifted could be the yes of another column."""
        for slot in _CONSENTS:
            if values[slot] == cells.YES:
                values[slot] = cells.UNKNOWN


def interpret(
    sheet: Sheet,
    columns: Sequence[Column],
    *,
    today: date | None = None,
    options: Options | None = None,
    finds_repeats: bool = True,
) -> Interpretation:
    """
    Iterate over the rows of a sheet as customers; with `today`, dates after it are refused.

    `finds_repeats` names for each repeated key the row that had it first, at 150 MB for a million rows; who merges
    the rows finds them anyway.
    """
    return Interpretation(sheet, columns, today=today, options=options, finds_repeats=finds_repeats)


def _take_lunar_birthday(values: list) -> None:
    values[_BIRTHDAY] = values[_BIRTHDAY] or values[_LUNAR]


def _first_of_several(cell: object, header: str) -> tuple[str | None, str, tuple]:
    """The first number of a cell that can be texted, with the remark that others stand beside it."""
    mobile = phone.first_usable(cell).number
    if mobile is None:
        return None, "several_numbers", ()
    return mobile, "", ((header, cells.shown(cell), "several_numbers"),)


def _split_birthday(values: list) -> None:
    day = values[_BIRTHDAY]
    if day is None:
        return
    if isinstance(day, str):
        values[_BIRTHDAY], values[_BIRTHDAY_TEXT] = None, day
        if day[0] == "L":
            values[_CALENDAR] = "leap" if day[-3] == "+" else "lunar"
    else:
        values[_BIRTHDAY_TEXT] = day.isoformat()


def _collect_cleared(values: list) -> None:
    """Take the marks out before anybody reads them for values."""
    found = [key for key in CLEARS if values[_SLOTS[key]] is CLEARED]
    if found:
        for key in found:
            values[_SLOTS[key]] = _NOTHING.get(key, "")
        values[_CLEARED] = frozenset(field for key in found for field in CLEARS[key])


def _keep_cleared(values: list) -> None:
    """A field that another column of the row fills is not cleared."""
    if values[_CLEARED]:
        slots = {field: _BIRTHDAY_TEXT if field == "birthday" else _SLOTS[field] for field in values[_CLEARED]}
        values[_CLEARED] = frozenset(field for field, slot in slots.items() if not values[slot])


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


def _narrow_consent(values: list, *, wide: int, slots: Sequence[int], own: frozenset[int]) -> None:
    """A column for one purpose speaks for it, unless the channel's own refuses; that speaks for the other purpose."""
    overall = values[wide]
    for slot in slots:
        refuses = overall == cells.OPT_OUT or (overall == cells.NO and values[slot] != cells.OPT_OUT)
        if slot not in own or refuses:
            values[slot] = overall
    if overall == cells.YES and all(values[slot] == cells.UNKNOWN for slot in slots):
        values[wide] = cells.UNKNOWN


def _opt_out(values: list) -> None:
    """Who opted out at some moment opted out of everything."""
    if values[_OPTED_OUT_AT] == cells.OPT_OUT:
        for slot in _CONSENTS:
            values[slot] = cells.OPT_OUT
