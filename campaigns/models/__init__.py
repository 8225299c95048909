"""The campaigns app's models, in reading order."""

from campaigns.models.segment import Segment
from campaigns.models.campaign import Campaign, Variant
from campaigns.models.kept_review import KeptReview
from campaigns.models.reminder import Reminder, ReminderMessage, ReminderStep, ReminderText
from campaigns.models.kept_backtest import KeptBacktest
from campaigns.models.occasion import ReminderOccasion

__all__ = [
    "Campaign",
    "KeptBacktest",
    "KeptReview",
    "Reminder",
    "ReminderMessage",
    "ReminderOccasion",
    "ReminderStep",
    "ReminderText",
    "Segment",
    "Variant",
]
