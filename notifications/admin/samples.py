"""Real customers on whom a text is tried: a typical one, the longest name, the costliest, one without a name."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.core.cache import cache
from django.db.models import Q
from django.db.models.functions import Length
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from customers.models import Customer
from notifications import personal, rendering

NEWEST = 200
LONGEST = 20
NAMELESS = 5
# Finding the longest names reads a million rows in 200 ms; the answer hardly ages.
REMEMBERED_SECONDS = 600

TYPICAL = "typical"
LONGEST_NAME = "longest"
COSTLIEST = "costliest"
WITHOUT_NAME = "nameless"
KINDS: dict[str, Promise] = {
    TYPICAL: gettext_lazy("Typical"),
    LONGEST_NAME: gettext_lazy("Longest name"),
    COSTLIEST: gettext_lazy("Costliest"),
    WITHOUT_NAME: gettext_lazy("Without a name"),
}


@dataclass(frozen=True)
class Sample:
    """One reader: who it is, and the values of the variables."""

    kind: str
    name: str
    values: Mapping[str, str]


def candidates(channel: str) -> dict[str, list[int]]:
    """Ids of customers to try, by what makes them interesting."""
    key = f"template-samples:{channel}"
    found = cache.get(key)
    if found is None:
        reachable = Customer.objects.present().filter(
            Q(contact_points__channel=channel, contact_points__is_primary=True)
        )
        named = reachable.exclude(name="")
        found = {
            TYPICAL: _ids(named.order_by("-id"), NEWEST),
            LONGEST_NAME: _ids(named.order_by(Length("name").desc(), "-id"), LONGEST),
            WITHOUT_NAME: _ids(reachable.filter(name=""), NAMELESS),
        }
        cache.set(key, found, REMEMBERED_SECONDS)
    return found


def _ids(customers, count: int) -> list[int]:
    return list(customers.values_list("id", flat=True)[:count])


def choose(compiled: rendering.CompiledTemplate, *, channel: str, signature: str, opt_out: str) -> dict[str, Sample]:
    """The sample of each kind for this text; made-up values where the shop has no customers yet."""
    groups = candidates(channel)
    everybody = {number for group in groups.values() for number in group}
    example = {variable.key: variable.example for variable in rendering.VARIABLES.values()}
    known = personal.values_for(everybody, channel=channel, variables=rendering.OF_CUSTOMER)
    # No order or event stands behind a sample.
    values = {number: example | found for number, found in known.items()}
    if not values:
        return {TYPICAL: Sample(TYPICAL, _("Example"), example)}

    def units(number: int) -> int:
        return rendering.preview(compiled, values[number], signature=signature, opt_out=opt_out).units

    def present(kind: str) -> list[int]:
        return [number for number in groups[kind] if number in values]

    picked = {}
    if newest := present(TYPICAL):
        picked[TYPICAL] = sorted(newest, key=units)[len(newest) // 2]
    if longest := present(LONGEST_NAME):
        picked[LONGEST_NAME] = max(longest, key=lambda number: len(values[number].get("name", "")))
    picked[COSTLIEST] = max(values, key=lambda number: (units(number), number))
    if nameless := present(WITHOUT_NAME):
        picked[WITHOUT_NAME] = nameless[0]
    return {
        kind: Sample(kind, values[number].get("name") or _("Customer %(number)s") % {"number": number}, values[number])
        for kind, number in picked.items()
    }
