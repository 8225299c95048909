"""The closed vocabularies of campaigns."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class CampaignStatus(models.TextChoices):
    """The life of a campaign; whether it is paused is read from its messages."""

    DRAFT = "draft", _("Draft")
    SCHEDULED = "scheduled", _("Scheduled")
    RUNNING = "running", _("Sending")
    FINISHED = "finished", _("Finished")
    CANCELED = "canceled", _("Canceled")
    MISSED = "missed", _("Missed its time")


class Timing(models.TextChoices):
    """How staff say when a campaign goes out."""

    NOW = "now", _("As soon as it is started")
    AT = "at", _("At a date and time")
    HOLIDAY = "holiday", _("On a holiday")


class CountStatus(models.TextChoices):
    """Where the counting of a waterfall stands."""

    WAITING = "waiting", _("Waiting to be counted")
    COUNTING = "counting", _("Being counted")
    COUNTED = "counted", _("Counted")
    FAILED = "failed", _("Counting failed")
