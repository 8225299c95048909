"""The admin of campaigns."""

from campaigns.admin import campaign, reminder, segment

__all__ = ["campaign", "reminder", "segment"]
