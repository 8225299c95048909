"""What the shop's own system tells of one order, and how it is written down for the merge."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from customers import phone
from customers.choices import OrderStatus, Platform
from customers.models.order import LONGEST_ACCOUNT, LONGEST_NUMBER
from customers.services.order_plan import AMOUNTS, PROMISES, TIMES
from customers.spreadsheets import cells, order_cells
from customers.spreadsheets.order_statuses import Words

AT_ONCE = 500
LARGEST_AMOUNT = Decimal(9_999_999_999)
LARGEST_QUANTITY = 2_147_483_647


class CannotRecord(Exception):
    """
    Facts that are not recorded, none of them; the text is a sentence for staff.

    `place` is which of the facts it is, counted from 0, and `field` its name there ("lines.2.price"), where one is.
    """

    def __init__(self, sentence: str | Promise, *, place: int | None = None, field: str = ""):
        super().__init__(sentence)
        self.place, self.field = place, field


@dataclass(frozen=True)
class LineFacts:
    """One good of an order; without the platform's own `key` it is known by what it is, and which of its kind."""

    product: str = ""
    product_id: str = ""
    sku: str = ""
    category: str = ""
    quantity: int | None = None
    price: Decimal | None = None
    key: str = ""
    after_sale_status: str = ""


@dataclass(frozen=True)
class OrderFacts:
    """
    What is told of an order at one moment; what is left out stays as it is.

    `status` is one of ours. Where it is left out, the platform's words (`platform_status`) tell it: words that nobody
    understands make it "", so that nothing is sent. With neither, the event says nothing of the status, except that
    the times of payment, shipping and so on move it on. `happened_at` is when the platform says that it happened: it
    decides between events that arrive in another order. `phone` is in any way of writing. Moments have a zone.
    """

    platform: str
    number: str
    status: str | None = None
    platform_status: str = ""
    fulfillment_status: str = ""
    after_sale_status: str = ""
    happened_at: datetime | None = None
    external_id: str = ""
    phone: str = ""
    email: str = ""
    account: str = ""
    shop_name: str = ""
    currency: str = ""
    total: Decimal | None = None
    paid: Decimal | None = None
    refund: Decimal | None = None
    freight: Decimal | None = None
    ordered_at: datetime | None = None
    paid_at: datetime | None = None
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    completed_at: datetime | None = None
    closed_at: datetime | None = None
    ship_by_at: datetime | None = None
    promised_at: datetime | None = None
    closed_reason: str = ""
    carrier: str = ""
    tracking_number: str = ""
    receiver_name: str = ""
    province: str = ""
    city: str = ""
    note: str = ""
    lines: Sequence[LineFacts] = ()

    @property
    def key(self) -> tuple[str, str]:
        """Which order it is."""
        return self.platform, self.number


_TEXTS = tuple(
    field.name
    for field in fields(OrderFacts)
    if field.type is str and field.name not in ("platform", "number", "phone", "email", "fulfillment_status")
)
_MOMENTS = (*TIMES, *PROMISES, "happened_at")


def check(facts: Sequence[OrderFacts]) -> None:
    """Raises CannotRecord for the first thing that cannot be stored."""
    if len(facts) > AT_ONCE:
        raise CannotRecord(_("Send at most %(count)s orders at once.") % {"count": AT_ONCE})
    for place, fact in enumerate(facts):
        if fault := _fault(fact):
            field, sentence = fault
            raise CannotRecord(sentence, place=place, field=field)


def _fault(fact: OrderFacts) -> tuple[str, str | Promise] | None:
    if fact.platform not in Platform.values:
        places = ", ".join(Platform.values)
        return "platform", _("This platform is not known. Use one of: %(places)s.") % {"places": places}
    if not fact.number or len(fact.number) > LONGEST_NUMBER or "\0" in fact.number:
        return "number", _("The order number has to have 1 to %(count)s characters.") % {"count": LONGEST_NUMBER}
    if fact.status is not None and fact.status not in OrderStatus.values:
        statuses = ", ".join(filter(None, OrderStatus.values))
        return "status", _("This status is not known. Use one of: %(statuses)s; or send the platform's own words.") % {
            "statuses": statuses
        }
    for name in _MOMENTS:
        at = getattr(fact, name)
        if at is not None and at.tzinfo is None:
            return name, _("The time needs a zone, such as 2026-05-31T14:30:00+08:00.")
    for name in AMOUNTS:
        if not _is_amount(getattr(fact, name)):
            return name, _("This is not an amount of money.")
    for place, line in enumerate(fact.lines):
        if not _is_amount(line.price):
            return f"lines.{place}.price", _("This is not an amount of money.")
        if line.quantity is not None and not 0 <= line.quantity <= LARGEST_QUANTITY:
            return f"lines.{place}.quantity", _("The quantity has to be a whole number of pieces.")
    return None


def _is_amount(amount: Decimal | None) -> bool:
    return amount is None or (amount.is_finite() and abs(amount) < LARGEST_AMOUNT)


def rounds(facts: Sequence[OrderFacts]) -> list[list[int]]:
    """The places of the facts in rounds, of which none tells of the same order twice."""
    told: Counter[tuple[str, str]] = Counter()
    divided: list[list[int]] = []
    for place, fact in enumerate(facts):
        turn = told[fact.key]
        told[fact.key] += 1
        if turn == len(divided):
            divided.append([])
        divided[turn].append(place)
    return divided


def order_row(place: int, fact: OrderFacts, words: Words | None, *, now: datetime) -> dict[str, Any]:
    """An order as the merge reads it; `words` are needed for facts that tell the platform's words alone."""
    status, is_derived, is_locked, is_deleted = _status(fact, words)
    row: dict[str, Any] = {name: getattr(fact, name).replace("\0", "").strip() for name in _TEXTS}
    del row["account"], row["external_id"]
    beside = fact.fulfillment_status.strip()
    row["platform_status"] = " / ".join(filter(None, (row["platform_status"], beside)))[:60]
    paid = Decimal(0) if fact.paid is not None and status == OrderStatus.UNPAID and not fact.paid_at else fact.paid
    return row | {
        "first_number": place,
        "platform": fact.platform,
        "order_number": fact.number,
        "status": status,
        "is_derived": is_derived,
        "is_locked": is_locked,
        "is_deleted": is_deleted,
        "currency": row["currency"].upper()[:3] if len(row["currency"]) == 3 else "",
        **{name: _said(getattr(fact, name)) for name in (*AMOUNTS, *_MOMENTS)},
        "paid": _said(paid),
        "last_at": _said(max((at for name in TIMES if (at := getattr(fact, name))), default=None)),
        "as_of": _said(fact.happened_at or now),
        "told_at": _said(now),
    }


def _status(fact: OrderFacts, words: Words | None) -> tuple[str | None, bool, bool, bool]:
    """The status that an event tells, whether its times alone tell it, and the flags; None where nothing does."""
    if fact.status is not None:
        return fact.status, False, fact.status == OrderStatus.LOCKED, False
    if words and (fact.platform_status or fact.fulfillment_status or fact.after_sale_status):
        text, case = fact.platform_status, fact.after_sale_status
        reading = words.read(fact.platform, text, after_sale=case, fulfillment=fact.fulfillment_status)
        return reading.status, False, reading.is_locked, reading.is_deleted
    said: Mapping[str, Any] = {name: getattr(fact, name) for name in (*TIMES, *AMOUNTS)}
    return order_cells.status_by_times(said) or None, True, False, False


def needs_words(fact: OrderFacts) -> bool:
    """Whether the platform's own words have to be understood."""
    return fact.status is None and bool(fact.platform_status or fact.fulfillment_status or fact.after_sale_status)


def line_rows(place: int, fact: OrderFacts) -> list[dict[str, Any]]:
    """The goods of an order as the merge reads them."""
    kinds: Counter[str] = Counter()
    rows = {}
    for line in fact.lines:
        texts = {
            name: getattr(line, name).replace("\0", "").strip()
            for name in ("product", "product_id", "sku", "category", "after_sale_status", "key")
        }
        what = (texts["product_id"] or texts["product"])[:70]
        if not what and not texts["key"]:
            continue
        kinds[what] += 1
        key = texts.pop("key")[:80] or f"{what}#{kinds[what]}"
        texts["product_id"] = texts["product_id"][:64]
        rows[key] = texts | {
            "first_number": place,
            "place": len(rows),
            "key": key,
            "quantity": line.quantity,
            "price": _said(line.price),
        }
    return list(rows.values())


@dataclass(frozen=True)
class Keys:
    """By what the buyer of an order may be known."""

    external_id: str
    phone: str
    email: str
    account: str

    def __bool__(self) -> bool:
        return bool(self.external_id or self.phone or self.email or self.account)


NO_KEYS = Keys("", "", "", "")


def keys_of(fact: OrderFacts) -> Keys:
    """By what the buyer may be known; a phone or an address that is none counts as not told."""
    external_id, account = (text.replace("\0", "").strip() for text in (fact.external_id, fact.account))
    return Keys(
        external_id=external_id if len(external_id) <= 100 else "",
        phone=phone.normalize(fact.phone).number or "" if fact.phone else "",
        email=cells.email(fact.email)[0] if fact.email else "",
        account=account[:LONGEST_ACCOUNT],
    )


def _said(value: Decimal | datetime | None) -> str | None:
    if value is None:
        return None
    return value.isoformat() if isinstance(value, datetime) else str(value)
