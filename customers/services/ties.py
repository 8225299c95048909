"""
What makes a customer whom an import created stay when the import is undone.

The apps above add what they know at start; a lower app cannot ask them. Each tie is a condition in
SQL about `customer`, a row of customers_customer, the first of those that hold being the one told.
"""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Tie:
    """One reason to stay: its code, a sentence for staff, and the condition."""

    code: str
    sentence: Promise
    condition: str


@dataclass(frozen=True)
class OrderTie:
    """One reason for an order that an import created to stay: its condition is about `known`, a row of orders."""

    code: str
    sentence: Promise
    condition: str


@dataclass(frozen=True)
class Use:
    """A use of a tag or a tier that keeps it: a condition in SQL about `word`, a row of `table`."""

    table: str
    condition: str


_TIES = [
    Tie("merged", _("Was joined with another customer, and stays so"), "customer.merged_into_id IS NOT NULL"),
    Tie("erased", _("Was erased at their own request"), "customer.erased_at IS NOT NULL"),
    Tie(
        "ordered",
        _("Has ordered"),
        """EXISTS (
            SELECT FROM customers_order tie WHERE tie.customer_id = customer.id
            AND NOT EXISTS (SELECT FROM undone_order gone WHERE gone.order_id = tie.id AND gone.why = '')
            AND NOT EXISTS (
                SELECT FROM undone_order_value back
                WHERE back.order_id = tie.id AND back.field = 'customer_id' AND back.verdict = 'restore'
            )
        )""",
    ),
    Tie(
        "account",
        _("Has an account at a platform"),
        """EXISTS (
            SELECT FROM customers_customeraccount tie WHERE tie.customer_id = customer.id
            AND NOT EXISTS (SELECT FROM undone_account gone WHERE gone.account_id = tie.id AND gone.why = '')
        )""",
    ),
    Tie(
        "event",
        _("Has an appointment, a coupon, a bill or the like"),
        "EXISTS (SELECT FROM customers_customerevent tie WHERE tie.customer_id = customer.id)",
    ),
    Tie(
        "follow_up",
        _("Somebody of the shop follows them up"),
        "EXISTS (SELECT FROM customers_followup tie WHERE tie.customer_id = customer.id)",
    ),
    Tie(
        "answered",
        _("Agreed or opted out later"),
        """EXISTS (
            SELECT FROM customers_consentchange tie WHERE tie.customer_id = customer.id
            AND (tie.spreadsheet_import_id IS NULL OR tie.spreadsheet_import_id <> ALL(%(undone)s))
        )""",
    ),
    Tie(
        "imported",
        _("Is in a later import"),
        """EXISTS (
            SELECT FROM customers_importedrow tie
            WHERE tie.spreadsheet_import_id = ANY(%(others)s) AND tie.customer_id = customer.id
        )""",
    ),
    # One of the file's own later rows may have brought a number: that goes first.
    Tie(
        "edited",
        _("Was changed by hand"),
        """customer.updated_at <> customer.created_at AND NOT EXISTS (
            SELECT FROM undone_value own
            WHERE own.customer_id = customer.id AND own.field = 'updated_at' AND own.verdict = 'restore'
        )""",
    ),
    # Told of customers whose account an order file gave to somebody else; nobody is looked up for it.
    Tie("moved", _("Had an account at a platform that belongs to another customer by now"), "false"),
]
_USES = [
    Use("customers_tag", "EXISTS (SELECT FROM customers_customertag used WHERE used.tag_id = word.id)"),
    Use("customers_tier", "EXISTS (SELECT FROM customers_customer used WHERE used.tier_id = word.id)"),
]


_ORDER_TIES = [
    OrderTie(
        "imported",
        _("Is in a later import"),
        """EXISTS (
            SELECT FROM customers_importedorder later
            WHERE later.order_id = known.id AND later.spreadsheet_import_id = ANY(%(others)s)
        )""",
    ),
    OrderTie(
        "exception",
        _("Something went wrong with it"),
        "EXISTS (SELECT FROM customers_orderexception tie WHERE tie.order_id = known.id)",
    ),
    OrderTie(
        "parcel",
        _("A carrier has told of its parcel"),
        """EXISTS (
            SELECT FROM customers_shipment tie WHERE tie.order_id = known.id AND (
                tie.number <> known.tracking_number
                OR EXISTS (SELECT FROM customers_shipmentevent told WHERE told.shipment_id = tie.id)
            )
        )""",
    ),
    OrderTie(
        "follow_up",
        _("Somebody of the shop follows it up"),
        "EXISTS (SELECT FROM customers_followup tie WHERE tie.order_id = known.id)",
    ),
    OrderTie("changed", _("Was changed since"), "known.updated_at <> known.recorded_at"),
]


def register(*added: Tie | OrderTie | Use) -> None:
    """Add what another app knows; called once, when it starts."""
    for one in added:
        known: list = _USES if isinstance(one, Use) else _ORDER_TIES if isinstance(one, OrderTie) else _TIES
        if one not in known:
            known.insert(0, one)


def of_orders() -> list[OrderTie]:
    """Every reason for an order to stay, the strongest first."""
    return list(_ORDER_TIES)


def why_of_order() -> str:
    """SQL for the code of the first tie that holds `known`, an order, or an empty text."""
    cases = " ".join(f"WHEN {tie.condition} THEN '{tie.code}'" for tie in _ORDER_TIES)
    return f"CASE {cases} ELSE '' END"


def all_ties() -> list[Tie]:
    """Every reason to stay, the strongest first."""
    return list(_TIES)


def why() -> str:
    """SQL for the code of the first tie that holds `customer`, or an empty text."""
    cases = " ".join(f"WHEN {tie.condition} THEN '{tie.code}'" for tie in _TIES)
    return f"CASE {cases} ELSE '' END"


def is_used(table: str) -> str:
    """SQL for whether `word`, a row of this table of tags or tiers, is used by anything."""
    return " OR ".join(use.condition for use in _USES if use.table == table)
