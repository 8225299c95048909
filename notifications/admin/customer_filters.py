"""What the customer list learns from what was sent: a filter and a column for the last contact."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from django.db.models import BigIntegerField, Exists, F, Func, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from customers import clock
from customers.admin.customer import CustomerAdmin
from customers.admin.customer_columns import AddedColumn
from customers.admin.customer_filters import CustomerFilter
from notifications import caps
from notifications.models import RecentSends

WITHIN = (1, 7, 30)
NOT_WITHIN = (30, 90, 180)
NEVER = "never"


class LastSend(Func):
    """The newest element of an array of sends, as its statistics know it."""

    template = "(%(expressions)s)[array_upper(%(expressions)s, 1)]"
    output_field = BigIntegerField()


class LastContactFilter(CustomerFilter):
    """
    Customers who got something that counts lately, not lately, or never.

    In the address: last_contact=within_7, last_contact=before_90, last_contact=never.
    """

    title = _("last contact")
    parameter_name = "last_contact"

    def lookups(self, request: HttpRequest, model_admin) -> Iterable[tuple]:
        """Days back, and never."""
        for days in WITHIN:
            yield f"within_{days}", ngettext("In the last %d day", "In the last %d days", days) % days
        for days in NOT_WITHIN:
            yield f"before_{days}", _("Not in the last %d days") % days
        yield NEVER, _("Never")

    def ask(self, customers: QuerySet, value: str) -> QuerySet:
        """The customers for an answer."""
        # Addresses have negative subjects; saying so tells the planner how many customers there are among them.
        theirs = RecentSends.objects.filter(subject=OuterRef("pk"), subject__gt=0)
        if value == NEVER:
            return customers.filter(~Exists(theirs))
        word, _separator, days = value.partition("_")
        if word not in ("within", "before") or days not in map(str, {*WITHIN, *NOT_WITHIN}):
            raise ValueError(value)
        since = caps.milliseconds(clock.now() - timedelta(days=int(days))) << caps.KIND_BITS
        lately = Exists(theirs.alias(last=LastSend(F("sends"))).filter(last__gte=since))
        return customers.filter(lately if word == "within" else ~lately)


def last_contacts(customer_ids: Sequence[int]) -> Mapping[int, str]:
    """The day of the last contact of each of these customers."""
    found = RecentSends.objects.filter(subject__in=customer_ids).values_list("subject", "sends")
    zone = clock.shop_zone()
    return {
        subject: date_format(caps.moment(sends[-1] >> caps.KIND_BITS).astimezone(zone), "SHORT_DATE_FORMAT")
        for subject, sends in found
        if sends
    }


CustomerAdmin.added_filters.append(LastContactFilter)
CustomerAdmin.added_columns.append(AddedColumn("last_contact", _("last contact"), last_contacts))
