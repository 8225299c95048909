"""Reads the sheets of a workbook that have the same column names as one table, one behind the other."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice

from customers.msgid import _
from customers.spreadsheets import header, marker
from customers.spreadsheets.faults import Unreadable
from customers.spreadsheets.header_words import normal
from customers.spreadsheets.marks import Place
from customers.spreadsheets.workbook import WorkbookSource

# A workbook with more sheets is no list of customers; each is parsed by a process of its own.
MOST_SHEETS = 100
_NOTHING_TO_READ = ("empty", "no_header", "no_rows")


class SheetSequence:
    """The records of a sheet and of those behind it with the same names; their numbers run on."""

    encoding = delimiter = ""

    def __init__(self, first: WorkbookSource, behind: Sequence[WorkbookSource], passed_over: Sequence[str] = ()):
        self._first = first
        self._behind = list(behind)
        self._passed_over = list(passed_over)
        self._names: list = []
        self._joined: list[tuple[int, int, WorkbookSource]] = []
        self._orders: list[tuple[_Order, int]] = []
        self._unread: list[str] = []
        self.format, self.sheet_name, self.part_name = first.format, first.sheet_name, first.part_name

    def expect(self, names: list, row: int) -> None:
        """Take these column names, found in this row of the first sheet, for those of the table."""
        self._names = names
        self._joined = [(0, row, self._first)]

    def records(self) -> Iterator[tuple[int, list]]:
        """Yield (sheet row, cells) of the first sheet."""
        return self._first.records()

    def further(self, number: int) -> Iterator[tuple[int, list]]:
        """Yield (running number, cells) below the names of the other sheets; `number` is the last of the first."""
        self._unread, self._orders = [], []
        del self._joined[1:]
        offset = max(number, self._first.last_row)
        for source in self._behind[:MOST_SHEETS]:
            rows = source.records()
            head = list(islice(rows, header.DEEPEST))
            order = self._order(source, head, offset)
            if order is None:
                source.close()
                continue
            self._orders.append((order, max(len(record) for _row, record in head)))
            below, last = self._joined[-1][1], 0
            for chunk in (head, rows):
                for last, record in chunk:
                    if last > below:
                        yield offset + last, order.apply(record)
            offset += max(last, source.last_row)
        self._unread += [source.sheet_name for source in self._behind[MOST_SHEETS:]]

    @property
    def goes_on(self) -> bool:
        """Whether sheets stand behind the first that may belong to the table."""
        return bool(self._behind)

    def further_places(self, first: Place) -> list[Place]:
        """Where the table goes on, as far as it was read."""
        depth = first.header_row - first.heading_row
        return [
            first._replace(
                part=source.part_name,
                header_row=row,
                heading_row=row - depth,
                first_column=source.first_column,
                width=width,
                free_column=max(source.first_column + width, source.last_column + 1),
                last_row=source.last_row,
                marker_index=order.marker_index if order.places else first.marker_index,
                offset=offset,
                order=order.places,
            )
            for (offset, row, source), (order, width) in zip(self._joined[1:], self._orders, strict=True)
        ]

    @property
    def notices(self) -> list[tuple[str, dict]]:
        """What staff should know, complete after the last row."""
        found = [
            notice for _offset, _row, source in self._joined or [(0, 0, self._first)] for notice in source.notices
        ]
        names = [source.sheet_name for _offset, _row, source in self._joined]
        if len(names) > 1:
            sentence = _("%(count)s sheets with the same column names are read as one table: %(names)s.")
            found.append((sentence, {"count": len(names), "names": ", ".join(names)}))
        unread = self._passed_over + self._unread
        if unread:
            sentence = _("The sheet “%(name)s” is read; other sheets are not: %(others)s.")
            found.append((sentence, {"name": ", ".join(names) or self.sheet_name, "others": ", ".join(unread)}))
        return found

    @property
    def is_1904(self) -> bool:
        """Whether the workbook counts its days from 1904."""
        return self._first.is_1904

    @property
    def first_column(self) -> int:
        """The column of the first cell of a record, counted from 1."""
        return self._first.first_column

    @property
    def last_column(self) -> int:
        """The last column known to hold anything."""
        return self._first.last_column

    @property
    def last_row(self) -> int:
        """The last row of the first sheet."""
        return self._first.last_row

    def position(self, number: int) -> tuple[str, int]:
        """The sheet and the row in it that a running number stands for."""
        for offset, _row, source in reversed(self._joined):
            if number > offset:
                return source.sheet_name, number - offset
        return self.sheet_name, number

    def merged_below(self, row: int) -> int:
        """How many areas of merged cells reach below the column names."""
        below = sum(source.merged_below(names) for _offset, names, source in self._joined[1:])
        return self._first.merged_below(row) + below

    def is_merged_across(self, number: int) -> bool:
        """Whether cells of a row are merged over several columns."""
        offset, _row, source = next(joined for joined in reversed(self._joined) if number > joined[0])
        return source.is_merged_across(number - offset)

    def cut_off(self, width: int) -> bool:
        """A workbook that is cut off does not open at all."""
        return False

    def close(self) -> None:
        """Stop whatever still reads."""
        for source in (self._first, *self._behind):
            source.close()

    def _order(self, source: WorkbookSource, head: list[header.Record], offset: int) -> "_Order | None":
        """How the columns of a further sheet lie, None where they are others; empty sheets are not worth a word."""
        try:
            found = header.find(head)
        except Unreadable as fault:
            if fault.code not in _NOTHING_TO_READ:
                raise
            if fault.code != "empty":
                self._unread.append(source.sheet_name)
            return None
        order = _Order.between(self._names, found.names)
        if order is None:
            self._unread.append(source.sheet_name)
            return None
        self._joined.append((offset, found.row, source))
        return order


class _Order:
    """Where a further sheet keeps the columns of the first one."""

    def __init__(self, places: tuple[int | None, ...] | None, marker_index: int | None = None):
        self.places, self.marker_index = places, marker_index

    @classmethod
    def between(cls, expected: list, found: list) -> "_Order | None":
        """The order of columns, or None where the sheets do not have the same ones."""
        wanted, present = _bare(expected), _bare(found)
        if wanted == present:
            return cls(None)
        ours = marker.find(expected)
        own = {ours.index} if ours else set()
        theirs = marker.find(found)
        names = {name: place for place, name in enumerate(present) if not (theirs and place == theirs.index)}
        if len(names) < len(present) - bool(theirs) or "" in names or Counter(wanted).most_common(1)[0][1] > 1:
            return None
        if set(names) != {name for place, name in enumerate(wanted) if place not in own}:
            return None
        places = [
            (theirs.index if theirs else None) if place in own else names[name] for place, name in enumerate(wanted)
        ]
        return cls(tuple(places), theirs.index if theirs else None)

    def apply(self, record: list) -> list:
        """The cells of a record in the order of the first sheet."""
        if self.places is None:
            return record
        width = len(record)
        return [record[place] if place is not None and place < width else "" for place in self.places]


def _bare(names: list) -> list[str]:
    """Column names as they are compared, without empty ones at the end."""
    bare = [normal(name) if name is not None else "" for name in names]
    while bare and not bare[-1]:
        bare.pop()
    return bare
