"""Makes orders of rows: what each row says of its order, its line and its buyer, with every cell that was refused."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, tzinfo
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from customers import phone
from customers.msgid import _
from customers.spreadsheets import cells, moments, order_cells, order_statuses
from customers.spreadsheets.fields import FIELD
from customers.spreadsheets.layouts import Column
from customers.spreadsheets.order_statuses import Words
from customers.spreadsheets.reader import Sheet

VALID, INVALID, SKIP = "valid", "invalid", "skip"
TIMES = ("ordered_at", "paid_at", "shipped_at", "delivered_at", "completed_at", "closed_at")
# So long a text may be as the database keeps it.
LONGEST = {
    **{"status": 60, "fulfillment_status": 60, "after_sale_status": 60, "buyer_name": 100, "receiver_name": 60},
    **{"closed_reason": 100, "sku": 100, "category": 60, "carrier": 60, "shop_name": 60, "note": 500, "city": 60},
    **{"province": 60, "platform": 30, "currency": 10},
}
REMEMBERED_CELLS = 5_000

REASONS: dict[str, tuple[str, str]] = {
    "no_order_number": (
        _("No order number that can be used"),
        _("Fill in the number as the platform writes it; format the column as text, so that no digit is lost."),
    ),
    "unknown_status": (
        _("The status is not understood"),
        _("No reminder is sent for this order. Teach the word under “Status words”, and all its orders follow."),
    ),
    "not_a_moment": (_("Not a date with a time"), _("Write it like 2026-05-31 14:30.")),
    "not_a_quantity": (_("Not a whole number of pieces"), _("Write the quantity like 2.")),
    "paid_before_ordered": (_("Paid before it was ordered"), _("Both times were kept as the file has them.")),
    "shipped_before_paid": (_("Shipped before it was paid"), _("Both times were kept as the file has them.")),
    "delivered_before_shipped": (_("Arrived before it was shipped"), _("Both times were kept as the file has them.")),
    "completed_too_early": (
        _("Completed before it was ordered, paid or shipped"),
        _("The times were kept as the file has them."),
    ),
    "closed_but_delivered": (
        _("Closed, but it has a time of arrival"),
        _("Status and time were kept; look the order up at the platform."),
    ),
    "unpaid_but_paid_at": (
        _("Waiting for payment, but it has a time of payment"),
        _("Status and time were kept; no reminder to pay should go out. Look the order up at the platform."),
    ),
    "paid_without_time": (_("Paid, but without a time of payment"), _("The order was stored without this time.")),
    "delivered_without_time": (_("Arrived, but without a time of arrival"), _("It was stored without this time.")),
}


class OrderRow(NamedTuple):
    """
    What one row says; `status` is None where it says nothing of it, as the further rows of an order do.

    `reason` is why there is no phone. Problems are (header, cell as shown to staff, reason).
    """

    number: int
    outcome: str
    reason: str
    platform: str
    order_number: str
    sub_order_number: str
    status: str | None
    is_locked: bool
    is_deleted: bool
    status_text: str
    after_sale_status: str
    phone: str
    email: str
    buyer_name: str
    receiver_name: str
    province: str
    city: str
    shop_name: str
    currency: str
    total: Decimal | None
    sub_total: Decimal | None
    paid: Decimal | None
    refund: Decimal | None
    freight: Decimal | None
    ordered_at: datetime | None
    paid_at: datetime | None
    shipped_at: datetime | None
    delivered_at: datetime | None
    completed_at: datetime | None
    closed_at: datetime | None
    ship_by_at: datetime | None
    promised_at: datetime | None
    closed_reason: str
    carrier: str
    tracking_number: str
    note: str
    goods: tuple[str, ...]
    product_id: str
    sku: str
    category: str
    quantity: int | None
    price: Decimal | None
    problems: tuple[tuple[str, str, str], ...]


_ORDER_LEVEL = frozenset(
    ["status", "after_sale_status", "phone", "email", "buyer_name", "total", "paid", *TIMES, "sub_order_number"]
)


class Interpretation:
    """The rows of a sheet as orders, in one pass; `counts` and `notices` are complete at its end."""

    def __init__(self, sheet: Sheet, columns: Sequence[Column], *, platform: str, words: Words, zone: tzinfo):
        self.sheet = sheet
        self.columns = [column for column in columns if column.field]
        self.platform = platform
        self.words = words
        self.counts: Counter[str] = Counter()
        self.continued = 0
        self._fields = frozenset(column.field for column in self.columns)
        if len(self._fields) < len(self.columns):
            raise ValueError("Two columns cannot fill the same field.")
        self._headers = {column.field: column.header for column in self.columns}
        self._plan = [
            (column.index, column.field, _parser(column.field, zone, is_1904=sheet.is_1904), {})
            for column in self.columns
        ]
        self._previous = ""
        self._rows = self._interpret()

    def __iter__(self) -> Iterator[OrderRow]:
        return self._rows

    def __next__(self) -> OrderRow:
        return next(self._rows)

    @property
    def notices(self) -> list[tuple[str, dict]]:
        """What staff should know about the file."""
        found = list(self.sheet.notices)
        if self.continued:
            found.append(
                (
                    _("%(count)s rows without an order number were taken for further goods of the order above."),
                    {"count": self.continued},
                )
            )
        if "status" not in self._fields:
            found.append((_("The file has no column with the status; it was worked out from the times."), {}))
        return found

    def _interpret(self) -> Iterator[OrderRow]:
        plan, counts, width = self._plan, self.counts, len(self.sheet.headers)
        for number, record in self.sheet.rows():
            said: dict[str, object] = {}
            problems: list[tuple[str, str, str]] = []
            for index, field, parse, remembered in plan:
                raw = record[index]
                if raw == "" or raw is None:
                    continue
                is_text = raw.__class__ is str and remembered is not None
                found = remembered.get(raw) if is_text else None
                if found is None:
                    found = parse(raw)
                    if is_text and len(remembered) < REMEMBERED_CELLS:
                        remembered[raw] = found
                value, reason = found
                if value is not None and value != "":
                    said[field] = value
                if reason and field == "phone":
                    said["reason"] = reason
                elif reason and reason != "hidden_name":
                    problems.append((self._headers[field], cells.shown(raw), reason))
            if len(record) > width and any(record[width:]):
                problems.append(("", cells.shown(record[width]), "too_many_cells"))
            row = self._row(number, said, problems, record)
            counts[row.outcome] += 1
            yield row

    def _row(self, number: int, said: dict, problems: list, record: Sequence[object]) -> OrderRow:
        """Put together what the cells of one row say."""
        order_number = said.pop("order_number", "")
        if order_number:
            self._previous = order_number
        elif self._previous and "product" in said and not _ORDER_LEVEL & said.keys():
            order_number = self._previous
            self.continued += 1
        outcome = VALID
        if not order_number:
            outcome = SKIP if order_cells.is_no_order(record) else INVALID
            if not any(code == "no_order_number" for _header, _cell, code in problems) and outcome == INVALID:
                problems.append((self._headers.get("order_number", ""), "", "no_order_number"))
        platform = said.pop("platform", "") or self.platform
        reading, text, case = self._status(platform, said, problems)
        for key in ("status", "fulfillment_status"):
            said.pop(key, None)
        said["after_sale_status"] = case
        said["goods"], said["quantity"] = order_cells.goods(
            said.pop("product", ""),
            kinds=said.pop("product_kinds", None),
            quantity=said.pop("quantity", None),
            total_quantity=said.pop("total_quantity", None),
        )
        said.setdefault("reason", "" if "phone" in said else "empty")
        status = reading.status if reading else None
        problems += order_cells.contradictions(status or "", said, self._fields)
        return OrderRow(
            **_NOTHING
            | said
            | {
                "number": number,
                "outcome": outcome,
                "platform": platform,
                "order_number": order_number,
                "status": status,
                "is_locked": bool(reading and reading.is_locked),
                "is_deleted": bool(reading and reading.is_deleted),
                "status_text": text,
                "problems": tuple(problems),
            }
        )

    def _status(self, platform: str, said: dict, problems: list) -> tuple[order_statuses.Reading | None, str, str]:
        """The status of a row, the platform's words for it, and those for its after-sale case."""
        text, beside = str(said.get("status", "")), str(said.get("fulfillment_status", ""))
        case = str(said.get("after_sale_status", ""))
        if "status" not in self._fields and not case:
            return order_statuses.Reading(order_cells.status_by_times(said)), "", ""
        if not (text or beside or case):
            return None, "", ""
        reading = self.words.read(platform, text, after_sale=case, fulfillment=beside)
        if reading.unknown:
            problems.append((self._headers.get("status", ""), reading.unknown, "unknown_status"))
        return reading, " / ".join(filter(None, (text, beside))), case


_NOTHING = dict.fromkeys(OrderRow._fields, "") | dict.fromkeys(
    (*TIMES, "ship_by_at", "promised_at", "total", "sub_total", "paid", "refund", "freight", "price", "quantity")
)
_NOTHING |= {"goods": (), "problems": ()}


def interpret(sheet: Sheet, columns: Sequence[Column], *, platform: str, words: Words, zone: tzinfo) -> Interpretation:
    """Iterate over the rows of a sheet as orders; moments without a zone are of `zone`."""
    return Interpretation(sheet, columns, platform=platform, words=words, zone=zone)


def _parser(key: str, zone: tzinfo, *, is_1904: bool) -> Callable[[object], tuple]:
    field = FIELD[key]
    longest = LONGEST.get(key, field.longest)
    own: dict[str, Callable[[object], tuple]] = {
        "phone": _phone,
        "order_number": order_cells.order_number,
        "buyer_name": order_cells.buyer,
        "closed_reason": order_cells.closed_reason,
        "tracking_number": order_cells.tracking_number,
        "platform": order_cells.platform,
        "currency": order_cells.currency,
        "product": order_cells.product,
    }
    if key in own:
        return own[key]
    if field.kind == "moment":
        return partial(moments.parse, zone=zone, is_1904=is_1904)
    if field.kind == "quantity":
        return order_cells.quantity
    if field.kind == "code":
        return order_cells.code
    if field.kind in ("amount", "email", "name", "note"):
        return partial(cells.PARSERS[field.kind], longest=longest)
    return partial(cells.text, longest=longest)


def _phone(raw: object) -> tuple[str | None, str]:
    return phone.normalize(raw)
