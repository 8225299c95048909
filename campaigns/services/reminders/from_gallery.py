"""From the gallery: one click makes a rule with its steps, texts and templates, switched off."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils.translation import gettext as _

from campaigns import gallery
from campaigns.models import Reminder, ReminderStep, ReminderText
from campaigns.services.reminders import ways
from customers.choices import Channel
from notifications.models import Signature, Template

NAME_LENGTH = 60
TWINS = 1000


class CannotCreate(Exception):
    """The entry cannot become a reminder as it was asked for; the text says why and what to do."""


@transaction.atomic
def create(
    entry: gallery.Entry,
    *,
    signature: Signature,
    by: AbstractBaseUser | None,
    now: datetime,
    channels: Sequence[str] = (),
    language: str = "zh-hans",
    with_optional: bool = False,
) -> Reminder:
    """
    Make a reminder of an entry of the gallery, switched off, with the starter texts in a language.

    Without `channels` it takes every channel that the entry may use and that works. A template that is there already
    is used as staff left it. Raises CannotCreate where a channel is not for this entry or does not work.
    """
    chosen = _channels(entry, channels)
    reminder = Reminder.objects.create(
        name=_free_name(str(entry.title)),
        kind=entry.key,
        **{name: getattr(entry, name) for name in SAME},
        stop_when=list(entry.stops),
        call_script=str(entry.call_script),
        created_by=by,
        created_at=now,
        updated_at=now,
    )
    steps = [step for step in entry.steps if with_optional or not step.is_optional]
    for place, step in enumerate(steps, start=1):
        made = ReminderStep.objects.create(reminder=reminder, position=place, delay=step.delay)
        ReminderText.objects.bulk_create(
            ReminderText(
                step=made,
                position=number,
                channel=channel,
                template=_template(step.text, channel, language, signature=signature, now=now),
                merged_template=_template(step.merged, channel, language, signature=signature, now=now)
                if step.merged
                else None,
            )
            for number, channel in enumerate(chosen, start=1)
        )
    return reminder


# What an entry and a reminder call by the same name.
SAME = (
    *("purpose", "trigger", "order_status", "exception_kind", "event_kind", "order_date", "at_hour", "first_order"),
    *("valid_for", "night", "merge_within", "goal", "goal_within"),
    *("follow_up", "follow_up_for", "valuable_from", "call_within"),
)


def _channels(entry: gallery.Entry, asked: Iterable[str]) -> list[str]:
    """The channels to write texts for, in the order in which they are tried."""
    asked = list(asked)
    for channel in asked:
        if channel not in entry.channels:
            raise CannotCreate(
                str(entry.refused_by_sms) or _("This channel is not for this reminder. Choose another.")
            )
        if waiting := ways.waits_for(channel):
            raise CannotCreate(waiting)
    chosen = [channel for channel in entry.channels if (channel in asked if asked else not ways.waits_for(channel))]
    if not chosen:
        raise CannotCreate(" ".join(ways.waits_for(channel) for channel in entry.channels))
    return chosen


def _free_name(title: str) -> str:
    """The title, or the first of its numbered twins that no reminder has."""
    taken = set(Reminder.objects.filter(name__startswith=title[:50]).values_list("name", flat=True))
    numbered = (f"{title[:50]} {number}" for number in range(2, TWINS))
    return next((name for name in [title[:NAME_LENGTH], *numbered] if name not in taken), title[:NAME_LENGTH])


def _template(name: str, channel: str, language: str, *, signature: Signature, now: datetime) -> Template:
    """The template of a starter text on a channel: the one that is there, or a new one."""
    starter = gallery.text_of(name, language)
    wanted = f"{starter.name} · {Channel(channel).label}"[:NAME_LENGTH]
    same = {"channel": channel, "purpose": starter.purpose, "signature": signature, "archived_at": None}
    names = [wanted, *(f"{wanted[:55]} {number}" for number in range(2, TWINS))]
    known = {template.name: template for template in Template.objects.filter(name__startswith=wanted[:55])}
    for name_to_try in names:
        template = known.get(name_to_try)
        if template is None:
            return Template.objects.create(
                name=name_to_try,
                purpose=starter.purpose,
                channel=channel,
                signature=signature,
                body=starter.body,
                subject="" if channel == Channel.SMS else starter.subject,
                created_at=now,
                updated_at=now,
            )
        if all(getattr(template, column) == value for column, value in same.items()):
            return template
    raise CannotCreate(_("There are too many templates with this name. Archive or rename some."))
