"""Revivals: deliveries that were given up as not taken, and a receipt shows that they were taken after all."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from customers.choices import Purpose
from notifications import caps, hot
from notifications.models import Delivery, Message, Submission
from notifications.services import budgets, preparing, slots
from notifications.services.preparing import Prepared


@dataclass(frozen=True)
class _Call:
    """What of one call was taken after all."""

    message: Message
    submission: Submission
    rows: list[Prepared]

    @property
    def cost(self) -> Decimal:
        return sum(row.segments for row in self.rows) * self.submission.account.price

    @property
    def packed(self) -> int:
        return caps.pack(self.submission.called_at, channel=self.message.channel, purpose=self.message.purpose)


def count_again(cursor, delivery_ids: Sequence[int]) -> None:
    """
    Let deliveries cost, count for caps and for their account's budget again, from the moment of their call.

    They are few: twice the provider had said that it never took them. What can no longer be rendered,
    because the values were deleted with the customer, keeps no cost.
    """
    by_message: dict[int, list[int]] = defaultdict(list)
    for id, message_id in Delivery.objects.filter(pk__in=delivery_ids).values_list("id", "message_id"):
        by_message[message_id].append(id)
    calls = [
        call
        for message in Message.objects.filter(pk__in=by_message)
        for call in _calls(message, by_message[message.pk])
    ]
    for call in calls:
        _write_costs(cursor, call)
    # Slots in one order for all workers, and budgets after them, as in the last check.
    slots.count_again(
        cursor, [(subject, call.packed) for call in calls if _counts(call) for subject in slots.subjects(call.rows)]
    )
    for call in sorted(calls, key=lambda call: call.submission.account_id):
        account = call.submission.account
        if account.daily_budget is not None:
            budgets.note_cost(cursor, account.pk, call.cost, called_at=call.submission.called_at)


def _calls(message: Message, delivery_ids: Sequence[int]) -> list[_Call]:
    carried: dict[int, list[Prepared]] = defaultdict(list)
    for row in preparing.once_more(message, delivery_ids):
        carried[row.submission_id].append(row)
    submissions = Submission.objects.filter(pk__in=carried).select_related("account")
    return [_Call(message, submission, carried[submission.pk]) for submission in submissions]


def _counts(call: _Call) -> bool:
    return not call.message.is_test and Purpose(call.message.purpose).obeys_caps


def _write_costs(cursor, call: _Call) -> None:
    cursor.execute(
        """
        UPDATE notifications_delivery d SET segments = told.segments, cost = told.segments * %s::numeric
        FROM unnest(%s::bigint[], %s::int[]) AS told(id, segments) WHERE d.id = told.id
        """,
        [
            call.submission.account.price,
            hot.integers(row.id for row in call.rows),
            hot.integers(row.segments for row in call.rows),
        ],
    )
