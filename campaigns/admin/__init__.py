"""The admin of campaigns."""

from campaigns.admin import campaign, segment

__all__ = ["campaign", "segment"]
