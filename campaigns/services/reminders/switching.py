"""Switching reminders on and off: on only as it was looked at, and only what could be sent."""

from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from campaigns.models import Reminder
from campaigns.services.reminders import fitting, running
from campaigns.services.reminders.running import CannotSwitch

__all__ = ["CannotSwitch", "off", "on"]


@transaction.atomic
def on(reminder: Reminder, *, version: int, by: AbstractBaseUser, now: datetime) -> None:
    """
    Switch a reminder on as it was looked at; what came due before is left alone.

    Raises CannotSwitch where it was changed since, is on already, or could not send anything.
    """
    running.activate(reminder, version=version, by=by, now=now)
    if problems := fitting.problems(reminder):
        raise CannotSwitch(" ".join(problems))


def off(reminder: Reminder, *, now: datetime) -> int:
    """Switch a reminder off and cancel what still waits; answers how many. Raises CannotSwitch."""
    return running.deactivate(reminder, now=now)
