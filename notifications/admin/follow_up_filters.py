"""How the list of calls is narrowed: by what is to be done, by reason, person, time and outcome."""

from collections.abc import Iterable
from datetime import timedelta

from django.contrib.admin import SimpleListFilter
from django.contrib.auth.models import User
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, pgettext_lazy

from customers import clock
from customers.choices import FollowUpOutcome, FollowUpReason, FollowUpStatus

NOBODY = "nobody"
DAYS = (1, 7, 30, 90)
MINE, UNASSIGNED, OVERDUE = "mine", "unassigned", "overdue"
# What is still to be done stands in the order in which it is due, everything else newest first.
TO_DO = ("", MINE, UNASSIGNED, OVERDUE)
SHOW = [
    ("", pgettext_lazy("follow-ups", "To do")),
    (MINE, _("My calls")),
    (UNASSIGNED, _("Nobody's yet")),
    (OVERDUE, _("Overdue")),
    (FollowUpStatus.DONE.value, _("Finished")),
    (FollowUpStatus.DROPPED.value, _("Not needed")),
    ("all", _("All")),
]


def shown_by(request: HttpRequest) -> str:
    """Which part of the list an address asks for; what makes no sense is what is to be done."""
    asked = request.GET.get("show", "")
    return asked if asked in dict(SHOW) else ""


class ShowFilter(SimpleListFilter):
    """What is to be done, unless something else is asked for."""

    title = _("Show")
    parameter_name = "show"

    def lookups(self, request: HttpRequest, model_admin) -> Iterable[tuple]:
        """Beside what is to be done."""
        return SHOW[1:]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """The chosen part; what is open is found by an index that holds nothing else."""
        match shown_by(request):
            case "":
                return queryset if request.GET.get("q") else queryset.open()
            case "mine":
                return queryset.open().filter(owner=request.user)
            case "unassigned":
                return queryset.open().filter(owner=None)
            case "overdue":
                return queryset.overdue(clock.now())
            case "all":
                return queryset
            case status:
                return queryset.filter(status=status)


class ChosenFilter(SimpleListFilter):
    """One of a few values; one that is none finds nothing."""

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """The rows with the chosen value."""
        value = self.value()
        if value is None:
            return queryset
        return self.chosen(queryset, value) if value in self.values() else queryset.none()

    def values(self) -> set[str]:
        """What can be chosen."""
        return {str(value) for value, _label in self.lookup_choices}


class ReasonFilter(ChosenFilter):
    """Why somebody should call."""

    title = _("reason")
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin) -> Iterable[tuple]:
        """Every reason."""
        return FollowUpReason.choices

    def chosen(self, queryset: QuerySet, value: str) -> QuerySet:
        """Calls for this reason."""
        return queryset.filter(reason=value)


class OwnerFilter(ChosenFilter):
    """Who takes care of it, or took."""

    title = _("owner")
    parameter_name = "owner"

    def lookups(self, request: HttpRequest, model_admin) -> Iterable[tuple]:
        """Everybody who may sign in, and nobody."""
        staff = User.objects.filter(is_staff=True).order_by("username").values_list("pk", "username")
        return [(NOBODY, _("Nobody")), *((str(pk), name) for pk, name in staff)]

    def chosen(self, queryset: QuerySet, value: str) -> QuerySet:
        """Calls of this person."""
        return queryset.filter(owner=None if value == NOBODY else int(value))


class OpenedFilter(ChosenFilter):
    """When it was opened."""

    title = _("opened")
    parameter_name = "opened"

    def lookups(self, request: HttpRequest, model_admin) -> Iterable[tuple]:
        """Days back."""
        return [(str(days), ngettext("In the last %d day", "In the last %d days", days) % days) for days in DAYS]

    def chosen(self, queryset: QuerySet, value: str) -> QuerySet:
        """Calls of the last days."""
        return queryset.filter(created_at__gt=clock.now() - timedelta(days=int(value)))


class OutcomeFilter(ChosenFilter):
    """What came of it."""

    title = _("outcome")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin) -> Iterable[tuple]:
        """Every outcome."""
        return FollowUpOutcome.choices

    def chosen(self, queryset: QuerySet, value: str) -> QuerySet:
        """Calls that ended so."""
        return queryset.filter(outcome=value)


class CalledFilter(ChosenFilter):
    """Whether, and how fast, somebody called."""

    title = _("first call")
    parameter_name = "called"

    def lookups(self, request: HttpRequest, model_admin) -> Iterable[tuple]:
        """Called or not, in time or not."""
        return [("yes", _("Called")), ("no", _("Not called yet")), ("late", _("Called too late"))]

    def chosen(self, queryset: QuerySet, value: str) -> QuerySet:
        """Calls that were made, or were not."""
        if value == "late":
            return queryset.filter(called_at__gt=F("due_at"))
        return queryset.filter(called_at__isnull=value == "no")


FILTERS = [ShowFilter, ReasonFilter, OwnerFilter, OpenedFilter, OutcomeFilter, CalledFilter]
