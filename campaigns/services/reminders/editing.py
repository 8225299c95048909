"""Editing the texts of a step; what waits under the old ones is taken back when the reminder next looks."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from campaigns.choices import Receiver
from campaigns.models import ReminderStep, ReminderText
from notifications.models import AlertChannel, Template


@dataclass(frozen=True)
class Wanted:
    """One text that a step is to have; in the order in which channels are tried."""

    receiver: Receiver
    channel: str
    template: Template | None = None
    merged_template: Template | None = None
    alert_channel: AlertChannel | None = None
    staff_text: str = ""


def write_texts(step: ReminderStep, wanted: Sequence[Wanted], *, among: Collection[str]) -> None:
    """Give a step exactly these texts on the channels `among` which staff chose; other channels keep theirs."""
    kept = []
    for place, text in enumerate(wanted, start=1):
        written, _is_new = ReminderText.objects.update_or_create(
            step=step,
            receiver=text.receiver,
            channel=text.channel,
            defaults={
                "position": place,
                "template": text.template,
                "merged_template": text.merged_template,
                "alert_channel": text.alert_channel,
                "staff_text": text.staff_text,
            },
        )
        kept.append(written.pk)
    ReminderText.objects.filter(step=step, channel__in=among).exclude(pk__in=kept).delete()
