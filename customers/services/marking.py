"""What the marked file says about each row, in the language of whoever downloads it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from django.db.models import Q
from django.utils.translation import gettext as _

from customers import phone
from customers.choices import ImportKind, RowOutcome
from customers.models import ImportedRow, SpreadsheetImport
from customers.services import import_lines, import_reasons
from customers.spreadsheets import order_rows
from customers.spreadsheets.fields import normal
from customers.spreadsheets.layouts import Column
from customers.spreadsheets.marker import TO_KNOW, TO_MEND
from customers.spreadsheets.marks import KNOW, MEND, Mark
from customers.spreadsheets.order_rows import OrderRow
from customers.spreadsheets.rows import INVALID, SKIP, Row

# Said about rows that are in, about conflicts in which one side counts, and about what the shop cannot mend.
MILD = frozenset(["hidden_name", "duplicate", "differs", "meets_another", "not_clearable"])
# Of orders: what the platform hides, and what it says of its own orders, which was kept as it stands.
MILD_OF_ORDERS = MILD | (phone.REMEDIES.keys() | order_rows.REASONS.keys()) - {
    *("no_order_number", "not_a_moment", "not_a_quantity")
}
# Problems of a row that name no column, and whose cells they are.
FIELDS_OF = {
    "number_taken": ("external_id",),
    "no_order_number": ("order_number",),
    "too_long": ("name", "first_name", "last_name", "tier"),
}
WANTS_WORDS = (
    Q(outcome__in=[RowOutcome.DUPLICATE, RowOutcome.REJECTED]) | ~Q(reason="") | ~Q(problems=[]) | Q(opt_out_kept=True)
)
AT_ONCE = 5_000


class Remarks:
    """Makes marks of rows, for the columns of one import."""

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        kind: str = ImportKind.CUSTOMERS,
        only_to_mend: bool = False,
        position: Callable[[int], tuple[str, int]] | None = None,
    ):
        """`position` names the sheet and the row in it, where a table goes on upon several."""
        self._columns = [column for column in columns if column.field]
        self._only_to_mend, self._position = only_to_mend, position
        # Further rows of an order are no duplicates.
        self._has_orders = kind == ImportKind.ORDERS
        self._mild = MILD_OF_ORDERS if self._has_orders else MILD
        self._by_header: dict[str, list[int]] = {}
        for column in self._columns:
            self._by_header.setdefault(normal(column.header), []).append(column.index)
        self._sentences: dict[tuple[str, str], str] = {}
        self.to_mend, self.to_know = 0, 0

    def of_result(self, imported: SpreadsheetImport) -> Iterator[Mark]:
        """The marks of an import that has been carried out."""
        self.to_mend, self.to_know = 0, 0
        rows = ImportedRow.objects.filter(WANTS_WORDS, spreadsheet_import=imported).order_by("number")
        names = ("number", "outcome", "reason", "duplicate_of", "problems", "opt_out_kept")
        for number, outcome, reason, duplicate_of, problems, opt_out_kept in rows.values_list(*names).iterator(
            AT_ONCE
        ):
            notes = [self._same_as(duplicate_of)] if duplicate_of and not self._has_orders else []
            if opt_out_kept:
                notes.append(_("Agrees in the file, but has opted out: the opt-out was kept."))
            is_lost = outcome == RowOutcome.REJECTED
            yield from self._kept(self._mark(number, problems, reason, notes, is_lost=is_lost))

    def of_preview(self, rows: Iterable[Row | OrderRow]) -> Iterator[Mark]:
        """The marks of a file that has only been read."""
        self.to_mend, self.to_know = 0, 0
        for row in rows:
            if row.outcome != SKIP and (row.problems or row.reason):
                yield from self._kept(self.of_row(row))

    def of_row(self, row: Row | OrderRow) -> Mark | None:
        """The mark of one row as it was read."""
        problems = import_lines.describe(row.problems)
        if isinstance(row, OrderRow):
            return self._mark(row.number, problems, row.reason, (), is_lost=row.outcome == INVALID)
        notes = [self._same_as(row.duplicate_of)] if row.duplicate_of else []
        is_lost = not (row.phone or row.email or row.external_id)
        return self._mark(row.number, problems, row.reason, notes, is_lost=is_lost)

    def is_to_mend(self, row: Row | OrderRow) -> bool:
        """Whether a row that was read has something to mend."""
        mark = self.of_row(row)
        return mark is not None and mark.tone == MEND

    def _kept(self, mark: Mark | None) -> Iterator[Mark]:
        if mark is None:
            return
        self.to_mend += mark.tone == MEND
        self.to_know += mark.tone == KNOW
        if mark.tone == MEND or not self._only_to_mend:
            yield mark

    def _mark(
        self, number: int, problems: Sequence[Mapping[str, str]], reason: str, notes: Sequence[str], *, is_lost: bool
    ) -> Mark | None:
        """One row with everything that is to be said about it; what has to be mended comes first."""
        cells: dict[int, str] = {}
        to_mend, to_know = [], []
        for problem in problems:
            tone = KNOW if problem["code"] in self._mild else MEND
            for index in self._cells_of(problem):
                cells[index] = MEND if MEND in (tone, cells.get(index)) else KNOW
            (to_mend if tone == MEND else to_know).append(self._sentence(problem["column"], problem["code"]))
        is_said = not reason or reason == "duplicate" or any(problem["code"] == reason for problem in problems)
        # In a list without phone numbers nobody misses them.
        if not is_said and (is_lost or self._phone):
            column = self._column(FIELDS_OF.get(reason, ())) or self._phone or self._column(["email"])
            tone = MEND if is_lost else KNOW
            if column:
                cells.setdefault(column.index, tone)
            (to_mend if is_lost else to_know).append(self._sentence(column.header if column else "", reason))
        sentences = [*to_mend, *to_know, *notes]
        if not sentences:
            return None
        sign, tone = (TO_MEND, MEND) if to_mend else (TO_KNOW, KNOW)
        return Mark(number, f"{sign} {' '.join(dict.fromkeys(sentences))}", tone, cells)

    def _same_as(self, number: int) -> str:
        if self._position is None:
            return _("Same customer as row %(number)d.") % {"number": number}
        sheet, row = self._position(number)
        return _("Same customer as row %(row)d of the sheet “%(sheet)s”.") % {"row": row, "sheet": sheet}

    def _cells_of(self, problem: Mapping[str, str]) -> list[int]:
        if problem["column"]:
            return self._by_header.get(normal(problem["column"]), [])
        fields = FIELDS_OF.get(problem["code"], ())
        return [column.index for column in self._columns if column.field in fields]

    def _sentence(self, column: str, code: str) -> str:
        known = self._sentences.get((column, code))
        if known is None:
            problem, remedy = import_reasons.words(code)
            said = {"column": " ".join(column.split()), "problem": problem, "remedy": remedy}
            known = (
                _("“%(column)s”: %(problem)s. %(remedy)s") % said if column else _("%(problem)s. %(remedy)s") % said
            )
            self._sentences[column, code] = known
        return known

    @cached_property
    def _phone(self) -> Column | None:
        return self._column(["phone"])

    def _column(self, fields: Sequence[str]) -> Column | None:
        return next((column for column in self._columns if column.field in fields), None)
