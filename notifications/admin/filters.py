"""Filters of the delivery list; `delivery_parts` finds what they ask for."""

from collections.abc import Iterable

from django.contrib.admin import SimpleListFilter
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from notifications import screening
from notifications.admin.states import HELD, NO_RECEIPT, SENDING, STATES
from notifications.choices import DeliveryStatus, SubmissionStatus
from notifications.models import Hold, Message
from notifications.models.delivery import TOO_LATE_FOR_A_RECEIPT

IN_HAND = [SubmissionStatus.LEASED, SubmissionStatus.CALLED]
RECENT_MESSAGES = 30
# One id alone makes PostgreSQL expect the message's rows spread over the whole table, and look for them from the
# newest delivery backwards: 3.7 s among five million. A second one, which nobody has, makes it walk their index: 3 ms.
NOBODYS = -1


def in_states(deliveries: QuerySet, states: Iterable[str]) -> QuerySet:
    """
    The deliveries in any of these states, waiting on purpose and being sent told apart from queued.

    Those without a receipt are among the sent ones as well, where every report counts them.
    """
    queued = Q(status=DeliveryStatus.QUEUED)
    sending = Q(submission__status__in=IN_HAND)
    held = Exists(Hold.objects.filter(delivery=OuterRef("pk"))) | ~Q(submission__held_for="") & Q(
        submission__isnull=False
    )
    states = list(states)
    wanted = Q(status__in=[state for state in states if state in DeliveryStatus and state != DeliveryStatus.QUEUED])
    for state in states:
        if state == SENDING:
            wanted |= queued & sending
        elif state == HELD:
            wanted |= queued & held & ~sending
        elif state == DeliveryStatus.QUEUED:
            wanted |= queued & ~held & ~sending
        elif state == NO_RECEIPT:
            wanted |= Q(status=DeliveryStatus.SENT, sent_at__lt=TOO_LATE_FOR_A_RECEIPT)
    return deliveries.filter(wanted)


def numbers(value: str | None) -> list[int]:
    """The ids in a comma-separated parameter; whatever is none is left out."""
    return [
        int(word) for word in (value or "").split(",")[:50] if word.isascii() and word.isdigit() and len(word) < 19
    ]


class MessageFilter(SimpleListFilter):
    """Deliveries of one message, or of several when a campaign has variants."""

    title = _("Message")
    parameter_name = "message"

    def lookups(self, request: HttpRequest, model_admin):
        """The newest messages, and the chosen ones whatever their age."""
        chosen = request.GET.get(self.parameter_name, "")
        newest = list(Message.objects.order_by("-id").values_list("id", "name")[:RECENT_MESSAGES])
        names = dict(Message.objects.filter(id__in=numbers(chosen)).values_list("id", "name"))
        offered = [(str(number), name) for number, name in newest]
        if names and chosen not in dict(offered):
            offered.insert(0, (chosen, ", ".join(names.values())))
        return offered

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """The deliveries of the chosen messages."""
        if self.value() is None:
            return queryset
        return queryset.filter(message_id__in=numbers(self.value()))


class StateFilter(SimpleListFilter):
    """Deliveries in one state; `a,b` in the address shows two."""

    title = _("State")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin):
        """All states, in the order of a message's life."""
        chosen = request.GET.get(self.parameter_name, "")
        parts = [state for state in chosen.split(",") if state in STATES]
        several = [(chosen, " + ".join(str(STATES[state]) for state in parts))] if len(parts) > 1 else []
        return several + list(STATES.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """The deliveries in the chosen states."""
        if self.value() is None:
            return queryset
        return in_states(queryset, [state for state in self.value().split(",") if state in STATES])


class ReasonFilter(SimpleListFilter):
    """Deliveries for which nothing arrived, by the reason."""

    title = _("Reason")
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin):
        """All reasons in words."""
        return list(screening.LABELS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """The deliveries with the chosen reason."""
        return queryset if self.value() is None else queryset.filter(reason=self.value())
