"""Records what is due, or happened, to customers beside orders: appointments, coupons, bills, carts left behind."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from customers import phone
from customers.choices import EventKind
from customers.models import CustomerEvent
from customers.services import removals
from customers.services.order_facts import AT_ONCE, CannotRecord
from customers.spreadsheets import cells

LONGEST_KEY, LONGEST_VALUE, MOST_VALUES = 64, 200, 20
NOT_PLAIN = _("Write the value “%(name)s” as text, a number, true or false, not as a list or an object.")

# The customer is named by id, by the number in the shop's system, by phone or by e-mail address, in this order.
RECORD = """
WITH told AS MATERIALIZED (
    SELECT told.*, coalesce(by_id.id, numbered.id, by_phone.customer_id, by_email.customer_id) AS owner_id
    FROM jsonb_to_recordset(%(told)s::jsonb) AS told (
        place integer, kind text, key text, customer_id bigint, external_id text, phone text, email text,
        happened_at timestamptz, due_at timestamptz, "values" jsonb, is_closed boolean
    )
    LEFT JOIN customers_customer by_id ON by_id.id = told.customer_id AND by_id.erased_at IS NULL
    LEFT JOIN customers_customer numbered
        ON numbered.external_id = told.external_id AND numbered.external_id <> '' AND numbered.erased_at IS NULL
    LEFT JOIN LATERAL (
        SELECT point.customer_id
        FROM customers_contactpoint point JOIN customers_customer customer ON customer.id = point.customer_id
        WHERE point.address = told.phone AND point.channel = 'sms' AND customer.erased_at IS NULL
        ORDER BY point.is_primary DESC, point.customer_id LIMIT 1
    ) by_phone ON told.phone <> ''
    LEFT JOIN LATERAL (
        SELECT point.customer_id
        FROM customers_contactpoint point JOIN customers_customer customer ON customer.id = point.customer_id
        WHERE point.address = told.email AND point.channel = 'email' AND customer.erased_at IS NULL
        ORDER BY point.is_primary DESC, point.customer_id LIMIT 1
    ) by_email ON told.email <> ''
), newest AS (
    SELECT DISTINCT ON (kind, key) * FROM told WHERE owner_id IS NOT NULL
    ORDER BY kind, key, happened_at DESC, place DESC
), moment AS MATERIALIZED (SELECT hongyan_now() AS at),
written AS (
    INSERT INTO customers_customerevent AS known (
        customer_id, kind, key, happened_at, due_at, "values", closed_at, recorded_at, updated_at
    )
    SELECT owner_id, kind, key, happened_at, due_at, "values",
           CASE WHEN is_closed THEN moment.at END, moment.at, moment.at
    FROM newest CROSS JOIN moment ORDER BY kind, key
    ON CONFLICT (kind, key) DO UPDATE SET
        customer_id = excluded.customer_id, happened_at = excluded.happened_at, due_at = excluded.due_at,
        "values" = excluded."values", updated_at = excluded.updated_at,
        -- Reminders look among what was recorded lately. Asked here, once the row is ours: a moment taken before
        -- waiting for it may lie behind their last look.
        recorded_at = CASE WHEN excluded.happened_at > known.happened_at THEN hongyan_now() ELSE known.recorded_at END,
        closed_at = CASE WHEN excluded.closed_at IS NOT NULL THEN coalesce(known.closed_at, excluded.closed_at) END
    WHERE excluded.happened_at > known.happened_at OR (
        excluded.closed_at IS NOT NULL AND known.closed_at IS NULL AND excluded.happened_at = known.happened_at
    )
    RETURNING kind, key, xmax = 0 AS is_created
)
SELECT told.place, CASE WHEN told.owner_id IS NULL THEN 'unknown'
    WHEN written.is_created AND newest.place IS NOT NULL THEN 'created'
    WHEN written.is_created IS FALSE AND newest.place IS NOT NULL THEN 'updated' ELSE 'unchanged' END
FROM told
LEFT JOIN newest ON newest.place = told.place
LEFT JOIN written ON written.kind = told.kind AND written.key = told.key
ORDER BY told.place
"""


@dataclass(frozen=True)
class EventFacts:
    """
    What is told of one event; told again with the same key, the newer `happened_at` wins.

    The customer is named by `customer_id`, `external_id`, `phone` or `email`, the first that is known. `due_at` is
    when it takes place or runs out. `values` are short words that a text may use: title, place, amount, code. A newer
    event that `is_closed` settles it; one that is not opens it again.
    """

    kind: str
    key: str
    happened_at: datetime | None = None
    due_at: datetime | None = None
    values: Mapping[str, str | int | float | Decimal | bool] = field(default_factory=dict)
    is_closed: bool = False
    customer_id: int | None = None
    external_id: str = ""
    phone: str = ""
    email: str = ""


def record(facts: Sequence[EventFacts], *, now: datetime) -> Counter[str]:
    """
    Record at most 500 events; counts created, updated, unchanged, and unknown (of nobody who is known).

    Raises CannotRecord, and records nothing, for facts that cannot be stored.
    """
    return Counter(record_each(facts, now=now))


@transaction.atomic
def record_each(facts: Sequence[EventFacts], *, now: datetime) -> list[str]:
    """Record as `record` does, and answer what became of each."""
    _check(facts)
    if not facts:
        return []
    told = json.dumps([_row(place, fact, now=now) for place, fact in enumerate(facts)])
    removals.hold_off()
    with connection.cursor() as cursor:
        cursor.execute(RECORD, {"told": told})
        return [outcome for _place, outcome in cursor.fetchall()]


@transaction.atomic
def close(kind: str, key: str, *, now: datetime) -> bool:
    """Settle an event: attended, renewed, used, paid, bought or called off; False where none stood."""
    return bool(CustomerEvent.objects.filter(kind=kind, key=key).close(now))


def plain(value: object) -> str | None:
    """The text by which a customer reads a value, numbers without an exponent; None for what no text can say."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, int | float | Decimal):
        return None
    number = Decimal(str(value)) if isinstance(value, float) else Decimal(value)
    # 1E+999999999 written out would be a gigabyte.
    return f"{number:f}" if number.is_finite() and abs(number.adjusted()) < LONGEST_VALUE // 2 else None


def _check(facts: Sequence[EventFacts]) -> None:
    if len(facts) > AT_ONCE:
        raise CannotRecord(_("Send at most %(count)s events at once.") % {"count": AT_ONCE})
    for place, fact in enumerate(facts):
        if fact.kind not in EventKind.values:
            sentence = _("This kind of event is not known. Use one of: %(kinds)s.")
            raise CannotRecord(sentence % {"kinds": ", ".join(EventKind.values)}, place=place, field="kind")
        if not fact.key.strip() or len(fact.key) > LONGEST_KEY or "\0" in fact.key:
            sentence = _("The number of the event has to have 1 to %(count)s characters.")
            raise CannotRecord(sentence % {"count": LONGEST_KEY}, place=place, field="key")
        for name in ("happened_at", "due_at"):
            at = getattr(fact, name)
            if at is not None and at.tzinfo is None:
                sentence = _("The time needs a zone, such as 2026-05-31T14:30:00+08:00.")
                raise CannotRecord(sentence, place=place, field=name)
        if len(fact.values) > MOST_VALUES:
            sentence = _("An event has at most %(count)s values.")
            raise CannotRecord(sentence % {"count": MOST_VALUES}, place=place, field="values")
        for name, value in fact.values.items():
            if value is not None and plain(value) is None:
                raise CannotRecord(NOT_PLAIN % {"name": name}, place=place, field="values")


def _row(place: int, fact: EventFacts, *, now: datetime) -> dict[str, Any]:
    values = {
        _short(name)[:40]: _short(text)[:LONGEST_VALUE]
        for name, value in fact.values.items()
        if (text := plain(value)) is not None
    }
    return {
        "place": place,
        "kind": fact.kind,
        "key": fact.key.strip(),
        "customer_id": fact.customer_id,
        "external_id": _short(fact.external_id),
        "phone": phone.normalize(fact.phone).number or "" if fact.phone else "",
        "email": cells.email(fact.email)[0] if fact.email else "",
        "happened_at": (fact.happened_at or now).isoformat(),
        "due_at": fact.due_at.isoformat() if fact.due_at else None,
        "values": values,
        "is_closed": fact.is_closed,
    }


def _short(text: str) -> str:
    return text.replace("\0", "").strip()
