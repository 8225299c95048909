"""What became of a reminder's occasions: by outcome, by state of the message, and the goal against those held out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection
from django.db.models import Count, Sum

from campaigns.choices import Goal
from campaigns.models import Reminder, ReminderOccasion
from campaigns.services.reminders.comparing import Comparison, Share
from notifications.models import Submission

# The list shows many reminders: of each it asks the newest only.
NEWEST = 1_000

# Both sides count from the moment at which the message was due, whether or not it went out at once: a customer who
# paid while a message waited for the morning would have paid on either side.
REACHED = {
    Goal.PAID: "o.paid_at > met.due_at AND o.paid_at <= met.due_at + %(within)s",
    Goal.SETTLED: "e.closed_at > met.due_at AND e.closed_at <= met.due_at + %(within)s",
    Goal.BOUGHT: (
        "EXISTS (SELECT FROM customers_order later WHERE later.customer_id = met.customer_id"
        " AND later.id IS DISTINCT FROM met.order_id AND later.status NOT IN ('unpaid', 'closed', '')"
        " AND later.ordered_at > met.due_at AND later.ordered_at <= met.due_at + %(within)s)"
    ),
}
COMPARE = """
SELECT met.step_id, met.outcome = 'held_out', count(*), count(*) FILTER (WHERE {reached})
FROM (
    SELECT * FROM campaigns_reminderoccasion
    WHERE reminder_id = %(reminder)s AND created_at >= %(since)s AND outcome IN ('planned', 'held_out')
      AND due_at <= %(now)s::timestamptz - %(within)s::interval
    ORDER BY id DESC
) met
LEFT JOIN customers_order o ON o.id = met.order_id
LEFT JOIN customers_customerevent e ON e.id = met.event_id
GROUP BY 1, 2
"""
REACHED_OF_ALL = """
SELECT r.id, count(*), count(*) FILTER (WHERE CASE r.goal {reached} END)
FROM campaigns_reminder r
CROSS JOIN LATERAL (
    SELECT * FROM campaigns_reminderoccasion newest
    WHERE newest.reminder_id = r.id AND newest.created_at >= %(since)s AND newest.outcome = 'planned'
      AND newest.due_at <= %(now)s::timestamptz - r.goal_within
    ORDER BY newest.id DESC LIMIT %(limit)s
) met
LEFT JOIN customers_order o ON o.id = met.order_id
LEFT JOIN customers_customerevent e ON e.id = met.event_id
WHERE r.goal <> ''
GROUP BY r.id
"""


@dataclass
class StepOutcome:
    """What became of one step; `comparison` is None without a goal."""

    outcomes: Counter = field(default_factory=Counter)
    states: Counter = field(default_factory=Counter)
    comparison: Comparison | None = None


def of_steps(reminder: Reminder, *, since: datetime, now: datetime) -> dict[int, StepOutcome]:
    """What became of each step's occasions that were found since a moment, by the step's id."""
    found = {pk: StepOutcome() for pk in reminder.steps.values_list("pk", flat=True)}
    occasions = ReminderOccasion.objects.filter(reminder=reminder, created_at__gte=since).order_by()
    for step, outcome, count in occasions.values_list("step", "outcome").annotate(count=Count("pk")):
        if step in found:
            found[step].outcomes[outcome] += count
    planned = occasions.filter(delivery__isnull=False)
    rows = planned.values_list("step", "delivery__status", "delivery__reason")
    for step, status, reason, count in rows.annotate(count=Count("delivery", distinct=True)):
        if step in found:
            found[step].states[status, reason] += count
    for step, comparison in comparisons(reminder, since=since, now=now).items():
        if step in found:
            found[step].comparison = comparison
    return found


def comparisons(reminder: Reminder, *, since: datetime, now: datetime) -> dict[int, Comparison]:
    """By step: how many reached the goal in its time with a message, and how many of those held out."""
    if reminder.goal not in REACHED:
        return {}
    sides: dict[tuple[int, bool], Share] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            COMPARE.format(reached=REACHED[Goal(reminder.goal)]),
            {
                "reminder": reminder.pk,
                "since": since,
                "now": now,
                "within": reminder.goal_within,
            },
        )
        for step, is_held_out, total, reached in cursor.fetchall():
            sides[step, is_held_out] = Share(reached, total)
    nobody = Share(0, 0)
    return {
        step: Comparison(sides.get((step, False), nobody), sides.get((step, True), nobody))
        for step in {step for step, _side in sides}
    }


def reached(*, since: datetime, now: datetime) -> dict[int, Share]:
    """By reminder with a goal: how many of the newest who were to get a message reached it in time."""
    cases = " ".join(f"WHEN '{goal.value}' THEN {sql}" for goal, sql in REACHED.items())
    with connection.cursor() as cursor:
        cursor.execute(
            REACHED_OF_ALL.format(reached=cases.replace("%(within)s", "r.goal_within")),
            {"since": since, "now": now, "limit": NEWEST},
        )
        return {reminder: Share(some, total) for reminder, total, some in cursor.fetchall()}


def sent(reminder_ids: Sequence[int], *, since: datetime) -> dict[int, int]:
    """Messages of each reminder that were handed over since a moment; read from the calls, which are few."""
    calls = Submission.objects.filter(
        called_at__gte=since, message__reminder_message__reminder__in=list(reminder_ids)
    ).order_by()
    return dict(calls.values_list("message__reminder_message__reminder").annotate(total=Sum("size")))
