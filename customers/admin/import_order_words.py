"""What the pages of an import say where the rows are orders."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from customers.choices import RowOutcome
from customers.services import import_reasons

NOTES = {
    RowOutcome.CREATED: _("not known before"),
    RowOutcome.UPDATED: _("known orders, of which the file tells something new"),
    RowOutcome.UNCHANGED: _("known orders, nothing new"),
    RowOutcome.DUPLICATE: _("further goods of an order that is counted already"),
    RowOutcome.REJECTED: _("no order number that can be used"),
}
LABELS = {
    RowOutcome.CREATED: _("New orders"),
    RowOutcome.UPDATED: _("To be updated"),
    RowOutcome.UNCHANGED: _("Unchanged"),
    RowOutcome.DUPLICATE: _("Further rows"),
    RowOutcome.REJECTED: _("Cannot be imported"),
}
DONE_LABELS = LABELS | {RowOutcome.UPDATED: _("Updated"), RowOutcome.REJECTED: _("Rejected")}
TONES = {RowOutcome.REJECTED: "bad"}
# Told of nearly every row by platforms that hide numbers: the order is whole without them.
KINDS = ("phone", "problem")


def lines(counts: Mapping[str, int], rows_link: Callable[..., str] | None) -> list[dict[str, Any]]:
    """What is to be known about the orders of a file, with the way to them; the most frequent first."""
    found = []
    for key, count in sorted(counts.items(), key=lambda item: -item[1]):
        kind, _divider, code = key.partition(":")
        if kind not in KINDS or not count or (kind, code) == ("problem", "no_order_number"):
            continue
        what, remedy = import_reasons.words(code)
        filters = {"problem": code} if kind == "problem" else {"reason": code}
        link = rows_link(**filters) if rows_link else ""
        found.append({"problem": what, "remedy": remedy, "count": count, "link": link, "is_lost": False})
    return found


def people(counts: Mapping[str, int]) -> list[str]:
    """Whose the orders are, in sentences."""
    told = []
    new, linked, nobodys = (counts.get(key, 0) for key in ("customer:new", "customer:linked", "buyer:none"))
    if new:
        words = ngettext("%(count)s customer is new.", "%(count)s customers are new.", new)
        told.append(words % {"count": f"{new:,}"})
    if linked:
        words = ngettext(
            "%(count)s buyer known only by the name at the platform is now known by number.",
            "%(count)s buyers known only by the name at the platform are now known by number.",
            linked,
        )
        told.append(words % {"count": f"{linked:,}"})
    if nobodys:
        words = ngettext(
            "%(count)s order names neither a number nor an account: nobody can be reminded of it.",
            "%(count)s orders name neither a number nor an account: nobody can be reminded of them.",
            nobodys,
        )
        told.append(words % {"count": f"{nobodys:,}"})
    return [*told, gettext("An order file brings no consent, and changes nothing about customers who are known.")]


def result(counts: Mapping[str, int]) -> dict[str, Any]:
    """What the result page says beside the numbers."""
    unknown = counts.get("status:unknown", 0)
    return {"order_people": people(counts), "unknown_count": unknown, "unknown_url": unknown_url(counts)}


def unknown_url(counts: Mapping[str, int]) -> str:
    """Where the words that are not understood are taught; empty where all are."""
    return reverse("admin:customers_orderstatusword_changelist") if counts.get("status:unknown") else ""


def button(count: int) -> str:
    """What the one button will do."""
    return ngettext("Import %(count)s order", "Import %(count)s orders", count) % {"count": f"{count:,}"}


def order_link(number: str) -> str:
    """The way to an order by its number."""
    return f"{reverse('admin:customers_order_changelist')}?{urlencode({'q': number})}"
