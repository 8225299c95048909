"""Where the deliveries of a state are found at once: in parts, each of which an index hands over in order."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Q, QuerySet, Sum

from notifications.admin.filters import IN_HAND, NOBODYS, in_states
from notifications.admin.states import HELD, NO_RECEIPT, SENDING, STATES
from notifications.choices import DeliveryStatus, SubmissionStatus
from notifications.models import Delivery, DeliveryTally, Message, Submission
from notifications.models.delivery import TOO_LATE_FOR_A_RECEIPT

CARVED = (DeliveryStatus.QUEUED.value, HELD, SENDING)
ANSWERED = [SubmissionStatus.CALLED, SubmissionStatus.SETTLED, SubmissionStatus.LOST]
# So many unfinished deliveries are looked through for the few in one state; among more, their calls lead to them.
LOOKED_THROUGH = 20_000


@dataclass(frozen=True)
class Holding:
    """How many deliveries a message has in one state for one reason."""

    message_id: int
    status: str
    reason: str
    count: int


def parts(
    *, states: Collection[str] | None, messages: Collection[int] | None, reason: str | None, wanted: int
) -> list[QuerySet[Delivery]]:
    """
    The deliveries that a list asks for, newest messages first, as queries to be read one after the other.

    The tallies say which messages hold any and how many, so that five million rows are never walked for
    the few that match, nor any row where there are none. `wanted` is how many the reader reads at most.
    """
    sums = _sums(messages, reason)
    found: list[QuerySet[Delivery]] = []
    for state in STATES if states is None else [state for state in STATES if state in states]:
        if state == NO_RECEIPT:
            # They are among the sent ones.
            found += [] if states is None or DeliveryStatus.SENT in states else _silent(sums)
        elif state not in CARVED:
            found += _stored(state, sums, wanted)
        elif reason is None:
            found += _carved(state, sums)
    return found


def _sums(messages: Collection[int] | None, reason: str | None) -> list[Holding]:
    tallies = DeliveryTally.objects.all()
    if messages is not None:
        tallies = tallies.filter(message__in=messages)
    if reason is not None:
        tallies = tallies.filter(reason=reason)
    totals = tallies.values_list("message_id", "status", "reason").annotate(total=Sum("count")).filter(total__gt=0)
    return [Holding(*row) for row in totals.order_by()]


def _stored(state: str, sums: Sequence[Holding], wanted: int) -> list[QuerySet[Delivery]]:
    """The parts of a state that stands in the row: those without a reason, and those with any."""
    mine = [each for each in sums if each.status == state]
    plain = [each for each in mine if not each.reason]
    explained = [each for each in mine if each.reason]
    found = []
    if plain and state == DeliveryStatus.SENT:
        found.append(_sent(plain, sums, wanted))
    elif plain:
        newest = _newest(plain, wanted)
        arrived = Delivery.objects.arrived().filter(message__in=newest, status=state)
        found.append(arrived.order_by("-message_id", "-id"))
    if explained:
        rows = Delivery.objects.filter(
            ~Q(reason=""),
            message__in=_newest(explained, wanted),
            reason__in={each.reason for each in explained},
            status=state,
        )
        found.append(rows.order_by("-message_id", "-reason", "-id"))
    return found


def _sent(plain: Sequence[Holding], sums: Sequence[Holding], wanted: int) -> QuerySet[Delivery]:
    """Those that wait for a receipt: few may lie among a million that wait for their turn."""
    newest = _newest(plain, wanted)
    rows = Delivery.objects.not_finished().filter(message__in=newest, status=DeliveryStatus.SENT)
    queued = sum(each.count for each in sums if each.status == DeliveryStatus.QUEUED and each.message_id in newest)
    if queued > LOOKED_THROUGH:
        rows = rows.filter(submission__in=_calls(newest, Q(status__in=ANSWERED)))
    return _latest_call_first(rows)


def _silent(sums: Sequence[Holding]) -> list[QuerySet[Delivery]]:
    """Those that wait for a receipt in vain, of the messages that are old enough."""
    holders = {each.message_id for each in sums if each.status == DeliveryStatus.SENT}
    old = Message.objects.filter(pk__in=holders, created_at__lt=TOO_LATE_FOR_A_RECEIPT).values_list("pk", flat=True)
    messages = [*old, NOBODYS]
    rows = Delivery.objects.not_finished().filter(message__in=messages, status=DeliveryStatus.SENT)
    return [_latest_call_first(rows.filter(sent_at__lt=TOO_LATE_FOR_A_RECEIPT))] if holders else []


def _carved(state: str, sums: Sequence[Holding]) -> list[QuerySet[Delivery]]:
    """The parts of what is stored as queued: waiting for its turn, waiting on purpose, being sent."""
    holders = {each.message_id for each in sums if each.status == DeliveryStatus.QUEUED}
    if not holders:
        return []
    messages = [*sorted(holders), NOBODYS]
    unfinished = sum(each.count for each in sums if each.message_id in holders and _is_unfinished(each))
    rows = Delivery.objects.not_finished().filter(message__in=messages, status=DeliveryStatus.QUEUED)
    if state == SENDING:
        return [_latest_call_first(rows.filter(submission__in=_calls(messages, Q(status__in=IN_HAND))))]
    if unfinished <= LOOKED_THROUGH:
        return [_latest_call_first(in_states(rows, [state]))]
    waiting = Q(status=SubmissionStatus.QUEUED)
    if state == DeliveryStatus.QUEUED:
        return [_latest_call_first(rows.filter(submission__in=_calls(messages, waiting & Q(held_for=""))))]
    held = _latest_call_first(rows.filter(submission__in=_calls(messages, waiting & ~Q(held_for=""))))
    capped = Delivery.objects.filter(hold__message__in=messages, status=DeliveryStatus.QUEUED)
    return [held, capped.order_by("hold__message_id", "hold__send_after", "id")]


def _is_unfinished(each: Holding) -> bool:
    return each.status in (DeliveryStatus.QUEUED, DeliveryStatus.SENT) and not each.reason


def _calls(messages: Collection[int], condition: Q) -> list[int]:
    """The submissions of some messages; told one by one they are looked up one by one, which no plan undoes."""
    return list(Submission.objects.filter(condition, message__in=messages).values_list("pk", flat=True))


def _latest_call_first(rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
    return rows.order_by("-message_id", "-submission_id", "-id")


def _newest(sums: Iterable[Holding], wanted: int) -> list[int]:
    """The newest messages that hold as many as are wanted, and nobody's, which keeps PostgreSQL on their index."""
    counts: dict[int, int] = {}
    for each in sums:
        counts[each.message_id] = counts.get(each.message_id, 0) + each.count
    newest = [NOBODYS]
    for message_id in sorted(counts, reverse=True):
        newest.append(message_id)
        wanted -= counts[message_id]
        if wanted <= 0:
            break
    return newest
