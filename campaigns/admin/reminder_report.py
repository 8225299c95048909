"""The report of a reminder's steps in words: what was found, what was sent, and what it achieved."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.admin import reminder_words
from campaigns.admin.live import records_url
from campaigns.admin.spans import in_words
from campaigns.choices import OccasionOutcome
from campaigns.models import Reminder, ReminderMessage, ReminderStep
from campaigns.services.reminders import outcomes
from campaigns.services.reminders.comparing import ENOUGH, Comparison, Share
from notifications import screening
from notifications.admin import states

DAYS = 30


def reports(reminder: Reminder, steps: Sequence[ReminderStep], *, now: datetime) -> list[dict[str, Any]]:
    """One report for each step, over the last days."""
    found = outcomes.of_steps(reminder, since=now - timedelta(days=DAYS), now=now)
    return [_report(reminder, step, found[step.pk]) for step in steps if step.pk in found]


def _report(reminder: Reminder, step: ReminderStep, found: outcomes.StepOutcome) -> dict[str, Any]:
    opened = ReminderMessage.objects.filter(text__step=step)
    message_ids = list(opened.values_list("message_id", flat=True))
    return {
        "when": reminder_words.step_sentence(reminder, step),
        "outcomes": [
            {"label": outcome.label, "count": found.outcomes[outcome.value]}
            for outcome in OccasionOutcome
            if found.outcomes[outcome.value]
        ],
        "states": _states(found, message_ids),
        "total": sum(found.outcomes.values()),
        "sent_total": sum(found.states.values()),
        "goal": goal_in_words(reminder, found.comparison) if found.comparison else [],
    }


def _states(found: outcomes.StepOutcome, message_ids: list[int]) -> list[dict[str, Any]]:
    """The states of the messages, with why where there is a reason, each with a link to the records."""
    rows = sorted(found.states.items(), key=lambda row: (list(states.STATES).index(row[0][0]), -row[1]))
    return [
        {
            "state": state,
            "label": states.STATES[state],
            "why": screening.label_of(reason) if reason else "",
            "count": count,
            "url": records_url(message_ids, state=state, **({"reason": reason} if reason else {})),
        }
        for (state, reason), count in rows
        if message_ids
    ]


def goal_in_words(reminder: Reminder, comparison: Comparison) -> list[str]:
    """What a step achieved, and how sure that is, as sentences."""
    words = {"goal": reminder.get_goal_display(), "span": in_words(reminder.goal_within)}
    reminded, rest = comparison.reminded, comparison.held_out
    if not reminded.total:
        return [_("Nobody's time is over yet: the goal is counted within %(span)s of the message.") % words]
    said = _("%(goal)s within %(span)s: %(reached)s of %(total)s who were to get a message, that is %(share)s.")
    sentences = [said % (words | _share(reminded))]
    if not rest.total:
        sentences.append(
            _(
                "How many would have done so anyway is not known: nobody is held out for comparison. Hold out 10 % "
                "to learn it."
            )
        )
        return sentences
    said = _("Of those who got none on purpose: %(reached)s of %(total)s, that is %(share)s.")
    sentences.append(said % _share(rest))
    return [*sentences, difference_in_words(comparison)]


def difference_in_words(comparison: Comparison) -> str:
    """The difference with its uncertainty, or why nothing can be said yet."""
    if not comparison.is_enough:
        missing = max(1, ENOUGH - min(comparison.reminded.total, comparison.held_out.total))
        said = ngettext(
            "Too few to compare: %(count)d more is needed on the smaller side before a difference means anything.",
            "Too few to compare: %(count)d more are needed on the smaller side before a difference means anything.",
            missing,
        )
        return said % {"count": missing}
    low, high = comparison.span
    words = {"difference": _points(comparison.difference), "low": _points(low), "high": _points(high)}
    if comparison.is_sure and comparison.difference > 0:
        return (
            _("The message helps: %(difference)s percentage points more, surely between %(low)s and %(high)s.") % words
        )
    if comparison.is_sure:
        return _("The message harms: %(difference)s percentage points, surely between %(low)s and %(high)s.") % words
    return _(
        "Whether the message makes a difference cannot be told yet: %(difference)s percentage points, but it may be "
        "anything between %(low)s and %(high)s."
    ) % words  # fmt: skip


def _share(share: Share) -> dict[str, str]:
    low, high = share.span
    spread = _("%(value)s (between %(low)s and %(high)s)") % {
        "value": _percent(share.value), "low": _percent(low), "high": _percent(high),
    }  # fmt: skip
    return {"reached": f"{share.reached:,}", "total": f"{share.total:,}", "share": spread}


def _percent(value: float) -> str:
    return f"{100 * value:.1f}%"


def _points(value: float) -> str:
    return f"{100 * value:+.1f}".replace("-", "−")
